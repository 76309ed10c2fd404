/*
 * The nearest records: see search.h. Threads take blocks of vectors in turn, compare each with all
 * queries, and rank those that are as close as the nearest so far, one thread at a time. The
 * nearest of many are the same in whatever order they come (vectors/top.h), so the answer does not
 * depend on who was first.
 *
 * A block is read (pread) into memory that stays in the second-level cache, unless the caller had
 * the file mapped (ms_catalogue_map). A million vectors of 1280 i8 in the page cache, one query, by
 * one thread / by two (Zen 4, a virtual machine with Linux 6.18 and ext4; `make bench`):
 *
 *     a plain read of the same bytes          100 / 58 ms
 *     search that reads                       126 / 66
 *     search that maps, once and all of it     88 / 58
 *     search, mapped and touched before        93 / 45
 *
 * Reading spends four fifths of its time in the system's copy, so no kernel makes it much faster.
 * Mapping costs a fault for each piece that the system keeps together; where that is a page of 4
 * KiB, it is far worse for one pass (Zen 5, another virtual machine, 262,144 vectors: 132 ms
 * against 19, and 14 once each page was touched). So nothing is mapped for one pass, and `check`
 * maps when it was asked often.
 */
#include "catalogue/search.h"

#include "base/error.h"
#include "base/team.h"

#include <math.h>
#include <stdlib.h>

/* Bytes of vectors in a block, which stay in the cache while all queries meet them; its records, if
 * many, fill the kernels' tiles of 2, 3, 4, 6 or 8 rows. */
enum { BLOCK = 512 << 10, TILES = 24 };

/* What the threads share. */
struct pass {
    const struct ms_catalogue *catalogue;
    const struct ms_search *search;
    uint64_t rows; /* of a block */
    pthread_mutex_t lock;
    /* Under the lock: */
    uint64_t next; /* the first id of the block that nobody has taken */
    struct ms_top *tops;
    minisim_status status;
    uint64_t failed; /* the first id of the block that could not be searched */
    minisim_error error;
};

/* A block of rows and its distances to all queries: each thread has one. */
struct block {
    struct ms_stored rows;
    float *room;
    double *distances; /* [queries][rows] */
    double *limits;    /* [queries]: what is farther is none of the nearest */
    size_t *near;      /* [queries]: how many are not */
};

static bool open_block(const struct pass *pass, struct block *block) {
    const struct ms_origin *origin = ms_catalogue_origin(pass->catalogue);
    const struct ms_stored *queries = pass->search->queries;
    *block = (struct block){.room = NULL};
    if (!ms_stored_open(&block->rows, origin->type, origin->dimension, (size_t)pass->rows))
        return false;
    block->room = malloc((ms_distance_room(queries, &block->rows) + 1) * sizeof *block->room);
    block->distances = malloc((queries->count * block->rows.count + 1) * sizeof *block->distances);
    block->limits = malloc((queries->count + 1) * sizeof *block->limits);
    block->near = malloc((queries->count + 1) * sizeof *block->near);
    for (size_t q = 0; block->limits && q < queries->count; q++)
        block->limits[q] = pass->search->limit;
    return block->room && block->distances && block->limits && block->near;
}

static void close_block(struct block *block) {
    free(block->room);
    free(block->distances);
    free(block->limits);
    free(block->near);
    ms_stored_close(&block->rows);
}

/* One record to the nearest of a query; gives how far others may be from now on. */
static double add_hit(struct pass *pass, size_t query, double distance, uint64_t id) {
    bool dot = pass->search->metric == MINISIM_DOT;
    double limit = pass->search->limit;
    pthread_mutex_lock(&pass->lock);
    ms_top_add(&pass->tops[query], dot ? -distance : distance, id);
    double farthest = ms_top_farthest(&pass->tops[query]);
    pthread_mutex_unlock(&pass->lock);
    return dot ? (-farthest > limit ? -farthest : limit) : farthest < limit ? farthest : limit;
}

static bool is_wanted(const struct pass *pass, uint64_t id) {
    const uint8_t *among = pass->search->among;
    return !ms_catalogue_is_removed(pass->catalogue, id) && (!among || among[id / 8] >> id % 8 & 1);
}

