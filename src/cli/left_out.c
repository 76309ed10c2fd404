/* Kinds of files that were left out: see left_out.h. */
#include "cli/left_out.h"

#include "base/text.h"
#include "cli/console.h"
#include "picture/scan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_KINDS = sizeof((struct ms_left_out *)0)->kinds / sizeof(struct ms_left_out_kind) };

void ms_left_out_count(struct ms_left_out *left_out, const char *kind) {
    size_t i = 0;
    while (i < left_out->used && i < MOST_KINDS - 1 && strcmp(left_out->kinds[i].name, kind) != 0)
        i++;
    if (i == left_out->used) {
        left_out->used++;
        left_out->kinds[i].name = i < MOST_KINDS - 1 ? kind : "other";
    }
    left_out->kinds[i].count++;
}

void ms_left_out_file(struct ms_left_out *left_out, const char *path) {
    uint8_t bytes[4096];
    ssize_t size = 0;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0) {
        size = read(descriptor, bytes, sizeof bytes);
        close(descriptor);
    }
    ms_left_out_count(left_out, ms_other_kind(bytes, size > 0 ? (size_t)size : 0));
}

static int compare_kinds(const void *a, const void *b) {
    const struct ms_left_out_kind *first = a, *second = b;
    if (first->count != second->count)
        return first->count < second->count ? 1 : -1;
    return strcmp(first->name, second->name);
}

void ms_left_out_report(struct ms_left_out *left_out) {
    char line[4096] = "", number[MS_NUMBER_SIZE];
    size_t length = 0;
    qsort(left_out->kinds, left_out->used, sizeof *left_out->kinds, compare_kinds);
    for (size_t i = 0; i < left_out->used && length < sizeof line; i++)
        length += (size_t)snprintf(line + length, sizeof line - length, "%s%s %s", i ? ", " : "",
                                   ms_count_text(left_out->kinds[i].count, number),
                                   left_out->kinds[i].name);
    if (length > 0)
        ms_complain(NULL, "left out: %s", line);
}
