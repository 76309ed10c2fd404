/* Lists of names, ended by lines or by NUL as the first byte says. (libFuzzer: -close_fd_mask=3 for
 * the messages.) */
#include "cli/names.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int file = -1;
    static char path[32];
    struct ms_names names;
    char *name;
    if (size < 1)
        return 0;
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) || pwrite(file, data + 1, size - 1, 0) != (ssize_t)size - 1)
        return 0;
    if (!ms_names_open(&names, path, data[0] & 1))
        return 0;
    while ((name = ms_names_next(&names))) {
        if (!*name || strlen(name) > MS_LONGEST_NAME)
            abort();
        free(name);
    }
    ms_names_close(&names);
    return 0;
}
