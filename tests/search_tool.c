/*
 * search_tool CATALOGUE VECTORS.npy read|map: for each line "METRIC QUERIES THREADS" of standard
 * input the seconds that a search for the ten nearest of the first so many rows takes, and nothing
 * else: for tools/check_search.py, which lets another engine take turns with it. METRIC is
 * minisim_metric's number. `map` has the catalogue in memory from its first search on.
 */
#include "base/npy.h"
#include "catalogue/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1024, NEAREST = 10 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool take_queries(const struct ms_catalogue *c, const struct ms_vectors *vectors,
                         struct ms_stored *queries) {
    const struct ms_origin *origin = ms_catalogue_origin(c);
    bool good = vectors->columns == origin->dimension && vectors->rows <= MOST &&
                ms_stored_open(queries, origin->type, origin->dimension, vectors->rows);
    for (size_t i = 0; good && i < vectors->rows; i++)
        good = ms_stored_put(ms_kernels_choose(NULL), queries, i,
                             vectors->values + i * vectors->columns);
    return good;
}

int main(int argc, char **argv) {
    static minisim_hit hits[MOST][NEAREST];
    static struct ms_top tops[MOST];
    struct ms_catalogue *c;
    struct ms_vectors vectors;
    struct ms_stored queries;
    minisim_error error;
    int metric;
    size_t threads, count;
    const void *begin;
    size_t size;
    if (argc != 4 || ms_catalogue_open(argv[1], &c, &error) ||
        ms_read_npy(argv[2], &vectors, &error) || !take_queries(c, &vectors, &queries) ||
        (strcmp(argv[3], "map") == 0 && !ms_catalogue_map(c, &begin, &size)))
        return 1;
    while (scanf("%d %zu %zu", &metric, &count, &threads) == 3 && count <= vectors.rows) {
        queries.count = count;
        for (size_t q = 0; q < count; q++)
            tops[q] = (struct ms_top){.most = NEAREST, .hits = hits[q]};
        struct ms_search search = {.kernels = ms_kernels_choose(NULL),
                                   .metric = (minisim_metric)metric,
                                   .queries = &queries,
                                   .limit = metric == MINISIM_DOT ? -INFINITY : INFINITY,
                                   .threads = threads};
        double start = now();
        if (ms_catalogue_search(c, &search, tops, &error))
            return 1;
        printf("%.6f\n", now() - start);
        fflush(stdout);
    }
    free(vectors.values);
    ms_stored_close(&queries);
    ms_catalogue_close(c);
    return 0;
}
