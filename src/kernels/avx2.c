/*
 * The kernels for AVX2 and FMA: 16 registers of 8 lanes, two fused multiply-adds a cycle.
 *
 * Pointwise. A tile of R pixels by V panels of 8 channels keeps R * V sums in registers; per input
 * channel it loads V vectors of weights and broadcasts R inputs, for R * V multiply-adds. Two a
 * cycle with a latency of 4 want at least 8 sums in flight, two loads a cycle want
 * V + R <= R * V:
 *     6 x 2: 12 sums, 8 loads (4 cycles) for 12 multiply-adds (6 cycles), 15 registers
 *     4 x 3: 12 sums, 7 loads (3.5 cycles) for 12 (6 cycles), 16 registers
 * so both run at the multipliers' speed; 4 x 3 only takes what 2 panels at a time leave over.
 * Pixels are cut into tiles of even height (7 = 4 + 3, not 6 + 1), because short tiles waste
 * latency.
 *
 * Depthwise. For 8 channels the nine weights stay in registers and each output loads its nine
 * inputs from L1 as operands of its multiply-adds: 9 loads and 9 multiply-adds, 4.5 cycles of
 * either. Four outputs are computed side by side, because each is a chain of nine.
 * A row outside the picture has zeros for weights: that changes no bit, because adding x * 0
 * to a sum can at most turn -0 into +0, and ReLU6 gives +0 for both.
 */
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdint.h>

enum { panel = 8, tile_pixels = 6, tile_pixels_wide = 4, dw_outputs = 4 };

/* Sign bits for maskload and maskstore: the first `lanes` of 8. */
static __m256i mask_of(size_t lanes) {
    static const int32_t bits[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(bits + 8 - lanes));
}

static __m256 load(const float *from, size_t lanes) {
    return lanes == panel ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, mask_of(lanes));
}

static void store(float *to, __m256 x, size_t lanes) {
    if (lanes == panel)
        _mm256_storeu_ps(to, x);
    else
        _mm256_maskstore_ps(to, mask_of(lanes), x);
}

/* x > 0 ? (x < 6 ? x : 6) : +0, as vmaxps and vminps define it: the second operand where not
 * greater. */
static __m256 relu6(__m256 x) {
    return _mm256_min_ps(_mm256_max_ps(x, _mm256_setzero_ps()), _mm256_set1_ps(6));
}

/* One tile; inlined with constant `pixels` and `panels`, so that the sums are registers. */
static inline __attribute__((always_inline)) void
pointwise_tile(const struct ms_pointwise *call, size_t pixel, size_t first, size_t last_lanes,
               const size_t pixels, const size_t panels) {
    const float *in = call->in + pixel * call->in_stride;
    const float *weights = call->weights + first / panel * call->panel_stride;
    const size_t in_stride = call->in_stride, panel_stride = call->panel_stride;
    float *out = call->out + pixel * call->out_stride + first;
    __m256 sum[tile_pixels][3];
#pragma GCC unroll 6
    for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 3
        for (size_t v = 0; v < panels; v++)
            sum[p][v] = call->bias ? _mm256_loadu_ps(call->bias + first + v * panel)
                                   : load(out + p * call->out_stride + v * panel,
                                          v + 1 < panels ? 8 : last_lanes);
    for (size_t k = 0; k < call->inputs; k++) {
        __m256 w[3];
#pragma GCC unroll 3
        for (size_t v = 0; v < panels; v++)
            w[v] = _mm256_loadu_ps(weights + v * panel_stride + k * panel);
#pragma GCC unroll 6
        for (size_t p = 0; p < pixels; p++) {
            __m256 x = _mm256_broadcast_ss(in + p * in_stride + k);
#pragma GCC unroll 3
            for (size_t v = 0; v < panels; v++)
                sum[p][v] = _mm256_fmadd_ps(x, w[v], sum[p][v]);
        }
    }
    const float *residual =
        call->residual ? call->residual + pixel * call->residual_stride + first : NULL;
#pragma GCC unroll 6
    for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 3
        for (size_t v = 0; v < panels; v++) {
            size_t lanes = v + 1 < panels ? 8 : last_lanes;
            __m256 x = sum[p][v];
            if (residual)
                x = _mm256_add_ps(x, load(residual + p * call->residual_stride + v * panel, lanes));
            store(out + p * call->out_stride + v * panel, call->relu6 ? relu6(x) : x, lanes);
        }
}

typedef void tile_fn(const struct ms_pointwise *, size_t pixel, size_t first, size_t last_lanes);

#define TILE(P, V)                                                                                 \
    static void tile_##P##x##V(const struct ms_pointwise *call, size_t pixel, size_t first,        \
                               size_t last_lanes) {                                                \
        pointwise_tile(call, pixel, first, last_lanes, P, V);                                      \
    }
/* clang-format off */
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3)
/* clang-format on */
#undef TILE

        static tile_fn *const tiles[3][tile_pixels] = {
            {tile_1x1, tile_2x1, tile_3x1, tile_4x1, tile_5x1, tile_6x1},
            {tile_1x2, tile_2x2, tile_3x2, tile_4x2, tile_5x2, tile_6x2},
            {tile_1x3, tile_2x3, tile_3x3, tile_4x3},
};

