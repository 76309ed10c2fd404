/*
 * What verbs that read pictures share: their options, where weights are found, and the model with
 * a context for each thread.
 */
#ifndef MS_CLI_PICTURES_H
#define MS_CLI_PICTURES_H

#include "cli/options.h"
#include "minisim.h"

/* Where the prefix that was built for keeps the weights; the Makefile says. */
#ifndef MINISIM_DATADIR
#define MINISIM_DATADIR "/usr/local/share/minisim"
#endif

struct ms_picture_settings {
    const char *weights; /* NULL: found by itself */
    minisim_model_options model;
    minisim_context_options context;
    minisim_region region;    /* all zero: the whole picture */
    uint64_t threads;         /* 0: one for each CPU */
    const char *decoders[16]; /* EXT=COMMAND, see cli/decoder.h */
    size_t decoder_count;
};

/* Which network runs and how pictures reach it; and how pictures are read. */
extern const struct ms_option ms_network_options[];
extern const struct ms_option ms_picture_options[];

/* The same without --threads, for what runs on one. */
#define ms_one_picture_options (ms_picture_options + 1)

/* Stores an option of either table. */
bool ms_take_picture_option(struct ms_picture_settings *settings, const struct ms_option *option,
                            const char *value);

/* The weights that were linked into the program (embedded.c), or NULL. */
const void *ms_embedded_weights(size_t *size);

/*
 * Opens the weights; *path becomes their name, to be freed, or "built in". false: this was said and
 * noted, and both are NULL.
 */
bool ms_open_model(const struct ms_picture_settings *settings, minisim_model **model, char **path);

/* How many threads the options ask for, or one for each CPU; at most as many as share a picture. */
size_t ms_count_threads(const struct ms_picture_settings *settings);

/* A model, and contexts for at most `most` pictures at a time, a thread each; where there is one
 * picture alone, the threads that were asked for share it. */
struct ms_engine {
    char *weights; /* path */
    minisim_model *model;
    minisim_context **contexts;
    size_t count;
    void *memory; /* of all contexts */
};

/* Bytes that one picture may take: what --max-memory says, or a quarter of the machine's memory, at
 * most 2 GiB. */
uint64_t ms_max_memory(const struct ms_picture_settings *settings);

/* Bytes of a picture that does not come as a file, and the option that says so: the smaller of
 * "max-file-size" and "max-memory". */
uint64_t ms_most_bytes(const struct ms_picture_settings *settings, const char **name);

/* The part of each picture that is used, or NULL: all of it. */
const minisim_region *ms_region_of(const struct ms_picture_settings *settings);

bool ms_open_engine(const struct ms_picture_settings *settings, uint64_t most,
                    struct ms_engine *engine);
void ms_close_engine(struct ms_engine *engine);

/* The status of a library call that refused weights or options. */
int ms_note_refusal(minisim_status status);

#endif
