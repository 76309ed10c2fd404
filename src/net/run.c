/*
 * The forward pass as the paper draws it, in the order of the plan: the head asks the last block
 * for all its rows, a streamed stage is asked for rows by the next one, and each step expands,
 * convolves and projects.
 */
#include "net/run.h"

#include <string.h>

void ms_stem_patches(const struct minisim_model *model, const struct ms_stage *stem,
                     const uint8_t *square, size_t y, float *patches) {
    size_t side = stem->in_side;
    for (size_t x = 0; x < stem->out_side; x++)
        for (size_t tap = 0; tap < 9; tap++, patches += 3) {
            size_t row = y * stem->stride + tap / 3 - stem->pad; /* wraps above and on the left */
            size_t column = x * stem->stride + tap % 3 - stem->pad;
            if (row >= side || column >= side) {
                memset(patches, 0, 3 * sizeof *patches);
                continue;
            }
            const uint8_t *pixel = square + (row * side + column) * 3;
            for (size_t c = 0; c < 3; c++)
                patches[c] = model->table[pixel[c]][c];
        }
}

void ms_average(const float *values, size_t pixels, size_t channels, float *mean) {
    for (size_t c = 0; c < channels; c++)
        mean[c] = 0;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++)
            mean[c] += values[p * channels + c];
    float scale = 1.0f / (float)pixels;
    for (size_t c = 0; c < channels; c++)
        mean[c] *= scale;
}

/* Where row y of a stage's output lies. */
static float *out_row(const struct ms_run *run, const struct ms_stage *stage, size_t y) {
    return run->memory + stage->out + y % stage->out_rows * stage->out_side * stage->out_channels;
}

/* Rows from y on that lie side by side in a ring of `ring_rows`, up to `end`. */
static size_t unbroken(size_t y, size_t end, size_t ring_rows) {
    size_t rows = ring_rows - y % ring_rows;
    return rows < end - y ? rows : end - y;
}

static void stem_step(struct ms_run *run, const struct ms_stage *stage, size_t y) {
    const struct ms_pointwise_layer *layer = &run->model->stem;
    const struct ms_kernels *kernels = run->model->kernels;
    ms_stem_patches(run->model, stage, run->square, y, run->memory);
    kernels->pointwise(&(struct ms_pointwise){.pixels = stage->out_side,
                                              .inputs = layer->inputs,
                                              .outputs = layer->outputs,
                                              .in = run->memory,
                                              .in_stride = layer->inputs,
                                              .out = out_row(run, stage, y),
                                              .out_stride = layer->outputs,
                                              .weights = layer->weights,
                                              .panel_stride = layer->inputs * kernels->panel,
                                              .bias = layer->bias,
                                              .relu6 = true});
}

/* The channels first..first + count of a step over the output rows from..end. */
struct slice {
    size_t from, end, first, count;
    float *ring; /* of expanded rows: [ring_rows][in_side][chunk] */
};

/* Expands the input rows `from` to `end` into the slice's ring. */
static void expand_rows(struct ms_run *run, const struct ms_stage *stage, const struct slice *slice,
                        size_t from, size_t end) {
    const struct ms_pointwise_layer *layer = &stage->block->expand;
    const struct ms_kernels *kernels = run->model->kernels;
    size_t panel_stride = layer->inputs * kernels->panel;
    while (from < end) {
        size_t rows = unbroken(from, end, stage->ring_rows);
        rows = unbroken(from, from + rows, (stage - 1)->out_rows);
        kernels->pointwise(&(struct ms_pointwise){
            .pixels = rows * stage->in_side,
            .inputs = layer->inputs,
            .outputs = slice->count,
            .in = out_row(run, stage - 1, from),
            .in_stride = layer->inputs,
            .out = slice->ring + from % stage->ring_rows * stage->in_side * stage->chunk,
            .out_stride = stage->chunk,
            .weights = layer->weights + slice->first / kernels->panel * panel_stride,
            .panel_stride = panel_stride,
            .bias = layer->bias + slice->first,
            .relu6 = true});
        from += rows;
    }
}

/* Depthwise convolution of the slice's rows into the buffer [rows][out_side][chunk]. */
static void depthwise_rows(struct ms_run *run, const struct ms_stage *stage,
                           const struct slice *slice) {
    const struct ms_depthwise_layer *layer = &stage->block->depthwise;
    size_t row_floats = stage->in_side * stage->chunk;
    for (size_t y = slice->from; y < slice->end; y++) {
        struct ms_depthwise call = {.in_width = stage->in_side,
                                    .out_width = stage->out_side,
                                    .channels = slice->count,
                                    .stride = stage->stride,
                                    .pad_left = stage->pad,
                                    .in_stride = stage->chunk,
                                    .out = run->memory +
                                           (y - slice->from) * stage->out_side * stage->chunk,
                                    .out_stride = stage->chunk,
                                    .weights = layer->weights + slice->first,
                                    .weight_stride = layer->channels,
                                    .bias = layer->bias + slice->first};
        for (size_t tap = 0; tap < 3; tap++) {
            size_t row = y * stage->stride + tap - stage->pad; /* wraps above */
            if (row >= stage->in_side)
                continue;
            if (stage->ring_rows) {
                call.rows[tap] = slice->ring + row % stage->ring_rows * row_floats;
            } else {
                call.rows[tap] = out_row(run, stage - 1, row) + slice->first;
                call.in_stride = layer->channels;
            }
        }
        run->model->kernels->depthwise(&call);
    }
}

