/*
 * Distances, printed: see comparison.h. Sums of a block of queries with a block of rows come first,
 * then a list, a matrix or JSON made of such blocks, then what is said of missing distances.
 */
#include "cli/comparison.h"

#include "base/json.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const ms_metric_names[] = {"cosine", "euclidean", "dot", "all", NULL};

static const struct metric {
    minisim_metric metric;
    const char *what, *preposition, *closer;
    int width; /* of its numbers in a table */
} metrics[MS_METRICS] = {{MINISIM_COSINE, "cosine distance", "to", "smaller", 9},
                         {MINISIM_EUCLIDEAN, "euclidean distance", "to", "smaller", 9},
                         {MINISIM_DOT, "dot product", "with", "larger", 10}};

/* A matrix is measured that many rows at a time, a list that many pairs. */
enum { BLOCK_QUERIES = 16, BLOCK_ROWS = 4096 };

/* Queries and rows, and their sums [queries][rows] for each metric that is wanted. */
struct block {
    size_t query, queries, row, rows;
    float *sums[MS_METRICS];
};

struct run {
    const struct ms_comparison *c;
    struct ms_vector_set set;
    float *squares, *sums;
    struct block block;
    uint64_t missing[MS_METRICS];        /* pairs beyond float32 */
    size_t first_missing[MS_METRICS][2]; /* the first of them */
};

static bool is_wanted(const struct run *run, int metric) {
    return run->c->metric == metric || run->c->metric == MS_ALL_METRICS;
}

static void measure_block(struct run *run, size_t query, size_t queries, size_t row, size_t rows) {
    struct block *b = &run->block;
    float *sums = run->sums;
    *b = (struct block){.query = query, .queries = queries, .row = row, .rows = rows};
    for (int metric = 0; metric < MS_METRICS; metric++) {
        if (!is_wanted(run, metric))
            continue;
        b->sums[metric] = sums;
        ms_vector_sums(&run->set, metrics[metric].metric, query, queries, row, rows, sums);
        sums += queries * rows;
    }
}

/* A pair of the block. false: it has no distance, which is counted, unless one of the two has no
 * direction, which was said at the beginning. */
static bool measure(struct run *run, int metric, size_t i, size_t j, double *distance) {
    const struct block *b = &run->block;
    float sum = b->sums[metric][(i - b->query) * b->rows + (j - b->row)];
    if (ms_vector_distance(&run->set, metrics[metric].metric, i, j, sum, distance))
        return true;
    bool said = metrics[metric].metric == MINISIM_COSINE &&
                !(ms_has_direction(run->squares[i]) && ms_has_direction(run->squares[j]));
    if (said || (run->c->matrix && i > j))
        return false;
    if (run->missing[metric]++ == 0) {
        run->first_missing[metric][0] = i;
        run->first_missing[metric][1] = j;
    }
    return false;
}

static void write_name(FILE *file, const struct ms_comparison *c, size_t i) {
    if (c->names)
        ms_write_name(file, c->names[i]);
    else
        fprintf(file, "row %zu", i);
}

/* Four digits are what a person reads; JSON has them all. */
static const char *short_text(struct run *run, int metric, size_t i, size_t j,
                              char text[MS_NUMBER_SIZE]) {
    double distance;
    if (!measure(run, metric, i, j, &distance))
        return "-";
    snprintf(text, MS_NUMBER_SIZE, "%.4g", distance + 0.0); /* -0 becomes 0 */
    return text;
}

/* false: it ends here. */
static bool goes_on(void) {
    return !ms_interrupted() && ms_flush_output();
}

static void print_list(struct run *run, int metric) {
    const struct ms_comparison *c = run->c;
    char text[MS_NUMBER_SIZE];
    printf("# %s %s ", metrics[metric].what, metrics[metric].preposition);
    write_name(stdout, c, c->query);
    printf(" (%s is closer)\n", metrics[metric].closer);
    bool going = true;
    for (size_t row = 0, rows; row < c->count && going; row += rows) {
        rows = c->count - row < BLOCK_ROWS ? c->count - row : BLOCK_ROWS;
        measure_block(run, c->query, 1, row, rows);
        for (size_t i = row; i < row + rows; i++) {
            if (i == c->query)
                continue;
            printf("%s\t", short_text(run, metric, c->query, i, text));
            write_name(stdout, c, i);
            putchar('\n');
        }
        going = goes_on();
    }
}

