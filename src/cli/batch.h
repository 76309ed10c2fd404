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
    bool quiet; /* no line on what was left out */
    enum ms_progress_mode progress;
};

/* Standard input can be read once; false: it is named twice, which was said and noted. */
bool ms_check_sources(const struct ms_sources *sources);

/* Gets the pictures that went well, in order. false: stop. */
typedef bool (*ms_take_row)(void *user, const char *name, const float *embedding);

/* How many pictures there will be; UINT64_MAX: not known beforehand. */
uint64_t ms_count_sources(const struct ms_sources *sources);

void ms_embed_sources(const struct ms_sources *sources, const struct ms_picture_settings *settings,
                      const struct ms_engine *engine, ms_take_row take, void *user);

#endif
