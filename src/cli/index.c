/*
 * minisim index: a catalogue made or brought up to date. For each picture, in order: is it known
 * and unchanged, or a hard link of one that is known? Else its file is read, by any thread; a
 * content that is known has its vector already, another is embedded; and in order again it becomes
 * a record. At the end comes what was not met.
 */
#include "cli/index.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "catalogue/known.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/decoder.h"
#include "cli/labels.h"
#include "cli/sources.h"
#include "cli/verbs.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const struct ms_option index_options[] = {
    {MS_OPTION_TYPE, "type", 0, "TYPE",
     "of a new catalogue's vectors: f32, f16 (usual)\nor i8, of half the size each"},
    {MS_OPTION_PRUNE, "prune", 0, NULL,
     "remove pictures that are gone; those of a folder\nor drive that is not there stay"},
    {MS_OPTION_LABELS, "labels", 0, "FILE",
     "give pictures the labels of a list: a label, a\ntab and a PATH a line; - is standard input"},
    {MS_OPTION_LABEL_BY, "label-by", 0, "WHAT", "folder: label pictures by the folder they lie in"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_index = {
    "index",
    "CATALOGUE PATH...",
    "make a catalogue of pictures, or bring it up to date",
    "Makes a catalogue (.msc) of pictures, or brings it up to date: new ones are embedded,\n"
    "changed ones again, copies of known ones are not read twice, hard links are one\n"
    "picture. A PATH is a picture or a folder. Stopped and started again, it goes on where\n"
    "it was; while it runs, others may search. A picture keeps its label until it is given\n"
    "another.\n"
    "\n"
    "  minisim index shop.msc Pictures/\n"
    "  find /data -name '*.jpg' -print0 | minisim index shop.msc -0 --files-from -",
    {index_options, ms_source_options, ms_network_options, ms_picture_options},
    ms_run_index};

/* What became of the pictures. */
enum outcome {
    NEW,
    CHANGED,
    COPIED,
    MOVED,
    RELABELLED,
    UNCHANGED,
    HARD_LINK,
    MISSING,
    REMOVED,
    OUTCOMES
};

static const char *const outcome_names[OUTCOMES] = {"new",        "changed",    "copied",
                                                    "moved",      "relabelled", "unchanged",
                                                    "hard links", "missing",    "removed"};

/* A file system below a root on which known pictures were met. */
struct place {
    size_t root;
    uint64_t device;
};

struct index {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    int type, json; /* type: -1 not said */
    bool prune;
    const char *path, *labels_path;
    struct ms_labels labels;
    struct ms_catalogue *catalogue;
    pthread_mutex_t lock; /* of the catalogue and what is known of it */
    struct ms_known known;
    uint64_t old_ids; /* below this were there before */
    uint8_t *met;     /* a bit for each of them */
    char **roots;     /* [sources.count]: folders' real paths, or NULL */
    struct place *places;
    size_t place_count, place_capacity;
    struct ms_stored row;
    double committed_at;
    size_t pending; /* pictures that progress will count at the next commit */
    uint64_t counts[OUTCOMES];
    bool failed;
};

/* A picture on its way. */
struct detail {
    struct index *index;
    struct ms_record record;
    char path[MS_PATH_MOST + 1];
    bool relabels; /* nothing but that: it is as it was */
    bool has_copy; /* `copy` is of the same content */
    uint64_t copy;
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL}, *const sources[] = {"folder",
                                                                                     NULL};
    struct index *x = settings;
    int choice;
    switch (option->id) {
    case MS_OPTION_TYPE:
        return ms_take_choice(option, value, ms_vector_type_names, &x->type);
    case MS_OPTION_PRUNE:
        return x->prune = true;
    case MS_OPTION_LABELS:
        x->labels_path = value;
        return true;
    case MS_OPTION_LABEL_BY:
        return x->labels.by_folder = ms_take_choice(option, value, sources, &choice);
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &x->json);
    default:
        return ms_take_input_option(&x->sources, &x->pictures, option, value);
    }
}

