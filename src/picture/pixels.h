/* The caller's pixels, of any format, as the picture that is seen: tight rows of RGB bytes. */
#ifndef MS_PICTURE_PIXELS_H
#define MS_PICTURE_PIXELS_H

#include "minisim.h"

#include <stdbool.h>

/* No side of a picture, nor of what it is resized to, is longer. */
#define MS_LONGEST_SIDE (UINT32_C(1) << 24)

/* BAD_ARGUMENT where the sizes, strides, planes, orientation or region make no sense. What follows
 * takes pixels that passed. */
minisim_status ms_pixels_check(const minisim_pixels *pixels, minisim_error *error);

/* The same of the sizes and the region alone, before there are pixels. */
minisim_status ms_pixels_check_size(const minisim_pixels *pixels, minisim_error *error);

/* The picture: the region in force, in the picture as it is seen. */
minisim_region ms_pixels_picture(const minisim_pixels *pixels);

/* A rectangle of pixels as they are stored, and how it is seen: first mirrored along the axes that
 * run backwards, then, where `transposed`, with columns for rows. */
struct ms_stored {
    uint32_t x, y, width, height;
    bool x_backwards, y_backwards, transposed;
};

/* Where a window of the picture (relative to the region) is stored. */
struct ms_stored ms_pixels_stored(const minisim_pixels *pixels, const minisim_region *window);

/* True where pixels are stored as RGB, so that ms_pixels_row converts nothing. */
bool ms_pixels_are_rgb(const minisim_pixels *pixels);

/*
 * `count` stored pixels from column x of row y on, as tight RGB with alpha over `background`
 * (0xRRGGBB): in place where they are RGB, otherwise converted into `rgb`, count x 3 bytes.
 */
const uint8_t *ms_pixels_row(const minisim_pixels *pixels, uint32_t background, size_t x, size_t y,
                             size_t count, uint8_t *rgb);

/*
 * Reads a window of the picture (relative to the region) into `rgb`, width x height x 3 bytes:
 * converted to RGB, alpha over `background` (0xRRGGBB), oriented. Memory is read in the order in
 * which it is stored.
 */
void ms_pixels_read(const minisim_pixels *pixels, uint32_t background, const minisim_region *window,
                    uint8_t *rgb);

#endif
