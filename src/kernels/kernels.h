/*
 * The kernels: the few operations in which the network spends its time, one signature each, and a
 * table of them for each instruction set. The plain C table ("reference") is the definition; the
 * others give the same bits for every shape, because each output is one chain of fused
 * multiply-adds whose order is fixed (src/NUMBERS.md) and SIMD lanes go across outputs, never along
 * a chain.
 *
 * Activations are f32, channels last: [pixels][channels], where the channels of a pixel are filled
 * up to a whole number of vectors. Kernels compute whole vectors: of the channels behind the last
 * one they write what they like, as far as the `lanes` of their table reach, and what is there
 * changes no other value. Beside that they read and write exactly the elements of their shapes,
 * allocate nothing, and keep nothing.
 */
#ifndef MS_KERNELS_KERNELS_H
#define MS_KERNELS_KERNELS_H

#include "kernels/resize.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Channels of every tensor in memory are filled up to a multiple of this: the widest vector of any
 * table, and a line of the cache. */
enum { MS_LANES_MAX = 16 };

/* The rows of a 3x3 window. */
enum { MS_WINDOW = 3 };

/*
 * Pointwise (1x1) convolution: out[p][n] = bias[n] + sum over k of in[p][k] * weight[k][n], k
 * ascending. Then residual[p][n] is added where there is one, then ReLU6 applied where asked.
 *
 * A pixel's inputs come in `runs` of `inputs` floats: run r at in[r] + p * in_stride. A pointwise
 * layer has one. The stem has three, the rows of its window, so that no window is ever copied
 * together (k counts through all of them).
 *
 * Weights are packed in panels of `lanes` output channels (struct ms_kernels):
 * [panels][runs * inputs][lanes], the last panel filled up with zeros; the bias is filled up
 * likewise. Rows of `out` and `residual` have room for whole panels.
 */
struct ms_pointwise {
    size_t pixels, inputs, outputs;
    size_t runs; /* 1 or 3 */
    const float *in[MS_WINDOW];
    size_t in_stride; /* floats from pixel to pixel */
    float *out;       /* may be the residual, never the input */
    size_t out_stride;
    const float *weights;
    const float *bias;
    const float *residual; /* NULL: none */
    size_t residual_stride;
    bool relu6;
};

/*
 * Depthwise 3x3 convolution with ReLU6: out[y][x][c] = ReLU6(bias[c] + sum over taps), taps row by
 * row, left to right, those outside the picture skipped. Output row y reads rows[y * stride] and
 * the next two, output x columns x * stride - pad_left and the next two. Rows, weights and bias
 * have room for whole vectors.
 */
struct ms_depthwise {
    size_t in_width, out_width, out_height, channels;
    size_t stride;            /* 1 or 2 */
    size_t pad_left;          /* 0 or 1 */
    const float *const *rows; /* each [in_width][channels]; NULL: outside the picture */
    size_t in_stride;         /* floats from pixel to pixel */
    float *out;
    size_t out_stride;
    size_t out_row_stride; /* floats from row to row */
    const float *weights;  /* [9][weight_stride], tap by tap */
    size_t weight_stride;
    const float *bias; /* [channels] */
};

/* The rows that a depthwise convolution of so many output rows reads. */
static inline size_t ms_window_rows(size_t out_height, size_t stride) {
    return (out_height - 1) * stride + MS_WINDOW;
}

/* What vectors are made of; i8 stands for whole numbers. */
enum ms_vector_type { MS_F32 = 0, MS_F16 = 1, MS_I8 = 2 };
enum { MS_VECTOR_TYPES = 3 };

