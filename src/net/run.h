/* Running the network on one prepared picture. */
#ifndef MS_NET_RUN_H
#define MS_NET_RUN_H

#include "net/plan.h"

#include <stdint.h>

/* What a run needs beside the model: the plan and memory for it. */
struct ms_run {
    const struct minisim_model *model;
    const struct ms_plan *plan;
    const struct ms_stage *stages;
    size_t *done;          /* [stages]: rows of output made */
    size_t *expanded;      /* [stages]: rows of input expanded */
    float *memory;         /* [plan->floats], aligned to 64 */
    const uint8_t *square; /* [input_size][input_size][3] */
};

/* Embeds the square into `embedding` [head.outputs]. The floating-point environment must be set. */
void ms_run_network(struct ms_run *run, float *embedding);

/*
 * The same a layer at a time, with whole tensors and the same kernels: calls `layer` for each with
 * its values [side][side][channels], ending with "embedding" (side 1), whose bits are those of
 * ms_run_network. Allocates; slow; for auditing and tests. OUT_OF_MEMORY.
 */
typedef void ms_layer_fn(void *user, const char *name, const float *values, size_t side,
                         size_t channels);
minisim_status ms_run_layers(const struct minisim_model *model, const uint8_t *square,
                             ms_layer_fn *layer, void *user, minisim_error *error);

/* The stem's input for one row of output: [out_side][27], the bytes of each window through the
 * table, zeros outside. */
void ms_stem_patches(const struct minisim_model *model, const struct ms_stage *stem,
                     const uint8_t *square, size_t y, float *patches);

/* The mean over `pixels` of each channel: adds `values` [pixels][channels] row by row, from +0. */
void ms_average(const float *values, size_t pixels, size_t channels, float *mean);

#endif
