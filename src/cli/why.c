/*
 * compare --why: see why.h. Both pictures are embedded by a context that is watched, for what the
 * network took and for the cells of its last map; the split (report/why.h) is printed and drawn.
 */
#include "cli/why.h"

#include "base/json.h"
#include "base/text.h"
#include "cli/comparison.h"
#include "cli/console.h"
#include "cli/report.h"
#include "net/watch.h"
#include "report/why.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct explanation {
    char **names;
    size_t count; /* pictures done */
    size_t size, dimension;
    float *vectors;   /* [2][dimension] */
    uint8_t *squares; /* [2][size][size][3] */
    size_t side;      /* of the last map */
    float *maps;      /* [2][side][side][dimension]; NULL before the first */
    const struct ms_kernels *kernels;
};

/* Keeps the square and the last map of the picture that is on its way. */
static void see(void *user, const struct ms_watched *value) {
    struct explanation *e = user;
    size_t count = ms_watched_count(value);
    if (strcmp(value->name, "resized") == 0) {
        memcpy(e->squares + e->count * count, value->values, count);
    } else if (strcmp(value->name, "head") == 0) {
        e->side = (size_t)value->shape[0];
        if (!e->maps)
            e->maps = calloc(2 * count, sizeof *e->maps);
        if (e->maps)
            memcpy(e->maps + e->count * count, value->values, count * sizeof *e->maps);
    }
}

static bool take_picture(void *user, const char *name, const float *vector) {
    struct explanation *e = user;
    (void)name;
    if (!e->maps)
        return ms_out_of_memory();
    memcpy(e->vectors + e->count * e->dimension, vector, e->dimension * sizeof *vector);
    e->count++;
    return true;
}

/* One after the other, each alone. false: not both went well. */
static bool take_pictures(struct explanation *e, const struct ms_sources *sources,
                          const struct ms_picture_settings *settings,
                          const struct ms_engine *engine) {
    struct ms_sources one = *sources;
    one.count = 1;
    one.walk = false; /* a name is one picture */
    for (size_t i = 0; i < 2 && !ms_interrupted(); i++) {
        one.names = sources->names + i;
        ms_embed_sources(&one, settings, engine, take_picture, e);
    }
    return e->count == 2 && !ms_interrupted();
}

/* Two decimals are what a person reads, and where it is dark; JSON has them all. */
static void print_map(const struct explanation *e, const struct ms_why *why, size_t picture) {
    static const char shades[] = " .:-=+*#%@";
    const double *part = why->parts + picture * why->side * why->side;
    double most = ms_why_most(why);
    printf("# ");
    ms_write_name(stdout, e->names[picture]);
    putchar('\n');
    for (size_t y = 0; y < why->side; y++, part += why->side) {
        for (size_t x = 0; x < why->side; x++)
            printf("%5.2f ", 100 * part[x]);
        printf("  |");
        for (size_t x = 0; x < why->side; x++) {
            char shade = shades[most > 0 ? (int)(9 * part[x] / most + 0.5) : 0];
            printf("%c%c", shade, shade);
        }
        printf("|\n");
    }
}

static void print_text(const struct explanation *e, const struct ms_why *why, double distance) {
    printf("# what each part of the pictures adds to 1 - distance = %.4f, in hundredths\n",
           1 - distance);
    print_map(e, why, 0);
    print_map(e, why, 1);
    printf("# pairs of parts that add most (row, column from the upper left)\n");
    for (size_t i = 0; i < why->pair_count; i++) {
        const struct ms_why_pair *pair = &why->pairs[i];
        printf("%5.2f\t%zu,%zu with %zu,%zu\n", 100 * pair->part, pair->a / why->side + 1,
               pair->a % why->side + 1, pair->b / why->side + 1, pair->b % why->side + 1);
    }
}

static void json_map(struct ms_json *json, const char *key, const double *parts, size_t side) {
    ms_json_open(json, key, '[');
    for (size_t y = 0; y < side; y++) {
        ms_json_open(json, NULL, '[');
        for (size_t x = 0; x < side; x++)
            ms_json_double(json, NULL, parts[y * side + x]);
        ms_json_close(json, ']');
    }
    ms_json_close(json, ']');
}

static void json_cell(struct ms_json *json, const char *key, size_t cell, size_t side) {
    ms_json_open(json, key, '[');
    ms_json_count(json, NULL, cell / side);
    ms_json_count(json, NULL, cell % side);
    ms_json_close(json, ']');
}

static void print_json(const struct explanation *e, const struct ms_why *why, double distance) {
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_name(&json, "a", e->names[0]);
    ms_json_name(&json, "b", e->names[1]);
    ms_json_double(&json, "cosine", distance);
    ms_json_open(&json, "maps", '{');
    json_map(&json, "a", why->parts, why->side);
    json_map(&json, "b", why->parts + why->side * why->side, why->side);
    ms_json_close(&json, '}');
    ms_json_open(&json, "pairs", '[');
    for (size_t i = 0; i < why->pair_count; i++) {
        ms_json_open(&json, NULL, '{');
        json_cell(&json, "a", why->pairs[i].a, why->side);
        json_cell(&json, "b", why->pairs[i].b, why->side);
        ms_json_double(&json, "part", why->pairs[i].part);
        ms_json_close(&json, '}');
    }
    ms_json_close(&json, ']');
    ms_json_close(&json, '}');
    putchar('\n');
}

static void draw(const struct explanation *e, const struct ms_why *why, const char *path) {
    struct ms_output output;
    if (!ms_open_result(&output, path))
        return;
    errno = 0;
    if (!ms_why_draw(why, e->squares, e->size, output.file))
        ms_out_of_memory();
    else if (ms_settle_result(&output) && !ms_interrupted())
        ms_publish_result(&output);
    ms_output_discard(&output);
}

