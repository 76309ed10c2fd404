/*
 * Weights that the program makes itself, to test itself: a MobileNetV2 of width 0.35 at 96 x 96
 * with random values, the same bytes on every machine.
 */
#ifndef MS_CLI_MADE_WEIGHTS_H
#define MS_CLI_MADE_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

/* The generator, of integers: 31 random bits. */
uint32_t ms_next_random(uint64_t *seed);

/* A weights file (weights/FORMAT.md), to be freed, with every type of tensor, with and without
 * BatchNorm. NULL: no memory. */
uint8_t *ms_make_weights(size_t *size);

#endif
