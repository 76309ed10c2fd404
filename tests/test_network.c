/*
 * The network: planned, fused and streamed on every table, bit for bit what it gives a layer at a
 * time with whole tensors on the reference; its memory; and the classifier.
 */
#include "base/bytes.h"
#include "net/run.h"
#include "support.h"

#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void keep_last(void *user, const char *name, const float *values, size_t side,
                      size_t channels) {
    if (strcmp(name, "embedding") == 0)
        memcpy(user, values, side * side * channels * sizeof *values);
}

static uint8_t *random_square(size_t side) {
    uint64_t seed = side;
    uint8_t *square = malloc(side * side * 3);
    assert_non_null(square);
    for (size_t i = 0; i < side * side * 3; i++)
        square[i] = (uint8_t)next_random(&seed);
    return square;
}

/* Runs the plan in memory that is poisoned, so that nothing is read before it is written. */
static void run_planned(const minisim_model *model, size_t threads, const uint8_t *square,
                        float *embedding) {
    struct ms_plan plan;
    struct ms_team team;
    size_t stage_count = model->info.blocks + 1;
    struct ms_stage *stages = calloc(stage_count, sizeof *stages);
    size_t *progress = calloc(threads * 2 * stage_count, sizeof *progress);
    assert_non_null(stages);
    assert_non_null(progress);
    ms_plan_make(model, threads, &plan, stages);
    float *memory = aligned_alloc(64, ms_plan_floats(&plan) * sizeof *memory);
    assert_non_null(memory);
    memset(memory, 0xff, ms_plan_floats(&plan) * sizeof *memory); /* NaN */
    assert_true(ms_team_open(&team, threads));
    struct ms_run run = {.model = model,
                         .plan = &plan,
                         .stages = stages,
                         .team = &team,
                         .memory = memory,
                         .progress = progress,
                         .square = square,
                         .embedding = embedding};
    ms_run_network(&run);
    ms_team_close(&team);
    free(memory);
    free(progress);
    free(stages);
}

static void check_recipe(const struct recipe *recipe) {
    size_t size;
    uint8_t *file = make_weights(recipe, &size);
    float expected[4096], got[4096];
    uint8_t *square = random_square(recipe->input_size);
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        minisim_model_options options = {.size = sizeof options, .cpu = (*t)->name};
        minisim_error error;
        minisim_model *model;
        if (minisim_model_open_memory(file, size, &options, &model, &error))
            fail_msg("%s", error.text);
        size_t bytes = minisim_model_dimension(model) * sizeof *got;
        if (*t == &ms_kernels_reference)
            assert_int_equal(ms_run_layers(model, square, keep_last, expected, NULL), MINISIM_OK);
        float largest = 0;
        for (size_t i = 0; i < bytes / sizeof *expected; i++)
            largest = expected[i] > largest ? expected[i] : largest;
        assert_true(largest > 0 && largest <= 6);
        for (size_t threads = 1; threads <= 5; threads += threads == 3 ? 2 : 1) {
            memset(got, 0xff, bytes);
            run_planned(model, threads, square, got);
            if (memcmp(got, expected, bytes) != 0)
                fail_msg("%s: %zu threads, width %g size %u padding %u type %u bn %d expand_first "
                         "%d",
                         (*t)->name, threads, recipe->width, (unsigned)recipe->input_size,
                         (unsigned)recipe->padding, (unsigned)recipe->type, recipe->batch_norm,
                         recipe->expand_first);
        }
        minisim_model_close(model);
    }
    free(square);
    free(file);
}

static void every_size(void **state) {
    (void)state;
    for (uint32_t size = 32; size <= 224; size += 32)
        for (uint32_t padding = 0; padding < 2; padding++)
            check_recipe(&(struct recipe){.width = 0.35,
                                          .input_size = size,
                                          .padding = padding,
                                          .batch_norm = padding == 0,
                                          .expand_first = size % 64 == 0});
}

static void every_width(void **state) {
    (void)state;
    static const double widths[] = {0.35, 0.5, 0.75, 1.0, 1.3, 1.4};
    for (size_t w = 0; w < 6; w++)
        for (uint32_t type = 0; type < 3; type++)
            check_recipe(&(struct recipe){.width = widths[w],
                                          .input_size = 64,
                                          .padding = (uint32_t)w % 2,
                                          .type = type,
                                          .batch_norm = type != 1});
}

static void large_pictures(void **state) {
    (void)state;
    check_recipe(&(struct recipe){.width = 1.0, .input_size = 224, .batch_norm = true});
    check_recipe(&(struct recipe){.width = 0.35, .input_size = 512, .padding = 1});
}

