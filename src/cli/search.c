/*
 * minisim search: the records of a catalogue that are nearest to some pictures, or to rows of a
 * NumPy file. Queries are collected, some at a time, and then meet the catalogue in one pass.
 */
#include "catalogue/search.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/arrays.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/limit.h"
#include "cli/looks.h"
#include "cli/report.h"
#include "cli/sources.h"
#include "cli/verbs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct ms_option search_options[] = {
    {MS_OPTION_TOP, "top", 'k', "N", "show the N nearest (10)"},
    {MS_OPTION_METRIC, "metric", 0, "METRIC", "cosine (usual), euclidean or dot"},
    {MS_OPTION_MAX_DISTANCE, "max-distance", 0, "D", "show none that is farther"},
    {MS_OPTION_MIN_SCORE, "min-score", 0, "S", "for dot: show none whose product is smaller"},
    {MS_OPTION_EXCLUDE_SELF, "exclude-self", 0, NULL, "do not show the picture itself"},
    {MS_OPTION_EXPLAIN, "explain", 0, NULL, "look at the pixels, and say what each one is"},
    MS_ONLY_OPTION,
    {MS_OPTION_LABEL, "label", 0, "LABEL", "show none but those with this label"},
    {MS_OPTION_ID, "id", 0, "ID",
     "search for a record of the catalogue itself, by\nthe id that list --json tells"},
    MS_HTML_OPTION,
    {MS_OPTION_VECTORS, "vectors", 0, "FILE",
     "search for the rows of a NumPy file (.npy)\ninstead; - is standard input"},
    {MS_OPTION_IDS, "ids", 0, "FILE", "names of these rows, as embed\nwrites them"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_search = {
    "search",
    "CATALOGUE PICTURE...",
    "find the pictures of a catalogue that are close to these",
    "Finds the pictures of a catalogue (.msc, see minisim index) that are closest to each of\n"
    "these. The search is exact: every vector is compared.\n"
    "\n"
    "  minisim search shop.msc photo.jpg\n"
    "  minisim search shop.msc --label shoes photo.jpg\n"
    "  minisim search shop.msc -k 1 --max-distance 0.1 --json new/*.jpg",
    {search_options, ms_source_options, ms_network_options, ms_picture_options},
    ms_run_search};

/* Queries that meet the catalogue at once: fewer where the nearest of them would take more memory.
 */
enum { AT_ONCE = 64, MOST_HITS = 1 << 20 };

struct search {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    struct ms_limit limit;
    int json;
    uint64_t most;
    bool exclude_self, explain, only_same, has_id;
    minisim_context_options looking; /* limits, where it explains */
    uint64_t id;
    const char *path, *vectors_path, *ids_path, *label, *html_path;
    struct ms_report report;
    uint8_t *labelled; /* a bit for each id that has the label; NULL: all may be shown */
    struct ms_catalogue *catalogue;
    const struct ms_kernels *kernels;
    struct ms_stored queries; /* count: how many are collected */
    size_t at_once;           /* when they are searched for */
    char *names[AT_ONCE];
    struct ms_top tops[AT_ONCE];
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct search *s = settings;
    switch (option->id) {
    case MS_OPTION_TOP:
        return ms_take_count(option, value, 1, 1000000, &s->most);
    case MS_OPTION_METRIC:
    case MS_OPTION_MAX_DISTANCE:
    case MS_OPTION_MIN_SCORE:
        return ms_take_limit_option(&s->limit, option, value);
    case MS_OPTION_EXCLUDE_SELF:
        return s->exclude_self = true;
    case MS_OPTION_EXPLAIN:
        return s->explain = true;
    case MS_OPTION_ONLY:
        return s->explain = ms_take_only_option(&s->only_same, option, value);
    case MS_OPTION_LABEL:
        s->label = value;
        return true;
    case MS_OPTION_ID:
        s->has_id = true;
        return ms_take_count(option, value, 0, UINT64_MAX, &s->id);
    case MS_OPTION_HTML:
        s->html_path = value;
        return true;
    case MS_OPTION_VECTORS:
        s->vectors_path = value;
        return true;
    case MS_OPTION_IDS:
        s->ids_path = value;
        return true;
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &s->json);
    default:
        return ms_take_input_option(&s->sources, &s->pictures, option, value);
    }
}

