/*
 * minisim classify: what the weights' classifier sees in pictures. Each embedding becomes logits,
 * these become probabilities (src/NUMBERS.md), and the likeliest classes are printed, with their
 * labels where there are some.
 */
#include "base/json.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/names.h"
#include "cli/sources.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ms_option classify_options[] = {
    {MS_OPTION_TOP, "top", 'k', "K", "tell the K likeliest classes (5)"},
    {MS_OPTION_LABELS, "labels", 0, "FILE",
     "what the classes are called, one a line, in\ntheir order; - is standard input"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json (JSON Lines)"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_classify = {
    "classify",
    "PATH...",
    "tell what pictures show, by the weights' classifier",
    "Tells what pictures show, with probabilities. A PATH is a picture, a folder, or - for\n"
    "a picture on standard input. The weights must hold a classifier, as\n"
    "tools/export_weights.py --keep-classifier makes them.\n"
    "\n"
    "  minisim classify --weights mine.msw --labels labels.txt photo.jpg\n"
    "\n"
    "There must be as many labels as classes. ImageNet comes with 1,000 classes or with one\n"
    "more before them, the background: labels of either kind fit both.",
    {classify_options, ms_source_options, ms_network_options, ms_picture_options},
    ms_run_classify};

enum { USUAL_TOP = 5, MOST_CLASSES = 4096, IMAGENET = 1000 };

struct candidate {
    size_t number;
    float logit;
    double probability;
};

struct classify {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    const char *labels_path;
    uint64_t top;
    int json;
    const minisim_model *model;
    size_t classes;
    char **labels;           /* of class i - first_class; NULL: classes are told by number */
    ptrdiff_t first_class;   /* 1: the labels lack the background; -1: the classes do */
    float *logits;           /* [classes] */
    struct candidate *order; /* [classes] */
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct classify *c = settings;
    switch (option->id) {
    case MS_OPTION_TOP:
        return ms_take_count(option, value, 1, MOST_CLASSES, &c->top);
    case MS_OPTION_LABELS:
        c->labels_path = value;
        return true;
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &c->json);
    default:
        return ms_take_input_option(&c->sources, &c->pictures, option, value);
    }
}

static bool is_input(const char *name) {
    return name && strcmp(name, "-") == 0;
}

static bool check(struct classify *c) {
    if (c->sources.count == 0 && !c->sources.files_from)
        return ms_refuse_usage("classify needs at least one PATH; see minisim classify --help");
    if (!ms_check_source_options(&c->sources, NULL, NULL) || !ms_check_sources(&c->sources))
        return false;
    bool read = is_input(c->sources.files_from);
    for (size_t i = 0; i < c->sources.count; i++)
        read = read || is_input(c->sources.names[i]);
    if (read && is_input(c->labels_path))
        return ms_refuse_usage("standard input (-) can be read only once");
    if (c->sources.progress == MS_PROGRESS_AUTO && isatty(STDOUT_FILENO))
        c->sources.progress = MS_PROGRESS_NEVER; /* the rows show it */
    return true;
}

/* ---- labels ---- */

/* The labels that there are, as far as there can be use for them; gives how many the file has. */
static size_t read_labels(struct classify *c, struct ms_names *list) {
    size_t count = 0;
    for (char *label; (label = ms_names_next(list)); count++) {
        label[strcspn(label, "\r")] = '\0'; /* Windows' ends of lines */
        if (count <= c->classes)
            c->labels[count] = label;
        else
            free(label);
    }
    return count;
}

/* As many labels as classes, or those of ImageNet. */
static bool open_labels(struct classify *c) {
    struct ms_names list;
    char labels[MS_NUMBER_SIZE], classes[MS_NUMBER_SIZE];
    c->labels = calloc(c->classes + 1, sizeof *c->labels);
    if (!c->labels)
        return ms_out_of_memory();
    if (!ms_names_open(&list, c->labels_path, false))
        return false;
    size_t count = read_labels(c, &list);
    ms_names_close(&list);
    if (list.refused)
        return false;
    if (count == c->classes)
        return !ms_interrupted();
    c->first_class = (ptrdiff_t)c->classes - (ptrdiff_t)count;
    if (count + c->classes == 2 * IMAGENET + 1 && (c->first_class == 1 || c->first_class == -1))
        return !ms_interrupted();
    ms_complain(list.source, "it has %s labels, the weights have %s classes",
                ms_count_text(count, labels), ms_count_text(c->classes, classes));
    ms_note(MS_EXIT_SOME_FAILED);
    return false;
}

