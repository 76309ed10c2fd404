/* The records of a catalogue that are nearest to some vectors. */
#ifndef MS_CATALOGUE_SEARCH_H
#define MS_CATALOGUE_SEARCH_H

#include "catalogue/catalogue.h"
#include "vectors/top.h"

struct ms_search {
    const struct ms_kernels *kernels;
    minisim_metric metric;
    const struct ms_stored *queries; /* of the catalogue's type and dimension */
    double limit;                    /* no farther than this; dot: no smaller */
    const uint8_t *among;            /* a bit for each id that may be found; NULL: all */
    size_t threads;                  /* 0: one; the answer is the same for all */
};

/*
 * All records are compared with all queries in one pass, a block at a time. tops[queries] get the
 * nearest, sorted; of dot products, the distances are their negatives. Pairs without a distance are
 * left out.
 */
minisim_status ms_catalogue_search(const struct ms_catalogue *catalogue,
                                   const struct ms_search *search, struct ms_top *tops,
                                   minisim_error *error);

#endif
