/*
 * A context: the working memory of one computation, and the way of one picture through the library:
 * file -> scan -> decode -> prepare -> network -> embedding.
 */
#include "net/context.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/float_env.h"
#include "base/sha256.h"
#include "net/batch.h"
#include "net/run.h"
#include "net/watch.h"
#include "picture/decode.h"
#include "picture/prepare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct minisim_context {
    const minisim_model *model;
    struct ms_plan plan;
    struct ms_run run;
    struct ms_team team;
    struct ms_preparation preparation;
    struct ms_arena arena;
    uint64_t max_pixels, max_file_size;
    bool owns_memory;
    uint8_t *square;
    struct ms_watcher watcher;
    minisim_error error;
};

static size_t round64(size_t n) {
    return (n + 63) / 64 * 64;
}

/* The parts of a context's memory, one behind the other, each aligned to 64. */
struct layout {
    size_t stages, progress, memory, square, all;
};

static struct layout lay_out(const minisim_model *model, const struct ms_plan *plan) {
    struct layout at;
    size_t side = model->info.input_size;
    at.stages = round64(sizeof(minisim_context));
    at.progress = at.stages + round64(plan->stages * sizeof(struct ms_stage));
    at.memory = at.progress + round64(plan->threads * 2 * plan->stages * sizeof(size_t));
    at.square = at.memory + round64(ms_plan_floats(plan) * sizeof(float));
    at.all = at.square + round64(side * side * 3);
    return at;
}

/* What the options and the weights together say of the preparation. */
static minisim_status decide(const minisim_model *model, const minisim_context_options *options,
                             struct ms_preparation *p, minisim_error *error) {
    const minisim_model_info *info = &model->info;
    bool ours = options->geometry != MINISIM_GEOMETRY_FROM_WEIGHTS;
    if (options->geometry > MINISIM_PAD || options->resample > MINISIM_STB)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "an unknown geometry or resampling");
    if (options->pad_colour > 0xffffff || options->background > 0xffffff)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "a colour is above 0xffffff");
    *p = (struct ms_preparation){.size = info->input_size,
                                 .geometry = ours ? options->geometry : info->geometry,
                                 .crop_size = ours ? options->crop_size : info->crop_size,
                                 .pad_colour = ours ? options->pad_colour : info->pad_colour,
                                 .resample = options->resample ? options->resample : info->resample,
                                 .background =
                                     options->background_set ? options->background : 0xffffff,
                                 .preprocessed = options->preprocessed != 0,
                                 .ignore_orientation = options->ignore_orientation != 0,
                                 .kernels = model->kernels};
    if (p->geometry == MINISIM_CROP && p->crop_size == 0)
        p->crop_size = info->input_size / 7 * 8 + info->input_size % 7 * 8 / 7;
    if (p->geometry != MINISIM_CROP)
        p->crop_size = 0;
    if (p->geometry != MINISIM_PAD)
        p->pad_colour = 0;
    if (p->geometry == MINISIM_CROP && (p->crop_size < p->size || p->crop_size > 4096))
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "the crop size is %u, not from %u to 4096",
                       (unsigned)p->crop_size, (unsigned)p->size);
    return MINISIM_OK;
}

static minisim_status take_options(const minisim_context_options *given,
                                   minisim_context_options *options, minisim_error *error) {
    minisim_status status = ms_take_options(given, options, sizeof *options, error);
    if (status)
        return status;
    options->threads = options->threads ? options->threads : 1;
    if (options->threads > MS_TEAM_MAX)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "%u threads, more than %d",
                       (unsigned)options->threads, MS_TEAM_MAX);
    return MINISIM_OK;
}

static minisim_status context_size(const minisim_model *model,
                                   const minisim_context_options *options, size_t *bytes,
                                   minisim_error *error) {
    struct ms_plan plan;
    struct ms_stage *stages = calloc(model->info.blocks + 1, sizeof *stages);
    if (!stages)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for a plan");
    ms_plan_make(model, options->threads, &plan, stages);
    free(stages);
    *bytes = lay_out(model, &plan).all;
    return MINISIM_OK;
}

