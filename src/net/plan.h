/*
 * The plan: where each tensor lies, and in what portions it is made, decided once when a context is
 * opened.
 *
 * A stage is the stem or a block. It makes its output in bands of a few rows. For a band it expands
 * the rows of input that are new, a chunk of channels at a time, and convolves each chunk depthwise
 * while it is in the first-level cache; when all chunks have passed, the band is projected. So of
 * the expanded tensor only a ring of rows exists.
 *
 * A stage's output is whole where it is small. Where it is large it is streamed: kept as a ring of
 * the rows that the next stage still needs, and made when that stage asks for them.
 *
 * Members of a team share the work of a picture. Where the picture is large, each makes some of the
 * rows of every whole output, and recomputes the few expanded and streamed rows that it shares with
 * its neighbour: that costs less than to fetch them from another core. Where it is small
 * (`by_channels`) that would be too much: there each expands and convolves some of the channels,
 * and then projects some of the pixels.
 */
#ifndef MS_NET_PLAN_H
#define MS_NET_PLAN_H

#include "net/model.h"

struct ms_stage {
    const struct ms_block *block; /* NULL: the stem */
    size_t in_side, out_side, stride, pad;
    size_t channels; /* of the output, filled up, as all channels here */
    size_t expanded; /* of the depthwise convolution */
    bool by_channels;
    bool one_band;    /* all rows that a member makes; then nothing stays from chunk to chunk */
    size_t band;      /* rows of output that are projected together */
    size_t step;      /* of these, rows that are expanded and convolved together */
    size_t chunk;     /* expanded channels at a time */
    size_t ring_rows; /* of expanded input (the stem: of input) that are kept; 0: no expansion */
    size_t out_rows;  /* of output that are kept: out_side, or fewer where it is streamed */
    /* Where things lie: in floats from the start of the shared memory, or of a member's own. */
    size_t ring; /* own */
    size_t out;  /* own if streamed, else shared */
    size_t
        convolved; /* the band after the depthwise convolution: shared if by_channels, else own */
};

struct ms_plan {
    size_t threads; /* members of the team */
    size_t stages;  /* 1 + blocks */
    /* A member's own memory is at the same place in all stages: what another core wrote is slow to
     * overwrite. The head has a chunk of its output at its start. */
    size_t shared_floats, member_floats;
};

static inline size_t ms_plan_floats(const struct ms_plan *plan) {
    return plan->shared_floats + plan->threads * plan->member_floats;
}

/* Sides of output up to which a member makes all its rows in one band, and so at most in one step.
 */
enum { MS_ONE_BAND_SIDE = 14, MS_STEP_ROWS_MAX = (MS_ONE_BAND_SIDE - 1) * 2 + MS_WINDOW };

/* Output channels of the head that are computed and averaged at a time. */
enum { MS_HEAD_CHUNK = 64 };

/* Floats in a row of the stem's input: a pixel of zeros on either side. */
static inline size_t ms_stem_row_floats(size_t side) {
    return ms_padded(3 * (side + 2));
}

/* Fills in `stages` (1 + blocks of them) and the plan, for a team of so many threads. */
void ms_plan_make(const struct minisim_model *model, size_t threads, struct ms_plan *plan,
                  struct ms_stage *stages);

#endif
