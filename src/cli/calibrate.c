/*
 * minisim calibrate: how close copies of a collection's own pictures lie, and how close pictures
 * that are none. In order: a sample of the records; copies made of some, and their distances; the
 * distances of all pairs, without those that a look at the pixels finds to be copies; what follows,
 * printed and noted in the catalogue.
 */
#include "base/error.h"
#include "base/json.h"
#include "base/team.h"
#include "base/text.h"
#include "catalogue/all_pairs.h"
#include "cli/calibrated.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/limit.h"
#include "cli/looks.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/verbs.h"
#include "pairs/calibration.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct ms_option calibrate_options[] = {
    {MS_OPTION_METRIC, "metric", 0, "METRIC", "cosine (usual), euclidean or dot"},
    {MS_OPTION_SAMPLE, "sample", 0, "N",
     "make copies of N pictures (500, at most 1000), and\nmeasure pairs of four times as many"},
    {MS_OPTION_DRY_RUN, "dry-run", 'n', NULL, "do not note the threshold in the catalogue"},
    MS_HTML_OPTION,
    {MS_OPTION_PROGRESS, "progress", 0, "WHEN", "auto, always or never"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_calibrate = {
    "calibrate",
    "CATALOGUE",
    "find the distance up to which pictures are duplicates",
    "Makes copies of a sample of the catalogue's pictures (half size, JPEG, cropped, ...),\n"
    "measures how far they and unrelated pictures are, and shows for some thresholds what\n"
    "share of copies is found and how many false pairs to expect in a collection of this\n"
    "size. The threshold that it recommends is noted in the catalogue, where duplicates and\n"
    "check find it when none is said.\n"
    "\n"
    "  minisim calibrate shop.msc\n"
    "  minisim calibrate --sample 1000 --dry-run --json shop.msc",
    {calibrate_options, ms_network_options, ms_picture_options},
    ms_run_calibrate};

enum { MOST_COPIED = 1000, PAIRED_FOR_EACH = 4 };

struct calibrate {
    struct ms_picture_settings pictures;
    struct ms_limit limit; /* its metric */
    uint64_t sample;
    int json, progress;
    bool dry_run, noted;
    const char *path, *html_path;
    struct ms_sources sources; /* none: only what the run replaces */
    struct ms_report report;
    struct ms_catalogue *catalogue;
    struct ms_engine engine;
    const struct ms_kernels *kernels;
    minisim_context_options limits;
    struct ms_team team;
    uint64_t ids[PAIRED_FOR_EACH * MOST_COPIED]; /* of the sample, ascending */
    char *paths[PAIRED_FOR_EACH * MOST_COPIED];
    bool is_copy[PAIRED_FOR_EACH * MOST_COPIED]; /* of another one in it */
    struct ms_calibration result;
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    static const char *const modes[] = {"auto", "always", "never", NULL};
    struct calibrate *c = settings;
    switch (option->id) {
    case MS_OPTION_METRIC:
        return ms_take_limit_option(&c->limit, option, value);
    case MS_OPTION_SAMPLE:
        return ms_take_count(option, value, 1, MOST_COPIED, &c->sample);
    case MS_OPTION_DRY_RUN:
        return c->dry_run = true;
    case MS_OPTION_HTML:
        c->html_path = value;
        return true;
    case MS_OPTION_PROGRESS:
        return ms_take_choice(option, value, modes, &c->progress);
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &c->json);
    default:
        return ms_take_picture_option(&c->pictures, option, value);
    }
}

static bool check(struct calibrate *c, size_t count, const char *const *names) {
    if (count != 1)
        return ms_refuse_usage("calibrate takes one CATALOGUE");
    if (c->pictures.context.preprocessed || ms_region_of(&c->pictures))
        return ms_refuse_usage("copies are of other sizes: leave out --%s",
                               ms_region_of(&c->pictures) ? "roi" : "preprocessed");
    c->path = names[0];
    return ms_check_report(&c->sources, c->html_path, names, 1);
}

