/*
 * Both convolutions, written once for every instruction set. A file such as avx2.c says how wide a
 * vector is and how the few operations on it are spelt, and includes this; then they are
 *
 *     vec                                  `lanes` floats
 *     load(p), store(p, v), broadcast(p)   p need not be aligned
 *     madd(a, b, c)                        a * b + c, rounded once
 *     add(a, b), relu6(a)
 *     keep(a)                              a, in a register
 *     group, load_group(p)                 `group_size` inputs of one pixel, k ascending
 *     fma_group(g, i, w, sum)              input i of the group times w, plus sum
 *
 * and the sizes of the tiles that keep its multipliers busy:
 *
 *     MS_TILES(T)                          T(pixels, panels) for each tile there is; of so many
 *                                          panels, one of a single pixel must be
 *     tile_pixels[panels - 1]              the tallest tile that is so many panels wide
 *     MS_TILE_PIXELS_MAX, _PANELS_MAX      the largest of either; most tiles are two panels wide
 *     MS_STRIPS(S)                         S(outputs) for each number of depthwise outputs that
 *                                          has a strip; 1 must have one
 *     MS_STRIP_MAX                         the largest of them
 *     few_registers                        1 where there are fewer than a strip has pixels, else 0
 *
 * and, where half a vector takes less time than a whole one, because channels are multiples of 8,
 *
 *     fma_half(g, i, w, sum)               fma_group in the lower half of the lanes
 *     MS_HALVES(T)                         T(pixels, panels) for each tile there is whose last
 *                                          panel has outputs in its lower half alone
 *
 * Everything that varies is a constant where it is inlined, so that sums are registers. At its end
 * the file names its table: MS_KERNELS(avx2, avx2, avx2).
 */
#include "kernels/kernels.h"
#include "kernels/load.h"

#ifndef MS_HALVES
#define MS_HALVES(T)
#define fma_half fma_group
#endif
#define INLINE static inline __attribute__((always_inline))

/* One tile: its sums stay in registers while k runs through all inputs. `half`: of its last panel
 * the lower half. */
INLINE void pointwise_tile(const struct ms_pointwise *call, size_t pixel, size_t panel,
                           const size_t pixels, const size_t panels, const bool half) {
    const size_t in_stride = call->in_stride;
    const size_t panel_floats = call->runs * call->inputs * lanes;
    const float *weights = call->weights + panel * panel_floats;
    const float *bias = call->bias + panel * lanes;
    vec sum[MS_TILE_PIXELS_MAX][MS_TILE_PANELS_MAX];
#pragma GCC unroll 16
    for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 4
        for (size_t v = 0; v < panels; v++)
            sum[p][v] = load(bias + v * lanes);
    for (size_t run = 0; run < call->runs; run++) {
        const float *in = call->in[run] + pixel * in_stride;
        size_t k = call->inputs;
        for (; k >= group_size; k -= group_size, in += group_size) {
            group x[MS_TILE_PIXELS_MAX];
#pragma GCC unroll 16
            for (size_t p = 0; p < pixels; p++)
                x[p] = load_group(in + p * in_stride);
#pragma GCC unroll 4
            for (size_t i = 0; i < group_size; i++, weights += lanes) {
                vec w[MS_TILE_PANELS_MAX];
#pragma GCC unroll 4
                for (size_t v = 0; v < panels; v++) {
                    w[v] = load(weights + v * panel_floats);
                    if (i * lanes % MS_LANES_MAX == 0) /* once a line of the cache */
                        __builtin_prefetch(weights + (panels + v) * panel_floats, 0, 2);
                }
#pragma GCC unroll 16
                for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 4
                    for (size_t v = 0; v < panels; v++)
                        sum[p][v] = half && v + 1 == panels ? fma_half(x[p], i, w[v], sum[p][v])
                                                            : fma_group(x[p], i, w[v], sum[p][v]);
            }
        }
        for (; k > 0; k--, in++, weights += lanes)
#pragma GCC unroll 16
            for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 4
                for (size_t v = 0; v < panels; v++)
                    sum[p][v] = madd(broadcast(in + p * in_stride),
                                     load(weights + v * panel_floats), sum[p][v]);
    }
    float *out = call->out + pixel * call->out_stride + panel * lanes;
    if (call->residual) {
        const float *residual = call->residual + pixel * call->residual_stride + panel * lanes;
#pragma GCC unroll 16
        for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 4
            for (size_t v = 0; v < panels; v++)
                sum[p][v] = add(sum[p][v], load(residual + p * call->residual_stride + v * lanes));
    }
    if (call->relu6)
#pragma GCC unroll 16
        for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 4
            for (size_t v = 0; v < panels; v++)
                sum[p][v] = relu6(sum[p][v]);
#pragma GCC unroll 16
    for (size_t p = 0; p < pixels; p++)
#pragma GCC unroll 4
        for (size_t v = 0; v < panels; v++)
            store(out + p * call->out_stride + v * lanes, sum[p][v]);
}

