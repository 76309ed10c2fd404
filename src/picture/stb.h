/* The doors to stb_image and stb_image_resize: one file of ours compiles them, and nothing else
 * calls them. */
#ifndef MS_PICTURE_STB_H
#define MS_PICTURE_STB_H

#include "base/arena.h"
#include "minisim.h"

#include <stdbool.h>

/*
 * Decodes a JPEG, PNG or BMP that the scan has passed, in the file's own channels; all memory comes
 * from `arena`. `wide` (16-bit PNG) becomes 8 bit by (v*255+32767)/65535. *pixels: GREY,
 * GREY_ALPHA, RGB or RGBA. BAD_PICTURE, OUT_OF_MEMORY. Thread-safe.
 */
minisim_status ms_stb_decode(const uint8_t *bytes, size_t size, bool wide, struct ms_arena *arena,
                             minisim_pixels *pixels, minisim_error *error);

/*
 * Resizes RGB, rows without gaps, with the triangle filter. BAD_PICTURE: the sizes make an
 * assertion of stb's fail; OUT_OF_MEMORY. Thread-safe.
 */
minisim_status ms_stb_resize(const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *out,
                             uint32_t out_width, uint32_t out_height, struct ms_arena *arena,
                             minisim_error *error);

#endif
