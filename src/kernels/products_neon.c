/*
 * Products of i8 for NEON: sixteen elements are multiplied to 16 bits, eight at a time, and added
 * in pairs to four sums of 32 bits. Thirty-two registers: 4 x 4 pairs are sixteen sums; four rows,
 * a query and two products make twenty-three. Sixteen elements of a tile take eight loads for
 * sixty-four operations.
 */
#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

typedef int8x16_t vec;
typedef int32x4_t lane_sums;
enum { step = 16, square_queries = 4, square_rows = 4, wide_rows = 1 };

static inline vec load_row(const uint8_t *p) {
    return vreinterpretq_s8_u8(vld1q_u8(p));
}
static inline vec load_query(const uint8_t *p) {
    return load_row(p);
}
static inline lane_sums zero(void) {
    return vdupq_n_s32(0);
}
static inline lane_sums multiply_add(vec query, vec row, lane_sums sum) {
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(query), vget_low_s8(row)));
    return vpadalq_s16(sum, vmull_high_s8(query, row));
}
static inline lane_sums add(lane_sums a, lane_sums b) {
    return vaddq_s32(a, b);
}
static inline int32_t total(lane_sums sum) {
    return vaddvq_s32(sum);
}
static inline vec keep(vec query) {
    __asm__("" : "+w"(query));
    return query;
}
#include "kernels/products.h"

void ms_dot_i8_neon(const struct ms_pairs *call) {
    dot(call);
}
