/*
 * Contexts and batches: one embedding whatever the way in, the memory, the threads, the tables and
 * the caller's floating-point environment; and the promised memory.
 */
#include "minisim.h"
#include "net/watch.h"
#include "support.h"

#include <fenv.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include <cmocka.h>

enum { side = 64, pictures = 40, dimension = 1280 };

static minisim_model *model;
static uint8_t *weights; /* its file */
static size_t weights_size;
static uint8_t *squares[pictures]; /* [side][side][3] */
static float expected[pictures][dimension];

static minisim_pixels pixels_of(const uint8_t *square) {
    return (minisim_pixels){.pixels = square, .width = side, .height = side, .format = MINISIM_RGB};
}

static minisim_context *open_context(const minisim_context_options *options) {
    minisim_context *context;
    minisim_error error;
    if (minisim_context_open(model, options, &context, &error))
        fail_msg("%s", error.text);
    return context;
}

static int open_model(void **state) {
    (void)state;
    uint64_t seed = 11;
    weights = make_weights(
        &(struct recipe){.width = 0.35, .input_size = side, .type = 0, .batch_norm = true},
        &weights_size);
    if (minisim_model_open_memory(weights, weights_size, NULL, &model, NULL))
        return -1;
    minisim_context *context = open_context(NULL);
    for (size_t p = 0; p < pictures; p++) {
        squares[p] = malloc(side * side * 3);
        for (size_t i = 0; squares[p] && i < side * side * 3; i++)
            squares[p][i] = (uint8_t)next_random(&seed);
        minisim_pixels pixels = pixels_of(squares[p]);
        if (minisim_embed_pixels(context, &pixels, expected[p]))
            return -1;
    }
    minisim_context_close(context);
    return memcmp(expected[0], expected[1], sizeof expected[0]) == 0 ? -1 : 0;
}

static int close_model(void **state) {
    (void)state;
    for (size_t p = 0; p < pictures; p++)
        free(squares[p]);
    minisim_model_close(model);
    free(weights);
    return 0;
}

/* A picture as a PPM file in memory. */
static size_t make_ppm(const uint8_t *square, uint8_t *ppm) {
    int header = sprintf((char *)ppm, "P6 %d %d 255\n", side, side);
    memcpy(ppm + header, square, side * side * 3);
    return (size_t)header + side * side * 3;
}

static void every_way_in(void **state) {
    (void)state;
    uint8_t ppm[side * side * 3 + 64];
    float got[dimension];
    size_t size = make_ppm(squares[0], ppm);
    minisim_context *context = open_context(NULL);
    assert_int_equal(minisim_embed_memory(context, ppm, size, NULL, got), MINISIM_OK);
    assert_memory_equal(got, expected[0], sizeof got);
    char path[] = "/tmp/minisim-test-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(ppm, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    memset(got, 0, sizeof got);
    assert_int_equal(minisim_embed_file(context, path, NULL, got), MINISIM_OK);
    assert_memory_equal(got, expected[0], sizeof got);
    remove(path);
    /* A failure leaves the embedding alone, says why, and the context goes on. */
    assert_int_equal(minisim_embed_file(context, path, NULL, got), MINISIM_BAD_FILE);
    assert_non_null(strstr(minisim_context_error(context), "No such file"));
    assert_memory_equal(got, expected[0], sizeof got);
    assert_int_equal(minisim_embed_memory(context, "hello world", 11, NULL, got),
                     MINISIM_NO_PICTURE);
    assert_non_null(strstr(minisim_context_error(context), "text"));
    assert_int_equal(minisim_embed_memory(context, ppm, size - 1, NULL, got), MINISIM_BAD_PICTURE);
    assert_int_equal(minisim_embed_memory(context, ppm, size, NULL, got), MINISIM_OK);
    assert_string_equal(minisim_context_error(context), "");
    minisim_context_close(context);
    assert_int_equal(minisim_embed_file(NULL, path, NULL, got), MINISIM_BAD_ARGUMENT);
    assert_string_equal(minisim_context_error(NULL), "no context");
}

