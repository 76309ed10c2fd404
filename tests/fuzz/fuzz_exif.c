/* The reader of EXIF: an orientation from 1 to 8, whatever the bytes. */
#include "fuzz.h"
#include "picture/formats.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint32_t orientation = ms_exif_orientation(data, size);
    if (orientation < 1 || orientation > 8)
        abort();
    return 0;
}
