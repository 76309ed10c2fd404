/* The network a layer at a time, each tensor whole: the way of an auditor. The kernels are the
 * same. */
#include "base/error.h"
#include "base/float_env.h"
#include "net/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layers {
    const struct minisim_model *model;
    ms_layer_fn *layer;
    void *user;
    float *in, *out, *input_of_block; /* each holds the largest tensor, channels filled up */
};

static void pointwise(struct layers *l, const struct ms_pointwise_layer *layer, size_t pixels,
                      const float *residual, bool relu6) {
    l->model->kernels->pointwise(
        &(struct ms_pointwise){.pixels = pixels,
                               .inputs = layer->inputs,
                               .outputs = layer->outputs,
                               .runs = 1,
                               .in = {l->in},
                               .in_stride = ms_padded(layer->inputs),
                               .out = l->out,
                               .out_stride = ms_padded(layer->outputs),
                               .weights = layer->weights,
                               .bias = layer->bias,
                               .residual = residual,
                               .residual_stride = ms_padded(layer->outputs),
                               .relu6 = relu6});
}

/* From rows of the picture in l->in, one of zeros before and one behind them. */
static void stem(struct layers *l, const struct ms_stage *stage) {
    const struct ms_pointwise_layer *layer = &l->model->stem;
    size_t row = ms_stem_row_floats(stage->in_side);
    for (size_t y = 0; y < stage->out_side; y++) {
        const float *window = l->in + (1 + y * stage->stride - stage->pad) * row;
        window += 3 * (1 - stage->pad);
        l->model->kernels->pointwise(
            &(struct ms_pointwise){.pixels = stage->out_side,
                                   .inputs = 3 * MS_WINDOW,
                                   .outputs = layer->outputs,
                                   .runs = MS_WINDOW,
                                   .in = {window, window + row, window + 2 * row},
                                   .in_stride = 3 * stage->stride,
                                   .out = l->out + y * stage->out_side * stage->channels,
                                   .out_stride = stage->channels,
                                   .weights = layer->weights,
                                   .bias = layer->bias,
                                   .relu6 = true});
    }
}

static void depthwise(struct layers *l, const struct ms_stage *stage) {
    const struct ms_depthwise_layer *layer = &stage->block->depthwise;
    for (size_t y = 0; y < stage->out_side; y++) {
        const float *rows[MS_WINDOW] = {NULL};
        for (size_t tap = 0; tap < MS_WINDOW; tap++) {
            size_t row = y * stage->stride + tap - stage->pad; /* wraps above */
            if (row < stage->in_side)
                rows[tap] = l->in + row * stage->in_side * stage->expanded;
        }
        l->model->kernels->depthwise(
            &(struct ms_depthwise){.in_width = stage->in_side,
                                   .out_width = stage->out_side,
                                   .out_height = 1,
                                   .channels = layer->channels,
                                   .stride = stage->stride,
                                   .pad_left = stage->pad,
                                   .rows = rows,
                                   .in_stride = stage->expanded,
                                   .out = l->out + y * stage->out_side * stage->expanded,
                                   .out_stride = stage->expanded,
                                   .weights = layer->weights,
                                   .weight_stride = stage->expanded,
                                   .bias = layer->bias});
    }
}

/* Makes `out` the next input, and hands it to the caller without what fills its channels up. */
static void report(struct layers *l, const char *name, size_t side, size_t channels) {
    float *values = l->out;
    l->out = l->in;
    l->in = values;
    if (channels == ms_padded(channels)) {
        l->layer(l->user, name, values, side, channels);
        return;
    }
    for (size_t p = 0; p < side * side; p++)
        memcpy(l->out + p * channels, values + p * ms_padded(channels), channels * sizeof *values);
    l->layer(l->user, name, l->out, side, channels);
}

static void run_block(struct layers *l, size_t index, const struct ms_stage *stage) {
    const struct ms_block *block = stage->block;
    char name[40];
    size_t in_pixels = stage->in_side * stage->in_side;
    if (block->residual)
        memcpy(l->input_of_block, l->in, in_pixels * stage->channels * sizeof *l->in);
    if (block->expand.inputs) {
        pointwise(l, &block->expand, in_pixels, NULL, true);
        snprintf(name, sizeof name, "block.%zu.expand", index);
        report(l, name, stage->in_side, block->expand.outputs);
    }
    depthwise(l, stage);
    snprintf(name, sizeof name, "block.%zu.depthwise", index);
    report(l, name, stage->out_side, block->depthwise.channels);
    pointwise(l, &block->project, stage->out_side * stage->out_side,
              block->residual ? l->input_of_block : NULL, false);
    snprintf(name, sizeof name, "block.%zu.project", index);
    report(l, name, stage->out_side, block->project.outputs);
}

static void run_layers(struct layers *l, const struct ms_stage *stages, const uint8_t *square) {
    const struct minisim_model *model = l->model;
    size_t last = model->info.blocks, side = stages[0].in_side;
    size_t row = ms_stem_row_floats(side);
    for (size_t y = 0; y < side + 2; y++)
        ms_stem_row(model, square, y - 1, l->in + y * row); /* wraps above */
    stem(l, &stages[0]);
    report(l, "stem", stages[0].out_side, model->stem.outputs);
    for (size_t i = 1; i <= last; i++)
        run_block(l, i - 1, &stages[i]);
    side = stages[last].out_side;
    pointwise(l, &model->head, side * side, NULL, true);
    report(l, "head", side, model->head.outputs);
    ms_average(l->in, side * side, model->head.outputs, ms_padded(model->head.outputs), l->out);
    report(l, "embedding", 1, model->head.outputs);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Floats of the largest tensor of any layer. */
static size_t largest_tensor(const struct minisim_model *model, const struct ms_stage *stages) {
    size_t most = (stages[0].in_side + 2) * ms_stem_row_floats(stages[0].in_side);
    most = larger(most, stages[0].out_side * stages[0].out_side * stages[0].channels);
    for (size_t i = 1; i <= model->info.blocks; i++) {
        const struct ms_stage *s = &stages[i];
        most = larger(most, s->in_side * s->in_side * larger(s->expanded, s->channels));
    }
    size_t side = stages[model->info.blocks].out_side;
    return larger(most, side * side * ms_padded(model->head.outputs));
}

minisim_status ms_run_layers(const struct minisim_model *model, const uint8_t *square,
                             ms_layer_fn *layer, void *user, minisim_error *error) {
    struct ms_plan plan;
    struct ms_float_env env;
    struct ms_stage *stages = calloc(model->info.blocks + 1, sizeof *stages);
    if (!stages)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for the list of layers");
    ms_plan_make(model, 1, &plan, stages);
    size_t floats = largest_tensor(model, stages);
    float *memory = aligned_alloc(64, 3 * floats * sizeof *memory);
    if (memory) {
        struct layers l = {model, layer, user, memory, memory + floats, memory + 2 * floats};
        ms_float_env_enter(&env);
        run_layers(&l, stages, square);
        ms_float_env_leave(&env);
    }
    free(stages);
    free(memory);
    return memory ? MINISIM_OK
                  : ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for whole tensors");
}
