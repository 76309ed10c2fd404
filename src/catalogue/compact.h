/* Whole catalogues: written anew without what is gone, and joined. */
#ifndef MS_CATALOGUE_COMPACT_H
#define MS_CATALOGUE_COMPACT_H

#include "catalogue/catalogue.h"

/* Asked now and then, with how many records are done; true: stop. */
typedef bool ms_stop_fn(void *user, uint64_t done);

/*
 * Writes the catalogue anew, beside, with full segments and without removed records, and moves it
 * to its place when all of it lasts; readers keep the old one. Notes stay, ids begin at 0 again.
 * REFUSED: no room, or another writer; CANCELLED: it was told to stop; BAD_CATALOGUE: it is
 * damaged, which would look whole in a new file. The old one stands then.
 */
minisim_status ms_catalogue_compact(const char *path, ms_stop_fn *stop, void *user,
                                    minisim_error *error);

/* What merging did. */
struct ms_merged {
    uint64_t added, replaced, same, older;
    uint64_t hurt;       /* damaged or lost, and left out */
    uint64_t hurt_notes; /* catalogues whose notes were damaged, and left out */
};

/*
 * Adds the records of another catalogue of the same origin. Of one path, the newer file counts; of
 * one note, ours; but pairs judged no duplicates are joined. The caller commits. BAD_ARGUMENT says
 * that the origins differ, and how.
 */
minisim_status ms_catalogue_merge(struct ms_catalogue *catalogue, const struct ms_catalogue *other,
                                  ms_stop_fn *stop, void *user, struct ms_merged *merged,
                                  minisim_error *error);

/* What merging all[1], all[2], ... in turn into all[0] would do, or into a new one all of them.
 * Takes memory for what is known of all of them. */
minisim_status ms_catalogue_foresee_merge(struct ms_catalogue *const *all, size_t count,
                                          bool into_new, ms_stop_fn *stop, void *user,
                                          struct ms_merged *merged, minisim_error *error);

#endif
