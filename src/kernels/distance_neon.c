/*
 * Distances for NEON (64-bit ARM, where it always is). Thirty-two registers of four floats: 3 x 2
 * pairs of four vectors each are twenty-four sums; two rows and a query make twenty-seven. Four
 * elements take five loads for six multiply-adds, so cores with two load ports keep two multipliers
 * busy. One query by six rows are twenty-four sums, too, with seven loads for six.
 */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

typedef float32x4_t vec;
enum { lanes = 4, square_queries = 3, square_rows = 2, wide_rows = 6 };

static inline vec load(const float *p) {
    return vld1q_f32(p);
}
static inline vec load_f16(const uint16_t *p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
static inline vec zero(void) {
    return vdupq_n_f32(0);
}
static inline vec add(vec a, vec b) {
    return vaddq_f32(a, b);
}
static inline vec sub(vec a, vec b) {
    return vsubq_f32(a, b);
}
static inline vec madd(vec a, vec b, vec c) {
    return vfmaq_f32(c, a, b);
}
static inline vec keep(vec a) {
    __asm__("" : "+w"(a));
    return a;
}
static inline float total(vec a) {
    float32x2_t two = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
static inline void totals(const vec *a, size_t n, float *to) {
    for (size_t k = 0; k < n; k++)
        to[k] = total(a[k]);
}
#include "kernels/distance.h"

MS_PAIRS(neon)
