/* EXIF's orientation: tag 0x0112 in the first directory (EXIF 2.32, 4.6.4). Nothing in it is an
 * error. */
#include "picture/formats.h"

uint32_t ms_exif_orientation(const uint8_t *tiff, size_t size) {
    if (size < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M'))
        return 1;
    bool little = tiff[0] == 'I';
#define U16(at) (little ? (uint32_t)((at)[0] | (at)[1] << 8) : ms_big16(at))
#define U32(at) (little ? U16(at) | U16((at) + 2) << 16 : ms_big32(at))
    uint32_t directory = U32(tiff + 4);
    if (U16(tiff + 2) != 42 || directory > size - 2)
        return 1;
    const uint8_t *entry = tiff + directory + 2;
    for (uint32_t left = U16(tiff + directory); left > 0; left--, entry += 12) {
        if ((size_t)(tiff + size - entry) < 12)
            return 1;
        uint32_t value = U16(entry + 8);
        if (U16(entry) == 0x0112) /* one SHORT */
            return U16(entry + 2) == 3 && U32(entry + 4) == 1 && value >= 1 && value <= 8 ? value
                                                                                          : 1;
    }
#undef U16
#undef U32
    return 1;
}
