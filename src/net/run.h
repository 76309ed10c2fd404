/* Running the network on one prepared picture. */
#ifndef MS_NET_RUN_H
#define MS_NET_RUN_H

#include "base/team.h"
#include "net/plan.h"

#include <stdint.h>

/* What a run needs beside the model: the plan, a team, and memory. */
struct ms_run {
    const struct minisim_model *model;
    const struct ms_plan *plan;
    const struct ms_stage *stages;
    struct ms_team *team;
    float *memory;         /* [ms_plan_floats(plan)], aligned to 64: shared, then each member's */
    size_t *progress;      /* [plan->threads][2][stages] */
    const uint8_t *square; /* [input_size][input_size][3] */
    float *embedding;      /* [head.outputs] */
};

/* Embeds run->square into run->embedding. */
void ms_run_network(struct ms_run *run);

/*
 * The same a layer at a time, with whole tensors and the same kernels: calls `layer` for each with
 * its values [side][side][channels], ending with "embedding" (side 1), whose bits are those of
 * ms_run_network. Allocates; slow; for auditing and tests. OUT_OF_MEMORY.
 */
typedef void ms_layer_fn(void *user, const char *name, const float *values, size_t side,
                         size_t channels);
minisim_status ms_run_layers(const struct minisim_model *model, const uint8_t *square,
                             ms_layer_fn *layer, void *user, minisim_error *error);

/* Row y of the stem's input, the bytes through the table, between two pixels of zeros; all zeros
 * where there is no such row. `to` has ms_stem_row_floats. */
void ms_stem_row(const struct minisim_model *model, const uint8_t *square, size_t y, float *to);

/* The mean over `pixels` of each channel: adds `values` [pixels][stride] row by row, from +0. */
void ms_average(const float *values, size_t pixels, size_t channels, size_t stride, float *mean);

#endif