/*
 * Sums over pairs of vectors of one type, of each query with each row: sums[q * sum_stride + r].
 * Dot products, or squared distances, which are of d = query - row, rounded; of i8 only products,
 * which are exact. f16 counts as the f32 that it equals. Element i of floats goes into partial sum
 * i mod 16 by fused multiply-add, i ascending; the 16 are added as s[i] += s[i+8], then 4, 2, 1. A
 * sum that overflows is infinite or NaN; of i8 none does, up to n = 65,536.
 *
 * Rows are read in order, a few at a time, and each few meets all queries before the next: rows
 * come from memory once where the queries fit the cache. Vectors may lie anywhere that their type
 * may, but those that start at a line of the cache (64 bytes) take little more than half the time.
 */
struct ms_pairs {
    size_t n; /* values of a vector */
    size_t query_count, row_count;
    const void *queries, *rows;      /* float, uint16_t (the bits of f16) or int8_t */
    size_t query_stride, row_stride; /* values from vector to vector */
    void *sums;                      /* float; of i8 int32_t */
    size_t sum_stride;               /* sums from query to query */
};

typedef void ms_pairs_fn(const struct ms_pairs *call);

struct ms_kernels {
    const char *name;
    size_t lanes; /* of a vector; output channels in a panel of packed pointwise weights */
    void (*pointwise)(const struct ms_pointwise *call);
    void (*depthwise)(const struct ms_depthwise *call);
    /* Scales n weights of one output by gamma / deviation as src/NUMBERS.md says; gives the sum of
     * their magnitudes, which is finite if all of them are. */
    double (*fold_row)(float *row, size_t n, double gamma, double deviation);
    /* The weights of one panel, [lanes][inputs], to where pointwise wants them, [inputs][lanes]. */
    void (*pack_panel)(const float *rows, size_t inputs, float *to);
    /* As ms_crc32c (base/crc.h). */
    uint32_t (*crc32c)(uint32_t crc, const void *bytes, size_t size);
    /* Keeps the multipliers busy, to measure a core's peak: gives the number of multiply-adds that
     * it did, 14 vectors a round. NULL: a table without vectors. */
    double (*saturate)(size_t rounds);
    const struct ms_resizer *resizer; /* kernels/resize.h */
    ms_pairs_fn *dot[MS_VECTOR_TYPES], *squares[MS_I8];
};

/* The last two have files of their own, which the tables take them from. */
#define MS_PAIRS_OF_FLOATS(NAME)                                                                   \
    ms_pairs_fn ms_dot_##NAME, ms_squares_##NAME, ms_dot_f16_##NAME, ms_squares_f16_##NAME
MS_PAIRS_OF_FLOATS(reference);
ms_pairs_fn ms_dot_i8_reference;
#if defined(__x86_64__)
MS_PAIRS_OF_FLOATS(avx2);
MS_PAIRS_OF_FLOATS(avx512);
ms_pairs_fn ms_dot_i8_avx2, ms_dot_i8_vnni;
#elif defined(__aarch64__)
MS_PAIRS_OF_FLOATS(neon);
ms_pairs_fn ms_dot_i8_neon;
#endif

extern const struct ms_kernels ms_kernels_reference;
#if defined(__x86_64__)
extern const struct ms_kernels ms_kernels_avx2, ms_kernels_avx512, ms_kernels_vnni;
#elif defined(__aarch64__)
extern const struct ms_kernels ms_kernels_neon;
#elif defined(__arm__)
extern const struct ms_kernels ms_kernels_vfpv4;
#endif

/* The tables that this build has and this CPU runs, slowest first; ends with NULL. Thread-safe. */
const struct ms_kernels *const *ms_kernels_available(void);

/* The table of that name, or the fastest where name is NULL; NULL: no such table here. Thread-safe.
 */
const struct ms_kernels *ms_kernels_choose(const char *name);

/* The CPU's features that matter to the kernels, such as "avx2 fma avx512"; "" if none.
 * Thread-safe. */
const char *ms_cpu_features(void);

/* The CPU's own name, such as "AMD EPYC, family 26, model 2"; "" where it tells none. Gives `name`.
 */
const char *ms_cpu_name(char name[80]);

#endif
