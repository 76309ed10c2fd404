/* The nearest records: see search.h. */
#include "catalogue/search.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

/* Bytes of vectors in a block: they stay in the cache while all queries meet them. */
enum { BLOCK = 256 << 10 };

/* A block of rows and its distances to all queries. */
struct pass {
    const struct ms_catalogue *catalogue;
    const struct ms_search *search;
    struct ms_stored rows;
    float *room;
    double *distances;
};

static minisim_status open_pass(struct pass *pass, minisim_error *error) {
    const struct ms_origin *origin = ms_catalogue_origin(pass->catalogue);
    const struct ms_stored *queries = pass->search->queries;
    size_t most = BLOCK / ms_stored_stride(origin->type, origin->dimension);
    if (ms_stored_open(&pass->rows, origin->type, origin->dimension, most > 0 ? most : 1)) {
        pass->room = malloc((ms_distance_room(queries, &pass->rows) + 1) * sizeof *pass->room);
        pass->distances = malloc(queries->count * pass->rows.count * sizeof *pass->distances);
    }
    return pass->room && pass->distances ? MINISIM_OK
                                         : ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
}

static void rank(const struct pass *pass, uint64_t id, struct ms_top *tops) {
    const struct ms_search *search = pass->search;
    bool dot = search->metric == MINISIM_DOT;
    for (size_t r = 0; r < pass->rows.count; r++) {
        const uint8_t *among = search->among;
        if (ms_catalogue_is_removed(pass->catalogue, id + r) ||
            (among && !(among[(id + r) / 8] >> (id + r) % 8 & 1)))
            continue;
        for (size_t q = 0; q < search->queries->count; q++) {
            double distance = pass->distances[q * pass->rows.count + r];
            if (isfinite(distance) && (dot ? distance >= search->limit : distance <= search->limit))
                ms_top_add(&tops[q], dot ? -distance : distance, id + r);
        }
    }
}

minisim_status ms_catalogue_search(const struct ms_catalogue *catalogue,
                                   const struct ms_search *search, struct ms_top *tops,
                                   minisim_error *error) {
    struct pass pass = {.catalogue = catalogue, .search = search};
    minisim_status status = open_pass(&pass, error);
    size_t most = pass.rows.count;
    for (uint64_t id = 0, ids = ms_catalogue_ids(catalogue); !status && id < ids;
         id += pass.rows.count) {
        status = ms_catalogue_vectors(catalogue, id, most, &pass.rows, error);
        if (status)
            break;
        ms_stored_distances(search->kernels, search->metric, search->queries, &pass.rows, pass.room,
                            pass.distances);
        rank(&pass, id, tops);
    }
    for (size_t q = 0; q < search->queries->count; q++)
        ms_top_sort(&tops[q]);
    free(pass.room);
    free(pass.distances);
    ms_stored_close(&pass.rows);
    return status;
}
