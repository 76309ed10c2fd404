/*
 * Every kernel table against the reference, bit for bit, and the reference against plain loops in
 * double. Outputs stand between guard values, inputs at the very end of their memory, so that a
 * kernel that reads or writes past its shape is found (by the guards, or by the address sanitizer).
 */
#include "base/crc.h"
#include "base/fma.h"
#include "kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { guard = 32 };
static const float guard_value = -12345.0f;

static uint64_t seed = 1;

static uint32_t next_random(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

/* -range to range; every 16th value is zero, half of those negative: signs of zero matter. */
static float random_float(float range) {
    uint32_t r = next_random();
    if (r % 16 == 0)
        return r % 32 ? 0.0f : -0.0f;
    return ((float)next_random() / 1073741824.0f - 1.0f) * range;
}

static float *random_floats(size_t n, float range) {
    float *x = malloc((n ? n : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = random_float(range);
    return x;
}

/* n floats between guards. */
static float *guarded(size_t n) {
    float *x = malloc((n + 2 * guard) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n + 2 * guard; i++)
        x[i] = guard_value;
    return x + guard;
}

static bool guards_stand(const float *x, size_t n) {
    for (size_t i = 0; i < guard; i++)
        if (x[-1 - (ptrdiff_t)i] != guard_value || x[n + i] != guard_value)
            return false;
    return true;
}

/* A 1x1 convolution; with three runs, as the stem reads its windows. */
struct pointwise_case {
    size_t pixels, runs, inputs, outputs;
    bool relu6, residual;
};

static size_t round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* Weights [inputs][outputs] into panels of `width`; returns the panels. */
static float *pack(const float *plain, size_t inputs, size_t outputs, size_t width) {
    float *packed = calloc(round_up(outputs, width) * inputs, sizeof *packed);
    assert_non_null(packed);
    for (size_t n = 0; n < outputs; n++)
        for (size_t k = 0; k < inputs; k++)
            packed[(n / width * inputs + k) * width + n % width] = plain[k * outputs + n];
    return packed;
}

/* A copy of [rows][columns] in rows of `stride`, what is between them left as it comes. */
static float *spread(const float *plain, size_t rows, size_t columns, size_t stride) {
    float *wide = malloc(rows * stride * sizeof *wide);
    assert_non_null(wide);
    for (size_t i = 0; i < rows * stride; i++)
        wide[i] = i % stride < columns ? plain[i / stride * columns + i % stride] : NAN;
    return wide;
}

/* The other way round: [rows][columns] out of rows of `stride`. */
static float *tighten(const float *wide, size_t rows, size_t columns, size_t stride) {
    float *plain = malloc(rows * columns * sizeof *plain);
    assert_non_null(plain);
    for (size_t i = 0; i < rows; i++)
        memcpy(plain + i * columns, wide + i * stride, columns * sizeof *plain);
    return plain;
}

/* Inputs overlap from pixel to pixel where there are three runs, as windows do. */
static size_t in_stride(const struct pointwise_case *c) {
    return c->runs == 1 ? c->inputs : (c->inputs + 1) / 2;
}

static size_t run_floats(const struct pointwise_case *c) {
    return (c->pixels - 1) * in_stride(c) + c->inputs;
}

struct operands {
    float *in, *weights, *bias, *residual; /* in: the runs one after the other */
};

/* Runs a case on one table, into rows of exactly so many vectors as it writes, between guards;
 * gives [pixels][outputs]. The residual's rows end in NaN, which must not reach any output. */
static float *run_pointwise(const struct ms_kernels *table, const struct pointwise_case *c,
                            const struct operands *o) {
    size_t all = c->runs * c->inputs, padded = round_up(c->outputs, table->lanes);
    float *packed = pack(o->weights, all, c->outputs, table->lanes);
    float *bias = pack(o->bias, 1, c->outputs, table->lanes);
    float *residual = spread(o->residual, c->pixels, c->outputs, padded);
    float *out = guarded(c->pixels * padded);
    struct ms_pointwise call = {.pixels = c->pixels,
                                .inputs = c->inputs,
                                .outputs = c->outputs,
                                .runs = c->runs,
                                .in_stride = in_stride(c),
                                .out = out,
                                .out_stride = padded,
                                .weights = packed,
                                .bias = bias,
                                .residual = c->residual ? residual : NULL,
                                .residual_stride = padded,
                                .relu6 = c->relu6};
    for (size_t run = 0; run < c->runs; run++)
        call.in[run] = o->in + run * run_floats(c);
    table->pointwise(&call);
    assert_true(guards_stand(out, c->pixels * padded));
    float *tight = tighten(out, c->pixels, c->outputs, padded);
    free(out - guard);
    free(residual);
    free(bias);
    free(packed);
    return tight;
}

static void against_double(const struct pointwise_case *c, const struct operands *o,
                           const float *out) {
    for (size_t p = 0; p < c->pixels; p++)
        for (size_t n = 0; n < c->outputs; n++) {
            double sum = (double)o->bias[n], size = fabs(sum);
            for (size_t k = 0; k < c->runs * c->inputs; k++) {
                const float *run = o->in + k / c->inputs * run_floats(c);
                double x = (double)run[p * in_stride(c) + k % c->inputs];
                double product = x * (double)o->weights[k * c->outputs + n];
                sum += product;
                size += fabs(product);
            }
            if (c->residual)
                sum += (double)o->residual[p * c->outputs + n];
            if (c->relu6)
                sum = sum > 0 ? (sum < 6 ? sum : 6) : 0;
            double bound = (double)(c->runs * c->inputs + 2) * 6e-8 * (size + 6);
            assert_true(fabs(sum - (double)out[p * c->outputs + n]) <= bound);
        }
}

static void check_pointwise(const struct pointwise_case *c) {
    size_t n = c->pixels * c->outputs, all = c->runs * c->inputs;
    struct operands o = {.in = random_floats(c->runs * run_floats(c), 6),
                         .weights = random_floats(all * c->outputs, 1),
                         .bias = random_floats(c->outputs, 2),
                         .residual = random_floats(n, 4)};
    float *expected = run_pointwise(&ms_kernels_reference, c, &o);
    against_double(c, &o, expected);
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        float *got = run_pointwise(*t, c, &o);
        if (memcmp(got, expected, n * sizeof *got) != 0)
            fail_msg("%s: pointwise pixels %zu runs %zu inputs %zu outputs %zu relu6 %d residual "
                     "%d",
                     (*t)->name, c->pixels, c->runs, c->inputs, c->outputs, c->relu6, c->residual);
        free(got);
    }
    free(expected);
    free(o.residual);
    free(o.bias);
    free(o.weights);
    free(o.in);
}

static void pointwise_awkward(void **state) {
    (void)state;
    static const size_t channels[] = {1, 7, 8, 15, 16, 17, 24, 25, 40, 56};
    static const size_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 49};
    for (size_t i = 0; i < 10; i++)
        for (size_t o = 0; o < 10; o++)
            for (size_t p = 0; p < 16; p++)
                for (unsigned flags = 0; flags < 8; flags++) {
                    struct pointwise_case c = {.pixels = pixels[p],
                                               .runs = flags & 4 ? 3 : 1,
                                               .inputs = channels[i],
                                               .outputs = channels[o],
                                               .relu6 = flags & 1,
                                               .residual = flags & 2};
                    check_pointwise(&c);
                }
}

static void pointwise_real(void **state) {
    (void)state;
    static const struct pointwise_case cases[] = {
        {112, 3, 9, 32, true, false},    {112, 1, 32, 16, false, false},
        {112, 1, 16, 96, true, false},   {56, 1, 96, 24, false, false},
        {56, 1, 24, 144, true, false},   {28, 1, 192, 32, false, true},
        {196, 1, 64, 384, true, false},  {196, 1, 576, 96, false, true},
        {49, 1, 960, 160, false, true},  {49, 1, 960, 320, false, false},
        {49, 1, 320, 1280, true, false}, {1, 1, 448, 1792, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_pointwise(&cases[i]);
}

/* Adding to a block's input where it lies. */
static void residual_in_place(void **state) {
    (void)state;
    enum { pixels = 13, inputs = 9, outputs = 21, padded = 32 };
    struct pointwise_case c = {pixels, 1, inputs, outputs, false, true};
    struct operands o = {.in = random_floats(pixels * inputs, 6),
                         .weights = random_floats(inputs * outputs, 1),
                         .bias = random_floats(outputs, 1),
                         .residual = random_floats(pixels * outputs, 4)};
    float *expected = run_pointwise(&ms_kernels_reference, &c, &o);
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        float *packed = pack(o.weights, inputs, outputs, (*t)->lanes);
        float *bias = pack(o.bias, 1, outputs, (*t)->lanes);
        float *out = spread(o.residual, pixels, outputs, padded);
        (*t)->pointwise(&(struct ms_pointwise){.pixels = pixels,
                                               .inputs = inputs,
                                               .outputs = outputs,
                                               .runs = 1,
                                               .in = {o.in},
                                               .in_stride = inputs,
                                               .out = out,
                                               .out_stride = padded,
                                               .weights = packed,
                                               .bias = bias,
                                               .residual = out,
                                               .residual_stride = padded});
        for (size_t p = 0; p < pixels; p++)
            assert_memory_equal(out + p * padded, expected + p * outputs, outputs * sizeof *out);
        free(out);
        free(bias);
        free(packed);
    }
    free(expected);
    free(o.residual);
    free(o.bias);
    free(o.weights);
    free(o.in);
}

struct depthwise_case {
    size_t height, width, channels, stride, pad; /* pad: above and left */
};

static size_t outputs_of(size_t in, size_t stride) {
    return (in + stride - 1) / stride;
}

/* Into rows of exactly so many vectors as the table writes, between guards; gives
 * [height][width][channels]. What fills up the inputs' channels is NaN, which must not reach any
 * output. */
static float *run_depthwise(const struct ms_kernels *table, const struct depthwise_case *c,
                            const float *plain_in, const float *plain_weights,
                            const float *plain_bias) {
    size_t padded = round_up(c->channels, table->lanes);
    size_t out_width = outputs_of(c->width, c->stride);
    size_t pixels = outputs_of(c->height, c->stride) * out_width;
    float *in = spread(plain_in, c->height * c->width, c->channels, padded);
    float *weights = spread(plain_weights, 9, c->channels, padded);
    float *bias = spread(plain_bias, 1, c->channels, padded), *out = guarded(pixels * padded);
    const float *rows[64] = {NULL};
    for (size_t y = 0; y < c->height; y++)
        rows[c->pad + y] = in + y * c->width * padded;
    table->depthwise(&(struct ms_depthwise){.in_width = c->width,
                                            .out_width = out_width,
                                            .out_height = outputs_of(c->height, c->stride),
                                            .channels = c->channels,
                                            .stride = c->stride,
                                            .pad_left = c->pad,
                                            .rows = rows,
                                            .in_stride = padded,
                                            .out = out,
                                            .out_stride = padded,
                                            .out_row_stride = out_width * padded,
                                            .weights = weights,
                                            .weight_stride = padded,
                                            .bias = bias});
    assert_true(guards_stand(out, pixels * padded));
    float *tight = tighten(out, pixels, c->channels, padded);
    free(out - guard);
    free(bias);
    free(weights);
    free(in);
    return tight;
}

static void depthwise_against_double(const struct depthwise_case *c, const float *in,
                                     const float *weights, const float *bias, const float *out) {
    size_t height = outputs_of(c->height, c->stride), width = outputs_of(c->width, c->stride);
    for (size_t i = 0; i < height * width * c->channels; i++) {
        size_t channel = i % c->channels, x = i / c->channels % width, y = i / c->channels / width;
        double sum = bias[channel], size = fabs(sum);
        for (size_t tap = 0; tap < 9; tap++) {
            ptrdiff_t row = (ptrdiff_t)(y * c->stride + tap / 3) - (ptrdiff_t)c->pad;
            ptrdiff_t column = (ptrdiff_t)(x * c->stride + tap % 3) - (ptrdiff_t)c->pad;
            if (row < 0 || column < 0 || row >= (ptrdiff_t)c->height ||
                column >= (ptrdiff_t)c->width)
                continue;
            size_t at = ((size_t)row * c->width + (size_t)column) * c->channels + channel;
            double product = (double)in[at] * weights[tap * c->channels + channel];
            sum += product;
            size += fabs(product);
        }
        sum = sum > 0 ? (sum < 6 ? sum : 6) : 0;
        assert_true(fabs(sum - (double)out[i]) <= 1e-6 * (size + 6));
    }
}

static void check_depthwise(const struct depthwise_case *c) {
    size_t n = outputs_of(c->height, c->stride) * outputs_of(c->width, c->stride) * c->channels;
    float *in = random_floats(c->height * c->width * c->channels, 6);
    float *weights = random_floats(9 * c->channels, 1);
    float *bias = random_floats(c->channels, 1);
    float *expected = run_depthwise(&ms_kernels_reference, c, in, weights, bias);
    depthwise_against_double(c, in, weights, bias, expected);
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        float *got = run_depthwise(*t, c, in, weights, bias);
        if (memcmp(got, expected, n * sizeof *got) != 0)
            fail_msg("%s: depthwise %zux%zux%zu stride %zu pad %zu", (*t)->name, c->height,
                     c->width, c->channels, c->stride, c->pad);
        free(got);
    }
    free(expected);
    free(bias);
    free(weights);
    free(in);
}

static void depthwise_shapes(void **state) {
    (void)state;
    static const size_t channels[] = {1, 7, 8, 15, 16, 17, 24, 96};
    static const size_t sides[] = {1, 2, 3, 4, 5, 7, 9, 14, 15, 29};
    for (size_t h = 0; h < 10; h++)
        for (size_t w = 0; w < 10; w++)
            for (size_t i = 0; i < 8; i++)
                for (size_t stride = 1; stride <= 2; stride++)
                    for (size_t pad = stride == 1; pad <= 1; pad++) {
                        struct depthwise_case c = {sides[h], sides[w], channels[i], stride, pad};
                        check_depthwise(&c);
                    }
}

/* Operands of every exponent, sums that cancel, ties, subnormal results. */
static void fma_emulation(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3000000; i++) {
        uint32_t bits[3] = {next_random() << 1 ^ next_random(), next_random() << 1 ^ next_random(),
                            next_random() << 1 ^ next_random()};
        float x[3];
        memcpy(x, bits, sizeof x);
        if (i % 3 == 1) /* the sum cancels all but the last bits of the product */
            x[2] = -(x[0] * x[1]);
        if (i % 3 == 2) /* a tie or nearly one */
            x[0] = 1.0f + (float)(next_random() % 64) * FLT_EPSILON, x[1] = 1.0f,
            x[2] = ldexpf((float)(next_random() % 8), -(int)(next_random() % 50));
        float expected = fmaf(x[0], x[1], x[2]);
        if (!isfinite(x[0]) || !isfinite(x[1]) || !isfinite(x[2]) || !isfinite(expected))
            continue;
        float got = ms_fma_emulated(x[0], x[1], x[2]);
        if (memcmp(&got, &expected, sizeof got) != 0)
            fail_msg("fma(%a, %a, %a) is %a, emulated %a", (double)x[0], (double)x[1], (double)x[2],
                     (double)expected, (double)got);
    }
}

