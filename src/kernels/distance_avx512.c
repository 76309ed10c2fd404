/*
 * Distances for AVX-512. A pair's sixteen sums are one register of thirty-two: 4 x 4 pairs are
 * sixteen chains, twice what two multipliers with a latency of four need, with eight loads for
 * sixteen multiply-adds: half of what the first cache gives. One query by eight rows are the eight
 * chains that it takes, with nine loads: bound by them, and by the memory that rows come from.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512 vec;
enum { lanes = 16, square_queries = 4, square_rows = 4, wide_rows = 8 };

static inline vec load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline vec load_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline vec zero(void) {
    return _mm512_setzero_ps();
}
static inline vec add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
static inline vec sub(vec a, vec b) {
    return _mm512_sub_ps(a, b);
}
static inline vec madd(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline vec keep(vec a) {
    __asm__("" : "+v"(a));
    return a;
}
static inline float total(vec a) {
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
#include "kernels/distance.h"

MS_PAIRS(avx512)
