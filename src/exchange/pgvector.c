/*
 * PostgreSQL with pgvector: one file for psql -f, which makes the table where there is none,
 * removes what is gone, copies the rows in, over those of the same id, and makes the index. All is
 * one transaction.
 */
#include "exchange/formats.h"

#include <inttypes.h>

/* A vector has more values than its index takes; a halfvec's index takes twice as many. */
enum { MOST_INDEXED = 2000, MOST_HALF_INDEXED = 4000 };

static bool begin(struct ms_export *x) {
    fprintf(x->file,
            "BEGIN;\n"
            "CREATE EXTENSION IF NOT EXISTS vector;\n"
            "CREATE TABLE IF NOT EXISTS minisim (id uuid PRIMARY KEY, path text NOT NULL, label "
            "text, embedding vector(%" PRIu32 ") NOT NULL);\n"
            "CREATE TEMPORARY TABLE minisim_new (LIKE minisim) ON COMMIT DROP;\n",
            x->dimension);
    return true;
}

static bool gone(struct ms_export *x, const struct ms_export_row *r) {
    fprintf(x->file, "DELETE FROM minisim WHERE id = '%s';\n", r->uuid);
    return true;
}

/* COPY's text: names have no control characters, but backslashes. */
static void write_text(FILE *file, const char *text) {
    for (; *text; text++) {
        if (*text == '\\')
            putc('\\', file);
        putc(*text, file);
    }
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    if (x->begun_rows++ == 0)
        fputs("COPY minisim_new (id, path, label, embedding) FROM STDIN;\n", x->file);
    fprintf(x->file, "%s\t", r->uuid);
    write_text(x->file, r->name);
    putc('\t', x->file);
    if (*r->label)
        write_text(x->file, r->label);
    else
        fputs("\\N", x->file);
    fputs("\t[", x->file);
    ms_write_values(x->file, r->values, x->dimension, ',');
    fputs("]\n", x->file);
    return true;
}

static bool end(struct ms_export *x) {
    const char *operators = x->metric == MINISIM_COSINE      ? "cosine"
                            : x->metric == MINISIM_EUCLIDEAN ? "l2"
                                                             : "ip";
    const char *index = "CREATE INDEX IF NOT EXISTS minisim_embedding ON minisim USING hnsw";
    if (x->begun_rows > 0)
        fputs("\\.\n"
              "INSERT INTO minisim SELECT * FROM minisim_new ON CONFLICT (id) DO UPDATE SET path = "
              "EXCLUDED.path, label = EXCLUDED.label, embedding = EXCLUDED.embedding;\n",
              x->file);
    if (x->dimension <= MOST_INDEXED)
        fprintf(x->file, "%s (embedding vector_%s_ops);\n", index, operators);
    else if (x->dimension <= MOST_HALF_INDEXED)
        fprintf(x->file, "%s ((embedding::halfvec(%" PRIu32 ")) halfvec_%s_ops);\n", index,
                x->dimension, operators);
    fputs("COMMIT;\n", x->file);
    return true;
}

const struct ms_export_format ms_export_pgvector = {.name = "pgvector",
                                                    .most = 16000,
                                                    .names = true,
                                                    .metric = true,
                                                    .begin = begin,
                                                    .gone = gone,
                                                    .row = row,
                                                    .end = end};
