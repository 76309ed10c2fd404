/*
 * minisim selftest: are the numbers here those of every other machine? A drawn picture goes through
 * a made network on every table of kernels, as an encoded file in memory, a layer at a time and
 * then streamed; what comes out at each step is held against digests that stand here.
 */
#include "base/json.h"
#include "base/sha256.h"
#include "cli/console.h"
#include "cli/made_weights.h"
#include "cli/pictures.h"
#include "cli/verbs.h"
#include "net/watch.h"
#include "picture/prepare.h"

#include <stdlib.h>
#include <string.h>

static const struct ms_option selftest_options[] = {
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_selftest = {
    "selftest",
    "",
    "check that this machine gives the numbers of all others",
    "Draws a picture, makes a small network, embeds the one with the other on every table of\n"
    "kernels that this CPU has, and compares the SHA-256 of the pixels, the network's input,\n"
    "each layer and the embedding with those written in the program. Takes about a second.\n"
    "Exit status 10: something differs, and the numbers of this machine or build are wrong.\n"
    "With --json, every layer's digest.\n"
    "\n"
    "  minisim selftest",
    {selftest_options},
    ms_run_selftest};

/* Resized from 150 to 96 across, and from 60 to 96 down. */
enum { WIDTH = 150, HEIGHT = 60, SIDE = 96, DIMENSION = 1280, THREADS = 3 };
static const char header[] = "P6 150 60 255\n";
enum { HEADER_SIZE = sizeof header - 1, FILE_SIZE = HEADER_SIZE + WIDTH * HEIGHT * 3 };

/*
 * Of every value that a watched context hands out, in order, the first digits of its SHA-256; of
 * the squares of all geometries and filters, and of the embedding, all of them. They belong to
 * MINISIM_NUMERICS: minisim selftest --json shows what is found.
 */
enum { DIGITS = 8, VALUES = 57 };
static const char values[VALUES][DIGITS + 1] = {
    "952bdf62", "4763b0c4", "3f6872d8", "defd9ffb", "88d18e2d", "74c12f1a", "5cb66a80", "9efbc0b7",
    "85d28a6b", "e447f3f6", "dc6996e8", "d32f2c26", "87ac606b", "aa327310", "7b3f83cf", "09c249d2",
    "ecf34ce9", "abe05a63", "04e829f0", "bc12a1cb", "688262be", "fc014dd0", "f7c1f2de", "af3297e8",
    "3659a5e6", "ded3e375", "a6944b74", "dd87a1e2", "c96aef91", "5242b462", "1379a196", "9817f81f",
    "252f4df2", "6cd94594", "2db886dd", "2383a6df", "ce544317", "dd2bc63d", "2d16f016", "aa8db675",
    "08628648", "aabcce63", "65c05a3f", "c4f82817", "2e5d1387", "952f71f8", "671bf502", "a52b5a55",
    "81cc8ca4", "804d7e65", "34e84223", "cde26c13", "435fd083", "e410af30", "d2f9b5b4", "0c70434e",
    "532ffc15"};
static const char squares[] = "3da2903ccc6237fa5b6185996e21ca2dbca251183d2ac632591448e6b2d8e57d";
static const char embedding[] = "532ffc15c99d2e051617fb17dbc750c44973569acd4af9ce2d893e275c72d928";

struct selftest {
    int json_format;
    struct ms_json json;
    uint8_t file[FILE_SIZE]; /* the picture */
    const char *cpu;
    size_t seen;     /* values, of this table */
    char group[32];  /* of checks that share a line; "": none yet */
    char first[160]; /* which of them differed first; "": none */
    size_t differing;
};

/* A group's line. */
static void end_group(struct selftest *s) {
    if (*s->group && !s->json_format)
        printf("%-7s  %-9s  %s%s\n", *s->first ? "differs" : "ok", s->cpu, s->group, s->first);
    *s->group = *s->first = '\0';
}

/* One digest, against as many of its digits as are known. */
static void check(struct selftest *s, const char *group, const char *name, const char hash[65],
                  const char *expected) {
    bool passed = strncmp(hash, expected, strlen(expected)) == 0;
    if (strcmp(s->group, group) != 0)
        end_group(s);
    snprintf(s->group, sizeof s->group, "%s", group);
    s->differing += !passed;
    if (!passed && !*s->first)
        snprintf(s->first, sizeof s->first, ": first %s, %.*s... and not %.*s...", name, DIGITS,
                 hash, DIGITS, expected);
    if (!s->json_format)
        return;
    ms_json_open(&s->json, NULL, '{');
    ms_json_text(&s->json, "cpu", s->cpu);
    ms_json_text(&s->json, "check", group);
    ms_json_text(&s->json, "name", name);
    ms_json_text(&s->json, "sha256", hash);
    ms_json_bool(&s->json, "passed", passed);
    ms_json_close(&s->json, '}');
}

/* A step that ended in an error. Gives false. */
static bool fail(struct selftest *s, minisim_status status, const char *why) {
    end_group(s);
    ms_complain(NULL, "%s kernels: %s", s->cpu, why);
    if (status == MINISIM_OUT_OF_MEMORY)
        ms_note(MS_EXIT_SYSTEM);
    else
        s->differing++;
    return false;
}

/* Soft slopes that break off, and noise. */
static void draw(uint8_t file[FILE_SIZE]) {
    uint64_t seed = 1;
    memcpy(file, header, HEADER_SIZE);
    for (uint32_t i = 0; i < WIDTH * HEIGHT * 3; i++) {
        uint32_t x = i / 3 % WIDTH, y = i / 3 / WIDTH, c = i % 3;
        file[HEADER_SIZE + i] = (uint8_t)(x * (c + 1) + y * (5 - c) + ms_next_random(&seed) % 32);
    }
}

/* The picture's pixels to the network's square, in all ways that Pillow knows. */
static bool check_squares(struct selftest *s, const struct ms_kernels *kernels) {
    static const minisim_geometry geometries[] = {MINISIM_SQUASH, MINISIM_CROP, MINISIM_PAD};
    const minisim_pixels pixels = {
        .pixels = s->file + HEADER_SIZE, .width = WIDTH, .height = HEIGHT, .format = MINISIM_RGB};
    uint8_t square[SIDE * SIDE * 3];
    struct ms_arena arena;
    struct ms_sha256 hash;
    char hex[65];
    ms_arena_open(&arena, SIZE_MAX);
    ms_sha256_start(&hash);
    for (size_t i = 0; i < 6; i++) {
        const struct ms_preparation way = {.size = SIDE,
                                           .geometry = geometries[i / 2],
                                           .crop_size = SIDE,
                                           .resample = i % 2 ? MINISIM_BICUBIC : MINISIM_BILINEAR,
                                           .kernels = kernels};
        minisim_error error;
        minisim_status status = ms_prepare_pixels(&pixels, &way, &arena, square, &error);
        if (status)
            return fail(s, status, error.text);
        ms_sha256_add(&hash, square, sizeof square);
    }
    ms_sha256_finish(&hash, hex);
    check(s, "pixels", "squares", hex, squares);
    return true;
}

static void see(void *user, const struct ms_watched *value) {
    struct selftest *s = user;
    char hash[65];
    const char *group = !value->is_float                    ? "pixels"
                        : strcmp(value->name, "input") == 0 ? "input"
                                                            : "layers";
    ms_watched_hash(value, hash);
    check(s, group, value->name, hash, s->seen < VALUES ? values[s->seen] : "none");
    s->seen++;
}

/* The picture from file to embedding, streamed on so many threads, or watched where 0. */
static bool embed(struct selftest *s, const minisim_model *model, uint32_t threads) {
    minisim_context_options options = {.size = sizeof options, .threads = threads};
    minisim_context *context;
    minisim_error error;
    float vector[DIMENSION];
    struct ms_sha256 hash;
    char hex[65], group[32];
    minisim_status status = minisim_context_open(model, &options, &context, &error);
    if (status)
        return fail(s, status, error.text);
    if (threads == 0)
        ms_context_watch(context, (struct ms_watcher){see, s});
    status = minisim_embed_memory(context, s->file, sizeof s->file, NULL, vector);
    if (status)
        fail(s, status, minisim_context_error(context));
    minisim_context_close(context);
    if (status || threads == 0)
        return status == MINISIM_OK;
    ms_sha256_start(&hash);
    ms_sha256_add_floats(&hash, vector, DIMENSION);
    ms_sha256_finish(&hash, hex);
    snprintf(group, sizeof group, "embedding, %u thread%s", (unsigned)threads,
             threads > 1 ? "s" : "");
    check(s, group, "embedding", hex, embedding);
    return true;
}

static void check_table(struct selftest *s, const struct ms_kernels *kernels,
                        const uint8_t *weights, size_t size) {
    minisim_model_options options = {.size = sizeof options, .cpu = kernels->name};
    minisim_model *model;
    minisim_error error;
    s->cpu = kernels->name;
    s->seen = 0;
    if (!check_squares(s, kernels))
        return;
    minisim_status status = minisim_model_open_memory(weights, size, &options, &model, &error);
    if (status)
        fail(s, status, error.text);
    else if (minisim_model_dimension(model) != DIMENSION)
        fail(s, MINISIM_BAD_WEIGHTS, "the weights were not read as they were made");
    else if (embed(s, model, 0) && embed(s, model, 1))
        embed(s, model, THREADS);
    minisim_model_close(model);
    end_group(s);
}

static void end_report(struct selftest *s) {
    bool passed = s->differing == 0 && ms_noted_status() == MS_EXIT_OK;
    if (s->json_format) {
        ms_json_close(&s->json, ']');
        ms_json_bool(&s->json, "passed", passed);
        ms_json_close(&s->json, '}');
        putchar('\n');
    } else if (passed) {
        printf("passed: the numbers here are those of numerics version %d\n", MINISIM_NUMERICS);
    } else if (s->differing) {
        printf("differs: the numbers here are not those of numerics version %d\n",
               MINISIM_NUMERICS);
    }
    if (s->differing)
        ms_note(MS_EXIT_DIFFERS);
}

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct selftest *s = settings;
    return ms_take_choice(option, value, formats, &s->json_format);
}

void ms_run_selftest(const struct ms_verb *verb, int argc, char **argv) {
    struct selftest s = {.json = {.file = stdout}};
    size_t count, size;
    if (!ms_parse_options(verb, argc, argv, take_option, &s, &count))
        return;
    if (count > 0) {
        ms_refuse_usage("selftest takes no %s: it draws its own pictures", argv[0]);
        return;
    }
    uint8_t *weights = ms_make_weights(&size);
    if (!weights) {
        ms_out_of_memory();
        return;
    }
    draw(s.file);
    if (s.json_format) {
        ms_json_open(&s.json, NULL, '{');
        ms_json_count(&s.json, "schema", 1);
        ms_json_text(&s.json, "version", minisim_version());
        ms_json_count(&s.json, "numerics", MINISIM_NUMERICS);
        ms_json_open(&s.json, "checks", '[');
    }
    for (const struct ms_kernels *const *table = ms_kernels_available(); *table; table++)
        check_table(&s, *table, weights, size);
    end_report(&s);
    free(weights);
}