/* The promise of design and README: at most 1.3 MB for the network at width 1.0 and 224. */
static void memory_of_the_plan(void **state) {
    (void)state;
    size_t size, bytes;
    uint8_t *file =
        make_weights(&(struct recipe){.width = 1.0, .input_size = 224, .type = 2}, &size);
    minisim_model *model;
    assert_int_equal(minisim_model_open_memory(file, size, NULL, &model, NULL), MINISIM_OK);
    struct ms_plan plan;
    struct ms_stage stages[18];
    ms_plan_make(model, 1, &plan, stages);
    bytes = ms_plan_floats(&plan) * sizeof(float);
    printf("# width 1.0 at 224: %zu bytes for the network\n", bytes);
    assert_true(bytes <= 1300000);
    minisim_model_close(model);
    free(file);
}

/* The chain of src/NUMBERS.md, from the file's last two tensors: the f32 bias and weight. */
static void expected_logits(const uint8_t *file, size_t size, size_t classes, size_t n,
                            const float *embedding, float *logits) {
    const uint8_t *weights = file + size - 4 * classes * n;
    const uint8_t *bias = weights - (4 * classes + 63) / 64 * 64;
    for (size_t o = 0; o < classes; o++) {
        logits[o] = ms_load_f32(bias + 4 * o);
        for (size_t k = 0; k < n; k++)
            logits[o] = fmaf(embedding[k], ms_load_f32(weights + 4 * (o * n + k)), logits[o]);
    }
}

/* On every table, into memory that just suffices, in the worst environment, which stays. */
static void classes_of(uint32_t classes) {
    size_t size;
    struct recipe recipe = {.width = 0.35, .input_size = 32, .classes = classes};
    uint8_t *file = make_weights(&recipe, &size);
    float embedding[1280], *expected = calloc(classes, sizeof *expected);
    float *logits = malloc(classes * sizeof *logits);
    uint64_t seed = classes;
    assert_non_null(expected);
    assert_non_null(logits);
    for (size_t i = 0; i < 1280; i++)
        embedding[i] = (float)next_random(&seed) / 0x1p31f * 6;
    expected_logits(file, size, classes, 1280, embedding, expected);
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        minisim_model_options options = {.size = sizeof options, .cpu = (*t)->name};
        minisim_model *model;
        assert_int_equal(minisim_model_open_memory(file, size, &options, &model, NULL), MINISIM_OK);
        assert_int_equal(minisim_model_classes(model), classes);
        memset(logits, 0xff, classes * sizeof *logits);
        fesetround(FE_UPWARD);
        minisim_status status = minisim_classify(model, embedding, logits);
        int rounding = fegetround();
        fesetround(FE_TONEAREST);
        assert_int_equal(status, MINISIM_OK);
        assert_int_equal(rounding, FE_UPWARD);
        assert_memory_equal(logits, expected, classes * sizeof *logits);
        assert_int_equal(minisim_classify(model, NULL, logits), MINISIM_BAD_ARGUMENT);
        assert_int_equal(minisim_classify(model, embedding, NULL), MINISIM_BAD_ARGUMENT);
        minisim_model_close(model);
    }
    free(logits);
    free(expected);
    free(file);
}

static void classifier(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 5, 16, 63, 65, 1001};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        classes_of(counts[i]);
}

/* It is no part of what an embedding depends on. */
static void same_embedding_id(void **state) {
    (void)state;
    char id[2][65];
    for (uint32_t i = 0; i < 2; i++) {
        size_t size;
        struct recipe recipe = {.width = 0.35, .input_size = 32, .classes = 9 * i};
        uint8_t *file = make_weights(&recipe, &size);
        minisim_model *model;
        minisim_context *context;
        float value = 0;
        assert_int_equal(minisim_model_open_memory(file, size, NULL, &model, NULL), MINISIM_OK);
        assert_int_equal(minisim_context_open(model, NULL, &context, NULL), MINISIM_OK);
        assert_int_equal(minisim_context_embedding_id(context, id[i]), MINISIM_OK);
        if (i == 0)
            assert_int_equal(minisim_classify(model, &value, &value), MINISIM_BAD_ARGUMENT);
        minisim_context_close(context);
        minisim_model_close(model);
        free(file);
    }
    assert_string_equal(id[0], id[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),     cmocka_unit_test(every_width),
        cmocka_unit_test(large_pictures), cmocka_unit_test(memory_of_the_plan),
        cmocka_unit_test(classifier),     cmocka_unit_test(same_embedding_id)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
