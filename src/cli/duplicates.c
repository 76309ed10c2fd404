/*
 * minisim duplicates: groups of pictures that are close to each other, of a catalogue or of
 * pictures, for which a catalogue is kept in the cache. First the records to compare, then how
 * close is close, then all pairs, groups, and a writer.
 */
#include "catalogue/distinct.h"
#include "cli/cache.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/grouping.h"
#include "cli/index.h"
#include "cli/limit.h"
#include "cli/looks.h"
#include "cli/names.h"
#include "cli/report.h"
#include "cli/sources.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct ms_option duplicates_options[] = {
    {MS_OPTION_MAX_DISTANCE, "max-distance", 0, "D",
     "duplicates are at most so far apart; not said:\nas the catalogue or the weights note"},
    {MS_OPTION_METRIC, "metric", 0, "METRIC", "cosine (usual), euclidean or dot"},
    {MS_OPTION_MIN_SCORE, "min-score", 0, "S", "for dot: their product is at least this"},
    {MS_OPTION_LINKAGE, "linkage", 0, "KIND",
     "complete (usual): any two of a group are\nduplicates; or single: a chain of them is enough"},
    {MS_OPTION_AGAINST, "against", 0, "CATALOGUE",
     "show what is close to something in this one,\ninstead of groups: leaks between two sets"},
    MS_ONLY_OPTION,
    {MS_OPTION_KEEP, "keep", 0, "RULE",
     "of a group, keep by resolution (usual), bytes,\noldest, newest or first (as indexed)"},
    {MS_OPTION_PREFER, "prefer", 0, "DIR", "keep what is in this folder before others"},
    {MS_OPTION_REMOVABLE, "removable", 0, NULL,
     "print only the paths that --keep does not keep,\nfor xargs (with -0); copies alone: --only "
     "same"},
    {MS_OPTION_NOT_DUPLICATES, "not-duplicates", 0, "FILE",
     "a list of names, two by two: pairs that are\nno duplicates"},
    {MS_OPTION_REMEMBER, "remember", 0, NULL, "note these pairs in the catalogue for ever"},
    {MS_OPTION_NO_CACHE, "no-cache", 0, NULL, "keep no catalogue of pictures between runs"},
    MS_HTML_OPTION,
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_duplicates = {
    "duplicates",
    "CATALOGUE | PATH...",
    "find groups of pictures that are nearly the same",
    "Finds groups of duplicates in a catalogue (.msc, see minisim index), or in pictures and\n"
    "folders, whose embeddings are kept in the cache folder for the next time. Every pair is\n"
    "compared, and a look at the pixels says what those of a group are to its first. Nothing\n"
    "is deleted.\n"
    "\n"
    "  minisim duplicates Pictures/\n"
    "  minisim duplicates train.msc --against test.msc\n"
    "  minisim duplicates Pictures/ --only same --removable -0 |\n"
    "      xargs -0 -r mv --backup=numbered -t double/",
    {duplicates_options, ms_source_options, ms_network_options, ms_picture_options},
    ms_run_duplicates};

struct duplicates {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    struct ms_limit limit;
    int linkage, keep, json;
    bool removable, remember, no_cache, only_same;
    const char *against_path, *not_duplicates, *html_path;
    struct ms_report report;
    char *prefer; /* real path, or NULL */
    const char *path;
    struct ms_catalogue *catalogue, *against;
    struct ms_distinct distinct;
};

static const char *const linkages[] = {"complete", "single", NULL};

static bool take_folder(struct duplicates *d, const char *value) {
    free(d->prefer);
    d->prefer = realpath(value, NULL);
    return d->prefer || ms_refuse_usage("--prefer %s: %s", value, strerror(errno));
}

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    static const char *const rules[] = {"resolution", "bytes", "oldest", "newest", "first", NULL};
    struct duplicates *d = settings;
    switch (option->id) {
    case MS_OPTION_METRIC:
    case MS_OPTION_MAX_DISTANCE:
    case MS_OPTION_MIN_SCORE:
        return ms_take_limit_option(&d->limit, option, value);
    case MS_OPTION_ONLY:
        return ms_take_only_option(&d->only_same, option, value);
    case MS_OPTION_LINKAGE:
        return ms_take_choice(option, value, linkages, &d->linkage);
    case MS_OPTION_AGAINST:
        d->against_path = value;
        return true;
    case MS_OPTION_KEEP:
        return ms_take_choice(option, value, rules, &d->keep);
    case MS_OPTION_PREFER:
        return take_folder(d, value);
    case MS_OPTION_REMOVABLE:
        return d->removable = true;
    case MS_OPTION_NOT_DUPLICATES:
        d->not_duplicates = value;
        return true;
    case MS_OPTION_REMEMBER:
        return d->remember = true;
    case MS_OPTION_HTML:
        d->html_path = value;
        return true;
    case MS_OPTION_NO_CACHE:
        return d->no_cache = true;
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &d->json);
    default:
        return ms_take_input_option(&d->sources, &d->pictures, option, value);
    }
}