static bool check(struct search *s) {
    struct ms_sources *sources = &s->sources;
    if (sources->count == 0)
        return ms_refuse_usage("search needs a CATALOGUE; see minisim search --help");
    s->path = sources->names[0];
    sources->names++;
    sources->count--;
    if (!ms_check_source_options(sources, "ids", s->ids_path))
        return false;
    if (!ms_check_limit(&s->limit))
        return false;
    if (!s->limit.from)
        s->limit.value = ms_limit_metric(&s->limit) == MINISIM_DOT ? -INFINITY : INFINITY;
    bool pictures = sources->count > 0 || sources->files_from;
    if ((s->vectors_path != NULL) + pictures + s->has_id > 1)
        return ms_refuse_usage("search takes pictures, --vectors or --id, one of them");
    if (!s->vectors_path && !pictures && !s->has_id)
        return ms_refuse_usage("search needs a PICTURE; see minisim search --help");
    if (!s->vectors_path && s->ids_path)
        return ms_refuse_usage("--ids is about the rows of --vectors FILE");
    if (s->vectors_path && s->explain)
        return ms_refuse_usage("--%s looks at pictures, and rows of --vectors are none",
                               s->only_same ? "only" : "explain");
    if (s->vectors_path && s->exclude_self && !s->ids_path)
        return ms_refuse_usage("--exclude-self needs the rows' names: --ids FILE");
    const char *const inputs[] = {s->path, s->vectors_path, s->ids_path};
    return ms_check_report(sources, s->html_path, inputs, 3) && ms_check_sources(sources);
}

/* ---- answers ---- */

static bool fail(const struct search *s, minisim_status status, const minisim_error *error) {
    return ms_catalogue_failed(s->path, status, error);
}

/* The path that a query has as a record. */
static void own_path(const struct search *s, const char *name, char path[MS_PATH_MOST + 1]) {
    if (s->vectors_path || s->has_id)
        snprintf(path, MS_PATH_MOST + 1, "%s", name);
    else if (!ms_real_path(name, path))
        path[0] = '\0';
}

/* Nothing where nobody asked for a page, as below. */
static void begin_page(struct search *s, const char *name, bool any) {
    struct ms_page *page = ms_report_page(&s->report);
    struct ms_card card = {.name = name,
                           .missing = s->vectors_path          ? "a row, no picture"
                                      : strcmp(name, "-") == 0 ? "from standard input"
                                                               : NULL,
                           .head = "Searched for",
                           .note = any ? NULL : "nothing is close enough",
                           .chosen = true};
    if (!page)
        return;
    ms_page_section(page, "Nearest to", name, NULL);
    ms_page_cards_begin(page);
    ms_page_card(page, &card);
}

static void show_hit(struct search *s, double value, const char *path,
                     const struct ms_record *record, enum ms_look look) {
    struct ms_page *page = ms_report_page(&s->report);
    char head[MS_SHOWN_DISTANCE], file[MS_FILE_NOTE], note[2 * MS_FILE_NOTE];
    bool dot = ms_limit_metric(&s->limit) == MINISIM_DOT;
    bool is_file = !(record->flags & MS_RECORD_NO_FILE);
    if (!page)
        return;
    snprintf(note, sizeof note, "%s%s%s", s->explain ? ms_look_text(look) : "",
             s->explain ? "; " : "", ms_file_note(path, record, file));
    ms_page_card(page, &(struct ms_card){.name = path,
                                         .missing = is_file ? NULL : "an id, no file",
                                         .head = ms_shown_distance(value, dot, head),
                                         .note = is_file ? note : NULL});
}

