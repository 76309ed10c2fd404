/*
 * Resizing in plain C: the definition, and what a CPU without a table of its own runs. `across` has
 * three multiplications a tap, one a cycle. `down` goes over a stretch of sums row by row, which a
 * compiler turns into vectors of any width; the stretch is short enough for the nearest cache.
 */
#include "kernels/resize.h"

enum { stretch = 512 };

static uint8_t clamp(int32_t sum) {
    sum >>= ms_resize_bits; /* of a negative number: gcc and clang shift in its sign */
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static void across(const struct ms_across *call) {
    for (size_t x = 0; x < call->outputs; x++) {
        const uint8_t *pixel = call->in + (size_t)call->first[x] * 3;
        const int32_t *weights = call->weights + x * call->taps;
        int32_t r = 1 << (ms_resize_bits - 1), g = r, b = r;
        for (size_t i = 0; i < call->taps; i++, pixel += 3) {
            r += pixel[0] * weights[i];
            g += pixel[1] * weights[i];
            b += pixel[2] * weights[i];
        }
        call->out[x * 3] = clamp(r);
        call->out[x * 3 + 1] = clamp(g);
        call->out[x * 3 + 2] = clamp(b);
    }
}

static void down(const struct ms_down *call) {
    int32_t sums[stretch];
    for (size_t at = 0; at < call->bytes; at += stretch) {
        size_t n = call->bytes - at < stretch ? call->bytes - at : stretch;
        for (size_t i = 0; i < n; i++)
            sums[i] = 1 << (ms_resize_bits - 1);
        for (size_t k = 0; k < call->taps; k++) {
            const uint8_t *row = call->rows[k] + at;
            int32_t weight = call->weights[k];
            for (size_t i = 0; i < n; i++)
                sums[i] += row[i] * weight;
        }
        for (size_t i = 0; i < n; i++)
            call->out[at + i] = clamp(sums[i]);
    }
}

const struct ms_resizer ms_resizer_reference = {.group = 1, .across = across, .down = down};
