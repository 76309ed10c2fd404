/*
 * network_digest [CPU]: what networks of random weights give for a random picture, on the named
 * table or the fastest: a line each of embedding id and SHA-256 of the embedding (little-endian
 * f32). The same lines on every machine (tools/check_targets).
 */
#include "base/sha256.h"
#include "minisim.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

/* A random picture's embedding, and its id. */
static minisim_status embed(const minisim_model *model, float *embedding, char id[65]) {
    enum { width = 300, height = 200 };
    static uint8_t bytes[height * width * 3];
    const minisim_pixels pixels = {
        .pixels = bytes, .width = width, .height = height, .format = MINISIM_RGB};
    uint64_t seed = 1;
    minisim_context *context;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)next_random(&seed);
    minisim_status status = minisim_context_open(model, NULL, &context, NULL);
    if (status)
        return status;
    status = minisim_embed_pixels(context, &pixels, embedding);
    if (!status)
        status = minisim_context_embedding_id(context, id);
    minisim_context_close(context);
    return status;
}

static void hash_floats(const float *values, size_t count, char hex[65]) {
    struct ms_sha256 hash;
    ms_sha256_start(&hash);
    ms_sha256_add_floats(&hash, values, count);
    ms_sha256_finish(&hash, hex);
}

static minisim_status print_digest(const struct recipe *recipe, const char *cpu) {
    enum { dimension = 1280 }; /* at widths up to 1 */
    const minisim_model_options options = {.size = sizeof options, .cpu = cpu};
    float embedding[dimension];
    char id[65], digest[65];
    size_t size;
    uint8_t *weights = make_weights(recipe, &size);
    minisim_model *model;
    minisim_status status = minisim_model_open_memory(weights, size, &options, &model, NULL);
    if (!status)
        status = embed(model, embedding, id);
    if (!status) {
        hash_floats(embedding, dimension, digest);
        printf("%.2f %u %u %s %s\n", recipe->width, (unsigned)recipe->input_size,
               (unsigned)recipe->type, id, digest);
    }
    minisim_model_close(model);
    free(weights);
    return status;
}

int main(int argc, char **argv) {
    static const struct recipe recipes[] = {
        {.width = 0.35, .input_size = 96, .batch_norm = true, .expand_first = true},
        {.width = 0.5, .input_size = 64, .padding = 1, .type = 1},
        {.width = 0.35, .input_size = 96, .type = 2, .batch_norm = true},
        {.width = 1.0, .input_size = 224, .batch_norm = true},
    };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        minisim_status status = print_digest(&recipes[i], argc > 1 ? argv[1] : NULL);
        if (status) {
            fprintf(stderr, "network_digest: status %d\n", (int)status);
            return 1;
        }
    }
    return 0;
}
