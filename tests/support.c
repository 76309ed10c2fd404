#include "support.h"

#include "base/bytes.h"
#include "base/crc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* -1 to 1 */
static double uniform(uint64_t *seed) {
    return (double)next_random(seed) / 1073741824.0 - 1;
}

struct tensor {
    char name[48];
    uint32_t type, stride, rank, shape[4];
    double centre, range; /* values are centre + range * uniform */
};

struct list {
    struct tensor tensors[512];
    size_t count;
};

static void add(struct list *list, const char *layer, const char *part, struct tensor tensor) {
    snprintf(tensor.name, sizeof tensor.name, "%s.%s", layer, part);
    list->tensors[list->count++] = tensor;
}

static void add_layer(struct list *list, const struct recipe *recipe, const char *layer,
                      struct tensor weight) {
    struct tensor vector = {.rank = 1, .shape = {weight.shape[0]}};
    if (recipe->batch_norm) {
        static const char *const parts[4] = {"bn.gamma", "bn.beta", "bn.mean", "bn.var"};
        static const double centre[4] = {1, 0.2, 0, 1}, range[4] = {0.3, 0.3, 0.2, 0.4};
        for (size_t i = 0; i < 4; i++) {
            vector.centre = centre[i];
            vector.range = range[i];
            add(list, layer, parts[i], vector);
        }
    } else {
        vector.range = 0.3;
        add(list, layer, "bias", vector);
    }
    weight.type = recipe->type;
    add(list, layer, "weight", weight);
}

static uint32_t channels_of(double width, uint32_t channels) {
    double scaled = channels * width;
    uint32_t rounded = (uint32_t)(scaled + 4) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return rounded < 0.9 * scaled ? rounded + 8 : rounded;
}

static void add_block(struct list *list, const struct recipe *recipe, size_t index, uint32_t in,
                      uint32_t t, uint32_t out, uint32_t stride) {
    char layer[32];
    uint32_t wide = in * t;
    if (t > 1 || recipe->expand_first) {
        snprintf(layer, sizeof layer, "block.%zu.expand", index);
        add_layer(list, recipe, layer,
                  (struct tensor){.rank = 2, .shape = {wide, in}, .range = sqrt(6.0 / in)});
    }
    snprintf(layer, sizeof layer, "block.%zu.depthwise", index);
    add_layer(list, recipe, layer,
              (struct tensor){
                  .rank = 3, .shape = {wide, 3, 3}, .stride = stride, .range = sqrt(6.0 / 9)});
    snprintf(layer, sizeof layer, "block.%zu.project", index);
    add_layer(list, recipe, layer,
              (struct tensor){.rank = 2, .shape = {out, wide}, .range = sqrt(3.0 / wide)});
}

static void list_layers(struct list *list, const struct recipe *recipe) {
    /* Table 2 of the paper: t, c, n, s. */
    static const uint32_t stages[7][4] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
                                          {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2},
                                          {6, 320, 1, 1}};
    uint32_t in = channels_of(recipe->width, 32);
    size_t index = 0;
    add_layer(list, recipe, "stem",
              (struct tensor){.rank = 4, .shape = {in, 3, 3, 3}, .stride = 2, .range = 0.5});
    for (size_t s = 0; s < 7; s++)
        for (uint32_t n = 0; n < stages[s][2]; n++) {
            uint32_t out = channels_of(recipe->width, stages[s][1]);
            add_block(list, recipe, index++, in, stages[s][0], out, n == 0 ? stages[s][3] : 1);
            in = out;
        }
    uint32_t last = recipe->width > 1 ? channels_of(recipe->width, 1280) : 1280;
    add_layer(list, recipe, "head",
              (struct tensor){.rank = 2, .shape = {last, in}, .range = sqrt(6.0 / in)});
    if (recipe->classes)
        add_layer(list, &(struct recipe){.type = recipe->type}, "classifier",
                  (struct tensor){.rank = 2, .shape = {recipe->classes, last}, .range = 0.1});
}

