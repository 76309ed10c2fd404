/*
 * The catalogues of minisim.h: what is added is found, by anyone who opens the file for the same
 * vectors, and by no one else; what makes no sense is refused and changes nothing.
 */
#include "minisim.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* More queries than one pass takes, more records than one commit. */
enum { DIMENSION = 12, RECORDS = 1500, QUERIES = 70, NEAREST = 7 };

static char folder[] = "/tmp/minisim-test-public-XXXXXX", path[64];
static float vectors[RECORDS][DIMENSION];
static minisim_error error;

static int make_folder(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (size_t i = 0; i < RECORDS; i++)
        for (size_t j = 0; j < DIMENSION; j++)
            vectors[i][j] = (float)(next_random(&seed) % 2000) / 500 - 1;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.msc", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static minisim_catalogue *open_as(int writes, size_t dimension, minisim_vector_type type) {
    minisim_catalogue_options options = {
        .size = sizeof options, .writes = writes, .dimension = dimension, .type = type};
    minisim_catalogue *catalogue;
    minisim_status status = minisim_catalogue_open(path, &options, &catalogue, &error);
    if (status)
        print_message("# %s\n", error.text);
    assert_int_equal(status, MINISIM_OK);
    return catalogue;
}

static void fill(minisim_vector_type type) {
    unlink(path);
    minisim_catalogue *c = open_as(1, DIMENSION, type);
    for (uint64_t i = 0; i < RECORDS; i++) {
        char name[16];
        uint64_t id;
        snprintf(name, sizeof name, "row %u", (unsigned)i);
        assert_int_equal(
            minisim_catalogue_add(c, name, i % 2 ? "odd" : NULL, vectors[i], &id, &error),
            MINISIM_OK);
        assert_int_equal(id, i);
    }
    assert_int_equal(minisim_catalogue_remove(c, 3, &error), MINISIM_OK);
    assert_int_equal(minisim_catalogue_remove(c, 3, &error), MINISIM_OK);
    assert_int_equal(minisim_catalogue_commit(c, &error), MINISIM_OK);
    minisim_catalogue_close(c);
}

/* ---- what is there ---- */

static void records(void **state) {
    (void)state;
    char name[MINISIM_NAME_SIZE], label[MINISIM_NAME_SIZE];
    float vector[DIMENSION];
    for (int type = MINISIM_F32; type <= MINISIM_I8; type++) {
        fill((minisim_vector_type)type);
        minisim_catalogue *c = open_as(0, 0, 0);
        minisim_catalogue_info info = {.size = sizeof info};
        assert_int_equal(minisim_catalogue_describe(c, &info), MINISIM_OK);
        assert_int_equal(info.dimension, DIMENSION);
        assert_int_equal(info.type, type);
        assert_int_equal(info.ids, RECORDS);
        assert_int_equal(info.records, RECORDS - 1);
        assert_string_equal(info.embedding_id, "");
        for (uint64_t id = 0; id < RECORDS; id += id < 6 ? 1 : 294) {
            char wanted[16];
            if (id == 3) {
                assert_int_equal(minisim_catalogue_record(c, id, name, NULL, NULL, &error),
                                 MINISIM_BAD_ARGUMENT);
                assert_string_equal(error.text, "record 3 was removed");
                continue;
            }
            assert_int_equal(minisim_catalogue_record(c, id, name, label, vector, &error),
                             MINISIM_OK);
            snprintf(wanted, sizeof wanted, "row %u", (unsigned)id);
            assert_string_equal(name, wanted);
            assert_string_equal(label, id % 2 ? "odd" : "");
            for (size_t j = 0; j < DIMENSION; j++)
                assert_true(fabsf(vector[j] - vectors[id][j]) <= (type == MINISIM_F32   ? 0
                                                                  : type == MINISIM_F16 ? 0.001f
                                                                                        : 0.012f));
        }
        assert_int_equal(minisim_catalogue_record(c, RECORDS, name, NULL, NULL, &error),
                         MINISIM_BAD_ARGUMENT);
        assert_int_equal(minisim_catalogue_record(c, 7, NULL, NULL, NULL, NULL), MINISIM_OK);
        minisim_catalogue_close(c);
    }
}

