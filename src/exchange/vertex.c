/*
 * Vertex AI Vector Search (once Matching Engine): a folder to be the batch_root, with at most 5,000
 * files of one JSON object a line, and in `delete` the ids of what is gone. A label is a restrict
 * of the namespace "label".
 */
#include "exchange/formats.h"

enum { MOST_FILES = 5000, ROWS_OF_FILE = 50000 };

static bool gone(struct ms_export *x, const struct ms_export_row *r) {
    if (!x->file && !ms_export_file(x, "delete/ids.txt"))
        return false;
    fprintf(x->file, "%s\n", r->uuid);
    return true;
}

static void write_restrict(struct ms_json *json, const char *label) {
    ms_json_open(json, "restricts", '[');
    ms_json_open(json, NULL, '{');
    ms_json_text(json, "namespace", "label");
    ms_json_open(json, "allow", '[');
    ms_json_text(json, NULL, label);
    ms_json_close(json, ']');
    ms_json_close(json, '}');
    ms_json_close(json, ']');
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    uint64_t most = (x->rows + MOST_FILES - 1) / MOST_FILES;
    char name[32];
    if (x->begun_rows++ % (most > ROWS_OF_FILE ? most : ROWS_OF_FILE) == 0) {
        snprintf(name, sizeof name, "%llu.json", (unsigned long long)++x->files);
        if (!ms_export_file(x, name))
            return false;
    }
    struct ms_json json = {.file = x->file};
    ms_json_open(&json, NULL, '{');
    ms_json_text(&json, "id", r->uuid);
    ms_write_array(&json, "embedding", r->values, x->dimension);
    if (*r->label)
        write_restrict(&json, r->label);
    ms_json_close(&json, '}');
    putc('\n', x->file);
    return true;
}

static bool end(struct ms_export *x) {
    return ms_export_file(x, NULL);
}

const struct ms_export_format ms_export_vertex = {
    .name = "vertex", .folder = true, .gone = gone, .row = row, .end = end};
