/*
 * Watching a picture on its way from file to embedding, for auditors and tests. A context that is
 * watched runs the network a layer at a time with whole tensors (run.h) instead of streaming it:
 * its embeddings are the same, bit for bit.
 */
#ifndef MS_NET_WATCH_H
#define MS_NET_WATCH_H

#include "minisim.h"

#include <stdbool.h>

/*
 * What passes, in this order: "file" [bytes]; "decoded" [height][width][samples], before
 * orientation and alpha; "resized" [size][size][3], what the network takes; "input", the same as
 * floats; then the layers of ms_run_layers. Of pixels that the caller owns there are no first two.
 */
struct ms_watched {
    const char *name;
    bool is_float; /* else bytes */
    size_t rank;
    uint64_t shape[3];
    const void *values; /* float or uint8_t, without gaps; they last until the watcher returns */
};

size_t ms_watched_count(const struct ms_watched *value);

/* SHA-256 over its little-endian bytes: 64 hexadecimal digits and a zero. */
void ms_watched_hash(const struct ms_watched *value, char hex[65]);

struct ms_watcher {
    void (*see)(void *user, const struct ms_watched *value);
    void *user;
};

/* From now on the context is watched; by nobody where `see` is NULL. Its embedding functions then
 * allocate what whole tensors take, beside the picture's memory. */
void ms_context_watch(minisim_context *context, struct ms_watcher watcher);

/* ---- the way itself, used by the context; both do nothing where nobody watches ---- */

void ms_watch_file(const struct ms_watcher *watcher, const uint8_t *bytes, size_t size);
void ms_watch_decoded(const struct ms_watcher *watcher, const minisim_pixels *pixels);

/* The network on a square of pixels, to the embedding. OUT_OF_MEMORY. */
minisim_status ms_watch_network(const struct ms_watcher *watcher, const minisim_model *model,
                                const uint8_t *square, float *embedding, minisim_error *error);

#endif
