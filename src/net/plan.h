/*
 * The plan: how a picture passes through the network in little memory, decided once from the
 * shapes.
 *
 * A stage is the stem or a block. A stage works in steps of a few rows of its output; for a step it
 * expands the rows of input that are new, convolves them depthwise and projects them, so that of
 * the expanded tensor only a ring of rows exists. Where the picture is small, one step makes all
 * rows, and the expanded channels are cut into chunks instead: each chunk adds its part to the sums
 * of the projection, and each weight is read once.
 *
 * A stage's output is whole where it is small. Where it is large it is streamed: kept as a ring of
 * the rows that the next stage still needs, and made when that stage asks for them.
 */
#ifndef MS_NET_PLAN_H
#define MS_NET_PLAN_H

#include "net/model.h"

struct ms_stage {
    const struct ms_block *block; /* NULL: the stem */
    size_t in_side, out_side, out_channels;
    size_t stride, pad;
    size_t rows;      /* of output, made in a step */
    size_t chunk;     /* expanded channels at a time, a multiple of 16 unless all */
    size_t ring_rows; /* of expanded input, kept between the steps; 0: no expansion */
    size_t out_rows;  /* of output that are kept: out_side, or fewer where it is streamed */
    size_t ring, out; /* where both lie, in floats from the start of the memory */
};

struct ms_plan {
    size_t stages; /* 1 + blocks */
    size_t floats; /* all memory of the network; at its start a buffer that no step leaves anything
                      in: patches of the stem, depthwise rows, a chunk of the head */
};

/* Output channels of the head that are computed and averaged at a time. */
enum { MS_HEAD_CHUNK = 64 };

/* Fills in `stages` (1 + blocks of them) and the plan. */
void ms_plan_make(const struct minisim_model *model, struct ms_plan *plan, struct ms_stage *stages);

#endif
