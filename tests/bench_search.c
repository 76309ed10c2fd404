/*
 * bench_search FILE [COUNT]: how fast a catalogue of COUNT vectors (a million) of 1280 i8 is opened
 * and searched, beside a plain read of the same bytes by as many threads. FILE is made, 1,024
 * records a commit, and removed at the end. Every figure is the best of several; the file is in the
 * page cache where the machine has that much memory, and the plain read says if not.
 */
#include "catalogue/search.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DIMENSION = 1280, QUERIES = 64, NEAREST = 10, THREADS = 2, ROUNDS = 5, BLOCK = 256 << 10 };

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

/* A part of the file. */
struct part {
    int file;
    uint64_t begin, end;
    pthread_t thread;
};

/* A block at a time, to the same place. */
static void *read_part(void *argument) {
    const struct part *part = argument;
    uint8_t *block = malloc(BLOCK);
    if (!block)
        stop("out of memory");
    for (uint64_t at = part->begin; at < part->end; at += BLOCK)
        if (pread(part->file, block, BLOCK, (off_t)at) <= 0)
            stop("the file cannot be read");
    free(block);
    return NULL;
}

/* As many bytes as the vectors are. */
static double time_read(const char *path, uint64_t bytes, size_t threads) {
    struct part parts[THREADS];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t each = bytes / threads / BLOCK * BLOCK;
    double start = now();
    for (size_t i = 0; i < threads; i++) {
        parts[i] = (struct part){file, i * each, i + 1 < threads ? (i + 1) * each : bytes, 0};
        if (file < 0 || pthread_create(&parts[i].thread, NULL, read_part, &parts[i]) != 0)
            stop("no file, or no thread");
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(parts[i].thread, NULL);
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

/* One query, with all that mapping costs who makes one pass: from opening to closing. */
static double time_once(const char *path, struct ms_stored *queries, size_t threads, bool maps) {
    struct ms_catalogue *c;
    minisim_error error;
    const void *begin;
    size_t size;
    double start = now();
    check(ms_catalogue_open(path, &c, &error), &error);
    if (maps && !ms_catalogue_map(c, &begin, &size))
        stop("the file cannot be mapped");
    (void)time_search(c, queries, 1, threads);
    ms_catalogue_close(c);
    return now() - start;
}

static void keep_least(double *least, double seconds) {
    *least = *least == 0 || seconds < *least ? seconds : *least;
}

/* What is timed: so many queries, by so many threads. */
static const struct way {
    size_t queries, threads;
    bool once, mapped;
} ways[] = {{1, 1, true, false},  {1, 1, true, true},   {1, 2, true, false},  {1, 2, true, true},
            {1, 1, false, false}, {1, 1, false, true},  {1, 2, false, false}, {1, 2, false, true},
            {16, 1, false, true}, {64, 1, false, true}, {64, 2, false, true}};
enum { WAYS = sizeof ways / sizeof *ways };

static void print_times(double bytes, const double *times, const double *reads) {
    for (size_t t = 1; t <= THREADS; t++)
        printf("  a plain read, %zu thread%s               %8.2f ms  %6.1f GB/s\n", t,
               t == 1 ? " " : "s", 1e3 * reads[t - 1], 1e-9 * bytes / reads[t - 1]);
    for (size_t i = 0; i < WAYS; i++)
        printf("  %2zu quer%s %zu thread%s %s %s %8.2f ms  %6.1f GB/s  %.2f of the read's speed\n",
               ways[i].queries, ways[i].queries == 1 ? "y,  " : "ies,", ways[i].threads,
               ways[i].threads == 1 ? ", " : "s,", ways[i].mapped ? "mapped," : "read,  ",
               ways[i].once ? "once " : "again", 1e3 * times[i], 1e-9 * bytes / times[i],
               reads[ways[i].threads - 1] / times[i]);
}

int main(int argc, char **argv) {
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000, seed = 2;
    double open_time = 0, reads[THREADS] = {0}, times[WAYS] = {0};
    struct ms_catalogue_facts facts;
    struct ms_catalogue *c, *mapped;
    struct ms_stored queries;
    minisim_error error;
    const void *begin;
    size_t size;
    if (argc < 2 || count == 0)
        stop("usage: bench_search FILE [COUNT]");
    make_catalogue(argv[1], count);
    if (!ms_stored_open(&queries, MS_I8, DIMENSION, QUERIES))
        stop("out of memory");
    for (size_t q = 0; q < QUERIES; q++)
        make_row(&queries, q, &seed);
    check(ms_catalogue_open(argv[1], &c, &error), &error);
    check(ms_catalogue_open(argv[1], &mapped, &error), &error);
    if (!ms_catalogue_map(mapped, &begin, &size))
        stop("the file cannot be mapped");
    ms_catalogue_describe(c, &facts);
    for (size_t round = 0; round < ROUNDS; round++) {
        keep_least(&open_time, time_open(argv[1]));
        for (size_t t = 1; t <= THREADS; t++)
            keep_least(&reads[t - 1], time_read(argv[1], count * DIMENSION, t));
        for (size_t i = 0; i < WAYS; i++)
            keep_least(&times[i],
                       ways[i].once ? time_once(argv[1], &queries, ways[i].threads, ways[i].mapped)
                                    : time_search(ways[i].mapped ? mapped : c, &queries,
                                                  ways[i].queries, ways[i].threads));
    }
    printf("search of %llu vectors of %d i8, %s, in %llu segments\n", (unsigned long long)count,
           DIMENSION, ms_kernels_choose(NULL)->name, (unsigned long long)facts.segments);
    printf("  opening                               %8.2f ms\n", 1e3 * open_time);
    print_times((double)count * DIMENSION, times, reads);
    ms_catalogue_close(mapped);
    ms_catalogue_close(c);
    ms_stored_close(&queries);
    unlink(argv[1]);
    return 0;
}
