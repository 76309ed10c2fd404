/* CSV (RFC 4180): the name, then a column for each value. */
#include "exchange/formats.h"

#include <string.h>

void ms_write_csv_heading(FILE *file, size_t count) {
    fputs("path", file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, ",e%zu", i);
    fputs("\r\n", file);
}

static void write_name(FILE *file, const char *name) {
    if (!strpbrk(name, "\",\r\n")) {
        fputs(name, file);
        return;
    }
    putc('"', file);
    for (; *name; name++) {
        if (*name == '"')
            putc('"', file);
        putc(*name, file);
    }
    putc('"', file);
}

void ms_write_csv_row(FILE *file, const char *name, const float *values, size_t count) {
    write_name(file, name);
    putc(',', file);
    ms_write_values(file, values, count, ',');
    fputs("\r\n", file);
}

static bool begin(struct ms_export *x) {
    ms_write_csv_heading(x->file, x->dimension);
    return true;
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    ms_write_csv_row(x->file, r->name, r->values, x->dimension);
    return true;
}

const struct ms_export_format ms_export_csv = {
    .name = "csv", .names = true, .begin = begin, .row = row};
