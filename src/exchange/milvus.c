/*
 * Milvus (2.2 to 2.6): files for its bulk import, {"rows":[...]}, in a folder. Its fields are id,
 * path, label and vector, all in each row. A server of 2.2 takes 1 GB a file, a later one 16 GB,
 * and 1,024 files a job unless it is told otherwise: a file ends when it has 512 MiB.
 */
#include "exchange/formats.h"

static bool end(struct ms_export *x) {
    if (x->file)
        fputs("]}\n", x->file);
    return ms_export_file(x, NULL);
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    char name[32];
    if (!x->file || ftello(x->file) > (off_t)1 << 29) {
        snprintf(name, sizeof name, "%llu.json", (unsigned long long)++x->files);
        if (!end(x) || !ms_export_file(x, name))
            return false;
        fputs("{\"rows\":[\n", x->file);
    } else {
        fputs(",\n", x->file);
    }
    struct ms_json json = {.file = x->file};
    ms_json_open(&json, NULL, '{');
    ms_json_text(&json, "id", r->uuid);
    ms_json_text(&json, "path", r->name);
    ms_json_text(&json, "label", r->label);
    ms_write_array(&json, "vector", r->values, x->dimension);
    ms_json_close(&json, '}');
    return true;
}

const struct ms_export_format ms_export_milvus = {
    .name = "milvus", .most = 32768, .folder = true, .names = true, .row = row, .end = end};