/* Sets d->path where a catalogue is named. */
static bool check_names(struct duplicates *d) {
    struct ms_sources *sources = &d->sources;
    if (sources->count == 0 && !sources->files_from)
        return ms_refuse_usage("duplicates needs a CATALOGUE or a PATH; see minisim duplicates "
                               "--help");
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->names[i], "-") == 0)
            return ms_refuse_usage("a picture on standard input has no name to be found by");
        else if (ms_is_catalogue(sources->names[i]))
            d->path = sources->names[i];
    if (d->path && (sources->count > 1 || sources->files_from))
        return ms_refuse_usage("duplicates takes one CATALOGUE, or pictures; --against takes a "
                               "second one, minisim merge joins them");
    return true;
}

static bool check(struct duplicates *d) {
    const char *list = d->removable ? "" : d->not_duplicates;
    if (!ms_check_source_options(&d->sources, "removable", list) || !ms_check_limit(&d->limit) ||
        !check_names(d))
        return false;
    if (d->removable && d->json)
        return ms_refuse_usage("--removable is a list of names, --json is not");
    if (d->against_path && (d->linkage || d->keep || d->prefer))
        return ms_refuse_usage("--against makes no groups: --linkage, --keep and --prefer say "
                               "nothing there");
    if (d->remember && (!d->not_duplicates || !d->path))
        return ms_refuse_usage("--remember notes the pairs of --not-duplicates FILE in a "
                               "CATALOGUE");
    if (d->no_cache && d->path)
        return ms_refuse_usage("--no-cache is for pictures, %s is a catalogue", d->path);
    const char *const inputs[] = {d->path, d->against_path, d->not_duplicates};
    return ms_check_report(&d->sources, d->html_path, inputs, 3) && ms_check_sources(&d->sources);
}

static bool fail(const struct duplicates *d, minisim_status status, const minisim_error *error) {
    return status != MINISIM_CANCELLED && ms_catalogue_failed(d->path, status, error);
}

/* ---- pairs that are no duplicates ---- */

/* The next name as records have it, to be freed; NULL: there are no more, or list->failed, which
 * was said and noted. */
static char *next_path(struct ms_names *list, bool of_files) {
    char path[MS_PATH_MOST + 1], *name = ms_names_next(list);
    if (!name || !of_files)
        return name;
    bool found = ms_real_path(name, path);
    if (!found && (errno == ENOENT || errno == ENOTDIR))
        return name; /* as it is called, it may be a record all the same */
    if (!found) {
        ms_complain(name, "%s", strerror(errno));
        ms_note(MS_EXIT_SOME_FAILED);
    }
    free(name);
    name = found ? strdup(path) : NULL;
    if (found && !name)
        ms_out_of_memory();
    list->failed = list->failed || !name;
    return name;
}

static bool read_pairs(struct duplicates *d, bool of_files) {
    struct ms_names list;
    bool good = true;
    char *path;
    if (!d->not_duplicates)
        return true;
    if (!ms_names_open(&list, d->not_duplicates, d->sources.null_ended))
        return false;
    while (good && (path = next_path(&list, of_files))) {
        char *other = next_path(&list, of_files);
        if (!other)
            good = list.failed || list.refused || ms_interrupted() ||
                   ms_refuse_usage("%s names one without its other: names come two by two",
                                   d->not_duplicates);
        else if (!ms_distinct_add(&d->distinct, path, other))
            good = ms_out_of_memory();
        free(path);
        free(other);
    }
    ms_names_close(&list);
    return good && !list.failed && !list.refused;
}

/* Notes the pairs, beside those that are noted. */
static bool remember(struct duplicates *d) {
    struct ms_catalogue *c;
    minisim_error error;
    minisim_status status = ms_catalogue_open_writer(d->path, NULL, &c, &error);
    if (!status)
        status = ms_distinct_read(&d->distinct, c, &error);
    if (!status)
        status = ms_distinct_write(&d->distinct, c, &error);
    if (!status)
        status = ms_catalogue_commit(c, &error);
    ms_catalogue_close(c);
    return status == MINISIM_OK || fail(d, status, &error);
}

static bool read_noted(struct duplicates *d) {
    minisim_error error;
    minisim_status status = ms_distinct_read(&d->distinct, d->catalogue, &error);
    if (status)
        return fail(d, status, &error);
    if (d->against && (status = ms_distinct_read(&d->distinct, d->against, &error)))
        return ms_catalogue_failed(d->against_path, status, &error);
    return true;
}

/* ---- comparing ---- */