/* What a watcher saw. */
struct seen {
    size_t count;
    char names[1024];
    const uint8_t *file, *square; /* what must come */
    size_t file_size;
    float embedding[dimension];
};

static void see(void *user, const struct ms_watched *value) {
    struct seen *s = user;
    size_t length = strlen(s->names);
    const size_t pixels = side * side * 3;
    snprintf(s->names + length, sizeof s->names - length, "%s ", value->name);
    s->count++;
    if (strcmp(value->name, "file") == 0) {
        assert_true(value->rank == 1 && value->shape[0] == s->file_size && !value->is_float);
        assert_memory_equal(value->values, s->file, s->file_size);
    } else if (!value->is_float) { /* decoded, resized: they are the same here */
        assert_true(value->rank == 3 && ms_watched_count(value) == pixels);
        assert_memory_equal(value->values, s->square, pixels);
    } else if (strcmp(value->name, "input") == 0) {
        const float *input = value->values; /* mean and std are a half */
        assert_int_equal(ms_watched_count(value), pixels);
        for (size_t i = 0; i < pixels; i++)
            assert_true(input[i] == (float)((s->square[i] / 255.0 - 0.5) / 0.5));
    } else if (strcmp(value->name, "embedding") == 0) {
        memcpy(s->embedding, value->values, sizeof s->embedding);
    }
}

/* A watched context shows all values in order, and embeds as before. */
static void watched(void **state) {
    (void)state;
    static const char first[] = "file decoded resized input stem block.0.depthwise block.0.project "
                                "block.1.expand ";
    uint8_t ppm[side * side * 3 + 64];
    float got[dimension];
    struct seen seen = {.file = ppm, .square = squares[0], .file_size = make_ppm(squares[0], ppm)};
    minisim_context *context = open_context(NULL);
    ms_context_watch(context, (struct ms_watcher){see, &seen});
    assert_int_equal(minisim_embed_memory(context, ppm, seen.file_size, NULL, got), MINISIM_OK);
    assert_memory_equal(got, expected[0], sizeof got);
    assert_memory_equal(seen.embedding, expected[0], sizeof got);
    assert_memory_equal(seen.names, first, sizeof first - 1);
    assert_non_null(strstr(seen.names, " block.16.project head embedding "));
    assert_int_equal(seen.count, 4 + 1 + 17 * 3 - 1 + 2);
    /* Pixels of the caller's own begin at the square; what fails ends where it fails. */
    minisim_pixels pixels = pixels_of(squares[0]);
    seen.names[0] = '\0';
    assert_int_equal(minisim_embed_pixels(context, &pixels, got), MINISIM_OK);
    assert_memory_equal(seen.names, "resized input stem ", 19);
    seen.names[0] = '\0';
    seen.file_size -= 1;
    assert_int_equal(minisim_embed_memory(context, ppm, seen.file_size, NULL, got),
                     MINISIM_BAD_PICTURE);
    assert_string_equal(seen.names, "file ");
    ms_context_watch(context, (struct ms_watcher){0});
    assert_int_equal(minisim_embed_pixels(context, &pixels, got), MINISIM_OK);
    assert_memory_equal(got, expected[0], sizeof got);
    assert_string_equal(seen.names, "file ");
    minisim_context_close(context);
}

/* The hash is over little-endian bytes, whatever the machine. */
static void hash_of_a_value(void **state) {
    (void)state;
    static const float ones[17] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -2};
    char hash[65];
    ms_watched_hash(&(struct ms_watched){"x", true, 3, {1, 17, 1}, ones}, hash);
    assert_string_equal(hash, "ff0a3ae12aa021f0551c2bf81a271ac645bcd6f8c20ab46ed1833aa271c2e8a6");
    ms_watched_hash(&(struct ms_watched){"x", false, 1, {3}, "abc"}, hash);
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void limits(void **state) {
    (void)state;
    uint8_t ppm[side * side * 3 + 64];
    float got[dimension];
    size_t size = make_ppm(squares[0], ppm);
    minisim_context_options options[3] = {
        {.size = sizeof *options, .max_pixels = side * side - 1},
        {.size = sizeof *options, .max_memory = 4000},
        {.size = sizeof *options, .max_file_size = size - 1},
    };
    static const char *const names[3] = {"pixels, more than the limit of 4095",
                                         "bytes of memory, more than the limit of 4000",
                                         "a file of 12301 bytes, more than the limit of 12300"};
    for (size_t i = 0; i < 3; i++) {
        minisim_context *context = open_context(&options[i]);
        assert_int_equal(minisim_embed_memory(context, ppm, size, NULL, got), MINISIM_BAD_PICTURE);
        assert_non_null(strstr(minisim_context_error(context), names[i]));
        minisim_context_close(context);
    }
}

