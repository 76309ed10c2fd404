/*
 * All pairs: see all_pairs.h. Records are cut into blocks, and the threads take pairs of blocks,
 * one after the other, from a counter. Whoever wants the distances gets them by thread.
 *
 * Where close pairs by cosine are sought among many records, their sketches (sketch.h) meet first,
 * 256 bytes a record, and few pairs need their vectors: of 7,389 photographs' embeddings (width
 * 0.5, 128 x 128) 0.1 % of all pairs at limits of 0.02 and 0.056, 1 % at 0.13; a pair of sketches
 * takes a twentieth of the arithmetic. Where they tell little (random vectors), a block is compared
 * as usual.
 */
#include "catalogue/all_pairs.h"

#include "base/error.h"
#include "base/team.h"
#include "catalogue/sketch.h"

#include <math.h>
#include <stdlib.h>

/* Records of a block, at most, and bytes of its values in f32: unpacking 2 x 512 vectors for 512^2
 * pairs costs little beside the pairs. */
enum { BLOCK_MOST = 512, BLOCK_BYTES = 4 << 20 };

/* Records that are worth sketches; and how many pairs of a block may pass them, one in so many: one
 * by one, a pair takes longer than among others. Both are guesses, not tuned. */
enum { SKETCHED_LEAST = 8192, PASSING = 32 };

/* A block of records, its first's place in the choice, and memory for them. */
struct block {
    size_t first;
    struct ms_stored rows, room;
};

struct worker {
    struct block a, b;
    float *room;
    double *distances; /* [a.rows.count][b.rows.count] */
    double *limits;    /* [a.rows.count]; NULL: all distances are wanted */
    size_t *near;      /* [a.rows.count] */
    float *panels;     /* b's sketches, as `pointwise` takes weights */
    uint32_t *passing; /* pairs that sketches leave, i * b.rows.count + k; room for a row more */
    size_t passing_count;
    uint64_t compared;
    /* What a pass is made for. */
    struct ms_close_pair *found;
    size_t found_count, found_capacity;
    double largest;
};

struct run {
    const struct ms_pass *pass;
    const struct ms_chosen *others;
    size_t each; /* records of a block */
    uint64_t row_blocks, other_blocks;
    bool is_same, wants_pairs;
    double limit;
    float *row_sketches, *other_sketches; /* [records][MS_SKETCH]; NULL: none */
    struct worker *workers;
    atomic_uint_fast64_t next, compared, found;
    atomic_bool ended;
    pthread_mutex_t lock; /* of the first failure: */
    minisim_status status;
    minisim_error error;
};

static minisim_status out_of_memory(minisim_error *error) {
    return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
}

bool ms_choose_all(const struct ms_catalogue *c, struct ms_chosen *chosen) {
    uint64_t count = ms_catalogue_count(c);
    uint64_t *ids = count < SIZE_MAX / 16 ? malloc(((size_t)count + 1) * sizeof *ids) : NULL;
    *chosen = (struct ms_chosen){.catalogue = c, .ids = ids};
    for (uint64_t id = 0; ids && id < ms_catalogue_ids(c) && chosen->count < count; id++)
        if (!ms_catalogue_is_removed(c, id))
            ids[chosen->count++] = id;
    return ids != NULL;
}

uint64_t ms_count_pairs(const struct ms_pass *pass) {
    uint64_t n = pass->rows.count, m = pass->others.count;
    return pass->others.catalogue ? n * m : n % 2 ? n * ((n - 1) / 2) : n > 0 ? n / 2 * (n - 1) : 0;
}

/* ---- blocks ---- */

/* What is chosen from `first` on: where it lies in a mapped file, or read, ids that lie together at
 * once. */
