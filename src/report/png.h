/* Writes pictures as PNG. */
#ifndef MS_REPORT_PNG_H
#define MS_REPORT_PNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Writes rgb [height][width][3], neither of them 0. It is made small where pixels or rows repeat.
 * What cannot be written shows as the stream's error. false: no memory, and nothing is written.
 */
bool ms_write_png(FILE *file, const uint8_t *rgb, uint32_t width, uint32_t height);

#endif