static bool check(struct index *x) {
    struct ms_sources *sources = &x->sources;
    if (sources->count == 0)
        return ms_refuse_usage("index needs a CATALOGUE; see minisim index --help");
    x->path = sources->names[0];
    sources->names++;
    sources->count--;
    if (!ms_check_source_options(sources, "labels", x->labels_path))
        return false;
    if (x->labels_path && sources->files_from && strcmp(x->labels_path, "-") == 0 &&
        strcmp(sources->files_from, "-") == 0)
        return ms_refuse_usage("standard input (-) can be read only once");
    if (x->labels_path && x->labels.by_folder)
        return ms_refuse_usage("--labels and --label-by contradict each other");
    if (sources->count == 0 && !sources->files_from)
        return ms_refuse_usage("index needs at least one PATH; see minisim index --help");
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->names[i], "-") == 0)
            return ms_refuse_usage("a picture on standard input has no name to be found by");
    sources->outputs[0] = x->path;
    return ms_check_sources(sources);
}

/* ---- the catalogue ---- */

static bool fail(struct index *x, minisim_status status, const minisim_error *error) {
    if (!x->failed)
        ms_catalogue_failed(x->path, status, error);
    x->failed = true;
    return false;
}

static bool out_of_memory(struct index *x) {
    return fail(x, MINISIM_OUT_OF_MEMORY, &(minisim_error){"out of memory"});
}

/* What progress counts is committed. */
static void count_committed(struct index *x) {
    for (; x->pending > 0; x->pending--)
        ms_progress_step(false);
    x->committed_at = ms_now();
}

static bool commit(struct index *x) {
    minisim_error error;
    minisim_status status = ms_catalogue_commit(x->catalogue, &error);
    if (status)
        return fail(x, status, &error);
    count_committed(x);
    return true;
}

static bool open_catalogue(struct index *x, const struct ms_engine *engine) {
    struct ms_origin origin;
    struct stat about;
    minisim_error error;
    ms_origin_of(engine->contexts[0], ms_region_of(&x->pictures), &origin);
    if (x->type >= 0) {
        origin.type = (enum ms_vector_type)x->type;
        origin.any_type = false;
    }
    minisim_status status = ms_catalogue_open_writer(x->path, &origin, &x->catalogue, &error);
    if (status && stat(x->path, &about) == 0 && S_ISDIR(about.st_mode)) {
        ms_complain(x->path, "it is a folder: the CATALOGUE comes first, then what to index");
        ms_note(MS_EXIT_USAGE);
        return false;
    }
    if (status)
        return fail(x, status, &error);
    x->old_ids = ms_catalogue_ids(x->catalogue);
    x->committed_at = ms_now();
    const struct ms_origin *ours = ms_catalogue_origin(x->catalogue);
    if (!ms_stored_open(&x->row, ours->type, ours->dimension, 1))
        return out_of_memory(x);
    status = ms_known_open(&x->known, x->catalogue, &error);
    return status ? fail(x, status, &error) : true;
}

static void close_catalogue(struct index *x) {
    ms_known_close(&x->known);
    ms_stored_close(&x->row);
    ms_catalogue_close(x->catalogue);
}

/* ---- what is known of a picture ---- */

static bool is_met(const struct index *x, uint64_t id) {
    return x->met[id / 8] >> id % 8 & 1;
}

/* Known pictures on that device are there. */
static bool has_place(const struct index *x, size_t root, uint64_t device) {
    for (size_t i = 0; i < x->place_count; i++)
        if (x->places[i].root == root && x->places[i].device == device)
            return true;
    return false;
}

static bool note_place(struct index *x, size_t root, uint64_t device) {
    if (has_place(x, root, device))
        return true;
    if (x->place_count == x->place_capacity) {
        size_t capacity = x->place_capacity ? 2 * x->place_capacity : 8;
        struct place *grown = realloc(x->places, capacity * sizeof *grown);
        if (!grown)
            return out_of_memory(x);
        x->places = grown;
        x->place_capacity = capacity;
    }
    x->places[x->place_count++] = (struct place){root, device};
    return true;
}

