/*
 * minisim info: what the weights are, how pictures reach the network, what it all takes in memory,
 * and what computes it. Gathered first, then printed for people or as JSON.
 */
#include "base/json.h"
#include "base/text.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/pictures.h"
#include "cli/verbs.h"
#include "kernels/kernels.h"
#include "net/context.h"

#include <stdlib.h>
#include <string.h>

static const struct ms_option info_options[] = {
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_info = {
    "info",
    "[FILE]",
    "show the weights, the memory plan and the CPU; or a catalogue",
    "Shows what the weights are, how pictures reach the network, how much memory it all\n"
    "takes, and which kernels compute it. Of a catalogue (.msc): what it holds.\n"
    "\n"
    "  minisim info\n"
    "  minisim info --json weights/minisim-default.msw",
    {info_options, ms_network_options},
    ms_run_info};

struct info {
    struct ms_picture_settings pictures;
    int json;
    char *path; /* of the weights */
    minisim_model *model;
    minisim_model_info weights;
    struct ms_preparation preparation;
    size_t context_bytes;
    uint64_t picture_bytes;
    char id[65];
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct info *info = settings;
    switch (option->id) {
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &info->json);
    default:
        return ms_take_picture_option(&info->pictures, option, value);
    }
}

/* false: the options do not suit the weights, or no memory; that was said and noted. */
static bool gather(struct info *info) {
    minisim_context_options options = info->pictures.context;
    minisim_context *context = NULL;
    minisim_error error = {"the weights cannot be described"};
    options.size = sizeof options;
    info->weights.size = sizeof info->weights;
    minisim_status status = minisim_model_describe(info->model, &info->weights);
    if (status == MINISIM_OK)
        status = minisim_context_size(info->model, &options, &info->context_bytes, &error);
    if (status == MINISIM_OK)
        status = minisim_context_open(info->model, &options, &context, &error);
    if (status == MINISIM_OK)
        status = minisim_context_embedding_id(context, info->id);
    if (status == MINISIM_OK)
        info->preparation = *ms_context_preparation(context);
    minisim_context_close(context);
    if (status != MINISIM_OK) {
        ms_complain(NULL, "%s", error.text);
        ms_note_refusal(status);
        return false;
    }
    info->picture_bytes = ms_max_memory(&info->pictures);
    return true;
}

enum { LABEL_WIDTH = 22 };

static void print_label(const char *label) {
    printf("  %-*s", LABEL_WIDTH, label);
}

static void print_count(const char *label, uint64_t count) {
    char text[MS_NUMBER_SIZE];
    print_label(label);
    printf("%s\n", ms_count_text(count, text));
}

static void print_bytes(const char *label, uint64_t bytes) {
    char text[MS_NUMBER_SIZE];
    print_label(label);
    printf("%s bytes (%.*f MB)\n", ms_count_text(bytes, text), bytes < 10000000 ? 2 : 0,
           (double)bytes / 1e6);
}

static void print_three(const char *label, const double values[3]) {
    char text[3][MS_NUMBER_SIZE];
    printf("%s %s, %s, %s", label, ms_double_text(values[0], text[0]),
           ms_double_text(values[1], text[1]), ms_double_text(values[2], text[2]));
}

/* What a fact about distances means, to stand behind it; "" for all others. */
static const char *meaning_of(const char *key) {
    static const struct {
        const char *prefix, *meaning;
    } meanings[] = {{"duplicates-", "  (one unrelated pair in a thousand is closer)"},
                    {"strict-", "  (one unrelated pair in a million is closer)"},
                    {"unrelated-", "  (half of the unrelated pairs are closer)"}};
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strncmp(key, meanings[i].prefix, strlen(meanings[i].prefix)) == 0)
            return meanings[i].meaning;
    return "";
}

static void print_weights(const struct info *info) {
    const minisim_model_info *w = &info->weights;
    const char *key, *value;
    char epsilon[MS_NUMBER_SIZE];
    printf("Weights\n");
    print_label("file");
    ms_write_name(stdout, info->path);
    putchar('\n');
    print_bytes("size", w->file_bytes);
    for (size_t i = 0; minisim_model_fact(info->model, i, &key, &value), key; i++) {
        print_label(key);
        printf("%s%s\n", value, meaning_of(key));
    }
    printf("\nNetwork\n");
    print_label("input");
    printf("%u x %u pixels\n", (unsigned)w->input_size, (unsigned)w->input_size);
    print_count("embedding", minisim_model_dimension(info->model));
    if (minisim_model_classes(info->model))
        print_count("classes", minisim_model_classes(info->model));
    print_count("blocks", w->blocks);
    print_count("parameters", w->parameters);
    print_count("multiply-adds", w->multiply_adds);
    print_label("padding");
    printf("%s\n", w->padding);
    print_label("types");
    printf("%s\n", w->types);
    print_label("BatchNorm's epsilon");
    printf("%s\n", ms_double_text(w->epsilon, epsilon));
}

