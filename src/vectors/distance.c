/*
 * Distances of embeddings. Each sum runs in 16 parts (element i into part i mod 16, by fused
 * multiply-add, i ascending), which are added in a fixed tree; so vector units can compute it and
 * the bits stay the same.
 */
#include "base/float_env.h"
#include "base/fma.h"
#include "minisim.h"

#include <math.h>

enum { parts = 16 };

static float add_parts(float sum[parts]) {
    for (size_t half = parts / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            sum[i] += sum[i + half];
    return sum[0];
}

static float dot(const float *a, const float *b, size_t n) {
    float sum[parts] = {0};
    for (size_t i = 0; i < n; i++)
        sum[i % parts] = ms_fma(a[i], b[i], sum[i % parts]);
    return add_parts(sum);
}

static float squared_distance(const float *a, const float *b, size_t n) {
    float sum[parts] = {0};
    for (size_t i = 0; i < n; i++) {
        float d = a[i] - b[i];
        sum[i % parts] = ms_fma(d, d, sum[i % parts]);
    }
    return add_parts(sum);
}

/* 1 - uv / sqrt(uu * vv); where u and v are equal the quotient is exactly 1. */
static minisim_status cosine(const float *a, const float *b, size_t n, double *distance) {
    double aa = (double)dot(a, a, n), bb = (double)dot(b, b, n);
    if (!(aa > 0) || !(bb > 0))
        return MINISIM_NO_DISTANCE;
    double d = 1 - (double)dot(a, b, n) / sqrt(aa * bb);
    *distance = d < 0 ? 0 : d > 2 ? 2 : d;
    return MINISIM_OK;
}

minisim_status minisim_distance(minisim_metric metric, const float *a, const float *b, size_t n,
                                double *distance) {
    struct ms_float_env env;
    minisim_status status = MINISIM_OK;
    if (!a || !b || !distance || n == 0)
        return MINISIM_BAD_ARGUMENT;
    ms_float_env_enter(&env);
    switch (metric) {
    case MINISIM_COSINE:
        status = cosine(a, b, n, distance);
        break;
    case MINISIM_EUCLIDEAN:
        *distance = sqrt((double)squared_distance(a, b, n));
        break;
    case MINISIM_DOT:
        *distance = (double)dot(a, b, n);
        break;
    default:
        status = MINISIM_BAD_ARGUMENT;
    }
    ms_float_env_leave(&env);
    return status;
}

minisim_status minisim_normalize(float *vector, size_t n) {
    struct ms_float_env env;
    if (!vector || n == 0)
        return MINISIM_BAD_ARGUMENT;
    ms_float_env_enter(&env);
    float length = (float)sqrt((double)dot(vector, vector, n));
    if (length > 0)
        for (size_t i = 0; i < n; i++)
            vector[i] /= length;
    ms_float_env_leave(&env);
    return length > 0 ? MINISIM_OK : MINISIM_NO_DISTANCE;
}
