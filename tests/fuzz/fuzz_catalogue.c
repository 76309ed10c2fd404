/*
 * Catalogues: whatever the bytes, reading and writing end in success or a message, and what
 * `verify` calls clean can be listed, searched, joined and added to. The mutator changes a place of
 * one of the structures; then, most times, it makes counts, sizes and slots agree again, and
 * checksums.
 */
#include "../catalogue_support.h"
#include "base/bytes.h"
#include "catalogue/compact.h"
#include "catalogue/search.h"
#include "catalogue/state.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_RECORDS = 512, HITS = 5 };

static void require(bool holds) {
    if (!holds)
        abort();
}

static void count_damage(void *user, const char *what, uint64_t first, uint64_t count) {
    (void)first;
    (void)count;
    require(what[0] != '\0');
    ++*(size_t *)user;
}

static bool go_on(void *user, uint64_t done) {
    (void)user;
    (void)done;
    return false;
}

/* The first records, as `list` reads them; gives whether all could be read. */
static bool list(const struct ms_catalogue *c) {
    bool good = true;
    uint64_t ids = ms_catalogue_ids(c);
    for (uint64_t id = 0; id < ids && id < MOST_RECORDS; id++) {
        struct ms_record record;
        char path[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
        minisim_error error = {""};
        size_t count;
        minisim_status status = ms_catalogue_records(c, id, 1, &record, &count, &error);
        if (!status)
            status = ms_catalogue_text(c, id, &record, path, label, &error);
        require((status != MINISIM_OK) == (error.text[0] != '\0'));
        good = good && !status;
    }
    return good;
}

/* The neighbours of the first record; gives whether the search came to its end. */
static bool search(const struct ms_catalogue *c, minisim_metric metric, struct ms_top *top) {
    const struct ms_origin *origin = ms_catalogue_origin(c);
    const struct ms_kernels *kernels = ms_kernels_choose(NULL);
    struct ms_stored query = {.count = 0};
    const minisim_hit *hits = top->hits;
    minisim_error error;
    bool good = false;
    top->count = 0;
    require(ms_stored_open(&query, origin->type, origin->dimension, 1));
    if (!ms_catalogue_vectors(c, 0, 1, &query, &error)) {
        struct ms_search what = {kernels, metric, &query, metric == MINISIM_DOT ? -1e30 : 1e30,
                                 NULL,    0};
        good = ms_catalogue_search(c, &what, top, &error) == MINISIM_OK;
    }
    for (size_t i = 0; i < top->count; i++) {
        require(hits[i].id < ms_catalogue_ids(c) && !ms_catalogue_is_removed(c, hits[i].id));
        require(i == 0 || hits[i - 1].distance <= hits[i].distance);
    }
    ms_stored_close(&query);
    return good;
}

/* Three searches, and again with the file mapped: the same comes of it. */
static bool search_both_ways(struct ms_catalogue *c) {
    minisim_hit hits[2][3][HITS];
    struct ms_top tops[2][3];
    bool good[2] = {true, true};
    const void *begin;
    size_t size;
    for (int mapped = 0; mapped < 2; mapped++) {
        for (int m = 0; m < 3; m++) {
            tops[mapped][m] = (struct ms_top){.most = HITS, .hits = hits[mapped][m]};
            good[mapped] =
                search(c, (minisim_metric)(MINISIM_COSINE + m), &tops[mapped][m]) && good[mapped];
        }
        (void)ms_catalogue_map(c, &begin, &size);
    }
    require(good[0] == good[1]);
    for (int m = 0; good[0] && m < 3; m++)
        require(tops[0][m].count == tops[1][m].count &&
                memcmp(hits[0][m], hits[1][m], tops[0][m].count * sizeof ***hits) == 0);
    return good[0];
}

/* Reads all that there is; gives whether it is clean. */
static bool read_all(const char *path) {
    struct ms_catalogue *c;
    minisim_error error = {""};
    size_t damage = 0;
    struct ms_merged merged = {0};
    minisim_status status = ms_catalogue_open(path, &c, &error);
    require((status == MINISIM_OK) == !!c && (status == MINISIM_OK) == !error.text[0]);
    if (!c && ms_catalogue_open_damaged(path, &c, &error))
        return false;
    bool clean = ms_catalogue_verify(c, count_damage, &damage, &error) == MINISIM_OK;
    require(clean == (damage == 0) && (!status || !clean));
    require(!ms_catalogue_foresee_merge(&c, 1, true, go_on, NULL, &merged, &error));
    bool good = list(c);
    if (ms_catalogue_ids(c) > 0)
        good = search_both_ways(c) && good;
    require(good || !clean);
    ms_catalogue_close(c);
    return clean;
}

/* Adds a record, removes the first, joins the catalogue with itself. */
static void write_to(const char *path, bool clean) {
    struct ms_catalogue *c, *other;
    minisim_error error;
    struct ms_record record = {.seconds = 1};
    struct ms_merged merged = {0};
    if (ms_catalogue_open_writer(path, NULL, &c, &error))
        return;
    uint64_t ids = ms_catalogue_ids(c), removed = ms_catalogue_removed(c);
    float *vector = calloc(ms_catalogue_origin(c)->dimension, sizeof *vector);
    minisim_status status = MINISIM_OK;
    require(vector);
    if (!ms_catalogue_open(path, &other, &error)) {
        status = ms_catalogue_merge(c, other, go_on, NULL, &merged, &error);
        ms_catalogue_close(other);
    }
    bool joined = merged.added + merged.replaced > 0; /* a path twice, as a hostile file may say */
    if (!status)
        status = ms_catalogue_add(c, &record, "new", "label", vector, &error);
    if (!status && ids > 0)
        status = ms_catalogue_remove(c, 0, &error);
    if (!status)
        status = ms_catalogue_commit(c, &error);
    require(status == MINISIM_OK || !clean);
    free(vector);
    ms_catalogue_close(c);
    if (status)
        return;
    require(ms_catalogue_open(path, &c, &error) == MINISIM_OK);
    require(joined || (ms_catalogue_ids(c) == ids + 1 && ms_catalogue_removed(c) >= removed));
    ms_catalogue_close(c);
    require(!clean || read_all(path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
        return 0;
    write_to(path, read_all(path));
    return 0;
}

#ifdef MS_LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static bool is_segment(const uint8_t *data, size_t size, size_t at) {
    return at + MS_PAGE <= size && memcmp(data + at, "MSEG", 4) == 0;
}

/* Where the segment of that number begins, counted around; 0: there is none. */
static size_t find_segment(const uint8_t *data, size_t size, size_t number) {
    size_t begins[64], count = 0;
    for (size_t at = MS_SEGMENTS_BEGIN; count < 64 && at < size; at += MS_PAGE)
        if (is_segment(data, size, at))
            begins[count++] = at;
    return count ? begins[number % count] : 0;
}

/* Counts as they are, sizes and places as they lead to; gives the file's size. */
static size_t agree(uint8_t *data, size_t size, size_t max_size) {
    struct ms_origin origin = {.dimension = ms_load_u32(data + 28) % MS_DIMENSION_MOST,
                               .type = (enum ms_vector_type)(ms_load_u32(data + 32) % 3)};
    uint64_t generation = 0, ids = 0, removed = 0, at = MS_SEGMENTS_BEGIN;
    ms_store_u32(data + 32, origin.type);
    while (is_segment(data, size, at)) {
        uint8_t *head = data + at;
        struct ms_segment segment = {.first = ids,
                                     .generation = generation + 1,
                                     .count = ms_load_u32(head + 32) % 64,
                                     .removed = ms_load_u32(head + 36) % 64};
        for (size_t i = 0; i < MS_ALL_COLUMNS; i++)
            segment.columns[i] = i == MS_TEXT || i >= MS_TABLE
                                     ? ms_load_u64(head + 64 + 8 * i) / 64 * 64
                                     : ms_column_size(&origin, i, segment.count, segment.removed);
        for (size_t i = 0; i < MS_ALL_COLUMNS; i++)
            if (segment.columns[i] > max_size)
                return size;
        segment.size = ms_segment_size(segment.columns);
        if (segment.size > max_size - at)
            break;
        if (at + segment.size > size) {
            memset(data + size, 0, at + segment.size - size);
            size = at + segment.size;
        }
        ms_encode_segment(&segment, data + 40, head);
        generation++;
        ids += segment.count;
        removed += segment.removed;
        at += segment.size;
    }
    uint8_t *slot = data + MS_PAGE * (1 + generation % 2);
    struct ms_commit commit = {
        generation, at, generation, ids, removed, ms_load_u64(slot + 48), ms_load_u64(slot + 72)};
    ms_encode_commit(&commit, data + 40, slot);
    return size;
}

/* One place becomes something else; gives the file's size. */
static size_t change(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    size_t at = find_segment(data, size, seed / 32), left = at ? size - at : 0;
    size_t column = MS_PAGE * (seed / 256 % 16);
    switch (seed % 16) {
    case 0: /* header: features, dimension, type */
        LLVMFuzzerMutate(data + 16, 20, 20);
        break;
    case 1: /* id and origin */
        LLVMFuzzerMutate(data + 56, 200, 200);
        break;
    case 2:
    case 3: /* a slot */
        LLVMFuzzerMutate(data + MS_PAGE * (1 + seed / 16 % 2) + 8, 48, 48);
        break;
    case 4: /* a slot is lost */
        memset(data + MS_PAGE * (1 + seed / 16 % 2), (int)(seed / 64 % 2), 64);
        break;
    case 5: /* one segment more */
        if (at && left >= MS_PAGE && size + MS_PAGE <= max_size) {
            memcpy(data + size, data + at, MS_PAGE);
            size += MS_PAGE;
        }
        break;
    case 6: /* cut short */
        size = size > MS_SEGMENTS_BEGIN + MS_PAGE ? size - MS_PAGE : size;
        break;
    case 7: /* counts */
    case 8:
        if (left)
            LLVMFuzzerMutate(data + at + 32, 8, 8);
        break;
    case 9:
    case 10: /* all of a segment's header */
        if (left)
            LLVMFuzzerMutate(data + at + 8, MS_SEGMENT_HEADER - 8, MS_SEGMENT_HEADER - 8);
        break;
    default: /* what follows it */
        if (left > MS_SEGMENT_HEADER + column) {
            size_t part = left - MS_SEGMENT_HEADER - column;
            part = part < MS_PAGE ? part : MS_PAGE;
            LLVMFuzzerMutate(data + at + MS_SEGMENT_HEADER + column, part, part);
        }
    }
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    if (size < MS_SEGMENTS_BEGIN || seed % 61 == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    size = change(data, size, max_size, seed / 61);
    if (seed % 4)
        size = agree(data, size, max_size);
    if (seed % 11)
        mend_catalogue(data, size);
    return size;
}

#endif
