/*
 * From a table of tensors to a network: walks the layers in the order in which a picture passes
 * them and takes each one's tensors, which must come next, be complete, and fit the layer before.
 */
#include "base/error.h"
#include "net/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the walk stands. */
struct walk {
    const struct ms_tensor *tensors;
    size_t count, next;
    struct ms_layer_tensors *layers;
    size_t layer_count;
    minisim_error *error;
};

static bool next_is(const struct walk *walk, const char *layer, const char *part) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", layer, part);
    return walk->next < walk->count && strcmp(walk->tensors[walk->next].name, name) == 0;
}

static bool layer_follows(const struct walk *walk, const char *layer) {
    size_t length = strlen(layer);
    return walk->next < walk->count &&
           strncmp(walk->tensors[walk->next].name, layer, length) == 0 &&
           walk->tensors[walk->next].name[length] == '.';
}

static minisim_status take(struct walk *walk, const char *layer, const char *part,
                           const struct ms_tensor **tensor) {
    if (walk->next == walk->count)
        return ms_fail(walk->error, MINISIM_BAD_WEIGHTS, "tensor '%s.%s' is missing", layer, part);
    if (!next_is(walk, layer, part))
        return ms_fail(walk->error, MINISIM_BAD_WEIGHTS,
                       "tensor '%s' stands where '%s.%s' is expected",
                       walk->tensors[walk->next].name, layer, part);
    *tensor = &walk->tensors[walk->next++];
    return MINISIM_OK;
}

static minisim_status misfit(const struct walk *walk, const struct ms_tensor *tensor,
                             const char *expected) {
    const uint32_t *s = tensor->shape;
    return ms_fail(walk->error, MINISIM_BAD_WEIGHTS,
                   "tensor '%s' has shape [%u, %u, %u, %u] and stride %u; %s is expected",
                   tensor->name, (unsigned)s[0], (unsigned)s[1], (unsigned)s[2], (unsigned)s[3],
                   (unsigned)tensor->stride, expected);
}

/* The tensors of one layer; `rank` and the sides behind the first are the weight's. */
static minisim_status take_layer(struct walk *walk, const char *name, uint32_t rank,
                                 uint32_t second, uint32_t third, bool spatial,
                                 const struct ms_tensor **weight) {
    static const char *const bn[4] = {"bn.gamma", "bn.beta", "bn.mean", "bn.var"};
    struct ms_layer_tensors *layer = &walk->layers[walk->layer_count++];
    minisim_status status = MINISIM_OK;
    bool normalised = next_is(walk, name, bn[0]);
    for (size_t i = 0; i < 4 && normalised && !status; i++)
        status = take(walk, name, bn[i], &layer->bn[i]);
    if (!status && next_is(walk, name, "bias"))
        status = take(walk, name, "bias", &layer->bias);
    if (!status)
        status = take(walk, name, "weight", &layer->weight);
    if (status)
        return status;
    *weight = layer->weight;
    const uint32_t *shape = layer->weight->shape;
    if (layer->weight->rank != rank || shape[1] != second || shape[2] != third ||
        shape[3] != (rank == 4 ? 3 : 0) || (layer->weight->stride != 0) != spatial) {
        char expected[80];
        snprintf(expected, sizeof expected, "[n, %u%s]%s", (unsigned)second,
                 rank == 4   ? ", 3, 3"
                 : rank == 3 ? ", 3"
                             : "",
                 spatial ? " with a stride" : "");
        return misfit(walk, layer->weight, expected);
    }
    const struct ms_tensor *vectors[5] = {layer->bn[0], layer->bn[1], layer->bn[2], layer->bn[3],
                                          layer->bias};
    for (size_t i = 0; i < 5; i++)
        if (vectors[i] && (vectors[i]->rank != 1 || vectors[i]->type != 0 ||
                           vectors[i]->shape[0] != shape[0] || vectors[i]->stride != 0))
            return misfit(walk, vectors[i], "f32, as long as the weight has output channels,");
    return MINISIM_OK;
}