minisim_status minisim_context_size(const minisim_model *model,
                                    const minisim_context_options *given, size_t *bytes,
                                    minisim_error *error) {
    minisim_context_options options;
    if (!model || !bytes)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "no model, or no place for the size");
    minisim_status status = take_options(given, &options, error);
    return status ? status : context_size(model, &options, bytes, error);
}

/* Everything lies in `memory`, which is large enough. */
static void build(minisim_context *context, const minisim_model *model,
                  const minisim_context_options *options) {
    uint8_t *memory = (uint8_t *)context;
    /* The stages are planned where they will stay: their place does not depend on the plan. */
    struct ms_stage *stages = (struct ms_stage *)(void *)(memory + round64(sizeof *context));
    ms_plan_make(model, options->threads, &context->plan, stages);
    struct layout at = lay_out(model, &context->plan);
    context->model = model;
    context->run = (struct ms_run){.model = model,
                                   .plan = &context->plan,
                                   .stages = stages,
                                   .team = &context->team,
                                   .memory = (float *)(void *)(memory + at.memory),
                                   .progress = (size_t *)(void *)(memory + at.progress),
                                   .square = memory + at.square};
    context->square = memory + at.square;
    uint64_t limit = options->max_memory ? options->max_memory : (uint64_t)2 << 30;
    ms_arena_open(&context->arena, limit < SIZE_MAX ? (size_t)limit : SIZE_MAX);
    if (options->memory)
        ms_arena_lend(&context->arena, memory + at.all, options->memory_size - at.all);
    context->max_pixels = options->max_pixels ? options->max_pixels : 200000000;
    context->max_file_size = options->max_file_size ? options->max_file_size : (uint64_t)1 << 30;
    context->owns_memory = !options->memory;
}

minisim_status minisim_context_open(const minisim_model *model,
                                    const minisim_context_options *given, minisim_context **context,
                                    minisim_error *error) {
    struct ms_preparation preparation;
    minisim_context_options options;
    size_t bytes;
    if (!context)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "no place for the context");
    *context = NULL;
    if (!model)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "no model");
    minisim_status status = take_options(given, &options, error);
    if (!status)
        status = decide(model, &options, &preparation, error);
    if (!status)
        status = context_size(model, &options, &bytes, error);
    if (status)
        return status;
    if (options.memory && (options.memory_size < bytes || (uintptr_t)options.memory % 64 != 0))
        return ms_fail(error, MINISIM_OUT_OF_MEMORY,
                       "the memory handed over has %zu bytes; %zu are needed, aligned to 64",
                       options.memory_size, bytes);
    minisim_context *made = options.memory ? options.memory : aligned_alloc(64, bytes);
    if (!made)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for a context of %zu bytes", bytes);
    *made = (minisim_context){.preparation = preparation};
    build(made, model, &options);
    if (!ms_team_open(&made->team, options.threads)) {
        minisim_context_close(made);
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "the system does not give %u threads",
                       (unsigned)options.threads);
    }
    *context = made;
    return MINISIM_OK;
}

void minisim_context_close(minisim_context *context) {
    if (!context)
        return;
    ms_team_close(&context->team);
    if (context->owns_memory)
        free(context);
}

const minisim_model *minisim_context_model(const minisim_context *context) {
    return context->model;
}

const struct ms_preparation *ms_context_preparation(const minisim_context *context) {
    return &context->preparation;
}

const char *minisim_context_error(const minisim_context *context) {
    return context ? context->error.text : "no context";
}

minisim_status ms_context_fail(minisim_context *context, minisim_status status, const char *text) {
    return ms_fail(&context->error, status, "%s", text);
}

void ms_context_watch(minisim_context *context, struct ms_watcher watcher) {
    context->watcher = watcher;
}

/* The computing part; the arena is emptied. */
static minisim_status embed_pixels(minisim_context *context, const minisim_pixels *pixels,
                                   float *embedding) {
    struct ms_float_env env;
    ms_float_env_enter(&env);
    minisim_status status = ms_prepare_pixels(pixels, &context->preparation, &context->arena,
                                              context->square, &context->error);
    ms_arena_close(&context->arena);
    ms_float_env_leave(&env);
    if (!status && context->watcher.see)
        return ms_watch_network(&context->watcher, context->model, context->square, embedding,
                                &context->error);
    if (!status) {
        context->run.embedding = embedding;
        ms_run_network(&context->run);
    }
    return status;
}

