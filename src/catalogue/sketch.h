/*
 * Sketches of vectors: a few numbers each, whose product is no smaller than the cosine of the
 * vectors, so that most pairs of a large collection are told apart without looking at the vectors.
 */
#ifndef MS_CATALOGUE_SKETCH_H
#define MS_CATALOGUE_SKETCH_H

#include "vectors/stored.h"

enum {
    MS_SKETCH = 64,         /* numbers of a sketch */
    MS_SKETCH_LEAST = 256,  /* below, vectors are as fast; */
    MS_SKETCH_MOST = 2048,  /* beyond, sums could round by more than the slack */
    MS_SKETCH_SAMPLE = 512, /* vectors that the directions are found with */
};

/* The product of two sketches, plus this, is no smaller than the cosine that is computed. */
#define MS_SKETCH_SLACK 5e-4

struct ms_sketcher {
    const struct ms_kernels *kernels;
    size_t n;
    float *directions; /* [MS_SKETCH - 1][n], of length 1 or 0, at right angles */
    float *vector;     /* [n]: room for one */
};

/* Finds directions in which these vectors, at least one, are long. n is within the bounds above.
 * false: no memory. */
bool ms_sketcher_open(struct ms_sketcher *sketcher, const struct ms_kernels *kernels,
                      const struct ms_stored *sample);
void ms_sketcher_close(struct ms_sketcher *sketcher);

/* sketches[rows->count][MS_SKETCH]. Of vectors without a direction, products are infinite. */
void ms_sketch(const struct ms_sketcher *sketcher, const struct ms_stored *rows, float *sketches);

#endif
