/*
 * Distances for AVX-512. A pair's sixteen sums are one register of thirty-two: 4 x 6 pairs are
 * twenty-four chains, three times what two multipliers with a latency of four need; six rows and a
 * query make thirty-one. Sixteen elements take ten loads and a fetch for twenty-four multiply-adds:
 * less than half of what the first cache gives, whether a core does one of each a cycle (Zen 4) or
 * two, so that rows and queries may come from the second. One query by eight rows are the eight
 * chains that it takes, with nine loads: bound by them, and by the memory that rows come from.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

typedef __m512 vec;
enum { lanes = 16, square_queries = 4, square_rows = 6, wide_rows = 8 };

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
/* Four at a time: eights, then fours of a, b, c and d side by side, so that one addition halves
 * several. */
static inline void total4(vec a, vec b, vec c, vec d, float *to) {
    vec ab = add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    vec cd = add(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
    vec fours = add(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    vec twos = add(fours, _mm512_permute_ps(fours, 0xee));
    vec ones = add(twos, _mm512_movehdup_ps(twos));
    _mm_storeu_ps(to, _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, ones)));
}
static inline __attribute__((always_inline)) void totals(const vec *a, const size_t n, float *to) {
#pragma GCC unroll 8
    for (size_t k = 0; k < n; k += 4)
        total4(a[k], a[k + 1], a[k + 2], a[k + 3], to + k);
}
#include "kernels/distance.h"

MS_PAIRS(avx512)
