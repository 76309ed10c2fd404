/*
 * Groups from close pairs. Complete linkage: any two of a group are a close pair. Single linkage: a
 * chain of close pairs leads from each to each.
 */
#ifndef MS_CATALOGUE_LINKAGE_H
#define MS_CATALOGUE_LINKAGE_H

#include "catalogue/all_pairs.h"

enum ms_linkage { MS_COMPLETE, MS_SINGLE };

/* Group g has ids[begins[g]] to ids[begins[g + 1] - 1], ascending, at least two; groups come by
 * their first id. */
struct ms_linked {
    uint64_t *ids;
    size_t *begins; /* [count + 1] */
    size_t count;
};

/* Pairs as ms_find_close_pairs sorts them. OUT_OF_MEMORY. */
minisim_status ms_link(const struct ms_close_pair *pairs, size_t count, enum ms_linkage linkage,
                       struct ms_linked *linked, minisim_error *error);
void ms_free_linked(struct ms_linked *linked);

#endif
