/*
 * Products of i8 for AVX2: sixteen elements widened to 16 bits, multiplied and added in pairs to
 * eight sums of 32 bits (vpmaddwd). Sixteen registers: 3 x 3 pairs are nine sums; three rows, a
 * query and a product make fourteen. Sixteen elements take six loads that widen and eighteen
 * operations.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m256i vec, lane_sums;
enum { step = 16, square_queries = 3, square_rows = 3, wide_rows = 1 };

static inline vec load_row(const uint8_t *p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline vec load_query(const uint8_t *p) {
    return load_row(p);
}
static inline lane_sums zero(void) {
    return _mm256_setzero_si256();
}
static inline lane_sums multiply_add(vec query, vec row, lane_sums sum) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(query, row));
}
static inline lane_sums add(lane_sums a, lane_sums b) {
    return _mm256_add_epi32(a, b);
}
static inline int32_t total(lane_sums sum) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_srli_epi64(two, 32)));
}
static inline vec keep(vec query) {
    __asm__("" : "+x"(query));
    return query;
}
#include "kernels/products.h"

void ms_dot_i8_avx2(const struct ms_pairs *call) {
    dot(call);
}
