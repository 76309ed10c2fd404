/*
 * Resizing for AArch64. A product of a byte and a weight takes 32 bits (mla); four at a time. A mla
 * of four lanes takes a Cortex-A72 two cycles of its one multiplier, and a weight in two halves of
 * 16 bits with a smlal for each would take as many.
 *
 * Across. ld3 takes eight pixels apart into colours, so weights need no spreading. For eight
 * pixels: ld3, two loads of weights, nine widenings (three of bytes, six of words) and six mla, 12
 * cycles of the multiplier; llvm-mca says 12 for the loop on A72 and A76, 15 on the A53.
 *
 * Down. Per row and 32 bytes: one weight in all lanes, twelve widenings and eight mla into eight
 * sums in registers; llvm-mca says 16 cycles, the multiplier's, and 20 on the A53. Bytes that are
 * left over at the end are computed together with some of those before them, once more.
 */
#include "kernels/resize.h"

#include <arm_neon.h>
#include <string.h>

enum { group = 8, lanes = 8, vectors = 4 };

/* Eight sums of one colour or column. */
struct sums {
    int32x4_t low, high;
};

static int32x4_t half(void) {
    return vdupq_n_s32(1 << (ms_resize_bits - 1));
}

/* Eight bytes times eight weights, added. */
static struct sums add_products(struct sums sums, uint8x8_t bytes, int32x4_t low, int32x4_t high) {
    int16x8_t words = vreinterpretq_s16_u16(vmovl_u8(bytes));
    sums.low = vmlaq_s32(sums.low, vmovl_s16(vget_low_s16(words)), low);
    sums.high = vmlaq_s32(sums.high, vmovl_high_s16(words), high);
    return sums;
}

/* Eight sums that began at `half` to eight bytes. */
static uint8x8_t clamp(struct sums sums) {
    uint16x4_t low = vqmovun_s32(vshrq_n_s32(sums.low, ms_resize_bits));
    return vqmovn_u16(vqmovun_high_s32(low, vshrq_n_s32(sums.high, ms_resize_bits)));
}

/* One output: R, G and B in the lowest bytes. */
static uint8x8_t sum_pixels(const uint8_t *pixel, const int32_t *weights, size_t taps) {
    const int32x4_t zero = vdupq_n_s32(0);
    struct sums r = {zero, zero}, g = r, b = r;
    for (size_t i = 0; i < taps; i += group, pixel += 3 * group) {
        uint8x8x3_t colours = vld3_u8(pixel);
        int32x4_t low = vld1q_s32(weights + i), high = vld1q_s32(weights + i + 4);
        r = add_products(r, colours.val[0], low, high);
        g = add_products(g, colours.val[1], low, high);
        b = add_products(b, colours.val[2], low, high);
    }
    int32x4_t rg = vpaddq_s32(vaddq_s32(r.low, r.high), vaddq_s32(g.low, g.high));
    int32x4_t bb = vpaddq_s32(vaddq_s32(b.low, b.high), zero);
    int32x4_t rgb = vaddq_s32(vpaddq_s32(rg, bb), half());
    return clamp((struct sums){rgb, rgb});
}

static void across(const struct ms_across *call) {
    for (size_t x = 0; x < call->outputs; x++) {
        const uint8_t *pixel = call->in + (size_t)call->first[x] * 3;
        uint8_t bytes[8];
        vst1_u8(bytes, sum_pixels(pixel, call->weights + x * call->taps, call->taps));
        /* The fourth byte has no meaning; the next output overwrites it. */
        memcpy(call->out + 3 * x, bytes, x + 1 < call->outputs ? 4 : 3);
    }
}

/* `count` vectors from byte `at` on; inlined with a constant count, so that sums are registers. */
static inline __attribute__((always_inline)) void down_columns(const struct ms_down *call,
                                                               size_t at, const size_t count) {
    struct sums sums[vectors];
#pragma GCC unroll 4
    for (size_t v = 0; v < count; v++)
        sums[v] = (struct sums){half(), half()};
    for (size_t k = 0; k < call->taps; k++) {
        const uint8_t *row = call->rows[k] + at;
        int32x4_t weight = vdupq_n_s32(call->weights[k]);
#pragma GCC unroll 4
        for (size_t v = 0; v < count; v++)
            sums[v] = add_products(sums[v], vld1_u8(row + v * lanes), weight, weight);
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < count; v++)
        vst1_u8(call->out + at + v * lanes, clamp(sums[v]));
}

static void down(const struct ms_down *call) {
    size_t at = 0;
    if (call->bytes < lanes) {
        ms_resizer_reference.down(call);
        return;
    }
    for (; call->bytes - at >= vectors * lanes; at += vectors * lanes)
        down_columns(call, at, vectors);
    for (; call->bytes - at >= lanes; at += lanes)
        down_columns(call, at, 1);
    if (at < call->bytes)
        down_columns(call, call->bytes - lanes, 1);
}

const struct ms_resizer ms_resizer_neon = {.group = group, .across = across, .down = down};