/* ---- a page ---- */

static void show_picture(struct ms_page *page, const char *name, const char *head) {
    const char *missing = strcmp(name, "-") == 0 ? "from standard input" : NULL;
    ms_page_card(page, &(struct ms_card){.name = name, .missing = missing, .head = head});
}

static void show_drawing(const struct explanation *e, const struct ms_why *why,
                         struct ms_page *page) {
    char *png;
    size_t size;
    FILE *stream = ms_open_memory(&png, &size);
    bool drawn = stream && ms_why_draw(why, e->squares, e->size, stream);
    if (ms_close_memory(stream, &png) && drawn)
        ms_page_figure(page, "image/png", png, size, "Both pictures, with windows",
                       "Both pictures as the network sees them. Each part has a window: the larger "
                       "it is, the more the part adds to what they have in common.");
    else
        page->out_of_memory = true;
    free(png);
}

static void show_pairs(const struct ms_why *why, struct ms_page *page) {
    char text[64];
    ms_page_table_begin(page, "The pairs of parts (row, column) that add most to 1\xc2\xa0-\xc2\xa0"
                              "distance");
    ms_page_row_begin(page);
    ms_page_heading(page, false, "first");
    ms_page_heading(page, false, "second");
    ms_page_heading(page, false, "adds");
    ms_page_row_end(page);
    for (size_t i = 0; i < why->pair_count; i++) {
        const size_t cells[] = {why->pairs[i].a, why->pairs[i].b};
        ms_page_row_begin(page);
        for (size_t k = 0; k < 2; k++) {
            snprintf(text, sizeof text, "%zu, %zu", cells[k] / why->side + 1,
                     cells[k] % why->side + 1);
            ms_page_cell(page, text);
        }
        snprintf(text, sizeof text, "%.4f", why->pairs[i].part);
        ms_page_cell(page, text);
        ms_page_row_end(page);
    }
    ms_page_table_end(page);
}

static void show(const struct explanation *e, const struct ms_why *why, double distance,
                 const char *path, const struct ms_picture_settings *settings) {
    struct ms_report report;
    char about[64], number[MS_NUMBER_SIZE];
    if (path && ms_open_report(&report, path, settings)) {
        struct ms_page *page = ms_report_page(&report);
        snprintf(about, sizeof about, "Cosine distance %s; 0 is the same",
                 ms_shown_value(distance, number));
        ms_page_begin(page, "Two pictures compared", NULL, about);
        ms_page_section(page, "The pictures", NULL, NULL);
        ms_page_cards_begin(page);
        show_picture(page, e->names[0], "First");
        show_picture(page, e->names[1], "Second");
        ms_page_cards_end(page);
        ms_page_section(page, "Where they match", NULL, NULL);
        show_drawing(e, why, page);
        show_pairs(why, page);
        ms_close_report(&report);
    }
}

/* As compare prints it. */
static void print_distance(const struct explanation *e, bool json) {
    struct ms_comparison comparison = {.names = e->names,
                                       .vectors = e->vectors,
                                       .count = 2,
                                       .dimension = e->dimension,
                                       .kernels = e->kernels,
                                       .progress = MS_PROGRESS_NEVER};
    ms_print_comparison(&comparison, json);
}

/* The distance, and the product of the lengths. false: one of the two has no direction. */
static bool measure(const struct explanation *e, double *distance, double *lengths) {
    float squares[2], sum;
    struct ms_vector_set set = {e->kernels, e->vectors, 2, e->dimension, squares};
    ms_vector_squares(&set, squares);
    ms_vector_sums(&set, MINISIM_COSINE, 0, 1, 1, 1, &sum);
    *lengths = sqrt((double)squares[0] * (double)squares[1]);
    return ms_has_direction(squares[0]) && ms_has_direction(squares[1]) &&
           ms_vector_distance(&set, MINISIM_COSINE, 0, 1, sum, distance);
}

static void tell(const struct explanation *e, const struct ms_picture_settings *settings,
                 const char *path, const char *html_path, bool json) {
    struct ms_vector_set maps = {e->kernels, e->maps, 2 * e->side * e->side, e->dimension, NULL};
    struct ms_why why;
    double distance, lengths;
    if (!measure(e, &distance, &lengths)) {
        print_distance(e, json);
        return;
    }
    if (!ms_why_split(&maps, e->side, lengths, &why)) {
        ms_out_of_memory();
    } else {
        if (path) /* first: the text may be read in part */
            draw(e, &why, path);
        show(e, &why, distance, html_path, settings);
        if (json) {
            print_json(e, &why, distance);
        } else {
            print_distance(e, false);
            print_text(e, &why, distance);
        }
    }
    ms_why_free(&why);
}

void ms_explain(const struct ms_sources *sources, const struct ms_picture_settings *settings,
                const char *path, const char *html_path, bool json) {
    struct ms_engine engine;
    if (!ms_open_engine(settings, 1, &engine))
        return;
    size_t size = minisim_model_input_size(engine.model);
    struct explanation e = {.names = sources->names,
                            .size = size,
                            .dimension = minisim_model_dimension(engine.model),
                            .kernels = ms_kernels_choose(minisim_model_cpu(engine.model))};
    ms_context_watch(engine.contexts[0], (struct ms_watcher){see, &e});
    e.vectors = calloc(2 * e.dimension, sizeof *e.vectors);
    e.squares = calloc(2 * size * size, 3);
    if (!e.vectors || !e.squares)
        ms_out_of_memory();
    else if (!ms_refuse_output(sources, engine.weights) &&
             take_pictures(&e, sources, settings, &engine))
        tell(&e, settings, path, html_path, json);
    free(e.vectors);
    free(e.squares);
    free(e.maps);
    ms_close_engine(&engine);
}
