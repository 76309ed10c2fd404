/* Antialiased resampling of 8-bit RGB, with Pillow's result to the last bit (src/NUMBERS.md). */
#ifndef MS_PICTURE_RESIZE_H
#define MS_PICTURE_RESIZE_H

#include "base/arena.h"
#include "kernels/resize.h"
#include "minisim.h"

/* What is resized to what: the whole picture to width x height, of which `window` alone is
 * computed. */
struct ms_resize {
    const minisim_pixels *pixels; /* checked */
    uint32_t background;
    uint32_t width, height;
    minisim_region window;
    minisim_resample filter; /* MINISIM_BILINEAR or MINISIM_BICUBIC */
    const struct ms_resizer *resizer;
};

/* The bytes that ms_resize takes from its arena while it runs, in one allocation. */
uint64_t ms_resize_memory(const struct ms_resize *resize);

/* Writes the window's rows of RGB, `stride` bytes apart. OUT_OF_MEMORY. */
minisim_status ms_resize(const struct ms_resize *resize, struct ms_arena *arena, uint8_t *out,
                         size_t stride, minisim_error *error);

#endif
