/*
 * minisim compare: the distance of the first picture to each other, or of all pairs. Pictures (or
 * rows of a NumPy file) are collected here, then compared and printed by comparison.c.
 */
#include "base/output.h"
#include "base/text.h"
#include "cli/arrays.h"
#include "cli/comparison.h"
#include "cli/console.h"
#include "cli/report.h"
#include "cli/sources.h"
#include "cli/verbs.h"
#include "cli/why.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ms_option compare_options[] = {
    {MS_OPTION_METRIC, "metric", 0, "METRIC",
     "cosine (usual), euclidean, dot or all;\neach result says which way is closer"},
    {MS_OPTION_MATRIX, "matrix", 0, NULL, "all pairs, as a table"},
    {MS_OPTION_VECTORS, "vectors", 0, "FILE",
     "compare the rows of a NumPy file (.npy)\ninstead; - is standard input"},
    {MS_OPTION_IDS, "ids", 0, "FILE", "names of these rows, as embed\nwrites them"},
    {MS_OPTION_QUERY, "query", 0, "N", "compare row N with the others (0, the first)"},
    {MS_OPTION_WHY, "why", 0, NULL,
     "of two pictures: what each part of them adds\nto 1 - cosine distance"},
    {MS_OPTION_OUTPUT, "output", 'o', "FILE",
     "with --why, draw that there as PNG: the larger\na window on a part, the more it adds"},
    MS_HTML_OPTION,
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_compare = {
    "compare",
    "A B [C...]",
    "tell how far pictures are from each other",
    "Tells how far picture A is from each of the others. Each is a picture, a folder\n"
    "to walk through, or - for a picture on standard input. Cosine distances go from\n"
    "0 (the same) to 2.\n"
    "\n"
    "  minisim compare cat.jpg other-cat.jpg table.jpg\n"
    "  minisim compare --matrix --metric euclidean *.jpg\n"
    "  minisim compare --why cat.jpg other-cat.jpg -o why.png",
    {compare_options, ms_source_options, ms_network_options, ms_picture_options},
    ms_run_compare};

struct compare {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    int metric, json;
    bool matrix, why;
    const char *vectors_path, *ids_path, *output_path, *html_path;
    struct ms_report report;
    const char *query_text; /* NULL: not said */
    uint64_t query;
    const char *picture_option; /* one that does nothing for vectors, or NULL */
    const struct ms_kernels *kernels;
    char **names; /* NULL: rows without names */
    float *vectors;
    size_t count, capacity, dimension;
};

static bool take_other_option(struct compare *c, const struct ms_option *option,
                              const char *value) {
    bool tells = option->id == MS_OPTION_PROGRESS || option->id == MS_OPTION_QUIET ||
                 option->id == MS_OPTION_NULL || option->id == MS_OPTION_CPU;
    if (!tells)
        c->picture_option = option->name;
    return ms_take_input_option(&c->sources, &c->pictures, option, value);
}

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct compare *c = settings;
    switch (option->id) {
    case MS_OPTION_METRIC:
        return ms_take_choice(option, value, ms_metric_names, &c->metric);
    case MS_OPTION_MATRIX:
        return c->matrix = true;
    case MS_OPTION_WHY:
        return c->why = true;
    case MS_OPTION_OUTPUT:
        c->output_path = value;
        return true;
    case MS_OPTION_HTML:
        c->html_path = value;
        return true;
    case MS_OPTION_VECTORS:
        c->vectors_path = value;
        return true;
    case MS_OPTION_IDS:
        c->ids_path = value;
        return true;
    case MS_OPTION_QUERY:
        c->query_text = value;
        return ms_take_count(option, value, 0, SIZE_MAX, &c->query);
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &c->json);
    default:
        return take_other_option(c, option, value);
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
    if (!grow(c) || !(c->names[c->count] = strdup(name)))
        return ms_out_of_memory();
    memcpy(c->vectors + c->count * c->dimension, vector, c->dimension * sizeof *vector);
    c->count++;
    return true;
}

/* Whether the first picture was named and failed: then there are no distances to it. */
static bool lacks_first(const struct compare *c) {
    const char *first = c->sources.count > 0 ? c->sources.names[0] : NULL;
    return first && !ms_is_folder(first) && (c->count == 0 || strcmp(c->names[0], first) != 0);
}

/* false: there is nothing to tell, which was said and noted. */
static bool collect_pictures(struct compare *c) {
    struct ms_engine engine;
    if (!ms_open_engine(&c->pictures, ms_count_sources(&c->sources), &engine))
        return false;
    c->dimension = minisim_model_dimension(engine.model);
    c->kernels = ms_kernels_choose(minisim_model_cpu(engine.model));
    if (!ms_refuse_output(&c->sources, engine.weights))
        ms_embed_sources(&c->sources, &c->pictures, &engine, add_picture, c);
    ms_close_engine(&engine);
    int status = ms_noted_status();
    if (ms_interrupted() || (status != MS_EXIT_OK && status != MS_EXIT_SOME_FAILED))
        return false;
    if (c->count < 2 && status == MS_EXIT_OK) {
        ms_complain(c->count ? c->names[0] : NULL, "%s: compare needs two",
                    c->count ? "this is the only picture" : "there are no pictures");
        ms_note(MS_EXIT_SOME_FAILED);
    }
    return true;
}

static bool fail(const char *path, const char *why) {
    if (!ms_interrupted())
        ms_complain(path, "%s", why);
    ms_note(MS_EXIT_SOME_FAILED);
    return false;
}