/* Rows and columns have numbers, a row ends in the name that belongs to its number. Pictures are
 * counted from 1, rows of a file as NumPy counts them. */
static void print_matrix_row(struct run *run, int metric, size_t i, int number_width) {
    const struct ms_comparison *c = run->c;
    char text[MS_NUMBER_SIZE];
    printf("%*zu", number_width, i + !c->path);
    for (size_t j = 0; j < c->count; j++)
        printf("  %*s", metrics[metric].width, short_text(run, metric, i, j, text));
    printf("  ");
    write_name(stdout, c, i);
    putchar('\n');
}

static void print_matrix(struct run *run, int metric) {
    const struct ms_comparison *c = run->c;
    int number_width = snprintf(NULL, 0, "%zu", c->count);
    printf("# %s of all pairs (%s is closer)\n%*s", metrics[metric].what, metrics[metric].closer,
           number_width, "");
    for (size_t j = 0; j < c->count; j++)
        printf("  %*zu", metrics[metric].width, j + !c->path);
    putchar('\n');
    bool going = true;
    for (size_t i = 0; i < c->count && going; i++) {
        size_t left = c->count - i;
        if (i % BLOCK_QUERIES == 0)
            measure_block(run, i, left < BLOCK_QUERIES ? left : BLOCK_QUERIES, 0, c->count);
        print_matrix_row(run, metric, i, number_width);
        ms_progress_step(false);
        going = goes_on();
    }
}

static void print_text(struct run *run) {
    for (int metric = 0; metric < MS_METRICS; metric++)
        if (is_wanted(run, metric) && run->c->matrix)
            print_matrix(run, metric);
        else if (is_wanted(run, metric))
            print_list(run, metric);
}

static void json_item(const struct ms_comparison *c, struct ms_json *json, const char *key,
                      size_t i) {
    if (c->names) {
        ms_json_name(json, key, c->names[i]);
        return;
    }
    ms_json_open(json, key, '{');
    ms_json_count(json, "row", i);
    ms_json_close(json, '}');
}

static void json_pair(struct run *run, struct ms_json *json, size_t i, size_t j) {
    ms_json_open(json, NULL, '{');
    json_item(run->c, json, "a", i);
    json_item(run->c, json, "b", j);
    for (int metric = 0; metric < MS_METRICS; metric++) {
        double distance;
        if (!is_wanted(run, metric))
            continue;
        if (measure(run, metric, i, j, &distance))
            ms_json_double(json, ms_metric_names[metric], distance);
        else
            ms_json_text(json, ms_metric_names[metric], NULL);
    }
    ms_json_close(json, '}');
}

static void json_list(struct run *run, struct ms_json *json) {
    const struct ms_comparison *c = run->c;
    bool going = true;
    for (size_t row = 0, rows; row < c->count && going; row += rows) {
        rows = c->count - row < BLOCK_ROWS ? c->count - row : BLOCK_ROWS;
        measure_block(run, c->query, 1, row, rows);
        for (size_t i = row; i < row + rows; i++)
            if (i != c->query)
                json_pair(run, json, c->query, i);
        going = goes_on();
    }
}

/* Each pair once. */
static void json_matrix(struct run *run, struct ms_json *json) {
    const struct ms_comparison *c = run->c;
    bool going = true;
    for (size_t i = 0; i < c->count && going; i++) {
        size_t left = c->count - i;
        if (i % BLOCK_QUERIES == 0)
            measure_block(run, i, left < BLOCK_QUERIES ? left : BLOCK_QUERIES, i, left);
        for (size_t j = i + 1; j < c->count; j++)
            json_pair(run, json, i, j);
        ms_progress_step(false);
        going = goes_on();
    }
}

