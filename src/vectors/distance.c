/*
 * Distances of vectors: from the kernels' sums to numbers, in double, and which sums have none.
 * src/NUMBERS.md is the definition.
 */
#include "vectors/distance.h"

#include "base/float_env.h"

#include <math.h>
#include <stdatomic.h>

bool ms_has_direction(float squares) {
    return squares >= 0x1p-100f && isfinite(squares);
}

/* Vectors of zeros are not alike: they point nowhere. */
static bool are_alike(const float *a, const float *b, size_t n) {
    bool zero = true;
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return false;
        zero = zero && a[i] == 0;
    }
    return !zero;
}

/* Equal vectors have equal sums, and their quotient is exactly 1: aa * aa needs 48 bits. */
static bool finish_cosine(float ab, float aa, float bb, double *distance) {
    if (!ms_has_direction(aa) || !ms_has_direction(bb) || !isfinite(ab))
        return false;
    double d = 1 - (double)ab / sqrt((double)aa * (double)bb);
    *distance = d < 0 ? 0 : d > 2 ? 2 : d;
    return true;
}

bool ms_finish_distance(minisim_metric metric, float sum, float aa, float bb, double *distance) {
    if (metric == MINISIM_COSINE)
        return finish_cosine(sum, aa, bb, distance);
    if (!isfinite(sum))
        return false;
    *distance = metric == MINISIM_EUCLIDEAN ? sqrt((double)sum) : (double)sum;
    return true;
}

static bool finish(minisim_metric metric, float sum, float aa, float bb, const float *a,
                   const float *b, size_t n, double *distance) {
    if (ms_finish_distance(metric, sum, aa, bb, distance))
        return true;
    if (metric != MINISIM_COSINE || !are_alike(a, b, n))
        return false;
    *distance = 0;
    return true;
}

static ms_pairs_fn *kernel_of(const struct ms_kernels *kernels, minisim_metric metric) {
    return metric == MINISIM_EUCLIDEAN ? kernels->squares[MS_F32] : kernels->dot[MS_F32];
}

void ms_vector_sums(const struct ms_vector_set *set, minisim_metric metric, size_t query,
                    size_t query_count, size_t row, size_t row_count, float *sums) {
    struct ms_float_env env;
    struct ms_pairs call = {.n = set->n,
                            .query_count = query_count,
                            .row_count = row_count,
                            .queries = set->values + query * set->n,
                            .rows = set->values + row * set->n,
                            .query_stride = set->n,
                            .row_stride = set->n,
                            .sums = sums,
                            .sum_stride = row_count};
    ms_float_env_enter(&env);
    kernel_of(set->kernels, metric)(&call);
    ms_float_env_leave(&env);
}

void ms_vector_squares(const struct ms_vector_set *set, float *squares) {
    for (size_t i = 0; i < set->count; i++)
        ms_vector_sums(set, MINISIM_DOT, i, 1, i, 1, squares + i);
}

bool ms_vector_distance(const struct ms_vector_set *set, minisim_metric metric, size_t a, size_t b,
                        float sum, double *distance) {
    bool cosine = metric == MINISIM_COSINE;
    return finish(metric, sum, cosine ? set->squares[a] : 0, cosine ? set->squares[b] : 0,
                  set->values + a * set->n, set->values + b * set->n, set->n, distance);
}

/* The fastest kernels here, looked for once: asking the CPU can take longer than a distance. */
static const struct ms_kernels *best_kernels(void) {
    static _Atomic(const struct ms_kernels *) found;
    const struct ms_kernels *best = atomic_load_explicit(&found, memory_order_relaxed);
    if (!best) {
        best = ms_kernels_choose(NULL);
        atomic_store_explicit(&found, best, memory_order_relaxed);
    }
    return best;
}

static float sum_of(ms_pairs_fn *kernel, const float *a, const float *b, size_t n) {
    float sum = 0;
    kernel(&(struct ms_pairs){
        .n = n, .query_count = 1, .row_count = 1, .queries = a, .rows = b, .sums = &sum});
    return sum;
}

minisim_status minisim_distance(minisim_metric metric, const float *a, const float *b, size_t n,
                                double *distance) {
    struct ms_float_env env;
    bool known = metric == MINISIM_COSINE || metric == MINISIM_EUCLIDEAN || metric == MINISIM_DOT;
    if (!known || !a || !b || !distance || n == 0)
        return MINISIM_BAD_ARGUMENT;
    ms_float_env_enter(&env);
    const struct ms_kernels *kernels = best_kernels();
    float sum = sum_of(kernel_of(kernels, metric), a, b, n), aa = 0, bb = 0;
    if (metric == MINISIM_COSINE) {
        aa = sum_of(kernels->dot[MS_F32], a, a, n);
        bb = sum_of(kernels->dot[MS_F32], b, b, n);
    }
    bool found = finish(metric, sum, aa, bb, a, b, n, distance);
    ms_float_env_leave(&env);
    return found ? MINISIM_OK : MINISIM_NO_DISTANCE;
}

minisim_status minisim_normalize(float *vector, size_t n) {
    struct ms_float_env env;
    if (!vector || n == 0)
        return MINISIM_BAD_ARGUMENT;
    ms_float_env_enter(&env);
    float squares = sum_of(best_kernels()->dot[MS_F32], vector, vector, n);
    bool found = ms_has_direction(squares);
    if (found) {
        float length = (float)sqrt((double)squares);
        for (size_t i = 0; i < n; i++)
            vector[i] /= length;
    }
    ms_float_env_leave(&env);
    return found ? MINISIM_OK : MINISIM_NO_DISTANCE;
}
