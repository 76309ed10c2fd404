/* Rows in five formats: see rows.h. */
#include "cli/rows.h"

#include "base/npy.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/results.h"
#include "exchange/formats.h"

#include <errno.h>

static bool failed(struct ms_rows *rows, const char *name) {
    ms_output_failed(name, errno ? errno : EIO);
    ms_output_discard(rows->output);
    return false;
}

static bool spool_failed(struct ms_rows *rows) {
    return failed(rows, "temporary file");
}

bool ms_rows_begin(struct ms_rows *rows, enum ms_row_format format, struct ms_output *output,
                   size_t columns) {
    *rows = (struct ms_rows){.format = format, .output = output, .columns = columns};
    errno = 0;
    if (format == MS_ROWS_CSV) {
        ms_write_csv_heading(output->file, columns);
        return ms_send_result(output);
    }
    if (format != MS_ROWS_NPY)
        return true;
    if (output->target) {
        char header[MS_NPY_HEADER_SIZE];
        ms_npy_header(0, columns, header);
        fwrite(header, 1, sizeof header, output->file);
        return true;
    }
    rows->spool = ms_open_spool();
    return rows->spool || spool_failed(rows);
}

void ms_json_embedding(struct ms_json *json, const float *values, size_t count) {
    ms_json_open(json, "embedding", '[');
    for (size_t i = 0; i < count; i++)
        ms_json_float(json, NULL, values[i]);
    ms_json_close(json, ']');
}

static void write_json(FILE *file, const char *name, const float *values, size_t count) {
    struct ms_json json = {.file = file};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_name(&json, "path", name);
    ms_json_embedding(&json, values, count);
    ms_json_close(&json, '}');
    putc('\n', file);
}

bool ms_rows_add(struct ms_rows *rows, const char *name, const float *values) {
    FILE *file = rows->spool ? rows->spool : rows->output->file;
    rows->count++;
    errno = 0;
    switch (rows->format) {
    case MS_ROWS_TEXT:
        ms_write_name(file, name);
        putc('\t', file);
        ms_write_values(file, values, rows->columns, ' ');
        putc('\n', file);
        break;
    case MS_ROWS_JSON:
        write_json(file, name, values, rows->columns);
        break;
    case MS_ROWS_CSV:
        ms_write_csv_row(file, name, values, rows->columns);
        break;
    case MS_ROWS_NPY:
    case MS_ROWS_F32:
        ms_write_floats(file, values, rows->columns);
        break;
    }
    if (!rows->spool)
        return ms_send_result(rows->output);
    return !ferror(file) || spool_failed(rows);
}

static bool copy_spool(struct ms_rows *rows) {
    char bytes[16384];
    uint64_t left = rows->count * rows->columns * sizeof(float);
    size_t size;
    if (fflush(rows->spool) != 0 || fseeko(rows->spool, 0, SEEK_SET) != 0)
        return spool_failed(rows);
    for (; (size = fread(bytes, 1, sizeof bytes, rows->spool)) > 0; left -= size)
        if (fwrite(bytes, 1, size, rows->output->file) != size)
            return ms_send_result(rows->output);
    return left == 0 || spool_failed(rows);
}

bool ms_rows_end(struct ms_rows *rows) {
    FILE *file = rows->output->file;
    errno = 0;
    if (rows->format == MS_ROWS_NPY) {
        char header[MS_NPY_HEADER_SIZE];
        ms_npy_header(rows->count, rows->columns, header);
        if (!rows->spool && fseeko(file, 0, SEEK_SET) != 0)
            return failed(rows, rows->output->name);
        fwrite(header, 1, sizeof header, file);
        if (rows->spool && !copy_spool(rows))
            return false;
    }
    return ms_send_result(rows->output);
}

void ms_rows_close(struct ms_rows *rows) {
    if (rows->spool)
        fclose(rows->spool);
    rows->spool = NULL;
}
