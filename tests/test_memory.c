/*
 * The working memory that `info` prints, measured: how far the peak resident set rises from before
 * a context is opened to after its first embedding from pixels, for width 1.0 at 224. And that it
 * does not rise however often models and contexts are opened and closed. A process of its own, so
 * that nothing else counts.
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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { sanitized = 1 }; /* that takes time and memory of its own */
#else
enum { sanitized = 0 };
#endif

/* The peak resident set in KiB; 0 where the system does not tell. */
static unsigned long peak_kib(void) {
    unsigned long kib = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    if (status)
        fclose(status);
    return kib;
}

/* Sets the peak to what is resident now; false where that cannot be done. */
static int reset_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    return file && fputs("5", file) >= 0 && fclose(file) == 0;
}

static void rise_of_the_peak(void **state) {
    (void)state;
    enum { side = 224 };
    static uint8_t pixels_of_square[side * side * 3];
    static float embedding[1280];
    size_t size, promised;
    minisim_model *model;
    minisim_context *context;
    uint8_t *file =
        make_weights(&(struct recipe){.width = 1.0, .input_size = side, .type = 2}, &size);
    assert_int_equal(minisim_model_open_memory(file, size, NULL, &model, NULL), MINISIM_OK);
    free(file);
    memset(pixels_of_square, 99, sizeof pixels_of_square);
    memset(embedding, 1, sizeof embedding);
    assert_int_equal(minisim_context_size(model, NULL, &promised, NULL), MINISIM_OK);
    if (!reset_peak()) {
        printf("# left out: the peak resident set (this system cannot reset it)\n");
        minisim_model_close(model);
        return;
    }
    unsigned long before = peak_kib();
    assert_int_equal(minisim_context_open(model, NULL, &context, NULL), MINISIM_OK);
    minisim_pixels pixels = {
        .pixels = pixels_of_square, .width = side, .height = side, .format = MINISIM_RGB};
    assert_int_equal(minisim_embed_pixels(context, &pixels, embedding), MINISIM_OK);
    unsigned long rise = peak_kib() - before;
    printf("# width 1.0 at 224: a context promises %zu bytes, the peak rose by %lu KiB\n", promised,
           rise);
    assert_true(sanitized || rise * 1024 <= 1300000);
    minisim_context_close(context);
    minisim_model_close(model);
}

/* A model of its own and a context, in turn with one picture and with a thread beside the
 * caller's; all closed again. */
static void open_and_close(const char *path, size_t times) {
    enum { side = 32 };
    static uint8_t square[side * side * 3];
    static float embedding[1280];
    minisim_context_options options = {.size = sizeof options};
    const minisim_pixels pixels = {
        .pixels = square, .width = side, .height = side, .format = MINISIM_RGB};
    for (size_t i = 0; i < times; i++) {
        minisim_model *model;
        minisim_context *context;
        options.threads = 1 + i % 2;
        assert_int_equal(minisim_model_open(path, NULL, &model, NULL), MINISIM_OK);
        assert_int_equal(minisim_context_open(model, &options, &context, NULL), MINISIM_OK);
        if (options.threads == 1)
            assert_int_equal(minisim_embed_pixels(context, &pixels, embedding), MINISIM_OK);
        minisim_context_close(context);
        minisim_model_close(model);
    }
}

/* The next descriptor to be had: it rises where one was left open. */
static int free_descriptor(void) {
    int descriptor = dup(STDIN_FILENO);
    assert_int_equal(close(descriptor), 0);
    return descriptor;
}

static void ten_thousand_times(void **state) {
    (void)state;
    char path[] = "/tmp/minisim-test-XXXXXX";
    const size_t times = sanitized ? 200 : 10000;
    size_t size;
    uint8_t *weights = make_weights(&(struct recipe){.width = 0.01, .input_size = 32}, &size);
    FILE *file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(weights, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(weights);
    int descriptor = free_descriptor();
    open_and_close(path, 100);
    reset_peak();
    unsigned long before = peak_kib();
    open_and_close(path, times);
    unsigned long rise = peak_kib() - before;
    remove(path);
    printf("# opened and closed %zu times: the peak rose by %lu KiB\n", times, rise);
    assert_int_equal(free_descriptor(), descriptor);
    assert_true(sanitized || rise <= 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rise_of_the_peak),
                                       cmocka_unit_test(ten_thousand_times)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
