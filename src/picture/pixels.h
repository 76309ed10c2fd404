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

/* True where rows as seen are columns as stored: they are best read several at once. */
bool ms_pixels_transposed(const minisim_pixels *pixels);

/* The picture: the region in force, in the picture as it is seen. */
minisim_region ms_pixels_picture(const minisim_pixels *pixels);

/*
 * Reads a window of the picture (relative to the region) into `rgb`, width x height x 3 bytes:
 * converted to RGB, alpha over `background` (0xRRGGBB), oriented. Memory is read in the order in
 * which it is stored.
 */
void ms_pixels_read(const minisim_pixels *pixels, uint32_t background, const minisim_region *window,
                    uint8_t *rgb);

#endif