static void begin_answer(const struct search *s, struct ms_json *json, const char *name) {
    bool dot = ms_limit_metric(&s->limit) == MINISIM_DOT;
    if (s->json) {
        ms_json_open(json, NULL, '{');
        ms_json_count(json, "schema", 1);
        ms_json_name(json, "query", name);
        ms_json_text(json, "closer", dot ? "larger" : "smaller");
        ms_json_open(json, "hits", '[');
        return;
    }
    printf("# %s %s ", ms_limit_metrics[s->limit.metric], dot ? "product with" : "distance to");
    ms_write_name(stdout, name);
    printf(" (%s is closer)\n", dot ? "larger" : "smaller");
}

static void print_hit(const struct search *s, struct ms_json *json, uint64_t id, double value,
                      const char *path, const char *label, enum ms_look look) {
    if (s->json) {
        ms_json_open(json, NULL, '{');
        ms_json_name(json, "path", path);
        if (*label)
            ms_json_name(json, "label", label);
        ms_json_count(json, "id", id);
        ms_json_double(json, ms_limit_metrics[s->limit.metric], value);
        if (s->explain)
            ms_json_look(json, look);
        ms_json_close(json, '}');
        return;
    }
    printf("%.4g\t", value + 0.0); /* -0 becomes 0 */
    ms_write_name(stdout, path);
    if (s->explain)
        printf("\t%s", ms_look_text(look));
    putchar('\n');
}

/* What a record is to the query, whose view is NULL where nobody asks. */
static enum ms_look look(const struct search *s, const struct ms_view *ours,
                         const struct ms_record *record, const char *path) {
    if (!ours || record->flags & MS_RECORD_NO_FILE)
        return MS_LOOKS;
    struct ms_view *theirs = ms_open_view(path, &s->looking);
    enum ms_look found = ms_compare_views(ours, theirs);
    ms_view_close(theirs);
    return found;
}

