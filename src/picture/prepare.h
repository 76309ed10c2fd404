/* From pixels of any size and format to the square of RGB bytes that the network takes. */
#ifndef MS_PICTURE_PREPARE_H
#define MS_PICTURE_PREPARE_H

#include "base/arena.h"
#include "kernels/kernels.h"
#include "minisim.h"

#include <stdbool.h>

/* How pictures become input. Every field is decided: nothing is "from the weights" here. */
struct ms_preparation {
    uint32_t size; /* side of the square */
    minisim_geometry geometry;
    uint32_t crop_size;  /* MINISIM_CROP: what the shorter side becomes first */
    uint32_t pad_colour; /* MINISIM_PAD: 0xRRGGBB */
    minisim_resample resample;
    uint32_t background;     /* 0xRRGGBB, under alpha */
    bool preprocessed;       /* the picture must be size x size and is taken as it is */
    bool ignore_orientation; /* whoever reads the file gives the pixels without theirs */
    const struct ms_kernels *kernels;
};

const char *ms_geometry_name(minisim_geometry geometry);
const char *ms_resample_name(minisim_resample resample);

/*
 * Bytes that ms_prepare_pixels takes of its arena at most, from the pixels' sizes alone: where they
 * lie is not looked at. Refuses what it refuses, but for preprocessed pictures of another size.
 */
minisim_status ms_prepare_memory(const minisim_pixels *pixels,
                                 const struct ms_preparation *preparation, uint64_t *bytes,
                                 minisim_error *error);

/*
 * Composites alpha, orients, cuts out the region, crops and resizes into `square`, size x size x 3
 * bytes. Working memory comes from `arena` and goes back to it (but for what stb leaves when it
 * refuses). BAD_ARGUMENT: a region outside, planes that make no sense; BAD_PICTURE: not of the
 * input size though preprocessed, more than the arena's limit, or refused by stb's resampler;
 * OUT_OF_MEMORY.
 */
minisim_status ms_prepare_pixels(const minisim_pixels *pixels,
                                 const struct ms_preparation *preparation, struct ms_arena *arena,
                                 uint8_t *square, minisim_error *error);

#endif
