/*
 * compare --why: see why.h. Both pictures are embedded as always, then run once more a layer at a
 * time for the cells of their last map; the split (report/why.h) is printed and drawn.
 */
#include "cli/why.h"

#include "base/json.h"
#include "base/output.h"
#include "base/text.h"
#include "cli/comparison.h"
#include "cli/console.h"
#include "net/run.h"
#include "report/why.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct explanation {
    const minisim_context *context;
    char **names;
    size_t count; /* pictures done */
    size_t size, dimension;
    float *vectors;   /* [2][dimension] */
    uint8_t *squares; /* [2][size][size][3] */
    size_t side;      /* of the last map */
    float *maps;      /* [2][side][side][dimension]; NULL before the first */
    const struct ms_kernels *kernels;
};

static bool out_of_memory(void) {
    ms_complain(NULL, "out of memory");
    ms_note(MS_EXIT_SYSTEM);
    return false;
}

static void take_layer(void *user, const char *name, const float *values, size_t side,
                       size_t channels) {
    struct explanation *e = user;
    size_t floats = side * side * channels;
    if (strcmp(name, "head") != 0)
        return;
    if (!e->maps)
        e->maps = calloc(2 * floats, sizeof *e->maps);
    e->side = side;
    if (e->maps)
        memcpy(e->maps + e->count * floats, values, floats * sizeof *values);
}

static bool take_picture(void *user, const char *name, const float *vector) {
    struct explanation *e = user;
    const uint8_t *square = ms_context_square(e->context);
    size_t bytes = e->size * e->size * 3;
    minisim_error error;
    memcpy(e->vectors + e->count * e->dimension, vector, e->dimension * sizeof *vector);
    memcpy(e->squares + e->count * bytes, square, bytes);
    if (ms_run_layers(minisim_context_model(e->context), square, take_layer, e, &error)) {
        ms_complain(name, "%s", error.text);
        ms_note(MS_EXIT_SYSTEM);
        return false;
    }
    if (!e->maps)
        return out_of_memory();
    e->count++;
    return true;
}

/* One after the other, each alone. false: one of them failed. */
static bool take_pictures(struct explanation *e, const struct ms_sources *sources,
                          const struct ms_picture_settings *settings,
                          const struct ms_engine *engine) {
    bool good = true;
    for (size_t i = 0; i < 2 && !ms_interrupted(); i++) {
        struct ms_sources one = *sources;
        one.names += i;
        one.count = 1;
        ms_embed_sources(&one, settings, engine, take_picture, e);
        good = e->count == i + 1 && good;
    }
    return good && e->count == 2;
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
            char shade = shades[most > 0 ? lround(9 * part[x] / most) : 0];
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
    int error = ms_output_open(&output, path);
    errno = 0;
    if (!error && !ms_why_draw(why, e->squares, e->size, output.file))
        error = ENOMEM;
    if (!error)
        error = ms_output_settle(&output);
    if (!error && !ms_interrupted())
        error = ms_output_publish(&output);
    if (error)
        ms_output_failed(path, error);
    ms_output_discard(&output);
}

static void tell(const struct explanation *e, const char *path, bool json) {
    float squares[2];
    double distance;
    struct ms_vector_set vectors = {e->kernels, e->vectors, 2, e->dimension, squares};
    struct ms_vector_set maps = {e->kernels, e->maps, 2 * e->side * e->side, e->dimension, NULL};
    struct ms_comparison comparison = {.names = e->names,
                                       .vectors = e->vectors,
                                       .count = 2,
                                       .dimension = e->dimension,
                                       .kernels = e->kernels,
                                       .progress = MS_PROGRESS_NEVER};
    struct ms_why why;
    ms_vector_squares(&vectors, squares);
    bool splits = ms_has_direction(squares[0]) && ms_has_direction(squares[1]) &&
                  minisim_distance(MINISIM_COSINE, e->vectors, e->vectors + e->dimension,
                                   e->dimension, &distance) == MINISIM_OK;
    if (!splits || !json)
        ms_print_comparison(&comparison, json);
    if (!splits)
        return;
    if (!ms_why_split(&maps, e->side, sqrt((double)squares[0] * (double)squares[1]), &why))
        out_of_memory();
    else if (json)
        print_json(e, &why, distance);
    else
        print_text(e, &why, distance);
    if (why.parts && path && ms_flush_output())
        draw(e, &why, path);
    ms_why_free(&why);
}

void ms_explain(const struct ms_sources *sources, const struct ms_picture_settings *settings,
                const char *path, bool json) {
    struct ms_engine engine;
    if (!ms_open_engine(settings, 1, &engine))
        return;
    size_t size = minisim_model_input_size(engine.model);
    struct explanation e = {.context = engine.contexts[0],
                            .names = sources->names,
                            .size = size,
                            .dimension = minisim_model_dimension(engine.model),
                            .kernels = ms_kernels_choose(minisim_model_cpu(engine.model))};
    e.vectors = calloc(2 * e.dimension, sizeof *e.vectors);
    e.squares = calloc(2 * size * size, 3);
    if (!e.vectors || !e.squares)
        out_of_memory();
    else if (!ms_refuse_output(sources, engine.weights) &&
             take_pictures(&e, sources, settings, &engine) && !ms_interrupted())
        tell(&e, path, json);
    free(e.vectors);
    free(e.squares);
    free(e.maps);
    ms_close_engine(&engine);
}
