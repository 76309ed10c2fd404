/* The plain C sums over pairs of vectors: the definition of what the others give, bit for bit. */
#include "base/bytes.h"
#include "base/fma.h"
#include "kernels/kernels.h"

#define INLINE static inline __attribute__((always_inline))

enum { parts = 16 };

static float add_parts(float sum[parts]) {
    for (size_t half = parts / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            sum[i] += sum[i + half];
    return sum[0];
}

INLINE float take(const void *vector, size_t i, const bool half) {
    return half ? ms_f16(((const uint16_t *)vector)[i]) : ((const float *)vector)[i];
}

INLINE float sum_floats(const void *query, const void *row, size_t n, const bool squares,
                        const bool half) {
    float sum[parts] = {0};
    for (size_t i = 0; i < n; i++) {
        float a = take(query, i, half), b = take(row, i, half), d = a - b;
        sum[i % parts] = ms_fma(squares ? d : a, squares ? d : b, sum[i % parts]);
    }
    return add_parts(sum);
}

INLINE void all_floats(const struct ms_pairs *call, const bool squares, const bool half) {
    const size_t size = half ? sizeof(uint16_t) : sizeof(float);
    const uint8_t *queries = call->queries, *rows = call->rows;
    for (size_t q = 0; q < call->query_count; q++)
        for (size_t r = 0; r < call->row_count; r++)
            ((float *)call->sums)[q * call->sum_stride + r] =
                sum_floats(queries + q * call->query_stride * size,
                           rows + r * call->row_stride * size, call->n, squares, half);
}

void ms_dot_reference(const struct ms_pairs *call) {
    all_floats(call, false, false);
}

void ms_squares_reference(const struct ms_pairs *call) {
    all_floats(call, true, false);
}

void ms_dot_f16_reference(const struct ms_pairs *call) {
    all_floats(call, false, true);
}

void ms_squares_f16_reference(const struct ms_pairs *call) {
    all_floats(call, true, true);
}

static int32_t multiply(const int8_t *query, const int8_t *row, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += query[i] * row[i];
    return sum;
}

void ms_dot_i8_reference(const struct ms_pairs *call) {
    const int8_t *queries = call->queries, *rows = call->rows;
    for (size_t q = 0; q < call->query_count; q++)
        for (size_t r = 0; r < call->row_count; r++)
            ((int32_t *)call->sums)[q * call->sum_stride + r] =
                multiply(queries + q * call->query_stride, rows + r * call->row_stride, call->n);
}
