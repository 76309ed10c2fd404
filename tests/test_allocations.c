/*
 * The library allocates nothing after a context was opened, save what reading one picture takes.
 * The linker hands each allocation of the library to the counters here (--wrap, in the Makefile).
 */
#include "minisim.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

/* The arena allocates by calloc, and nothing else in the way of a picture does. */
static size_t allocations, others, frees;

void *__wrap_malloc(size_t size) {
    others++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    allocations++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size) {
    others++;
    return __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    others++;
    return __real_aligned_alloc(alignment, size);
}

void __wrap_free(void *block) {
    frees += block != NULL;
    __real_free(block);
}

enum { side = 32, dimension = 1280 };

static minisim_model *model;
static minisim_context *context;
static uint8_t square[side * side * 3];
static float got[dimension];

static int open_both(void **state) {
    (void)state;
    size_t size;
    uint8_t *file = make_weights(&(struct recipe){.width = 0.35, .input_size = side}, &size);
    minisim_context_options options = {.size = sizeof options, .threads = 2};
    minisim_status status = minisim_model_open_memory(file, size, NULL, &model, NULL);
    if (!status)
        status = minisim_context_open(model, &options, &context, NULL);
    free(file);
    return status ? -1 : 0;
}

static int close_both(void **state) {
    (void)state;
    minisim_context_close(context);
    minisim_model_close(model);
    return 0;
}

/* Pixels of the input size take no memory at all; others what resizing them takes, given back. */
static void from_pixels(void **state) {
    (void)state;
    minisim_context_options options = {.size = sizeof options, .preprocessed = 1};
    minisim_context *as_is;
    minisim_pixels pixels = {
        .pixels = square, .width = side, .height = side, .format = MINISIM_RGB};
    assert_int_equal(minisim_context_open(model, &options, &as_is, NULL), MINISIM_OK);
    allocations = others = frees = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(minisim_embed_pixels(as_is, &pixels, got), MINISIM_OK);
    pixels.width = 0;
    assert_int_equal(minisim_embed_pixels(as_is, &pixels, got), MINISIM_BAD_ARGUMENT);
    assert_int_equal(allocations + others + frees, 0);
    minisim_context_close(as_is);
    pixels.width = side / 2;
    allocations = others = frees = 0;
    assert_int_equal(minisim_embed_pixels(context, &pixels, got), MINISIM_OK);
    assert_true(allocations > 0);
    assert_int_equal(allocations, frees);
}

/* Every block that a file takes is one of the arena's, and goes back before the call returns. */
static void from_files(void **state) {
    (void)state;
    static const char *const paths[] = {"tests/pictures/baseline.jpg",
                                        "tests/pictures/cmyk.jpg",
                                        "tests/pictures/progressive.jpg",
                                        "no such file",
                                        "tests/pictures",
                                        "Makefile"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        allocations = others = frees = 0;
        minisim_status status = minisim_embed_file(context, paths[i], NULL, got);
        assert_int_equal(status == MINISIM_OK, i < 3);
        assert_int_equal(others, 0);
        assert_int_equal(allocations, frees);
        assert_int_equal(allocations > 0, i < 3 || i == 5);
    }
}

/* What a context does not need of memory handed over serves its pictures, as long as it lasts; the
 * numbers are the same. */
static void from_lent_memory(void **state) {
    (void)state;
    static const char path[] = "tests/pictures/progressive.jpg";
    static float expected[dimension];
    size_t bytes;
    assert_int_equal(minisim_embed_file(context, path, NULL, expected), MINISIM_OK);
    assert_int_equal(minisim_context_size(model, NULL, &bytes, NULL), MINISIM_OK);
    for (size_t more = 0; more <= 1 << 20; more += 16 + more) {
        minisim_context_options options = {.size = sizeof options, .memory_size = bytes + more};
        minisim_context *lent;
        options.memory = aligned_alloc(64, (bytes + more + 63) / 64 * 64);
        assert_non_null(options.memory);
        assert_int_equal(minisim_context_open(model, &options, &lent, NULL), MINISIM_OK);
        allocations = others = frees = 0;
        for (int i = 0; i < 2; i++) {
            assert_int_equal(minisim_embed_file(lent, path, NULL, got), MINISIM_OK);
            assert_memory_equal(got, expected, sizeof got);
        }
        assert_int_equal(allocations, frees);
        assert_int_equal(allocations == 0, more > 40000);
        minisim_context_close(lent);
        free(options.memory);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(from_pixels), cmocka_unit_test(from_files),
                                       cmocka_unit_test(from_lent_memory)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, open_both, close_both);
}