/* What is not committed is gone with its writer; a reader keeps what it opened. */
static void commits(void **state) {
    (void)state;
    unlink(path);
    minisim_catalogue *c = open_as(1, DIMENSION, 0);
    minisim_catalogue_info info = {.size = sizeof info};
    for (int i = 0; i < 3; i++) {
        minisim_catalogue *reader = open_as(0, DIMENSION, 0);
        assert_int_equal(minisim_catalogue_add(c, "x", "", vectors[i], NULL, &error), MINISIM_OK);
        if (i < 2)
            assert_int_equal(minisim_catalogue_commit(c, &error), MINISIM_OK);
        assert_int_equal(minisim_catalogue_describe(reader, &info), MINISIM_OK);
        assert_int_equal(info.records, i);
        minisim_catalogue_close(reader);
    }
    assert_int_equal(minisim_catalogue_describe(c, &info), MINISIM_OK);
    assert_int_equal(info.records, 3);
    assert_int_equal(info.type, MINISIM_F16);
    minisim_catalogue_close(c);
    c = open_as(0, 0, 0);
    assert_int_equal(minisim_catalogue_describe(c, &info), MINISIM_OK);
    assert_int_equal(info.records, 2);
    minisim_catalogue_close(c);
}

/* ---- search ---- */

/* Whether the hits are the nearest by minisim_distance: each as far as said, none left out that is
 * nearer. */
static void check_hits(const float *query, const minisim_search_options *options,
                       const minisim_hit *hits, size_t found) {
    double sign = options->metric == MINISIM_DOT ? -1 : 1;
    size_t nearer = 0;
    for (size_t i = 0; i < found; i++) {
        double distance;
        assert_int_equal(
            minisim_distance(options->metric, query, vectors[hits[i].id], DIMENSION, &distance),
            MINISIM_OK);
        assert_true(hits[i].distance == distance);
        assert_true(i == 0 || sign * hits[i - 1].distance <= sign * distance);
    }
    for (uint64_t id = 0; id < RECORDS; id++) {
        double distance;
        bool may = id != 3 && (!options->among || options->among[id / 8] >> id % 8 & 1);
        assert_int_equal(
            minisim_distance(options->metric, query, vectors[id], DIMENSION, &distance),
            MINISIM_OK);
        if (may && (!options->limit_set || sign * distance <= sign * options->limit))
            nearer += found < NEAREST || sign * distance < sign * hits[found - 1].distance;
    }
    assert_true(found < NEAREST ? nearer == found : nearer < NEAREST);
}

static void nearest(void **state) {
    (void)state;
    static const double limits[] = {0, 0.4, 2.5, 10};
    static float queries[QUERIES][DIMENSION];
    static minisim_hit hits[QUERIES][NEAREST], again[QUERIES][NEAREST];
    uint8_t among[RECORDS / 8 + 1];
    size_t found[QUERIES], found_again[QUERIES];
    uint64_t seed = 5;
    fill(MINISIM_F32);
    minisim_catalogue *c = open_as(0, 0, 0);
    for (size_t q = 0; q < QUERIES; q++)
        for (size_t j = 0; j < DIMENSION; j++)
            queries[q][j] = (float)(next_random(&seed) % 2000) / 500 - 1;
    memset(among, 0x5b, sizeof among);
    for (int metric = MINISIM_COSINE; metric <= MINISIM_DOT; metric++)
        for (int way = 0; way < 4; way++) {
            minisim_search_options options = {.size = sizeof options,
                                              .metric = (minisim_metric)metric,
                                              .limit_set = way & 1,
                                              .limit = limits[metric],
                                              .among = way & 2 ? among : NULL};
            assert_int_equal(minisim_catalogue_search(c, *queries, QUERIES, NEAREST, &options,
                                                      *hits, found, &error),
                             MINISIM_OK);
            for (size_t q = 0; q < QUERIES; q++)
                check_hits(queries[q], &options, hits[q], found[q]);
            options.threads = 3;
            assert_int_equal(minisim_catalogue_search(c, *queries, QUERIES, NEAREST, &options,
                                                      *again, found_again, &error),
                             MINISIM_OK);
            assert_memory_equal(found, found_again, sizeof found);
            for (size_t q = 0; q < QUERIES; q++)
                assert_memory_equal(hits[q], again[q], found[q] * sizeof **hits);
        }
    /* A picture finds itself; zeros are near nothing. Without options: by cosine. */
    assert_int_equal(minisim_catalogue_search(c, vectors[8], 1, 1, NULL, *hits, found, &error),
                     MINISIM_OK);
    assert_true(found[0] == 1 && hits[0][0].id == 8 && hits[0][0].distance == 0);
    memset(queries, 0, sizeof queries);
    assert_int_equal(minisim_catalogue_search(c, *queries, 1, 1, NULL, *hits, found, &error),
                     MINISIM_OK);
    assert_int_equal(found[0], 0);
    minisim_catalogue_close(c);
}