/* Few of a query's records are as close as the nearest so far, and only those take the lock. */
static void rank(struct pass *pass, size_t query, const double *distances, uint64_t id,
                 size_t count, double *limit) {
    bool dot = pass->search->metric == MINISIM_DOT;
    for (size_t r = 0; r < count; r++)
        if (distances[r] < INFINITY && (dot ? distances[r] >= *limit : distances[r] <= *limit) &&
            is_wanted(pass, id + r))
            *limit = add_hit(pass, query, distances[r], id + r);
}

/* The records from `id` up to `end`; segments may cut them into several parts. */
static minisim_status search_block(struct pass *pass, struct block *block, uint64_t id,
                                   uint64_t end, minisim_error *error) {
    const struct ms_search *search = pass->search;
    for (struct ms_stored rows; id < end; id += rows.count) {
        rows = block->rows;
        minisim_status status =
            ms_catalogue_view(pass->catalogue, id, (size_t)(end - id), &rows, error);
        if (status)
            return status;
        ms_stored_distances(search->kernels, search->metric, search->queries, &rows, block->limits,
                            block->room, block->distances, block->near);
        for (size_t q = 0; q < search->queries->count; q++)
            if (block->near[q] > 0)
                rank(pass, q, block->distances + q * rows.count, id, rows.count, &block->limits[q]);
    }
    return MINISIM_OK;
}

static uint64_t take_block(struct pass *pass) {
    pthread_mutex_lock(&pass->lock);
    uint64_t id = pass->next;
    pass->next += pass->rows;
    pthread_mutex_unlock(&pass->lock);
    return id;
}

/* No more blocks. Those before a damaged one have all been taken: so the first that is damaged is
 * the one told, whoever comes upon it. */
static void note_failure(struct pass *pass, minisim_status status, uint64_t id,
                         const minisim_error *error) {
    pthread_mutex_lock(&pass->lock);
    if (!pass->status || id < pass->failed) {
        pass->status = status;
        pass->failed = id;
        pass->error = *error;
    }
    pass->next = ms_catalogue_ids(pass->catalogue);
    pthread_mutex_unlock(&pass->lock);
}

static void search_blocks(void *argument, size_t member) {
    struct pass *pass = argument;
    struct block block;
    minisim_error error;
    uint64_t ids = ms_catalogue_ids(pass->catalogue), id = 0;
    (void)member;
    minisim_status status = open_block(pass, &block)
                                ? MINISIM_OK
                                : ms_fail(&error, MINISIM_OUT_OF_MEMORY, "out of memory");
    while (!status && (id = take_block(pass)) < ids)
        status =
            search_block(pass, &block, id, ids - id < pass->rows ? ids : id + pass->rows, &error);
    if (status)
        note_failure(pass, status, id, &error);
    close_block(&block);
}

minisim_status ms_catalogue_search(const struct ms_catalogue *catalogue,
                                   const struct ms_search *search, struct ms_top *tops,
                                   minisim_error *error) {
    const struct ms_origin *origin = ms_catalogue_origin(catalogue);
    size_t most = BLOCK / ms_stored_stride(origin->type, origin->dimension);
    struct pass pass = {.catalogue = catalogue,
                        .search = search,
                        .rows = most > TILES ? most - most % TILES
                                : most > 0   ? most
                                             : 1,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .tops = tops};
    uint64_t blocks = (ms_catalogue_ids(catalogue) + pass.rows - 1) / pass.rows;
    size_t threads = search->threads < MS_TEAM_MAX ? search->threads : MS_TEAM_MAX;
    struct ms_team team;
    /* Where the system gives no threads, one is slower but as good. */
    if (threads < 2 || blocks < 2 ||
        !ms_team_open(&team, blocks < threads ? (size_t)blocks : threads))
        search_blocks(&pass, 0);
    else {
        ms_team_run(&team, search_blocks, &pass);
        ms_team_close(&team);
    }
    pthread_mutex_destroy(&pass.lock);
    for (size_t q = 0; q < search->queries->count; q++)
        ms_top_sort(&tops[q]);
    if (pass.status)
        *error = pass.error;
    return pass.status;
}
