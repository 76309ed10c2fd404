/*
 * Made weights: see made_weights.h. The network is gone through twice: first to count tensors and
 * bytes, then to write them. Values are integers times powers of two, about as large as trained
 * ones, so that neither zeros nor sixes fill the activations.
 */
#include "cli/made_weights.h"

#include "base/bytes.h"
#include "base/crc.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADER = 128, ENTRY = 96 };
enum type { F32, F16, I8 };

struct tensor {
    enum type type;
    uint32_t stride, rank, shape[4];
    float centre, range; /* of f32: a power of two */
    uint32_t shift;      /* of f16 and i8: magnitudes are about 2^-shift */
};

struct maker {
    uint8_t *file; /* NULL: counting */
    size_t tensors, end;
    uint64_t seed;
};

uint32_t ms_next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return (uint32_t)(*seed >> 33);
}

static size_t align64(size_t n) {
    return (n + 63) / 64 * 64;
}

static size_t elements(const struct tensor *t) {
    size_t count = 1;
    for (size_t i = 0; i < t->rank; i++)
        count *= t->shape[i];
    return count;
}

static void fill(struct maker *m, const struct tensor *t, uint8_t *to) {
    for (size_t o = 0; t->type == I8 && o < t->shape[0]; o++, to += 4)
        ms_store_f32(to, (float)(64 + ms_next_random(&m->seed) % 64) /
                             (float)(UINT32_C(16384) << t->shift));
    for (size_t i = 0; i < elements(t); i++) {
        uint32_t r = ms_next_random(&m->seed);
        if (t->type == I8) {
            to[i] = (uint8_t)(r % 255 - 127);
        } else if (t->type == F32) {
            float fraction = (float)((int)(r & 0xffff) - 0x8000) / 0x8000;
            ms_store_f32(to + 4 * i, t->centre + t->range * fraction);
        } else { /* sign, exponent, mantissa */
            uint32_t half = (r & 0x83ff) | (14 - t->shift - (r >> 10 & 3)) << 10;
            to[2 * i] = (uint8_t)half;
            to[2 * i + 1] = (uint8_t)(half >> 8);
        }
    }
}

static void add_tensor(struct maker *m, const char *layer, const char *part,
                       const struct tensor *t) {
    size_t count = elements(t), at = align64(m->end);
    size_t size = t->type == F32 ? 4 * count : t->type == F16 ? 2 * count : 4 * t->shape[0] + count;
    if (m->file) {
        uint8_t *entry = m->file + HEADER + ENTRY * m->tensors;
        snprintf((char *)entry, 48, "%s.%s", layer, part);
        ms_store_u32(entry + 48, t->type);
        ms_store_u32(entry + 52, t->stride);
        ms_store_u32(entry + 56, t->rank);
        for (size_t i = 0; i < t->rank; i++)
            ms_store_u32(entry + 60 + 4 * i, t->shape[i]);
        ms_store_u32(entry + 80, (uint32_t)at);
        ms_store_u32(entry + 88, (uint32_t)size);
        fill(m, t, m->file + at);
    }
    m->tensors++;
    m->end = at + size;
}

/* A layer's tensors; each output has `inputs` inputs. */
static void add_layer(struct maker *m, const char *layer, struct tensor weight, uint32_t inputs) {
    static const char *const bn[] = {"bn.gamma", "bn.beta", "bn.mean", "bn.var"};
    static const float centre[] = {1, 0.25f, 0, 1}, range[] = {0.25f, 0.25f, 0.25f, 0.5f};
    struct tensor vector = {.rank = 1, .shape = {weight.shape[0]}};
    for (size_t i = 0; i < 4 && weight.type != F16; i++) {
        vector.centre = centre[i];
        vector.range = range[i];
        add_tensor(m, layer, bn[i], &vector);
    }
    vector.centre = 0;
    if (weight.type == F16)
        add_tensor(m, layer, "bias", &vector);
    /* About sqrt(6 / inputs), which keeps a layer's outputs as large as its inputs. */
    while (UINT32_C(12) << 2 * weight.shift < inputs)
        weight.shift++;
    weight.range = 1.0f / (float)(1 << weight.shift);
    add_tensor(m, layer, "weight", &weight);
}

static void add_network(struct maker *m) {
    /* Table 2 of the paper at width 0.35: t, c, n, s. */
    static const uint8_t stages[][4] = {{1, 8, 1, 1},  {6, 8, 2, 2},  {6, 16, 3, 2}, {6, 24, 4, 2},
                                        {6, 32, 3, 1}, {6, 56, 3, 2}, {6, 112, 1, 1}};
    uint32_t in = 16, block = 0;
    char name[32];
    add_layer(m, "stem", (struct tensor){F32, 2, 4, {in, 3, 3, 3}, 0, 0, 0}, 27);
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
        for (uint32_t n = 0; n < stages[s][2]; n++, block++) {
            uint32_t wide = in * stages[s][0], out = stages[s][1], stride = n ? 1 : stages[s][3];
            snprintf(name, sizeof name, "block.%u.expand", (unsigned)block);
            if (wide > in)
                add_layer(m, name, (struct tensor){I8, 0, 2, {wide, in}, 0, 0, 0}, in);
            snprintf(name, sizeof name, "block.%u.depthwise", (unsigned)block);
            add_layer(m, name, (struct tensor){F32, stride, 3, {wide, 3, 3}, 0, 0, 0}, 9);
            snprintf(name, sizeof name, "block.%u.project", (unsigned)block);
            add_layer(m, name, (struct tensor){F16, 0, 2, {out, wide}, 0, 0, 0}, wide);
            in = out;
        }
    add_layer(m, "head", (struct tensor){I8, 0, 2, {1280, in}, 0, 0, 0}, in);
}

/* The upper half of a double that has no lower one. */
static void store_double(uint8_t *to, uint32_t upper) {
    ms_store_u32(to + 4, upper);
}

uint8_t *ms_make_weights(size_t *size) {
    static const uint8_t magic[8] = {0x89, 'M', 'S', 'W', 0x0d, 0x0a, 0x1a, 0x0a};
    struct maker count = {0}, m = {.seed = 12};
    add_network(&count);
    m.end = align64(HEADER + ENTRY * count.tensors);
    *size = m.end + count.end;
    m.file = calloc(1, *size);
    if (!m.file)
        return NULL;
    memcpy(m.file, magic, sizeof magic);
    ms_store_u32(m.file + 8, 1);
    ms_store_u32(m.file + 16, (uint32_t)*size);
    ms_store_u32(m.file + 28, (uint32_t)count.tensors);
    ms_store_u32(m.file + 32, 96);
    store_double(m.file + 56, 0x3f500000); /* epsilon: 2^-10 */
    for (size_t c = 0; c < 3; c++) {
        store_double(m.file + 64 + 8 * c, 0x3fe00000); /* mean: 0.5 */
        store_double(m.file + 88 + 8 * c, 0x3fd00000); /* std: 0.25 */
    }
    add_network(&m);
    ms_store_u32(m.file + 12, ms_crc32c(0, m.file, *size));
    return m.file;
}
