/*
 * The reader of weights, and the network that they make: whatever is let in gives finite values,
 * the same bits on the reference and on the fastest kernels. The checksum is mended on the way in.
 * The mutator changes one part of the file at a time and keeps the rest whole: sizes, offsets and
 * gaps follow from the table's shapes, and a number of channels changes wherever it stands.
 */
#include "../support.h"
#include "base/bytes.h"
#include "fuzz.h"
#include "minisim.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { header = 128, entry = 96, work_max = 1 << 22 };

static void require(bool holds) {
    if (!holds)
        abort();
}

/* Opens on the kernels of that name, NULL: the fastest; *embedding is of a made up square. */
static minisim_status embed(const uint8_t *file, size_t size, const char *cpu, float **embedding,
                            size_t *dimension) {
    minisim_model *model;
    minisim_context *context;
    minisim_error error = {""};
    minisim_model_info info = {.size = sizeof info};
    minisim_model_options options = {.size = sizeof options, .cpu = cpu};
    minisim_context_options direct = {.size = sizeof direct, .preprocessed = 1};
    minisim_status status = minisim_model_open_memory(file, size, &options, &model, &error);
    require((status == MINISIM_OK) == !!model);
    require((status == MINISIM_OK) == !error.text[0]);
    if (status)
        return status;
    minisim_model_describe(model, &info);
    if (info.multiply_adds <= work_max) {
        uint32_t side = info.input_size;
        uint64_t seed = side;
        uint8_t *square = malloc((size_t)side * side * 3);
        *dimension = minisim_model_dimension(model);
        *embedding = malloc(*dimension * sizeof **embedding);
        require(square && *embedding);
        for (size_t i = 0; i < (size_t)side * side * 3; i++)
            square[i] = (uint8_t)next_random(&seed);
        minisim_pixels pixels = {
            .pixels = square, .width = side, .height = side, .format = MINISIM_RGB};
        require(minisim_context_open(model, &direct, &context, &error) == MINISIM_OK);
        require(minisim_embed_pixels(context, &pixels, *embedding) == MINISIM_OK);
        minisim_context_close(context);
        free(square);
    }
    minisim_model_close(model);
    return MINISIM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const cpus[2] = {"reference", NULL};
    minisim_status status[2];
    float *embedding[2] = {NULL, NULL};
    size_t n = 0;
    uint8_t *file = malloc(size ? size : 1);
    if (!file)
        return 0;
    memcpy(file, data, size);
    if (size >= header)
        mend_checksum(file, size);
    for (size_t i = 0; i < 2; i++)
        status[i] = embed(file, size, cpus[i], &embedding[i], &n);
    require(status[0] == status[1] && !embedding[0] == !embedding[1]);
    for (size_t i = 0; i < n && embedding[0]; i++)
        require(embedding[0][i] >= 0 && embedding[0][i] <= 6);
    require(!embedding[0] || memcmp(embedding[0], embedding[1], n * sizeof(float)) == 0);
    free(embedding[0]);
    free(embedding[1]);
    free(file);
    return 0;
}

#ifdef MS_LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void store_u64(uint8_t *to, uint64_t x) {
    ms_store_u32(to, (uint32_t)x);
    ms_store_u32(to + 4, (uint32_t)(x >> 32));
}

static size_t align64(size_t n) {
    return (n + 63) / 64 * 64;
}

/* Where the table begins, and how many entries of it there are; none: this is no such file. */
static size_t find_table(const uint8_t *data, size_t size, size_t *entries) {
    *entries = 0;
    if (size < header || ms_load_u32(data + 24) > size - header)
        return 0;
    size_t table = align64(header + ms_load_u32(data + 24));
    *entries = ms_load_u32(data + 28);
    if (table > size || *entries > (size - table) / entry)
        *entries = 0;
    return table;
}

/* Bytes of an entry's data, by its shape and type; at most max_size + 1. */
static size_t data_bytes(const uint8_t *at, size_t max_size) {
    size_t bytes = ms_load_u32(at + 48) == 0 ? 4 : ms_load_u32(at + 48) == 1 ? 2 : 1;
    for (size_t i = 0; i < ms_load_u32(at + 56) && i < 4; i++) {
        size_t side = ms_load_u32(at + 60 + 4 * i);
        bytes = side && bytes > max_size / side ? max_size + 1 : bytes * side;
    }
    return bytes + (ms_load_u32(at + 48) == 2 ? 4 * (size_t)ms_load_u32(at + 60) : 0);
}

/* One side of a shape becomes another number, in all shapes. */
static void change_channels(uint8_t *table, size_t entries, unsigned seed) {
    uint8_t *from = table + seed / 64 % entries * entry + 60;
    uint32_t old = ms_load_u32(from), new = 1 + seed / 4096 % 40;
    for (size_t i = 0; i < entries; i++)
        for (size_t s = 0; s < 4; s++)
            if (ms_load_u32(table + i * entry + 60 + 4 * s) == old)
                ms_store_u32(table + i * entry + 60 + 4 * s, new);
}

/* Offsets, lengths and the file's size as the shapes want them, zeros between; gives the size. */
static size_t mend(uint8_t *data, size_t size, size_t max_size, size_t table, size_t entries) {
    size_t end = table + entries * entry;
    for (size_t i = 0; i < entries; i++) {
        uint8_t *at = data + table + i * entry;
        size_t start = align64(end), bytes = data_bytes(at, max_size);
        if (start > max_size || bytes > max_size - start)
            return size;
        if (start + bytes > size) {
            memset(data + size, (int)(start % 64), start + bytes - size);
            size = start + bytes;
        }
        memset(data + end, 0, start - end);
        store_u64(at + 80, start);
        store_u64(at + 88, bytes);
        end = start + bytes;
    }
    store_u64(data + 16, end);
    return end;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    size_t entries, table = find_table(data, size, &entries);
    if (entries == 0 || seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    size_t end = table + entries * entry, at = table + seed / 64 % entries * entry;
    switch (seed % 16) {
    case 1: /* header or facts, whose lengths stay */
        LLVMFuzzerMutate(data + 28, 100, 100);
        break;
    case 2:
        if (table > header)
            LLVMFuzzerMutate(data + header, table - header, table - header);
        break;
    case 3: /* an entry's name, or what follows it */
        LLVMFuzzerMutate(data + at, 48, 48);
        break;
    case 4:
        LLVMFuzzerMutate(data + at + 48, 32, 32);
        break;
    case 5: /* one entry less: the data stays, and belongs to others then */
        memmove(data + at, data + at + entry, size - at - entry);
        size -= entry;
        ms_store_u32(data + 28, (uint32_t)--entries);
        break;
    case 6:
    case 7:
        change_channels(data + table, entries, seed);
        break;
    default:
        if (size > end)
            LLVMFuzzerMutate(data + end, size - end, size - end);
    }
    if (find_table(data, size, &entries) != table || entries == 0)
        return size;
    return mend(data, size, max_size, table, entries);
}

#endif
