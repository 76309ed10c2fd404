/*
 * The library allocates nothing after a context was opened, save what reading one picture takes.
 * And whichever allocation or thread the system refuses, alone or with all that follow, is an error
 * that leaves nothing behind. The linker hands each of them to the counters here (--wrap, in the
 * Makefile).
 */
#include "minisim.h"
#include "net/run.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
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

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);

/* The arena allocates by calloc, and nothing else in the way of a picture does. */
static atomic_size_t allocations, others, frees;

/* What was asked for since a sweep began a call; the request of which number is refused, 0: none.
 */
static atomic_size_t requests;
static size_t refused;
static bool refused_for_good;

static bool refuse(void) {
    size_t number = atomic_fetch_add(&requests, 1) + 1;
    return refused && (number == refused || (refused_for_good && number > refused));
}

static void *count(atomic_size_t *counter, void *block) {
    *counter += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size) {
    return refuse() ? NULL : count(&others, __real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size) {
    return refuse() ? NULL : count(&allocations, __real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size) {
    void *block = refuse() ? NULL : __real_realloc(old, size);
    return old ? block : count(&others, block); /* one that grows is no other */
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return refuse() ? NULL : count(&others, __real_aligned_alloc(alignment, size));
}

void __wrap_free(void *block) {
    frees += block != NULL;
    __real_free(block);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument) {
    return refuse() ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

enum { side = 32, dimension = 1280 };

static minisim_model *model;
static minisim_context *context;
static uint8_t square[side * side * 3];
static float got[dimension];
static uint8_t *weights; /* the model's file */
static size_t weights_size;

static int open_both(void **state) {
    (void)state;
    weights = make_weights(&(struct recipe){.width = 0.35, .input_size = side, .batch_norm = true},
                           &weights_size);
    minisim_context_options options = {.size = sizeof options, .threads = 2};
    minisim_status status = minisim_model_open_memory(weights, weights_size, NULL, &model, NULL);
    if (!status)
        status = minisim_context_open(model, &options, &context, NULL);
    return status ? -1 : 0;
}

static int close_both(void **state) {
    (void)state;
    minisim_context_close(context);
    minisim_model_close(model);
    free(weights);
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

/* ---- nothing granted ---- */

/* A call that closes what it opened; it leaves an embedding in `got` where that went well. */
typedef minisim_status call(const void *argument);

/*
 * Refuses each request of a call in turn. Without a refusal the call ends in `expected`; with one
 * it must say OUT_OF_MEMORY, or end just the same: a batch does with fewer threads. Gives back all
 * blocks. Returns how many requests there are.
 */
static size_t sweep(call *run, const void *argument, minisim_status expected) {
    static float whole[dimension], poison[dimension];
    size_t points = 0;
    memset(poison, 0xa5, sizeof poison);
    for (int for_good = 0; for_good < 2; for_good++)
        for (size_t number = 0;; number++) {
            memcpy(got, poison, sizeof got);
            allocations = others = frees = requests = 0;
            refused = number;
            refused_for_good = for_good;
            minisim_status status = run(argument);
            refused = 0;
            assert_int_equal(allocations + others, frees);
            if (status != expected)
                assert_int_equal(status, MINISIM_OUT_OF_MEMORY);
            assert_memory_equal(got, status ? poison : number ? whole : got, sizeof got);
            if (number == 0) {
                assert_int_equal(status, expected);
                memcpy(whole, got, sizeof got);
                points = requests;
            } else if (requests < number) {
                assert_int_equal(status, expected);
                break;
            }
        }
    return points;
}

static minisim_status open_from_memory(const void *argument) {
    minisim_model *opened;
    minisim_error error = {""};
    (void)argument;
    minisim_status status = minisim_model_open_memory(weights, weights_size, NULL, &opened, &error);
    assert_int_equal(status != MINISIM_OK, error.text[0] != '\0');
    minisim_model_close(opened);
    return status;
}

static minisim_status open_from_file(const void *path) {
    minisim_model *opened;
    minisim_error error = {""};
    minisim_status status = minisim_model_open(path, NULL, &opened, &error);
    assert_int_equal(status != MINISIM_OK, error.text[0] != '\0');
    minisim_model_close(opened);
    return status;
}

static minisim_status open_context(const void *options) {
    minisim_context *opened;
    minisim_error error = {""};
    minisim_status status = minisim_context_open(model, options, &opened, &error);
    assert_int_equal(status != MINISIM_OK, error.text[0] != '\0');
    minisim_context_close(opened);
    return status;
}

static void take_layer(void *user, const char *name, const float *values, size_t layer_side,
                       size_t channels) {
    (void)user, (void)name, (void)values, (void)layer_side, (void)channels;
}

static minisim_status run_layers(const void *pixels) {
    return ms_run_layers(model, pixels, take_layer, NULL, NULL);
}

static void models_and_contexts(void **state) {
    (void)state;
    char path[] = "/tmp/minisim-test-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(weights, 1, weights_size, file), weights_size);
    assert_int_equal(fclose(file), 0);
    minisim_context_options options = {.size = sizeof options, .threads = 4};
    print_message("# refused in turn: %zu requests of a model from memory, %zu from a file, "
                  "%zu of a context with four threads, %zu of a run layer by layer\n",
                  sweep(open_from_memory, NULL, MINISIM_OK),
                  sweep(open_from_file, path, MINISIM_OK),
                  sweep(open_context, &options, MINISIM_OK), sweep(run_layers, square, MINISIM_OK));
    remove(path);
}

/* How a picture reaches a context. */
struct way {
    minisim_context *context;
    const char *path; /* NULL: */
    const minisim_pixels *pixels;
};

static minisim_status embed(const void *argument) {
    const struct way *way = argument;
    minisim_status status = way->path ? minisim_embed_file(way->context, way->path, NULL, got)
                                      : minisim_embed_pixels(way->context, way->pixels, got);
    assert_int_equal(status != MINISIM_OK, minisim_context_error(way->context)[0] != '\0');
    return status;
}

/* Files of every kind that is read, and broken ones; l-16-bit.png is row l of the table of what
 * untrusted files did to stb. */
static const struct {
    const char *path;
    minisim_status status;
} files[] = {{"tests/fuzz/corpus/hostile/l-16-bit.png", MINISIM_OK},
             {"tests/fuzz/corpus/hostile/x-exif-loop.png", MINISIM_OK},
             {"tests/pictures/baseline.jpg", MINISIM_OK},
             {"tests/pictures/progressive.jpg", MINISIM_OK},
             {"tests/pictures/cmyk.jpg", MINISIM_OK},
             {"tests/pictures/grey.jpg", MINISIM_OK},
             {"tests/fuzz/corpus/hostile/m-triangle.pgm", MINISIM_OK},
             {"tests/fuzz/corpus/hostile/c-long-dc.jpg", MINISIM_BAD_PICTURE},
             {"tests/fuzz/corpus/hostile/x-cut-scan.jpg", MINISIM_BAD_PICTURE},
             {"tests/fuzz/corpus/hostile/f-length-286.png", MINISIM_BAD_PICTURE},
             {"tests/fuzz/corpus/hostile/i-palette.bmp", MINISIM_BAD_PICTURE},
             {"tests/fuzz/corpus/hostile/k-claims.bmp", MINISIM_BAD_PICTURE},
             {"Makefile", MINISIM_NO_PICTURE}};

static void pictures(void **state) {
    (void)state;
    size_t points = 0, of_pixels = 0;
    for (int resample = MINISIM_BILINEAR; resample <= MINISIM_STB; resample++) {
        minisim_context_options options = {.size = sizeof options,
                                           .geometry = resample == MINISIM_BICUBIC ? MINISIM_PAD
                                                                                   : MINISIM_SQUASH,
                                           .resample = (minisim_resample)resample};
        struct way way = {0};
        assert_int_equal(minisim_context_open(model, &options, &way.context, NULL), MINISIM_OK);
        /* stb's resizer refuses many sizes; it takes what is smaller than the square. */
        size_t count = resample == MINISIM_STB ? 2 : sizeof files / sizeof *files;
        for (size_t i = 0; i < count; i++) {
            way.path = files[i].path;
            points += sweep(embed, &way, files[i].status);
        }
        way.path = NULL;
        for (int format = MINISIM_RGB; format <= MINISIM_YUYV; format++) {
            minisim_pixels pixels = {.pixels = square,
                                     .width = 20,
                                     .height = 10,
                                     .format = (minisim_pixel_format)format,
                                     .orientation = 6};
            way.pixels = &pixels;
            of_pixels += sweep(embed, &way, MINISIM_OK);
        }
        minisim_context_close(way.context);
    }
    print_message("# refused in turn: %zu requests of files, %zu of pixels\n", points, of_pixels);
}

struct feed {
    size_t given, rows;
    bool failed, wrong;
};

enum { fed = 6, kinds_fed = 4 };

static int next_file(void *user, minisim_input *input) {
    struct feed *feed = user;
    input->path = files[feed->given % kinds_fed].path;
    return feed->given++ < fed;
}

/* Rows of what was refused something are as they were before, or errors. */
static int take_row(void *user, const minisim_row *row) {
    static float rows[kinds_fed][dimension];
    struct feed *feed = user;
    float *before = rows[feed->rows++ % kinds_fed];
    feed->failed = feed->failed || row->status;
    if ((row->status && row->status != MINISIM_OUT_OF_MEMORY) ||
        (row->status != MINISIM_OK) != (row->error[0] != '\0') ||
        (!row->status && refused && memcmp(row->embedding, before, sizeof rows[0]) != 0))
        feed->wrong = true;
    if (!row->status)
        memcpy(before, row->embedding, sizeof rows[0]);
    return 0;
}

static minisim_status embed_batch(const void *contexts) {
    struct feed feed = {0};
    minisim_status status =
        minisim_embed_batch((minisim_context *const *)contexts, 3, next_file, take_row, &feed);
    assert_int_equal(feed.rows, status ? 0 : fed);
    assert_false(feed.wrong);
    return feed.failed ? MINISIM_OUT_OF_MEMORY : status;
}

static void batches(void **state) {
    (void)state;
    minisim_context *contexts[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(minisim_context_open(model, NULL, &contexts[i], NULL), MINISIM_OK);
    print_message("# refused in turn: %zu requests of a batch on three threads\n",
                  sweep(embed_batch, contexts, MINISIM_OK));
    for (size_t i = 0; i < 3; i++)
        minisim_context_close(contexts[i]);
}

/* ---- catalogues ---- */

static char catalogue_folder[] = "/tmp/minisim-test-XXXXXX", catalogue_path[64];

static minisim_status fill(minisim_catalogue *c, minisim_error *error) {
    float vector[dimension];
    minisim_status status = MINISIM_OK;
    for (int i = 0; i < 5 && !status; i++) {
        for (int k = 0; k < dimension; k++)
            vector[k] = (float)((i * 31 + k * 7) % 11);
        status = minisim_catalogue_add(c, "a name", i % 2 ? "a label" : NULL, vector, NULL, error);
        if (!status && i == 2)
            status = minisim_catalogue_remove(c, 1, error);
        if (!status && i == 3)
            status = minisim_catalogue_commit(c, error);
    }
    return status;
}

/* Two queries, and a record, which goes to `vector`. */
static minisim_status ask(const minisim_catalogue *c, float *vector, minisim_error *error) {
    static float queries[2 * dimension] = {1, 2, 3, [dimension] = 4};
    minisim_search_options options = {.size = sizeof options, .threads = 3};
    minisim_hit hits[2][3];
    size_t found[2];
    char name[MINISIM_NAME_SIZE], label[MINISIM_NAME_SIZE];
    minisim_status status =
        minisim_catalogue_search(c, queries, 2, 3, &options, *hits, found, error);
    if (!status)
        assert_true(found[0] == 3 && found[1] == 3);
    return status ? status : minisim_catalogue_record(c, 3, name, label, vector, error);
}

static minisim_status open_and(const minisim_catalogue_options *options, bool fills,
                               float *vector) {
    minisim_catalogue *c;
    minisim_error error = {""};
    minisim_status status = minisim_catalogue_open(catalogue_path, options, &c, &error);
    assert_int_equal(status == MINISIM_OK, c != NULL);
    if (!status && fills)
        status = fill(c, &error);
    if (!status)
        status = ask(c, vector, &error);
    if (!status && fills)
        status = minisim_catalogue_commit(c, &error);
    assert_true(!status || error.text[0] != '\0');
    minisim_catalogue_close(c);
    return status;
}

/* Made, filled, asked while it is written, opened again, asked. */
static minisim_status use_catalogue(const void *options) {
    minisim_catalogue_options reads = *(const minisim_catalogue_options *)options;
    float vector[dimension];
    reads.writes = 0;
    unlink(catalogue_path);
    minisim_status status = open_and(options, true, vector);
    if (!status)
        status = open_and(&reads, false, vector);
    if (!status)
        memcpy(got, vector, sizeof got);
    return status;
}

static void catalogues(void **state) {
    (void)state;
    size_t points = 0;
    assert_non_null(mkdtemp(catalogue_folder));
    snprintf(catalogue_path, sizeof catalogue_path, "%s/a.msc", catalogue_folder);
    for (minisim_vector_type type = MINISIM_F32; type <= MINISIM_I8; type++) {
        minisim_catalogue_options options = {
            .size = sizeof options, .writes = 1, .dimension = dimension, .type = type};
        points += sweep(use_catalogue, &options, MINISIM_OK);
        options.dimension = 0;
        options.context = context;
        points += sweep(use_catalogue, &options, MINISIM_OK);
    }
    print_message("# refused in turn: %zu requests of catalogues\n", points);
    unlink(catalogue_path);
    assert_int_equal(rmdir(catalogue_folder), 0); /* nothing is left */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_pixels),      cmocka_unit_test(from_files),
        cmocka_unit_test(from_lent_memory), cmocka_unit_test(models_and_contexts),
        cmocka_unit_test(pictures),         cmocka_unit_test(batches),
        cmocka_unit_test(catalogues)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, open_both, close_both);
}
