/* The reader of NumPy's files, which takes a path: /proc names a file that has no name. */
#include "base/npy.h"
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int file = -1;
    static char path[32];
    struct ms_vectors vectors;
    minisim_error error;
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
        return 0;
    if (ms_read_npy(path, &vectors, &error) == MINISIM_OK) {
        for (size_t i = 0; i < vectors.rows * vectors.columns; i++)
            if (!isfinite(vectors.values[i]))
                abort();
        free(vectors.values);
    }
    return 0;
}
