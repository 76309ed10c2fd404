/*
 * Vectors as a catalogue stores them: f32, f16, or int8 with a scale each (src/catalogue/FORMAT.md,
 * "Vectors"), and their distances, many at a time.
 */
#ifndef MS_VECTORS_STORED_H
#define MS_VECTORS_STORED_H

#include "kernels/kernels.h"
#include "minisim.h"

/* Names of the types, then NULL. */
extern const char *const ms_vector_type_names[];

/* A block of them, as the kernels take them. */
struct ms_stored {
    enum ms_vector_type type;
    size_t n;      /* values of a vector */
    size_t stride; /* bytes from vector to vector: a multiple of 64 */
    size_t count;
    uint8_t *values; /* [count][stride]: float, the bits of f16, or int8_t; zeros behind them */
    float *scales;   /* [count]; i8 alone */
    uint32_t *norms; /* [count]; of f32 and f16 the bits of a float */
};

/* The stride of such vectors. */
size_t ms_stored_stride(enum ms_vector_type type, size_t n);

/* Memory for `count` vectors. false: there is none. */
bool ms_stored_open(struct ms_stored *stored, enum ms_vector_type type, size_t n, size_t count);
void ms_stored_close(struct ms_stored *stored);

/* Whether n finite values can be stored in the type: no f16 is beyond 65,504. */
bool ms_can_be_stored(enum ms_vector_type type, const float *vector, size_t n);

/* Rounds n finite values to vector `row`, and sums up its norm. false: they cannot be stored. */
bool ms_stored_put(const struct ms_kernels *kernels, struct ms_stored *stored, size_t row,
                   const float *vector);

/* The values of vector `row`, in f32: exact for f32 and f16, scale * q rounded for i8. */
void ms_stored_get(const struct ms_stored *stored, size_t row, float *vector);

/* Is vector `row` as ms_stored_put makes them: its values finite, zeros behind them, its norm the
 * sum of their squares? */
bool ms_stored_is_sound(const struct ms_kernels *kernels, const struct ms_stored *stored,
                        size_t row);

/* The values of `count` vectors as a file has them, little-endian, to those of this machine, or
 * back. */
void ms_stored_swap(enum ms_vector_type type, uint8_t *values, size_t count, size_t stride);

/*
 * The distances of each query to each row, distances[q][r], as src/NUMBERS.md and FORMAT.md define
 * them; INFINITY where there is none, and where the pair is farther than limits[q] (dot: its
 * product is smaller), which takes less time than to say how far; limits may be NULL. near[q], if
 * not NULL, is how many were not farther: where it is 0, all of distances[q] are INFINITY. `room`
 * has ms_distance_room(queries, rows) floats. Both blocks are of one type and n.
 */
size_t ms_distance_room(const struct ms_stored *queries, const struct ms_stored *rows);
void ms_stored_distances(const struct ms_kernels *kernels, minisim_metric metric,
                         const struct ms_stored *queries, const struct ms_stored *rows,
                         const double *limits, float *room, double *distances, size_t *near);

#endif
