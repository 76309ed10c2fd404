/*
 * minisim compare: the distance of the first picture to each other, or of all pairs. Pictures (or
 * rows of a NumPy file) are collected first, then compared, then printed.
 */
#include "base/json.h"
#include "base/npy.h"
#include "base/text.h"
#include "cli/batch.h"
#include "cli/console.h"
#include "cli/verbs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct ms_option compare_options[] = {
    {MS_OPTION_METRIC, "metric", 0, "METRIC",
     "cosine (usual), euclidean, dot or all;\neach result says which way is closer"},
    {MS_OPTION_MATRIX, "matrix", 0, NULL, "all pairs, as a table"},
    {MS_OPTION_VECTORS, "vectors", 0, "FILE", "compare the rows of a NumPy file (.npy)\ninstead"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_compare = {
    "compare",
    "A B [C...]",
    "tell how far pictures are from each other",
    "Tells how far picture A is from each of the others; - is a picture on standard\n"
    "input. Cosine distances go from 0 (the same) to 2.\n"
    "\n"
    "  minisim compare cat.jpg other-cat.jpg table.jpg\n"
    "  minisim compare --matrix --metric euclidean *.jpg",
    {compare_options, ms_network_options, ms_picture_options},
    ms_run_compare};

enum { METRICS = 3, ALL_METRICS = METRICS };

static const struct metric {
    minisim_metric metric;
    const char *name, *what, *preposition, *closer;
} metrics[METRICS] = {{MINISIM_COSINE, "cosine", "cosine distance", "to", "smaller"},
                      {MINISIM_EUCLIDEAN, "euclidean", "euclidean distance", "to", "smaller"},
                      {MINISIM_DOT, "dot", "dot product", "with", "larger"}};

struct compare {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    int metric; /* place in metrics, or ALL_METRICS */
    int json;
    bool matrix;
    const char *vectors_path;
    char **names; /* NULL: rows of a file */
    float *vectors;
    size_t count, capacity, dimension;
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const names[] = {"cosine", "euclidean", "dot", "all", NULL};
    static const char *const formats[] = {"text", "json", NULL};
    struct compare *c = settings;
    switch (option->id) {
    case MS_OPTION_METRIC:
        return ms_take_choice(option, value, names, &c->metric);
    case MS_OPTION_MATRIX:
        return c->matrix = true;
    case MS_OPTION_VECTORS:
        c->vectors_path = value;
        return true;
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &c->json);
    default:
        return ms_take_picture_option(&c->pictures, option, value);
    }
}

/* Makes room for one more picture. */
static bool grow(struct compare *c) {
    if (c->count < c->capacity)
        return true;
    size_t capacity = c->capacity ? 2 * c->capacity : 16;
    if (capacity > SIZE_MAX / sizeof *c->vectors / c->dimension)
        return false;
    char **names = realloc(c->names, capacity * sizeof *names);
    if (!names)
        return false;
    c->names = names;
    float *vectors = realloc(c->vectors, capacity * c->dimension * sizeof *vectors);
    if (!vectors)
        return false;
    c->vectors = vectors;
    c->capacity = capacity;
    return true;
}

static bool add_picture(void *user, const char *name, const float *vector) {
    struct compare *c = user;
    if (!grow(c) || !(c->names[c->count] = strdup(name))) {
        ms_complain(NULL, "out of memory");
        ms_note(MS_EXIT_SYSTEM);
        return false;
    }
    memcpy(c->vectors + c->count * c->dimension, vector, c->dimension * sizeof *vector);
    c->count++;
    return true;
}

/* false: there is nothing to compare, which was said and noted. */
static bool collect_pictures(struct compare *c) {
    struct ms_engine engine;
    if (!ms_open_engine(&c->pictures, c->sources.count, &engine))
        return false;
    c->dimension = minisim_model_dimension(engine.model);
    ms_embed_sources(&c->sources, &c->pictures, &engine, add_picture, c);
    ms_close_engine(&engine);
    int status = ms_noted_status();
    if (ms_interrupted() || (status != MS_EXIT_OK && status != MS_EXIT_SOME_FAILED))
        return false;
    /* Failed pictures are not here: without the first there are no distances to it. */
    return c->count > 1 && (c->matrix || strcmp(c->names[0], c->sources.names[0]) == 0);
}

static bool collect_vectors(struct compare *c) {
    struct ms_vectors vectors;
    minisim_error error;
    minisim_status status = ms_read_npy(c->vectors_path, &vectors, &error);
    if (status != MINISIM_OK) {
        ms_complain(c->vectors_path, "%s", error.text);
        ms_note(status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM : MS_EXIT_SOME_FAILED);
        return false;
    }
    c->vectors = vectors.values;
    c->count = vectors.rows;
    c->dimension = vectors.columns;
    if (c->count > 1)
        return true;
    ms_complain(c->vectors_path, "it holds one row, compare needs two");
    ms_note(MS_EXIT_SOME_FAILED);
    return false;
}

static void print_name(const struct compare *c, size_t i) {
    if (c->names)
        ms_write_name(stdout, c->names[i]);
    else
        printf("row %zu", i);
}

