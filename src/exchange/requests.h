/* Requests to an engine's interface, one a line: rows of JSON between an opening and a closing, cut
 * before they are too many or too large for one request. */
#ifndef MS_EXPORT_REQUESTS_H
#define MS_EXPORT_REQUESTS_H

#include "base/json.h"
#include "exchange/formats.h"

struct ms_request {
    const char *opening, *closing;
    uint64_t most_rows, most_bytes;
};

/* Where the next row is written, and waits; false: no memory. */
bool ms_request_row(struct ms_export *x, struct ms_json *json);

/* Puts the row that waits into a request of that kind: the one begun, or the next. */
bool ms_request_add(struct ms_export *x, const struct ms_request *request);

/* Ends the one begun, if any. */
bool ms_request_end(struct ms_export *x);

/* Its path and, where it has one, its label, as an object. */
void ms_request_names(struct ms_json *json, const char *key, const struct ms_export_row *row);

#endif
