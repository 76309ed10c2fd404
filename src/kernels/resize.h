/*
 * The kernels of resizing: weighted sums of RGB bytes along a row, and of rows. A table of them for
 * each instruction set, named by the table of kernels that goes with it (kernels/kernels.h); the
 * plain C one is the definition.
 *
 * Weights are integers with 22 bits after the point. Every output is
 *     clamp((2^21 + sum over taps of byte * weight) >> 22) to 0..255
 * in integers of 32 bits, which hold the sum: the weights' magnitudes add up to less than 2^23.
 * Integer sums have no order, so the tables cannot but agree. As everywhere, kernels read and write
 * exactly what their shapes say, allocate nothing, and keep nothing.
 */
#ifndef MS_KERNELS_RESIZE_H
#define MS_KERNELS_RESIZE_H

#include <stddef.h>
#include <stdint.h>

enum { ms_resize_bits = 22 };

/* Along a row: output x sums the pixels first[x] to first[x] + taps - 1 of the row. */
struct ms_across {
    size_t outputs, taps; /* both at least 1; taps: a multiple of the table's `group` */
    const uint8_t *in;    /* RGB */
    const uint32_t *first;
    const int32_t *weights; /* [outputs][taps] */
    uint8_t *out;           /* [outputs][3], not `in` */
};

/* Of rows: output i sums the bytes i of `taps` rows. */
struct ms_down {
    size_t bytes, taps;         /* both at least 1 */
    const uint8_t *const *rows; /* [taps][bytes] */
    const int32_t *weights;     /* [taps] */
    uint8_t *out;               /* [bytes], no row's */
};

struct ms_resizer {
    size_t group; /* the pixels that `across` takes at once */
    void (*across)(const struct ms_across *call);
    void (*down)(const struct ms_down *call);
};

extern const struct ms_resizer ms_resizer_reference;
#if defined(__x86_64__)
extern const struct ms_resizer ms_resizer_avx2, ms_resizer_avx512;
#elif defined(__aarch64__)
extern const struct ms_resizer ms_resizer_neon;
#endif

#endif
