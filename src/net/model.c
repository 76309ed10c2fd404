/* The public face of a model: opening weights, and what can be asked of them. */
#include "net/model.h"

#include "base/error.h"
#include "base/file.h"
#include "base/float_env.h"
#include "net/weights.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *minisim_version(void) {
    return MINISIM_VERSION;
}

/* Reads from a prepared reader into a new model. */
static minisim_status open_model(struct ms_weights_reader *reader,
                                 const minisim_model_options *options, minisim_model **model,
                                 minisim_error *error) {
    struct ms_float_env env;
    if (options && options->size < sizeof *options)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "the options' size is not set");
    const char *cpu = options ? options->cpu : NULL;
    const struct ms_kernels *kernels = ms_kernels_choose(cpu);
    if (!kernels)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "this CPU or build has no kernels named '%s'",
                       cpu);
    minisim_model *made = calloc(1, sizeof *made);
    if (!made)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for a model");
    made->kernels = kernels;
    reader->error = error;
    ms_float_env_enter(&env);
    minisim_status status = ms_weights_read(reader, made);
    ms_float_env_leave(&env);
    if (status)
        minisim_model_close(made);
    else
        *model = made;
    return status;
}

minisim_status minisim_model_open(const char *path, const minisim_model_options *options,
                                  minisim_model **model, minisim_error *error) {
    if (!path || !model)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "no path, or no place for the model");
    *model = NULL;
    struct ms_weights_reader reader = {0};
    minisim_status status = ms_file_open(path, &reader.descriptor, &reader.size, error);
    if (status)
        return status;
    reader.buffer = malloc(MS_WEIGHTS_BUFFER);
    status = reader.buffer ? open_model(&reader, options, model, error)
                           : ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory to read weights");
    free(reader.buffer);
    close(reader.descriptor);
    return status;
}

minisim_status minisim_model_open_memory(const void *bytes, size_t size,
                                         const minisim_model_options *options,
                                         minisim_model **model, minisim_error *error) {
    if (!bytes || !model)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "no bytes, or no place for the model");
    *model = NULL;
    struct ms_weights_reader reader = {.descriptor = -1, .bytes = bytes, .size = size};
    return open_model(&reader, options, model, error);
}

void minisim_model_close(minisim_model *model) {
    if (!model)
        return;
    free(model->packed);
    free(model->facts);
    free(model->blocks);
    free(model);
}

size_t minisim_model_dimension(const minisim_model *model) {
    return model->head.outputs;
}

size_t minisim_model_classes(const minisim_model *model) {
    return model->classifier.outputs;
}

uint32_t minisim_model_input_size(const minisim_model *model) {
    return model->info.input_size;
}

const char *minisim_model_cpu(const minisim_model *model) {
    return model->kernels->name;
}

void minisim_model_fact(const minisim_model *model, size_t i, const char **key,
                        const char **value) {
    *key = *value = NULL;
    for (size_t at = 0; at < model->facts_size; i--) {
        const char *name = model->facts + at, *text = name + strlen(name) + 1;
        if (i == 0) {
            *key = name;
            *value = text;
            return;
        }
        at = (size_t)(text - model->facts) + strlen(text) + 1;
    }
}

minisim_status minisim_model_describe(const minisim_model *model, minisim_model_info *info) {
    if (!model || !info || info->size < sizeof *info)
        return MINISIM_BAD_ARGUMENT;
    *info = model->info;
    info->size = sizeof *info;
    return MINISIM_OK;
}
