/*
 * The forward pass as the paper draws it, in the order of the plan. Whole outputs are made one
 * after the other, by all members of the team: by rows, where streamed stages are asked for rows by
 * the stage after them, or by channels. Then the head, by output channels. All members meet after
 * each.
 */
#include "net/run.h"

#include "base/float_env.h"

#include <string.h>

void ms_stem_row(const struct minisim_model *model, const uint8_t *square, size_t y, float *to) {
    size_t side = model->info.input_size;
    memset(to, 0, ms_stem_row_floats(side) * sizeof *to);
    if (y >= side)
        return;
    const uint8_t *bytes = square + y * side * 3;
    for (size_t i = 0; i < 3 * side; i += 3)
#pragma GCC unroll 3
        for (size_t c = 0; c < 3; c++)
            to[3 + i + c] = model->table[bytes[i + c]][c];
}

void ms_average(const float *values, size_t pixels, size_t channels, size_t stride, float *mean) {
    for (size_t c = 0; c < channels; c++)
        mean[c] = 0;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++)
            mean[c] += values[p * stride + c];
    float scale = 1.0f / (float)pixels;
    for (size_t c = 0; c < channels; c++)
        mean[c] *= scale;
}

/* One member's view of a run. */
struct member {
    const struct ms_run *run;
    size_t number;
    size_t *made; /* [stages]: the row of output that is made next */
    size_t *read; /* [stages]: the row of input that is expanded next */
};

/* The part of `count` things, dealt out in portions of `unit`, that falls to a member: from *from
 * up to the end that is given back. */
static size_t share(const struct member *member, size_t count, size_t unit, size_t *from) {
    size_t portions = (count + unit - 1) / unit, members = member->run->team->size;
    size_t end = portions * (member->number + 1) / members * unit;
    *from = portions * member->number / members * unit;
    *from = *from < count ? *from : count;
    return end < count ? end : count;
}

/* What a member has for itself. */
static float *own(const struct member *member, size_t at) {
    const struct ms_plan *plan = member->run->plan;
    return member->run->memory + plan->shared_floats + member->number * plan->member_floats + at;
}

static bool is_whole(const struct ms_stage *stage) {
    return stage->out_rows == stage->out_side;
}

/* Where row y of a stage's output lies. */
static float *out_row(const struct member *member, const struct ms_stage *stage, size_t y) {
    float *out = is_whole(stage) ? member->run->memory + stage->out : own(member, stage->out);
    return out + y % stage->out_rows * stage->out_side * stage->channels;
}

/* Rows from y on that lie side by side in a ring of `ring_rows`, up to `end`. */
static size_t unbroken(size_t y, size_t end, size_t ring_rows) {
    size_t rows = ring_rows - y % ring_rows;
    return rows < end - y ? rows : end - y;
}

/* Input row y of the stem, which is made when it is first asked for; rows outside are zeros. */
static const float *stem_row(const struct member *member, const struct ms_stage *stage, size_t y) {
    const struct minisim_model *model = member->run->model;
    size_t floats = ms_stem_row_floats(stage->in_side);
    float *ring = own(member, stage->ring);
    if (y >= stage->in_side)
        return ring + MS_WINDOW * floats;
    for (; member->read[0] <= y; member->read[0]++)
        ms_stem_row(model, member->run->square, member->read[0],
                    ring + member->read[0] % MS_WINDOW * floats);
    return ring + y % MS_WINDOW * floats;
}

static void stem_band(const struct member *member, const struct ms_stage *stage, size_t y) {
    const struct ms_pointwise_layer *layer = &member->run->model->stem;
    struct ms_pointwise call = {.pixels = stage->out_side,
                                .inputs = 3 * MS_WINDOW,
                                .outputs = layer->outputs,
                                .runs = MS_WINDOW,
                                .in_stride = 3 * stage->stride,
                                .out = out_row(member, stage, y),
                                .out_stride = stage->channels,
                                .weights = layer->weights,
                                .bias = layer->bias,
                                .relu6 = true};
    for (size_t tap = 0; tap < MS_WINDOW; tap++) {
        size_t row = y * stage->stride + tap - stage->pad; /* wraps above */
        call.in[tap] = stem_row(member, stage, row) + 3 * (1 - stage->pad);
    }
    member->run->model->kernels->pointwise(&call);
}

/* The expanded channels first..first + count of a stage. */
struct slice {
    size_t first, count;
    float *ring; /* [ring_rows][in_side][stage->chunk] */
};

static struct slice slice_of(const struct member *member, const struct ms_stage *stage,
                             size_t first, size_t end) {
    struct slice slice = {.first = first,
                          .count = end - first < stage->chunk ? end - first : stage->chunk};
    slice.ring = own(member, stage->ring);
    if (!stage->one_band)
        slice.ring += first * stage->ring_rows * stage->in_side;
    return slice;
}