typedef void tile_fn(const struct ms_pointwise *call, size_t pixel, size_t panel);

#define TILE(P, V)                                                                                 \
    static void tile_##P##x##V(const struct ms_pointwise *call, size_t pixel, size_t panel) {      \
        pointwise_tile(call, pixel, panel, P, V, false);                                           \
    }
#define HALF(P, V)                                                                                 \
    static void half_##P##x##V(const struct ms_pointwise *call, size_t pixel, size_t panel) {      \
        pointwise_tile(call, pixel, panel, P, V, true);                                            \
    }
MS_TILES(TILE)
MS_HALVES(HALF)
#undef TILE
#undef HALF
#define TILE(P, V) [0][V - 1][P - 1] = tile_##P##x##V,
#define HALF(P, V) [1][V - 1][P - 1] = half_##P##x##V,
static tile_fn *const tiles[2][MS_TILE_PANELS_MAX][MS_TILE_PIXELS_MAX] = {MS_TILES(TILE)
                                                                              MS_HALVES(HALF)};
#undef TILE
#undef HALF

/* The length of even parts, none longer than `most`: 15 is cut into 8 + 7, not 14 + 1, because a
 * short tile has too few sums to fill the multipliers' pipelines. Of the long ones not every table
 * has all: odd lengths become even, so that 64 is four times 14 and 8. */
static inline size_t even_part(size_t all, size_t most) {
    unsigned parts = ((unsigned)all + (unsigned)most - 1) / (unsigned)most;
    unsigned length = ((unsigned)all + parts - 1) / parts;
    return length > 8 ? length + length % 2 : length;
}

/* What remains at the end may have a length that there is not: half of it, then. */
static inline size_t half_part(size_t length) {
    return (length + 1) / 2;
}

/* The tile of this shape that does least, or else NULL. */
static tile_fn *tile_of(size_t pixels, size_t panels, bool half) {
    tile_fn *tile = tiles[half][panels - 1][pixels - 1];
    return tile ? tile : tiles[false][panels - 1][pixels - 1];
}

/* Panels in the order in which they lie, the pixels of each in tiles of even height. */
static void pointwise(const struct ms_pointwise *call) {
    size_t all = (call->outputs + lanes - 1) / lanes;
    for (size_t panel = 0, panels; panel < all; panel += panels) {
        size_t left = all - panel;
        panels = left <= MS_TILE_PANELS_MAX ? left : 2;
        bool half = panels == left && (all * lanes - call->outputs) * 2 >= lanes;
        size_t height = even_part(call->pixels, tile_pixels[panels - 1]);
        for (size_t pixel = 0; pixel < call->pixels; pixel += height) {
            size_t rest = call->pixels - pixel;
            tile_fn *tile;
            height = rest < height ? rest : height;
            while (!(tile = tile_of(height, panels, half)))
                height = half_part(height);
            tile(call, pixel, panel);
        }
    }
}

/* p + n, found when it is needed: gcc would find the places of all pixels of a strip ahead. */
INLINE const float *step(const float *p, size_t n) {
    p += n;
    __asm__("" : "+r"(p));
    return p;
}

/*
 * A strip: `outputs` pixels side by side, of one vector of channels. Each input of a row is loaded
 * once and goes into the up to three sums whose windows hold it; each sum sees its taps row by row,
 * left to right. Columns outside the picture are read from zeros: that changes no bit, because
 * adding x * 0 to a sum can at most turn -0 into +0, and ReLU6 gives +0 for both.
 */
