/* Writes pictures as JPEG. */
#ifndef MS_PICTURE_JPEG_WRITE_H
#define MS_PICTURE_JPEG_WRITE_H

#include <stdint.h>
#include <stdio.h>

/*
 * Writes rgb [height][width][3], 1 to 65,535 pixels either way, as baseline JPEG; `quality` is 1 to
 * 100, and up to 90 colours have half the resolution. For bytes in memory, the stream is
 * open_memstream's. What cannot be written shows as the stream's error. Thread-safe.
 */
void ms_write_jpeg(FILE *file, const uint8_t *rgb, uint32_t width, uint32_t height, int quality);

#endif