/* Expands the input rows `from` to `end` into the slice's ring. */
static void expand_rows(const struct member *member, const struct ms_stage *stage,
                        const struct slice *slice, size_t from, size_t end) {
    const struct ms_pointwise_layer *layer = &stage->block->expand;
    const struct ms_kernels *kernels = member->run->model->kernels;
    while (from < end) {
        size_t rows = unbroken(from, end, stage->ring_rows);
        rows = unbroken(from, from + rows, (stage - 1)->out_rows);
        kernels->pointwise(&(struct ms_pointwise){
            .pixels = rows * stage->in_side,
            .inputs = layer->inputs,
            .outputs = slice->count,
            .runs = 1,
            .in = {out_row(member, stage - 1, from)},
            .in_stride = (stage - 1)->channels,
            .out = slice->ring + from % stage->ring_rows * stage->in_side * stage->chunk,
            .out_stride = stage->chunk,
            .weights = layer->weights + slice->first * layer->inputs,
            .bias = layer->bias + slice->first,
            .relu6 = true});
        from += rows;
    }
}

/* Depthwise convolution of the slice: output rows `from` to `end`; `to` is where row `from` goes.
 */
static void convolve_rows(const struct member *member, const struct ms_stage *stage,
                          const struct slice *slice, size_t from, size_t end, float *to) {
    const struct ms_depthwise_layer *layer = &stage->block->depthwise;
    const float *rows[MS_STEP_ROWS_MAX];
    bool expanded = stage->ring_rows > 0;
    for (size_t i = 0; i < ms_window_rows(end - from, stage->stride); i++) {
        size_t row = from * stage->stride + i - stage->pad; /* wraps above */
        rows[i] = row >= stage->in_side ? NULL
                  : expanded ? slice->ring + row % stage->ring_rows * stage->in_side * stage->chunk
                             : out_row(member, stage - 1, row) + slice->first;
    }
    member->run->model->kernels->depthwise(
        &(struct ms_depthwise){.in_width = stage->in_side,
                               .out_width = stage->out_side,
                               .out_height = end - from,
                               .channels = slice->count,
                               .stride = stage->stride,
                               .pad_left = stage->pad,
                               .rows = rows,
                               .in_stride = expanded ? stage->chunk : stage->expanded,
                               .out = to + slice->first,
                               .out_stride = stage->expanded,
                               .out_row_stride = stage->out_side * stage->expanded,
                               .weights = layer->weights + slice->first,
                               .weight_stride = stage->expanded,
                               .bias = layer->bias + slice->first});
}

/* The input row behind the last one that output rows up to `end` need. */
static size_t input_end(const struct ms_stage *stage, size_t end) {
    size_t window_end = ms_window_rows(end, stage->stride) - stage->pad;
    return window_end < stage->in_side ? window_end : stage->in_side;
}

/* A slice's way through a band, step by step. *read is the input row to expand next. */
static void slice_band(const struct member *member, const struct ms_stage *stage,
                       const struct slice *slice, size_t from, size_t end, float *convolved,
                       size_t *read) {
    for (size_t next; from < end; from = next) {
        next = from + stage->step < end ? from + stage->step : end;
        size_t in_end = input_end(stage, next);
        if (stage->ring_rows)
            expand_rows(member, stage, slice, *read, in_end);
        *read = in_end;
        convolve_rows(member, stage, slice, from, next, convolved);
        convolved += (next - from) * stage->out_side * stage->expanded;
    }
}

/* Projects pixels that lie side by side; `input` is what entered the block, for its residual. */
static void project(const struct member *member, const struct ms_stage *stage,
                    const float *convolved, size_t pixels, float *out, const float *input) {
    const struct ms_pointwise_layer *layer = &stage->block->project;
    member->run->model->kernels->pointwise(
        &(struct ms_pointwise){.pixels = pixels,
                               .inputs = layer->inputs,
                               .outputs = layer->outputs,
                               .runs = 1,
                               .in = {convolved},
                               .in_stride = stage->expanded,
                               .out = out,
                               .out_stride = stage->channels,
                               .weights = layer->weights,
                               .bias = layer->bias,
                               .residual = stage->block->residual ? input : NULL,
                               .residual_stride = stage->channels});
}

/* Projects the convolved rows `from` to `end`. */
static void project_rows(const struct member *member, const struct ms_stage *stage, size_t from,
                         size_t end, const float *convolved) {
    while (from < end) {
        size_t rows = unbroken(from, end, stage->out_rows);
        if (stage->block->residual)
            rows = unbroken(from, from + rows, (stage - 1)->out_rows);
        project(member, stage, convolved, rows * stage->out_side, out_row(member, stage, from),
                out_row(member, stage - 1, from));
        convolved += rows * stage->out_side * stage->expanded;
        from += rows;
    }
}

static void make_rows(const struct member *member, size_t index, size_t end);

