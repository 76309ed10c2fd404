/*
 * Pictures as a person names them (paths, folders, standard input, lists of names), embedded in
 * that order on all threads. What fails is said and noted.
 */
#ifndef MS_CLI_BATCH_H
#define MS_CLI_BATCH_H

#include "cli/pictures.h"
#include "cli/progress.h"

/*
 * What a verb adds that knows some of the pictures already. Each picture has `detail`, zeroed
 * memory of `detail_size` bytes.
 */
struct ms_known_pictures {
    size_t detail_size;
    /* Before a picture is read, in order. true: there is nothing to do with it. */
    bool (*is_done)(void *user, const char *name, void *detail);
    /* Instead of ms_embed_path, on any thread. CANCELLED: it needs no embedding. */
    minisim_status (*embed)(void *user, minisim_context *context, const minisim_input *input,
                            void *detail, float *embedding);
    /* Instead of ms_take_row; counts the picture in the line of progress when it is finished. */
    bool (*take)(void *user, const char *name, void *detail, const float *embedding);
};

struct ms_sources {
    char **names;
    size_t count;
    const char *files_from; /* a list that follows the names, or NULL */
    bool null_ended;
    bool walk;   /* folders are walked, else refused */
    bool follow; /* links on a walk, too */
    const char **exclude;
    size_t exclude_count;
    bool quiet;             /* no line on what was left out */
    const char *outputs[2]; /* files that the run will replace: never read; NULL: none */
    enum ms_progress_mode progress;
    const struct ms_known_pictures *known; /* NULL: all pictures are embedded */
};

/*
 * Standard input can be read once, and what is read is not overwritten: false where that is broken,
 * which was said and noted. What lists and folders hold shows only when it is met: the run then
 * ends in wrong usage.
 */
bool ms_check_sources(const struct ms_sources *sources);

/* Is it one of the outputs? Then that is refused as wrong usage. */
bool ms_refuse_output(const struct ms_sources *sources, const char *path);

/* Gets the pictures that went well, in order. false: stop. */
typedef bool (*ms_take_row)(void *user, const char *name, const float *embedding);

bool ms_is_folder(const char *name);

/* How many pictures there will be; UINT64_MAX: not known beforehand. */
uint64_t ms_count_sources(const struct ms_sources *sources);

/* Where there is neither a row nor an error, it says that there were no pictures. `take` is NULL
 * where sources->known takes the rows. */
void ms_embed_sources(const struct ms_sources *sources, const struct ms_picture_settings *settings,
                      const struct ms_engine *engine, ms_take_row take, void *user);

#endif
