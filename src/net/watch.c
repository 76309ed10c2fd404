/* A picture's way as a watcher sees it: see watch.h. In the order of the way. */
#include "net/watch.h"

#include "base/error.h"
#include "base/sha256.h"
#include "net/run.h"

#include <stdlib.h>
#include <string.h>

size_t ms_watched_count(const struct ms_watched *value) {
    uint64_t count = 1;
    for (size_t i = 0; i < value->rank; i++)
        count *= value->shape[i];
    return (size_t)count;
}

void ms_watched_hash(const struct ms_watched *value, char hex[65]) {
    struct ms_sha256 hash;
    ms_sha256_start(&hash);
    if (value->is_float)
        ms_sha256_add_floats(&hash, value->values, ms_watched_count(value));
    else
        ms_sha256_add(&hash, value->values, ms_watched_count(value));
    ms_sha256_finish(&hash, hex);
}

void ms_watch_file(const struct ms_watcher *watcher, const uint8_t *bytes, size_t size) {
    if (watcher->see)
        watcher->see(watcher->user, &(struct ms_watched){"file", false, 1, {size}, bytes});
}

void ms_watch_decoded(const struct ms_watcher *watcher, const minisim_pixels *pixels) {
    /* Decoders leave no gaps, and give these four. */
    uint64_t samples = pixels->format == MINISIM_GREY         ? 1
                       : pixels->format == MINISIM_GREY_ALPHA ? 2
                       : pixels->format == MINISIM_RGB        ? 3
                                                              : 4;
    if (watcher->see)
        watcher->see(
            watcher->user,
            &(struct ms_watched){
                "decoded", false, 3, {pixels->height, pixels->width, samples}, pixels->pixels});
}

struct network {
    const struct ms_watcher *watcher;
    float *embedding;
};

static void see_layer(void *user, const char *name, const float *values, size_t side,
                      size_t channels) {
    const struct network *n = user;
    n->watcher->see(n->watcher->user,
                    &(struct ms_watched){name, true, 3, {side, side, channels}, values});
    if (strcmp(name, "embedding") == 0)
        memcpy(n->embedding, values, channels * sizeof *values);
}

minisim_status ms_watch_network(const struct ms_watcher *watcher, const minisim_model *model,
                                const uint8_t *square, float *embedding, minisim_error *error) {
    uint64_t side = model->info.input_size;
    size_t count = (size_t)(side * side * 3);
    struct ms_watched resized = {"resized", false, 3, {side, side, 3}, square};
    float *input = malloc(count * sizeof *input);
    if (!input)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory for the network's input");
    watcher->see(watcher->user, &resized);
    for (size_t i = 0; i < count; i++)
        input[i] = model->table[square[i]][i % 3];
    watcher->see(watcher->user, &(struct ms_watched){"input", true, 3, {side, side, 3}, input});
    free(input);
    struct network network = {watcher, embedding};
    return ms_run_layers(model, square, see_layer, &network, error);
}
