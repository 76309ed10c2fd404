/*
 * The catalogues of minisim.h: what a caller gives is checked here, and takes the shapes of this
 * room. Opening comes first, then records, then the search.
 */
#include "catalogue/search.h"
#include "catalogue/state.h"

#include "base/error.h"
#include "base/team.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static minisim_status bad_argument(minisim_error *error, const char *why) {
    return ms_fail(error, MINISIM_BAD_ARGUMENT, "%s", why);
}

/* ---- opening ---- */

/* What the options say of the vectors. */
static minisim_status ask(const minisim_catalogue_options *o, struct ms_origin *origin,
                          minisim_error *error) {
    if (o->dimension > MS_DIMENSION_MOST || (unsigned)o->type > MINISIM_I8)
        return bad_argument(error, "an impossible dimension or type");
    if (o->type && !o->context && !o->dimension)
        return bad_argument(error, "a type without a context or a dimension");
    *origin =
        (struct ms_origin){.dimension = (uint32_t)o->dimension, .type = MS_F16, .any_type = true};
    if (o->context)
        ms_origin_of(o->context, NULL, origin);
    if (o->dimension && o->dimension != origin->dimension)
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "the context's embeddings have %u values, not %zu",
                       (unsigned)origin->dimension, o->dimension);
    if (o->type) {
        origin->type = (enum ms_vector_type)(o->type - MINISIM_F32);
        origin->any_type = false;
    }
    return MINISIM_OK;
}

minisim_status minisim_catalogue_open(const char *path, const minisim_catalogue_options *given,
                                      minisim_catalogue **catalogue, minisim_error *error) {
    minisim_catalogue_options options;
    struct ms_origin origin;
    if (!catalogue)
        return bad_argument(error, "no place for the catalogue");
    *catalogue = NULL;
    if (!path)
        return bad_argument(error, "no path");
    minisim_status status = ms_take_options(given, &options, sizeof options, error);
    if (!status)
        status = ask(&options, &origin, error);
    if (status)
        return status;
    const struct ms_origin *wanted = origin.dimension ? &origin : NULL;
    if (options.writes)
        return ms_catalogue_open_writer(path, wanted, catalogue, error);
    status = ms_catalogue_open(path, catalogue, error);
    if (!status && wanted)
        status = ms_check_origin(ms_catalogue_origin(*catalogue), wanted, error);
    if (status) {
        ms_catalogue_close(*catalogue);
        *catalogue = NULL;
    }
    return status;
}

void minisim_catalogue_close(minisim_catalogue *catalogue) {
    ms_catalogue_close(catalogue);
}

minisim_status minisim_catalogue_describe(const minisim_catalogue *catalogue,
                                          minisim_catalogue_info *info) {
    if (!catalogue || !info || info->size < sizeof *info)
        return MINISIM_BAD_ARGUMENT;
    const struct ms_origin *origin = ms_catalogue_origin(catalogue);
    *info = (minisim_catalogue_info){.size = sizeof *info,
                                     .dimension = origin->dimension,
                                     .type = (minisim_vector_type)(origin->type + MINISIM_F32),
                                     .ids = ms_catalogue_ids(catalogue),
                                     .records = ms_catalogue_count(catalogue)};
    memcpy(info->embedding_id, origin->embedding_id, sizeof info->embedding_id);
    return MINISIM_OK;
}

/* ---- records ---- */

static minisim_status read_vector(const minisim_catalogue *catalogue, uint64_t id, float *vector,
                                  minisim_error *error) {
    const struct ms_origin *origin = ms_catalogue_origin(catalogue);
    struct ms_stored row;
    if (!ms_stored_open(&row, origin->type, origin->dimension, 1))
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    minisim_status status = ms_catalogue_vectors(catalogue, id, 1, &row, error);
    if (!status)
        ms_stored_get(&row, 0, vector);
    ms_stored_close(&row);
    return status;
}

minisim_status minisim_catalogue_record(const minisim_catalogue *catalogue, uint64_t id,
                                        char name[MINISIM_NAME_SIZE], char label[MINISIM_NAME_SIZE],
                                        float *vector, minisim_error *error) {
    char unwanted[MINISIM_NAME_SIZE];
    struct ms_record record;
    size_t count;
    if (!catalogue)
        return bad_argument(error, "no catalogue");
    if (ms_catalogue_is_removed(catalogue, id))
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "record %llu was removed",
                       (unsigned long long)id);
    minisim_status status = ms_catalogue_records(catalogue, id, 1, &record, &count, error);
    if (!status)
        status = ms_catalogue_text(catalogue, id, &record, name ? name : unwanted, label, error);
    return status || !vector ? status : read_vector(catalogue, id, vector, error);
}

static minisim_status check_writer(const minisim_catalogue *catalogue, minisim_error *error) {
    if (!catalogue || !catalogue->writer)
        return bad_argument(error, "no catalogue that was opened to write");
    return catalogue->failed ? ms_fail(error, MINISIM_REFUSED, "an earlier write failed")
                             : MINISIM_OK;
}