/* What the picture will take, beside its file where we hold that: decoding, or its pixels and
 * resizing them. */
static minisim_status hold_budget(minisim_context *context, const struct ms_scan *scan,
                                  const minisim_region *region) {
    minisim_pixels pixels = ms_scan_pixels(scan);
    uint64_t prepare, most;
    char what[64];
    if (region)
        pixels.region = *region;
    minisim_status status =
        ms_prepare_memory(&pixels, &context->preparation, &prepare, &context->error);
    if (status)
        return status;
    most = scan->kept + prepare > scan->memory ? scan->kept + prepare : scan->memory;
    snprintf(what, sizeof what, "a picture of %u x %u", (unsigned)scan->width,
             (unsigned)scan->height);
    return ms_arena_require(&context->arena, most, what, &context->error);
}

static minisim_status embed_bytes(minisim_context *context, const uint8_t *bytes, size_t size,
                                  const minisim_region *region, ms_seen_fn *seen, void *user,
                                  float *embedding) {
    struct ms_scan scan;
    minisim_pixels pixels;
    minisim_error *error = &context->error;
    minisim_status status = ms_scan_picture(bytes, size, context->max_pixels, &scan, error);
    if (status != MINISIM_NO_PICTURE) /* which may be the beginning of something without an end */
        ms_watch_file(&context->watcher, bytes, size);
    if (!status && seen && seen(user, bytes, size, scan.width, scan.height))
        status = MINISIM_CANCELLED;
    if (!status && context->preparation.ignore_orientation)
        scan.orientation = 1;
    if (!status)
        status = hold_budget(context, &scan, region);
    if (!status)
        status = ms_decode_picture(bytes, size, &scan, &context->arena, &pixels, error);
    if (!status) {
        ms_watch_decoded(&context->watcher, &pixels);
        if (region)
            pixels.region = *region;
        status = embed_pixels(context, &pixels, embedding);
    }
    ms_arena_close(&context->arena);
    return status;
}

/* Clears the last error; tells a call without its arguments. */
static minisim_status begin(minisim_context *context, const void *input, const float *embedding) {
    if (!context)
        return MINISIM_BAD_ARGUMENT;
    context->error.text[0] = '\0';
    if (!input || !embedding)
        return ms_fail(&context->error, MINISIM_BAD_ARGUMENT, "no picture, or no place for it");
    return MINISIM_OK;
}

/* Holds a file's size against the limits. */
static minisim_status hold_file(minisim_context *context, uint64_t size) {
    if (size > context->max_file_size)
        return ms_fail(&context->error, MINISIM_BAD_PICTURE,
                       "a file of %llu bytes, more than the limit of %llu (max-file-size)",
                       (unsigned long long)size, (unsigned long long)context->max_file_size);
    return ms_arena_require(&context->arena, ms_arena_cost(size), "reading this file",
                            &context->error);
}

minisim_status minisim_embed_memory(minisim_context *context, const void *bytes, size_t size,
                                    const minisim_region *region, float *embedding) {
    minisim_status status = begin(context, bytes, embedding);
    if (!status)
        status = hold_file(context, size);
    if (status)
        return status;
    /* The caller's bytes count as those of a file do that is read here. */
    context->arena.used = (size_t)ms_arena_cost(size);
    status = embed_bytes(context, bytes, size, region, NULL, NULL, embedding);
    context->arena.used = 0;
    return status;
}

minisim_status minisim_embed_pixels(minisim_context *context, const minisim_pixels *pixels,
                                    float *embedding) {
    minisim_status status = begin(context, pixels, embedding);
    return status ? status : embed_pixels(context, pixels, embedding);
}

/* The file's bytes, in the arena. */
static minisim_status read_file(minisim_context *context, const char *path, uint8_t **bytes,
                                size_t *size) {
    minisim_error *error = &context->error;
    uint64_t length;
    int descriptor;
    minisim_status status = ms_file_open(path, &descriptor, &length, error);
    if (status)
        return status;
    status = hold_file(context, length);
    if (!status) {
        *size = (size_t)length;
        *bytes = ms_arena_allocate(&context->arena, *size);
        status = *bytes ? ms_file_read(descriptor, *bytes, *size, error)
                        : ms_arena_failed(&context->arena, error);
    }
    close(descriptor);
    return status;
}