static minisim_status take_block(struct walk *walk, size_t index, struct ms_block *block,
                                 size_t *channels) {
    char name[40];
    const struct ms_tensor *weight;
    minisim_status status = MINISIM_OK;
    size_t inputs = *channels, expanded = inputs;
    snprintf(name, sizeof name, "block.%zu.expand", index);
    if (index > 0 || layer_follows(walk, name)) {
        if ((status = take_layer(walk, name, 2, (uint32_t)inputs, 0, false, &weight)))
            return status;
        expanded = weight->shape[0];
        block->expand = (struct ms_pointwise_layer){.inputs = inputs, .outputs = expanded};
    }
    snprintf(name, sizeof name, "block.%zu.depthwise", index);
    if ((status = take_layer(walk, name, 3, 3, 3, true, &weight)))
        return status;
    if (weight->shape[0] != expanded)
        return misfit(walk, weight, "as many channels as the layer before it gives");
    block->depthwise = (struct ms_depthwise_layer){.channels = expanded, .stride = weight->stride};
    snprintf(name, sizeof name, "block.%zu.project", index);
    if ((status = take_layer(walk, name, 2, (uint32_t)expanded, 0, false, &weight)))
        return status;
    block->project = (struct ms_pointwise_layer){.inputs = expanded, .outputs = weight->shape[0]};
    block->residual = block->depthwise.stride == 1 && weight->shape[0] == inputs;
    *channels = weight->shape[0];
    return MINISIM_OK;
}

static bool block_follows(const struct walk *walk, size_t index) {
    char name[32];
    snprintf(name, sizeof name, "block.%zu", index);
    return layer_follows(walk, name);
}

minisim_status ms_weights_network(const struct ms_tensor *tensors, size_t count,
                                  struct minisim_model *model, struct ms_layer_tensors **layers,
                                  minisim_error *error) {
    struct walk walk = {.tensors = tensors, .count = count, .error = error};
    const struct ms_tensor *weight;
    walk.layers = *layers = calloc(MS_LAYERS_MAX, sizeof **layers);
    model->blocks = calloc(MS_BLOCKS_MAX, sizeof *model->blocks);
    if (!walk.layers || !model->blocks)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for the list of layers");
    minisim_status status = take_layer(&walk, "stem", 4, 3, 3, true, &weight);
    if (status)
        return status;
    size_t channels = weight->shape[0], stride = weight->stride, blocks = 0;
    model->stem = (struct ms_pointwise_layer){.inputs = 27, .outputs = channels};
    model->stem_stride = weight->stride;
    while (block_follows(&walk, blocks)) {
        if (blocks == MS_BLOCKS_MAX)
            return ms_fail(error, MINISIM_BAD_WEIGHTS, "more than %d blocks", MS_BLOCKS_MAX);
        if ((status = take_block(&walk, blocks, &model->blocks[blocks], &channels)))
            return status;
        stride *= model->blocks[blocks++].depthwise.stride;
        if (stride > model->info.input_size)
            break;
    }
    if (blocks == 0)
        return ms_fail(error, MINISIM_BAD_WEIGHTS, "the network has no block: '%s' stands there",
                       walk.next < count ? tensors[walk.next].name : "nothing");
    if (model->info.input_size % stride)
        return ms_fail(error, MINISIM_BAD_WEIGHTS,
                       "the strides' product is %zu, of which the input size %u is no multiple",
                       stride, (unsigned)model->info.input_size);
    if ((status = take_layer(&walk, "head", 2, (uint32_t)channels, 0, false, &weight)))
        return status;
    model->head = (struct ms_pointwise_layer){.inputs = channels, .outputs = weight->shape[0]};
    if (layer_follows(&walk, "classifier")) {
        if ((status = take_layer(&walk, "classifier", 2, weight->shape[0], 0, false, &weight)))
            return status;
        model->classifier =
            (struct ms_pointwise_layer){.inputs = model->head.outputs, .outputs = weight->shape[0]};
    }
    if (walk.next != count)
        return ms_fail(error, MINISIM_BAD_WEIGHTS, "tensor '%s' is unknown",
                       tensors[walk.next].name);
    model->info.blocks = (uint32_t)blocks;
    return MINISIM_OK;
}