static bool go_on(void *user, uint64_t compared) {
    (void)user;
    ms_progress_reach(compared);
    return ms_interrupted();
}

/* Names alone have no labels. */
static bool look_at_groups(const struct duplicates *d, struct ms_groups *groups) {
    return (d->removable && !d->only_same && !d->html_path) ||
           ms_look_at_groups(groups, &d->pictures, d->sources.progress, d->only_same);
}

/* A page shows them. */
static bool spares_pictures(const struct duplicates *d, const struct ms_groups *groups) {
    for (size_t i = 0; d->html_path && i < groups->count; i++)
        for (size_t k = 0; k < groups->groups[i].count; k++)
            if (ms_refuse_output(&d->sources, groups->groups[i].members[k].path))
                return false;
    return true;
}

/* The page first: the text may be read in part. */
static void write_groups(struct duplicates *d, const struct ms_groups *groups) {
    if (ms_report_page(&d->report))
        ms_show_groups(groups, &d->report.page);
    ms_close_report(&d->report);
    if (d->removable)
        ms_write_removable(groups, d->sources.null_ended);
    else if (d->json)
        ms_write_groups_json(groups);
    else
        ms_write_groups_text(groups);
}

static int by_ids(const void *one, const void *other) {
    const struct ms_close_pair *x = one, *y = other;
    return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

static int by_distance(const void *one, const void *other) {
    const struct ms_close_pair *x = one, *y = other;
    return x->distance != y->distance ? (x->distance > y->distance) - (x->distance < y->distance)
                                      : by_ids(x, y);
}

/* With --only same, what is merely similar must not come between copies when groups are made.
 * `pairs` are the closest first, before and after. false: no memory, or an interrupt. */
static bool keep_same_pairs(const struct duplicates *d, struct ms_close_pair *pairs,
                            size_t *count) {
    minisim_context_options limits = ms_look_limits(&d->pictures);
    enum ms_look *looks = malloc((*count + 1) * sizeof *looks);
    struct ms_team team;
    size_t kept = 0;
    if (!looks || !ms_team_open(&team, ms_count_threads(&d->pictures))) {
        free(looks);
        return ms_out_of_memory();
    }
    qsort(pairs, *count, sizeof *pairs, by_ids);
    ms_progress_start_pairs(d->sources.progress, *count);
    ms_look_at_pairs(d->catalogue, &limits, &team, pairs, *count, looks);
    ms_progress_end();
    ms_team_close(&team);
    for (size_t i = 0; i < *count && !ms_interrupted(); i++)
        if (looks[i] != MS_SIMILAR)
            pairs[kept++] = pairs[i];
    *count = kept;
    qsort(pairs, *count, sizeof *pairs, by_distance);
    free(looks);
    return !ms_interrupted();
}

static bool find_groups(const struct duplicates *d, const struct ms_pass *pass,
                        struct ms_groups *groups) {
    bool dot = pass->metric == MINISIM_DOT;
    struct ms_grouping grouping = {pass, (enum ms_linkage)d->linkage, (enum ms_keep)d->keep,
                                   d->prefer};
    struct ms_close_pair *pairs;
    minisim_error error;
    size_t count;
    ms_progress_start_pairs(d->sources.progress, ms_count_pairs(pass));
    minisim_status status =
        ms_find_close_pairs(pass, dot ? -d->limit.value : d->limit.value, &pairs, &count, &error);
    ms_progress_end();
    if (!status)
        status = ms_distinct_drop(&d->distinct, d->catalogue, d->against, pairs, &count, &error);
    bool good = status || !d->only_same || d->against || keep_same_pairs(d, pairs, &count);
    if (!status && good)
        status = ms_make_groups(&grouping, pairs, count, groups, &error);
    free(pairs);
    return status ? fail(d, status, &error) : good;
}

/* Each block of vectors meets all others: the more there are, the more often they are looked at. */
static void map_catalogues(const struct duplicates *d, size_t count) {
    enum { MANY = 8192 };
    if (count >= MANY)
        ms_map_catalogue(d->path, d->catalogue);
    if (count >= MANY && d->against)
        ms_map_catalogue(d->against_path, d->against);
}

/* Compares the records and shows what is found. */
static void compare(struct duplicates *d, const struct ms_chosen *rows) {
    struct ms_pass pass = {.kernels = ms_kernels_choose(d->pictures.model.cpu),
                           .metric = ms_limit_metric(&d->limit),
                           .threads = ms_count_threads(&d->pictures),
                           .rows = *rows,
                           .progress = go_on};
    struct ms_groups groups = {.catalogue = d->path,
                               .against = d->against_path,
                               .metric = ms_limit_metrics[d->limit.metric],
                               .dot = pass.metric == MINISIM_DOT,
                               .limit = d->limit.value,
                               .limit_from = d->limit.from,
                               .linkage = d->against ? NULL : linkages[d->linkage],
                               .records = rows->count};
    map_catalogues(d, rows->count);
    if (d->against && !ms_choose_all(d->against, &pass.others))
        ms_out_of_memory();
    else if (ms_open_report(&d->report, d->html_path, &d->pictures) && read_noted(d) &&
             find_groups(d, &pass, &groups) && !ms_interrupted() && spares_pictures(d, &groups) &&
             look_at_groups(d, &groups)) {
        write_groups(d, &groups);
        ms_flush_output();
    }
    ms_close_report(&d->report);
    ms_free_groups(&groups);
    free((void *)pass.others.ids);
}

/* The second catalogue; its vectors have to be comparable with the first one's. */
static bool open_against(struct duplicates *d) {
    minisim_error error;
    if (!d->against_path)
        return true;
    if (!ms_open_catalogue(d->against_path, &d->against))
        return false;
    minisim_status status =
        ms_check_origin(ms_catalogue_origin(d->against), ms_catalogue_origin(d->catalogue), &error);
    return status == MINISIM_OK || ms_catalogue_failed(d->against_path, status, &error);
}

/* ---- a catalogue ---- */

/* The facts of the weights count where the catalogue was made with them. */
static bool find_fact_limit(struct duplicates *d) {
    struct ms_engine engine;
    if (!ms_catalogue_origin(d->catalogue)->embedding_id[0])
        return ms_find_fact_limit(&d->limit, NULL);
    if (!ms_open_engine(&d->pictures, 1, &engine))
        return false;
    bool good = !ms_refuse_output(&d->sources, engine.weights) &&
                ms_fits_catalogue(d->path, d->catalogue, &d->pictures, &engine) &&
                ms_find_fact_limit(&d->limit, engine.model);
    ms_close_engine(&engine);
    return good;
}

static void compare_catalogue(struct duplicates *d) {
    struct ms_chosen rows;
    if (!ms_open_catalogue(d->path, &d->catalogue))
        return;
    bool of_files = ms_catalogue_origin(d->catalogue)->embedding_id[0] != '\0';
    if (!open_against(d) || !ms_find_noted_limit(&d->limit, d->path, d->catalogue) ||
        (!d->limit.from && !find_fact_limit(d)) || !read_pairs(d, of_files) ||
        (d->remember && !remember(d)))
        return;
    if (ms_choose_all(d->catalogue, &rows))
        compare(d, &rows);
    else
        ms_out_of_memory();
    free((void *)rows.ids);
}

/* ---- pictures ---- */

/* Brings the catalogue at `path` up to date, and compares what is there now. */
static void compare_updated(struct duplicates *d, const struct ms_engine *engine,
                            const char *path) {
    uint64_t *ids;
    struct ms_chosen rows;
    d->path = path;
    bool good = ms_update_catalogue(path, &d->sources, &d->pictures, engine, &ids, &rows.count);
    if (!good && !d->no_cache && !ms_interrupted())
        ms_complain(path, "this is a cache, which may be deleted; --no-cache does without");
    if (good && rows.count > 0 && ms_open_catalogue(path, &d->catalogue) && open_against(d)) {
        rows.catalogue = d->catalogue;
        rows.ids = ids;
        compare(d, &rows);
    }
    free(ids);
}

static void compare_pictures(struct duplicates *d) {
    struct ms_engine engine;
    struct ms_origin origin;
    if (!ms_open_engine(&d->pictures, ms_count_sources(&d->sources), &engine))
        return;
    if (!ms_refuse_output(&d->sources, engine.weights) &&
        (d->limit.from || ms_find_fact_limit(&d->limit, engine.model)) && read_pairs(d, true)) {
        ms_origin_of(engine.contexts[0], ms_region_of(&d->pictures), &origin);
        char *path = d->no_cache ? ms_temporary_catalogue()
                                 : ms_cached_catalogue(&d->sources, origin.embedding_id);
        if (path)
            compare_updated(d, &engine, path);
        if (path && d->no_cache)
            ms_remove_temporary(path);
        else
            free(path);
    }
    ms_close_engine(&engine);
}

void ms_run_duplicates(const struct ms_verb *verb, int argc, char **argv) {
    struct duplicates d = {.sources = {.names = argv}};
    if (!ms_open_sources(&d.sources, argc))
        return;
    if (ms_parse_options(verb, argc, argv, take_option, &d, &d.sources.count) && check(&d)) {
        if (d.path)
            compare_catalogue(&d);
        else
            compare_pictures(&d);
    }
    ms_distinct_close(&d.distinct);
    ms_catalogue_close(d.catalogue);
    ms_catalogue_close(d.against);
    free(d.prefer);
    ms_close_sources(&d.sources);
}