/* A vector of zeros has no cosine distance: it is told once, not with each pair. */
static void report_zeros(const struct compare *c) {
    for (size_t i = 0; i < c->count; i++) {
        const float *vector = c->vectors + i * c->dimension;
        size_t k = 0;
        while (k < c->dimension && vector[k] == 0)
            k++;
        if (k < c->dimension)
            continue;
        if (c->names)
            ms_complain(c->names[i], "all its values are zero: it has no cosine distance");
        else
            ms_complain(c->vectors_path, "row %zu is zero: it has no cosine distance", i);
        ms_note(MS_EXIT_SOME_FAILED);
    }
}

static bool is_wanted(const struct compare *c, int metric) {
    return c->metric == metric || c->metric == ALL_METRICS;
}

/* false: there is no such distance. */
static bool measure(const struct compare *c, int metric, size_t i, size_t j, double *distance) {
    const float *a = c->vectors + i * c->dimension, *b = c->vectors + j * c->dimension;
    return minisim_distance(metrics[metric].metric, a, b, c->dimension, distance) == MINISIM_OK;
}

static const char *measure_text(const struct compare *c, int metric, size_t i, size_t j,
                                char text[MS_NUMBER_SIZE]) {
    double distance;
    return measure(c, metric, i, j, &distance) ? ms_double_text(distance, text) : "-";
}

static void print_list(const struct compare *c, int metric) {
    char text[MS_NUMBER_SIZE];
    printf("# %s %s ", metrics[metric].what, metrics[metric].preposition);
    print_name(c, 0);
    printf(" (%s is closer)\n", metrics[metric].closer);
    for (size_t i = 1; i < c->count && ms_flush_output(); i++) {
        printf("%s\t", measure_text(c, metric, 0, i, text));
        print_name(c, i);
        putchar('\n');
    }
}

/* Numbered rows and columns; a row ends in the name that belongs to its number. */
static void print_matrix(const struct compare *c, int metric) {
    char text[MS_NUMBER_SIZE];
    int number_width = snprintf(text, sizeof text, "%zu", c->count), width = number_width;
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < c->count; j++) {
            int length = (int)strlen(measure_text(c, metric, i, j, text));
            width = length > width ? length : width;
        }
    printf("# %s of all pairs (%s is closer)\n%*s", metrics[metric].what, metrics[metric].closer,
           number_width, "");
    for (size_t j = 0; j < c->count; j++)
        printf("  %*zu", width, j + 1);
    putchar('\n');
    for (size_t i = 0; i < c->count && ms_flush_output(); i++) {
        printf("%*zu", number_width, i + 1);
        for (size_t j = 0; j < c->count; j++)
            printf("  %*s", width, measure_text(c, metric, i, j, text));
        printf("  ");
        print_name(c, i);
        putchar('\n');
    }
}

static void print_text(const struct compare *c) {
    for (int metric = 0; metric < METRICS; metric++)
        if (is_wanted(c, metric) && c->matrix)
            print_matrix(c, metric);
        else if (is_wanted(c, metric))
            print_list(c, metric);
}

static void json_item(const struct compare *c, struct ms_json *json, const char *key, size_t i) {
    if (c->names) {
        ms_json_name(json, key, c->names[i]);
        return;
    }
    ms_json_open(json, key, '{');
    ms_json_count(json, "row", i);
    ms_json_close(json, '}');
}

static void json_pair(const struct compare *c, struct ms_json *json, size_t i, size_t j) {
    ms_json_open(json, NULL, '{');
    json_item(c, json, "a", i);
    json_item(c, json, "b", j);
    for (int metric = 0; metric < METRICS; metric++) {
        double distance;
        if (!is_wanted(c, metric))
            continue;
        if (measure(c, metric, i, j, &distance))
            ms_json_double(json, metrics[metric].name, distance);
        else
            ms_json_text(json, metrics[metric].name, NULL);
    }
    ms_json_close(json, '}');
}

static void print_json(const struct compare *c) {
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_open(&json, "closer", '{');
    for (int metric = 0; metric < METRICS; metric++)
        if (is_wanted(c, metric))
            ms_json_text(&json, metrics[metric].name, metrics[metric].closer);
    ms_json_close(&json, '}');
    ms_json_open(&json, "distances", '[');
    size_t rows = c->matrix ? c->count : c->count > 0 ? 1 : 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = i + 1; j < c->count && ms_flush_output(); j++)
            json_pair(c, &json, i, j);
    ms_json_close(&json, ']');
    ms_json_close(&json, '}');
    putchar('\n');
}

static bool check(const struct compare *c) {
    if (c->vectors_path)
        return c->sources.count == 0 ||
               ms_refuse_usage("compare takes pictures or --vectors, not both");
    if (c->sources.count < 2)
        return ms_refuse_usage("compare needs at least two pictures; see minisim compare --help");
    return ms_check_sources(&c->sources);
}

static void compare(struct compare *c) {
    bool collected = c->vectors_path ? collect_vectors(c) : collect_pictures(c);
    if (collected) {
        if (is_wanted(c, 0))
            report_zeros(c);
        if (c->json)
            print_json(c);
        else
            print_text(c);
    }
    for (size_t i = 0; c->names && i < c->count; i++)
        free(c->names[i]);
    free(c->names);
    free(c->vectors);
}

void ms_run_compare(const struct ms_verb *verb, int argc, char **argv) {
    struct compare c = {.sources = {.names = argv}};
    if (ms_parse_options(verb, argc, argv, take_option, &c, &c.sources.count) && check(&c))
        compare(&c);
}
