/*
 * minisim trace: every value between a picture's file and its embedding, as an auditor wants it. A
 * watched context hands the values over one by one; each becomes a line of JSON, or is written as
 * an array where it is the one that --dump names, or is compared with the line of another trace.
 */
#include "base/json.h"
#include "base/npy.h"
#include "base/text.h"
#include "cli/batch.h"
#include "cli/console.h"
#include "cli/other_trace.h"
#include "cli/results.h"
#include "cli/verbs.h"
#include "net/model.h"
#include "net/watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct ms_option trace_options[] = {
    {MS_OPTION_DUMP, "dump", 0, "LAYER", "write this layer alone, as an array for NumPy"},
    {MS_OPTION_AGAINST, "against", 0, "FILE",
     "say where the trace in FILE parts from this\npicture's (exit status 10), or that it does\n"
     "not; - is standard input"},
    {MS_OPTION_OUTPUT, "output", 'o', "FILE", "write there; nothing half-done stands there"},
    {0}};

const struct ms_verb ms_verb_trace = {
    "trace",
    "PICTURE",
    "show every value from a picture's file to its embedding",
    "Shows the way of one picture (- is standard input), layer by layer, always as JSON Lines:\n"
    "the bytes of the file, the decoded pixels, the resized ones, the network's input, each\n"
    "layer, the embedding. A line has \"layer\", \"type\" (u8 or f32), \"shape\" (rows, columns,\n"
    "channels), \"min\", \"max\", \"mean\" (summed in double in the order of the data) and\n"
    "\"sha256\", over the little-endian values without padding, as sha256sum gives it for what\n"
    "--dump writes behind the header of 128 bytes. The first line also says of which picture\n"
    "and weights, and what computed it. The last hash is that of embed --format f32.\n"
    "\n"
    "  minisim trace photo.jpg >here.jsonl\n"
    "  minisim trace --against here.jsonl photo.jpg         on another machine\n"
    "  minisim trace --dump block.3.project -o layer.npy photo.jpg",
    {trace_options, ms_network_options, ms_one_picture_options},
    ms_run_trace};

enum { NAMES_MAX = 3 * MS_BLOCKS_MAX + 7, NAME_SIZE = 32 };

struct trace {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    const char *dump, *other_path, *output_path;
    const struct ms_engine *engine;
    char id[65];
    struct ms_output output;
    bool writing; /* nothing went wrong with the output */
    bool whole;   /* the embedding was reached */
    struct ms_other_trace other;
    char names[NAMES_MAX][NAME_SIZE]; /* for --dump: the layers that passed */
    size_t count;
    bool dumped;
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    struct trace *t = settings;
    switch (option->id) {
    case MS_OPTION_DUMP:
        if (!*value)
            return ms_refuse_value(option, value, "the name of a layer");
        t->dump = value;
        return true;
    case MS_OPTION_AGAINST:
        t->other_path = value;
        return true;
    case MS_OPTION_OUTPUT:
        t->output_path = value;
        return true;
    default:
        return ms_take_picture_option(&t->pictures, option, value);
    }
}

static bool check(struct trace *t) {
    bool to_stdout = ms_output_is_stdout(t->output_path);
    if (t->sources.count != 1)
        return ms_refuse_usage("trace takes one PICTURE; see minisim trace --help");
    if (t->dump && t->other_path)
        return ms_refuse_usage("--dump and --against contradict each other");
    if (t->dump && to_stdout && isatty(STDOUT_FILENO))
        return ms_refuse_usage("an array is no text for a terminal; say where to with -o FILE");
    /* A list of names is what else standard input could be. */
    t->sources.files_from = t->other_path;
    t->sources.outputs[0] = to_stdout ? NULL : t->output_path;
    if (!ms_check_sources(&t->sources))
        return false;
    t->sources.files_from = NULL;
    return true;
}

static double value_at(const struct ms_watched *value, size_t i) {
    return value->is_float ? (double)((const float *)value->values)[i]
                           : (double)((const uint8_t *)value->values)[i];
}

static void write_statistics(struct ms_json *json, const struct ms_watched *value) {
    size_t count = ms_watched_count(value);
    double min = value_at(value, 0), max = min, sum = 0;
    for (size_t i = 0; i < count; i++) {
        double x = value_at(value, i);
        min = x < min ? x : min;
        max = x > max ? x : max;
        sum += x;
    }
    ms_json_float(json, "min", (float)min);
    ms_json_float(json, "max", (float)max);
    ms_json_double(json, "mean", sum / (double)count);
}