static size_t elements(const struct tensor *t) {
    size_t n = 1;
    for (size_t i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

static size_t bytes_of(const struct tensor *t) {
    size_t n = elements(t);
    return t->type == 0 ? 4 * n : t->type == 1 ? 2 * n : n + 4 * t->shape[0];
}

static void fill(const struct tensor *t, uint8_t *to, uint64_t *seed) {
    if (t->type == 2)
        for (size_t o = 0; o < t->shape[0]; o++, to += 4)
            ms_store_f32(to, (float)(t->range / 127 * (1 + 0.3 * uniform(seed))));
    for (size_t i = 0; i < elements(t); i++) {
        double x = t->centre + t->range * uniform(seed);
        if (t->type == 0) {
            ms_store_f32(to + 4 * i, (float)x);
        } else if (t->type ==
                   1) { /* a random half of about the right size: exponents 2^-6 to 2^-1 */
            uint32_t half = (next_random(seed) & 0x83ff) | (9 + next_random(seed) % 5) << 10;
            to[2 * i] = (uint8_t)half;
            to[2 * i + 1] = (uint8_t)(half >> 8);
        } else {
            to[i] = (uint8_t)(next_random(seed) % 255 - 127);
        }
    }
}

static size_t align64(size_t n) {
    return (n + 63) / 64 * 64;
}

static void store_u64(uint8_t *to, uint64_t x) {
    ms_store_u32(to, (uint32_t)x);
    ms_store_u32(to + 4, (uint32_t)(x >> 32));
}

static void store_f64(uint8_t *to, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    store_u64(to, bits);
}

static const char facts[] = "source: made by a test\nlicence: MIT\nx-unknown: kept\n";

static void write_header(uint8_t *file, const struct recipe *recipe, size_t size, size_t tensors) {
    static const uint8_t magic[8] = {0x89, 'M', 'S', 'W', 0x0d, 0x0a, 0x1a, 0x0a};
    memcpy(file, magic, sizeof magic);
    ms_store_u32(file + 8, 1);
    store_u64(file + 16, size);
    ms_store_u32(file + 24, sizeof facts - 1);
    ms_store_u32(file + 28, (uint32_t)tensors);
    ms_store_u32(file + 32, recipe->input_size);
    ms_store_u32(file + 36, recipe->padding);
    store_f64(file + 56, 1e-3);
    for (size_t c = 0; c < 3; c++) {
        store_f64(file + 64 + 8 * c, 0.5);
        store_f64(file + 88 + 8 * c, 0.5);
    }
    memcpy(file + 128, facts, sizeof facts - 1);
}

void mend_checksum(uint8_t *file, size_t size) {
    ms_store_u32(file + 12, 0);
    ms_store_u32(file + 12, ms_crc32c(0, file, size));
}

uint8_t *make_weights(const struct recipe *recipe, size_t *size) {
    struct list *list = calloc(1, sizeof *list);
    if (!list)
        abort();
    list_layers(list, recipe);
    size_t table = align64(128 + sizeof facts - 1), end = table + 96 * list->count;
    size_t at = end;
    for (size_t i = 0; i < list->count; i++)
        at = align64(at) + bytes_of(&list->tensors[i]);
    uint8_t *file = calloc(1, at);
    if (!file)
        abort();
    uint64_t seed = 7;
    write_header(file, recipe, at, list->count);
    *size = at;
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor *t = &list->tensors[i];
        uint8_t *entry = file + table + 96 * i;
        end = align64(end);
        memcpy(entry, t->name, strlen(t->name));
        ms_store_u32(entry + 48, t->type);
        ms_store_u32(entry + 52, t->stride);
        ms_store_u32(entry + 56, t->rank);
        for (size_t s = 0; s < 4; s++)
            ms_store_u32(entry + 60 + 4 * s, t->shape[s]);
        store_u64(entry + 80, end);
        store_u64(entry + 88, bytes_of(t));
        fill(t, file + end, &seed);
        end += bytes_of(t);
    }
    free(list);
    mend_checksum(file, *size);
    return file;
}
