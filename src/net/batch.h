/* A batch whose caller embeds each picture itself, and a file that is looked at before it is
 * decoded: for those who know some of the pictures already. */
#ifndef MS_NET_BATCH_H
#define MS_NET_BATCH_H

#include "minisim.h"

#include <stdbool.h>

/* Turns an input into an embedding, on any of the threads; a failure's text is the context's. */
typedef minisim_status ms_embed_fn(void *user, minisim_context *context, const minisim_input *input,
                                   float *embedding);

/* As minisim_embed_batch. */
minisim_status ms_embed_batch(minisim_context *const *contexts, size_t count, minisim_next_fn next,
                              ms_embed_fn *embed, minisim_row_fn row, void *user);

/* Gets a picture's file, and its size in pixels before orientation. true: that was enough. */
typedef bool ms_seen_fn(void *user, const uint8_t *bytes, size_t size, uint32_t width,
                        uint32_t height);

/* As minisim_embed_file, with a look at the file before it is decoded (NULL: none); CANCELLED if
 * that was enough. */
minisim_status ms_embed_seen(minisim_context *context, const char *path,
                             const minisim_region *region, ms_seen_fn *seen, void *user,
                             float *embedding);

/* A failure of a caller who embeds by himself: its text becomes the context's. Gives `status`. */
minisim_status ms_context_fail(minisim_context *context, minisim_status status, const char *text);

#endif
