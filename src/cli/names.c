/* A list of names: see names.h. */
#include "cli/names.h"

#include "base/text.h"
#include "cli/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say_failed(const char *source, const char *what) {
    ms_complain(source, "the list cannot be %s: %s", what, strerror(errno));
    ms_note(MS_EXIT_SOME_FAILED);
}

/* How many names follow in a regular file, which stays where it is. */
static uint64_t count_names(int descriptor, char end) {
    char bytes[16384];
    struct stat about;
    off_t at = lseek(descriptor, 0, SEEK_CUR);
    if (fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode) || at < 0)
        return UINT64_MAX;
    uint64_t count = 0;
    ssize_t size;
    for (bool inside = false; (size = pread(descriptor, bytes, sizeof bytes, at)) > 0; at += size)
        for (ssize_t i = 0; i < size; i++) {
            count += !inside && bytes[i] != end;
            inside = bytes[i] != end;
        }
    return size == 0 ? count : UINT64_MAX;
}

/* A terminal ends when it is told to, /dev/null at once; other devices give bytes for ever. */
static bool is_endless(int descriptor) {
    struct stat about, null;
    return fstat(descriptor, &about) == 0 && S_ISCHR(about.st_mode) && !isatty(descriptor) &&
           (stat("/dev/null", &null) != 0 || about.st_rdev != null.st_rdev);
}

bool ms_names_open(struct ms_names *names, const char *path, bool null_ended) {
    bool is_input = strcmp(path, "-") == 0;
    names->source = is_input ? "standard input" : path;
    names->end = null_ended ? '\0' : '\n';
    names->at_end = names->failed = names->refused = false;
    names->line = 0;
    names->next = names->filled = 0;
    names->descriptor =
        is_input ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (names->descriptor < 0) {
        say_failed(path, "opened");
        return false;
    }
    if (is_endless(names->descriptor)) {
        ms_complain(names->source, "this is a device, a list of names has an end");
        ms_note(MS_EXIT_SOME_FAILED);
        ms_names_close(names);
        return false;
    }
    names->total = count_names(names->descriptor, names->end);
    return true;
}

/* The next byte, or -1 at the end. */
static int next_byte(struct ms_names *names) {
    if (names->next == names->filled && !names->at_end) {
        long count = ms_read_patiently(names->descriptor, names->bytes, sizeof names->bytes);
        if (count < 0 && !ms_interrupted())
            say_failed(names->source, "read");
        names->failed = names->failed || count < 0;
        names->at_end = count <= 0;
        names->next = 0;
        names->filled = count > 0 ? (size_t)count : 0;
    }
    return names->next < names->filled ? (unsigned char)names->bytes[names->next++] : -1;
}

static void refuse_name(struct ms_names *names, const char *why) {
    char number[MS_NUMBER_SIZE];
    names->refused = true;
    ms_complain(names->source, "name %s %s", ms_count_text(names->line, number), why);
    ms_note(MS_EXIT_SOME_FAILED);
}

/* What is wrong with a name as it stands in the list, or NULL; its quotes are then gone. */
static const char *check_name(const struct ms_names *names, char *name, size_t length) {
    if (strlen(name) < length)
        return "holds a NUL; if NUL ends names, say -0";
    if (names->end == '\n' && length < MS_LONGEST_LINE && !ms_read_name(name))
        return "opens with a quote but is not quoted as --ids-out quotes; with -0, names are bare";
    return strlen(name) > MS_LONGEST_NAME ? "is longer than 4,096 bytes" : NULL;
}

char *ms_names_next(struct ms_names *names) {
    char name[MS_LONGEST_LINE + 1];
    for (;;) {
        size_t length = 0;
        int c;
        while ((c = next_byte(names)) >= 0 && c != (unsigned char)names->end)
            if (length < MS_LONGEST_LINE)
                name[length++] = (char)c;
        if ((c < 0 && length == 0) || ms_interrupted())
            return NULL;
        name[length] = '\0';
        names->line++;
        const char *why = check_name(names, name, length);
        if (why) {
            refuse_name(names, why);
        } else if (*name) {
            char *copy = strdup(name);
            if (!copy)
                names->failed = !ms_out_of_memory();
            return copy;
        }
    }
}

void ms_names_close(struct ms_names *names) {
    if (names->descriptor > STDIN_FILENO)
        close(names->descriptor);
    names->descriptor = -1;
}
