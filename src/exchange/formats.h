/*
 * What other engines read: a file here for each format, in the table's order of what they need, so
 * that a new one is a file and a line (README.md says which engine takes what). A format gets the
 * rows of a catalogue one by one and writes them onto a stream; it holds none of them, and whoever
 * calls sees to it that what it wrote appears whole or not at all.
 */
#ifndef MS_EXPORT_FORMATS_H
#define MS_EXPORT_FORMATS_H

#include "base/folder.h"
#include "base/json.h"
#include "base/npy.h"
#include "minisim.h"

#include <stdbool.h>
#include <stdio.h>

/* A row, or of one that is gone what it was called. */
struct ms_export_row {
    const char *name;    /* as ms_write_name writes it: UTF-8 without control characters */
    const char *label;   /* the same; "" where there is none */
    char uuid[37];       /* made from the path: an engine's id that stays from export to export */
    int64_t number;      /* the same as a number, for engines that want one */
    const float *values; /* [dimension], finite; NULL: gone */
};

struct ms_export {
    FILE *file;               /* where to write; of a format in many files the one that is open */
    struct ms_folder *folder; /* of a format in many files, else NULL */
    uint64_t rows;            /* that will come */
    uint32_t dimension;
    minisim_metric metric; /* that the engine shall be told, where the format can */
    minisim_error error;   /* why a function gave false; "": a stream's error */
    /* The formats' own: what waits for its turn, and how much is in the request or file begun. */
    FILE *waiting;
    char *bytes;
    size_t size;
    const struct ms_request *request;
    uint64_t begun_rows, begun_bytes, files;
};

/* Functions give false where they must stop, with the cause in *x; writes that fail show as the
 * stream's error as well. */
struct ms_export_format {
    const char *name;
    uint32_t most;                      /* values of a vector that the engine takes; 0: any */
    bool folder;                        /* many files */
    bool names;                         /* rows carry their names */
    bool metric;                        /* says the metric */
    bool (*begin)(struct ms_export *x); /* NULL: nothing to do */
    bool (*gone)(struct ms_export *x, const struct ms_export_row *row); /* NULL: it cannot say */
    bool (*row)(struct ms_export *x, const struct ms_export_row *row);
    bool (*end)(struct ms_export *x);
    /* Is it such a file, by its first bytes? NULL: what was exported cannot be read again. */
    bool (*is)(const uint8_t start[8], uint64_t size);
    /*
     * Reads all rows; the caller frees vectors->values, and *numbers (NULL: the file has none), one
     * for each. BAD_FILE, OUT_OF_MEMORY; nothing is to be freed then.
     */
    minisim_status (*read)(FILE *file, uint64_t size, struct ms_vectors *vectors, int64_t **numbers,
                           minisim_error *error);
};

/* All formats; a name that is NULL ends them. */
extern const struct ms_export_format ms_export_npy, ms_export_csv, ms_export_fvecs, ms_export_faiss,
    ms_export_pgvector, ms_export_milvus, ms_export_vertex, ms_export_qdrant, ms_export_pinecone;
extern const struct ms_export_format *const ms_export_formats[];

/* The ids of a row, from its path; a path that is a number is its own. */
void ms_export_identify(const char *path, struct ms_export_row *row);

/* A row of CSV (RFC 4180); the format's own, and embed's. */
void ms_write_csv_row(FILE *file, const char *name, const float *values, size_t count);

/* The heading of such rows. */
void ms_write_csv_heading(FILE *file, size_t count);

/* Numbers with a character between them, each the shortest that reads back the same. */
void ms_write_values(FILE *file, const float *values, size_t count, char between);

void ms_write_array(struct ms_json *json, const char *key, const float *values, size_t count);

/* Of a format in many files: closes the one that is open, and opens another (NULL: none), in the
 * folder or in one of its folders. false: errno. */
bool ms_export_file(struct ms_export *x, const char *name);

/* Reads little-endian floats into rows x columns values that it allocates; before those of each row
 * stand `before` bytes, which are `start`. BAD_FILE: they are not all there and finite, or a row
 * begins otherwise; OUT_OF_MEMORY. */
minisim_status ms_read_rows(FILE *file, const uint8_t *start, size_t before,
                            struct ms_vectors *vectors, minisim_error *error);

#endif