static minisim_status read_block(const struct run *run, const struct ms_chosen *chosen,
                                 struct block *block, size_t first, minisim_error *error) {
    struct ms_stored all = block->room;
    size_t count = chosen->count - first < run->each ? chosen->count - first : run->each;
    const uint64_t *ids = chosen->ids + first;
    minisim_status status = MINISIM_OK;
    block->first = first;
    block->rows = all;
    if (ids[count - 1] - ids[0] == count - 1) {
        status = ms_catalogue_view(chosen->catalogue, ids[0], count, &block->rows, error);
        if (status || block->rows.count == count)
            return status;
        block->rows = all;
    }
    for (size_t at = 0; !status && at < count;) {
        struct ms_stored part = all;
        size_t together = 1;
        while (at + together < count && ids[at + together] == ids[at] + together)
            together++;
        part.values += at * all.stride;
        part.scales += at;
        part.norms += at;
        status = ms_catalogue_vectors(chosen->catalogue, ids[at], together, &part, error);
        at += part.count;
    }
    block->rows.count = count;
    return status;
}

/* ---- what is wanted of a pair of blocks ---- */

static minisim_status keep_pair(struct run *run, struct worker *w, double distance, uint64_t a,
                                uint64_t b, minisim_error *error) {
    if (w->found_count == w->found_capacity) {
        size_t capacity = w->found_capacity ? 2 * w->found_capacity : 1024;
        struct ms_close_pair *grown = realloc(w->found, capacity * sizeof *grown);
        if (!grown)
            return out_of_memory(error);
        w->found = grown;
        w->found_capacity = capacity;
    }
    w->found[w->found_count++] = (struct ms_close_pair){distance, a, b};
    if (atomic_fetch_add(&run->found, 1) < MS_CLOSE_MOST)
        return MINISIM_OK;
    return ms_fail(error, MINISIM_BAD_ARGUMENT,
                   "more than %d pairs are as close as that: take a stricter limit", MS_CLOSE_MOST);
}

/* The distance of a's record i and b's record k. */
static minisim_status take(struct run *run, struct worker *w, size_t i, size_t k, double value,
                           minisim_error *error) {
    const struct ms_pass *pass = run->pass;
    double distance = pass->metric == MINISIM_DOT ? -value : value;
    if (!isfinite(value))
        return MINISIM_OK;
    if (distance > w->largest)
        w->largest = distance;
    if (!run->wants_pairs || distance > run->limit)
        return MINISIM_OK;
    return keep_pair(run, w, distance, pass->rows.ids[w->a.first + i],
                     run->others->ids[w->b.first + k], error);
}

/* Where the pairs of record i begin: of a block with itself, behind it. */
static size_t first_of(const struct run *run, const struct worker *w, size_t i) {
    return run->is_same && w->a.first == w->b.first ? i + 1 : 0;
}

static minisim_status take_all(struct run *run, struct worker *w, minisim_error *error) {
    const struct ms_pass *pass = run->pass;
    size_t rows = w->a.rows.count, others = w->b.rows.count;
    minisim_status status = MINISIM_OK;
    ms_stored_distances(pass->kernels, pass->metric, &w->a.rows, &w->b.rows, w->limits, w->room,
                        w->distances, w->near);
    for (size_t i = 0; !status && i < rows; i++)
        for (size_t k = first_of(run, w, i); w->near[i] > 0 && !status && k < others; k++)
            status = take(run, w, i, k, w->distances[i * others + k], error);
    return status;
}

/* ---- sketches ---- */

static size_t passing_most(const struct run *run) {
    return run->each * run->each / PASSING;
}

static struct ms_stored one_of(const struct ms_stored *rows, size_t row) {
    struct ms_stored one = *rows;
    one.count = 1;
    one.values += row * rows->stride;
    one.scales += row;
    one.norms += row;
    return one;
}

static size_t up_to_lanes(const struct ms_kernels *kernels, size_t count) {
    return (count + kernels->lanes - 1) / kernels->lanes * kernels->lanes;
}

