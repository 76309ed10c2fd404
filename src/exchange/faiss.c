/*
 * Faiss's IndexIDMap of an IndexFlat, as faiss.write_index writes them (1.7), little-endian:
 *
 *     "IxMp", index header, the flat index, u64 count, count x i64 ids
 *     "IxF2" (squared Euclidean distances) or "IxFI" (inner products), index header,
 *         u64 count x dimension, that many f32
 *     index header: i32 dimension, i64 count, i64 and i64 2^20 (unused), u8 1 (trained),
 *         i32 metric (0 inner product, 1 squared Euclidean)
 *
 * Faiss has no cosine distance: its inner product of vectors of length 1 is 1 - that distance.
 */
#include "exchange/formats.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    INDEX_HEADER = 4 + 4 + 8 + 8 + 8 + 1 + 4,
    FLAT = INDEX_HEADER,
    VALUES = FLAT + INDEX_HEADER + 8
};

static const char *flat_name(minisim_metric metric) {
    return metric == MINISIM_EUCLIDEAN ? "IxF2" : "IxFI";
}

static void make_header(const struct ms_export *x, const char *name, uint8_t *bytes) {
    memcpy(bytes, name, 4);
    ms_store_u32(bytes + 4, x->dimension);
    ms_store_u64(bytes + 8, x->rows);
    ms_store_u64(bytes + 16, 1 << 20);
    ms_store_u64(bytes + 24, 1 << 20);
    bytes[32] = 1;
    ms_store_u32(bytes + 33, x->metric == MINISIM_EUCLIDEAN);
}

/* Ids stand behind all vectors: until then they wait. */
static bool begin(struct ms_export *x) {
    uint8_t bytes[VALUES];
    x->waiting = ms_open_spool();
    if (!x->waiting) {
        ms_fail(&x->error, MINISIM_REFUSED, "a temporary file cannot be made: %s",
                ms_errno_text(errno));
        return false;
    }
    make_header(x, "IxMp", bytes);
    make_header(x, flat_name(x->metric), bytes + FLAT);
    ms_store_u64(bytes + VALUES - 8, x->rows * x->dimension);
    return fwrite(bytes, 1, sizeof bytes, x->file) == sizeof bytes;
}

static bool has_unit_length(const struct ms_export *x, const float *values) {
    double sum = 0;
    for (size_t i = 0; i < x->dimension; i++)
        sum += (double)values[i] * (double)values[i];
    return fabs(sum - 1) < 0.01;
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    uint8_t number[8];
    if (x->metric == MINISIM_COSINE && !has_unit_length(x, r->values)) {
        ms_fail(&x->error, MINISIM_BAD_ARGUMENT,
                "its length is not 1, and Faiss has no cosine distance; add --normalize, or "
                "--metric euclidean or dot");
        return false;
    }
    ms_store_u64(number, (uint64_t)r->number);
    fwrite(number, 1, sizeof number, x->waiting);
    ms_write_floats(x->file, r->values, x->dimension);
    return true;
}

static bool end(struct ms_export *x) {
    uint8_t bytes[8192];
    uint64_t left = 8 * x->rows;
    size_t size;
    ms_store_u64(bytes, x->rows);
    fwrite(bytes, 1, 8, x->file);
    if (fflush(x->waiting) == 0 && fseeko(x->waiting, 0, SEEK_SET) == 0)
        for (; (size = fread(bytes, 1, sizeof bytes, x->waiting)) > 0; left -= size)
            if (fwrite(bytes, 1, size, x->file) != size)
                return false;
    if (left > 0)
        ms_fail(&x->error, MINISIM_REFUSED, "a temporary file failed: %s", ms_errno_text(errno));
    return left == 0;
}

static bool is(const uint8_t start[8], uint64_t size) {
    (void)size;
    return memcmp(start, "IxMp", 4) == 0 || memcmp(start, "IxM2", 4) == 0;
}

/* Both headers, which must say the same; the shape must fill the file. */
static minisim_status check(const uint8_t bytes[VALUES], uint64_t size, struct ms_vectors *vectors,
                            minisim_error *error) {
    const uint8_t *flat = bytes + FLAT;
    uint64_t columns = ms_load_u32(bytes + 4), rows = ms_load_u64(bytes + 8);
    if (memcmp(flat, "IxF2", 4) != 0 && memcmp(flat, "IxFI", 4) != 0)
        return ms_fail(error, MINISIM_BAD_FILE,
                       "its index is not flat: only IndexFlatL2 and IndexFlatIP are read");
    uint64_t row_size = 4 * columns + 8, left = size < VALUES + 8 ? 0 : size - VALUES - 8;
    bool good = memcmp(bytes + 4, flat + 4, 12) == 0 && ms_load_u32(bytes + 33) <= 1 &&
                ms_load_u32(flat + 33) <= 1 && columns > 0 && columns <= INT32_MAX && rows > 0 &&
                left % row_size == 0 && left / row_size == rows &&
                ms_load_u64(bytes + VALUES - 8) == rows * columns;
    if (!good)
        return ms_fail(error, MINISIM_BAD_FILE, "this Faiss index is damaged, cut short or empty");
    if (rows > SIZE_MAX / 8 || columns > SIZE_MAX)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "its rows are too many");
    *vectors = (struct ms_vectors){.rows = (size_t)rows, .columns = (size_t)columns};
    return MINISIM_OK;
}

static minisim_status read_numbers(FILE *file, size_t rows, int64_t **numbers,
                                   minisim_error *error) {
    uint8_t bytes[8];
    int64_t *read = malloc(rows * sizeof *read);
    if (!read)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for %zu ids", rows);
    bool good = fread(bytes, 1, 8, file) == 8 && ms_load_u64(bytes) == rows;
    for (size_t i = 0; good && i < rows; i++) {
        good = fread(bytes, 1, 8, file) == 8;
        read[i] = (int64_t)ms_load_u64(bytes);
    }
    if (!good) {
        free(read);
        return ms_fail(error, MINISIM_BAD_FILE, "this Faiss index has not an id for each vector");
    }
    *numbers = read;
    return MINISIM_OK;
}

static minisim_status read(FILE *file, uint64_t size, struct ms_vectors *vectors, int64_t **numbers,
                           minisim_error *error) {
    uint8_t bytes[VALUES] = {0};
    size_t got = fread(bytes, 1, sizeof bytes, file);
    minisim_status status = check(bytes, got == sizeof bytes ? size : 0, vectors, error);
    if (!status)
        status = ms_read_rows(file, NULL, 0, vectors, error);
    if (!status && (status = read_numbers(file, vectors->rows, numbers, error)))
        free(vectors->values);
    return status;
}

const struct ms_export_format ms_export_faiss = {.name = "faiss",
                                                 .most = INT32_MAX,
                                                 .metric = true,
                                                 .begin = begin,
                                                 .row = row,
                                                 .end = end,
                                                 .is = is,
                                                 .read = read};
