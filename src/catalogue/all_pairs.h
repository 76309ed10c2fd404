/*
 * Every pair of some records, or of those of two catalogues: their distances, a block at a time, on
 * several threads; and the close ones among them. Memory for blocks and for what is found, never
 * for all pairs.
 */
#ifndef MS_CATALOGUE_ALL_PAIRS_H
#define MS_CATALOGUE_ALL_PAIRS_H

#include "catalogue/catalogue.h"

/* Some records of a catalogue, ids ascending. */
struct ms_chosen {
    const struct ms_catalogue *catalogue;
    const uint64_t *ids;
    size_t count;
};

/* All that are not removed; ids are to be freed. false: no memory. */
bool ms_choose_all(const struct ms_catalogue *catalogue, struct ms_chosen *chosen);

/* Hears of progress on the caller's thread; true: stop. */
typedef bool ms_pairs_progress(void *user, uint64_t compared);

struct ms_pass {
    const struct ms_kernels *kernels;
    minisim_metric metric;
    size_t threads;
    struct ms_chosen rows;
    struct ms_chosen others; /* of the same origin; catalogue NULL: rows with each other */
    ms_pairs_progress *progress;
    void *user;
};

/* How many pairs a pass compares. */
uint64_t ms_count_pairs(const struct ms_pass *pass);

/* Of ids a of `rows` and b of `others`, or both of `rows`, a < b. Smaller is closer: of dot
 * products, their negatives. */
struct ms_close_pair {
    double distance;
    uint64_t a, b;
};

enum { MS_CLOSE_MOST = 1 << 24 };

/*
 * The pairs up to `limit`, the closest first, ties by a and then b, whatever the threads; *pairs is
 * to be freed. Pairs without a distance are not among them. BAD_ARGUMENT: more than MS_CLOSE_MOST
 * are that close; CANCELLED: it was told to stop.
 */
minisim_status ms_find_close_pairs(const struct ms_pass *pass, double limit,
                                   struct ms_close_pair **pairs, size_t *count,
                                   minisim_error *error);

/* The largest distance of any pair; -INFINITY where none has one. */
minisim_status ms_find_largest(const struct ms_pass *pass, double *largest, minisim_error *error);

#endif