static void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The budget is one: whatever the limit, a picture is embedded or refused by both numbers, never
 * for lack of memory, as a file and as bytes. */
static void memory_limits(void **state) {
    (void)state;
    enum { width = 150, height = 100 };
    static uint8_t ppm[32 + width * height * 3];
    float got[dimension];
    size_t size = (size_t)sprintf((char *)ppm, "P6 %d %d 255\n", width, height);
    size += width * height * 3;
    char path[] = "/tmp/minisim-test-XXXXXX";
    close(mkstemp(path));
    write_file(path, ppm, size);
    for (int resample = MINISIM_BILINEAR; resample <= MINISIM_STB; resample++) {
        size_t refused[2] = {0, 0}, tries = 0;
        for (size_t limit = 64; limit < 250000; limit += 631, tries++) {
            minisim_context_options options = {.size = sizeof options,
                                               .resample = (minisim_resample)resample,
                                               .max_memory = limit == 64 ? size : limit};
            minisim_context *context = open_context(&options);
            for (int from_file = 0; from_file < 2; from_file++) {
                minisim_status status = from_file
                                            ? minisim_embed_file(context, path, NULL, got)
                                            : minisim_embed_memory(context, ppm, size, NULL, got);
                assert_true(status == MINISIM_OK || status == MINISIM_BAD_PICTURE);
                refused[from_file] += status != MINISIM_OK;
                if (status)
                    assert_non_null(strstr(minisim_context_error(context), "more than the limit"));
            }
            minisim_context_close(context);
        }
        assert_true(refused[0] > 0 && refused[1] == refused[0] && refused[1] < tries);
    }
    remove(path);
}

/* Cropped by stb, a line of pixels becomes a picture of gigabytes. */
static void long_and_thin_by_stb(void **state) {
    (void)state;
    static uint8_t pgm[32 + 65500];
    float got[dimension];
    size_t size = (size_t)sprintf((char *)pgm, "P5 65500 1 255\n") + 65500;
    minisim_context_options options = {.size = sizeof options,
                                       .geometry = MINISIM_CROP,
                                       .crop_size = 256,
                                       .resample = MINISIM_STB};
    minisim_context *context = open_context(&options);
    assert_int_equal(minisim_embed_memory(context, pgm, size, NULL, got), MINISIM_BAD_PICTURE);
    assert_non_null(strstr(minisim_context_error(context), "stb_image_resize cannot"));
    minisim_context_close(context);
}

static void memory_handed_over(void **state) {
    (void)state;
    size_t bytes;
    float got[dimension];
    minisim_context *context;
    minisim_error error;
    assert_int_equal(minisim_context_size(model, NULL, &bytes, &error), MINISIM_OK);
    void *memory = aligned_alloc(64, bytes);
    assert_non_null(memory);
    memset(memory, 0xff, bytes);
    minisim_context_options options = {
        .size = sizeof options, .memory = memory, .memory_size = bytes};
    assert_int_equal(minisim_context_open(model, &options, &context, &error), MINISIM_OK);
    minisim_pixels pixels = pixels_of(squares[3]);
    assert_int_equal(minisim_embed_pixels(context, &pixels, got), MINISIM_OK);
    assert_memory_equal(got, expected[3], sizeof got);
    minisim_context_close(context);
    options.memory_size = bytes - 1;
    assert_int_equal(minisim_context_open(model, &options, &context, &error),
                     MINISIM_OUT_OF_MEMORY);
    free(memory);
}

