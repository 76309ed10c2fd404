/* Stored vectors: see stored.h. Memory, rounding, reading back, distances come in this order. */
#include "vectors/stored.h"

#include "base/bytes.h"
#include "base/float_env.h"
#include "vectors/distance.h"

#include <math.h>
#include <stdlib.h>

const char *const ms_vector_type_names[] = {"f32", "f16", "i8", NULL};

enum { LINE = 64, Q_MOST = 127 };

static const size_t value_size[MS_VECTOR_TYPES] = {4, 2, 1};

size_t ms_stored_stride(enum ms_vector_type type, size_t n) {
    return (n * value_size[type] + LINE - 1) / LINE * LINE;
}

bool ms_stored_open(struct ms_stored *stored, enum ms_vector_type type, size_t n, size_t count) {
    size_t stride = ms_stored_stride(type, n);
    *stored = (struct ms_stored){.type = type, .n = n, .stride = stride, .count = count};
    if (count > SIZE_MAX / 2 / stride)
        return false;
    stored->values = aligned_alloc(LINE, count * stride);
    stored->scales = malloc(count * sizeof *stored->scales);
    stored->norms = malloc(count * sizeof *stored->norms);
    stored->room = malloc(n * sizeof *stored->room);
    if (stored->values && stored->scales && stored->norms && stored->room)
        return true;
    ms_stored_close(stored);
    return false;
}

void ms_stored_close(struct ms_stored *stored) {
    free(stored->values);
    free(stored->scales);
    free(stored->norms);
    free(stored->room);
    *stored = (struct ms_stored){.count = 0};
}

/* ---- rounding ---- */

/* f32 to binary16, to nearest, ties to even: the bits below its last are cut off, and half of them
 * decides. Below 2^-14 its last bit stands for 2^-24. false: beyond 65,504. */
static bool store_f16(uint8_t *to, float x) {
    float magnitude = fabsf(x);
    uint32_t half;
    if (magnitude < 0x1p-14f) {
        /* Adding 0.5 leaves 24 bits behind the point, rounded. */
        float sum = magnitude + 0.5f;
        memcpy(&half, &sum, sizeof half);
        half -= 0x3f000000;
    } else {
        uint32_t bits;
        memcpy(&bits, &magnitude, sizeof bits);
        bits -= 112u << 23;
        half = (bits + 0xfff + (bits >> 13 & 1)) >> 13;
    }
    if (!(magnitude < 65520))
        return false;
    half |= signbit(x) ? 0x8000 : 0;
    to[0] = (uint8_t)half;
    to[1] = (uint8_t)(half >> 8);
    return true;
}

/* The nearest whole number, the even one of two, of a value far below 2^22: at 1.5 * 2^23 floats
 * are whole numbers. */
