/* The doors to stb_image and stb_image_resize: one file of ours compiles them, and nothing else
 * calls them. */
#ifndef MS_PICTURE_STB_H
#define MS_PICTURE_STB_H

#include "base/arena.h"
#include "picture/scan.h"

#include <stdbool.h>

/*
 * Decodes a JPEG that the scan has passed; all memory comes from `arena`. *cut: the data of a scan
 * ended before the picture did. BAD_PICTURE, OUT_OF_MEMORY. Thread-safe, as are all below.
 */
minisim_status ms_stb_jpeg(const uint8_t *bytes, size_t size, const struct ms_jpeg_facts *facts,
                           struct ms_arena *arena, minisim_pixels *pixels, bool *cut,
                           minisim_error *error);

/* Inflates a zlib stream (RFC 1950) into to[0..room), and says how many bytes it took, without the
 * checksum, and gave. BAD_PICTURE: broken, or there is more. */
minisim_status ms_stb_inflate(const uint8_t *from, size_t size, uint8_t *to, size_t room,
                              size_t *used, size_t *made, minisim_error *error);

/* The inflated rows of a PNG; a pixel of colour `key` is transparent where `keyed`. */
struct ms_stb_png {
    const uint8_t *inflated;
    size_t size;
    uint32_t width, height, samples, depth, colour, interlaced;
    bool keyed;
    uint16_t key[3];
};

/* Undoes filters and interlacing: *rows are samples of 8 or 16 bit, in memory of `arena`, with
 * alpha behind those of a pixel where `keyed`. BAD_PICTURE, OUT_OF_MEMORY. */
minisim_status ms_stb_unfilter(const struct ms_stb_png *png, struct ms_arena *arena, uint8_t **rows,
                               minisim_error *error);

/* Bytes that ms_stb_resize takes at most; stb cannot count beyond INT32_MAX. */
uint64_t ms_stb_resize_memory(uint32_t width, uint32_t height, uint32_t out_width,
                              uint32_t out_height);

/*
 * Resizes RGB, rows without gaps, with the triangle filter. BAD_PICTURE: the sizes make an
 * assertion of stb's fail; OUT_OF_MEMORY. Thread-safe.
 */
minisim_status ms_stb_resize(const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *out,
                             uint32_t out_width, uint32_t out_height, struct ms_arena *arena,
                             minisim_error *error);

#endif