/* Whether the sketches leave few pairs, which w->passing lists then. */
static bool sift(const struct run *run, struct worker *w) {
    static const float zeros[BLOCK_MOST];
    const struct ms_kernels *kernels = run->pass->kernels;
    size_t rows = w->a.rows.count, others = w->b.rows.count;
    size_t stride = up_to_lanes(kernels, others);
    float least = (float)(1 - run->limit - MS_SKETCH_SLACK);
    w->passing_count = 0;
    if (!run->row_sketches || !run->other_sketches)
        return false;
    for (size_t k = 0; k < others; k += kernels->lanes)
        kernels->pack_panel(run->other_sketches + (w->b.first + k) * MS_SKETCH, MS_SKETCH,
                            w->panels + k * MS_SKETCH);
    kernels->pointwise(&(struct ms_pointwise){.pixels = rows,
                                              .inputs = MS_SKETCH,
                                              .outputs = others,
                                              .runs = 1,
                                              .in = {run->row_sketches + w->a.first * MS_SKETCH},
                                              .in_stride = MS_SKETCH,
                                              .out = w->room,
                                              .out_stride = stride,
                                              .weights = w->panels,
                                              .bias = zeros});
    for (size_t i = 0; i < rows; i++) {
        const float *most = w->room + i * stride;
        for (size_t k = first_of(run, w, i); k < others; k++) {
            w->passing[w->passing_count] = (uint32_t)(i * others + k);
            w->passing_count += !(most[k] < least);
        }
        if (w->passing_count > passing_most(run))
            return false;
    }
    return true;
}

static minisim_status take_sifted(struct run *run, struct worker *w, minisim_error *error) {
    const struct ms_pass *pass = run->pass;
    size_t others = w->b.rows.count;
    minisim_status status = MINISIM_OK;
    for (size_t p = 0; !status && p < w->passing_count; p++) {
        size_t i = w->passing[p] / others, k = w->passing[p] % others;
        struct ms_stored a = one_of(&w->a.rows, i), b = one_of(&w->b.rows, k);
        float sum;
        double distance;
        ms_stored_distances(pass->kernels, pass->metric, &a, &b, NULL, &sum, &distance, NULL);
        status = take(run, w, i, k, distance, error);
    }
    return status;
}

/* Sketches of all that is chosen, block by block, and behind them what fills up a panel. NULL:
 * none; they can be done without. */
static float *make_sketches(const struct run *run, const struct ms_chosen *chosen,
                            const struct ms_sketcher *sketcher) {
    struct block *block = &run->workers[0].b;
    size_t room = up_to_lanes(run->pass->kernels, chosen->count);
    float *sketches = room < SIZE_MAX / (MS_SKETCH * sizeof *sketches)
                          ? calloc(room, MS_SKETCH * sizeof *sketches)
                          : NULL;
    minisim_error error;
    for (size_t first = 0; sketches && first < chosen->count; first += run->each) {
        if (read_block(run, chosen, block, first, &error)) {
            free(sketches); /* damaged: whoever compares will tell */
            return NULL;
        }
        ms_sketch(sketcher, &block->rows, sketches + first * MS_SKETCH);
    }
    return sketches;
}

/* Records from all over the choice. */
static bool take_sample(const struct ms_chosen *chosen, struct ms_stored *sample) {
    minisim_error error;
    bool good = true;
    for (size_t i = 0; good && i < MS_SKETCH_SAMPLE; i++) {
        struct ms_stored one = one_of(sample, i);
        uint64_t id = chosen->ids[chosen->count / MS_SKETCH_SAMPLE * i];
        good = !ms_catalogue_vectors(chosen->catalogue, id, 1, &one, &error);
    }
    return good;
}

static bool is_worth_sketches(const struct run *run) {
    const struct ms_pass *pass = run->pass;
    uint32_t n = ms_catalogue_origin(pass->rows.catalogue)->dimension;
    return run->wants_pairs && pass->metric == MINISIM_COSINE && n >= MS_SKETCH_LEAST &&
           n <= MS_SKETCH_MOST && pass->rows.count >= SKETCHED_LEAST &&
           run->others->count >= SKETCHED_LEAST;
}

/* Where memory is short there are none. */
static void make_all_sketches(struct run *run) {
    const struct ms_pass *pass = run->pass;
    const struct ms_origin *origin = ms_catalogue_origin(pass->rows.catalogue);
    struct ms_stored sample;
    struct ms_sketcher sketcher;
    if (!is_worth_sketches(run) ||
        !ms_stored_open(&sample, origin->type, origin->dimension, MS_SKETCH_SAMPLE))
        return;
    if (take_sample(&pass->rows, &sample) && ms_sketcher_open(&sketcher, pass->kernels, &sample)) {
        run->row_sketches = make_sketches(run, &pass->rows, &sketcher);
        run->other_sketches =
            run->is_same ? run->row_sketches : make_sketches(run, run->others, &sketcher);
        ms_sketcher_close(&sketcher);
    }
    ms_stored_close(&sample);
}