static void print_json(struct run *run) {
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_open(&json, "closer", '{');
    for (int metric = 0; metric < MS_METRICS; metric++)
        if (is_wanted(run, metric))
            ms_json_text(&json, ms_metric_names[metric], metrics[metric].closer);
    ms_json_close(&json, '}');
    ms_json_open(&json, "distances", '[');
    if (run->c->count > 1 && run->c->matrix)
        json_matrix(run, &json);
    else if (run->c->count > 1)
        json_list(run, &json);
    ms_json_close(&json, ']');
    ms_json_close(&json, '}');
    putchar('\n');
}

/* ---- a page ---- */

static const char *shown_text(struct run *run, int metric, size_t i, size_t j,
                              char text[MS_NUMBER_SIZE]) {
    double distance;
    return measure(run, metric, i, j, &distance) ? ms_shown_value(distance, text)
                                                 : strcpy(text, "none");
}

static void show_card(const struct ms_comparison *c, size_t i, const char *head, const char *note,
                      bool chosen) {
    const char *name = c->names[i];
    const char *missing = strcmp(name, "-") == 0 ? "from standard input" : NULL;
    ms_page_card(c->page, &(struct ms_card){name, missing, head, note, chosen});
}

/* The first metric stands out; the others, where all are wanted, follow in a line. */
static void show_distance(struct run *run, size_t i, size_t j) {
    char head[MS_SHOWN_DISTANCE], text[MS_NUMBER_SIZE], note[MS_METRICS * 64] = "";
    size_t length = 0;
    int first = run->c->metric % MS_ALL_METRICS;
    double value;
    if (measure(run, first, i, j, &value))
        ms_shown_distance(value, metrics[first].metric == MINISIM_DOT, head);
    else
        snprintf(head, sizeof head, "no %s", metrics[first].what);
    for (int metric = first + 1; metric < MS_METRICS; metric++)
        if (is_wanted(run, metric))
            length +=
                (size_t)snprintf(note + length, sizeof note - length, "%s%s %s", length ? ", " : "",
                                 metrics[metric].what, short_text(run, metric, i, j, text));
    show_card(run->c, j, head, length ? note : NULL, false);
}

static void show_list(struct run *run) {
    const struct ms_comparison *c = run->c;
    const struct metric *first = &metrics[c->metric % MS_ALL_METRICS];
    char about[64];
    snprintf(about, sizeof about, "%s; %s is closer", first->what, first->closer);
    ms_page_section(c->page, "Compared with", c->names[c->query], about);
    ms_page_cards_begin(c->page);
    show_card(c, c->query, "The first", NULL, true);
    for (size_t row = 0, rows; row < c->count && goes_on(); row += rows) {
        rows = c->count - row < BLOCK_ROWS ? c->count - row : BLOCK_ROWS;
        measure_block(run, c->query, 1, row, rows);
        for (size_t i = row; i < row + rows && !ms_interrupted(); i++)
            if (i != c->query)
                show_distance(run, c->query, i);
    }
    ms_page_cards_end(c->page);
}

static void show_table(struct run *run, int metric) {
    const struct ms_comparison *c = run->c;
    char text[MS_NUMBER_SIZE];
    snprintf(text, sizeof text, "%s of all pairs", metrics[metric].what);
    ms_page_table_begin(c->page, text);
    ms_page_row_begin(c->page);
    ms_page_cell(c->page, "");
    for (size_t i = 1; i <= c->count; i++)
        ms_page_heading(c->page, false, ms_count_text(i, text));
    ms_page_row_end(c->page);
    for (size_t i = 0; i < c->count && goes_on(); i++) {
        size_t left = c->count - i;
        if (i % BLOCK_QUERIES == 0)
            measure_block(run, i, left < BLOCK_QUERIES ? left : BLOCK_QUERIES, 0, c->count);
        ms_page_row_begin(c->page);
        ms_page_heading(c->page, true, ms_count_text(i + 1, text));
        for (size_t j = 0; j < c->count; j++)
            ms_page_cell(c->page, shown_text(run, metric, i, j, text));
        ms_page_row_end(c->page);
    }
    ms_page_table_end(c->page);
}