static bool fail(const struct calibrate *c, minisim_status status, const minisim_error *error) {
    return ms_catalogue_failed(c->path, status, error);
}

/* ---- the sample ---- */

/* SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Each of `left` things with the same chance, until `wanted` are chosen (Knuth, "The art of
 * computer programming", volume 2, 3.4.2, algorithm S). */
struct choice {
    uint64_t left, wanted, random;
};

static bool choose(struct choice *choice) {
    bool chosen = next_random(&choice->random) % choice->left-- < choice->wanted;
    choice->wanted -= chosen;
    return chosen;
}

struct drawing {
    struct calibrate *calibrate;
    struct choice choice;
    uint64_t changed; /* files that are not what their vectors were made of */
};

static bool draw(void *user, uint64_t id, const struct ms_record *record, const char *path,
                 const char *label) {
    struct drawing *drawing = user;
    struct calibrate *c = drawing->calibrate;
    size_t at = c->result.sampled;
    (void)label;
    if (!choose(&drawing->choice))
        return !ms_interrupted();
    if (ms_refuse_output(&c->sources, path))
        return false;
    if ((record->flags & MS_RECORD_NO_FILE) || !ms_is_unchanged(path, record)) {
        drawing->changed++;
        return !ms_interrupted();
    }
    c->ids[at] = id;
    c->paths[at] = strdup(path);
    c->result.sampled += c->paths[at] != NULL;
    return (c->paths[at] || ms_out_of_memory()) && !ms_interrupted();
}

static bool draw_all(struct calibrate *c) {
    uint64_t records = c->result.records, most = c->sample * PAIRED_FOR_EACH;
    struct drawing drawing = {c, {records, records < most ? records : most, 1}, 0};
    bool good = ms_each_record(c->path, c->catalogue, draw, &drawing);
    if (good && drawing.changed > 0) {
        ms_complain(c->path,
                    "%llu of the pictures drawn changed or are gone since they were "
                    "indexed; index it again",
                    (unsigned long long)drawing.changed);
        ms_note(MS_EXIT_SOME_FAILED);
    }
    return good;
}

/* ---- copies ---- */

/* Originals that threads take in turn. */
struct copying {
    struct calibrate *calibrate;
    size_t chosen[MOST_COPIED], count, next; /* places in the sample */
    pthread_mutex_t lock;
};

/* What a thread needs for one after another. */
struct bench {
    minisim_context *context;
    float *embedding, *sums;
    struct ms_stored kept, made;
};

static bool open_bench(const struct calibrate *c, size_t member, struct bench *bench) {
    const struct ms_origin *origin = ms_catalogue_origin(c->catalogue);
    size_t n = origin->dimension;
    *bench = (struct bench){c->engine.contexts[member], malloc(n * sizeof(float)), NULL, {0}, {0}};
    if (!ms_stored_open(&bench->kept, origin->type, n, 1) ||
        !ms_stored_open(&bench->made, origin->type, n, 1))
        return false;
    bench->sums = malloc((ms_distance_room(&bench->made, &bench->kept) + 1) * sizeof(float));
    return bench->embedding && bench->sums;
}

static void close_bench(struct bench *bench) {
    ms_stored_close(&bench->kept);
    ms_stored_close(&bench->made);
    free(bench->embedding);
    free(bench->sums);
}

/* How far its copy, which was embedded, is from an original: smaller is closer, as everywhere here.
 */
static minisim_status measure(const struct calibrate *c, struct bench *bench, double *distance,
                              minisim_error *error) {
    minisim_metric metric = ms_limit_metric(&c->limit);
    double value = INFINITY;
    if (ms_stored_put(c->kernels, &bench->made, 0, bench->embedding))
        ms_stored_distances(c->kernels, metric, &bench->made, &bench->kept, NULL, bench->sums,
                            &value, NULL);
    *distance = metric == MINISIM_DOT ? -value : value;
    return isfinite(value) ? MINISIM_OK
                           : ms_fail(error, MINISIM_NO_DISTANCE, "it has no %s distance to a copy",
                                     ms_limit_metrics[c->limit.metric]);
}

