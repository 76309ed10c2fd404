/*
 * AVX-512: 32 registers of 16 lanes. What a core can do a cycle: two fused multiply-adds and two
 * loads of 64 bytes (Zen 5, Intel's servers), or one of each and a half (Zen 4, which has AVX2's
 * peak); a multiply-add takes 4 cycles, so at least 8 sums must be in flight.
 *
 * Pointwise. A tile of P pixels by V panels does P * V multiply-adds for each input channel, with
 * V loads of weights and P broadcasts of an input:
 *     14 x 2: 28 sums, 31 registers; 28 multiply-adds (14 cycles), 16 loads, 2 prefetches and the 5
 *             strides that gcc fetches again (12 cycles), and 4 other instructions: 55 in all, 3.9
 *             a cycle. Every sum stays in a register.
 *     14 x 1: 14 multiply-adds (7 cycles), 15 loads (7.5 cycles): for the last panel of an odd
 *             number alone, so it has few heights. Three panels (9 x 3) are no faster than two.
 * 14 divides 224, 112, 56, 28 and 196 = 14 x 14, the sides and areas that MobileNetV2 makes of 224;
 * the 49 pixels at the end are 14 + 14 + 14 + 7. In the first-level cache a tile runs at 97 to
 * 100 % of the peak from 64 input channels on, at 93 % with 24, 89 % with 16, where the tile's end
 * (ReLU6 and 28 stores, one a cycle) is not hidden any more.
 *
 * Of 24 outputs, which two layers have at width 1.0, the second panel is half empty: there Zen 4
 * does two multiply-adds of 32 bytes in the time of one of 64, and half a panel takes half the
 * time.
 *
 * Zen 4 stores a vector through what reads a multiply-add's third operand: each store takes the
 * time of 1.5 multiply-adds, 45 cycles for a tile of 14 x 2. That is 0.18 ms for width 1.0 at 224,
 * beside 5.07 ms for its multiply-adds.
 *
 * Depthwise. A strip of 14 outputs keeps 14 sums, 3 weights and a pixel in registers; a row of its
 * window is 16 loads for 42 multiply-adds, so the whole is 48 loads and 9 of weights (29 cycles)
 * for 126 multiply-adds (63 cycles). In Zen 4's first-level cache it runs at 98 % of the peak, at
 * stride 2 at 86 %, in the network at 73 %: there its rows come from the second level, three lines
 * of 64 bytes for each vector of outputs and its 9 multiply-adds.
 *
 * ReLU6 is done on the bits, as integers: that says the same (negative floats are negative
 * integers, -0 the least of them, and positive floats are ordered like integers), and on AMD's
 * cores it runs in units that the multiply-adds do not need.
 */
#include <immintrin.h>
#include <stddef.h>

typedef __m512 vec;
enum { lanes = 16 };

/* clang-format off */
#define MS_TILES(T)                                                                                \
    T(1, 1) T(2, 1) T(4, 1) T(5, 1) T(6, 1) T(7, 1) T(14, 1)                                                       \
    T(1, 2) T(2, 2) T(3, 2) T(4, 2) T(5, 2) T(6, 2) T(7, 2)                                        \
    T(8, 2) T(10, 2) T(12, 2) T(14, 2)
#define MS_HALVES(T) T(14, 1) T(12, 2) T(14, 2)
/* clang-format on */
enum { MS_TILE_PIXELS_MAX = 14, MS_TILE_PANELS_MAX = 2 };
static const size_t tile_pixels[MS_TILE_PANELS_MAX] = {14, 14};

#define MS_STRIPS(S) S(1) S(2) S(3) S(4) S(5) S(6) S(7) S(8) S(10) S(12) S(14)
enum { MS_STRIP_MAX = 14, few_registers = 1 };

static inline vec load(const float *p) {
    return _mm512_loadu_ps(p);
}
static inline void store(float *p, vec v) {
    _mm512_storeu_ps(p, v);
}
static inline vec broadcast(const float *p) {
    return _mm512_set1_ps(*p);
}
static inline vec madd(vec a, vec b, vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
static inline vec add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
/* gcc would rather load it again for each use, but loads are scarcer than registers. */
static inline vec keep(vec a) {
    __asm__("" : "+v"(a));
    return a;
}
static inline vec relu6(vec a) {
    __m512i bits = _mm512_castps_si512(a);
    bits = _mm512_max_epi32(bits, _mm512_setzero_si512());
    bits = _mm512_min_epi32(bits, _mm512_set1_epi32(0x40c00000));
    return _mm512_castsi512_ps(bits);
}

enum { group_size = 1 };
typedef const float *group;
static inline group load_group(const float *p) {
    return p;
}
static inline vec fma_group(group g, size_t i, vec w, vec sum) {
    return madd(broadcast(g + i), w, sum);
}

static inline vec fma_half(group g, size_t i, vec w, vec sum) {
    __m256 x = _mm256_broadcast_ss(g + i);
    return _mm512_zextps256_ps512(
        _mm256_fmadd_ps(x, _mm512_castps512_ps256(w), _mm512_castps512_ps256(sum)));
}

#include "kernels/convolve.h"

MS_KERNELS(avx512, avx512, avx2);
/* The same where the CPU has AVX-512 VNNI, which only the products of i8 use. */
MS_KERNELS(vnni, avx512, vnni);
