/*
 * minisim check: the gate for uploads. Each picture meets the catalogue by itself and is answered
 * with one line: new, or a duplicate of the nearest.
 */
#include "base/json.h"
#include "base/text.h"
#include "catalogue/search.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/limit.h"
#include "cli/looks.h"
#include "cli/sources.h"
#include "cli/stream.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const struct ms_option check_options[] = {
    {MS_OPTION_MAX_DISTANCE, "max-distance", 0, "D",
     "a duplicate is at most so far; not said:\nas the catalogue or the weights note"},
    {MS_OPTION_METRIC, "metric", 0, "METRIC", "cosine (usual), euclidean or dot"},
    {MS_OPTION_MIN_SCORE, "min-score", 0, "S", "for dot: its product is at least this"},
    MS_ONLY_OPTION,
    {MS_OPTION_STREAM, "stream", 0, NULL,
     "check pictures one behind the other (JPEG, PNG,\nraw PNM) on standard input and answer each\n"
     "at once with a line of JSON"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_check = {
    "check",
    "CATALOGUE PICTURE...",
    "tell whether pictures are new to a catalogue, or duplicates",
    "Tells of each picture whether the catalogue (.msc, see minisim index) has one that is\n"
    "nearly the same, in one line: new or duplicate, the picture, the distance to the\n"
    "nearest in the catalogue, that one and, of a duplicate, what it is. The exit status is\n"
    "0 where every picture was read and is new, 11 where one is a duplicate.\n"
    "\n"
    "  minisim check shop.msc upload.jpg && minisim index shop.msc upload.jpg",
    {check_options, ms_source_options, ms_network_options, ms_picture_options},
    ms_run_check};

struct check {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    struct ms_limit limit;
    int json; /* -1: not said */
    bool only_same, stream;
    const char *path;
    struct ms_catalogue *catalogue;
    const struct ms_kernels *kernels;
    struct ms_stored query; /* one */
    unsigned asked;         /* how often */
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct check *c = settings;
    switch (option->id) {
    case MS_OPTION_METRIC:
    case MS_OPTION_MAX_DISTANCE:
    case MS_OPTION_MIN_SCORE:
        return ms_take_limit_option(&c->limit, option, value);
    case MS_OPTION_ONLY:
        return ms_take_only_option(&c->only_same, option, value);
    case MS_OPTION_STREAM:
        return c->stream = true;
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &c->json);
    default:
        return ms_take_input_option(&c->sources, &c->pictures, option, value);
    }
}

static bool check_usage(struct check *c) {
    struct ms_sources *sources = &c->sources;
    if (sources->count == 0)
        return ms_refuse_usage("check needs a CATALOGUE; see minisim check --help");
    c->path = sources->names[0];
    sources->names++;
    sources->count--;
    if (c->stream && (sources->count > 0 || sources->files_from || c->json == 0 || c->only_same))
        return ms_refuse_usage("--stream reads standard input and answers in JSON: leave out %s",
                               c->json == 0   ? "--format"
                               : c->only_same ? "--only, which reads pictures again"
                                              : "the PICTUREs and --files-from");
    if (!c->stream && sources->count == 0 && !sources->files_from)
        return ms_refuse_usage("check needs a PICTURE; see minisim check --help");
    return ms_check_source_options(sources, NULL, NULL) && ms_check_limit(&c->limit) &&
           ms_check_sources(sources);
}

/* ---- answers ---- */

/* What the catalogue says of a picture; `path` is empty where it holds nothing to compare with. */
struct verdict {
    bool is_duplicate, is_file;
    enum ms_look look; /* of a duplicate; MS_LOOKS: not looked at */
    double value;      /* to the nearest: distance or product */
    uint64_t id;
    char path[MS_PATH_MOST + 1];
};