/* ---- what is refused ---- */

static void refuse(const minisim_catalogue_options *options, minisim_status expected,
                   const char *why) {
    minisim_catalogue *catalogue;
    error.text[0] = '\0';
    assert_int_equal(minisim_catalogue_open(path, options, &catalogue, &error), expected);
    assert_null(catalogue);
    if (!strstr(error.text, why))
        fail_msg("says: %s", error.text);
}

static void other_vectors(void **state) {
    (void)state;
    enum { COUNT = 2 };
    const struct recipe recipe = {.width = 0.35, .input_size = 32, .batch_norm = true};
    size_t size;
    uint8_t *weights = make_weights(&recipe, &size);
    minisim_model *model;
    minisim_context *contexts[COUNT];
    minisim_context_options ways[COUNT] = {{.size = sizeof *ways},
                                           {.size = sizeof *ways, .ignore_orientation = 1}};
    assert_non_null(weights);
    assert_int_equal(minisim_model_open_memory(weights, size, NULL, &model, &error), MINISIM_OK);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(minisim_context_open(model, &ways[i], &contexts[i], &error), MINISIM_OK);
    fill(MINISIM_F32);
    minisim_catalogue_options o = {.size = sizeof o};
    for (o.writes = 0; o.writes < 2; o.writes++) {
        o.dimension = DIMENSION + 1;
        refuse(&o, MINISIM_BAD_CATALOGUE, "vectors of 12 values, these have 13");
        o.dimension = DIMENSION;
        o.type = MINISIM_I8;
        refuse(&o, MINISIM_BAD_CATALOGUE, "vectors are f32, not i8");
        o.dimension = 0;
        refuse(&o, MINISIM_BAD_ARGUMENT, "a type without");
        o.type = 0;
        o.context = contexts[0];
        refuse(&o, MINISIM_BAD_CATALOGUE, "vectors of 12 values, these have 1280");
        o.dimension = DIMENSION;
        refuse(&o, MINISIM_BAD_ARGUMENT, "the context's embeddings have 1280 values, not 12");
        o.context = NULL;
        o.dimension = 0;
    }
    /* A catalogue of embeddings, for them alone; whoever reads pictures in another way may search,
     * and not add. */
    unlink(path);
    o = (minisim_catalogue_options){.size = sizeof o, .writes = 1, .context = contexts[0]};
    minisim_catalogue *c;
    error.text[0] = '\0';
    assert_int_equal(minisim_catalogue_open(path, &o, &c, &error), MINISIM_OK);
    assert_string_equal(error.text, ""); /* that it was not there is no error */
    minisim_catalogue_info info = {.size = sizeof info};
    char id[65];
    assert_int_equal(minisim_catalogue_describe(c, &info), MINISIM_OK);
    assert_int_equal(minisim_context_embedding_id(contexts[0], id), MINISIM_OK);
    assert_string_equal(info.embedding_id, id);
    refuse(&o, MINISIM_REFUSED, "another process is writing");
    minisim_catalogue_close(c);
    o.context = contexts[1];
    refuse(&o, MINISIM_BAD_CATALOGUE, "\"orientation: heeded\", this is \"orientation: ignored\"");
    o.writes = 0;
    assert_int_equal(minisim_catalogue_open(path, &o, &c, &error), MINISIM_OK);
    minisim_catalogue_close(c);
    o = (minisim_catalogue_options){.size = sizeof o, .dimension = 1280};
    refuse(&o, MINISIM_BAD_CATALOGUE, "holds embeddings, these are vectors of another model");
    for (size_t i = 0; i < COUNT; i++)
        minisim_context_close(contexts[i]);
    minisim_model_close(model);
    free(weights);
}

