/*
 * Files to embeddings: by the library, or, where a file's name ends in an extension that --decoder
 * EXT='COMMAND {}' names, by another program that gives it as PNM or PNG. That one runs without a
 * shell, with nothing on its standard input, in a process group of its own, which is killed when it
 * takes too long, gives too much, or an interrupt comes.
 */
#ifndef MS_CLI_DECODER_H
#define MS_CLI_DECODER_H

#include "cli/pictures.h"

enum { MS_DECODER_SECONDS = 60 };

/* Stores an EXT=COMMAND. false: it is none, which was said. */
bool ms_take_decoder(struct ms_picture_settings *settings, const struct ms_option *option,
                     const char *value);

/* The COMMAND for a file of that name, or NULL. */
const char *ms_find_decoder(const struct ms_picture_settings *settings, const char *path);

struct ms_decoder_limits {
    uint64_t bytes;   /* of its output */
    const char *name; /* of the option that says so */
    double seconds;
};

/*
 * Runs it on a file; *bytes is what it wrote, to be freed. BAD_PICTURE says why there is nothing;
 * CANCELLED: an interrupt came. On any thread.
 */
minisim_status ms_run_decoder(const char *command, const char *path,
                              const struct ms_decoder_limits *limits, uint8_t **bytes, size_t *size,
                              minisim_error *error);

/* Gets the SHA-256 of a file and the picture's size, before orientation. true: that was enough. */
typedef bool ms_see_content(void *user, const uint8_t content[32], uint32_t width, uint32_t height);

/*
 * As minisim_embed_file; what went wrong is the context's error. `see` (NULL: nobody) looks first,
 * where there is a decoder twice: before it runs, when width and height are 0, and after. CANCELLED
 * if that was enough. On any thread.
 */
minisim_status ms_embed_path(const struct ms_picture_settings *settings, minisim_context *context,
                             const char *path, ms_see_content *see, void *user, float *embedding);

#endif