static bool collect_vectors(struct compare *c) {
    struct ms_array array;
    minisim_error error;
    if (!ms_read_array(c->vectors_path, c->ids_path, c->sources.null_ended, &array))
        return false;
    c->vectors = array.vectors.values;
    c->names = array.names;
    c->count = array.vectors.rows;
    c->dimension = array.vectors.columns;
    if (c->count < 2)
        return fail(c->vectors_path, "it holds one row, compare needs two");
    if (c->query >= c->count) {
        snprintf(error.text, sizeof error.text, "it has no row %s: it holds %zu, counted from 0",
                 c->query_text, c->count);
        return fail(c->vectors_path, error.text);
    }
    return true;
}

static bool check_vectors(struct compare *c) {
    bool two_inputs =
        c->ids_path && strcmp(c->vectors_path, "-") == 0 && strcmp(c->ids_path, "-") == 0;
    if (c->sources.count > 0)
        return ms_refuse_usage("compare takes pictures or --vectors, not both");
    if (c->picture_option)
        return ms_refuse_usage("--%s does nothing with --vectors: it is about pictures",
                               c->picture_option);
    if (c->html_path)
        return ms_refuse_usage("--html shows pictures, and rows of --vectors are none");
    if (c->query_text && c->matrix)
        return ms_refuse_usage("--query does nothing with --matrix, which compares all rows");
    if (two_inputs)
        return ms_refuse_usage("standard input (-) can be read only once");
    c->kernels = ms_kernels_choose(c->pictures.model.cpu);
    return c->kernels ||
           ms_refuse_usage("this CPU or build has no kernels named '%s'", c->pictures.model.cpu);
}

/* Two pictures, with nothing that is about more or about something else. */
static bool check_why(struct compare *c) {
    const char *other = c->matrix             ? "matrix"
                        : c->vectors_path     ? "vectors"
                        : c->ids_path         ? "ids"
                        : c->query_text       ? "query"
                        : c->pictures.threads ? "threads"
                                              : NULL;
    if (other)
        return ms_refuse_usage("--%s does nothing with --why, which takes two pictures, one after "
                               "the other",
                               other);
    if (c->metric != 0)
        return ms_refuse_usage("--why explains the cosine distance (a euclidean one is no sum of "
                               "parts): leave out --metric");
    if (c->sources.files_from || c->sources.count != 2 || ms_is_folder(c->sources.names[0]) ||
        ms_is_folder(c->sources.names[1]))
        return ms_refuse_usage("--why explains two pictures; see minisim compare --help");
    if (c->output_path && ms_output_is_stdout(c->output_path))
        return ms_refuse_usage("the drawing cannot go to standard output, where the numbers go");
    if (c->output_path && c->html_path && ms_is_same_output(c->output_path, c->html_path))
        return ms_refuse_usage("the drawing and the page cannot go to the same place");
    c->sources.outputs[0] = c->output_path;
    c->sources.progress = MS_PROGRESS_NEVER;
    return ms_check_sources(&c->sources);
}

static bool check(struct compare *c) {
    if (!ms_check_source_options(&c->sources, "ids", c->ids_path))
        return false;
    if (!ms_check_report(&c->sources, c->html_path, NULL, 0))
        return false;
    if (c->why)
        return check_why(c);
    if (c->output_path)
        return ms_refuse_usage("--output is about the drawing of --why");
    if (c->vectors_path)
        return check_vectors(c);
    if (c->ids_path || c->query_text)
        return ms_refuse_usage("--%s is about the rows of --vectors FILE",
                               c->ids_path ? "ids" : "query");
    if (ms_count_sources(&c->sources) < 2)
        return ms_refuse_usage("compare needs at least two pictures; see minisim compare --help");
    return ms_check_sources(&c->sources);
}

static void print(const struct compare *c, struct ms_page *page) {
    /* On a terminal the rows show how it goes. */
    bool shown = c->sources.progress == MS_PROGRESS_AUTO && isatty(STDOUT_FILENO);
    struct ms_comparison comparison = {
        .path = c->vectors_path,
        .names = c->names,
        .vectors = c->vectors,
        .count = !c->vectors_path && !c->matrix && lacks_first(c) ? 0 : c->count,
        .dimension = c->dimension,
        .kernels = c->kernels,
        .metric = c->metric,
        .matrix = c->matrix,
        .query = (size_t)c->query,
        .progress = shown ? MS_PROGRESS_NEVER : c->sources.progress,
        .page = page};
    ms_print_comparison(&comparison, c->json);
}

static void compare(struct compare *c) {
    if (c->vectors_path ? collect_vectors(c) : collect_pictures(c)) {
        if (ms_open_report(&c->report, c->html_path, &c->pictures)) {
            struct ms_page *page = ms_report_page(&c->report);
            if (page)
                ms_page_begin(page, "Pictures compared", NULL, NULL);
            print(c, page);
        }
        ms_close_report(&c->report);
    }
    for (size_t i = 0; c->names && i < c->count; i++)
        free(c->names[i]);
    free(c->names);
    free(c->vectors);
}

void ms_run_compare(const struct ms_verb *verb, int argc, char **argv) {
    struct compare c = {.sources = {.names = argv}};
    if (!ms_open_sources(&c.sources, argc))
        return;
    if (ms_parse_options(verb, argc, argv, take_option, &c, &c.sources.count) && check(&c)) {
        if (c.why)
            ms_explain(&c.sources, &c.pictures, c.output_path, c.html_path, c.json);
        else
            compare(&c);
    }
    ms_close_sources(&c.sources);
}
