/*
 * catalogue/search: the nearest records are those of a plain loop over all pairs, for every type,
 * metric and kernel table, whatever number of threads looks for them.
 */
#include "catalogue/search.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A block holds 128 vectors of this length (f32) to 512 (i8): blocks end within segments, and
 * segments within blocks. */
enum { DIMENSION = 500, RECORDS = 1500, SEGMENT = 370, QUERIES = 5, NEAREST = 40 };

static char folder[] = "/tmp/minisim-test-search-XXXXXX", path[64];
static const minisim_metric metrics[3] = {MINISIM_COSINE, MINISIM_EUCLIDEAN, MINISIM_DOT};

static int make_folder(void **state) {
    (void)state;
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

/* Some vectors are there many times, so that there are ties; one is zero. */
static void make_vector(uint64_t id, float vector[DIMENSION]) {
    uint64_t seed = id % 5 == 0 ? 77 : id * 7919 + 1;
    for (size_t i = 0; i < DIMENSION; i++)
        vector[i] = id == 33 ? 0 : (float)(next_random(&seed) % 6000) / 1000;
}

static bool is_removed(uint64_t id) {
    return id % 7 == 4;
}

static void make_catalogue(enum ms_vector_type type) {
    struct ms_origin origin = {.dimension = DIMENSION, .type = type, .text = "made-by: a test\n"};
    struct ms_catalogue *c;
    minisim_error error;
    float vector[DIMENSION];
    unlink(path);
    assert_int_equal(ms_catalogue_open_writer(path, &origin, &c, &error), MINISIM_OK);
    for (uint64_t id = 0; id < RECORDS; id++) {
        struct ms_record record = {.flags = MS_RECORD_NO_FILE};
        char name[32];
        snprintf(name, sizeof name, "%llu", (unsigned long long)id);
        make_vector(id, vector);
        assert_int_equal(ms_catalogue_add(c, &record, name, NULL, vector, &error), MINISIM_OK);
        if (is_removed(id))
            assert_int_equal(ms_catalogue_remove(c, id, &error), MINISIM_OK);
        if (id % SEGMENT == SEGMENT - 1)
            assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_OK);
    }
    assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_OK);
    ms_catalogue_close(c);
}

static bool comes_before(const minisim_hit *a, const minisim_hit *b) {
    return a->distance < b->distance || (a->distance == b->distance && a->id < b->id);
}

/* The nearest by going through all pairs, with the reference, and keeping them in order. */
static size_t look_through(const struct ms_stored *query, minisim_metric metric, double limit,
                           minisim_hit hits[NEAREST + 1]) {
    struct ms_stored row;
    float vector[DIMENSION], room[1];
    size_t count = 0;
    assert_true(ms_stored_open(&row, query->type, DIMENSION, 1));
    for (uint64_t id = 0; id < RECORDS; id++) {
        minisim_hit hit = {.id = id};
        make_vector(id, vector);
        assert_true(ms_stored_put(&ms_kernels_reference, &row, 0, vector));
        ms_stored_distances(&ms_kernels_reference, metric, query, &row, NULL, room, &hit.distance,
                            NULL);
        bool near = metric == MINISIM_DOT ? hit.distance >= limit : hit.distance <= limit;
        if (is_removed(id) || !near || isinf(hit.distance))
            continue;
        if (metric == MINISIM_DOT)
            hit.distance = -hit.distance;
        size_t at = count;
        for (; at > 0 && comes_before(&hit, &hits[at - 1]); at--)
            hits[at] = hits[at - 1];
        hits[at] = hit;
        count += count < NEAREST;
    }
    ms_stored_close(&row);
    return count;
}

struct answers {
    minisim_hit hits[QUERIES][NEAREST];
    struct ms_top tops[QUERIES];
};

static minisim_status search(const struct ms_catalogue *c, const struct ms_search *search_for,
                             struct answers *answers, minisim_error *error) {
    memset(answers, 0, sizeof *answers);
    for (size_t q = 0; q < QUERIES; q++)
        answers->tops[q] = (struct ms_top){.most = NEAREST, .hits = answers->hits[q]};
    return ms_catalogue_search(c, search_for, answers->tops, error);
}

static void put_queries(enum ms_vector_type type, struct ms_stored *queries) {
    float vector[DIMENSION];
    assert_true(ms_stored_open(queries, type, DIMENSION, QUERIES));
    for (size_t q = 0; q < QUERIES; q++) {
        make_vector(q == 0 ? 5 : 10000 + q, vector);
        assert_true(ms_stored_put(&ms_kernels_reference, queries, q, vector));
    }
}

