/* One scanner a format, each in a file of its own, behind ms_scan_picture. They fill in a zeroed
 * scan. */
#ifndef MS_PICTURE_FORMATS_H
#define MS_PICTURE_FORMATS_H

#include "base/arena.h"
#include "picture/scan.h"

/* The bytes of a file, and the limit that ms_check_size holds a picture against. */
struct ms_bytes {
    const uint8_t *at;
    size_t size;
    uint64_t max_pixels;
    minisim_error *error;
};

minisim_status ms_scan_jpeg(const struct ms_bytes *file, struct ms_scan *scan);
minisim_status ms_scan_png(const struct ms_bytes *file, struct ms_scan *scan);
minisim_status ms_scan_bmp(const struct ms_bytes *file, struct ms_scan *scan);
minisim_status ms_scan_pnm(const struct ms_bytes *file, struct ms_scan *scan);

/* One decoder a format, for files that its scanner took. BMP and PNM are read here, not by stb. */
minisim_status ms_decode_jpeg(const struct ms_bytes *file, const struct ms_scan *scan,
                              struct ms_arena *arena, minisim_pixels *pixels);
minisim_status ms_decode_png(const struct ms_bytes *file, const struct ms_scan *scan,
                             struct ms_arena *arena, minisim_pixels *pixels);
minisim_status ms_decode_bmp(const struct ms_bytes *file, const struct ms_scan *scan,
                             struct ms_arena *arena, minisim_pixels *pixels);
minisim_status ms_decode_pnm(const struct ms_bytes *file, const struct ms_scan *scan,
                             struct ms_arena *arena, minisim_pixels *pixels);

/* Refuses sides of 0 or above 2^24, and more pixels than the limit. */
minisim_status ms_check_size(const struct ms_bytes *file, uint64_t width, uint64_t height);

/* Refuses a picture whose largest block, in bytes, is beyond stb's int. */
minisim_status ms_check_block(const struct ms_bytes *file, uint64_t bytes);

/* The orientation in a block of EXIF (from its byte order mark on): 1 to 8; 1 where it says none,
 * or is broken. */
uint32_t ms_exif_orientation(const uint8_t *tiff, size_t size);

static inline uint32_t ms_big16(const uint8_t *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t ms_big32(const uint8_t *at) {
    return ms_big16(at) << 16 | ms_big16(at + 2);
}

#endif