static bool are_finite(const float *values, size_t n) {
    size_t finite = 0;
    while (finite < n && isfinite(values[finite]))
        finite++;
    return finite == n;
}

minisim_status minisim_catalogue_add(minisim_catalogue *catalogue, const char *name,
                                     const char *label, const float *vector, uint64_t *id,
                                     minisim_error *error) {
    minisim_status status = check_writer(catalogue, error);
    if (status)
        return status;
    uint32_t n = ms_catalogue_origin(catalogue)->dimension;
    if (!name || !vector || !are_finite(vector, n))
        return bad_argument(error, "no name, no vector, or a value in it that is not finite");
    struct ms_record record = ms_record_of(vector, n);
    uint64_t next = ms_catalogue_ids(catalogue);
    status = ms_catalogue_add(catalogue, &record, name, label, vector, error);
    if (!status && id)
        *id = next;
    return status;
}

minisim_status minisim_catalogue_remove(minisim_catalogue *catalogue, uint64_t id,
                                        minisim_error *error) {
    minisim_status status = check_writer(catalogue, error);
    return status ? status : ms_catalogue_remove(catalogue, id, error);
}

minisim_status minisim_catalogue_commit(minisim_catalogue *catalogue, minisim_error *error) {
    minisim_status status = check_writer(catalogue, error);
    return status ? status : ms_catalogue_commit(catalogue, error);
}

/* ---- search ---- */

/* Queries that meet the catalogue in one pass. */
enum { AT_ONCE = 64 };

static minisim_status check_search(const minisim_search_options *o, minisim_error *error) {
    if ((unsigned)o->metric > MINISIM_DOT || isnan(o->limit))
        return bad_argument(error, "an unknown metric, or a limit that is no number");
    if (o->threads > MS_TEAM_MAX)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "%u threads, more than %d",
                       (unsigned)o->threads, MS_TEAM_MAX);
    return MINISIM_OK;
}

/* queries[from..] become what the catalogue would store of them, as many as stored->count. */
static minisim_status put_queries(const minisim_catalogue *catalogue, const float *queries,
                                  size_t from, struct ms_stored *stored, minisim_error *error) {
    for (size_t q = 0; q < stored->count; q++) {
        const float *query = queries + (from + q) * stored->n;
        if (!are_finite(query, stored->n) || !ms_stored_put(catalogue->kernels, stored, q, query))
            return ms_fail(error, MINISIM_BAD_ARGUMENT,
                           "query %zu has a value that is not finite or, for f16, beyond 65504",
                           from + q);
    }
    return MINISIM_OK;
}

/* One pass; hits and found are those of its first query. */
static minisim_status search(const minisim_catalogue *catalogue, const struct ms_search *search_for,
                             size_t k, minisim_hit *hits, size_t *found, minisim_error *error) {
    struct ms_top tops[AT_ONCE];
    for (size_t q = 0; q < search_for->queries->count; q++)
        tops[q] = (struct ms_top){.most = k, .hits = hits + q * k};
    minisim_status status = ms_catalogue_search(catalogue, search_for, tops, error);
    for (size_t q = 0; !status && q < search_for->queries->count; q++) {
        found[q] = tops[q].count;
        for (size_t i = 0; search_for->metric == MINISIM_DOT && i < found[q]; i++)
            tops[q].hits[i].distance *= -1;
    }
    return status;
}

minisim_status minisim_catalogue_search(const minisim_catalogue *catalogue, const float *queries,
                                        size_t count, size_t k, const minisim_search_options *given,
                                        minisim_hit *hits, size_t *found, minisim_error *error) {
    minisim_search_options options;
    struct ms_stored stored;
    if (!catalogue || !queries || !hits || !found || k < 1)
        return bad_argument(error, "no catalogue, no queries, or no place for hits");
    minisim_status status = ms_take_options(given, &options, sizeof options, error);
    if (!status)
        status = check_search(&options, error);
    if (status)
        return status;
    const struct ms_origin *origin = ms_catalogue_origin(catalogue);
    minisim_metric metric = options.metric ? options.metric : MINISIM_COSINE;
    double all = metric == MINISIM_DOT ? -INFINITY : INFINITY;
    struct ms_search search_for = {
        catalogue->kernels, metric,         &stored, options.limit_set ? options.limit : all,
        options.among,      options.threads};
    if (!ms_stored_open(&stored, origin->type, origin->dimension, AT_ONCE))
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    for (size_t q = 0; !status && q < count; q += stored.count) {
        stored.count = count - q < AT_ONCE ? count - q : AT_ONCE;
        status = put_queries(catalogue, queries, q, &stored, error);
        if (!status)
            status = search(catalogue, &search_for, k, hits + q * k, found + q, error);
    }
    ms_stored_close(&stored);
    return status;
}