/* The distances of one original's copies. */
static minisim_status measure_copies(const struct calibrate *c, size_t at, struct bench *bench,
                                     double distances[MS_COPIES], minisim_error *error) {
    struct ms_arena arena;
    minisim_pixels original;
    uint64_t most = c->limits.max_memory;
    ms_arena_open(&arena, most < SIZE_MAX ? (size_t)most : SIZE_MAX);
    minisim_status status = ms_copy_read(c->paths[at], &c->limits, &arena, &original, error);
    if (!status)
        status = ms_catalogue_vectors(c->catalogue, c->ids[at], 1, &bench->kept, error);
    for (size_t kind = 0; kind < MS_COPIES && !status; kind++) {
        status = ms_copy_embed((enum ms_copy)kind, &original, &arena, bench->context,
                               bench->embedding, error);
        if (!status)
            status = measure(c, bench, &distances[kind], error);
    }
    ms_arena_close(&arena);
    return status;
}

static void keep_copies(struct copying *copying, size_t at, minisim_status status,
                        const double distances[MS_COPIES], const minisim_error *error) {
    struct calibrate *c = copying->calibrate;
    pthread_mutex_lock(&copying->lock);
    if (status) {
        ms_complain(c->paths[at], "%s; no copies were made of it", error->text);
        ms_note(status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM : MS_EXIT_SOME_FAILED);
    } else {
        for (size_t kind = 0; kind < MS_COPIES; kind++)
            c->result.copies[kind][c->result.copied] = distances[kind];
        c->result.copied++;
    }
    ms_progress_step(status != MINISIM_OK);
    pthread_mutex_unlock(&copying->lock);
}

static size_t take_next(struct copying *copying) {
    pthread_mutex_lock(&copying->lock);
    size_t taken = copying->next++;
    pthread_mutex_unlock(&copying->lock);
    return taken;
}

static void copy_some(void *argument, size_t member) {
    struct copying *copying = argument;
    struct bench bench;
    bool room = open_bench(copying->calibrate, member, &bench);
    if (!room)
        ms_out_of_memory();
    for (size_t i; room && !ms_interrupted() && (i = take_next(copying)) < copying->count;) {
        double distances[MS_COPIES];
        minisim_error error;
        minisim_status status =
            measure_copies(copying->calibrate, copying->chosen[i], &bench, distances, &error);
        keep_copies(copying, copying->chosen[i], status, distances, &error);
    }
    close_bench(&bench);
}

