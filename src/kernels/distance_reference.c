/* The plain C sums over pairs of vectors: the definition of what the others give, bit for bit. */
#include "base/fma.h"
#include "kernels/kernels.h"

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

static float squares(const float *a, const float *b, size_t n) {
    float sum[parts] = {0};
    for (size_t i = 0; i < n; i++) {
        float d = a[i] - b[i];
        sum[i % parts] = ms_fma(d, d, sum[i % parts]);
    }
    return add_parts(sum);
}

static void all_pairs(const struct ms_pairs *call,
                      float (*pair)(const float *, const float *, size_t)) {
    for (size_t q = 0; q < call->query_count; q++)
        for (size_t r = 0; r < call->row_count; r++)
            call->sums[q * call->sum_stride + r] = pair(call->queries + q * call->query_stride,
                                                        call->rows + r * call->row_stride, call->n);
}

void ms_dot_reference(const struct ms_pairs *call) {
    all_pairs(call, dot);
}

void ms_squares_reference(const struct ms_pairs *call) {
    all_pairs(call, squares);
}