static void show_matrix(struct run *run) {
    const struct ms_comparison *c = run->c;
    char number[MS_NUMBER_SIZE];
    ms_page_section(c->page, "The pictures", NULL, NULL);
    ms_page_cards_begin(c->page);
    for (size_t i = 0; i < c->count && !ms_interrupted(); i++)
        show_card(c, i, ms_count_text(i + 1, number), NULL, false);
    ms_page_cards_end(c->page);
    for (int metric = 0; metric < MS_METRICS; metric++)
        if (is_wanted(run, metric)) {
            char about[32];
            snprintf(about, sizeof about, "%s is closer", metrics[metric].closer);
            ms_page_section(c->page, "All pairs", NULL, about);
            show_table(run, metric);
        }
}

/* Vectors without a direction are told once, not with each pair. */
static void report_directions(const struct run *run) {
    const struct ms_comparison *c = run->c;
    for (size_t i = 0; i < c->count && !ms_interrupted(); i++) {
        if (ms_has_direction(run->squares[i]))
            continue;
        const float *vector = c->vectors + i * c->dimension;
        size_t k = 0;
        while (k < c->dimension && vector[k] == 0)
            k++;
        const char *why = k == c->dimension     ? "all its values are zero"
                          : run->squares[i] < 1 ? "its values are too small for float32 sums"
                                                : "its values are too large for float32 sums";
        if (c->names)
            ms_complain(c->names[i], "%s: it has no cosine distance", why);
        else
            ms_complain(c->path, "row %zu: %s: it has no cosine distance", i, why);
        ms_note(MS_EXIT_SOME_FAILED);
    }
}

/* Only rows of a file: an embedding's values are between 0 and 6. */
static void report_missing(const struct run *run) {
    for (int metric = 0; metric < MS_METRICS; metric++) {
        const size_t *first = run->first_missing[metric];
        char count[MS_NUMBER_SIZE];
        if (run->missing[metric] == 0)
            continue;
        ms_note(MS_EXIT_SOME_FAILED);
        ms_complain(run->c->path, "%s too large for float32 sums: pairs %s, first rows %zu and %zu",
                    metrics[metric].what, ms_count_text(run->missing[metric], count), first[0],
                    first[1]);
    }
}

/* Room for squares and the largest block. */
static bool open_run(struct run *run, const struct ms_comparison *c) {
    size_t wanted = c->metric == MS_ALL_METRICS ? MS_METRICS : 1;
    size_t rows = c->matrix ? c->count : BLOCK_ROWS, queries = c->matrix ? BLOCK_QUERIES : 1;
    *run = (struct run){.c = c};
    run->squares = malloc((c->count + 1) * sizeof(float));
    run->sums = calloc(rows + 1, wanted * queries * sizeof(float));
    run->set = (struct ms_vector_set){c->kernels, c->vectors, c->count, c->dimension, run->squares};
    if (run->squares && run->sums)
        return true;
    return ms_out_of_memory();
}

void ms_print_comparison(const struct ms_comparison *c, bool json) {
    struct run run;
    if (open_run(&run, c)) {
        if (is_wanted(&run, 0)) {
            ms_vector_squares(&run.set, run.squares);
            if (c->count > 1)
                report_directions(&run);
        }
        if (c->page && c->count > 1 && c->matrix)
            show_matrix(&run);
        else if (c->page && c->count > 1)
            show_list(&run);
        uint64_t passes = json || c->metric != MS_ALL_METRICS ? 1 : MS_METRICS;
        ms_progress_start_rows(c->progress, passes * c->count);
        if (json)
            print_json(&run);
        else if (c->count > 1)
            print_text(&run);
        ms_progress_end();
        report_missing(&run);
    }
    free(run.squares);
    free(run.sums);
}
