/*
 * What a file of bytes is, told from its structure alone, before anything is decoded or allocated:
 * format, size, orientation, and what decoding it will take. Refuses what is broken, cut short
 * or known to lead stb_image astray.
 */
#ifndef MS_PICTURE_SCAN_H
#define MS_PICTURE_SCAN_H

#include "minisim.h"

#include <stdbool.h>

enum ms_format { MS_JPEG = 1, MS_PNG, MS_BMP, MS_PNM };

struct ms_scan {
    enum ms_format format;
    uint32_t width, height; /* as stored, before orientation */
    bool wide;              /* PNG: 16 bit a sample */
    uint32_t orientation;   /* EXIF's, 1 to 8; 1 where there is none */
    uint64_t memory;        /* bytes that ms_decode_picture takes from its arena at most */
};

/*
 * NO_PICTURE: another kind of file, which *error names; BAD_PICTURE: broken or truncated, or more
 * than max_pixels. Thread-safe, allocates nothing.
 */
minisim_status ms_scan_picture(const uint8_t *bytes, size_t size, uint64_t max_pixels,
                               struct ms_scan *scan, minisim_error *error);

/* The kind of a file that is not read, such as "HEIC", "text", "empty" or "unknown". Thread-safe.
 */
const char *ms_other_kind(const uint8_t *bytes, size_t size);

#endif
