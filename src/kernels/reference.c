/*
 * The plain C kernels: the definition of what every other table must give, bit for bit. They are
 * written to be read; their speed matters only in that tests have to wait for them.
 */
#include "base/fma.h"
#include "kernels/kernels.h"

enum { panel = 8 };

static float relu6(float x) {
    return x > 0 ? (x < 6 ? x : 6) : 0;
}

/* One pixel and one panel: `panel` chains side by side, of which the first `outputs` are kept. */
static void pointwise_panel(const struct ms_pointwise *call, size_t pixel, size_t first,
                            size_t outputs) {
    const float *in = call->in + pixel * call->in_stride;
    const float *weights = call->weights + first / panel * call->panel_stride;
    float *out = call->out + pixel * call->out_stride + first;
    float sum[panel] = {0};
    for (size_t i = 0; i < outputs; i++)
        sum[i] = call->bias ? call->bias[first + i] : out[i];
    for (size_t k = 0; k < call->inputs; k++)
        for (size_t i = 0; i < panel; i++)
            sum[i] = ms_fma(in[k], weights[k * panel + i], sum[i]);
    for (size_t i = 0; i < outputs; i++) {
        float x = sum[i];
        if (call->residual)
            x += call->residual[pixel * call->residual_stride + first + i];
        out[i] = call->relu6 ? relu6(x) : x;
    }
}

static void pointwise(const struct ms_pointwise *call) {
    for (size_t pixel = 0; pixel < call->pixels; pixel++)
        for (size_t first = 0; first < call->outputs; first += panel) {
            size_t left = call->outputs - first;
            pointwise_panel(call, pixel, first, left < panel ? left : panel);
        }
}

static void depthwise(const struct ms_depthwise *call) {
    for (size_t x = 0; x < call->out_width; x++)
        for (size_t c = 0; c < call->channels; c++) {
            float sum = call->bias[c];
            for (size_t tap = 0; tap < 9; tap++) {
                const float *row = call->rows[tap / 3];
                size_t column = x * call->stride + tap % 3; /* counted from the left padding */
                if (!row || column < call->pad_left || column - call->pad_left >= call->in_width)
                    continue;
                sum = ms_fma(row[(column - call->pad_left) * call->in_stride + c],
                             call->weights[tap * call->weight_stride + c], sum);
            }
            call->out[x * call->out_stride + c] = relu6(sum);
        }
}

const struct ms_kernels ms_kernels_reference = {.name = "reference",
                                                .panel = panel,
                                                .pointwise = pointwise,
                                                .depthwise = depthwise,
                                                .resizer = &ms_resizer_reference};
