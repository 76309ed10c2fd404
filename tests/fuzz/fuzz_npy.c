/* The reader of NumPy's files, which takes a path (/proc names a file that has no name) or a
 * stream: both take the same files and give the same finite values. */
#include "base/npy.h"
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void require(int holds) {
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int file = -1;
    static char path[32];
    struct ms_vectors by_path = {0}, by_stream = {0};
    minisim_error error;
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
        return 0;
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return 0;
    int read = ms_read_npy(path, &by_path, &error) == MINISIM_OK;
    require((ms_read_npy_stream(stream, &by_stream, &error) == MINISIM_OK) == read);
    require(by_path.rows == by_stream.rows && by_path.columns == by_stream.columns);
    for (size_t i = 0; i < by_path.rows * by_path.columns; i++)
        require(isfinite(by_path.values[i]) && by_path.values[i] == by_stream.values[i]);
    fclose(stream);
    free(by_path.values);
    free(by_stream.values);
    return 0;
}