/* What was traced, on the first line. */
static void write_origin(const struct trace *t, struct ms_json *json) {
    ms_json_name(json, "path", t->sources.names[0]);
    ms_json_name(json, "weights", t->engine->weights);
    ms_json_text(json, "embedding_id", t->id);
    ms_json_text(json, "cpu", minisim_model_cpu(t->engine->model));
    ms_json_text(json, "version", minisim_version());
    ms_json_count(json, "numerics", MINISIM_NUMERICS);
}

static void write_line(const struct trace *t, const struct ms_watched *value) {
    struct ms_json json = {.file = t->output.file};
    char hash[65];
    ms_watched_hash(value, hash);
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_text(&json, "layer", value->name);
    ms_json_text(&json, "type", value->is_float ? "f32" : "u8");
    ms_json_open(&json, "shape", '[');
    for (size_t i = 0; i < value->rank; i++)
        ms_json_count(&json, NULL, value->shape[i]);
    ms_json_close(&json, ']');
    write_statistics(&json, value);
    ms_json_text(&json, "sha256", hash);
    if (value->rank == 1)
        write_origin(t, &json);
    ms_json_close(&json, '}');
    putc('\n', t->output.file);
}

static void write_array(const struct trace *t, const struct ms_watched *value) {
    char header[MS_NPY_HEADER_SIZE];
    ms_npy_array_header(value->is_float ? "<f4" : "|u1", value->rank, value->shape, header);
    fwrite(header, 1, sizeof header, t->output.file);
    if (value->is_float)
        ms_write_floats(t->output.file, value->values, ms_watched_count(value));
    else
        fwrite(value->values, 1, ms_watched_count(value), t->output.file);
}

static void see(void *user, const struct ms_watched *value) {
    struct trace *t = user;
    bool wanted = t->dump && strcmp(t->dump, value->name) == 0;
    if (t->other_path) {
        ms_other_trace_compare(&t->other, value, t->id);
        return;
    }
    snprintf(t->names[t->count++], NAME_SIZE, "%s", value->name);
    if (!t->writing || (t->dump && !wanted))
        return;
    errno = 0;
    if (wanted)
        write_array(t, value);
    else
        write_line(t, value);
    t->dumped = wanted;
    t->writing = ms_send_result(&t->output);
}

static bool take_row(void *user, const char *name, const float *embedding) {
    struct trace *t = user;
    (void)name;
    (void)embedding;
    return t->whole = true;
}

/* The layers have names that only a run tells: so the mistake shows at its end. */
static bool check_dump(const struct trace *t) {
    const char *words[NAMES_MAX + 1] = {0};
    if (!t->dump || t->dumped)
        return true;
    for (size_t i = 0; i < t->count; i++)
        words[i] = t->names[i];
    const char *nearest = ms_nearest_word(t->dump, words);
    return ms_refuse_usage("the network has no layer %.60s%s%s; minisim trace without --dump lists "
                           "them",
                           t->dump, nearest ? "; did you mean " : "", nearest ? nearest : "");
}

static void trace(struct trace *t) {
    minisim_context *context = t->engine->contexts[0];
    if (!t->dump) /* an array does not say it, and it takes longer than a small network */
        minisim_context_embedding_id(context, t->id);
    ms_context_watch(context, (struct ms_watcher){see, t});
    t->writing = true;
    ms_embed_sources(&t->sources, &t->pictures, t->engine, take_row, t);
    if (!t->whole || ms_interrupted() || !check_dump(t))
        return;
    errno = 0;
    if (t->other_path)
        t->writing = ms_other_trace_end(&t->other, t->output.file) && ms_send_result(&t->output);
    if (t->writing && ms_settle_result(&t->output))
        ms_publish_result(&t->output);
}

void ms_run_trace(const struct ms_verb *verb, int argc, char **argv) {
    struct trace t = {.sources = {.names = argv, .quiet = true, .progress = MS_PROGRESS_NEVER}};
    struct ms_engine engine;
    if (!ms_parse_options(verb, argc, argv, take_option, &t, &t.sources.count) || !check(&t) ||
        !ms_open_engine(&t.pictures, 1, &engine))
        return;
    t.engine = &engine;
    if (!ms_refuse_output(&t.sources, engine.weights) &&
        (!t.other_path || ms_other_trace_open(&t.other, t.other_path)) &&
        ms_open_result(&t.output, t.output_path))
        trace(&t);
    ms_output_discard(&t.output);
    ms_other_trace_close(&t.other);
    ms_close_engine(&engine);
}
