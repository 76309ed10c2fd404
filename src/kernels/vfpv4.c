/*
 * 32-bit ARM with VFPv4 (Cortex-A7, A15 and later): fused multiply-adds one float at a time,
 * because NEON there takes subnormal numbers for zero and would change bits. So a vector is one
 * float, and a panel one output channel.
 *
 * 7 x 2 sums, two weights and the inputs are 23 of the 32 registers; 9 loads and 6 other
 * instructions go with 14 multiply-adds, whose number covers their latency. Built with the flags of
 * VFPv4 (Makefile).
 */
#include "base/fma.h"
#include <stddef.h>

typedef float vec;
enum { lanes = 1 };

/* clang-format off */
#define MS_TILES(T)                                                                                \
    T(1, 1) T(2, 1) T(3, 1) T(4, 1) T(5, 1) T(6, 1) T(7, 1)                                        \
    T(1, 2) T(2, 2) T(3, 2) T(4, 2) T(5, 2) T(6, 2) T(7, 2)
/* clang-format on */
enum { MS_TILE_PIXELS_MAX = 7, MS_TILE_PANELS_MAX = 2 };
static const size_t tile_pixels[MS_TILE_PANELS_MAX] = {7, 7};

#define MS_STRIPS(S) S(1) S(2) S(3) S(4) S(5) S(6) S(7)
enum { MS_STRIP_MAX = 7, few_registers = 0 };

static inline vec load(const float *p) {
    return *p;
}
static inline void store(float *p, vec v) {
    *p = v;
}
static inline vec broadcast(const float *p) {
    return *p;
}
static inline vec madd(vec a, vec b, vec c) {
    return ms_fma(a, b, c);
}
static inline vec add(vec a, vec b) {
    return a + b;
}
static inline vec keep(vec a) {
    return a;
}
static inline vec relu6(vec a) {
    return a > 0 ? (a < 6 ? a : 6) : 0;
}

enum { group_size = 1 };
typedef float group;
static inline group load_group(const float *p) {
    return *p;
}
static inline vec fma_group(group g, size_t i, vec w, vec sum) {
    (void)i;
    return madd(g, w, sum);
}

#include "kernels/convolve.h"

MS_KERNELS(vfpv4, reference, reference);
