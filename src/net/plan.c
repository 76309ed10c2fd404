#include "net/plan.h"

/* Bytes of a stage's output above which it is streamed: about half of a small second-level cache.
 */
enum { whole_max = 400 * 1024 };
/* Sides up to which a block makes its rows in one step, by chunks of channels of so many bytes. */
enum { one_step_side = 14, chunk_bytes = 96 * 1024 };
/* Rows of a step elsewhere. */
enum { step_rows = 2 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t round16(size_t n) {
    return (n + 15) / 16 * 16;
}

static void plan_step(struct ms_stage *stage, size_t expanded) {
    stage->chunk = expanded;
    stage->rows = least(step_rows, stage->out_side);
    if (stage->out_side <= one_step_side) {
        size_t pixels = stage->in_side * stage->in_side + stage->out_side * stage->out_side;
        size_t chunk = chunk_bytes / sizeof(float) / pixels / 16 * 16;
        stage->rows = stage->out_side;
        stage->chunk = least(expanded, chunk < 16 ? 16 : chunk);
    }
    if (stage->block->expand.inputs)
        stage->ring_rows = least(stage->in_side, (stage->rows - 1) * stage->stride + 3);
}

static void plan_shapes(const struct minisim_model *model, struct ms_stage *stages) {
    size_t side = ms_conv_size(model->info.input_size, model->stem_stride);
    stages[0] = (struct ms_stage){.in_side = model->info.input_size,
                                  .out_side = side,
                                  .out_channels = model->stem.outputs,
                                  .stride = model->stem_stride,
                                  .rows = 1};
    for (size_t i = 1; i <= model->info.blocks; i++) {
        const struct ms_block *block = &model->blocks[i - 1];
        stages[i] = (struct ms_stage){.block = block,
                                      .in_side = side,
                                      .out_channels = block->project.outputs,
                                      .stride = block->depthwise.stride};
        side = stages[i].out_side = ms_conv_size(side, block->depthwise.stride);
        plan_step(&stages[i], block->depthwise.channels);
    }
    for (size_t i = 0; i <= model->info.blocks; i++) {
        struct ms_stage *stage = &stages[i];
        stage->pad = ms_conv_pad(model->padding, stage->in_side, stage->stride);
        stage->out_rows = stage->out_side;
        /* What the next stage still needs: its window of 3 rows, for all rows of its step. */
        const struct ms_stage *next = stage + 1;
        size_t bytes = stage->out_side * stage->out_side * stage->out_channels * sizeof(float);
        if (i < model->info.blocks && bytes > whole_max)
            stage->out_rows = least(stage->out_side, (next->rows - 1) * next->stride + 3);
    }
}

static size_t out_floats(const struct ms_stage *stage) {
    return round16(stage->out_rows * stage->out_side * stage->out_channels);
}

static size_t ring_floats(const struct ms_stage *stage) {
    /* One step keeps nothing: the chunks share one ring. */
    bool one_step = stage->rows == stage->out_side;
    size_t channels = stage->block ? stage->block->depthwise.channels : 0;
    size_t chunks = one_step || !channels ? 1 : (channels + stage->chunk - 1) / stage->chunk;
    return round16(chunks * stage->chunk * stage->ring_rows * stage->in_side);
}

/* The end of the run of stages from `first` on that work together: the next whole output. */
static size_t run_end(const struct ms_stage *stages, size_t first) {
    while (stages[first].out_rows < stages[first].out_side)
        first++;
    return first;
}

/*
 * A run needs its input (the whole output of the run before), its own whole output, its rings, and
 * the shared buffers. Whole outputs lie at the bottom and at the top in turn, the rest above the
 * bottom one, so that the memory is as large as the hungriest run.
 */
static size_t run_floats(const struct ms_stage *stages, size_t first, size_t last) {
    size_t floats = out_floats(&stages[last]) + (first > 0 ? out_floats(&stages[first - 1]) : 0);
    for (size_t i = first; i <= last; i++)
        floats += ring_floats(&stages[i]) + (i < last ? out_floats(&stages[i]) : 0);
    return floats;
}

static void place_run(struct ms_stage *stages, size_t first, size_t last, bool bottom,
                      size_t buffers, size_t top) {
    size_t input = first > 0 ? out_floats(&stages[first - 1]) : 0;
    size_t output = out_floats(&stages[last]);
    size_t at = buffers + (bottom ? output : input);
    stages[last].out = bottom ? buffers : top - output;
    for (size_t i = first; i <= last; i++) {
        stages[i].ring = at;
        at += ring_floats(&stages[i]);
        if (i < last) {
            stages[i].out = at;
            at += out_floats(&stages[i]);
        }
    }
}

void ms_plan_make(const struct minisim_model *model, struct ms_plan *plan,
                  struct ms_stage *stages) {
    size_t most = 0, depthwise = 0, count = 1 + model->info.blocks;
    plan_shapes(model, stages);
    for (size_t i = 0; i < count; i = run_end(stages, i) + 1) {
        size_t floats = run_floats(stages, i, run_end(stages, i));
        most = floats > most ? floats : most;
    }
    for (size_t i = 1; i < count; i++) {
        size_t floats = stages[i].rows * stages[i].out_side * stages[i].chunk;
        depthwise = floats > depthwise ? floats : depthwise;
    }
    size_t pixels = stages[count - 1].out_side * stages[count - 1].out_side;
    plan->stages = count;
    /* Patches, depthwise rows and the head's chunk are never alive together: they share a buffer.
     */
    size_t shared = stages[0].out_side * 27;
    shared = depthwise > shared ? depthwise : shared;
    shared = pixels * MS_HEAD_CHUNK > shared ? pixels * MS_HEAD_CHUNK : shared;
    shared = round16(shared);
    plan->floats = shared + most;
    bool bottom = true;
    for (size_t i = 0; i < count; i = run_end(stages, i) + 1, bottom = !bottom)
        place_run(stages, i, run_end(stages, i), bottom, shared, plan->floats);
}
