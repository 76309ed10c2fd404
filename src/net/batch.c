/*
 * Many pictures on several threads, rows in the order of the inputs. A thread takes the next input,
 * embeds it into a slot of a ring, and whoever finds the oldest slot finished reports it. The ring
 * is a few slots a thread, so one slow picture does not stop the others at once, and memory stays
 * bounded.
 */
#include "net/batch.h"

#include "net/model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { slots_per_thread = 4 };

struct slot {
    minisim_input input;
    minisim_status status;
    minisim_error error;
    bool finished;
};

struct batch {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t moved; /* a slot became free, or the end came */
    minisim_next_fn next;
    ms_embed_fn *embed;
    minisim_row_fn row;
    void *user;
    struct slot *slots;
    float *embeddings; /* [slot_count][dimension] */
    size_t slot_count, dimension;
    uint64_t taken, reported; /* inputs handed out, rows handed over */
    bool ended;               /* no more inputs */
    bool reporting;           /* a thread is inside `row` */
    bool cancelled;
};

struct worker {
    struct batch *batch;
    minisim_context *context;
    pthread_t thread;
};

/* Hands over the finished rows at the front. `row` runs unlocked, so that others go on meanwhile.
 */
static void report_rows(struct batch *batch) {
    while (!batch->reporting && !batch->cancelled && batch->reported < batch->taken) {
        size_t at = (size_t)(batch->reported % batch->slot_count);
        struct slot *slot = &batch->slots[at];
        if (!slot->finished)
            return;
        minisim_row row = {.index = batch->reported,
                           .input = &slot->input,
                           .status = slot->status,
                           .error = slot->error.text,
                           .embedding =
                               slot->status ? NULL : batch->embeddings + at * batch->dimension};
        batch->reporting = true;
        pthread_mutex_unlock(&batch->lock);
        int stop = batch->row(batch->user, &row);
        pthread_mutex_lock(&batch->lock);
        batch->reporting = false;
        slot->finished = false;
        batch->reported++;
        batch->cancelled = batch->cancelled || stop;
        pthread_cond_broadcast(&batch->moved);
    }
}

/* The next input, in a slot of its own; NULL at the end. `next` and `row` never run at once. */
static struct slot *take_input(struct batch *batch) {
    while (!batch->ended && !batch->cancelled &&
           (batch->reporting || batch->taken - batch->reported == batch->slot_count))
        pthread_cond_wait(&batch->moved, &batch->lock);
    if (batch->ended || batch->cancelled)
        return NULL;
    struct slot *slot = &batch->slots[batch->taken % batch->slot_count];
    *slot = (struct slot){.status = MINISIM_OK};
    if (!batch->next(batch->user, &slot->input)) {
        batch->ended = true;
        pthread_cond_broadcast(&batch->moved);
        return NULL;
    }
    batch->taken++;
    return slot;
}

static minisim_status embed(void *user, minisim_context *context, const minisim_input *input,
                            float *to) {
    (void)user;
    if (input->path)
        return minisim_embed_file(context, input->path, input->region, to);
    if (input->bytes)
        return minisim_embed_memory(context, input->bytes, input->bytes_size, input->region, to);
    return minisim_embed_pixels(context, input->pixels, to);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct batch *batch = worker->batch;
    struct slot *slot;
    pthread_mutex_lock(&batch->lock);
    while ((slot = take_input(batch))) {
        float *to = batch->embeddings + (size_t)(slot - batch->slots) * batch->dimension;
        pthread_mutex_unlock(&batch->lock);
        slot->status = batch->embed(batch->user, worker->context, &slot->input, to);
        if (slot->status)
            snprintf(slot->error.text, sizeof slot->error.text, "%s",
                     minisim_context_error(worker->context));
        pthread_mutex_lock(&batch->lock);
        slot->finished = true;
        report_rows(batch);
    }
    pthread_mutex_unlock(&batch->lock);
    return NULL;
}

/* Starts threads for all workers but the first; one that cannot be started does without. */
static void run_workers(struct worker *workers, size_t count) {
    size_t started = 1;
    while (started < count &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
}

minisim_status minisim_embed_batch(minisim_context *const *contexts, size_t count,
                                   minisim_next_fn next, minisim_row_fn row, void *user) {
    return ms_embed_batch(contexts, count, next, embed, row, user);
}

minisim_status ms_embed_batch(minisim_context *const *contexts, size_t count, minisim_next_fn next,
                              ms_embed_fn *embed_one, minisim_row_fn row, void *user) {
    if (!contexts || count == 0 || count > 4096 || !next || !row)
        return MINISIM_BAD_ARGUMENT;
    for (size_t i = 0; i < count; i++) {
        if (!contexts[i] ||
            minisim_context_model(contexts[i]) != minisim_context_model(contexts[0]))
            return MINISIM_BAD_ARGUMENT;
        for (size_t j = 0; j < i; j++)
            if (contexts[j] == contexts[i])
                return MINISIM_BAD_ARGUMENT;
    }
    struct batch batch = {.next = next, .embed = embed_one, .row = row, .user = user};
    batch.slot_count = count == 1 ? 1 : slots_per_thread * count;
    batch.dimension = minisim_model_dimension(minisim_context_model(contexts[0]));
    batch.slots = calloc(batch.slot_count, sizeof *batch.slots);
    batch.embeddings = calloc(batch.slot_count * batch.dimension, sizeof *batch.embeddings);
    struct worker *workers = calloc(count, sizeof *workers);
    minisim_status status = MINISIM_OUT_OF_MEMORY;
    if (batch.slots && batch.embeddings && workers) {
        for (size_t i = 0; i < count; i++)
            workers[i] = (struct worker){.batch = &batch, .context = contexts[i]};
        pthread_mutex_init(&batch.lock, NULL);
        pthread_cond_init(&batch.moved, NULL);
        run_workers(workers, count);
        pthread_cond_destroy(&batch.moved);
        pthread_mutex_destroy(&batch.lock);
        status = batch.cancelled ? MINISIM_CANCELLED : MINISIM_OK;
    }
    free(workers);
    free(batch.embeddings);
    free(batch.slots);
    return status;
}