/* A record of before is still there. */
static bool meet(struct index *x, uint64_t id, const struct ms_record *record, const char *path) {
    if (id >= x->old_ids || is_met(x, id))
        return true;
    x->met[id / 8] |= (uint8_t)(1 << id % 8);
    for (size_t i = 0; i < x->sources.count; i++)
        if (x->roots[i] && ms_is_below(x->roots[i], path) && !note_place(x, i, record->device))
            return false;
    return true;
}

static bool is_same_file(const struct ms_record *a, const struct ms_record *b) {
    return a->device == b->device && a->inode == b->inode;
}

/* Devices may be numbered anew when they are mounted again: they say nothing of a change. */
static bool looks_unchanged(const struct ms_record *old, const struct ms_record *new) {
    return old->size == new->size && old->seconds == new->seconds &&
           old->nanoseconds == new->nanoseconds && old->inode == new->inode;
}

/* `label` may be NULL. */
static bool find_text(struct index *x, uint64_t id, const struct ms_record *record,
                      char path[MS_PATH_MOST + 1], char *label) {
    minisim_error error;
    minisim_status status = ms_catalogue_text(x->catalogue, id, record, path, label, &error);
    return status ? fail(x, status, &error) : true;
}

/* Whether the path of a record still leads to that file. */
static bool is_still_there(struct index *x, uint64_t id, const struct ms_record *record,
                           bool *there) {
    char path[MS_PATH_MOST + 1];
    struct stat about;
    if (!find_text(x, id, record, path, NULL))
        return false;
    *there =
        stat(path, &about) == 0 && about.st_dev == record->device && about.st_ino == record->inode;
    return true;
}

/* What is to be done with a picture. */
struct finding {
    bool done;       /* nothing: */
    enum outcome as; /* it counts as this */
    bool replaces;   /* `old` is what was at this path */
    uint64_t old;
    struct ms_record record; /* its */
};

/* One that is as it was may have another label now. */
static bool compare_label(struct index *x, const char *path, struct finding *found) {
    char same[MS_PATH_MOST + 1], old[MS_PATH_MOST + 1], room[MS_PATH_MOST + 1];
    const char *label = ms_label_of(&x->labels, path, room);
    if (!label)
        return true;
    if (!find_text(x, found->old, &found->record, same, old))
        return false;
    if (strcmp(label, old) != 0)
        *found = (struct finding){
            .as = RELABELLED, .replaces = true, .old = found->old, .record = found->record};
    return true;
}

static bool look_up(struct index *x, const struct detail *d, struct finding *found) {
    struct ms_record record;
    minisim_error error;
    bool there;
    uint64_t id;
    *found = (struct finding){.as = NEW};
    minisim_status status =
        ms_known_path(&x->known, d->path, &found->replaces, &found->old, &found->record, &error);
    if (status)
        return fail(x, status, &error);
    if (found->replaces) {
        /* What this run has added may be named twice. */
        found->done = found->old >= x->old_ids || (looks_unchanged(&found->record, &d->record) &&
                                                   !(found->record.flags & MS_RECORD_DOUBTFUL));
        found->as = found->done ? UNCHANGED : CHANGED;
        return meet(x, found->old, &found->record, d->path) &&
               (!found->done || compare_label(x, d->path, found));
    }
    status =
        ms_known_file(&x->known, d->record.device, d->record.inode, &there, &id, &record, &error);
    if (status)
        return fail(x, status, &error);
    if (there && !is_still_there(x, id, &record, &there))
        return false;
    if (there)
        *found = (struct finding){.done = true, .as = HARD_LINK};
    return true;
}

/* ---- the way of a picture ---- */

/* A file of the second in which it is read may change again without a trace. */
static void describe(const struct stat *about, struct ms_record *record) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    *record = (struct ms_record){.size = (uint64_t)about->st_size,
                                 .seconds = about->st_mtim.tv_sec,
                                 .nanoseconds = (uint32_t)about->st_mtim.tv_nsec,
                                 .device = about->st_dev,
                                 .inode = about->st_ino};
    if (about->st_mtim.tv_sec >= time.tv_sec - 1)
        record->flags = MS_RECORD_DOUBTFUL;
}