static void print_text(const char *name, const struct verdict *v) {
    fputs(v->is_duplicate ? "duplicate\t" : "new\t", stdout);
    ms_write_name(stdout, name);
    if (v->path[0]) {
        printf("\t%.4g\t", v->value + 0.0); /* -0 becomes 0 */
        ms_write_name(stdout, v->path);
        if (v->is_duplicate)
            printf("\t%s", ms_look_text(v->look));
    }
    putchar('\n');
}

static void begin_json(struct ms_json *json) {
    *json = (struct ms_json){.file = stdout};
    ms_json_open(json, NULL, '{');
    ms_json_count(json, "schema", 1);
}

static void print_verdict(const struct check *c, struct ms_json *json, const struct verdict *v) {
    ms_json_bool(json, "duplicate", v->is_duplicate);
    if (v->path[0]) {
        ms_json_open(json, "nearest", '{');
        ms_json_name(json, "path", v->path);
        ms_json_count(json, "id", v->id);
        ms_json_double(json, ms_limit_metrics[c->limit.metric], v->value);
        ms_json_look(json, v->look);
        ms_json_close(json, '}');
    } else {
        ms_json_text(json, "nearest", NULL);
    }
}

static bool end_json(struct ms_json *json) {
    ms_json_close(json, '}');
    putchar('\n');
    return ms_flush_output();
}

static minisim_status describe(const struct check *c, const minisim_hit *hit, struct verdict *v,
                               minisim_error *error) {
    struct ms_record record;
    size_t count;
    v->id = hit->id;
    v->look = MS_LOOKS;
    v->value = ms_limit_metric(&c->limit) == MINISIM_DOT ? -hit->distance : hit->distance;
    v->is_duplicate = ms_is_close(&c->limit, v->value);
    minisim_status status = ms_catalogue_records(c->catalogue, v->id, 1, &record, &count, error);
    if (status)
        return status;
    v->is_file = !(record.flags & MS_RECORD_NO_FILE);
    return ms_catalogue_text(c->catalogue, v->id, &record, v->path, NULL, error);
}

/* What a duplicate is, by its pixels. */
static enum ms_look look(const struct check *c, const struct ms_view *ours,
                         const struct verdict *v) {
    minisim_context_options limits = ms_look_limits(&c->pictures);
    if (!ours || !v->is_file)
        return MS_LOOKS;
    struct ms_view *theirs = ms_open_view(v->path, &limits);
    enum ms_look found = ms_compare_views(ours, theirs);
    ms_view_close(theirs);
    return found;
}

/* The nearest of these, or with --only same the nearest that is not merely similar; else the
 * nearest, as new. */
static minisim_status choose(const struct check *c, const char *name, const struct ms_top *top,
                             struct verdict *v, minisim_error *error) {
    minisim_context_options limits = ms_look_limits(&c->pictures);
    struct ms_view *ours = NULL;
    struct verdict nearest;
    size_t i = 0;
    bool goes_on;
    do {
        minisim_status status = describe(c, &top->hits[i], v, error);
        if (status) {
            ms_view_close(ours);
            return status;
        }
        if (i == 0) {
            nearest = *v;
            nearest.is_duplicate = false;
            /* Standard input cannot be read twice. */
            if (v->is_duplicate && strcmp(name, "-") != 0)
                ours = ms_open_view(name, &limits);
        }
        if (v->is_duplicate)
            v->look = look(c, ours, v);
        goes_on = v->is_duplicate && v->look == MS_SIMILAR && c->only_same;
    } while (goes_on && ++i < top->count);
    if (goes_on || !v->is_duplicate)
        *v = nearest;
    ms_view_close(ours);
    return MINISIM_OK;
}

