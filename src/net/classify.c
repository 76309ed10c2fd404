/*
 * From an embedding to a logit for each class: one more pointwise layer, of one pixel. Kernels
 * write whole vectors, the caller's logits need not end with one: so they are made some classes at
 * a time and copied.
 */
#include "base/float_env.h"
#include "net/model.h"

#include <string.h>

enum { CLASSES_AT_A_TIME = 4 * MS_LANES_MAX };

minisim_status minisim_classify(const minisim_model *model, const float *embedding, float *logits) {
    struct ms_float_env env;
    float chunk[CLASSES_AT_A_TIME] = {0};
    if (!model || !embedding || !logits || model->classifier.outputs == 0)
        return MINISIM_BAD_ARGUMENT;
    const struct ms_pointwise_layer *layer = &model->classifier;
    ms_float_env_enter(&env);
    for (size_t first = 0; first < layer->outputs; first += CLASSES_AT_A_TIME) {
        size_t left = layer->outputs - first;
        size_t count = left < CLASSES_AT_A_TIME ? left : CLASSES_AT_A_TIME;
        model->kernels->pointwise(
            &(struct ms_pointwise){.pixels = 1,
                                   .inputs = layer->inputs,
                                   .outputs = count,
                                   .runs = 1,
                                   .in = {embedding},
                                   .in_stride = layer->inputs,
                                   .out = chunk,
                                   .out_stride = CLASSES_AT_A_TIME,
                                   .weights = layer->weights + first * layer->inputs,
                                   .bias = layer->bias + first});
        memcpy(logits + first, chunk, count * sizeof *logits);
    }
    ms_float_env_leave(&env);
    return MINISIM_OK;
}
