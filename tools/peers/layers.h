/*
 * What the C and C++ harnesses of tools/bench-peers share: reading NETWORK.layers, the timing, the
 * line that bench.py reads.
 *
 * NETWORK.layers, little-endian: i32 layers, i32 side of the input; then each layer: the nine i32
 * of struct layer, its weights as f32 (stem [outputs][3][3][3], channels last; depthwise
 * [3][3][outputs]; pointwise [outputs][inputs]), its bias [outputs].
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEM, DEPTHWISE, POINTWISE, layers_max = 400, warm_up = 20 };

struct layer {
    int32_t kind, inputs, outputs, stride, side, before, after, relu6, residual;
    float *weights, *bias;
};

struct network {
    int32_t count, side;
    struct layer layers[layers_max];
};

/* PATH with SUFFIX appended, whole; more room behind it than any engine reads ahead. */
static void *read_file(const char *path, const char *suffix) {
    char name[4096];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END)) {
        fprintf(stderr, "%s: cannot be read\n", name);
        exit(4);
    }
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *bytes = (char *)calloc(1, size + 1024);
    if (!bytes || fread(bytes, 1, size, file) != size)
        exit(4);
    fclose(file);
    return bytes;
}

static inline size_t weights_of(const struct layer *layer) {
    size_t outputs = (size_t)layer->outputs;
    return layer->kind == STEM ? 27 * outputs
                               : outputs * (layer->kind == DEPTHWISE ? 9 : (size_t)layer->inputs);
}

static inline struct network *read_network(const char *path) {
    struct network *network = (struct network *)calloc(1, sizeof *network);
    char *at = (char *)read_file(path, ".layers");
    memcpy(network, at, 8);
    at += 8;
    for (int i = 0; i < network->count; i++) {
        struct layer *layer = &network->layers[i];
        memcpy(layer, at, 36);
        layer->weights = (float *)(void *)(at + 36);
        layer->bias = layer->weights + weights_of(layer);
        at = (char *)(layer->bias + layer->outputs);
    }
    return network;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs the network warm_up and then `runs` times; prints what bench.py reads. */
static void measure(void (*run)(void *), void *user, int runs, const char *version,
                    const float *embedding, size_t size) {
    double *times = (double *)calloc((size_t)runs, sizeof *times);
    for (int i = -warm_up; i < runs; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        run(user);
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (i >= 0)
            times[i] = 1e3 * (double)(b.tv_sec - a.tv_sec) + 1e-6 * (double)(b.tv_nsec - a.tv_nsec);
    }
    qsort(times, (size_t)runs, sizeof *times, by_value);
    printf("%s %.4f %.4f", version, times[runs / 2], times[0]);
    for (size_t i = 0; i < size; i++)
        printf(" %.9g", (double)embedding[i]);
    printf("\n");
    free(times);
}
