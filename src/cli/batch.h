/*
 * Pictures as a person names them (paths, folders, standard input, lists of names), embedded in
 * that order on all threads. What fails is said and noted.
 */
#ifndef MS_CLI_BATCH_H
#define MS_CLI_BATCH_H

#include "cli/pictures.h"
#include "cli/progress.h"

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

/* Where there is neither a row nor an error, it says that there were no pictures. */
void ms_embed_sources(const struct ms_sources *sources, const struct ms_picture_settings *settings,
                      const struct ms_engine *engine, ms_take_row take, void *user);

#endif