static bool is_done(void *user, const char *name, void *detail) {
    struct index *x = user;
    struct detail *d = detail;
    struct finding found;
    struct stat about;
    d->index = x;
    if (x->failed)
        return true;
    if (stat(name, &about) != 0 || !ms_real_path(name, d->path)) {
        d->path[0] = '\0'; /* reading it will say why */
        return false;
    }
    describe(&about, &d->record);
    pthread_mutex_lock(&x->lock);
    bool good = look_up(x, d, &found);
    pthread_mutex_unlock(&x->lock);
    if (good && found.as == RELABELLED) {
        d->record = found.record;
        d->copy = found.old;
        d->relabels = d->has_copy = true;
    }
    if (!good || !found.done)
        return !good;
    x->counts[found.as]++;
    ms_progress_step(false);
    return true;
}

/* true: a picture of the same content has its vector. */
static bool see(void *user, const uint8_t content[32], uint32_t width, uint32_t height) {
    struct detail *d = user;
    struct index *x = d->index;
    struct ms_record record;
    minisim_error error;
    memcpy(d->record.content, content, sizeof d->record.content);
    pthread_mutex_lock(&x->lock);
    minisim_status status =
        ms_known_content(&x->known, content, &d->has_copy, &d->copy, &record, &error);
    if (status)
        fail(x, status, &error);
    pthread_mutex_unlock(&x->lock);
    d->record.width = d->has_copy ? record.width : width;
    d->record.height = d->has_copy ? record.height : height;
    return d->has_copy;
}

static minisim_status embed(void *user, minisim_context *context, const minisim_input *input,
                            void *detail, float *embedding) {
    struct index *x = user;
    if (((struct detail *)detail)->relabels)
        return MINISIM_CANCELLED;
    return ms_embed_path(&x->pictures, context, input->path, see, detail, embedding);
}

/* What a picture is to the one of the same content: when that is gone, it was moved. */
static bool compare_copy(struct index *x, const struct detail *d, struct finding *found) {
    struct ms_record record;
    minisim_error error;
    size_t count;
    bool there = true;
    found->as = COPIED;
    minisim_status status = ms_catalogue_records(x->catalogue, d->copy, 1, &record, &count, &error);
    if (status)
        return fail(x, status, &error);
    if (ms_catalogue_is_removed(x->catalogue, d->copy) || !is_same_file(&record, &d->record))
        return true;
    if (!is_still_there(x, d->copy, &record, &there))
        return false;
    if (!there)
        *found = (struct finding){.as = MOVED, .replaces = true, .old = d->copy, .record = record};
    return true;
}

/* A file that was hashed again for nothing is as it was. Its record stays, and with it its id,
 * though it will be hashed again next time, too: those are few, as many as were read in a second.
 */
static bool compare_old(struct index *x, const struct detail *d, struct finding *found) {
    if (memcmp(found->record.content, d->record.content, sizeof d->record.content) != 0)
        return true;
    found->as = UNCHANGED;
    found->done = looks_unchanged(&found->record, &d->record);
    return compare_label(x, d->path, found);
}

/* Removing comes first: both are then in one commit. A label stays until there is another. */
static bool replace(struct index *x, const struct detail *d, const struct finding *found,
                    const float *embedding) {
    char path[MS_PATH_MOST + 1], room[MS_PATH_MOST + 1] = "";
    uint64_t id = ms_catalogue_ids(x->catalogue);
    minisim_status status = MINISIM_OK;
    minisim_error error;
    const char *label = ms_label_of(&x->labels, d->path, room);
    if (!label && found->replaces && !find_text(x, found->old, &found->record, path, room))
        return false;
    label = label ? label : room;
    if (d->has_copy)
        status = ms_catalogue_vectors(x->catalogue, d->copy, 1, &x->row, &error);
    if (!status && found->replaces)
        status = ms_catalogue_remove(x->catalogue, found->old, &error);
    if (!status && d->has_copy)
        status = ms_catalogue_add_stored(x->catalogue, &d->record, d->path, label, &x->row, &error);
    else if (!status)
        status = ms_catalogue_add(x->catalogue, &d->record, d->path, label, embedding, &error);
    if (!status)
        status = ms_known_add(&x->known, id, &error);
    return status ? fail(x, status, &error) : true;
}