minisim_status minisim_embed_file(minisim_context *context, const char *path,
                                  const minisim_region *region, float *embedding) {
    return ms_embed_seen(context, path, region, NULL, NULL, embedding);
}

minisim_status ms_embed_seen(minisim_context *context, const char *path,
                             const minisim_region *region, ms_seen_fn *seen, void *user,
                             float *embedding) {
    uint8_t *bytes;
    size_t size;
    minisim_status status = begin(context, path, embedding);
    if (status)
        return status;
    status = read_file(context, path, &bytes, &size);
    if (!status)
        status = embed_bytes(context, bytes, size, region, seen, user, embedding);
    ms_arena_close(&context->arena);
    return status;
}

/* ---- embedding id ---- */

static void add_floats(struct ms_sha256 *hash, const float *values, size_t n, size_t step) {
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[4];
        ms_store_f32(bytes, values[i * step]);
        ms_sha256_add(hash, bytes, sizeof bytes);
    }
}

/* Weights in the file's order, an output channel after the other, then the biases. */
static void add_pointwise(struct ms_sha256 *hash, const struct ms_pointwise_layer *layer,
                          size_t lanes) {
    for (size_t o = 0; o < layer->outputs; o++)
        add_floats(hash, layer->weights + o / lanes * layer->inputs * lanes + o % lanes,
                   layer->inputs, lanes);
    add_floats(hash, layer->bias, layer->outputs, 1);
}

static void add_depthwise(struct ms_sha256 *hash, const struct ms_depthwise_layer *layer) {
    for (size_t c = 0; c < layer->channels; c++)
        add_floats(hash, layer->weights + c, 9, ms_padded(layer->channels));
    add_floats(hash, layer->bias, layer->channels, 1);
}

static void add_line(struct ms_sha256 *hash, const char *key, unsigned value) {
    char line[80];
    int length = snprintf(line, sizeof line, "%s %u\n", key, value);
    ms_sha256_add(hash, line, (size_t)length);
}

/* What decides the numbers beside the weights: see src/NUMBERS.md, "Embedding id". */
static void add_facts(struct ms_sha256 *hash, const minisim_model *model,
                      const struct ms_preparation *p) {
    add_line(hash, "minisim numerics", MINISIM_NUMERICS);
    add_line(hash, "input", p->size);
    add_line(hash, "padding", model->padding);
    add_line(hash, "geometry", p->geometry);
    add_line(hash, "crop", p->crop_size);
    add_line(hash, "pad", p->pad_colour);
    add_line(hash, "resample", p->resample);
    add_line(hash, "stem", (unsigned)model->stem.outputs);
    add_line(hash, "stride", (unsigned)model->stem_stride);
    for (size_t b = 0; b < model->info.blocks; b++) {
        const struct ms_block *block = &model->blocks[b];
        add_line(hash, "expand", (unsigned)block->expand.outputs);
        add_line(hash, "stride", (unsigned)block->depthwise.stride);
        add_line(hash, "project", (unsigned)block->project.outputs);
    }
    for (size_t v = 0; v < 256; v++)
        add_floats(hash, model->table[v], 3, 1);
}

minisim_status minisim_context_embedding_id(minisim_context *context, char id[65]) {
    if (!context || !id)
        return MINISIM_BAD_ARGUMENT;
    const minisim_model *model = context->model;
    size_t lanes = model->kernels->lanes;
    struct ms_sha256 hash;
    ms_sha256_start(&hash);
    add_facts(&hash, model, &context->preparation);
    add_pointwise(&hash, &model->stem, lanes);
    for (size_t b = 0; b < model->info.blocks; b++) {
        add_pointwise(&hash, &model->blocks[b].expand, lanes);
        add_depthwise(&hash, &model->blocks[b].depthwise);
        add_pointwise(&hash, &model->blocks[b].project, lanes);
    }
    add_pointwise(&hash, &model->head, lanes);
    ms_sha256_finish(&hash, id);
    return MINISIM_OK;
}