/* A team's members inherit the floating-point environment of whoever opens the context. */
static void shared_by_threads(void **state) {
    (void)state;
    enum { guard = 64 };
    static const uint32_t counts[] = {1, 2, 3, 7, 64};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t bytes;
        float got[dimension];
        minisim_context *context;
        minisim_context_options options = {.size = sizeof options, .threads = counts[i]};
        assert_int_equal(minisim_context_size(model, &options, &bytes, NULL), MINISIM_OK);
        uint8_t *memory = aligned_alloc(64, bytes + guard);
        assert_non_null(memory);
        memset(memory, 0xff, bytes + guard);
        options.memory = memory;
        options.memory_size = bytes;
        fesetround(FE_DOWNWARD);
        assert_int_equal(minisim_context_open(model, &options, &context, NULL), MINISIM_OK);
        fesetround(FE_TONEAREST);
        for (size_t square = 0; square < 4; square++) {
            minisim_pixels pixels = pixels_of(squares[square]);
            assert_int_equal(minisim_embed_pixels(context, &pixels, got), MINISIM_OK);
            assert_memory_equal(got, expected[square], sizeof got);
        }
        minisim_context_close(context);
        for (size_t at = bytes; at < bytes + guard; at++)
            assert_int_equal(memory[at], 0xff);
        free(memory);
    }
    minisim_context_options options = {.size = sizeof options, .threads = 65};
    minisim_context *context;
    assert_int_equal(minisim_context_open(model, &options, &context, NULL), MINISIM_BAD_ARGUMENT);
}

