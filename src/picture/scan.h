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
enum { MS_JPEG_SCANS_MAX = 100 };

/* Where the scans of a JPEG end: at the first byte of a marker (of its fill bytes). */
struct ms_jpeg_facts {
    size_t ends[MS_JPEG_SCANS_MAX];
    size_t scans;
};

/* A PNG's header, and the chunks that decoding it takes. Places are offsets in the file. */
struct ms_png_facts {
    uint32_t depth, colour, interlaced, samples;
    size_t palette, entries;          /* 0: none */
    size_t transparency, transparent; /* bytes of tRNS; 0: none */
    size_t data;                      /* the first IDAT chunk; the others follow at once */
    size_t chunks;                    /* of IDAT */
    uint64_t data_bytes, inflated;    /* in them together; what they must inflate to */
};

struct ms_scan {
    enum ms_format format;
    uint32_t width, height;      /* as stored, before orientation */
    minisim_pixel_format pixels; /* what decoding gives */
    uint32_t orientation;        /* EXIF's, 1 to 8; 1 where there is none */
    uint64_t memory;             /* bytes that ms_decode_picture takes from its arena at most */
    uint64_t kept;               /* of these, what the pixels hold on to */
    struct ms_jpeg_facts jpeg;
    struct ms_png_facts png;
};

/*
 * NO_PICTURE: another kind of file, which *error names; BAD_PICTURE: broken or truncated, or more
 * than max_pixels. Thread-safe, allocates nothing.
 */
minisim_status ms_scan_picture(const uint8_t *bytes, size_t size, uint64_t max_pixels,
                               struct ms_scan *scan, minisim_error *error);

/* The pixels that decoding will give, without their place. */
minisim_pixels ms_scan_pixels(const struct ms_scan *scan);

/* The kind of a file that is not read, such as "HEIC", "text", "empty" or "unknown". Thread-safe.
 */
const char *ms_other_kind(const uint8_t *bytes, size_t size);

#endif