static bool add(struct index *x, const struct detail *d, const float *embedding) {
    struct finding found;
    if (!look_up(x, d, &found))
        return false;
    if (found.as == CHANGED && !compare_old(x, d, &found))
        return false;
    if (found.as == NEW && d->has_copy && !compare_copy(x, d, &found))
        return false;
    if (!found.done && !replace(x, d, &found, embedding))
        return false;
    x->counts[found.as]++;
    x->pending++;
    return true;
}

static bool take(void *user, const char *name, void *detail, const float *embedding) {
    struct index *x = user;
    const struct detail *d = detail;
    if (!d->path[0]) {
        ms_complain(name, "its folder cannot be found, or its path is too long");
        ms_note(MS_EXIT_SOME_FAILED);
        return true;
    }
    pthread_mutex_lock(&x->lock);
    bool good = !x->failed && add(x, d, embedding);
    if (good && ms_catalogue_waiting(x->catalogue) == 0)
        count_committed(x);
    else if (good && ms_now() - x->committed_at > 5)
        good = commit(x);
    pthread_mutex_unlock(&x->lock);
    return good && !x->failed;
}

/* ---- what was not met ---- */

static bool is_gone(int error) {
    return error == ENOENT || error == ENOTDIR;
}

/* What cannot be looked at is not taken for gone. */
static void stays(const char *name, int error) {
    ms_complain(name, "%s: its records stay as they are", strerror(error));
    ms_note(MS_EXIT_SOME_FAILED);
}

static bool find_roots(struct index *x) {
    x->met = calloc(1, (size_t)(x->old_ids / 8 + 1));
    x->roots = calloc(x->sources.count + 1, sizeof *x->roots);
    if (!x->met || !x->roots)
        return out_of_memory(x);
    for (size_t i = 0; i < x->sources.count; i++) {
        const char *name = x->sources.names[i];
        struct stat about;
        bool there = stat(name, &about) == 0;
        if (there && !S_ISDIR(about.st_mode))
            continue;
        x->roots[i] = there ? realpath(name, NULL) : NULL;
        if (!x->roots[i] && !is_gone(errno))
            stays(name, errno);
    }
    return true;
}

/* A record that was not met: is it gone from a folder that was walked? */
static bool judge(struct index *x, uint64_t id, const struct ms_record *record) {
    char path[MS_PATH_MOST + 1];
    struct stat about;
    minisim_error error;
    if (!find_text(x, id, record, path, NULL))
        return false;
    bool below = false, walked = false;
    for (size_t i = 0; i < x->sources.count; i++)
        if (x->roots[i] && ms_is_below(x->roots[i], path)) {
            below = true;
            walked = walked || has_place(x, i, record->device);
        }
    if (!below || stat(path, &about) == 0)
        return true;
    if (!is_gone(errno)) {
        stays(path, errno);
        return true;
    }
    bool removes = x->prune && walked;
    if (!x->sources.quiet && !removes && x->counts[MISSING] < 10)
        ms_complain(path, "missing%s",
                    x->prune ? "; it stays: nothing of its file system is there"
                             : "; --prune removes it from the catalogue");
    x->counts[removes ? REMOVED : MISSING]++;
    minisim_status status = removes ? ms_catalogue_remove(x->catalogue, id, &error) : MINISIM_OK;
    return status ? fail(x, status, &error) : true;
}

static void find_missing(struct index *x) {
    enum { AT_ONCE = 64 };
    struct ms_record records[AT_ONCE];
    minisim_error error;
    for (uint64_t id = 0; id < x->old_ids && !ms_interrupted() && !x->failed;) {
        size_t count;
        minisim_status status =
            ms_catalogue_records(x->catalogue, id, AT_ONCE, records, &count, &error);
        if (status)
            fail(x, status, &error);
        for (size_t i = 0; !status && i < count && id < x->old_ids; i++, id++)
            if (!is_met(x, id) && !ms_catalogue_is_removed(x->catalogue, id) &&
                !(records[i].flags & MS_RECORD_NO_FILE) && !judge(x, id, &records[i]))
                return;
    }
}

