#include "net/plan.h"

/* Bytes of a stage's output above which it is streamed. */
enum { whole_max = 300 * 1024 };
/* Rows that a member must have of these, for the row that it recomputes not to cost too much. */
enum { least_rows = 7 };
/* Rows of a band elsewhere. */
enum { band_rows = 2 };
/* Bytes of a chunk's ring: what a first-level cache of 32 KiB holds beside weights and output. */
enum { ring_bytes = 28 * 1024 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

static void plan_band(struct ms_stage *stage, size_t threads) {
    stage->one_band = stage->out_side <= MS_ONE_BAND_SIDE;
    stage->by_channels = stage->one_band && threads > 1 && stage->out_side < least_rows * threads;
    stage->band = stage->by_channels ? stage->out_side
                  : stage->one_band  ? (stage->out_side + threads - 1) / threads
                                     : band_rows;
    /* A step of a small picture is all of it: short rows make short tiles. Elsewhere two rows of
     * input are new in each. */
    bool small = stage->in_side <= MS_ONE_BAND_SIDE;
    stage->step = least(small ? stage->out_side : band_rows / stage->stride, stage->band);
    stage->chunk = stage->expanded;
    if (stage->block->expand.inputs) {
        stage->ring_rows = least(stage->in_side, ms_window_rows(stage->step, stage->stride));
        size_t chunk = ring_bytes / sizeof(float) / stage->ring_rows / stage->in_side;
        chunk = most(chunk / MS_LANES_MAX * MS_LANES_MAX, 2 * MS_LANES_MAX);
        stage->chunk = least(stage->expanded, chunk);
    }
}

static void plan_shapes(const struct minisim_model *model, size_t threads,
                        struct ms_stage *stages) {
    size_t side = ms_conv_size(model->info.input_size, model->stem_stride);
    size_t blocks = model->info.blocks;
    stages[0] = (struct ms_stage){.in_side = model->info.input_size,
                                  .out_side = side,
                                  .channels = ms_padded(model->stem.outputs),
                                  .stride = model->stem_stride,
                                  .band = 1,
                                  .ring_rows = MS_WINDOW + 1}; /* and one of zeros */
    for (size_t i = 1; i <= blocks; i++) {
        const struct ms_block *block = &model->blocks[i - 1];
        stages[i] = (struct ms_stage){.block = block,
                                      .in_side = side,
                                      .channels = ms_padded(block->project.outputs),
                                      .expanded = ms_padded(block->depthwise.channels),
                                      .stride = block->depthwise.stride};
        side = stages[i].out_side = ms_conv_size(side, block->depthwise.stride);
        plan_band(&stages[i], threads);
    }
    for (size_t i = 0; i <= blocks; i++) {
        struct ms_stage *stage = &stages[i];
        stage->pad = ms_conv_pad(model->padding, stage->in_side, stage->stride);
        stage->out_rows = stage->out_side;
        /* What the next stage still needs: its window, for all rows of its band. */
        const struct ms_stage *next = stage + 1;
        size_t bytes = stage->out_side * stage->out_side * stage->channels * sizeof(float);
        if (i < blocks && bytes > whole_max && !stage->one_band && !next->by_channels)
            stage->out_rows = least(stage->out_side, ms_window_rows(next->band, next->stride));
    }
}

static size_t out_floats(const struct ms_stage *stage) {
    return stage->out_rows * stage->out_side * stage->channels;
}

static size_t ring_floats(const struct ms_stage *stage) {
    if (!stage->block)
        return stage->ring_rows * ms_stem_row_floats(stage->in_side);
    /* With one band nothing stays from chunk to chunk: they share one ring. */
    size_t chunks = stage->one_band ? 1 : (stage->expanded + stage->chunk - 1) / stage->chunk;
    return chunks * stage->chunk * stage->ring_rows * stage->in_side;
}

static size_t convolved_floats(const struct ms_stage *stage) {
    return !stage->block ? 0 : stage->band * stage->out_side * stage->expanded;
}

/* The end of the run of stages from `first` on that work together: the next whole output. */
static size_t run_end(const struct ms_stage *stages, size_t first) {
    while (stages[first].out_rows < stages[first].out_side)
        first++;
    return first;
}

/* What all members share in a run: its input, which is the whole output of the run before, its own
 * whole output, and what lies between the two halves of a block that is split by channels. */
static size_t shared_floats(const struct ms_stage *stages, size_t first, size_t last) {
    size_t floats = out_floats(&stages[last]) + (first > 0 ? out_floats(&stages[first - 1]) : 0);
    return floats + (stages[last].by_channels ? convolved_floats(&stages[last]) : 0);
}

/* Places the stages of a run. Whole outputs lie at the bottom and at the top of the shared memory
 * in turn. Gives the floats that each member has for itself. */
static size_t place_run(struct ms_stage *stages, size_t first, size_t last, bool bottom,
                        size_t shared) {
    size_t input = first > 0 ? out_floats(&stages[first - 1]) : 0;
    size_t output = out_floats(&stages[last]), own = 0;
    for (size_t i = first; i <= last; i++)
        if (!stages[i].by_channels) /* one at a time: they all begin at 0 */
            own = most(own, convolved_floats(&stages[i]));
    for (size_t i = first; i <= last; i++) {
        stages[i].ring = own;
        own += ring_floats(&stages[i]);
        stages[i].out = own;
        own += i < last ? out_floats(&stages[i]) : 0;
    }
    stages[last].out = bottom ? 0 : shared - output;
    if (stages[last].by_channels)
        stages[last].convolved = bottom ? output : input;
    return own;
}

void ms_plan_make(const struct minisim_model *model, size_t threads, struct ms_plan *plan,
                  struct ms_stage *stages) {
    size_t count = 1 + model->info.blocks;
    plan_shapes(model, threads, stages);
    const struct ms_stage *end = &stages[count - 1];
    *plan = (struct ms_plan){.threads = threads, .stages = count};
    plan->member_floats = end->out_side * end->out_side * MS_HEAD_CHUNK;
    for (size_t i = 0; i < count; i = run_end(stages, i) + 1)
        plan->shared_floats =
            most(plan->shared_floats, shared_floats(stages, i, run_end(stages, i)));
    bool bottom = true;
    for (size_t i = 0, last; i < count; i = last + 1, bottom = !bottom) {
        last = run_end(stages, i);
        plan->member_floats =
            most(plan->member_floats, place_run(stages, i, last, bottom, plan->shared_floats));
    }
}
