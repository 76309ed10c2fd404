/*
 * bench_search FILE [COUNT]: how fast a catalogue of COUNT vectors (a million) of 1280 i8 is opened
 * and searched, beside a plain read of the same bytes. FILE is made, 1,024 records a commit, and
 * removed at the end. Every figure is the best of several; the file is in the page cache where the
 * machine has that much memory, and the plain read says if not.
 */
#include "catalogue/search.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DIMENSION = 1280, QUERIES = 64, NEAREST = 10, ROUNDS = 5, BLOCK = 256 << 10 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop(const char *what) {
    fprintf(stderr, "bench_search: %s\n", what);
    exit(1);
}

static void check(minisim_status status, const minisim_error *error) {
    if (status)
        stop(error->text);
}

/* Bytes from -127 to 127 and their norm, as ms_stored_put would leave them. */
static void make_row(struct ms_stored *rows, size_t row, uint64_t *seed) {
    int8_t *values = (int8_t *)rows->values + row * rows->stride;
    uint32_t norm = 0;
    for (size_t i = 0; i < DIMENSION; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int value = (int)(*seed >> 33) % 255 - 127;
        values[i] = (int8_t)value;
        norm += (uint32_t)(value * value);
    }
    rows->norms[row] = norm;
    rows->scales[row] = 0.02f;
}

static void make_catalogue(const char *path, uint64_t count) {
    struct ms_origin origin = {.dimension = DIMENSION, .type = MS_I8, .text = "made-by: a bench\n"};
    struct ms_catalogue *c;
    struct ms_stored row;
    minisim_error error;
    uint64_t seed = 1;
    unlink(path);
    check(ms_catalogue_open_writer(path, &origin, &c, &error), &error);
    if (!ms_stored_open(&row, MS_I8, DIMENSION, 1))
        stop("out of memory");
    for (uint64_t id = 0; id < count; id++) {
        struct ms_record record = {.flags = MS_RECORD_NO_FILE};
        char name[32];
        snprintf(name, sizeof name, "%llu", (unsigned long long)id);
        make_row(&row, 0, &seed);
        check(ms_catalogue_add_stored(c, &record, name, NULL, &row, &error), &error);
    }
    check(ms_catalogue_commit(c, &error), &error);
    ms_stored_close(&row);
    ms_catalogue_close(c);
}

static double time_open(const char *path) {
    struct ms_catalogue *c;
    minisim_error error;
    double start = now();
    check(ms_catalogue_open(path, &c, &error), &error);
    double seconds = now() - start;
    ms_catalogue_close(c);
    return seconds;
}

/* As many bytes as the vectors are, a block at a time, to the same place. */
static double time_read(const char *path, uint64_t bytes) {
    static uint8_t block[BLOCK];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    double start = now();
    for (uint64_t at = 0; at < bytes; at += BLOCK)
        if (file < 0 || pread(file, block, BLOCK, (off_t)at) <= 0)
            stop("the file cannot be read");
    double seconds = now() - start;
    close(file);
    return seconds;
}

static double time_search(const struct ms_catalogue *c, struct ms_stored *queries, size_t count,
                          size_t threads) {
    minisim_hit hits[QUERIES][NEAREST];
    struct ms_top tops[QUERIES];
    struct ms_search search = {.kernels = ms_kernels_choose(NULL),
                               .metric = MINISIM_COSINE,
                               .queries = queries,
                               .limit = INFINITY,
                               .threads = threads};
    minisim_error error;
    queries->count = count;
    for (size_t q = 0; q < count; q++)
        tops[q] = (struct ms_top){.most = NEAREST, .hits = hits[q]};
    double start = now();
    check(ms_catalogue_search(c, &search, tops, &error), &error);
    return now() - start;
}

static void keep_least(double *least, double seconds) {
    *least = *least == 0 || seconds < *least ? seconds : *least;
}

int main(int argc, char **argv) {
    static const size_t ways[][2] = {{1, 1}, {1, 2}, {16, 1}, {64, 1}, {64, 2}};
    enum { WAYS = sizeof ways / sizeof *ways };
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000, seed = 2;
    double bytes = (double)count * DIMENSION, open_time = 0, read_time = 0, times[WAYS] = {0};
    struct ms_catalogue_facts facts;
    struct ms_catalogue *c;
    struct ms_stored queries;
    minisim_error error;
    if (argc < 2 || count == 0)
        stop("usage: bench_search FILE [COUNT]");
    make_catalogue(argv[1], count);
    if (!ms_stored_open(&queries, MS_I8, DIMENSION, QUERIES))
        stop("out of memory");
    for (size_t q = 0; q < QUERIES; q++)
        make_row(&queries, q, &seed);
    check(ms_catalogue_open(argv[1], &c, &error), &error);
    ms_catalogue_describe(c, &facts);
    for (size_t round = 0; round < ROUNDS; round++) {
        keep_least(&open_time, time_open(argv[1]));
        keep_least(&read_time, time_read(argv[1], count * DIMENSION));
        for (size_t i = 0; i < WAYS; i++)
            keep_least(&times[i], time_search(c, &queries, ways[i][0], ways[i][1]));
    }
    printf("search of %llu vectors of %d i8, %s, in %llu segments\n", (unsigned long long)count,
           DIMENSION, ms_kernels_choose(NULL)->name, (unsigned long long)facts.segments);
    printf("  opening                 %8.2f ms\n", 1e3 * open_time);
    printf("  a plain read            %8.2f ms  %6.1f GB/s\n", 1e3 * read_time,
           1e-9 * bytes / read_time);
    for (size_t i = 0; i < WAYS; i++)
        printf("  %2zu quer%s, %zu thread%s   %8.2f ms  %6.1f GB/s  %.2f of the read's speed\n",
               ways[i][0], ways[i][0] == 1 ? "y,  " : "ies,", ways[i][1],
               ways[i][1] == 1 ? " " : "s", 1e3 * times[i], 1e-9 * bytes / times[i],
               read_time / times[i]);
    ms_catalogue_close(c);
    ms_stored_close(&queries);
    unlink(argv[1]);
    return 0;
}
