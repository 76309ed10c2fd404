/*
 * The network as it lies in memory: MobileNetV2's layers (Sandler et al. 2018, tables 1 and 2) with
 * BatchNorm folded in, weights packed for one table of kernels. Made by the reader (weights.c),
 * never changed afterwards.
 */
#ifndef MS_NET_MODEL_H
#define MS_NET_MODEL_H

#include "kernels/kernels.h"
#include "minisim.h"

#include <stdbool.h>

enum { MS_BLOCKS_MAX = 256, MS_CHANNELS_MAX = 4096, MS_INPUT_MAX = 512 };

enum ms_padding { MS_SYMMETRIC = 0, MS_SAME = 1 };

/* Channels of a tensor in memory: as many, filled up to whole vectors of any table. */
static inline size_t ms_padded(size_t channels) {
    return (channels + MS_LANES_MAX - 1) / MS_LANES_MAX * MS_LANES_MAX;
}

/* A 1x1 convolution, or the stem seen as one over 27 inputs: weights [panels][inputs][lanes], bias
 * [outputs], both filled up with zeros to whole panels. */
struct ms_pointwise_layer {
    size_t inputs, outputs;
    float *weights;
    float *bias;
};

/* A depthwise 3x3 convolution: weights [9][channels], bias [channels], channels filled up. */
struct ms_depthwise_layer {
    size_t channels, stride;
    float *weights;
    float *bias;
};

/* Inverted residual: expand (inputs 0: absent), depthwise, project, and the input added where
 * `residual`. */
struct ms_block {
    struct ms_pointwise_layer expand;
    struct ms_depthwise_layer depthwise;
    struct ms_pointwise_layer project;
    bool residual;
};

struct minisim_model {
    const struct ms_kernels *kernels;
    minisim_model_info info;
    enum ms_padding padding;
    size_t stem_stride;
    struct ms_pointwise_layer stem; /* inputs: 27 taps, row, column, R G B */
    struct ms_block *blocks;        /* [info.blocks] */
    struct ms_pointwise_layer head;
    struct ms_pointwise_layer classifier; /* outputs 0: none; takes an embedding */
    float table[256][3];                  /* the input value of a byte, a channel */
    char *facts;                          /* key 0 value 0 key 0 value 0 ... */
    size_t facts_size;
    void *packed; /* all weights and biases */
};

/* Rows or columns after a 3x3 convolution: ceil(in / stride) under either rule. */
static inline size_t ms_conv_size(size_t in, size_t stride) {
    return (in + stride - 1) / stride;
}

/* Zeros above and on the left of `in` rows or columns. */
static inline size_t ms_conv_pad(enum ms_padding padding, size_t in, size_t stride) {
    if (padding == MS_SYMMETRIC)
        return 1;
    size_t covered = (ms_conv_size(in, stride) - 1) * stride + 3;
    return covered > in ? (covered - in) / 2 : 0;
}

#endif
