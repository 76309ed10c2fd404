/*
 * Distances among a set of vectors, many at a time, for whoever compares more than one pair: sums
 * from the kernels a block at a time, then each pair's distance from its sum. The same bits as
 * minisim_distance gives.
 */
#ifndef MS_VECTORS_DISTANCE_H
#define MS_VECTORS_DISTANCE_H

#include "kernels/kernels.h"
#include "minisim.h"

struct ms_vector_set {
    const struct ms_kernels *kernels;
    const float *values; /* [count][n], finite */
    size_t count, n;
    const float *squares; /* of each vector's length; only cosine needs them */
};

/* Fills squares[count]. */
void ms_vector_squares(const struct ms_vector_set *set, float *squares);

/* The sums of vectors `query`, ... with vectors `row`, ...: sums[query_count][row_count]. */
void ms_vector_sums(const struct ms_vector_set *set, minisim_metric metric, size_t query,
                    size_t query_count, size_t row, size_t row_count, float *sums);

/* The distance of vectors a and b, whose sum this is. false: there is none (src/NUMBERS.md). */
bool ms_vector_distance(const struct ms_vector_set *set, minisim_metric metric, size_t a, size_t b,
                        float sum, double *distance);

/* From the sum of a with b, of a with a, and of b with b to their distance; only cosine needs more
 * than the first. false: the sums tell none; equal vectors may have a cosine distance even so. */
bool ms_finish_distance(minisim_metric metric, float sum, float aa, float bb, double *distance);

/* Whether a vector of this squared length has a cosine distance and a unit length. */
bool ms_has_direction(float squares);

#endif
