/*
 * minisim verify: is every byte of a catalogue what was written? And, with --recompute, do pictures
 * still give their vectors, bit for bit?
 */
#include "base/text.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/decoder.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>

static const struct ms_option verify_options[] = {
    {MS_OPTION_RECOMPUTE, "recompute", 0, "N",
     "embed N of the pictures again, spread over all,\nand compare every bit"},
    {0}};

const struct ms_verb ms_verb_verify = {
    "verify",
    "CATALOGUE",
    "check a catalogue for damage",
    "Reads all of a catalogue and names the records that damage hurts.\n"
    "\n"
    "  minisim verify shop.msc\n"
    "  minisim verify --recompute 100 shop.msc",
    {verify_options, ms_network_options, ms_picture_options},
    ms_run_verify};

struct verification {
    struct ms_picture_settings pictures;
    uint64_t recompute;
    const char *path;
    struct ms_catalogue *catalogue;
    struct ms_engine engine;
    const struct ms_kernels *kernels;
    struct ms_stored kept, made;
    float *embedding;
    uint64_t met, same, skipped; /* records; recomputed ones; those whose file is another now */
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    struct verification *v = settings;
    if (option->id == MS_OPTION_RECOMPUTE)
        return ms_take_count(option, value, 1, UINT64_MAX >> 32, &v->recompute);
    return ms_take_picture_option(&v->pictures, option, value);
}

/* "records 3 to 5 (PATH ... PATH)", as far as their names can be read. */
static void say_damage(void *user, const char *what, uint64_t first, uint64_t count) {
    const struct verification *v = user;
    char path[MS_PATH_MOST + 1];
    ms_complain(v->path, "%s%s", what, count > 0 ? ", which hurts:" : "");
    for (uint64_t id = first; id < first + count && id < first + 5; id++) {
        struct ms_record record;
        minisim_error error;
        size_t n;
        bool named = !ms_catalogue_records(v->catalogue, id, 1, &record, &n, &error) &&
                     !ms_catalogue_text(v->catalogue, id, &record, path, NULL, &error);
        fprintf(stderr, "  record %llu ", (unsigned long long)id);
        ms_write_name(stderr, named ? path : "whose name is damaged");
        putc('\n', stderr);
    }
    if (count > 5)
        fprintf(stderr, "  up to record %llu\n", (unsigned long long)(first + count - 1));
}

/* ---- computing again ---- */

struct seen {
    const struct ms_record *record;
    bool other;
};

static bool see(void *user, const uint8_t content[32], uint32_t width, uint32_t height) {
    struct seen *seen = user;
    (void)width;
    (void)height;
    return seen->other = memcmp(content, seen->record->content, 32) != 0;
}

static bool is_same(const struct ms_stored *a, const struct ms_stored *b) {
    return memcmp(a->values, b->values, a->stride) == 0 && a->norms[0] == b->norms[0] &&
           (a->type != MS_I8 || memcmp(a->scales, b->scales, sizeof *a->scales) == 0);
}

/* Is it one of the N of `of` that are spread evenly? */
static bool is_chosen(const struct verification *v, uint64_t at, uint64_t of) {
    return v->recompute >= of || (at + 1) * v->recompute / of > at * v->recompute / of;
}

static bool recompute_one(void *user, uint64_t id, const struct ms_record *record, const char *path,
                          const char *label) {
    struct verification *v = user;
    struct seen seen = {record, false};
    minisim_error error;
    (void)label;
    if (!is_chosen(v, v->met++, ms_catalogue_count(v->catalogue)))
        return true;
    minisim_status status =
        ms_embed_path(&v->pictures, v->engine.contexts[0], path, see, &seen, v->embedding);
    if (status) {
        ms_complain(path, "%s",
                    seen.other ? "it is another picture now: not compared"
                               : minisim_context_error(v->engine.contexts[0]));
        if (!seen.other)
            ms_note(status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM : MS_EXIT_SOME_FAILED);
        v->skipped++;
        return !ms_interrupted();
    }
    status = ms_catalogue_vectors(v->catalogue, id, 1, &v->kept, &error);
    if (status)
        return ms_catalogue_failed(v->path, status, &error);
    if (ms_stored_put(v->kernels, &v->made, 0, v->embedding) && is_same(&v->kept, &v->made)) {
        v->same++;
    } else {
        ms_complain(path, "its vector in the catalogue is not the one that it gives");
        ms_note(MS_EXIT_WEIGHTS);
    }
    return !ms_interrupted();
}

static void recompute(struct verification *v) {
    const struct ms_origin *ours = ms_catalogue_origin(v->catalogue);
    struct ms_origin origin;
    minisim_error error;
    if (!ms_open_engine(&v->pictures, 1, &v->engine))
        return;
    v->kernels = ms_kernels_choose(NULL);
    v->embedding = malloc(minisim_model_dimension(v->engine.model) * sizeof *v->embedding);
    if (!v->embedding || !ms_stored_open(&v->kept, ours->type, ours->dimension, 1) ||
        !ms_stored_open(&v->made, ours->type, ours->dimension, 1)) {
        ms_out_of_memory();
    } else {
        ms_origin_of(v->engine.contexts[0], ms_region_of(&v->pictures), &origin);
        minisim_status status = ms_check_reading(ours, &origin, &error);
        if (status)
            ms_catalogue_failed(v->path, status, &error);
        else if (ms_each_record(v->path, v->catalogue, recompute_one, v))
            printf("%llu computed again, bit for bit the same; %llu not compared\n",
                   (unsigned long long)v->same, (unsigned long long)v->skipped);
    }
    ms_stored_close(&v->kept);
    ms_stored_close(&v->made);
    free(v->embedding);
    ms_close_engine(&v->engine);
}

static void verify(struct verification *v) {
    char number[MS_NUMBER_SIZE];
    minisim_error error;
    minisim_status status = ms_catalogue_verify(v->catalogue, say_damage, v, &error);
    if (status) {
        ms_catalogue_failed(v->path, status, &error);
        return;
    }
    uint64_t records = ms_catalogue_count(v->catalogue);
    printf("%s record%s, undamaged\n", ms_count_text(records, number), records == 1 ? "" : "s");
    if (v->recompute)
        recompute(v);
}

void ms_run_verify(const struct ms_verb *verb, int argc, char **argv) {
    struct verification v = {0};
    size_t count;
    if (!ms_parse_options(verb, argc, argv, take_option, &v, &count))
        return;
    if (count != 1) {
        ms_refuse_usage("verify takes one CATALOGUE; see minisim verify --help");
        return;
    }
    v.path = argv[0];
    if (ms_open_damaged(v.path, &v.catalogue)) {
        verify(&v);
        ms_catalogue_close(v.catalogue);
    }
}
