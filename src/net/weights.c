/*
 * The second part of a weights file: the data. Each row of a weight (one output channel) is read,
 * folded with its BatchNorm in double and packed into panels at once, so nothing is held twice.
 * Beside that, the largest magnitude that any value can reach is carried through the network:
 * weights that could overflow are refused, so no picture can ever make an infinity or a NaN.
 */
#include "net/weights.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/large.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Refills the buffer of a reader that reads a file. */
static minisim_status refill(struct ms_weights_reader *reader) {
    uint64_t left = reader->size - reader->position;
    size_t part = left < MS_WEIGHTS_BUFFER ? (size_t)left : MS_WEIGHTS_BUFFER;
    minisim_status status = ms_file_read(reader->descriptor, reader->buffer, part, reader->error);
    reader->buffered = part;
    reader->taken = 0;
    return status;
}

minisim_status ms_weights_take(struct ms_weights_reader *reader, void *to, size_t size) {
    if (size > reader->size - reader->position)
        return ms_fail(reader->error, MINISIM_BAD_WEIGHTS, "the file ends early");
    for (size_t done = 0; done < size;) {
        size_t part = size - done;
        const uint8_t *from = reader->bytes + reader->position;
        if (reader->descriptor >= 0) {
            minisim_status status = reader->taken == reader->buffered ? refill(reader) : MINISIM_OK;
            if (status)
                return status;
            if (part > reader->buffered - reader->taken)
                part = reader->buffered - reader->taken;
            from = reader->buffer + reader->taken;
            reader->taken += part;
        }
        memcpy((uint8_t *)to + done, from, part);
        reader->position += part;
        done += part;
    }
    reader->checksum = reader->kernels->crc32c(reader->checksum, to, size);
    return MINISIM_OK;
}

minisim_status ms_weights_skip(struct ms_weights_reader *reader, uint64_t offset) {
    while (reader->position < offset) {
        uint8_t byte;
        minisim_status status = ms_weights_take(reader, &byte, 1);
        if (status)
            return status;
        if (byte != 0)
            return ms_fail(reader->error, MINISIM_BAD_WEIGHTS,
                           "a byte between the tensors, at %llu, is not zero",
                           (unsigned long long)reader->position - 1);
    }
    return MINISIM_OK;
}

/* Takes the rest of the file, so that its checksum can be told. */
static minisim_status drain(struct ms_weights_reader *reader, uint8_t *buffer, size_t size) {
    while (reader->position < reader->size) {
        uint64_t left = reader->size - reader->position;
        minisim_status status = ms_weights_take(reader, buffer, left < size ? (size_t)left : size);
        if (status)
            return status;
    }
    return MINISIM_OK;
}

/* Working memory of the fold: one layer's vectors, one row of weights. */
struct fold {
    struct ms_weights_reader *reader;
    double epsilon;
    double bound; /* no input value of the layer at hand is larger than this */
    float bn[4][MS_CHANNELS_MAX], bias[MS_CHANNELS_MAX], scale[MS_CHANNELS_MAX];
    float rows[MS_LANES_MAX * MS_CHANNELS_MAX]; /* of one panel */
    uint8_t raw[2 * MS_LANES_MAX * MS_CHANNELS_MAX];
};

static minisim_status not_finite(struct fold *fold, const char *name) {
    return ms_fail(fold->reader->error, MINISIM_BAD_WEIGHTS,
                   "tensor '%s' holds, or gives, a value that is not finite", name);
}

static minisim_status read_floats(struct fold *fold, float *to, size_t n, const char *name) {
    minisim_status status = ms_weights_take(fold->reader, fold->raw, 4 * n);
    for (size_t i = 0; i < n && !status; i++) {
        to[i] = ms_load_f32(fold->raw + 4 * i);
        if (!isfinite(to[i]))
            return not_finite(fold, name);
    }
    return status;
}

static minisim_status read_vector(struct fold *fold, const struct ms_tensor *tensor, float *to) {
    minisim_status status = ms_weights_skip(fold->reader, tensor->offset);
    return status ? status : read_floats(fold, to, tensor->shape[0], tensor->name);
}

