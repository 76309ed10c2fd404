/*
 * The kernels: the few operations in which the network spends its time, one signature each, and a
 * table of them for each instruction set. The plain C table ("reference") is the definition; the
 * others give the same bits for every shape, because each output is one chain of fused
 * multiply-adds whose order is fixed (src/NUMBERS.md) and SIMD lanes go across outputs, never along
 * a chain.
 *
 * Activations are f32, channels last: [pixels][channels]. Kernels read and write exactly the
 * elements of their shapes, allocate nothing, and keep nothing.
 */
#ifndef MS_KERNELS_KERNELS_H
#define MS_KERNELS_KERNELS_H

#include "kernels/resize.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Pointwise (1x1) convolution: out[p][n] = start + sum over k of in[p][k] * weight[k][n], k
 * ascending, where start is bias[n], or the partial sum in out[p][n] where bias is NULL (K may so
 * be cut into calls). Then residual[p][n] is added where there is one, then ReLU6 applied where
 * asked.
 *
 * Weights are packed in panels of `panel` output channels (struct ms_kernels): [panels][K][panel],
 * the last one filled up with zeros; bias is filled up likewise. A call may cover some of the rows
 * of each panel.
 */
struct ms_pointwise {
    size_t pixels, inputs, outputs; /* shape: [pixels][inputs] to [pixels][outputs] */
    const float *in;
    size_t in_stride; /* floats from pixel to pixel */
    float *out;       /* may be the residual, never the input */
    size_t out_stride;
    const float *weights; /* the first panel, at its first input channel */
    size_t panel_stride;  /* floats from panel to panel */
    const float *bias;
    const float *residual;
    size_t residual_stride;
    bool relu6;
};

/*
 * Depthwise 3x3 convolution with ReLU6, one row of output: out[x][c] = ReLU6(bias[c] + sum over
 * taps), taps row by row, left to right, those outside the picture skipped. Output x reads columns
 * x * stride - pad_left and the next two.
 */
struct ms_depthwise {
    size_t in_width, out_width, channels;
    size_t stride;   /* 1 or 2 */
    size_t pad_left; /* 0 or 1 */
    const float
        *rows[3];     /* [in_width][channels]; NULL: a row outside the picture. Not all three. */
    size_t in_stride; /* floats from pixel to pixel */
    float *out;
    size_t out_stride;
    const float *weights; /* [9][weight_stride], tap by tap */
    size_t weight_stride;
    const float *bias; /* [channels] */
};

struct ms_kernels {
    const char *name;
    size_t panel; /* output channels in a panel of packed pointwise weights */
    void (*pointwise)(const struct ms_pointwise *call);
    void (*depthwise)(const struct ms_depthwise *call);
    const struct ms_resizer *resizer; /* kernels/resize.h */
};

/* The widest panel of any table. */
#define MS_PANEL_MAX 16

extern const struct ms_kernels ms_kernels_reference;
#if defined(__x86_64__)
extern const struct ms_kernels ms_kernels_avx2;
#endif

/* The tables that this build has and this CPU runs, slowest first; ends with NULL. Thread-safe. */
const struct ms_kernels *const *ms_kernels_available(void);

/* The table of that name, or the fastest where name is NULL; NULL: no such table here. Thread-safe.
 */
const struct ms_kernels *ms_kernels_choose(const char *name);

/* The CPU's features that matter to the kernels, such as "avx2 fma avx512f"; "" if none.
 * Thread-safe. */
const char *ms_cpu_features(void);

#endif
