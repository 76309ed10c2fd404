/*
 * The plain C kernels: the definition of what every other table must give, bit for bit. They are
 * written to be read; their speed matters only in that tests have to wait for them.
 */
#include "base/fma.h"
#include "kernels/kernels.h"
#include "kernels/resize.h"

enum { lanes = 8 };

#include "kernels/load.h"

static float relu6(float x) {
    return x > 0 ? (x < 6 ? x : 6) : 0;
}

/* One pixel and one panel: `lanes` chains side by side. */
static void pointwise_panel(const struct ms_pointwise *call, size_t pixel, size_t first) {
    const float *weights = call->weights + first * call->runs * call->inputs;
    float *out = call->out + pixel * call->out_stride + first;
    float sum[lanes];
    for (size_t i = 0; i < lanes; i++)
        sum[i] = call->bias[first + i];
    for (size_t run = 0; run < call->runs; run++) {
        const float *in = call->in[run] + pixel * call->in_stride;
        for (size_t k = 0; k < call->inputs; k++, weights += lanes)
            for (size_t i = 0; i < lanes; i++)
                sum[i] = ms_fma(in[k], weights[i], sum[i]);
    }
    for (size_t i = 0; i < lanes; i++) {
        float x = sum[i];
        if (call->residual)
            x += call->residual[pixel * call->residual_stride + first + i];
        out[i] = call->relu6 ? relu6(x) : x;
    }
}

static void pointwise(const struct ms_pointwise *call) {
    for (size_t pixel = 0; pixel < call->pixels; pixel++)
        for (size_t first = 0; first < call->outputs; first += lanes)
            pointwise_panel(call, pixel, first);
}

static void depthwise_row(const struct ms_depthwise *call, size_t y) {
    for (size_t x = 0; x < call->out_width; x++)
        for (size_t c = 0; c < call->channels; c++) {
            float sum = call->bias[c];
            for (size_t tap = 0; tap < 9; tap++) {
                const float *row = call->rows[y * call->stride + tap / 3];
                size_t column = x * call->stride + tap % 3; /* counted from the left padding */
                if (!row || column < call->pad_left || column - call->pad_left >= call->in_width)
                    continue;
                sum = ms_fma(row[(column - call->pad_left) * call->in_stride + c],
                             call->weights[tap * call->weight_stride + c], sum);
            }
            call->out[y * call->out_row_stride + x * call->out_stride + c] = relu6(sum);
        }
}

static void depthwise(const struct ms_depthwise *call) {
    for (size_t y = 0; y < call->out_height; y++)
        depthwise_row(call, y);
}

const struct ms_kernels ms_kernels_reference = {
    .name = "reference",
    .lanes = lanes,
    .pointwise = pointwise,
    .depthwise = depthwise,
    .fold_row = fold_row,
    .pack_panel = pack_panel,
    .crc32c = crc32c,
    .resizer = &ms_resizer_reference,
    .dot = {ms_dot_reference, ms_dot_f16_reference, ms_dot_i8_reference},
    .squares = {ms_squares_reference, ms_squares_f16_reference}};