/* BatchNorm's vectors and the bias, or what stands for them; the folded bias ends in fold->bias. */
static minisim_status read_vectors(struct fold *fold, const struct ms_layer_tensors *layer) {
    size_t outputs = layer->weight->shape[0];
    minisim_status status = MINISIM_OK;
    memset(fold->bias, 0, sizeof fold->bias);
    for (size_t i = 0; i < 4 && layer->bn[0] && !status; i++)
        status = read_vector(fold, layer->bn[i], fold->bn[i]);
    if (!status && layer->bias)
        status = read_vector(fold, layer->bias, fold->bias);
    for (size_t o = 0; o < outputs && layer->bn[0] && !status; o++) {
        double variance = (double)fold->bn[3][o] + fold->epsilon;
        if (!(variance > 0))
            return ms_fail(fold->reader->error, MINISIM_BAD_WEIGHTS,
                           "tensor '%s': variance plus epsilon of channel %zu is not above 0",
                           layer->bn[3]->name, o);
        double shifted = (double)fold->bias[o] - (double)fold->bn[2][o];
        fold->bias[o] =
            (float)((double)fold->bn[1][o] + (shifted * (double)fold->bn[0][o]) / sqrt(variance));
        if (!isfinite(fold->bias[o]))
            return not_finite(fold, layer->weight->name);
    }
    return status;
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* `count` values as the file holds them, to floats. */
static void widen(uint32_t type, const uint8_t *raw, double scale, size_t count, float *to) {
    if (type == 0)
        for (size_t k = 0; k < count; k++)
            to[k] = ms_load_f32(raw + 4 * k);
    else if (type == 1)
        for (size_t k = 0; k < count; k++)
            to[k] = ms_load_f16(raw + 2 * k);
    else
        for (size_t k = 0; k < count; k++)
            to[k] = (float)(scale * (raw[k] < 128 ? raw[k] : raw[k] - 256));
}

/* The weights of `count` output channels from o on, folded, a row each in fold->rows; *largest is
 * raised to the largest magnitude of their sums. */
static minisim_status read_rows(struct fold *fold, const struct ms_layer_tensors *layer, size_t o,
                                size_t count, size_t inputs, double *largest) {
    uint32_t type = layer->weight->type;
    size_t width = type == 0 ? 4 : type == 1 ? 2 : 1;
    uint8_t *raw = type == 0 ? (uint8_t *)fold->rows : fold->raw; /* f32 is turned in its place */
    minisim_status status = ms_weights_take(fold->reader, raw, count * inputs * width);
    for (size_t i = 0; i < count && !status; i++, raw += inputs * width) {
        float *row = fold->rows + i * inputs;
        double gamma = layer->bn[0] ? (double)fold->bn[0][o + i] : 1;
        double deviation = layer->bn[0] ? sqrt((double)fold->bn[3][o + i] + fold->epsilon) : 1;
        widen(type, raw, type == 2 ? (double)fold->scale[o + i] : 1, inputs, row);
        double sum = fold->reader->kernels->fold_row(row, inputs, gamma, deviation);
        if (!isfinite(sum))
            return not_finite(fold, layer->weight->name);
        *largest = larger(*largest, fabs((double)fold->bias[o + i]) + sum * fold->bound);
    }
    return status;
}

/* Puts the rows of `count` outputs from o on where the kernels want them: as a panel, filled up
 * with zeros, or (depthwise) tap by tap. */
static void place_rows(struct fold *fold, float *weights, size_t o, size_t count, size_t inputs,
                       size_t outputs, bool depthwise) {
    const struct ms_kernels *kernels = fold->reader->kernels;
    memset(fold->rows + count * inputs, 0, (kernels->lanes - count) * inputs * sizeof(float));
    if (!depthwise)
        kernels->pack_panel(fold->rows, inputs, weights + o * inputs);
    for (size_t k = 0; k < inputs && depthwise; k++)
        for (size_t i = 0; i < kernels->lanes; i++)
            weights[k * ms_padded(outputs) + o + i] = fold->rows[i * inputs + k];
}

/* A sum of that magnitude could overflow; half of the range is left to the rounding of sums. */
static bool too_large(double magnitude) {
    return !(magnitude < (double)FLT_MAX / 2);
}

/* A layer: `inputs` values enter each output. fold->bound becomes the largest magnitude of a sum.
 */
static minisim_status read_layer(struct fold *fold, const struct ms_layer_tensors *layer,
                                 size_t inputs, float *weights, float *bias, bool depthwise) {
    size_t outputs = layer->weight->shape[0], lanes = fold->reader->kernels->lanes;
    double largest = 0;
    minisim_status status = read_vectors(fold, layer);
    if (!status)
        status = ms_weights_skip(fold->reader, layer->weight->offset);
    if (!status && layer->weight->type == 2)
        status = read_floats(fold, fold->scale, outputs, layer->weight->name);
    memcpy(bias, fold->bias, ms_padded(outputs) * sizeof *bias);
    for (size_t o = 0; o < outputs && !status; o += lanes) {
        size_t count = outputs - o < lanes ? outputs - o : lanes;
        status = read_rows(fold, layer, o, count, inputs, &largest);
        if (!status)
            place_rows(fold, weights, o, count, inputs, outputs, depthwise);
    }
    if (!status && too_large(largest))
        return ms_fail(fold->reader->error, MINISIM_BAD_WEIGHTS,
                       "with tensor '%s' a sum could overflow", layer->weight->name);
    fold->bound = largest;
    return status;
}

static minisim_status read_pointwise(struct fold *fold, const struct ms_layer_tensors *layer,
                                     struct ms_pointwise_layer *to) {
    return read_layer(fold, layer, to->inputs, to->weights, to->bias, false);
}

static minisim_status read_block(struct fold *fold, const struct ms_layer_tensors **layer,
                                 struct ms_block *block) {
    minisim_status status = MINISIM_OK;
    double input_bound = fold->bound;
    if (block->expand.inputs) {
        status = read_pointwise(fold, (*layer)++, &block->expand);
        fold->bound = 6;
    }
    if (!status)
        status =
            read_layer(fold, (*layer)++, 9, block->depthwise.weights, block->depthwise.bias, true);
    fold->bound = 6;
    if (!status)
        status = read_pointwise(fold, (*layer)++, &block->project);
    if (block->residual)
        fold->bound += input_bound;
    if (!status && too_large(fold->bound))
        return ms_fail(fold->reader->error, MINISIM_BAD_WEIGHTS,
                       "with tensor '%s' and the block's input a sum could overflow",
                       (*layer)[-1].weight->name);
    return status;
}

static minisim_status read_data(struct fold *fold, struct minisim_model *model,
                                const struct ms_layer_tensors *layer) {
    fold->bound = 0;
    for (size_t v = 0; v < 256; v++)
        for (size_t c = 0; c < 3; c++)
            fold->bound = larger(fold->bound, fabs((double)model->table[v][c]));
    minisim_status status = read_pointwise(fold, layer++, &model->stem);
    fold->bound = 6;
    for (size_t b = 0; b < model->info.blocks && !status; b++)
        status = read_block(fold, &layer, &model->blocks[b]);
    if (!status)
        status = read_pointwise(fold, layer++, &model->head);
    fold->bound = 6;
    if (!status && model->classifier.outputs)
        status = read_pointwise(fold, layer, &model->classifier);
    return status;
}

/* Gives each layer its place in one block of memory; with NULL only counts the floats. */
static size_t place_layers(struct minisim_model *model, float *memory) {
    size_t at = 0;
    struct ms_pointwise_layer *pointwise[2 * MS_BLOCKS_MAX + 3];
    size_t n = 0;
    pointwise[n++] = &model->stem;
    for (size_t b = 0; b < model->info.blocks; b++) {
        struct ms_depthwise_layer *depthwise = &model->blocks[b].depthwise;
        size_t channels = ms_padded(depthwise->channels);
        if (memory)
            depthwise->weights = memory + at, depthwise->bias = memory + at + 9 * channels;
        at += 10 * channels;
        if (model->blocks[b].expand.inputs)
            pointwise[n++] = &model->blocks[b].expand;
        pointwise[n++] = &model->blocks[b].project;
    }
    pointwise[n++] = &model->head;
    pointwise[n++] = &model->classifier;
    for (size_t i = 0; i < n; i++) {
        size_t outputs = ms_padded(pointwise[i]->outputs);
        if (memory)
            pointwise[i]->weights = memory + at,
            pointwise[i]->bias = memory + at + outputs * pointwise[i]->inputs;
        at += outputs * (pointwise[i]->inputs + 1);
    }
    return at;
}

static void count_pointwise(const struct ms_pointwise_layer *layer, uint64_t pixels,
                            minisim_model_info *info) {
    uint64_t weights = (uint64_t)layer->inputs * layer->outputs;
    info->parameters += weights + layer->outputs;
    info->multiply_adds += weights * pixels;
}

/* Parameters after folding, and multiply-adds a picture: those of its embedding. */
static void count_work(struct minisim_model *model) {
    uint64_t side = ms_conv_size(model->info.input_size, model->stem_stride);
    count_pointwise(&model->stem, side * side, &model->info);
    for (size_t b = 0; b < model->info.blocks; b++) {
        const struct ms_block *block = &model->blocks[b];
        count_pointwise(&block->expand, side * side, &model->info);
        side = ms_conv_size((size_t)side, block->depthwise.stride);
        model->info.parameters += 10 * (uint64_t)block->depthwise.channels;
        model->info.multiply_adds += 9 * (uint64_t)block->depthwise.channels * side * side;
        count_pointwise(&block->project, side * side, &model->info);
    }
    count_pointwise(&model->head, side * side, &model->info);
}

static void name_types(struct minisim_model *model, const struct ms_layer_tensors *layers) {
    static const char *const names[3] = {"f32", "f16", "i8"};
    model->info.types = names[layers[0].weight->type];
    for (size_t i = 1; i < MS_LAYERS_MAX && layers[i].weight; i++)
        if (layers[i].weight->type != layers[0].weight->type)
            model->info.types = "mixed";
}

/* The data, once header and table are understood; what is wrong with a value is told only if the
 * checksum holds. */
static minisim_status read_checked(struct ms_weights_reader *reader, struct minisim_model *model,
                                   const struct ms_layer_tensors *layers) {
    minisim_error first = {{0}}, *error = reader->error;
    size_t floats = place_layers(model, NULL);
    struct fold *fold = malloc(sizeof *fold);
    void *memory = ms_allocate_large(floats * sizeof(float));
    if (!fold || !memory) {
        free(fold);
        free(memory);
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for %zu bytes of weights",
                       floats * sizeof(float));
    }
    model->packed = memory;
    model->info.weight_bytes = floats * sizeof(float);
    place_layers(model, memory);
    fold->reader = reader;
    fold->epsilon = model->info.epsilon;
    reader->error = &first;
    minisim_status status = read_data(fold, model, layers);
    minisim_status rest =
        status == MINISIM_BAD_FILE ? status : drain(reader, fold->raw, sizeof fold->raw);
    reader->error = error;
    free(fold);
    if (!rest && reader->checksum != reader->expected_checksum)
        return ms_fail(error, MINISIM_BAD_WEIGHTS,
                       "the file is damaged: its checksum is %08x, but its header says %08x",
                       (unsigned)reader->checksum, (unsigned)reader->expected_checksum);
    if (status || rest)
        return ms_fail(error, status ? status : rest, "%s", first.text);
    return MINISIM_OK;
}

minisim_status ms_weights_read(struct ms_weights_reader *reader, struct minisim_model *model) {
    struct ms_tensor *tensors = NULL;
    struct ms_layer_tensors *layers = NULL;
    size_t count = 0;
    model->info.file_bytes = reader->size;
    reader->kernels = model->kernels;
    minisim_status status = ms_weights_header(reader, model, &tensors, &count);
    if (!status)
        status = ms_weights_network(tensors, count, model, &layers, reader->error);
    if (!status) {
        name_types(model, layers);
        count_work(model);
        status = read_checked(reader, model, layers);
    }
    free(layers);
    free(tensors);
    return status;
}