INLINE void depthwise_strip(const struct ms_depthwise *call, size_t channel, size_t x, size_t y,
                            const size_t outputs, const size_t stride) {
    static const float zeros[lanes];
    const size_t columns = ms_window_rows(outputs, stride); /* the same along a row */
    const size_t first = x * stride - call->pad_left;       /* wraps left of the picture */
    const size_t in_stride = call->in_stride;
    const float *const *rows = call->rows + y * stride;
    vec sum[MS_STRIP_MAX];
#pragma GCC unroll 16
    for (size_t o = 0; o < outputs; o++)
        sum[o] = load(call->bias + channel);
    for (size_t row = 0; row < MS_WINDOW; row++) {
        if (!rows[row])
            continue;
        const float *in = rows[row] + channel + (few_registers ? first * in_stride : 0);
        const float *weights = call->weights + row * MS_WINDOW * call->weight_stride + channel;
        vec w[MS_WINDOW];
#pragma GCC unroll 3
        for (size_t tap = 0; tap < MS_WINDOW; tap++)
            w[tap] = load(weights + tap * call->weight_stride);
#pragma GCC unroll 40
        for (size_t j = 0, at = few_registers ? 0 : first * in_stride; j < columns; j++) {
            /* Only the first and the last two columns can lie outside. */
            bool edge = j == 0 || j + 2 >= columns;
            bool outside = edge && first + j >= call->in_width;
            vec pixel = keep(load(outside ? zeros : in + at));
            if (few_registers)
                in = step(in, in_stride);
            else
                at += in_stride;
#pragma GCC unroll 3
            for (size_t tap = 0; tap < MS_WINDOW; tap++)
                if (j >= tap && (j - tap) % stride == 0 && (j - tap) / stride < outputs)
                    sum[(j - tap) / stride] = madd(pixel, w[tap], sum[(j - tap) / stride]);
        }
    }
    float *out = call->out + y * call->out_row_stride + x * call->out_stride + channel;
#pragma GCC unroll 16
    for (size_t o = 0; o < outputs; o++)
        store(out + o * call->out_stride, relu6(sum[o]));
}

typedef void strip_fn(const struct ms_depthwise *call, size_t channel, size_t x, size_t y);

#define STRIP(N)                                                                                   \
    static void strip_##N##_1(const struct ms_depthwise *call, size_t channel, size_t x,           \
                              size_t y) {                                                          \
        depthwise_strip(call, channel, x, y, N, 1);                                                \
    }                                                                                              \
    static void strip_##N##_2(const struct ms_depthwise *call, size_t channel, size_t x,           \
                              size_t y) {                                                          \
        depthwise_strip(call, channel, x, y, N, 2);                                                \
    }
MS_STRIPS(STRIP)
#undef STRIP
#define STRIP(N) [0][N - 1] = strip_##N##_1, [1][N - 1] = strip_##N##_2,
static strip_fn *const strips[2][MS_STRIP_MAX] = {MS_STRIPS(STRIP)};
#undef STRIP

/* Strips of even length, a vector of channels after the other; below a strip comes the next row's,
 * because two rows of its window are in the cache. */
static void depthwise(const struct ms_depthwise *call) {
    strip_fn *const *of_length = strips[call->stride - 1];
    for (size_t channel = 0; channel < call->channels; channel += lanes) {
        size_t length = even_part(call->out_width, MS_STRIP_MAX);
        for (size_t x = 0; x < call->out_width; x += length) {
            size_t rest = call->out_width - x;
            length = rest < length ? rest : length;
            while (!of_length[length - 1])
                length = half_part(length);
            for (size_t y = 0; y < call->out_height; y++)
                of_length[length - 1](call, channel, x, y);
        }
    }
}

/* Multiply-adds with nothing to wait for: sums enough for two units that take seven cycles. */
static double saturate(size_t rounds) {
    enum { sums = 14 };
    static volatile float unknown[sums]; /* to the compiler, which would merge equal sums */
    float start[sums], end[lanes];
    vec sum[sums];
#pragma GCC unroll 16
    for (size_t i = 0; i < sums; i++) {
        start[i] = unknown[i];
        sum[i] = broadcast(&start[i]);
    }
    vec x = sum[0];
    for (size_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (size_t i = 0; i < sums; i++)
            sum[i] = madd(x, x, sum[i]);
#pragma GCC unroll 16
    for (size_t i = 0; i < sums; i++) {
        store(end, sum[i]);
        unknown[i] = end[0];
    }
    return (double)rounds * sums * lanes;
}

/* The table NAME, with the resizer and the sums over pairs that have files of their own: of FLOATS
 * and of INTEGERS, those of NAME or of a table before it. */
#define MS_KERNELS(NAME, FLOATS, INTEGERS)                                                         \
    const struct ms_kernels ms_kernels_##NAME = {                                                  \
        .name = #NAME,                                                                             \
        .lanes = lanes,                                                                            \
        .pointwise = pointwise,                                                                    \
        .depthwise = depthwise,                                                                    \
        .fold_row = fold_row,                                                                      \
        .pack_panel = pack_panel,                                                                  \
        .crc32c = crc32c,                                                                          \
        .saturate = saturate,                                                                      \
        .resizer = &ms_resizer_##FLOATS,                                                           \
        .dot = {ms_dot_##FLOATS, ms_dot_f16_##FLOATS, ms_dot_i8_##INTEGERS},                       \
        .squares = {ms_squares_##FLOATS, ms_squares_f16_##FLOATS}}