/* ---- the pass ---- */

/* The blocks of a task: of rows with each other, row by row of the upper triangle. */
static void find_task(const struct run *run, uint64_t task, uint64_t *a, uint64_t *b) {
    uint64_t blocks = run->row_blocks;
    if (!run->is_same) {
        *a = task / run->other_blocks;
        *b = task % run->other_blocks;
        return;
    }
    for (*a = 0; task >= blocks - *a; ++*a)
        task -= blocks - *a;
    *b = *a + task;
}

static uint64_t count_tasks(const struct run *run) {
    uint64_t blocks = run->row_blocks;
    return run->is_same ? blocks * (blocks + 1) / 2 : blocks * run->other_blocks;
}

static minisim_status do_task(struct run *run, struct worker *w, uint64_t task,
                              minisim_error *error) {
    const struct ms_pass *pass = run->pass;
    uint64_t a, b;
    find_task(run, task, &a, &b);
    minisim_status status = MINISIM_OK;
    /* The next task is mostly of the same first block. */
    if (w->a.first != a * run->each)
        status = read_block(run, &pass->rows, &w->a, (size_t)a * run->each, error);
    if (!status)
        status = read_block(run, run->others, &w->b, (size_t)b * run->each, error);
    if (status)
        return status;
    size_t rows = w->a.rows.count, others = w->b.rows.count;
    w->compared += first_of(run, w, 0) ? (uint64_t)rows * (rows - 1) / 2 : (uint64_t)rows * others;
    return sift(run, w) ? take_sifted(run, w, error) : take_all(run, w, error);
}

static void fail(struct run *run, minisim_status status, const minisim_error *error) {
    pthread_mutex_lock(&run->lock);
    if (!run->status) {
        run->status = status;
        run->error = *error;
    }
    pthread_mutex_unlock(&run->lock);
    atomic_store(&run->ended, true);
}

static void work(void *argument, size_t member) {
    struct run *run = argument;
    struct worker *w = &run->workers[member];
    uint64_t tasks = count_tasks(run), task;
    while (!atomic_load(&run->ended) && (task = atomic_fetch_add(&run->next, 1)) < tasks) {
        minisim_error error;
        minisim_status status = do_task(run, w, task, &error);
        atomic_fetch_add(&run->compared, w->compared);
        w->compared = 0;
        if (status)
            fail(run, status, &error);
        else if (member == 0 && run->pass->progress &&
                 run->pass->progress(run->pass->user, atomic_load(&run->compared)))
            fail(run, MINISIM_CANCELLED, &(minisim_error){"stopped"});
    }
}

static bool set_limits(const struct run *run, struct worker *w) {
    bool dot = run->pass->metric == MINISIM_DOT;
    w->limits = malloc(run->each * sizeof *w->limits);
    for (size_t i = 0; w->limits && i < run->each; i++)
        w->limits[i] = dot ? -run->limit : run->limit;
    return w->limits != NULL;
}

static bool open_worker(const struct run *run, struct worker *w) {
    const struct ms_origin *origin = ms_catalogue_origin(run->pass->rows.catalogue);
    w->largest = -INFINITY;
    w->a.first = SIZE_MAX;
    if (!ms_stored_open(&w->a.room, origin->type, origin->dimension, run->each) ||
        !ms_stored_open(&w->b.room, origin->type, origin->dimension, run->each))
        return false;
    w->room = malloc((ms_distance_room(&w->a.room, &w->b.room) + 1) * sizeof *w->room);
    w->distances = malloc(run->each * run->each * sizeof *w->distances);
    w->near = malloc(run->each * sizeof *w->near);
    w->panels = malloc(BLOCK_MOST * MS_SKETCH * sizeof *w->panels);
    w->passing = malloc((passing_most(run) + run->each + 1) * sizeof *w->passing);
    return w->room && w->distances && w->near && w->panels && w->passing &&
           (!run->wants_pairs || set_limits(run, w));
}