static const char *label_of(const struct classify *c, size_t number) {
    ptrdiff_t at = (ptrdiff_t)number - c->first_class;
    return at < 0 ? "background" : c->labels[at];
}

/* ---- pictures ---- */

static int by_logit(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/*
 * e^x of x <= 0, the same on every machine: the series at x / 2^10, squared ten times. From -30 on
 * it has 11 digits; far below, where it counts for nothing, at least 4.
 */
static double exp_of(double x) {
    double term = 1, sum = 1;
    if (x < -700)
        return 0;
    for (int i = 1; i <= 6; i++)
        sum += term *= x / 1024 / i;
    for (int i = 0; i < 10; i++)
        sum *= sum;
    return sum;
}

/* Fills in c->order, the likeliest first. */
static void rank(struct classify *c) {
    double sum = 0;
    for (size_t i = 0; i < c->classes; i++)
        c->order[i] = (struct candidate){.number = i, .logit = c->logits[i]};
    qsort(c->order, c->classes, sizeof *c->order, by_logit);
    double largest = (double)c->order[0].logit;
    for (size_t i = 0; i < c->classes; i++)
        sum += exp_of((double)c->logits[i] - largest);
    for (size_t i = 0; i < c->classes; i++)
        c->order[i].probability = exp_of((double)c->order[i].logit - largest) / sum;
}

static void print_text(const struct classify *c, const char *name) {
    ms_write_name(stdout, name);
    putchar('\n');
    for (size_t i = 0; i < c->top; i++) {
        const struct candidate *found = &c->order[i];
        printf("  %.4f  ", found->probability);
        if (c->labels)
            ms_write_name(stdout, label_of(c, found->number));
        else
            printf("class %zu", found->number);
        putchar('\n');
    }
}

static void print_json(const struct classify *c, const char *name) {
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_name(&json, "path", name);
    ms_json_open(&json, "classes", '[');
    for (size_t i = 0; i < c->top; i++) {
        const struct candidate *found = &c->order[i];
        ms_json_open(&json, NULL, '{');
        ms_json_count(&json, "class", found->number);
        if (c->labels)
            ms_json_text(&json, "label", label_of(c, found->number));
        ms_json_float(&json, "logit", found->logit);
        ms_json_double(&json, "probability", (double)(long)(found->probability * 1e4 + 0.5) / 1e4);
        ms_json_close(&json, '}');
    }
    ms_json_close(&json, ']');
    ms_json_close(&json, '}');
    putchar('\n');
}

static bool take_row(void *user, const char *name, const float *embedding) {
    struct classify *c = user;
    minisim_classify(c->model, embedding, c->logits);
    rank(c);
    if (c->json)
        print_json(c, name);
    else
        print_text(c, name);
    return ms_flush_output();
}

/* false: these weights or labels are of no use, which was said and noted. */
static bool open_classes(struct classify *c, const struct ms_engine *engine) {
    c->model = engine->model;
    c->classes = minisim_model_classes(c->model);
    if (c->classes == 0) {
        ms_complain(engine->weights, "these weights have no classifier; to make some that do: "
                                     "tools/export_weights.py --keep-classifier SOURCE -o FILE");
        ms_note(MS_EXIT_WEIGHTS);
        return false;
    }
    if (c->top > c->classes)
        c->top = c->classes;
    c->logits = calloc(c->classes, sizeof *c->logits);
    c->order = calloc(c->classes, sizeof *c->order);
    if (!c->logits || !c->order)
        return ms_out_of_memory();
    return !c->labels_path || open_labels(c);
}

static void close_classes(struct classify *c) {
    for (size_t i = 0; c->labels && i <= c->classes; i++)
        free(c->labels[i]);
    free(c->labels);
    free(c->logits);
    free(c->order);
}

void ms_run_classify(const struct ms_verb *verb, int argc, char **argv) {
    struct classify c = {.sources = {.names = argv}, .top = USUAL_TOP};
    struct ms_engine engine;
    if (!ms_open_sources(&c.sources, argc))
        return;
    if (ms_parse_options(verb, argc, argv, take_option, &c, &c.sources.count) && check(&c) &&
        ms_open_engine(&c.pictures, ms_count_sources(&c.sources), &engine)) {
        if (open_classes(&c, &engine))
            ms_embed_sources(&c.sources, &c.pictures, &engine, take_row, &c);
        close_classes(&c);
        ms_close_engine(&engine);
    }
    ms_close_sources(&c.sources);
}
