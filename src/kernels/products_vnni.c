/*
 * Products of i8 for AVX-512 VNNI: sixty-four elements an instruction (vpdpbusd), four to a sum of
 * 32 bits. It multiplies unsigned by signed bytes: rows are taken 128 larger, and each query's 128
 * times its sum is subtracted at the end. Nothing saturates. 4 x 4 pairs are sixteen sums in
 * thirty-two registers, with eight loads and four operations for sixteen multiply-adds.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512i vec, lane_sums;
enum { step = 64, square_queries = 4, square_rows = 4, wide_rows = 1 };

static inline vec load_query(const uint8_t *p) {
    return _mm512_loadu_si512(p);
}
static inline vec load_row(const uint8_t *p) {
    return _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8(-128));
}
static inline lane_sums zero(void) {
    return _mm512_setzero_si512();
}
static inline lane_sums multiply_add(vec query, vec row, lane_sums sum) {
    return _mm512_dpbusd_epi32(sum, row, query);
}
static inline lane_sums add(lane_sums a, lane_sums b) {
    return _mm512_add_epi32(a, b);
}
static inline int32_t total(lane_sums sum) {
    return _mm512_reduce_add_epi32(sum);
}
static inline vec keep(vec query) {
    __asm__("" : "+v"(query));
    return query;
}
#include "kernels/products.h"

static int32_t sum_of(const uint8_t *vector, size_t n) {
    lane_sums sum = zero();
    size_t i = 0;
    for (; i + step <= n; i += step)
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), load_query(vector + i));
    int32_t all = total(sum);
    for (; i < n; i++)
        all += (int8_t)vector[i];
    return all;
}

void ms_dot_i8_vnni(const struct ms_pairs *call) {
    dot(call);
    const uint8_t *query = call->queries;
    for (size_t q = 0; q < call->query_count; q++, query += call->query_stride) {
        int32_t *to = (int32_t *)call->sums + q * call->sum_stride,
                excess = 128 * sum_of(query, call->n);
        for (size_t r = 0; r < call->row_count; r++)
            to[r] -= excess;
    }
}
