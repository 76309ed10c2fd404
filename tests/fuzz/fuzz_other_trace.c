/* The reader of traces, held against three layers: whatever the bytes, a verdict or a message.
 * (libFuzzer: -close_fd_mask=3 for the messages.) */
#include "cli/other_trace.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The first three lines of the corpus' equal.jsonl. */
static const struct ms_watched values[] = {{"file", false, 1, {3}, "abc"},
                                           {"decoded", false, 3, {1, 1, 3}, "abc"},
                                           {"embedding", true, 3, {1, 1, 2}, (float[]){0.5f, 6}}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static int file = -1;
    static char path[32];
    static FILE *nowhere;
    struct ms_other_trace other;
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        nowhere = fopen("/dev/null", "w");
    }
    if (!nowhere || ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
        return 0;
    if (ms_other_trace_open(&other, path)) {
        for (size_t i = 0; i < sizeof values / sizeof *values; i++)
            ms_other_trace_compare(&other, &values[i], id);
        for (const char *c = other.verdict; *c; c++)
            if (*c != '\n' && (*c < ' ' || *c > '~'))
                abort();
        ms_other_trace_end(&other, nowhere);
    }
    ms_other_trace_close(&other);
    return 0;
}
