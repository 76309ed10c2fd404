/*
 * AVX2 and FMA: 16 registers of 8 lanes, two fused multiply-adds a cycle that take 4, two loads.
 *
 * Pointwise. A tile of P pixels by V panels does P * V multiply-adds for each input channel, with
 * V loads of weights and P broadcasts of an input:
 *     6 x 2: 12 sums, 15 registers; 12 multiply-adds (6 cycles), 8 loads (4 cycles)
 *     4 x 3: 12 sums, 16 registers; 12 multiply-adds (6 cycles), 7 loads (3.5 cycles)
 * so both run at the multipliers' speed; 4 x 3 takes what 2 panels at a time leave over, and the 24
 * outputs of the blocks at side 56. With the rest a loop has 3.5 instructions a cycle.
 *
 * Depthwise. A strip of 8 outputs keeps 8 sums, 3 weights and a pixel in registers; a row of its
 * window is 10 loads for 24 multiply-adds, so the whole is 30 loads and 9 of weights (20 cycles)
 * for 72 multiply-adds (36 cycles).
 *
 * ReLU6 on the bits, as in avx512.c.
 */
#include <immintrin.h>
#include <stddef.h>

typedef __m256 vec;
enum { lanes = 8 };

/* clang-format off */
#define MS_TILES(T)                                                                                \
    T(1, 1) T(2, 1) T(3, 1) T(4, 1) T(5, 1) T(6, 1)                                                \
    T(1, 2) T(2, 2) T(3, 2) T(4, 2) T(5, 2) T(6, 2)                                                \
    T(1, 3) T(2, 3) T(3, 3) T(4, 3)
/* clang-format on */
enum { MS_TILE_PIXELS_MAX = 6, MS_TILE_PANELS_MAX = 3 };
static const size_t tile_pixels[MS_TILE_PANELS_MAX] = {6, 6, 4};

#define MS_STRIPS(S) S(1) S(2) S(3) S(4) S(5) S(6) S(7) S(8)
enum { MS_STRIP_MAX = 8, few_registers = 1 };

static inline vec load(const float *p) {
    return _mm256_loadu_ps(p);
}
static inline void store(float *p, vec v) {
    _mm256_storeu_ps(p, v);
}
static inline vec broadcast(const float *p) {
    return _mm256_broadcast_ss(p);
}
static inline vec madd(vec a, vec b, vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
static inline vec add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
/* gcc would rather load it again for each use, but loads are scarcer than registers. */
static inline vec keep(vec a) {
    __asm__("" : "+x"(a));
    return a;
}
static inline vec relu6(vec a) {
    __m256i bits = _mm256_castps_si256(a);
    bits = _mm256_max_epi32(bits, _mm256_setzero_si256());
    bits = _mm256_min_epi32(bits, _mm256_set1_epi32(0x40c00000));
    return _mm256_castsi256_ps(bits);
}

enum { group_size = 1 };
typedef const float *group;
static inline group load_group(const float *p) {
    return p;
}
static inline vec fma_group(group g, size_t i, vec w, vec sum) {
    return madd(broadcast(g + i), w, sum);
}

#include "kernels/convolve.h"

MS_KERNELS(avx2, avx2, avx2);
