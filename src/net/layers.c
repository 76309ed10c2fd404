/* The network a layer at a time, each tensor whole: the way of an auditor. The kernels are the
 * same. */
#include "base/error.h"
#include "base/float_env.h"
#include "net/run.h"

#include <stdio.h>
#include <stdlib.h>

struct layers {
    const struct minisim_model *model;
    ms_layer_fn *layer;
    void *user;
    float *in, *out, *input_of_block; /* each holds the largest tensor */
};

static void pointwise(struct layers *l, const struct ms_pointwise_layer *layer, size_t pixels,
                      const float *in, float *out, const float *residual, bool relu6) {
    const struct ms_kernels *kernels = l->model->kernels;
    kernels->pointwise(&(struct ms_pointwise){.pixels = pixels,
                                              .inputs = layer->inputs,
                                              .outputs = layer->outputs,
                                              .in = in,
                                              .in_stride = layer->inputs,
                                              .out = out,
                                              .out_stride = layer->outputs,
                                              .weights = layer->weights,
                                              .panel_stride = layer->inputs * kernels->panel,
                                              .bias = layer->bias,
                                              .residual = residual,
                                              .residual_stride = layer->outputs,
                                              .relu6 = relu6});
}

static void depthwise(struct layers *l, const struct ms_stage *stage) {
    const struct ms_depthwise_layer *layer = &stage->block->depthwise;
    for (size_t y = 0; y < stage->out_side; y++) {
        struct ms_depthwise call = {.in_width = stage->in_side,
                                    .out_width = stage->out_side,
                                    .channels = layer->channels,
                                    .stride = stage->stride,
                                    .pad_left = stage->pad,
                                    .in_stride = layer->channels,
                                    .out = l->out + y * stage->out_side * layer->channels,
                                    .out_stride = layer->channels,
                                    .weights = layer->weights,
                                    .weight_stride = layer->channels,
                                    .bias = layer->bias};
        for (size_t tap = 0; tap < 3; tap++) {
            size_t row = y * stage->stride + tap - stage->pad; /* wraps above */
            if (row < stage->in_side)
                call.rows[tap] = l->in + row * stage->in_side * layer->channels;
        }
        l->model->kernels->depthwise(&call);
    }
}

/* Hands `out` to the caller and makes it the next input. */
static void report(struct layers *l, const char *name, size_t side, size_t channels) {
    float *values = l->out;
    l->layer(l->user, name, values, side, channels);
    l->out = l->in;
    l->in = values;
}

static void run_block(struct layers *l, size_t index, const struct ms_stage *stage) {
    const struct ms_block *block = stage->block;
    char name[40];
    size_t in_pixels = stage->in_side * stage->in_side;
    size_t inputs = block->expand.inputs ? block->expand.inputs : block->depthwise.channels;
    for (size_t i = 0; i < in_pixels * inputs; i++)
        l->input_of_block[i] = l->in[i];
    if (block->expand.inputs) {
        pointwise(l, &block->expand, in_pixels, l->in, l->out, NULL, true);
        snprintf(name, sizeof name, "block.%zu.expand", index);
        report(l, name, stage->in_side, block->expand.outputs);
    }
    depthwise(l, stage);
    snprintf(name, sizeof name, "block.%zu.depthwise", index);
    report(l, name, stage->out_side, block->depthwise.channels);
    pointwise(l, &block->project, stage->out_side * stage->out_side, l->in, l->out,
              block->residual ? l->input_of_block : NULL, false);
    snprintf(name, sizeof name, "block.%zu.project", index);
    report(l, name, stage->out_side, block->project.outputs);
}

static void run_layers(struct layers *l, const struct ms_stage *stages, const uint8_t *square) {
    const struct minisim_model *model = l->model;
    size_t last = model->info.blocks, side = stages[last].out_side;
    for (size_t y = 0; y < stages[0].out_side; y++)
        ms_stem_patches(model, &stages[0], square, y, l->in + y * stages[0].out_side * 27);
    pointwise(l, &model->stem, stages[0].out_side * stages[0].out_side, l->in, l->out, NULL, true);
    report(l, "stem", stages[0].out_side, model->stem.outputs);
    for (size_t i = 1; i <= last; i++)
        run_block(l, i - 1, &stages[i]);
    pointwise(l, &model->head, side * side, l->in, l->out, NULL, true);
    report(l, "head", side, model->head.outputs);
    ms_average(l->in, side * side, model->head.outputs, l->out);
    report(l, "embedding", 1, model->head.outputs);
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Floats of the largest tensor of any layer. */
static size_t largest_tensor(const struct minisim_model *model, const struct ms_stage *stages) {
    size_t most = stages[0].out_side * stages[0].out_side * larger(27, model->stem.outputs);
    for (size_t i = 1; i <= model->info.blocks; i++) {
        const struct ms_stage *s = &stages[i];
        size_t wide = larger(s->block->depthwise.channels, s->out_channels);
        most = larger(most, larger(s->in_side, s->out_side) * s->in_side * wide);
    }
    size_t side = stages[model->info.blocks].out_side;
    return larger(most, side * side * model->head.outputs);
}

minisim_status ms_run_layers(const struct minisim_model *model, const uint8_t *square,
                             ms_layer_fn *layer, void *user, minisim_error *error) {
    struct ms_plan plan;
    struct ms_float_env env;
    struct ms_stage *stages = calloc(model->info.blocks + 1, sizeof *stages);
    if (!stages)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for the list of layers");
    ms_plan_make(model, &plan, stages);
    size_t floats = largest_tensor(model, stages);
    float *memory = calloc(floats, 3 * sizeof *memory);
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