/* Looks for the nearest record; a duplicate is noted. */
static minisim_status judge(struct check *c, const char *name, struct verdict *v,
                            minisim_error *error) {
    enum { LOOKED_AT = 16, MAPPED_FROM = 20 };
    bool dot = ms_limit_metric(&c->limit) == MINISIM_DOT;
    struct ms_search search = {c->kernels, ms_limit_metric(&c->limit),
                               &c->query,  dot ? -INFINITY : INFINITY,
                               NULL,       ms_count_threads(&c->pictures)};
    minisim_hit hits[LOOKED_AT];
    struct ms_top top = {.most = c->only_same ? LOOKED_AT : 1, .hits = hits};
    *v = (struct verdict){.look = MS_LOOKS};
    /* Who asked so often will ask on (catalogue/search.c has the figures). */
    if (++c->asked == MAPPED_FROM)
        ms_map_catalogue(c->path, c->catalogue);
    minisim_status status = ms_catalogue_search(c->catalogue, &search, &top, error);
    if (!status && top.count > 0)
        status = choose(c, name, &top, v, error);
    if (!status && v->is_duplicate)
        ms_note(MS_EXIT_DUPLICATE);
    return status;
}

/* One embedding: the line that it gets, and the exit status. false: it ends here. */
static bool answer(void *user, const char *name, const float *vector) {
    struct check *c = user;
    struct ms_json json;
    struct verdict v;
    minisim_error error;
    if (ms_put_query(c->kernels, ms_limit_metric(&c->limit), &c->query, 0, name, vector))
        return true;
    minisim_status status = judge(c, name, &v, &error);
    if (status)
        return ms_catalogue_failed(c->path, status, &error);
    if (c->json != 1) {
        print_text(name, &v);
        return ms_flush_output();
    }
    begin_json(&json);
    ms_json_name(&json, "picture", name);
    print_verdict(c, &json, &v);
    return end_json(&json);
}

static bool answer_frame(void *user, uint64_t frame, const float *vector, const char *why) {
    struct check *c = user;
    struct ms_json json;
    struct verdict v;
    minisim_error error;
    char name[64];
    snprintf(name, sizeof name, "standard input: frame %" PRIu64, frame);
    if (vector)
        why = ms_put_query(c->kernels, ms_limit_metric(&c->limit), &c->query, 0, name, vector);
    minisim_status status = why ? MINISIM_OK : judge(c, "-", &v, &error);
    if (status)
        return ms_catalogue_failed(c->path, status, &error);
    begin_json(&json);
    ms_json_count(&json, "frame", frame);
    if (why)
        ms_json_text(&json, "error", why);
    else
        print_verdict(c, &json, &v);
    return end_json(&json);
}

/* ---- the whole ---- */

static void check_pictures(struct check *c) {
    const struct ms_origin *origin = ms_catalogue_origin(c->catalogue);
    struct ms_engine engine;
    c->kernels = ms_kernels_choose(c->pictures.model.cpu);
    uint64_t at_once = c->stream ? 1 : ms_count_sources(&c->sources);
    if (!ms_open_engine(&c->pictures, at_once, &engine))
        return;
    if (!ms_stored_open(&c->query, origin->type, origin->dimension, 1))
        ms_out_of_memory();
    else if (!ms_fits_catalogue(c->path, c->catalogue, &c->pictures, &engine) ||
             !ms_find_noted_limit(&c->limit, c->path, c->catalogue) ||
             !(c->limit.from || ms_find_fact_limit(&c->limit, engine.model)))
        ; /* that was said */
    else if (c->stream)
        ms_embed_stream(&c->pictures, &engine, answer_frame, c);
    else
        ms_embed_sources(&c->sources, &c->pictures, &engine, answer, c);
    ms_stored_close(&c->query);
    ms_close_engine(&engine);
}

void ms_run_check(const struct ms_verb *verb, int argc, char **argv) {
    struct check c = {.sources = {.names = argv}, .json = -1};
    if (!ms_open_sources(&c.sources, argc))
        return;
    if (ms_parse_options(verb, argc, argv, take_option, &c, &c.sources.count) && check_usage(&c) &&
        ms_open_catalogue(c.path, &c.catalogue)) {
        check_pictures(&c);
        ms_catalogue_close(c.catalogue);
    }
    ms_close_sources(&c.sources);
}