static void no_sense(void **state) {
    (void)state;
    float bad[DIMENSION] = {0}, large[DIMENSION] = {70000};
    minisim_hit hit;
    size_t found;
    unlink(path);
    refuse(NULL, MINISIM_REFUSED, "No such file");
    refuse(&(minisim_catalogue_options){.size = sizeof(minisim_catalogue_options), .writes = 1},
           MINISIM_REFUSED, "No such file");
    refuse(&(minisim_catalogue_options){.size = 0}, MINISIM_BAD_ARGUMENT, "size");
    assert_int_equal(minisim_catalogue_open(path, NULL, NULL, NULL), MINISIM_BAD_ARGUMENT);
    minisim_catalogue *c = open_as(1, DIMENSION, 0);
    bad[DIMENSION - 1] = NAN;
    const struct {
        const char *name;
        const float *vector;
    } rows[] = {{NULL, vectors[0]}, {"", vectors[0]}, {"a", NULL}, {"a", bad}, {"a", large}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(minisim_catalogue_add(c, rows[i].name, NULL, rows[i].vector, NULL, &error),
                         MINISIM_BAD_ARGUMENT);
    assert_int_equal(minisim_catalogue_remove(c, 0, &error), MINISIM_BAD_ARGUMENT);
    assert_int_equal(minisim_catalogue_commit(c, NULL), MINISIM_OK);
    assert_int_equal(minisim_catalogue_add(c, "a", NULL, vectors[0], NULL, NULL), MINISIM_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            minisim_catalogue_search(c, i ? large : bad, 1, 1, NULL, &hit, &found, &error),
            MINISIM_BAD_ARGUMENT);
    const minisim_search_options wrong[] = {{.size = sizeof *wrong, .metric = 4},
                                            {.size = sizeof *wrong, .limit = NAN},
                                            {.size = sizeof *wrong, .threads = 65},
                                            {.size = 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(
            minisim_catalogue_search(c, vectors[0], 1, 1, &wrong[i], &hit, &found, &error),
            MINISIM_BAD_ARGUMENT);
    assert_int_equal(minisim_catalogue_search(c, vectors[0], 1, 1, NULL, &hit, &found, &error),
                     MINISIM_OK);
    assert_true(found == 1 && hit.id == 0);
    assert_int_equal(minisim_catalogue_commit(c, &error), MINISIM_OK);
    minisim_catalogue_close(c);
    c = open_as(0, 0, 0);
    assert_int_equal(minisim_catalogue_add(c, "b", NULL, vectors[0], NULL, &error),
                     MINISIM_BAD_ARGUMENT);
    assert_int_equal(minisim_catalogue_remove(c, 0, &error), MINISIM_BAD_ARGUMENT);
    assert_int_equal(minisim_catalogue_commit(c, &error), MINISIM_BAD_ARGUMENT);
    assert_int_equal(minisim_catalogue_record(NULL, 0, NULL, NULL, NULL, &error),
                     MINISIM_BAD_ARGUMENT);
    minisim_catalogue_close(c);
    minisim_catalogue_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(commits),
                                       cmocka_unit_test(nearest), cmocka_unit_test(other_vectors),
                                       cmocka_unit_test(no_sense)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
