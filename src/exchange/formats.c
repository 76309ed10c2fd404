/* The table of formats, and what several share: see formats.h. */
#include "exchange/formats.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct ms_export_format *const ms_export_formats[] = {&ms_export_npy,      &ms_export_csv,
                                                            &ms_export_fvecs,    &ms_export_faiss,
                                                            &ms_export_pgvector, &ms_export_milvus,
                                                            &ms_export_vertex,   &ms_export_qdrant,
                                                            &ms_export_pinecone, NULL};

/* A UUID of version 8 (RFC 9562): the first 16 bytes of the path's SHA-256, but for six bits. */
static void write_uuid(uint8_t *bytes, char uuid[37]) {
    static const uint8_t parts[] = {4, 2, 2, 2, 6};
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x80);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof parts; i++) {
        ms_hex(bytes, parts[i], uuid);
        bytes += parts[i];
        uuid += 2 * parts[i];
        *uuid++ = '-';
    }
    uuid[-1] = '\0';
}

void ms_export_identify(const char *path, struct ms_export_row *row) {
    uint8_t digest[32];
    uint64_t number;
    ms_sha256_of(path, strlen(path), digest);
    bool is_number = ms_parse_count(path, INT64_MAX, &number) && (*path != '0' || !path[1]);
    row->number = (int64_t)(is_number ? number : ms_load_u64(digest) & INT64_MAX);
    write_uuid(digest, row->uuid);
}

void ms_write_values(FILE *file, const float *values, size_t count, char between) {
    enum { AT_ONCE = 64 };
    char text[AT_ONCE * (MS_NUMBER_SIZE + 1)];
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text[size++] = between;
        size += strlen(ms_float_text(values[i], text + size));
        if ((i + 1) % AT_ONCE == 0 || i + 1 == count) {
            fwrite(text, 1, size, file);
            size = 0;
        }
    }
}

void ms_write_array(struct ms_json *json, const char *key, const float *values, size_t count) {
    ms_json_open(json, key, '[');
    ms_write_values(json->file, values, count, ',');
    ms_json_close(json, ']');
}

bool ms_export_file(struct ms_export *x, const char *name) {
    int error = x->file ? ms_folder_close_file(x->file) : 0;
    x->file = NULL;
    if (!error && name && !(x->file = ms_folder_file(x->folder, name)))
        return false;
    errno = error;
    return error == 0;
}

/* One row, behind what stands before each. */
static minisim_status read_row(FILE *file, const uint8_t *start, size_t before, uint8_t *bytes,
                               float *values, size_t columns, minisim_error *error) {
    size_t size = before + 4 * columns;
    if (fread(bytes, 1, size, file) != size)
        return ms_fail(error, MINISIM_BAD_FILE, "it ends before its values do");
    if (before > 0 && memcmp(bytes, start, before) != 0)
        return ms_fail(error, MINISIM_BAD_FILE, "it does not begin as the first one does");
    for (size_t i = 0; i < columns; i++) {
        values[i] = ms_load_f32(bytes + before + 4 * i);
        if (!isfinite(values[i]))
            return ms_fail(error, MINISIM_BAD_FILE, "column %zu (from 0) is no finite number", i);
    }
    return MINISIM_OK;
}

minisim_status ms_read_rows(FILE *file, const uint8_t *start, size_t before,
                            struct ms_vectors *vectors, minisim_error *error) {
    size_t columns = vectors->columns;
    bool fits = columns <= SIZE_MAX / 4 - before && vectors->rows <= SIZE_MAX / 4 / columns;
    float *values = fits ? malloc(vectors->rows * columns * sizeof *values) : NULL;
    uint8_t *bytes = fits ? malloc(before + 4 * columns) : NULL;
    minisim_status status = MINISIM_OK;
    minisim_error why;
    if (!values || !bytes)
        status = ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for %zu rows of %zu values",
                         vectors->rows, columns);
    for (size_t i = 0; !status && i < vectors->rows; i++)
        if ((status = read_row(file, start, before, bytes, values + i * columns, columns, &why)))
            ms_fail(error, status, "row %zu (from 0): %s", i, why.text);
    free(bytes);
    if (status)
        free(values);
    else
        vectors->values = values;
    return status;
}