static void close_worker(struct worker *w) {
    ms_stored_close(&w->a.room);
    ms_stored_close(&w->b.room);
    free(w->room);
    free(w->distances);
    free(w->limits);
    free(w->near);
    free(w->panels);
    free(w->passing);
    free(w->found);
}

static size_t blocks_of(const struct run *run, size_t count) {
    return (count + run->each - 1) / run->each;
}

static bool open_run(struct run *run, const struct ms_pass *pass, size_t threads) {
    size_t dimension = ms_catalogue_origin(pass->rows.catalogue)->dimension;
    size_t each = BLOCK_BYTES / (dimension * sizeof(float));
    run->pass = pass;
    run->is_same = !pass->others.catalogue;
    run->others = run->is_same ? &pass->rows : &pass->others;
    each = each > BLOCK_MOST ? BLOCK_MOST : each;
    each = each > pass->rows.count && each > run->others->count
               ? (pass->rows.count > run->others->count ? pass->rows.count : run->others->count)
               : each;
    run->each = each > 0 ? each : 1;
    run->row_blocks = blocks_of(run, pass->rows.count);
    run->other_blocks = blocks_of(run, run->others->count);
    run->workers = calloc(threads, sizeof *run->workers);
    bool good = run->workers != NULL;
    for (size_t i = 0; good && i < threads; i++)
        good = open_worker(run, &run->workers[i]);
    return good;
}

static minisim_status compare_all(struct run *run, const struct ms_pass *pass, size_t threads,
                                  minisim_error *error) {
    struct ms_team team;
    if (!open_run(run, pass, threads))
        return out_of_memory(error);
    make_all_sketches(run);
    if (!ms_team_open(&team, threads))
        return ms_fail(error, MINISIM_REFUSED, "the system gives no threads");
    pthread_mutex_init(&run->lock, NULL);
    ms_team_run(&team, work, run);
    ms_team_close(&team);
    pthread_mutex_destroy(&run->lock);
    return run->status ? ms_fail(error, run->status, "%s", run->error.text) : MINISIM_OK;
}

static void close_run(struct run *run, size_t threads) {
    for (size_t i = 0; run->workers && i < threads; i++)
        close_worker(&run->workers[i]);
    free(run->workers);
    if (!run->is_same)
        free(run->other_sketches);
    free(run->row_sketches);
}

static size_t threads_of(const struct ms_pass *pass) {
    return pass->threads < 1 ? 1 : pass->threads > MS_TEAM_MAX ? MS_TEAM_MAX : pass->threads;
}

/* ---- close pairs ---- */

static int compare_pairs(const void *one, const void *other) {
    const struct ms_close_pair *x = one, *y = other;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

static minisim_status gather(const struct run *run, size_t threads, struct ms_close_pair **pairs,
                             size_t *count, minisim_error *error) {
    size_t sum = 0;
    for (size_t i = 0; i < threads; i++)
        sum += run->workers[i].found_count;
    *pairs = malloc((sum + 1) * sizeof **pairs);
    if (!*pairs)
        return out_of_memory(error);
    for (size_t i = 0; i < threads; i++)
        for (size_t k = 0; k < run->workers[i].found_count; k++)
            (*pairs)[(*count)++] = run->workers[i].found[k];
    qsort(*pairs, *count, sizeof **pairs, compare_pairs);
    return MINISIM_OK;
}

minisim_status ms_find_close_pairs(const struct ms_pass *pass, double limit,
                                   struct ms_close_pair **pairs, size_t *count,
                                   minisim_error *error) {
    struct run run = {.wants_pairs = true, .limit = limit};
    size_t threads = threads_of(pass);
    *pairs = NULL;
    *count = 0;
    minisim_status status = compare_all(&run, pass, threads, error);
    if (!status)
        status = gather(&run, threads, pairs, count, error);
    close_run(&run, threads);
    return status;
}

minisim_status ms_find_largest(const struct ms_pass *pass, double *largest, minisim_error *error) {
    struct run run = {.wants_pairs = false};
    size_t threads = threads_of(pass);
    minisim_status status = compare_all(&run, pass, threads, error);
    *largest = -INFINITY;
    for (size_t i = 0; !status && i < threads; i++)
        if (run.workers[i].largest > *largest)
            *largest = run.workers[i].largest;
    close_run(&run, threads);
    return status;
}