/* Lengths around those at which the way of summing changes, whole and in two calls. */
static void checksums(void **state) {
    (void)state;
    enum { most = 10000 };
    uint8_t *bytes = malloc(most);
    assert_non_null(bytes);
    for (size_t i = 0; i < most; i++)
        bytes[i] = (uint8_t)next_random();
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        assert_int_equal((*t)->crc32c(0, "123456789", 9), 0xe3069283); /* RFC 3720's polynomial */
        for (size_t size = 0; size <= most; size += size % 3072 < 20 ? 1 : 61) {
            const uint8_t *at = bytes + most - size;
            uint32_t expected = ms_crc32c(0, at, size), half = (*t)->crc32c(0, at, size / 2);
            if ((*t)->crc32c(0, at, size) != expected ||
                (*t)->crc32c(half, at + size / 2, size - size / 2) != expected)
                fail_msg("%s: the checksum of %zu bytes", (*t)->name, size);
        }
    }
    free(bytes);
}

/* What loading does with rows of weights; sums of magnitudes are those of the reference, too. */
static void packed_and_folded(void **state) {
    (void)state;
    enum { most = 67, lanes_most = 16, behind = 16 };
    static float rows[lanes_most * most], own[most], expected[most];
    static float packed[lanes_most * most + behind];
    for (size_t i = 0; i < lanes_most * most; i++)
        rows[i] = (float)(int32_t)next_random() / 3e9f;
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++)
        for (size_t inputs = 1; inputs <= most; inputs++) {
            size_t lanes = (*t)->lanes, count = lanes * inputs;
            assert_true(lanes <= lanes_most);
            for (size_t i = 0; i < count + behind; i++)
                packed[i] = -7;
            (*t)->pack_panel(rows, inputs, packed);
            for (size_t i = 0; i < count; i++)
                assert_true(packed[i % inputs * lanes + i / inputs] == rows[i]);
            for (size_t i = count; i < count + behind; i++)
                assert_true(packed[i] == -7);
            memcpy(own, rows, inputs * sizeof *own);
            memcpy(expected, rows, inputs * sizeof *expected);
            double sum = (*t)->fold_row(own, inputs, 1.3, 0.7);
            assert_true(sum == ms_kernels_reference.fold_row(expected, inputs, 1.3, 0.7));
            assert_memory_equal(own, expected, inputs * sizeof *own);
        }
}

static void choosing(void **state) {
    (void)state;
    assert_ptr_equal(ms_kernels_choose("reference"), &ms_kernels_reference);
    assert_null(ms_kernels_choose("no such table"));
    assert_non_null(ms_kernels_choose(NULL));
    printf("# tables here:");
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        assert_ptr_equal(ms_kernels_choose((*t)->name), *t);
        printf(" %s", (*t)->name);
    }
    printf("\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choosing),          cmocka_unit_test(fma_emulation),
        cmocka_unit_test(pointwise_awkward), cmocka_unit_test(pointwise_real),
        cmocka_unit_test(residual_in_place), cmocka_unit_test(depthwise_shapes),
        cmocka_unit_test(checksums),         cmocka_unit_test(packed_and_folded),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
