/* Kinds of files that were left out: see left_out.h. */
#include "cli/left_out.h"

#include "base/text.h"
#include "picture/scan.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    MOST_KINDS = sizeof((struct ms_left_out *)0)->kinds / sizeof(struct ms_left_out_kind),
    EXAMPLES = sizeof((struct ms_left_out_kind *)0)->looks_like_one / sizeof(char *)
};

/* By its name alone. */
static bool looks_like_picture(const char *path) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp",
                                          ".ppm", ".pgm",  ".pbm", ".pnm"};
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i]) == 0)
            return true;
    return false;
}

void ms_left_out_count(struct ms_left_out *left_out, const char *name, const char *path) {
    size_t i = 0;
    while (i < left_out->used && i < MOST_KINDS - 1 && strcmp(left_out->kinds[i].name, name) != 0)
        i++;
    struct ms_left_out_kind *kind = &left_out->kinds[i];
    if (i == left_out->used) {
        left_out->used++;
        kind->name = i < MOST_KINDS - 1 ? name : "other";
    }
    kind->count++;
    /* The first ones in byte order, whatever the order of the walk; without memory, one less. */
    char *example = looks_like_picture(path) ? strdup(path) : NULL;
    for (i = 0; example && i < EXAMPLES; i++)
        if (!kind->looks_like_one[i] || strcmp(example, kind->looks_like_one[i]) < 0) {
            char *later = kind->looks_like_one[i];
            kind->looks_like_one[i] = example;
            example = later;
        }
    free(example);
}

void ms_left_out_file(struct ms_left_out *left_out, const char *path) {
    uint8_t bytes[4096];
    ssize_t size = 0;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0) {
        size = read(descriptor, bytes, sizeof bytes);
        close(descriptor);
    }
    ms_left_out_count(left_out, ms_other_kind(bytes, size > 0 ? (size_t)size : 0), path);
}

static int compare_kinds(const void *a, const void *b) {
    const struct ms_left_out_kind *first = a, *second = b;
    if (first->count != second->count)
        return first->count < second->count ? 1 : -1;
    return strcmp(first->name, second->name);
}

/* "3 links to a folder above it": what is a word in English gets its s. */
static void print_kind(const struct ms_left_out_kind *kind) {
    static const char *const words[] = {"FIFO", "device", "link", "socket"};
    char number[MS_NUMBER_SIZE];
    size_t length = strcspn(kind->name, " ");
    bool many = false;
    for (size_t i = 0; kind->count > 1 && i < sizeof words / sizeof *words; i++)
        many |= strlen(words[i]) == length && memcmp(words[i], kind->name, length) == 0;
    fprintf(stderr, "%s %.*s%s%s", ms_count_text(kind->count, number), (int)length, kind->name,
            many ? "s" : "", kind->name + length);
    for (size_t i = 0; i < EXAMPLES && kind->looks_like_one[i]; i++) {
        fputs(i ? ", " : " (", stderr);
        ms_write_name(stderr, kind->looks_like_one[i]);
    }
    if (kind->looks_like_one[EXAMPLES - 1] && kind->count > EXAMPLES)
        fputs(", ...", stderr);
    if (kind->looks_like_one[0])
        putc(')', stderr);
}

void ms_left_out_report(struct ms_left_out *left_out) {
    if (left_out->used == 0)
        return;
    qsort(left_out->kinds, left_out->used, sizeof *left_out->kinds, compare_kinds);
    fputs("minisim: left out: ", stderr);
    for (size_t i = 0; i < left_out->used; i++) {
        fputs(i ? ", " : "", stderr);
        print_kind(&left_out->kinds[i]);
    }
    putc('\n', stderr);
}

void ms_left_out_free(struct ms_left_out *left_out) {
    for (size_t i = 0; i < left_out->used; i++)
        for (size_t k = 0; k < EXAMPLES; k++)
            free(left_out->kinds[i].looks_like_one[k]);
    *left_out = (struct ms_left_out){.used = 0};
}
