/* A list of names: see names.h. */
#include "cli/names.h"

#include "base/text.h"
#include "cli/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say_failed(const char *source) {
    ms_complain(source, "%s", strerror(errno));
    ms_note(MS_EXIT_SOME_FAILED);
}

bool ms_names_open(struct ms_names *names, const char *path, bool null_ended) {
    bool is_input = strcmp(path, "-") == 0;
    names->source = is_input ? "standard input" : path;
    names->end = null_ended ? '\0' : '\n';
    names->at_end = false;
    names->line = 0;
    names->next = names->filled = 0;
    names->descriptor = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (names->descriptor >= 0)
        return true;
    say_failed(path);
    return false;
}

/* The next byte, or -1 at the end. */
static int next_byte(struct ms_names *names) {
    if (names->next == names->filled && !names->at_end) {
        long count = ms_read_patiently(names->descriptor, names->bytes, sizeof names->bytes);
        if (count < 0 && !ms_interrupted())
            say_failed(names->source);
        names->at_end = count <= 0;
        names->next = 0;
        names->filled = count > 0 ? (size_t)count : 0;
    }
    return names->next < names->filled ? (unsigned char)names->bytes[names->next++] : -1;
}

static void refuse_name(const struct ms_names *names, const char *why) {
    char number[MS_NUMBER_SIZE];
    ms_complain(names->source, "name %s %s", ms_count_text(names->line, number), why);
    ms_note(MS_EXIT_SOME_FAILED);
}

char *ms_names_next(struct ms_names *names) {
    char name[MS_LONGEST_NAME + 1];
    for (;;) {
        size_t length = 0;
        bool holds_null = false;
        int c;
        while ((c = next_byte(names)) >= 0 && c != (unsigned char)names->end) {
            holds_null |= c == 0;
            if (length < MS_LONGEST_NAME)
                name[length] = (char)c;
            length += length <= MS_LONGEST_NAME;
        }
        if ((c < 0 && length == 0) || ms_interrupted())
            return NULL;
        names->line++;
        if (length > MS_LONGEST_NAME) {
            refuse_name(names, "is longer than 4,096 bytes");
        } else if (holds_null) {
            refuse_name(names, "holds a NUL; if NUL ends names, say -0");
        } else if (length > 0) {
            name[length] = '\0';
            char *copy = strdup(name);
            if (!copy) {
                ms_complain(NULL, "out of memory");
                ms_note(MS_EXIT_SYSTEM);
            }
            return copy;
        }
    }
}

void ms_names_close(struct ms_names *names) {
    if (names->descriptor > STDIN_FILENO)
        close(names->descriptor);
    names->descriptor = -1;
}
