/* Embeddings as rows of a file: text, JSON Lines, CSV, NumPy's .npy, bare float32. */
#ifndef MS_CLI_ROWS_H
#define MS_CLI_ROWS_H

#include "base/json.h"
#include "base/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ms_row_format { MS_ROWS_TEXT, MS_ROWS_JSON, MS_ROWS_CSV, MS_ROWS_NPY, MS_ROWS_F32 };

struct ms_rows {
    enum ms_row_format format;
    struct ms_output *output;
    FILE *spool; /* .npy says first how many rows follow: where the output cannot be rewound, they
                    wait here */
    size_t columns;
    uint64_t count;
};

/* All give false when writing failed, which was said and noted; the output is discarded then. */
bool ms_rows_begin(struct ms_rows *rows, enum ms_row_format format, struct ms_output *output,
                   size_t columns);
bool ms_rows_add(struct ms_rows *rows, const char *name, const float *values);
bool ms_rows_end(struct ms_rows *rows);

/* "embedding":[...], as the rows of JSON have it. */
void ms_json_embedding(struct ms_json *json, const float *values, size_t count);

/* Frees what a run that ended early left. */
void ms_rows_close(struct ms_rows *rows);

#endif
