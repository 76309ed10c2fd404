/*
 * NumPy's .npy: the header is magic, version, length and a Python dictionary of three entries, then
 * the values follow. Reading goes in that order: magic and length, dictionary, size of the file
 * against the shape, and only then memory and values. A stream has no size: there memory grows with
 * what arrives.
 */
#include "base/npy.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

enum { MOST_HEADER = 65535, CHUNK = 1024 };
#define UNKNOWN_SIZE UINT64_MAX

void ms_npy_array_header(const char *type, size_t rank, const uint64_t *shape,
                         char header[MS_NPY_HEADER_SIZE]) {
    enum { PREAMBLE = 10, ROOM = MS_NPY_HEADER_SIZE - PREAMBLE };
    char *text = header + PREAMBLE;
    memset(header, ' ', MS_NPY_HEADER_SIZE);
    memcpy(header, MAGIC, sizeof MAGIC);
    header[6] = 1;
    header[7] = 0;
    header[8] = ROOM;
    header[9] = 0;
    int length = snprintf(text, ROOM, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (size_t i = 0; i < rank; i++)
        length +=
            snprintf(text + length, (size_t)(ROOM - length), "%s%" PRIu64, i ? ", " : "", shape[i]);
    /* Python's tuple of one has a comma. */
    length += snprintf(text + length, (size_t)(ROOM - length), rank == 1 ? ",), }" : "), }");
    text[length] = ' ';
    text[ROOM - 1] = '\n';
}

void ms_npy_header(uint64_t rows, uint64_t columns, char header[MS_NPY_HEADER_SIZE]) {
    ms_npy_array_header("<f4", 2, (const uint64_t[]){rows, columns}, header);
}

void ms_write_floats(FILE *file, const float *values, size_t count) {
    unsigned char bytes[4 * CHUNK] = {0};
    while (count > 0) {
        size_t part = count < CHUNK ? count : CHUNK;
        for (size_t i = 0; i < part; i++) {
            uint32_t bits;
            memcpy(&bits, values + i, 4);
            for (size_t b = 0; b < 4; b++)
                bytes[4 * i + b] = (unsigned char)(bits >> 8 * b);
        }
        fwrite(bytes, 4, part, file);
        values += part;
        count -= part;
    }
}

/* What the dictionary says. */
struct description {
    size_t item_size; /* 4 or 8; 0: not said yet */
    bool big_endian;
    bool order_said;
    size_t dimensions; /* 0: not said yet */
    uint64_t shape[2];
};

struct cursor {
    const char *at, *end;
};

/* Passes `token`, after spaces, where it comes next. */
static bool pass(struct cursor *c, const char *token) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
    size_t length = strlen(token);
    if ((size_t)(c->end - c->at) < length || memcmp(c->at, token, length) != 0)
        return false;
    c->at += length;
    return true;
}

static bool pass_quoted(struct cursor *c, const char *word) {
    char single[24], twice[24];
    snprintf(single, sizeof single, "'%s'", word);
    snprintf(twice, sizeof twice, "\"%s\"", word);
    return pass(c, single) || pass(c, twice);
}