/* Adds the slice's part to the output rows: the first part starts at the bias, the last adds the
 * input. */
static void project_rows(struct ms_run *run, const struct ms_stage *stage,
                         const struct slice *slice) {
    const struct ms_pointwise_layer *layer = &stage->block->project;
    const struct ms_kernels *kernels = run->model->kernels;
    bool last = slice->first + slice->count == layer->inputs;
    bool residual = stage->block->residual && last;
    for (size_t y = slice->from; y < slice->end;) {
        size_t rows = unbroken(y, slice->end, stage->out_rows);
        if (residual)
            rows = unbroken(y, y + rows, (stage - 1)->out_rows);
        kernels->pointwise(&(struct ms_pointwise){
            .pixels = rows * stage->out_side,
            .inputs = slice->count,
            .outputs = layer->outputs,
            .in = run->memory + (y - slice->from) * stage->out_side * stage->chunk,
            .in_stride = stage->chunk,
            .out = out_row(run, stage, y),
            .out_stride = layer->outputs,
            .weights = layer->weights + slice->first * kernels->panel,
            .panel_stride = layer->inputs * kernels->panel,
            .bias = slice->first == 0 ? layer->bias : NULL,
            .residual = residual ? out_row(run, stage - 1, y) : NULL,
            .residual_stride = layer->outputs});
        y += rows;
    }
}

static void make_rows(struct ms_run *run, size_t index, size_t end);

static void block_step(struct ms_run *run, size_t index, size_t from, size_t end) {
    const struct ms_stage *stage = &run->stages[index];
    size_t channels = stage->block->depthwise.channels;
    size_t window_end = (end - 1) * stage->stride + 3 - stage->pad;
    size_t in_end = window_end < stage->in_side ? window_end : stage->in_side;
    bool one_step = stage->rows == stage->out_side;
    make_rows(run, index - 1, in_end);
    for (size_t first = 0; first < channels; first += stage->chunk) {
        size_t count = channels - first < stage->chunk ? channels - first : stage->chunk;
        struct slice slice = {.from = from, .end = end, .first = first, .count = count};
        slice.ring = run->memory + stage->ring;
        if (!one_step)
            slice.ring += first * stage->ring_rows * stage->in_side;
        if (stage->ring_rows)
            expand_rows(run, stage, &slice, run->expanded[index], in_end);
        depthwise_rows(run, stage, &slice);
        project_rows(run, stage, &slice);
    }
    run->expanded[index] = in_end;
}

/* Makes a stage's output rows up to `end`, a step at a time. */
static void make_rows(struct ms_run *run, size_t index, size_t end) {
    const struct ms_stage *stage = &run->stages[index];
    /* A whole output is finished before anyone reads it, because its rings go to the next run. */
    if (stage->out_rows == stage->out_side)
        end = stage->out_side;
    while (run->done[index] < end) {
        size_t from = run->done[index];
        size_t to = from + stage->rows < end ? from + stage->rows : end;
        if (stage->block)
            block_step(run, index, from, to);
        else
            stem_step(run, stage, from);
        run->done[index] = to;
    }
}

/* The head, some output channels at a time, and their average. */
static void head(struct ms_run *run, const struct ms_stage *last, float *embedding) {
    const struct ms_pointwise_layer *layer = &run->model->head;
    const struct ms_kernels *kernels = run->model->kernels;
    size_t pixels = last->out_side * last->out_side;
    size_t panel_stride = layer->inputs * kernels->panel;
    for (size_t first = 0; first < layer->outputs; first += MS_HEAD_CHUNK) {
        size_t left = layer->outputs - first;
        size_t count = left < MS_HEAD_CHUNK ? left : MS_HEAD_CHUNK;
        kernels->pointwise(&(struct ms_pointwise){.pixels = pixels,
                                                  .inputs = layer->inputs,
                                                  .outputs = count,
                                                  .in = run->memory + last->out,
                                                  .in_stride = layer->inputs,
                                                  .out = run->memory,
                                                  .out_stride = count,
                                                  .weights = layer->weights +
                                                             first / kernels->panel * panel_stride,
                                                  .panel_stride = panel_stride,
                                                  .bias = layer->bias + first,
                                                  .relu6 = true});
        ms_average(run->memory, pixels, count, embedding + first);
    }
}

void ms_run_network(struct ms_run *run, float *embedding) {
    size_t last = run->plan->stages - 1;
    for (size_t i = 0; i <= last; i++)
        run->done[i] = run->expanded[i] = 0;
    /* Runs of stages in order; asking for the last of a run makes the streamed ones before it. */
    for (size_t i = 0; i <= last; i++)
        if (run->stages[i].out_rows == run->stages[i].out_side)
            make_rows(run, i, run->stages[i].out_side);
    head(run, &run->stages[last], embedding);
}