/* Two panels at a time; three at the end where an odd number is left, so that none stays alone. */
static void pointwise(const struct ms_pointwise *call) {
    size_t left = (call->outputs + panel - 1) / panel;
    for (size_t first = 0; first < call->outputs;) {
        size_t panels = left == 3 ? 3 : left < 2 ? left : 2;
        size_t here = call->outputs - first;
        size_t last_lanes = here < panels * panel ? here - (panels - 1) * panel : panel;
        size_t most = panels == 3 ? tile_pixels_wide : tile_pixels;
        for (size_t pixel = 0, runs = (call->pixels + most - 1) / most; runs > 0; runs--) {
            size_t pixels = (call->pixels - pixel + runs - 1) / runs;
            tiles[panels - 1][pixels - 1](call, pixel, first, last_lanes);
            pixel += pixels;
        }
        first += panels * panel;
        left -= panels;
    }
}

/* Eight channels (or fewer) of a row of depthwise outputs: what stays the same from pixel to pixel.
 */
struct depthwise_lane {
    const float *rows[3];
    float *out;
    __m256 weights[9], bias;
    size_t in_stride, out_stride, lanes;
};

/* `outputs` pixels from x on, of which the window's columns first..last lie in the picture. */
static inline __attribute__((always_inline)) void
depthwise_outputs(const struct depthwise_lane *lane, ptrdiff_t column, size_t x, size_t stride,
                  const size_t outputs, size_t first, size_t last, bool whole) {
    __m256 sum[dw_outputs];
#pragma GCC unroll 4
    for (size_t o = 0; o < outputs; o++)
        sum[o] = lane->bias;
    for (size_t row = 0; row < 3; row++)
        for (size_t tap = first; tap <= last; tap++)
#pragma GCC unroll 4
            for (size_t o = 0; o < outputs; o++) {
                ptrdiff_t at = column + (ptrdiff_t)(o * stride + tap);
                const float *in = lane->rows[row] + at * (ptrdiff_t)lane->in_stride;
                __m256 pixel = whole ? _mm256_loadu_ps(in) : load(in, lane->lanes);
                sum[o] = _mm256_fmadd_ps(pixel, lane->weights[row * 3 + tap], sum[o]);
            }
#pragma GCC unroll 4
    for (size_t o = 0; o < outputs; o++)
        store(lane->out + (x + o) * lane->out_stride, relu6(sum[o]), lane->lanes);
}

/* One row: edges pixel by pixel, the inside four at a time. */
static inline __attribute__((always_inline)) void depthwise_row(const struct ms_depthwise *call,
                                                                const struct depthwise_lane *lane,
                                                                const size_t stride,
                                                                const bool whole) {
    size_t x = 0;
    while (x < call->out_width) {
        ptrdiff_t column = (ptrdiff_t)(x * stride) - (ptrdiff_t)call->pad_left;
        ptrdiff_t width = (ptrdiff_t)call->in_width;
        if (column >= 0 && x + dw_outputs <= call->out_width &&
            column + (ptrdiff_t)((dw_outputs - 1) * stride) + 3 <= width) {
            depthwise_outputs(lane, column, x, stride, dw_outputs, 0, 2, whole);
            x += dw_outputs;
        } else if (column >= 0 && column + 3 <= width) {
            depthwise_outputs(lane, column, x++, stride, 1, 0, 2, whole);
        } else {
            size_t first = column < 0 ? (size_t)-column : 0;
            size_t last = column + 3 > width ? (size_t)(width - column - 1) : 2;
            depthwise_outputs(lane, column, x++, stride, 1, first, last, whole);
        }
    }
}

static void depthwise(const struct ms_depthwise *call) {
    const float *inside = call->rows[1]   ? call->rows[1]
                          : call->rows[0] ? call->rows[0]
                                          : call->rows[2];
    for (size_t c = 0; c < call->channels; c += panel) {
        size_t lanes = call->channels - c < panel ? call->channels - c : panel;
        struct depthwise_lane lane = {.out = call->out + c,
                                      .bias = load(call->bias + c, lanes),
                                      .in_stride = call->in_stride,
                                      .out_stride = call->out_stride,
                                      .lanes = lanes};
        for (size_t row = 0; row < 3; row++) {
            lane.rows[row] = (call->rows[row] ? call->rows[row] : inside) + c;
            for (size_t tap = row * 3; tap < row * 3 + 3; tap++)
                lane.weights[tap] = call->rows[row]
                                        ? load(call->weights + tap * call->weight_stride + c, lanes)
                                        : _mm256_setzero_ps();
        }
        if (lanes < panel)
            depthwise_row(call, &lane, call->stride, false);
        else if (call->stride == 1)
            depthwise_row(call, &lane, 1, true);
        else
            depthwise_row(call, &lane, 2, true);
    }
}

const struct ms_kernels ms_kernels_avx2 = {.name = "avx2",
                                           .panel = panel,
                                           .pointwise = pointwise,
                                           .depthwise = depthwise,
                                           .resizer = &ms_resizer_avx2};
