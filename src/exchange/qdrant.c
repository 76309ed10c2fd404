/* Qdrant: bodies for POST /collections/NAME/points/batch, one a line. A server takes 32 MB in one
 * unless it is told otherwise. */
#include "exchange/requests.h"

static const struct ms_request upsert = {"{\"operations\":[{\"upsert\":{\"points\":[", "]}}]}",
                                         1000, 16000000};
static const struct ms_request delete = {"{\"operations\":[{\"delete\":{\"points\":[", "]}}]}",
                                         1000, 16000000};

static bool gone(struct ms_export *x, const struct ms_export_row *r) {
    struct ms_json json;
    if (!ms_request_row(x, &json))
        return false;
    ms_json_text(&json, NULL, r->uuid);
    return ms_request_add(x, &delete);
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    struct ms_json json;
    if (!ms_request_row(x, &json))
        return false;
    ms_json_open(&json, NULL, '{');
    ms_json_text(&json, "id", r->uuid);
    ms_write_array(&json, "vector", r->values, x->dimension);
    ms_request_names(&json, "payload", r);
    ms_json_close(&json, '}');
    return ms_request_add(x, &upsert);
}

const struct ms_export_format ms_export_qdrant = {.name = "qdrant",
                                                  .most = 65535,
                                                  .names = true,
                                                  .gone = gone,
                                                  .row = row,
                                                  .end = ms_request_end};