/* Rounds upward, flushes to zero, takes denormals for zero. */
static void enter_worst_environment(void) {
    fesetround(FE_UPWARD);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

/* It was left as it was. */
static void leave_worst_environment(void) {
    int rounding = fegetround();
#if defined(__SSE__)
    unsigned flushing = _mm_getcsr() & 0x8040;
    _mm_setcsr(_mm_getcsr() & ~0x8040u);
    assert_int_equal(flushing, 0x8040);
#endif
    fesetround(FE_TONEAREST);
    assert_int_equal(rounding, FE_UPWARD);
}

static void any_float_environment(void **state) {
    (void)state;
    float got[dimension];
    minisim_context *context = open_context(NULL);
    minisim_pixels pixels = pixels_of(squares[0]);
    enter_worst_environment();
    minisim_status status = minisim_embed_pixels(context, &pixels, got);
    leave_worst_environment();
    assert_int_equal(status, MINISIM_OK);
    assert_memory_equal(got, expected[0], sizeof got);
    minisim_context_close(context);
}

struct feed {
    minisim_pixels pixels[pictures];
    size_t next, rows, stop_after;
    int failures;
};

static int next_input(void *user, minisim_input *input) {
    struct feed *feed = user;
    if (feed->next == pictures)
        return 0;
    feed->pixels[feed->next] = pixels_of(squares[feed->next]);
    if (feed->next % 7 == 6)
        feed->pixels[feed->next].width = 0; /* a picture that fails */
    input->pixels = &feed->pixels[feed->next];
    input->tag = squares[feed->next++];
    return 1;
}

static int take_row(void *user, const minisim_row *row) {
    struct feed *feed = user;
    bool fails = feed->rows % 7 == 6;
    if (row->index != feed->rows || row->input->tag != squares[feed->rows] ||
        (row->status != MINISIM_OK) != fails || (row->embedding == NULL) != fails ||
        (row->error[0] != '\0') != fails ||
        (!fails && memcmp(row->embedding, expected[feed->rows], sizeof expected[0]) != 0))
        feed->failures++;
    return ++feed->rows == feed->stop_after;
}

static void batches(void **state) {
    (void)state;
    minisim_context *contexts[4];
    for (size_t i = 0; i < 4; i++)
        contexts[i] = open_context(NULL);
    for (size_t threads = 1; threads <= 4; threads++) {
        struct feed feed = {.stop_after = SIZE_MAX};
        assert_int_equal(minisim_embed_batch(contexts, threads, next_input, take_row, &feed),
                         MINISIM_OK);
        assert_int_equal(feed.rows, pictures);
        assert_int_equal(feed.failures, 0);
        struct feed cut = {.stop_after = 5};
        assert_int_equal(minisim_embed_batch(contexts, threads, next_input, take_row, &cut),
                         MINISIM_CANCELLED);
        assert_int_equal(cut.rows, 5);
        assert_int_equal(cut.failures, 0);
    }
    /* One context is one thread's: twice in a batch is refused. */
    struct feed none = {.stop_after = SIZE_MAX};
    minisim_context *twice[3] = {contexts[0], contexts[1], contexts[0]};
    assert_int_equal(minisim_embed_batch(twice, 3, next_input, take_row, &none),
                     MINISIM_BAD_ARGUMENT);
    assert_int_equal(none.next, 0);
    for (size_t i = 0; i < 4; i++)
        minisim_context_close(contexts[i]);
}

/* Threads of a batch inherit what they are started with; a model is folded under it. */
static void any_environment_elsewhere(void **state) {
    (void)state;
    minisim_model *other;
    minisim_context *contexts[3];
    char id[65], other_id[65];
    struct feed feed = {.stop_after = SIZE_MAX};
    for (size_t i = 0; i < 3; i++)
        contexts[i] = open_context(NULL);
    enter_worst_environment();
    minisim_status status = minisim_embed_batch(contexts, 3, next_input, take_row, &feed);
    minisim_status opened = minisim_model_open_memory(weights, weights_size, NULL, &other, NULL);
    leave_worst_environment();
    assert_int_equal(status, MINISIM_OK);
    assert_int_equal(feed.rows, pictures);
    assert_int_equal(feed.failures, 0);
    assert_int_equal(opened, MINISIM_OK);
    assert_int_equal(minisim_context_embedding_id(contexts[0], id), MINISIM_OK);
    for (size_t i = 0; i < 3; i++)
        minisim_context_close(contexts[i]);
    assert_int_equal(minisim_context_open(other, NULL, &contexts[0], NULL), MINISIM_OK);
    assert_int_equal(minisim_context_embedding_id(contexts[0], other_id), MINISIM_OK);
    assert_string_equal(id, other_id);
    minisim_context_close(contexts[0]);
    minisim_model_close(other);
}

/* Whatever a call was refused for, the next one gives what it always gives. */
static void used_after_errors(void **state) {
    (void)state;
    uint8_t ppm[side * side * 3 + 64];
    float got[dimension];
    size_t size = make_ppm(squares[0], ppm);
    const minisim_region outside = {.x = side, .width = 1, .height = 1};
    const minisim_context_options options = {
        .size = sizeof options, .threads = 3, .max_memory = 20000, .max_file_size = 20000};
    minisim_pixels good = pixels_of(squares[0]), bad = {.pixels = squares[0], .width = side};
    minisim_context *context = open_context(&options);
    for (int error = 0; error < 9; error++) {
        minisim_status status =
            error == 0   ? minisim_embed_file(context, "/nowhere/x", NULL, got)
            : error == 1 ? minisim_embed_file(context, "/dev/zero", NULL, got)
            : error == 2 ? minisim_embed_memory(context, "hello world", 11, NULL, got)
            : error == 3 ? minisim_embed_memory(context, ppm, size - 1, NULL, got)
            : error == 4 ? minisim_embed_memory(context, ppm, 20001, NULL, got)
            : error == 5 ? minisim_embed_memory(context, ppm, size, &outside, got)
            : error == 6 ? minisim_embed_memory(context, "P6 99 99 255\n", 14, NULL, got)
            : error == 7 ? minisim_embed_pixels(context, &bad, got)
                         : minisim_embed_file(context, NULL, NULL, got);
        assert_int_not_equal(status, MINISIM_OK);
        assert_string_not_equal(minisim_context_error(context), "");
        assert_int_equal(minisim_embed_pixels(context, &good, got), MINISIM_OK);
        assert_string_equal(minisim_context_error(context), "");
        assert_memory_equal(got, expected[0], sizeof got);
    }
    minisim_context_close(context);
}

/* A thread that shares one model, opens another, and computes with both. */
struct user {
    pthread_t thread;
    size_t number;
    bool good;
};

static bool embeds_rightly(const minisim_model *of, size_t number) {
    float got[dimension];
    double distance = 1;
    minisim_context *context;
    minisim_context_options options = {.size = sizeof options, .threads = 1 + number % 2};
    bool good = minisim_context_open(of, &options, &context, NULL) == MINISIM_OK;
    for (size_t p = number; good && p < pictures; p += 7) {
        minisim_pixels pixels = pixels_of(squares[p]);
        good = minisim_embed_pixels(context, &pixels, got) == MINISIM_OK &&
               minisim_distance(MINISIM_COSINE, got, expected[p], dimension, &distance) ==
                   MINISIM_OK &&
               distance == 0;
    }
    minisim_context_close(context);
    return good;
}

static void *use_models(void *argument) {
    struct user *user = argument;
    minisim_model *own;
    user->good = minisim_model_open_memory(weights, weights_size, NULL, &own, NULL) == MINISIM_OK &&
                 embeds_rightly(model, user->number) && embeds_rightly(own, user->number);
    minisim_model_close(own);
    return NULL;
}

static void several_models_at_once(void **state) {
    (void)state;
    enum { users = 4 };
    struct user all[users] = {{.number = 0}};
    for (size_t i = 0; i < users; i++) {
        all[i].number = i;
        assert_int_equal(pthread_create(&all[i].thread, NULL, use_models, &all[i]), 0);
    }
    for (size_t i = 0; i < users; i++)
        pthread_join(all[i].thread, NULL);
    for (size_t i = 0; i < users; i++)
        assert_true(all[i].good);
}

static void embedding_ids(void **state) {
    (void)state;
    char id[65], other[65];
    minisim_context_options options[3] = {{.size = sizeof *options},
                                          {.size = sizeof *options, .resample = MINISIM_BICUBIC},
                                          {.size = sizeof *options, .preprocessed = 1}};
    for (size_t i = 0; i < 3; i++) {
        minisim_context *context = open_context(&options[i]);
        assert_int_equal(minisim_context_embedding_id(context, i ? other : id), MINISIM_OK);
        minisim_context_close(context);
        if (i == 1)
            assert_string_not_equal(id, other);
    }
    assert_int_equal(strlen(id), 64);
    assert_string_equal(id, other); /* what is preprocessed counts as what the weights say */
}

/* The same id on every table, although each packs its weights in its own way. */
static void ids_of_every_table(void **state) {
    (void)state;
    char ids[2][65];
    static const char *const names[2] = {"reference", NULL};
    size_t size;
    uint8_t *file = make_weights(&(struct recipe){.width = 0.35, .input_size = 32}, &size);
    for (size_t i = 0; i < 2; i++) {
        minisim_model_options options = {.size = sizeof options, .cpu = names[i]};
        minisim_model *other;
        minisim_context *context;
        assert_int_equal(minisim_model_open_memory(file, size, &options, &other, NULL), MINISIM_OK);
        assert_int_equal(minisim_context_open(other, NULL, &context, NULL), MINISIM_OK);
        assert_int_equal(minisim_context_embedding_id(context, ids[i]), MINISIM_OK);
        minisim_context_close(context);
        minisim_model_close(other);
    }
    assert_string_equal(ids[0], ids[1]);
    free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_in),
        cmocka_unit_test(limits),
        cmocka_unit_test(watched),
        cmocka_unit_test(hash_of_a_value),
        cmocka_unit_test(memory_limits),
        cmocka_unit_test(long_and_thin_by_stb),
        cmocka_unit_test(memory_handed_over),
        cmocka_unit_test(shared_by_threads),
        cmocka_unit_test(any_float_environment),
        cmocka_unit_test(batches),
        cmocka_unit_test(any_environment_elsewhere),
        cmocka_unit_test(used_after_errors),
        cmocka_unit_test(several_models_at_once),
        cmocka_unit_test(embedding_ids),
        cmocka_unit_test(ids_of_every_table),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, open_model, close_model);
}