/* ---- the whole ---- */

static void report(const struct index *x) {
    uint64_t records = ms_catalogue_count(x->catalogue);
    struct ms_json json = {.file = stdout};
    char number[MS_NUMBER_SIZE];
    if (x->json) {
        ms_json_open(&json, NULL, '{');
        ms_json_count(&json, "schema", 1);
        ms_json_name(&json, "catalogue", x->path);
        ms_json_count(&json, "records", records);
        for (size_t i = 0; i < OUTCOMES; i++)
            ms_json_count(&json, i == HARD_LINK ? "hard_links" : outcome_names[i], x->counts[i]);
        ms_json_close(&json, '}');
        putchar('\n');
        return;
    }
    ms_write_name(stdout, x->path);
    printf(": %s record%s", ms_count_text(records, number), records == 1 ? "" : "s");
    for (size_t i = 0; i < OUTCOMES; i++)
        if (x->counts[i] > 0)
            printf(", %s %s", ms_count_text(x->counts[i], number), outcome_names[i]);
    putchar('\n');
}

/* All of it, to the last commit. */
static bool update(struct index *x, const struct ms_engine *engine) {
    static const struct ms_known_pictures known = {sizeof(struct detail), is_done, embed, take};
    x->sources.known = &known;
    if (!open_catalogue(x, engine) || !find_roots(x))
        return false;
    ms_embed_sources(&x->sources, &x->pictures, engine, NULL, x);
    if (!ms_interrupted() && !x->failed)
        find_missing(x);
    /* What is done is kept, whatever ended it. */
    return !x->failed && commit(x);
}

static void forget_met(struct index *x) {
    for (size_t i = 0; x->roots && i < x->sources.count; i++)
        free(x->roots[i]);
    free(x->roots);
    free(x->met);
    free(x->places);
}

static void index_pictures(struct index *x, const struct ms_engine *engine) {
    if (update(x, engine)) {
        report(x);
        if (!x->sources.quiet && !ms_interrupted())
            ms_labels_report(&x->labels);
    }
    forget_met(x);
}

/* The records that were met or added. */
static bool list_met(struct index *x, uint64_t **ids, size_t *count) {
    uint64_t all = ms_catalogue_ids(x->catalogue);
    *ids = malloc(((size_t)ms_catalogue_count(x->catalogue) + 1) * sizeof **ids);
    if (!*ids)
        return out_of_memory(x);
    for (uint64_t id = 0; id < all; id++)
        if (!ms_catalogue_is_removed(x->catalogue, id) && (id >= x->old_ids || is_met(x, id)))
            (*ids)[(*count)++] = id;
    return true;
}

bool ms_update_catalogue(const char *path, const struct ms_sources *sources,
                         const struct ms_picture_settings *pictures, const struct ms_engine *engine,
                         uint64_t **ids, size_t *count) {
    struct index x = {
        .pictures = *pictures, .sources = *sources, .type = -1, .prune = true, .path = path};
    *ids = NULL;
    *count = 0;
    pthread_mutex_init(&x.lock, NULL);
    bool good = update(&x, engine) && !ms_interrupted() && list_met(&x, ids, count);
    forget_met(&x);
    close_catalogue(&x);
    pthread_mutex_destroy(&x.lock);
    return good;
}

void ms_run_index(const struct ms_verb *verb, int argc, char **argv) {
    struct index x = {.sources = {.names = argv}, .type = -1};
    struct ms_engine engine;
    if (!ms_open_sources(&x.sources, argc))
        return;
    pthread_mutex_init(&x.lock, NULL);
    if (ms_parse_options(verb, argc, argv, take_option, &x, &x.sources.count) && check(&x) &&
        (!x.labels_path || ms_labels_read(&x.labels, x.labels_path, x.sources.null_ended, true))) {
        if (ms_open_engine(&x.pictures, ms_count_sources(&x.sources), &engine)) {
            index_pictures(&x, &engine);
            ms_close_engine(&engine);
        }
        close_catalogue(&x);
    }
    ms_labels_free(&x.labels);
    pthread_mutex_destroy(&x.lock);
    ms_close_sources(&x.sources);
}
