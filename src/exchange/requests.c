/* Requests, one a line: see requests.h. */
#include "exchange/requests.h"

#include <string.h>

/* A stream in memory loses what it finds no room for, without a word: so it has room for any row
 * before one is written. A value takes 16 bytes at most, a byte of a path or label six. */
static bool open_waiting(struct ms_export *x) {
    enum { MOST_NAMES = 2 * 6 * 4096, REST = 1024 };
    long most = 16 * (long)x->dimension + MOST_NAMES + REST;
    x->waiting = open_memstream(&x->bytes, &x->size);
    return x->waiting && fseek(x->waiting, most, SEEK_SET) == 0 && putc(' ', x->waiting) != EOF &&
           fflush(x->waiting) == 0;
}

bool ms_request_row(struct ms_export *x, struct ms_json *json) {
    if (!x->waiting && !open_waiting(x))
        return false;
    rewind(x->waiting);
    *json = (struct ms_json){.file = x->waiting};
    return true;
}

bool ms_request_end(struct ms_export *x) {
    if (x->request)
        fprintf(x->file, "%s\n", x->request->closing);
    x->request = NULL;
    return true;
}

bool ms_request_add(struct ms_export *x, const struct ms_request *request) {
    if (fflush(x->waiting) != 0)
        return false;
    if (x->request != request || x->begun_rows == request->most_rows ||
        x->begun_bytes + 1 + x->size > request->most_bytes) {
        ms_request_end(x);
        x->request = request;
        x->begun_rows = 0;
        x->begun_bytes = strlen(request->opening) + strlen(request->closing);
        fputs(request->opening, x->file);
    }
    if (x->begun_rows++ > 0)
        putc(',', x->file);
    x->begun_bytes += 1 + x->size;
    fwrite(x->bytes, 1, x->size, x->file);
    return true;
}

void ms_request_names(struct ms_json *json, const char *key, const struct ms_export_row *row) {
    ms_json_open(json, key, '{');
    ms_json_text(json, "path", row->name);
    if (*row->label)
        ms_json_text(json, "label", row->label);
    ms_json_close(json, '}');
}
