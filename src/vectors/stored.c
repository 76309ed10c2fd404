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
    if (stored->values && stored->scales && stored->norms)
        return true;
    ms_stored_close(stored);
    return false;
}

void ms_stored_close(struct ms_stored *stored) {
    free(stored->values);
    free(stored->scales);
    free(stored->norms);
    *stored = (struct ms_stored){.count = 0};
}

/* ---- rounding ---- */

/* What rounds to 65,504 or less. */
static bool is_within_f16(float x) {
    return fabsf(x) < 65520;
}

/* f32 to binary16, to nearest, ties to even: the bits below its last are cut off, and half of them
 * decides. Below 2^-14 its last bit stands for 2^-24. false: beyond 65,504. */
static bool store_f16(uint16_t *to, float x) {
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
    if (!is_within_f16(x))
        return false;
    *to = (uint16_t)(half | (signbit(x) ? 0x8000 : 0));
    return true;
}

bool ms_can_be_stored(enum ms_vector_type type, const float *vector, size_t n) {
    size_t i = 0;
    while (i < n && (type != MS_F16 || is_within_f16(vector[i])))
        i++;
    return i == n;
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

static float norm_of(const struct ms_kernels *kernels, const struct ms_stored *stored, size_t row) {
    const void *vector = stored->values + row * stored->stride;
    float norm = 0;
    kernels->dot[stored->type](&(struct ms_pairs){.n = stored->n,
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
    if (stored->type == MS_F32)
        memcpy(to, vector, stored->n * sizeof *vector);
    else
        for (size_t i = 0; i < stored->n; i++)
            if (!store_f16((uint16_t *)(void *)to + i, vector[i]))
                return false;
    float norm = norm_of(kernels, stored, row);
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

static float value(const struct ms_stored *stored, size_t row, size_t i) {
    const void *from = stored->values + row * stored->stride;
    return stored->type == MS_F32   ? ((const float *)from)[i]
           : stored->type == MS_F16 ? ms_f16(((const uint16_t *)from)[i])
                                    : stored->scales[row] * (float)((const int8_t *)from)[i];
}

void ms_stored_get(const struct ms_stored *stored, size_t row, float *vector) {
    for (size_t i = 0; i < stored->n; i++)
        vector[i] = value(stored, row, i);
}

static bool is_sound_i8(const struct ms_stored *stored, size_t row) {
    const void *from = stored->values + row * stored->stride;
    uint32_t norm = 0;
    bool within = true;
    for (size_t i = 0; i < stored->n; i++) {
        int32_t q = ((const int8_t *)from)[i];
        norm += (uint32_t)(q * q);
        within = within && q >= -Q_MOST;
    }
    return within && norm == stored->norms[row] && isfinite(stored->scales[row]) &&
           stored->scales[row] >= 0;
}

/* Where the norm is finite, each value is. */
static bool is_sound_float(const struct ms_kernels *kernels, const struct ms_stored *stored,
                           size_t row) {
    struct ms_float_env env;
    ms_float_env_enter(&env);
    float norm = norm_of(kernels, stored, row);
    ms_float_env_leave(&env);
    size_t finite = isfinite(norm) ? stored->n : 0;
    while (finite < stored->n && isfinite(value(stored, row, finite)))
        finite++;
    return finite == stored->n && memcmp(&norm, &stored->norms[row], sizeof norm) == 0;
}

bool ms_stored_is_sound(const struct ms_kernels *kernels, const struct ms_stored *stored,
                        size_t row) {
    const uint8_t *from = stored->values + row * stored->stride;
    for (size_t i = stored->n * value_size[stored->type]; i < stored->stride; i++)
        if (from[i])
            return false;
    return stored->type == MS_I8 ? is_sound_i8(stored, row) : is_sound_float(kernels, stored, row);
}

void ms_stored_swap(enum ms_vector_type type, uint8_t *values, size_t count, size_t stride) {
    ms_swap_values(values, count * stride / value_size[type], value_size[type]);
}

/* ---- distances ---- */

static double i8_distance(minisim_metric metric, double ab, const struct ms_stored *queries,
                          size_t q, const struct ms_stored *rows, size_t r) {
    double a = queries->scales[q], b = rows->scales[r];
    double aa = queries->norms[q], bb = rows->norms[r];
    if (metric == MINISIM_COSINE) {
        double cosine = 1 - ab / sqrt(aa * bb);
        return aa > 0 && bb > 0 ? (cosine < 0 ? 0 : cosine > 2 ? 2 : cosine) : INFINITY;
    }
    double squares = a * a * aa + b * b * bb - 2 * (a * b * ab);
    double distance = metric == MINISIM_DOT ? a * b * ab : squares > 0 ? sqrt(squares) : 0;
    return isfinite(a) && isfinite(b) ? distance : INFINITY;
}

static float norm_at(const struct ms_stored *stored, size_t row) {
    float norm;
    memcpy(&norm, &stored->norms[row], sizeof norm);
    return norm;
}

/* As src/NUMBERS.md says it; asked only where sums have no cosine. */
static bool are_alike(const struct ms_stored *queries, size_t q, const struct ms_stored *rows,
                      size_t r) {
    bool zero = true;
    for (size_t i = 0; i < rows->n; i++) {
        float a = value(queries, q, i);
        if (a != value(rows, r, i))
            return false;
        zero = zero && a == 0;
    }
    return !zero;
}

static double float_distance(minisim_metric metric, float sum, const struct ms_stored *queries,
                             size_t q, const struct ms_stored *rows, size_t r) {
    double distance;
    if (ms_finish_distance(metric, sum, norm_at(queries, q), norm_at(rows, r), &distance))
        return distance;
    return metric == MINISIM_COSINE && are_alike(queries, q, rows, r) ? 0 : INFINITY;
}

static double distance_of(minisim_metric metric, double sum, const struct ms_stored *queries,
                          size_t q, const struct ms_stored *rows, size_t r) {
    return rows->type == MS_I8 ? i8_distance(metric, sum, queries, q, rows, r)
                               : float_distance(metric, (float)sum, queries, q, rows, r);
}

size_t ms_distance_room(const struct ms_stored *queries, const struct ms_stored *rows) {
    return queries->count * rows->count;
}

/* Of i8, the kernels give products alone: the rest follows from norms and scales. */
static void all_sums(const struct ms_kernels *kernels, minisim_metric metric,
                     const struct ms_stored *queries, const struct ms_stored *rows, void *sums) {
    struct ms_pairs pairs = {.n = rows->n,
                             .query_count = queries->count,
                             .row_count = rows->count,
                             .queries = queries->values,
                             .rows = rows->values,
                             .query_stride = queries->stride / value_size[rows->type],
                             .row_stride = rows->stride / value_size[rows->type],
                             .sums = sums,
                             .sum_stride = rows->count};
    if (metric == MINISIM_EUCLIDEAN && rows->type != MS_I8)
        kernels->squares[rows->type](&pairs);
    else
        kernels->dot[rows->type](&pairs);
}

/*
 * A distance takes a root and a quotient, more than the products of a short vector; a search wants
 * few of them. So first a guess: with row r's `minus` and `times` and query q's `times`, a pair is
 * farther than the limit where
 *
 *     minus[r] - sum * times[r] * times > most
 *
 * cosine: 1 - sum / sqrt(A * B) > limit with a root for a vector; euclidean: squares; dot: both
 * sides' signs changed. SLACK is far more than what rounding does to either side, so that the pairs
 * which the guess keeps hold all that are near; what is no number is kept.
 */
enum { ROWS_AT_ONCE = 128 };
#define SLACK 1e-12

struct row_guess {
    double minus[ROWS_AT_ONCE], times[ROWS_AT_ONCE];
};

struct query_guess {
    double times, most;
};

static double norm_of_any(const struct ms_stored *stored, size_t row) {
    return stored->type == MS_I8 ? stored->norms[row] : (double)norm_at(stored, row);
}

static void guess_rows(minisim_metric metric, const struct ms_stored *rows, size_t first,
                       size_t count, struct row_guess *guess) {
    for (size_t r = 0; r < count; r++) {
        double scale = rows->type == MS_I8 ? (double)rows->scales[first + r] : 1;
        double norm = norm_of_any(rows, first + r);
        bool squares = metric == MINISIM_EUCLIDEAN;
        guess->minus[r] = squares && rows->type == MS_I8 ? scale * scale * norm * (1 - SLACK) : 0;
        guess->times[r] = metric == MINISIM_COSINE         ? 1 / sqrt(norm)
                          : squares && rows->type != MS_I8 ? -1
                                                           : scale;
    }
}

static struct query_guess guess_query(minisim_metric metric, const struct ms_stored *queries,
                                      size_t q, double limit) {
    double scale = queries->type == MS_I8 ? (double)queries->scales[q] : 1;
    double norm = norm_of_any(queries, q), square = limit * limit;
    double own = queries->type == MS_I8 ? scale * scale * norm : 0;
    if (metric == MINISIM_COSINE)
        return (struct query_guess){1 / sqrt(norm), limit < 2 ? limit - 1 + SLACK : INFINITY};
    if (metric == MINISIM_DOT)
        return (struct query_guess){scale, fabs(limit) * SLACK - limit};
    return (struct query_guess){queries->type == MS_I8 ? 2 * scale : 1,
                                square - own + (square + own) * SLACK};
}

static double sum_at(enum ms_vector_type type, const void *sums, size_t at) {
    return type == MS_I8 ? (double)((const int32_t *)sums)[at] : (double)((const float *)sums)[at];
}

/* Which of the `count` rows whose sums begin at `at` the guess keeps; there is no branch for each,
 * so that it costs little beside the products. */
static size_t keep_near(const struct row_guess *row, struct query_guess query,
                        enum ms_vector_type type, const void *sums, size_t at, size_t count,
                        uint8_t kept[ROWS_AT_ONCE]) {
    size_t near = 0;
    for (size_t r = 0; r < count; r++) {
        double sum = sum_at(type, sums, at + r);
        kept[near] = (uint8_t)r;
        near += !(row->minus[r] - sum * row->times[r] * query.times > query.most);
    }
    return near;
}

/* From all sums to the distances of rows `first`, ... */
static void finish_rows(minisim_metric metric, const struct ms_stored *queries,
                        const struct ms_stored *rows, size_t first, const double *limits,
                        const void *sums, double *distances, size_t *near) {
    size_t left = rows->count - first, count = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
    double none = metric == MINISIM_DOT ? -INFINITY : INFINITY;
    struct row_guess guess;
    guess_rows(metric, rows, first, count, &guess);
    for (size_t q = 0; q < queries->count; q++) {
        struct query_guess query = guess_query(metric, queries, q, limits ? limits[q] : none);
        size_t at = q * rows->count + first;
        uint8_t kept[ROWS_AT_ONCE];
        size_t keeps = keep_near(&guess, query, rows->type, sums, at, count, kept);
        for (size_t r = 0; r < count; r++)
            distances[at + r] = INFINITY;
        for (size_t k = 0; k < keeps; k++)
            distances[at + kept[k]] = distance_of(metric, sum_at(rows->type, sums, at + kept[k]),
                                                  queries, q, rows, first + kept[k]);
        if (near)
            near[q] += keeps;
    }
}

void ms_stored_distances(const struct ms_kernels *kernels, minisim_metric metric,
                         const struct ms_stored *queries, const struct ms_stored *rows,
                         const double *limits, float *room, double *distances, size_t *near) {
    struct ms_float_env env;
    ms_float_env_enter(&env);
    all_sums(kernels, metric, queries, rows, room);
    if (near)
        memset(near, 0, queries->count * sizeof *near);
    for (size_t first = 0; first < rows->count; first += ROWS_AT_ONCE)
        finish_rows(metric, queries, rows, first, limits, room, distances, near);
    ms_float_env_leave(&env);
}
