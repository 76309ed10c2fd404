/*
 * Pinecone: bodies for POST /vectors/upsert ({"vectors":...}) and /vectors/delete ({"ids":...}),
 * one a line: at most 1,000 records and 2 MB, 40 KB of metadata each. Vectors of zeros are not
 * taken.
 */
#include "exchange/requests.h"

#include "base/error.h"

#include <string.h>

enum { MOST_METADATA = 40000 };

static const struct ms_request upsert = {"{\"vectors\":[", "]}", 1000, 2000000};
static const struct ms_request delete = {"{\"ids\":[", "]}", 1000, 2000000};

static bool gone(struct ms_export *x, const struct ms_export_row *r) {
    struct ms_json json;
    if (!ms_request_row(x, &json))
        return false;
    ms_json_text(&json, NULL, r->uuid);
    return ms_request_add(x, &delete);
}

static bool is_zero(const struct ms_export *x, const float *values) {
    size_t i = 0;
    while (i < x->dimension && values[i] == 0)
        i++;
    return i == x->dimension;
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    struct ms_json json;
    if (!ms_request_row(x, &json))
        return false;
    ms_json_open(&json, NULL, '{');
    ms_json_text(&json, "id", r->uuid);
    ms_write_array(&json, "values", r->values, x->dimension);
    long start = ftell(x->waiting) + (long)strlen(",\"metadata\":");
    ms_request_names(&json, "metadata", r);
    long size = ftell(x->waiting) - start;
    ms_json_close(&json, '}');
    if (is_zero(x, r->values))
        ms_fail(&x->error, MINISIM_BAD_ARGUMENT, "its vector is zero: Pinecone does not take it");
    else if (size > MOST_METADATA)
        ms_fail(&x->error, MINISIM_BAD_ARGUMENT,
                "its path and label are %ld bytes of metadata, Pinecone takes %d", size,
                MOST_METADATA);
    else
        return ms_request_add(x, &upsert);
    return false;
}

const struct ms_export_format ms_export_pinecone = {.name = "pinecone",
                                                    .most = 20000,
                                                    .names = true,
                                                    .gone = gone,
                                                    .row = row,
                                                    .end = ms_request_end};