static int by_distance(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool measure_all_copies(struct calibrate *c) {
    struct copying copying = {.calibrate = c, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct choice choice = {c->result.sampled, c->sample, 2};
    for (size_t i = 0; i < c->result.sampled; i++)
        if (choose(&choice))
            copying.chosen[copying.count++] = i;
    for (size_t kind = 0; kind < MS_COPIES; kind++)
        if (!(c->result.copies[kind] = calloc(copying.count + 1, sizeof(double))))
            return ms_out_of_memory();
    ms_progress_start((enum ms_progress_mode)c->progress, copying.count);
    ms_team_run(&c->team, copy_some, &copying);
    ms_progress_end();
    for (size_t kind = 0; kind < MS_COPIES; kind++)
        qsort(c->result.copies[kind], c->result.copied, sizeof(double), by_distance);
    return !ms_interrupted();
}

/* ---- pairs ---- */

static size_t place_of(const struct calibrate *c, uint64_t id) {
    size_t low = 0, high = c->result.sampled;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (c->ids[middle] <= id)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool holds_copy(const struct calibrate *c, const struct ms_close_pair *pair) {
    return c->is_copy[place_of(c, pair->a)] || c->is_copy[place_of(c, pair->b)];
}

/* Marks the later picture of a pair that are copies. Gives how many pairs on end were none. */
static size_t mark_copies(struct calibrate *c, const struct ms_close_pair *pairs, size_t count,
                          const enum ms_look *looks, size_t others) {
    for (size_t i = 0; i < count; i++) {
        bool is_same = looks[i] < MS_SIMILAR;
        if (holds_copy(c, &pairs[i]))
            continue;
        c->is_copy[place_of(c, pairs[i].b)] = is_same;
        c->result.left_out += is_same;
        others = is_same ? 0 : others + 1;
    }
    c->result.looked_at += count;
    return others;
}

/* Looks at the closest pairs, until so many on end are no copies. */
static bool find_copies(struct calibrate *c, const struct ms_close_pair *pairs, size_t count) {
    enum { ENOUGH = 200, AT_ONCE = 64 };
    ms_progress_start_pairs((enum ms_progress_mode)c->progress, 0);
    for (size_t at = 0, others = 0; at < count && others < ENOUGH && !ms_interrupted();) {
        struct ms_close_pair some[AT_ONCE];
        enum ms_look looks[AT_ONCE];
        size_t taken = 0;
        for (; at < count && taken < AT_ONCE; at++)
            if (!holds_copy(c, &pairs[at]))
                some[taken++] = pairs[at];
        ms_look_at_pairs(c->catalogue, &c->limits, &c->team, some, taken, looks);
        if (!ms_interrupted())
            others = mark_copies(c, some, taken, looks, others);
    }
    ms_progress_end();
    return !ms_interrupted();
}

static bool stop(void *user, uint64_t compared) {
    (void)user;
    (void)compared;
    return ms_interrupted();
}

static bool measure_pairs(struct calibrate *c) {
    struct ms_pass pass = {.kernels = c->kernels,
                           .metric = ms_limit_metric(&c->limit),
                           .threads = c->team.size,
                           .rows = {c->catalogue, c->ids, c->result.sampled},
                           .progress = stop};
    struct ms_close_pair *pairs;
    size_t count;
    minisim_error error;
    minisim_status status = ms_find_close_pairs(&pass, DBL_MAX, &pairs, &count, &error);
    if (status)
        return status != MINISIM_CANCELLED && fail(c, status, &error);
    bool good = find_copies(c, pairs, count);
    c->result.unrelated = malloc((count + 1) * sizeof(double));
    for (size_t i = 0; c->result.unrelated && i < count; i++)
        if (!holds_copy(c, &pairs[i]))
            c->result.unrelated[c->result.pairs++] = pairs[i].distance;
    free(pairs);
    return good && (c->result.unrelated || ms_out_of_memory());
}

/* ---- what follows ---- */

/* As people know it: of dot products larger is closer. */
static double value_of(const struct calibrate *c, double threshold) {
    return (ms_limit_metric(&c->limit) == MINISIM_DOT ? -threshold : threshold) + 0.0;
}

static void print_line(const char *name, const double values[MS_SHOWN], const char *format) {
    printf("%-21s", name);
    for (size_t i = 0; i < MS_SHOWN; i++)
        printf(format, values[i]);
    putchar('\n');
}

static void print_pairs(const char *name, const double pairs[MS_SHOWN]) {
    char text[MS_NUMBER_SIZE];
    printf("%-21s", name);
    for (size_t i = 0; i < MS_SHOWN; i++)
        printf(" %8s", ms_rough_text(pairs[i], text));
    putchar('\n');
}

static void print_text(const struct calibrate *c, const double thresholds[MS_SHOWN]) {
    const struct ms_calibration *r = &c->result;
    struct ms_outlook at[MS_SHOWN];
    double values[4][MS_SHOWN];
    char number[4][MS_NUMBER_SIZE];
    printf("# %s of %s records: copies of %zu, %s pairs of %s that are no copies of each other\n",
           ms_count_text(r->sampled, number[0]), ms_count_text(r->records, number[1]), r->copied,
           ms_count_text(r->pairs, number[2]), ms_count_text(r->sampled - r->left_out, number[3]));
    for (size_t i = 0; i < MS_SHOWN; i++) {
        ms_calibration_at(r, thresholds[i], &at[i]);
        values[0][i] = value_of(c, thresholds[i]);
        values[1][i] = at[i].low;
        values[2][i] = at[i].expected;
        values[3][i] = at[i].high;
    }
    print_line(ms_limit_metrics[c->limit.metric], values[0], " %8.4g");
    printf("copies found, %%\n");
    for (size_t kind = 0; kind < MS_COPIES; kind++) {
        double found[MS_SHOWN];
        char name[32];
        for (size_t i = 0; i < MS_SHOWN; i++)
            found[i] = 100.0 * (double)at[i].copies[kind].found / (double)at[i].copies[kind].of;
        snprintf(name, sizeof name, "  %s", ms_copy_names[kind]);
        print_line(name, found, " %8.1f");
    }
    printf("false pairs in such a collection\n");
    print_pairs("  expected", values[2]);
    print_pairs("  at least (95 %)", values[1]);
    print_pairs("  at most (95 %)", values[3]);
}

static void print_advice(const struct calibrate *c) {
    const struct ms_calibration *r = &c->result;
    double all = (double)r->records * ((double)r->records - 1) / 2;
    char number[3][MS_NUMBER_SIZE];
    struct ms_outlook at;
    ms_calibration_at(r, r->threshold, &at);
    printf("# recommended%s: %s finds %.1f %% (%.1f to %.1f) of the copies at half size or JPEG "
           "quality\n"
           "# 30, with %s false pairs (at most %s), which --only same leaves out\n",
           c->noted ? " and noted" : "", ms_double_text(value_of(c, r->threshold), number[0]),
           100.0 * (double)at.plain.found / (double)at.plain.of, 100 * at.plain.low,
           100 * at.plain.high, ms_rough_text(at.expected, number[1]),
           ms_rough_text(at.high, number[2]));
    if (all > (double)r->pairs)
        printf(
            "# %s of %s pairs were measured: what happens to fewer than one in %s may not show\n",
            ms_rough_text((double)r->pairs, number[0]), ms_rough_text(all, number[1]),
            ms_rough_text((double)r->pairs / 3, number[2]));
    printf("# pairs share pictures: the truth may be a little beyond these ends\n");
}

static void json_share(struct ms_json *json, const char *key, const struct ms_share *share) {
    ms_json_open(json, key, '{');
    ms_json_count(json, "found", share->found);
    ms_json_count(json, "of", share->of);
    ms_json_double(json, "low", share->low);
    ms_json_double(json, "high", share->high);
    ms_json_close(json, '}');
}

static void json_threshold(const struct calibrate *c, struct ms_json *json, const char *key,
                           double threshold) {
    struct ms_outlook at;
    ms_calibration_at(&c->result, threshold, &at);
    ms_json_open(json, key, '{');
    ms_json_double(json, ms_limit_metrics[c->limit.metric], value_of(c, threshold));
    ms_json_open(json, "copies", '{');
    for (size_t kind = 0; kind < MS_COPIES; kind++)
        json_share(json, ms_copy_keys[kind], &at.copies[kind]);
    ms_json_close(json, '}');
    json_share(json, "half_or_jpeg", &at.plain);
    json_share(json, "unrelated_pairs", &at.pairs);
    ms_json_open(json, "false_pairs", '{');
    ms_json_double(json, "expected", at.expected);
    ms_json_double(json, "low", at.low);
    ms_json_double(json, "high", at.high);
    ms_json_close(json, '}');
    ms_json_close(json, '}');
}

static void print_json(const struct calibrate *c, const double thresholds[MS_SHOWN]) {
    const struct ms_calibration *r = &c->result;
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_name(&json, "catalogue", c->path);
    ms_json_text(&json, "metric", ms_limit_metrics[c->limit.metric]);
    ms_json_count(&json, "records", r->records);
    ms_json_count(&json, "sampled", r->sampled);
    ms_json_count(&json, "left_out", r->left_out);
    ms_json_count(&json, "looked_at", r->looked_at);
    ms_json_count(&json, "pairs", r->pairs);
    ms_json_count(&json, "copied", r->copied);
    ms_json_bool(&json, "noted", c->noted);
    json_threshold(c, &json, "recommended", r->threshold);
    ms_json_open(&json, "thresholds", '[');
    for (size_t i = 0; i < MS_SHOWN; i++)
        json_threshold(c, &json, NULL, thresholds[i]);
    ms_json_close(&json, ']');
    ms_json_close(&json, '}');
    putchar('\n');
}

static bool note(const struct calibrate *c) {
    struct ms_catalogue *writer;
    char key[32], text[MS_NUMBER_SIZE];
    minisim_error error;
    snprintf(key, sizeof key, "threshold-%s", ms_limit_metrics[c->limit.metric]);
    ms_double_text(value_of(c, c->result.threshold), text);
    minisim_status status = ms_catalogue_open_writer(c->path, NULL, &writer, &error);
    if (status)
        return fail(c, status, &error);
    status = ms_catalogue_set_note(writer, key, text, strlen(text), &error);
    if (!status)
        status = ms_catalogue_commit(writer, &error);
    ms_catalogue_close(writer);
    return status == MINISIM_OK || fail(c, status, &error);
}

/* Before what is printed, which may be read in part. */
static void show(struct calibrate *c, const double thresholds[MS_SHOWN]) {
    struct ms_calibrated calibrated = {&c->result, c->path, ms_limit_metrics[c->limit.metric],
                                       ms_limit_metric(&c->limit) == MINISIM_DOT, thresholds};
    if (ms_report_page(&c->report))
        ms_show_calibration(&calibrated, &c->report.page);
    ms_close_report(&c->report);
}

static bool conclude(struct calibrate *c) {
    double thresholds[MS_SHOWN];
    if (c->result.copied == 0 || c->result.pairs == 0) {
        ms_complain(c->path, "it has too few different pictures that can be read");
        ms_note(MS_EXIT_SOME_FAILED);
        return false;
    }
    if (!ms_calibration_recommend(&c->result) || !ms_calibration_list(&c->result, thresholds))
        return ms_out_of_memory();
    c->noted = !c->dry_run && note(c);
    show(c, thresholds);
    if (c->json) {
        print_json(c, thresholds);
    } else {
        print_text(c, thresholds);
        print_advice(c);
    }
    return ms_flush_output();
}

/* ---- the whole ---- */

static void calibrate(struct calibrate *c) {
    c->kernels = ms_kernels_choose(c->pictures.model.cpu);
    c->limits = ms_look_limits(&c->pictures);
    c->result.records = ms_catalogue_count(c->catalogue);
    if (!ms_open_engine(&c->pictures, c->sample, &c->engine))
        return;
    if (!ms_refuse_output(&c->sources, c->engine.weights) &&
        ms_fits_catalogue(c->path, c->catalogue, &c->pictures, &c->engine) &&
        ms_open_report(&c->report, c->html_path, &c->pictures) && draw_all(c)) {
        if (ms_team_open(&c->team, c->engine.count)) {
            if (measure_all_copies(c) && measure_pairs(c))
                conclude(c);
            ms_team_close(&c->team);
        } else {
            ms_out_of_memory();
        }
    }
    ms_close_report(&c->report);
    ms_close_engine(&c->engine);
    for (size_t i = 0; i < c->result.sampled; i++)
        free(c->paths[i]);
    for (size_t kind = 0; kind < MS_COPIES; kind++)
        free(c->result.copies[kind]);
    free(c->result.unrelated);
}

void ms_run_calibrate(const struct ms_verb *verb, int argc, char **argv) {
    struct calibrate *c = calloc(1, sizeof *c);
    size_t count;
    if (!c) {
        ms_out_of_memory();
        return;
    }
    c->sample = 500;
    if (ms_parse_options(verb, argc, argv, take_option, c, &count) &&
        check(c, count, (const char *const *)argv) && ms_open_catalogue(c->path, &c->catalogue)) {
        calibrate(c);
        ms_catalogue_close(c->catalogue);
    }
    free(c);
}