static bool pass_number(struct cursor *c, uint64_t *value) {
    pass(c, "");
    const char *start = c->at;
    for (*value = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        uint64_t digit = (uint64_t)(*c->at - '0');
        if (*value > (UINT64_MAX - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return c->at > start;
}

static minisim_status damaged(minisim_error *error) {
    return ms_fail(error, MINISIM_BAD_FILE, "the header of its array is damaged");
}

static minisim_status read_type(struct cursor *c, struct description *d, minisim_error *error) {
    static const char *const types[] = {"<f4", ">f4", "<f8", ">f8"};
    for (size_t i = 0; i < 4; i++)
        if (pass_quoted(c, types[i])) {
            d->item_size = i < 2 ? 4 : 8;
            d->big_endian = i % 2 == 1;
            return MINISIM_OK;
        }
    return ms_fail(error, MINISIM_BAD_FILE, "its values are neither float32 nor float64");
}

static minisim_status read_order(struct cursor *c, struct description *d, minisim_error *error) {
    if (pass(c, "True"))
        return ms_fail(error, MINISIM_BAD_FILE,
                       "its values stand column by column (Fortran order), rows are needed");
    d->order_said = pass(c, "False");
    return d->order_said ? MINISIM_OK : damaged(error);
}

static minisim_status read_shape(struct cursor *c, struct description *d, minisim_error *error) {
    uint64_t sizes[2];
    size_t count = 0;
    if (!pass(c, "("))
        return damaged(error);
    while (!pass(c, ")")) {
        if (count == 2)
            return ms_fail(error, MINISIM_BAD_FILE, "its array has more than two dimensions");
        if (!pass_number(c, &sizes[count++]))
            return damaged(error);
        if (pass(c, ","))
            continue;
        if (!pass(c, ")"))
            return damaged(error);
        break;
    }
    if (count == 0)
        return ms_fail(error, MINISIM_BAD_FILE, "it holds a single number, no vectors");
    d->dimensions = count;
    d->shape[0] = count == 1 ? 1 : sizes[0];
    d->shape[1] = sizes[count - 1];
    return MINISIM_OK;
}

static minisim_status read_entry(struct cursor *c, struct description *d, minisim_error *error) {
    if (d->item_size == 0 && pass_quoted(c, "descr") && pass(c, ":"))
        return read_type(c, d, error);
    if (!d->order_said && pass_quoted(c, "fortran_order") && pass(c, ":"))
        return read_order(c, d, error);
    if (d->dimensions == 0 && pass_quoted(c, "shape") && pass(c, ":"))
        return read_shape(c, d, error);
    return damaged(error);
}

static minisim_status read_dictionary(struct cursor c, struct description *d,
                                      minisim_error *error) {
    if (!pass(&c, "{"))
        return damaged(error);
    while (!pass(&c, "}")) {
        minisim_status status = read_entry(&c, d, error);
        if (status != MINISIM_OK)
            return status;
        if (pass(&c, ","))
            continue;
        if (!pass(&c, "}"))
            return damaged(error);
        break;
    }
    pass(&c, "");
    if (c.at != c.end || d->item_size == 0 || !d->order_said || d->dimensions == 0)
        return damaged(error);
    return MINISIM_OK;
}

/* Reads all before the values; *size becomes its length. */
static minisim_status read_header(FILE *file, struct description *d, uint64_t *size,
                                  minisim_error *error) {
    unsigned char start[12];
    if (fread(start, 1, 8, file) != 8 || memcmp(start, MAGIC, sizeof MAGIC) != 0)
        return ms_fail(error, MINISIM_BAD_FILE, "this is no NumPy file (.npy)");
    if (start[6] < 1 || start[6] > 2)
        return ms_fail(error, MINISIM_BAD_FILE,
                       "this is a NumPy file of version %d.%d, only 1 and 2 are read", start[6],
                       start[7]);
    size_t length_size = start[6] == 1 ? 2 : 4;
    if (fread(start + 8, 1, length_size, file) != length_size)
        return damaged(error);
    uint32_t length = 0;
    for (size_t i = 0; i < length_size; i++)
        length |= (uint32_t)start[8 + i] << 8 * i;
    if (length > MOST_HEADER)
        return ms_fail(error, MINISIM_BAD_FILE, "its header of %" PRIu32 " bytes is over %d bytes",
                       length, MOST_HEADER);
    char *text = malloc(length ? length : 1);
    if (!text)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for %" PRIu32 " bytes", length);
    minisim_status status = MINISIM_OK;
    if (fread(text, 1, length, file) != length)
        status = damaged(error);
    else
        status = read_dictionary((struct cursor){text, text + length}, d, error);
    free(text);
    *size = 8 + length_size + length;
    return status;
}

/* Holds the shape against the bytes behind the header. */
static minisim_status check_shape(const struct description *d, uint64_t size,
                                  minisim_error *error) {
    uint64_t rows = d->shape[0], columns = d->shape[1];
    if (rows == 0 || columns == 0)
        return ms_fail(error, MINISIM_BAD_FILE, "its array is empty");
    uint64_t values = size / d->item_size;
    bool fits = size % d->item_size == 0 && columns <= values && values % columns == 0;
    if (size == UNKNOWN_SIZE)
        values = rows <= UINT64_MAX / columns ? rows * columns : UINT64_MAX;
    else if (!fits || values / columns != rows)
        return ms_fail(error, MINISIM_BAD_FILE,
                       "%" PRIu64 " x %" PRIu64 " values of %zu bytes do not fill the %" PRIu64
                       " bytes behind its header",
                       rows, columns, d->item_size, size);
    if (values > SIZE_MAX / sizeof(float))
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "its %" PRIu64 " values are too many", values);
    return MINISIM_OK;
}

static double decode_value(const unsigned char *bytes, const struct description *d) {
    uint64_t bits = 0;
    for (size_t i = 0; i < d->item_size; i++)
        bits |= (uint64_t)bytes[d->big_endian ? d->item_size - 1 - i : i] << 8 * i;
    if (d->item_size == 8) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    uint32_t half = (uint32_t)bits;
    float value;
    memcpy(&value, &half, sizeof value);
    return (double)value;
}

/* Makes room for `count` values. */
static minisim_status reserve(struct ms_vectors *vectors, size_t *capacity, size_t count,
                              minisim_error *error) {
    float *values = realloc(vectors->values, count * sizeof *values);
    if (!values)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for %zu values", count);
    vectors->values = values;
    *capacity = count;
    return MINISIM_OK;
}

static minisim_status read_chunk(FILE *file, const struct description *d, uint64_t done,
                                 size_t count, float *values, minisim_error *error) {
    unsigned char bytes[8 * CHUNK];
    if (fread(bytes, d->item_size, count, file) != count)
        return ms_fail(error, MINISIM_BAD_FILE, "%s",
                       ferror(file) ? ms_errno_text(errno) : "it ends before its values do");
    for (size_t i = 0; i < count; i++) {
        double value = decode_value(bytes + i * d->item_size, d);
        if (!(fabs(value) <= (double)FLT_MAX))
            return ms_fail(error, MINISIM_BAD_FILE,
                           "row %" PRIu64 ", column %" PRIu64
                           " (from 0) is no finite float32 number",
                           (done + i) / d->shape[1], (done + i) % d->shape[1]);
        values[i] = (float)value;
    }
    return MINISIM_OK;
}

/* `capacity` is where to begin: all values where the file is known to hold them. */
static minisim_status read_values(FILE *file, const struct description *d, size_t capacity,
                                  struct ms_vectors *vectors, minisim_error *error) {
    size_t total = (size_t)(d->shape[0] * d->shape[1]);
    minisim_status status = reserve(vectors, &capacity, capacity, error);
    for (size_t done = 0, count; done < total && status == MINISIM_OK; done += count) {
        count = total - done < CHUNK ? total - done : CHUNK;
        if (capacity - done < count)
            status =
                reserve(vectors, &capacity, total / 2 < capacity ? total : 2 * capacity, error);
        if (status == MINISIM_OK)
            status = read_chunk(file, d, done, count, vectors->values + done, error);
    }
    return status;
}

/* `size` is that of the file, or UNKNOWN_SIZE. */
static minisim_status read_array(FILE *file, uint64_t size, struct ms_vectors *vectors,
                                 minisim_error *error) {
    enum { STREAM_CAPACITY = 64 * CHUNK };
    struct description d = {0};
    uint64_t header_size = 0;
    minisim_status status = read_header(file, &d, &header_size, error);
    if (status == MINISIM_OK && size != UNKNOWN_SIZE)
        size = size > header_size ? size - header_size : 0;
    if (status == MINISIM_OK)
        status = check_shape(&d, size, error);
    if (status != MINISIM_OK)
        return status;
    struct ms_vectors read = {NULL, (size_t)d.shape[0], (size_t)d.shape[1]};
    size_t count = read.rows * read.columns;
    bool grows = size == UNKNOWN_SIZE && count > STREAM_CAPACITY;
    status = read_values(file, &d, grows ? STREAM_CAPACITY : count, &read, error);
    if (status == MINISIM_OK && size == UNKNOWN_SIZE && getc(file) != EOF)
        status = ms_fail(error, MINISIM_BAD_FILE, "more bytes follow its values");
    if (status == MINISIM_OK)
        *vectors = read;
    else
        free(read.values);
    return status;
}

minisim_status ms_read_npy_stream(FILE *file, struct ms_vectors *vectors, minisim_error *error) {
    return read_array(file, UNKNOWN_SIZE, vectors, error);
}

minisim_status ms_read_npy(const char *path, struct ms_vectors *vectors, minisim_error *error) {
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat about;
    if (descriptor < 0)
        return ms_fail(error, MINISIM_BAD_FILE, "%s", ms_errno_text(errno));
    FILE *file = NULL;
    minisim_status status;
    if (fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode))
        status = ms_fail(error, MINISIM_BAD_FILE, "this is no regular file");
    else if (!(file = fdopen(descriptor, "rb")))
        status = ms_fail(error, MINISIM_OUT_OF_MEMORY, "%s", ms_errno_text(errno));
    else
        status = read_array(file, (uint64_t)about.st_size, vectors, error);
    if (file)
        fclose(file);
    else
        close(descriptor);
    return status;
}