static float to_whole(float x) {
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

static void put_i8(struct ms_stored *stored, size_t row, const float *vector) {
    uint8_t *to = stored->values + row * stored->stride;
    float most = 0;
    uint32_t norm = 0;
    for (size_t i = 0; i < stored->n; i++)
        most = fabsf(vector[i]) > most ? fabsf(vector[i]) : most;
    float scale = most / Q_MOST;
    for (size_t i = 0; i < stored->n; i++) {
        float q = scale > 0 ? to_whole(vector[i] / scale) : 0;
        int32_t cut = q > Q_MOST ? Q_MOST : q < -Q_MOST ? -Q_MOST : (int32_t)q;
        to[i] = (uint8_t)cut;
        norm += (uint32_t)(cut * cut);
    }
    stored->scales[row] = scale;
    stored->norms[row] = norm;
}

static float norm_of(const struct ms_kernels *kernels, const float *vector, size_t n) {
    float norm = 0;
    kernels->dot(&(struct ms_pairs){.n = n,
                                    .query_count = 1,
                                    .row_count = 1,
                                    .queries = vector,
                                    .rows = vector,
                                    .sums = &norm});
    return norm;
}

static bool put(const struct ms_kernels *kernels, struct ms_stored *stored, size_t row,
                const float *vector) {
    uint8_t *to = stored->values + row * stored->stride;
    memset(to, 0, stored->stride);
    stored->scales[row] = 0;
    if (stored->type == MS_I8) {
        put_i8(stored, row, vector);
        return true;
    }
    for (size_t i = 0; i < stored->n; i++)
        if (stored->type == MS_F32)
            ms_store_f32(to + 4 * i, vector[i]);
        else if (!store_f16(to + 2 * i, vector[i]))
            return false;
    ms_stored_get(stored, row, stored->room);
    float norm = norm_of(kernels, stored->room, stored->n);
    memcpy(&stored->norms[row], &norm, sizeof norm);
    return true;
}

bool ms_stored_put(const struct ms_kernels *kernels, struct ms_stored *stored, size_t row,
                   const float *vector) {
    struct ms_float_env env;
    ms_float_env_enter(&env);
    bool good = put(kernels, stored, row, vector);
    ms_float_env_leave(&env);
    return good;
}

void ms_stored_get(const struct ms_stored *stored, size_t row, float *vector) {
    const uint8_t *from = stored->values + row * stored->stride;
    for (size_t i = 0; i < stored->n; i++)
        vector[i] = stored->type == MS_F32   ? ms_load_f32(from + 4 * i)
                    : stored->type == MS_F16 ? ms_load_f16(from + 2 * i)
                                             : stored->scales[row] * (float)(int8_t)from[i];
}

/* ---- distances ---- */

static double i8_distance(minisim_metric metric, int64_t sum, const struct ms_stored *queries,
                          size_t q, const struct ms_stored *rows, size_t r) {
    double a = queries->scales[q], b = rows->scales[r];
    double aa = queries->norms[q], bb = rows->norms[r], ab = (double)sum;
    double squares = a * a * aa + b * b * bb - 2 * (a * b * ab);
    double cosine = 1 - ab / sqrt(aa * bb);
    if (metric == MINISIM_COSINE)
        return aa > 0 && bb > 0 ? (cosine < 0 ? 0 : cosine > 2 ? 2 : cosine) : INFINITY;
    double distance = metric == MINISIM_DOT ? a * b * ab : squares > 0 ? sqrt(squares) : 0;
    return isfinite(a) && isfinite(b) ? distance : INFINITY;
}

static void i8_distances(minisim_metric metric, const struct ms_stored *queries,
                         const struct ms_stored *rows, double *distances) {
    for (size_t r = 0; r < rows->count; r++)
        for (size_t q = 0; q < queries->count; q++) {
            const uint8_t *a = queries->values + q * queries->stride;
            const uint8_t *b = rows->values + r * rows->stride;
            int64_t sum = 0;
            for (size_t i = 0; i < rows->n; i++)
                sum += (int8_t)a[i] * (int8_t)b[i];
            distances[q * rows->count + r] = i8_distance(metric, sum, queries, q, rows, r);
        }
}

static size_t padded(size_t n) {
    return (n + MS_LANES_MAX - 1) / MS_LANES_MAX * MS_LANES_MAX;
}

size_t ms_distance_room(const struct ms_stored *queries, const struct ms_stored *rows) {
    if (rows->type == MS_I8)
        return 0;
    return (queries->count + rows->count) * padded(rows->n) + queries->count * rows->count;
}

static float norm_at(const struct ms_stored *stored, size_t row) {
    float norm;
    memcpy(&norm, &stored->norms[row], sizeof norm);
    return norm;
}

/* Unpacked to f32, whose kernels they then go through. */
static void float_distances(const struct ms_kernels *kernels, minisim_metric metric,
                            const struct ms_stored *queries, const struct ms_stored *rows,
                            float *room, double *distances) {
    size_t stride = padded(rows->n);
    float *a = room, *b = a + queries->count * stride, *sums = b + rows->count * stride;
    for (size_t q = 0; q < queries->count; q++)
        ms_stored_get(queries, q, a + q * stride);
    for (size_t r = 0; r < rows->count; r++)
        ms_stored_get(rows, r, b + r * stride);
    struct ms_pairs pairs = {.n = rows->n,
                             .query_count = queries->count,
                             .row_count = rows->count,
                             .queries = a,
                             .rows = b,
                             .query_stride = stride,
                             .row_stride = stride,
                             .sums = sums,
                             .sum_stride = rows->count};
    (metric == MINISIM_EUCLIDEAN ? kernels->squares : kernels->dot)(&pairs);
    for (size_t q = 0; q < queries->count; q++)
        for (size_t r = 0; r < rows->count; r++) {
            double *distance = &distances[q * rows->count + r];
            if (!ms_finish_distance(metric, sums[q * rows->count + r], norm_at(queries, q),
                                    norm_at(rows, r), a + q * stride, b + r * stride, rows->n,
                                    distance))
                *distance = INFINITY;
        }
}

void ms_stored_distances(const struct ms_kernels *kernels, minisim_metric metric,
                         const struct ms_stored *queries, const struct ms_stored *rows, float *room,
                         double *distances) {
    struct ms_float_env env;
    ms_float_env_enter(&env);
    if (rows->type == MS_I8)
        i8_distances(metric, queries, rows, distances);
    else
        float_distances(kernels, metric, queries, rows, room, distances);
    ms_float_env_leave(&env);
}
