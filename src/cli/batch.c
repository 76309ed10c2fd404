/*
 * From names to rows: see batch.h. next_input turns names into inputs, walking where there are
 * folders; take_row gets them back in the same order and frees them.
 */
#include "cli/batch.h"

#include "cli/console.h"
#include "cli/decoder.h"
#include "cli/names.h"
#include "cli/walk.h"
#include "net/batch.h"
#include "picture/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who named a picture. */
enum origin { NAMED, LISTED, WALKED };

/* A picture on its way. */
struct item {
    struct item *next;
    char *name;
    void *bytes; /* of standard input, else NULL */
    enum origin origin;
    max_align_t detail[]; /* of who knows pictures already */
};

struct run {
    const struct ms_sources *sources;
    const struct ms_picture_settings *settings;
    ms_take_row take;
    void *user;
    uint64_t rows;
    size_t next_name;
    struct ms_names list;
    bool list_open;
    bool input_used; /* standard input was read */
    struct ms_walk_options walk_options;
    struct ms_left_out left_out;
    struct ms_walk *walk;       /* NULL: no folder is being walked */
    struct item *first, **last; /* handed out and not back yet */
};

static bool is_input(const char *name) {
    return strcmp(name, "-") == 0;
}

bool ms_is_folder(const char *name) {
    struct stat about;
    return !is_input(name) && stat(name, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool is_output(const struct ms_sources *sources, const char *path) {
    struct stat read, written;
    for (size_t i = 0; i < 2; i++)
        if (sources->outputs[i] && stat(sources->outputs[i], &written) == 0 &&
            S_ISREG(written.st_mode) && stat(path, &read) == 0 && read.st_dev == written.st_dev &&
            read.st_ino == written.st_ino)
            return true;
    return false;
}

bool ms_refuse_output(const struct ms_sources *sources, const char *path) {
    return is_output(sources, path) &&
           !ms_refuse_usage("%s is read: it cannot be the output as well", path);
}

bool ms_check_sources(const struct ms_sources *sources) {
    const char *list = sources->files_from;
    int count = list && is_input(list);
    for (size_t i = 0; i < sources->count; i++) {
        count += is_input(sources->names[i]);
        if (ms_refuse_output(sources, sources->names[i]))
            return false;
    }
    if (count > 1)
        return ms_refuse_usage("standard input (-) can be read only once");
    return !list || !ms_refuse_output(sources, list);
}

/* What is there and cannot be examined may be a folder. */
static bool is_one_file(const char *name) {
    struct stat about;
    if (is_input(name))
        return true;
    return stat(name, &about) == 0 ? !S_ISDIR(about.st_mode) : errno == ENOENT;
}

static bool are_all_files(const struct ms_sources *sources) {
    bool are_files = true;
    for (size_t i = 0; are_files && i < sources->count; i++)
        are_files = is_one_file(sources->names[i]);
    return are_files;
}

uint64_t ms_count_sources(const struct ms_sources *sources) {
    return !sources->files_from && are_all_files(sources) ? sources->count : UINT64_MAX;
}

static const char *shown_name(const char *name) {
    return is_input(name) ? "standard input" : name;
}

static bool fail(const char *name, const char *why) {
    ms_complain(shown_name(name), "%s", why);
    ms_note(MS_EXIT_SOME_FAILED);
    ms_progress_step(true);
    return false;
}

static bool is_no_picture(const void *bytes, size_t size) {
    struct ms_scan scan;
    return ms_scan_picture(bytes, size, UINT64_MAX, &scan, NULL) == MINISIM_NO_PICTURE;
}

/* All of standard input; of what is no picture, its beginning, which may have no end. false: it
 * could not be had, or is beyond a limit, which was said. */
static bool read_input(const struct run *run, void **bytes, size_t *size) {
    enum { BEGINNING = 4096 };
    const char *limit;
    uint64_t most = ms_most_bytes(run->settings, &limit);
    size_t capacity = 0;
    bool looked = false;
    long count = 1;
    *bytes = NULL;
    *size = 0;
    while (count > 0 && *size <= most) {
        if (*size == capacity) {
            capacity = capacity ? 2 * capacity : 65536;
            if (capacity > most)
                capacity = (size_t)most + 1; /* the byte that is too many */
            void *grown = capacity <= SIZE_MAX / 2 ? realloc(*bytes, capacity) : NULL;
            if (!grown) {
                free(*bytes);
                return ms_out_of_memory();
            }
            *bytes = grown;
        }
        count = ms_read_patiently(STDIN_FILENO, (char *)*bytes + *size, capacity - *size);
        if (count > 0)
            *size += (size_t)count;
        if (*size >= BEGINNING && !looked) {
            looked = true;
            if (is_no_picture(*bytes, *size))
                return true;
        }
    }
    if (count == 0 && *size <= most)
        return true;
    char why[96];
    snprintf(why, sizeof why, "more than the limit of %" PRIu64 " bytes (%s)", most, limit);
    if (!ms_interrupted())
        fail("-", count < 0 ? strerror(errno) : why);
    free(*bytes);
    return false;
}

static void free_item(struct item *item) {
    free(item->name);
    free(item->bytes);
    free(item);
}

/* Hands out a picture; `name` becomes the run's. false: there is nothing to do with it. */
static bool hand_out(struct run *run, minisim_input *input, char *name, enum origin origin,
                     void *bytes, size_t size) {
    const struct ms_known_pictures *known = run->sources->known;
    struct item *item = calloc(1, sizeof *item + (known ? known->detail_size : 0));
    if (!item) {
        free(name);
        free(bytes);
        return ms_out_of_memory();
    }
    item->name = name;
    item->bytes = bytes;
    item->origin = origin;
    if (known && known->is_done(run->user, name, item->detail)) {
        run->rows++;
        free_item(item);
        return false;
    }
    *run->last = item;
    run->last = &item->next;
    *input = (minisim_input){.path = bytes ? NULL : name,
                             .bytes = bytes,
                             .bytes_size = size,
                             .region = ms_region_of(run->settings),
                             .tag = item};
    return true;
}

/* The next name that was given, to be freed; NULL: there are no more, or no memory. */
static char *next_name(struct run *run, enum origin *origin) {
    const struct ms_sources *sources = run->sources;
    *origin = run->next_name < sources->count ? NAMED : LISTED;
    if (*origin == NAMED) {
        char *name = strdup(sources->names[run->next_name++]);
        if (!name)
            ms_out_of_memory();
        return name;
    }
    return run->list_open ? ms_names_next(&run->list) : NULL;
}

/* Begins what a name stands for: a walk, or a picture in *input. false: no picture yet. */
static bool begin(struct run *run, minisim_input *input, char *name, enum origin origin) {
    if (is_input(name)) {
        void *bytes;
        size_t size;
        bool used = run->input_used;
        run->input_used = true;
        if (run->list_open && is_input(run->sources->files_from))
            fail(name, "it is the list, and no picture in it");
        else if (used)
            fail(name, "it was read already");
        else if (read_input(run, &bytes, &size))
            return hand_out(run, input, name, origin, bytes, size);
    } else if (!ms_is_folder(name)) {
        return hand_out(run, input, name, origin, NULL, 0);
    } else if (run->sources->walk) {
        ms_progress_forget_total();
        run->walk = ms_walk_open(name, &run->walk_options);
    } else {
        fail(name, "this is a folder, a picture is needed");
    }
    free(name);
    return false;
}

static int next_input(void *user, minisim_input *input) {
    struct run *run = user;
    while (!ms_interrupted()) {
        enum origin origin = WALKED;
        char *name = run->walk ? ms_walk_next(run->walk) : next_name(run, &origin);
        if (name && run->walk ? hand_out(run, input, name, WALKED, NULL, 0)
                              : name && begin(run, input, name, origin))
            return 1;
        if (!name && !run->walk)
            return 0;
        if (!name) {
            ms_walk_close(run->walk);
            run->walk = NULL;
        }
    }
    return 0;
}

static void drop_first(struct run *run) {
    struct item *item = run->first;
    run->first = item->next;
    if (!run->first)
        run->last = &run->first;
    free_item(item);
}

/* Says what went wrong with a picture. */
static void report_failure(const struct run *run, const struct item *item, const minisim_row *row) {
    size_t length = strlen(item->name);
    bool windows = item->origin == LISTED && !run->sources->null_ended && length > 0 &&
                   item->name[length - 1] == '\r';
    ms_complain(shown_name(item->name), "%s%s", row->error,
                windows ? "; the list has Windows line ends (CRLF)" : "");
    ms_note(row->status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM : MS_EXIT_SOME_FAILED);
}

/* Known pictures are counted by whom they are known to, when they are finished. */
static bool take_picture(struct run *run, struct item *item, const float *embedding) {
    const struct ms_known_pictures *known = run->sources->known;
    run->rows++;
    if (known)
        return known->take(run->user, item->name, item->detail, embedding);
    ms_progress_step(false);
    return run->take(run->user, item->name, embedding);
}

static minisim_status embed(void *user, minisim_context *context, const minisim_input *input,
                            float *embedding) {
    struct run *run = user;
    struct item *item = input->tag;
    const struct ms_known_pictures *known = run->sources->known;
    if (known)
        return known->embed(run->user, context, input, item->detail, embedding);
    if (input->path)
        return ms_embed_path(run->settings, context, input->path, NULL, NULL, embedding);
    return minisim_embed_memory(context, input->bytes, input->bytes_size, input->region, embedding);
}

static int take_row(void *user, const minisim_row *row) {
    struct run *run = user;
    struct item *item = row->input->tag;
    bool going = !ms_interrupted();
    bool failed = row->status != MINISIM_OK && row->status != MINISIM_CANCELLED;
    if (item->origin == WALKED && row->status == MINISIM_NO_PICTURE) {
        /* An earlier output may well lie in the folder. */
        if (!is_output(run->sources, item->name))
            ms_left_out_file(&run->left_out, item->name);
        ms_progress_step(false);
    } else if (!item->bytes && ms_refuse_output(run->sources, item->name)) {
        going = false;
    } else if (failed) {
        report_failure(run, item, row);
        ms_progress_step(true);
    } else {
        going = going && take_picture(run, item, row->embedding);
    }
    drop_first(run); /* rows come back in order */
    return going ? 0 : 1;
}

/* Folders and lists without a single picture are an error, as a name without one is. */
static void report_nothing(const struct ms_sources *sources) {
    for (size_t i = 0; i < sources->count; i++)
        ms_complain(sources->names[i], "no pictures found");
    if (sources->files_from)
        ms_complain(shown_name(sources->files_from), "no pictures found");
    ms_note(MS_EXIT_SOME_FAILED);
}

/* For the line of progress; 0: not known. */
static uint64_t count_pictures(const struct run *run) {
    uint64_t listed = run->list_open ? run->list.total : 0;
    return listed < UINT64_MAX && are_all_files(run->sources) ? run->sources->count + listed : 0;
}

static void end_run(struct run *run) {
    while (run->first)
        drop_first(run);
    if (run->walk)
        ms_walk_close(run->walk);
    if (run->list_open)
        ms_names_close(&run->list);
    ms_left_out_free(&run->left_out);
    free(run);
}

void ms_embed_sources(const struct ms_sources *sources, const struct ms_picture_settings *settings,
                      const struct ms_engine *engine, ms_take_row take, void *user) {
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        ms_out_of_memory();
        return;
    }
    *run = (struct run){.sources = sources,
                        .settings = settings,
                        .take = take,
                        .user = user,
                        .last = &run->first,
                        .walk_options = {sources->follow, sources->exclude, sources->exclude_count,
                                         &run->left_out}};
    if (sources->files_from)
        run->list_open = ms_names_open(&run->list, sources->files_from, sources->null_ended);
    ms_progress_start(sources->progress, count_pictures(run));
    minisim_status status =
        ms_embed_batch(engine->contexts, engine->count, next_input, embed, take_row, run);
    ms_progress_end();
    if (status == MINISIM_OUT_OF_MEMORY)
        ms_out_of_memory();
    if (!sources->quiet)
        ms_left_out_report(&run->left_out);
    if (run->rows == 0 && ms_noted_status() == MS_EXIT_OK && !ms_interrupted())
        report_nothing(sources);
    end_run(run);
}
