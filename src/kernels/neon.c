/*
 * AArch64: vectors of four floats, 32 registers, and fmla by lane, which multiplies a vector of
 * weights by one of four inputs of a pixel that were loaded together. Every AArch64 CPU has it.
 *
 * Pointwise. A tile of P pixels by V panels does for four inputs 4 P V fmla, with P loads of inputs
 * and 4 V of weights, and keeps P V + P registers beside those that weights pass through. 7 x 2:
 * 14 + 7 registers; 56 fmla, 15 loads, 75 instructions with counters and a prefetch for each line.
 *     Cortex-A72  1 fmla, 1 load, 3 instructions a cycle: 56, 15 and 25 cycles
 *     Cortex-A76  2 fmla, 2 loads, 4 instructions a cycle: 28, 8 and 19 cycles
 *     Cortex-A53  1 fmla, 1 load, 2 instructions a cycle, in order: 56, 15 and 38, if none waits
 * So the fmla decide, and a wider tile, which loads less, gains nothing. A sum comes again after 14
 * fmla: 14 cycles on the A72 and A53, where one takes up to 10, and 7 on the A76, where it takes 4.
 * 7 divides all numbers of pixels that MobileNetV2 makes of 224, from 112 in a row down to 49.
 *
 * Depthwise. A strip of 14 outputs does 42 fmla for a row of its window, with 16 loads (stride 1)
 * or 29 (stride 2) of pixels and 3 of weights.
 *
 * What llvm-mca says of gcc 12's loops: cycles a round, and the share of the core's peak. LLVM 14
 * has the A57's model, with one fmla a cycle, for A72 and A76 alike; the A76's own came later, as
 * the Neoverse N1's. In its model of the A53 no load may finish before an earlier fmla.
 *
 *                              fmla   A72          A76 (N1)     A53
 *     tile 7 x 2               56     56.2  99 %   28.1  99 %   104  54 %
 *     tile 8 x 2               64     66.7  96 %   34.6  92 %   133  48 %   copies registers
 *     strip of 14, stride 1    42     43.9  96 %   22.8  92 %   131  32 %
 *     strip of 14, stride 2    42     56.3  75 %   27.5  76 %   206  20 %
 *     strip of 7, stride 1     21     26.3  80 %   12.7  83 %   105  20 %
 *     strip of 7, stride 2     21     32.3  65 %   14.6  72 %   113  19 %
 *
 * ReLU6 on the bits, as in avx512.c.
 */
#include <arm_neon.h>
#include <stddef.h>

typedef float32x4_t vec;
enum { lanes = 4 };

/* clang-format off */
#define MS_TILES(T)                                                                                \
    T(1, 1) T(2, 1) T(3, 1) T(4, 1) T(5, 1) T(6, 1) T(7, 1)                                        \
    T(1, 2) T(2, 2) T(3, 2) T(4, 2) T(5, 2) T(6, 2) T(7, 2)
/* clang-format on */
enum { MS_TILE_PIXELS_MAX = 7, MS_TILE_PANELS_MAX = 2 };
static const size_t tile_pixels[MS_TILE_PANELS_MAX] = {7, 7};

#define MS_STRIPS(S) S(1) S(2) S(3) S(4) S(5) S(6) S(7) S(8) S(9) S(10) S(11) S(12) S(13) S(14)
enum { MS_STRIP_MAX = 14, few_registers = 0 };

static inline vec load(const float *p) {
    return vld1q_f32(p);
}
static inline void store(float *p, vec v) {
    vst1q_f32(p, v);
}
static inline vec broadcast(const float *p) {
    return vld1q_dup_f32(p);
}
static inline vec madd(vec a, vec b, vec c) {
    return vfmaq_f32(c, a, b);
}
static inline vec add(vec a, vec b) {
    return vaddq_f32(a, b);
}
static inline vec keep(vec a) {
    return a;
}
static inline vec relu6(vec a) {
    int32x4_t bits = vreinterpretq_s32_f32(a);
    bits = vmaxq_s32(bits, vdupq_n_s32(0));
    bits = vminq_s32(bits, vdupq_n_s32(0x40c00000));
    return vreinterpretq_f32_s32(bits);
}

enum { group_size = 4 };
typedef float32x4_t group;
static inline group load_group(const float *p) {
    return vld1q_f32(p);
}
/* The lane is part of the instruction: i is a constant where this is inlined. */
static inline __attribute__((always_inline)) vec fma_group(group g, size_t i, vec w, vec sum) {
    switch (i) {
    case 0:
        return vfmaq_laneq_f32(sum, w, g, 0);
    case 1:
        return vfmaq_laneq_f32(sum, w, g, 1);
    case 2:
        return vfmaq_laneq_f32(sum, w, g, 2);
    default:
        return vfmaq_laneq_f32(sum, w, g, 3);
    }
}

#include "kernels/convolve.h"

MS_KERNELS(neon, neon, neon);