static void print_preprocessing(const struct info *info) {
    unsigned size = (unsigned)info->weights.input_size;
    printf("\nPreprocessing\n");
    print_label("geometry");
    if (info->preparation.geometry == MINISIM_CROP)
        printf("crop: the shorter side to %u, then the central %u x %u\n",
               (unsigned)info->preparation.crop_size, size, size);
    else if (info->preparation.geometry == MINISIM_PAD)
        printf("pad: fitted into %u x %u, centred on colour %06x\n", size, size,
               (unsigned)info->preparation.pad_colour);
    else
        printf("squash: the whole picture to %u x %u\n", size, size);
    print_label("resampling");
    printf("%s\n", ms_resample_name(info->preparation.resample));
    print_label("values");
    print_three("(v/255 - mean) / std, mean", info->weights.mean);
    print_three("; std", info->weights.std);
    putchar('\n');
    print_label("embedding id");
    printf("%s\n", info->id);
}

static void print_machine(const struct info *info) {
    const char *features = ms_cpu_features();
    printf("\nMemory\n");
    print_bytes("weights", info->weights.weight_bytes);
    print_bytes("each thread", info->context_bytes);
    print_bytes("a picture, at most", info->picture_bytes);
    printf("\nCPU\n");
    print_label("features");
    printf("%s\n", *features ? features : "none that the kernels use");
    print_label("kernels");
    for (const struct ms_kernels *const *table = ms_kernels_available(); *table; table++)
        printf("%s%s", (*table)->name, table[1] ? ", " : "\n");
    print_label("in use");
    printf("%s\n", minisim_model_cpu(info->model));
}

static void json_three(struct ms_json *json, const char *key, const double values[3]) {
    ms_json_open(json, key, '[');
    for (int i = 0; i < 3; i++)
        ms_json_double(json, NULL, values[i]);
    ms_json_close(json, ']');
}

static void json_weights(const struct info *info, struct ms_json *json) {
    const minisim_model_info *w = &info->weights;
    const char *key, *value;
    ms_json_open(json, "weights", '{');
    ms_json_name(json, "file", info->path);
    ms_json_count(json, "bytes", w->file_bytes);
    ms_json_open(json, "facts", '{');
    for (size_t i = 0; minisim_model_fact(info->model, i, &key, &value), key; i++)
        ms_json_text(json, key, value);
    ms_json_close(json, '}');
    ms_json_close(json, '}');
    ms_json_open(json, "network", '{');
    ms_json_count(json, "input_size", w->input_size);
    ms_json_count(json, "embedding_size", minisim_model_dimension(info->model));
    ms_json_count(json, "classes", minisim_model_classes(info->model));
    ms_json_count(json, "blocks", w->blocks);
    ms_json_count(json, "parameters", w->parameters);
    ms_json_count(json, "multiply_adds", w->multiply_adds);
    ms_json_text(json, "padding", w->padding);
    ms_json_text(json, "types", w->types);
    ms_json_double(json, "epsilon", w->epsilon);
    ms_json_close(json, '}');
}

static void json_preprocessing(const struct info *info, struct ms_json *json) {
    char colour[8];
    ms_json_open(json, "preprocessing", '{');
    ms_json_text(json, "geometry", ms_geometry_name(info->preparation.geometry));
    if (info->preparation.geometry == MINISIM_CROP)
        ms_json_count(json, "crop_size", info->preparation.crop_size);
    if (info->preparation.geometry == MINISIM_PAD) {
        snprintf(colour, sizeof colour, "%06x",
                 (unsigned)(info->preparation.pad_colour & 0xffffff));
        ms_json_text(json, "pad_colour", colour);
    }
    ms_json_text(json, "resample", ms_resample_name(info->preparation.resample));
    json_three(json, "mean", info->weights.mean);
    json_three(json, "std", info->weights.std);
    ms_json_close(json, '}');
    ms_json_text(json, "embedding_id", info->id);
}

static void print_json(const struct info *info) {
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_text(&json, "version", minisim_version());
    ms_json_count(&json, "numerics", MINISIM_NUMERICS);
    json_weights(info, &json);
    json_preprocessing(info, &json);
    ms_json_open(&json, "memory", '{');
    ms_json_count(&json, "weights", info->weights.weight_bytes);
    ms_json_count(&json, "each_thread", info->context_bytes);
    ms_json_count(&json, "picture_at_most", info->picture_bytes);
    ms_json_close(&json, '}');
    ms_json_open(&json, "cpu", '{');
    ms_json_text(&json, "features", ms_cpu_features());
    ms_json_open(&json, "available", '[');
    for (const struct ms_kernels *const *table = ms_kernels_available(); *table; table++)
        ms_json_text(&json, NULL, (*table)->name);
    ms_json_close(&json, ']');
    ms_json_text(&json, "kernels", minisim_model_cpu(info->model));
    ms_json_close(&json, '}');
    ms_json_close(&json, '}');
    putchar('\n');
}

void ms_run_info(const struct ms_verb *verb, int argc, char **argv) {
    struct info info = {0};
    size_t count;
    if (!ms_parse_options(verb, argc, argv, take_option, &info, &count))
        return;
    if (count > 1 || (count == 1 && info.pictures.weights)) {
        ms_refuse_usage(
            "info takes one file of weights, or one catalogue; see minisim info --help");
        return;
    }
    if (count == 1 && ms_is_catalogue(argv[0])) {
        ms_print_catalogue(argv[0], info.json);
        return;
    }
    if (count == 1)
        info.pictures.weights = argv[0];
    if (!ms_open_model(&info.pictures, &info.model, &info.path))
        return;
    if (gather(&info)) {
        if (info.json) {
            print_json(&info);
        } else {
            print_weights(&info);
            print_preprocessing(&info);
            print_machine(&info);
        }
    }
    minisim_model_close(info.model);
    free(info.path);
}
