/*
 * Pairs of records that a person judged to be no duplicates: the note `not-duplicates`
 * (FORMAT.md). The two paths of a pair have no order.
 */
#ifndef MS_CATALOGUE_DISTINCT_H
#define MS_CATALOGUE_DISTINCT_H

#include "catalogue/all_pairs.h"

struct ms_distinct {
    char **pairs; /* [count], ascending: each its lesser path, NUL, the greater one, NUL */
    size_t count, capacity;
};

/* One pair more, if it is none yet, of two paths that differ. false: no memory. */
bool ms_distinct_add(struct ms_distinct *distinct, const char *path, const char *other);
void ms_distinct_close(struct ms_distinct *distinct);

/* The second path of a pair. */
const char *ms_distinct_other(const char *pair);

/* Adds those that the catalogue has noted. */
minisim_status ms_distinct_read(struct ms_distinct *distinct, const struct ms_catalogue *catalogue,
                                minisim_error *error);

/* Notes them, instead of those of before; the caller commits. */
minisim_status ms_distinct_write(const struct ms_distinct *distinct, struct ms_catalogue *catalogue,
                                 minisim_error *error);

/* Drops those of some close pairs that are judged; `others` is NULL where both ids are of `rows`.
 */
minisim_status ms_distinct_drop(const struct ms_distinct *distinct, const struct ms_catalogue *rows,
                                const struct ms_catalogue *others, struct ms_close_pair *pairs,
                                size_t *count, minisim_error *error);

#endif