static bool print_hits(struct search *s, struct ms_json *json, const struct ms_top *top,
                       const char *own, const struct ms_view *view) {
    bool dot = ms_limit_metric(&s->limit) == MINISIM_DOT;
    size_t shown = 0;
    for (size_t i = 0; i < top->count && shown < s->most && !ms_interrupted(); i++) {
        char path[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
        struct ms_record record;
        minisim_error error;
        size_t count;
        uint64_t id = top->hits[i].id;
        minisim_status status = ms_catalogue_records(s->catalogue, id, 1, &record, &count, &error);
        if (!status)
            status = ms_catalogue_text(s->catalogue, id, &record, path, label, &error);
        if (status)
            return fail(s, status, &error);
        if (s->exclude_self && strcmp(own, path) == 0)
            continue;
        if (ms_refuse_output(&s->sources, path))
            return false;
        shown++;
        enum ms_look found = look(s, view, &record, path);
        if (found != MS_SIMILAR || !s->only_same) {
            double value = dot ? -top->hits[i].distance : top->hits[i].distance;
            print_hit(s, json, id, value, path, label, found);
            show_hit(s, value, path, &record, found);
        }
    }
    return true;
}

static bool answer(struct search *s, const char *name, const struct ms_top *top) {
    struct ms_json json = {.file = stdout};
    char own[MS_PATH_MOST + 1] = "";
    /* Standard input cannot be read twice. */
    bool looks = s->explain && strcmp(name, "-") != 0;
    struct ms_view *view = looks ? ms_open_view(name, &s->looking) : NULL;
    if (s->exclude_self)
        own_path(s, name, own);
    begin_answer(s, &json, name);
    begin_page(s, name, top->count > 0);
    bool good = print_hits(s, &json, top, own, view);
    ms_view_close(view);
    if (ms_report_page(&s->report))
        ms_page_cards_end(&s->report.page);
    if (good && s->json) {
        ms_json_close(&json, ']');
        ms_json_close(&json, '}');
        putchar('\n');
    }
    return good && ms_flush_output();
}

/* Searches for what is collected. */
static bool search(struct search *s) {
    struct ms_search all = {s->kernels,  ms_limit_metric(&s->limit),    &s->queries, s->limit.value,
                            s->labelled, ms_count_threads(&s->pictures)};
    minisim_error error;
    bool good = s->queries.count > 0;
    if (!good)
        return true;
    for (size_t i = 0; i < s->queries.count; i++)
        s->tops[i].count = 0;
    minisim_status status = ms_catalogue_search(s->catalogue, &all, s->tops, &error);
    if (status)
        good = fail(s, status, &error);
    for (size_t i = 0; i < s->queries.count; i++) {
        good = good && answer(s, s->names[i], &s->tops[i]);
        free(s->names[i]);
    }
    s->queries.count = 0;
    return good;
}

/* ---- queries ---- */

static bool add_query(void *user, const char *name, const float *vector) {
    struct search *s = user;
    size_t at = s->queries.count;
    if (ms_put_query(s->kernels, ms_limit_metric(&s->limit), &s->queries, at, name, vector))
        return true;
    if (!(s->names[at] = strdup(name)))
        return ms_out_of_memory();
    s->queries.count++;
    return s->queries.count < s->at_once || search(s);
}

static bool open_queries(struct search *s) {
    const struct ms_origin *origin = ms_catalogue_origin(s->catalogue);
    uint64_t ids = ms_catalogue_ids(s->catalogue), most = s->most + s->exclude_self;
    s->kernels = ms_kernels_choose(s->pictures.model.cpu);
    if (!ms_stored_open(&s->queries, origin->type, origin->dimension, AT_ONCE))
        return ms_out_of_memory();
    s->queries.count = 0;
    most = most < ids ? most : ids;
    s->at_once = most < MOST_HITS / AT_ONCE ? AT_ONCE
                 : most < MOST_HITS         ? MOST_HITS / (size_t)most
                                            : 1;
    for (size_t i = 0; i < s->at_once; i++) {
        s->tops[i].most = (size_t)most;
        s->tops[i].hits = malloc((s->tops[i].most + 1) * sizeof *s->tops[i].hits);
        if (!s->tops[i].hits)
            return ms_out_of_memory();
    }
    return true;
}

static void close_queries(struct search *s) {
    for (size_t i = 0; i < AT_ONCE; i++)
        free(s->tops[i].hits);
    for (size_t i = 0; i < s->queries.count; i++)
        free(s->names[i]);
    ms_stored_close(&s->queries);
    free(s->labelled);
}

/* Marks the records of the label. Where its length says no, no text is read. false: there are none,
 * or they cannot be read, which was said and noted. */
static bool find_labelled(struct search *s) {
    enum { AT_ONCE_READ = 64 };
    struct ms_record records[AT_ONCE_READ];
    char path[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
    uint64_t ids = ms_catalogue_ids(s->catalogue), found = 0;
    minisim_error error;
    size_t count;
    if (!(s->labelled = calloc(1, (size_t)(ids / 8 + 1))))
        return ms_out_of_memory();
    for (uint64_t first = 0; first < ids; first += count) {
        minisim_status status =
            ms_catalogue_records(s->catalogue, first, AT_ONCE_READ, records, &count, &error);
        for (size_t i = 0; !status && i < count; i++) {
            uint64_t id = first + i;
            if (records[i].label_size != strlen(s->label) ||
                ms_catalogue_is_removed(s->catalogue, id))
                continue;
            status = ms_catalogue_text(s->catalogue, id, &records[i], path, label, &error);
            if (status || strcmp(label, s->label) != 0)
                continue;
            s->labelled[id / 8] |= (uint8_t)(1 << id % 8);
            found++;
        }
        if (status)
            return fail(s, status, &error);
    }
    if (found > 0)
        return true;
    ms_complain(s->path, "no record has this label; minisim list shows them");
    ms_note(MS_EXIT_SOME_FAILED);
    return false;
}

static void search_record(struct search *s) {
    struct ms_record record;
    char path[MS_PATH_MOST + 1];
    minisim_error error;
    size_t count;
    if (s->id >= ms_catalogue_ids(s->catalogue) || ms_catalogue_is_removed(s->catalogue, s->id)) {
        ms_complain(s->path, "there is no record %" PRIu64, s->id);
        ms_note(MS_EXIT_SOME_FAILED);
        return;
    }
    minisim_status status = ms_catalogue_records(s->catalogue, s->id, 1, &record, &count, &error);
    if (!status)
        status = ms_catalogue_text(s->catalogue, s->id, &record, path, NULL, &error);
    if (!status)
        status = ms_catalogue_vectors(s->catalogue, s->id, 1, &s->queries, &error);
    if (status)
        fail(s, status, &error);
    else if (!(s->names[0] = strdup(path)))
        ms_out_of_memory();
    else
        search(s);
}

/* What the page says at its top. */
static bool open_page(struct search *s) {
    const char *metric = ms_limit_metrics[s->limit.metric];
    bool dot = ms_limit_metric(&s->limit) == MINISIM_DOT;
    char about[256], count[MS_NUMBER_SIZE], limit[MS_NUMBER_SIZE] = "";
    if (!ms_open_report(&s->report, s->html_path, &s->pictures))
        return false;
    if (!s->html_path)
        return true;
    ms_count_text(ms_catalogue_count(s->catalogue), count);
    int length = snprintf(about, sizeof about, "Of %s records, at most %llu for each: %s %s, %s",
                          count, (unsigned long long)s->most, metric, dot ? "product" : "distance",
                          dot ? "larger is closer" : "0 is the same");
    if (s->limit.from)
        snprintf(about + length, sizeof about - (size_t)length, "; %s %s",
                 dot ? "at least" : "at most", ms_double_text(s->limit.value, limit));
    ms_page_begin(&s->report.page, "Nearest pictures in", s->path, about);
    return true;
}

static void search_pictures(struct search *s) {
    struct ms_engine engine;
    if (!ms_open_engine(&s->pictures, ms_count_sources(&s->sources), &engine))
        return;
    if (!ms_refuse_output(&s->sources, engine.weights) &&
        ms_fits_catalogue(s->path, s->catalogue, &s->pictures, &engine)) {
        ms_embed_sources(&s->sources, &s->pictures, &engine, add_query, s);
        if (!ms_interrupted())
            search(s);
    }
    ms_close_engine(&engine);
}

static void search_rows(struct search *s) {
    const struct ms_origin *origin = ms_catalogue_origin(s->catalogue);
    struct ms_array array;
    if (!ms_read_array(s->vectors_path, s->ids_path, s->sources.null_ended, &array))
        return;
    bool good = array.vectors.columns == origin->dimension;
    if (!good) {
        ms_complain(s->vectors_path, "its rows have %zu values, the catalogue's vectors %u",
                    array.vectors.columns, (unsigned)origin->dimension);
        ms_note(MS_EXIT_WEIGHTS);
    }
    for (size_t i = 0; good && i < array.vectors.rows && !ms_interrupted(); i++) {
        char number[MS_NUMBER_SIZE + 4];
        snprintf(number, sizeof number, "row %zu", i);
        good = add_query(s, array.names ? array.names[i] : number,
                         array.vectors.values + i * array.vectors.columns);
    }
    if (good && !ms_interrupted())
        search(s);
    ms_free_array(&array);
}

void ms_run_search(const struct ms_verb *verb, int argc, char **argv) {
    struct search s = {.sources = {.names = argv}, .most = 10};
    if (!ms_open_sources(&s.sources, argc))
        return;
    if (ms_parse_options(verb, argc, argv, take_option, &s, &s.sources.count) && check(&s) &&
        ms_open_catalogue(s.path, &s.catalogue)) {
        if (s.explain)
            s.looking = ms_look_limits(&s.pictures);
        if (open_queries(&s) && (!s.label || find_labelled(&s)) && open_page(&s)) {
            if (s.has_id)
                search_record(&s);
            else if (s.vectors_path)
                search_rows(&s);
            else
                search_pictures(&s);
        }
        ms_close_report(&s.report);
        close_queries(&s);
        ms_catalogue_close(s.catalogue);
    }
    ms_close_sources(&s.sources);
}