/* One band of a block by rows: all chunks, then the projection. */
static void block_band(const struct member *member, size_t index, size_t from, size_t end) {
    const struct ms_stage *stage = &member->run->stages[index];
    size_t channels = stage->block->depthwise.channels, read = member->read[index];
    float *convolved = own(member, stage->convolved);
    if (!is_whole(stage - 1))
        make_rows(member, index - 1, input_end(stage, end));
    for (size_t first = 0; first < channels; first += stage->chunk) {
        struct slice slice = slice_of(member, stage, first, channels);
        read = member->read[index];
        slice_band(member, stage, &slice, from, end, convolved, &read);
    }
    member->read[index] = read;
    project_rows(member, stage, from, end, convolved);
}

/* Makes a stage's output rows up to `end`, a band at a time. */
static void make_rows(const struct member *member, size_t index, size_t end) {
    const struct ms_stage *stage = &member->run->stages[index];
    while (member->made[index] < end) {
        size_t from = member->made[index];
        size_t to = from + stage->band < end ? from + stage->band : end;
        if (stage->block)
            block_band(member, index, from, to);
        else
            stem_band(member, stage, from);
        member->made[index] = to;
    }
}

/* A run of stages by rows, the streamed ones `first` to the whole one `last`: a member's rows of
 * the last one, and what they need of the others. */
static void run_by_rows(const struct member *member, size_t first, size_t last) {
    const struct ms_stage *stages = member->run->stages;
    size_t from, end = share(member, stages[last].out_side, 1, &from);
    for (size_t i = last + 1, row = from; i-- > first;) {
        size_t above = row * stages[i].stride;
        member->made[i] = row;
        row = member->read[i] = above > stages[i].pad ? above - stages[i].pad : 0;
    }
    if (first == 0)
        ms_stem_row(member->run->model, member->run->square, stages[0].in_side,
                    own(member, stages[0].ring) +
                        MS_WINDOW * ms_stem_row_floats(stages[0].in_side));
    if (from < end)
        make_rows(member, last, end);
}

/* A block by channels: a member's part of the expanded ones, then of the pixels. Half of what it
 * projects comes from other cores; all of it would, were the outputs split instead. */
static void run_by_channels(const struct member *member, const struct ms_stage *stage) {
    float *convolved = member->run->memory + stage->convolved;
    size_t first, end = share(member, stage->block->depthwise.channels, MS_LANES_MAX, &first);
    for (; first < end; first += stage->chunk) {
        struct slice slice = slice_of(member, stage, first, end);
        size_t read = 0;
        slice_band(member, stage, &slice, 0, stage->out_side, convolved, &read);
    }
    ms_team_meet(member->run->team);
    end = share(member, stage->out_side * stage->out_side, 1, &first);
    size_t at = first * stage->channels;
    if (first < end)
        project(member, stage, convolved + first * stage->expanded, end - first,
                out_row(member, stage, 0) + at, out_row(member, stage - 1, 0) + at);
}

/* The head, some output channels at a time, and their average. */
static void head(const struct member *member, const struct ms_stage *last) {
    const struct ms_pointwise_layer *layer = &member->run->model->head;
    const struct ms_kernels *kernels = member->run->model->kernels;
    float *chunk = own(member, 0);
    size_t pixels = last->out_side * last->out_side;
    size_t first, end = share(member, layer->outputs, MS_LANES_MAX, &first);
    for (; first < end; first += MS_HEAD_CHUNK) {
        size_t count = end - first < MS_HEAD_CHUNK ? end - first : MS_HEAD_CHUNK;
        kernels->pointwise(&(struct ms_pointwise){.pixels = pixels,
                                                  .inputs = layer->inputs,
                                                  .outputs = count,
                                                  .runs = 1,
                                                  .in = {out_row(member, last, 0)},
                                                  .in_stride = last->channels,
                                                  .out = chunk,
                                                  .out_stride = MS_HEAD_CHUNK,
                                                  .weights = layer->weights + first * layer->inputs,
                                                  .bias = layer->bias + first,
                                                  .relu6 = true});
        ms_average(chunk, pixels, count, MS_HEAD_CHUNK, member->run->embedding + first);
    }
}

/* The whole network, as one member sees it. */
static void run_member(void *argument, size_t number) {
    const struct ms_run *run = argument;
    size_t stages = run->plan->stages, first = 0;
    size_t *progress = run->progress + number * 2 * stages;
    struct member member = {
        .run = run, .number = number, .made = progress, .read = progress + stages};
    struct ms_float_env env;
    ms_float_env_enter(&env);
    for (size_t i = 0; i < stages; i++) {
        if (!is_whole(&run->stages[i]))
            continue;
        if (run->stages[i].by_channels)
            run_by_channels(&member, &run->stages[i]);
        else
            run_by_rows(&member, first, i);
        ms_team_meet(run->team);
        first = i + 1;
    }
    head(&member, &run->stages[stages - 1]);
    ms_float_env_leave(&env);
}

void ms_run_network(struct ms_run *run) {
    ms_team_run(run->team, run_member, run);
}
