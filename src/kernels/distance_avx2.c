/*
 * Distances for AVX2 and FMA. Sixteen registers: 3 x 2 pairs of two vectors each are twelve sums,
 * which cover two multipliers with a latency of four or five; two rows and a query make fifteen.
 * Sixteen elements take ten loads and a fetch for twelve multiply-adds, so two a cycle keep both
 * multipliers busy. One query by six rows are twelve sums, too, with fourteen loads: good enough
 * for rows that come from memory.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m256 vec;
enum { lanes = 8, square_queries = 3, square_rows = 2, wide_rows = 6 };

static inline vec load(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline vec load_f16(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
static inline vec zero(void) {
    return _mm256_setzero_ps();
}
static inline vec add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
static inline vec sub(vec a, vec b) {
    return _mm256_sub_ps(a, b);
}
static inline vec madd(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
static inline vec keep(vec a) {
    __asm__("" : "+x"(a));
    return a;
}
static inline float total(vec a) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
static inline void totals(const vec *a, size_t n, float *to) {
    for (size_t k = 0; k < n; k++)
        to[k] = total(a[k]);
}
#include "kernels/distance.h"

MS_PAIRS(avx2)