static struct ms_stored one_of(const struct ms_stored *queries, size_t q) {
    struct ms_stored query = *queries;
    query.count = 1;
    query.values += q * query.stride;
    query.scales += q;
    query.norms += q;
    return query;
}

/* With all queries at once, and with one. */
static void check_metric(const struct ms_catalogue *c, const struct ms_stored *queries,
                         minisim_metric metric, double limit) {
    static struct answers answers;
    minisim_hit wanted[QUERIES][NEAREST + 1];
    size_t counts[QUERIES];
    minisim_error error;
    for (size_t q = 0; q < QUERIES; q++) {
        struct ms_stored query = one_of(queries, q);
        counts[q] = look_through(&query, metric, limit, wanted[q]);
    }
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++)
        for (size_t threads = 1; threads <= 7; threads = 2 * threads + 1) {
            struct ms_search all = {*t, metric, queries, limit, NULL, threads};
            assert_int_equal(search(c, &all, &answers, &error), MINISIM_OK);
            for (size_t q = 0; q < QUERIES; q++) {
                assert_int_equal(answers.tops[q].count, counts[q]);
                assert_memory_equal(answers.hits[q], wanted[q], counts[q] * sizeof **wanted);
            }
            struct ms_stored last = one_of(queries, QUERIES - 1);
            all.queries = &last;
            assert_int_equal(search(c, &all, &answers, &error), MINISIM_OK);
            assert_int_equal(answers.tops[0].count, counts[QUERIES - 1]);
            assert_memory_equal(answers.hits[0], wanted[QUERIES - 1],
                                counts[QUERIES - 1] * sizeof **wanted);
        }
}

static void check_metrics(const struct ms_catalogue *c, const struct ms_stored *queries) {
    for (size_t m = 0; m < 3; m++) {
        bool dot = metrics[m] == MINISIM_DOT;
        minisim_hit hits[NEAREST + 1];
        check_metric(c, queries, metrics[m], dot ? -INFINITY : INFINITY);
        /* Limits that are exactly the distance of some, which are near then. */
        for (size_t q = 0; q < QUERIES; q++) {
            struct ms_stored query = one_of(queries, q);
            size_t count = look_through(&query, metrics[m], dot ? -INFINITY : INFINITY, hits);
            double limit = hits[count / 2].distance;
            check_metric(c, queries, metrics[m], dot ? -limit : limit);
        }
    }
}

/* Where the file is read, and where it is mapped. */
static void nearest(void **state) {
    (void)state;
    for (int type = 0; type < MS_VECTOR_TYPES; type++) {
        struct ms_catalogue *c;
        struct ms_stored queries;
        minisim_error error;
        const void *begin;
        size_t size;
        make_catalogue((enum ms_vector_type)type);
        put_queries((enum ms_vector_type)type, &queries);
        assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
        check_metrics(c, &queries);
        bool maps = sizeof begin == 8 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
        assert_true(ms_catalogue_map(c, &begin, &size) == maps && (size > 0) == maps);
        check_metrics(c, &queries);
        ms_catalogue_close(c);
        ms_stored_close(&queries);
    }
}

/* A file that is cut short while it is open: the same words, whoever reads the missing part. */
static void a_file_cut_short(void **state) {
    (void)state;
    static struct answers answers;
    char first[sizeof(minisim_error)] = "";
    struct ms_catalogue *c;
    struct ms_stored queries;
    struct ms_catalogue_facts facts;
    minisim_error error;
    make_catalogue(MS_F32);
    put_queries(MS_F32, &queries);
    assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
    ms_catalogue_describe(c, &facts);
    assert_int_equal(truncate(path, (off_t)(facts.file_bytes / 3)), 0);
    for (size_t threads = 1; threads <= 8; threads++) {
        struct ms_search all = {
            ms_kernels_choose(NULL), MINISIM_DOT, &queries, -INFINITY, NULL, threads};
        assert_int_equal(search(c, &all, &answers, &error), MINISIM_BAD_CATALOGUE);
        assert_non_null(strstr(error.text, "cut short"));
        if (threads == 1)
            memcpy(first, error.text, sizeof error.text);
        assert_string_equal(error.text, first);
    }
    ms_catalogue_close(c);
    ms_stored_close(&queries);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest),
        cmocka_unit_test(a_file_cut_short),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
