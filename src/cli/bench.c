/*
 * minisim bench: how fast this machine runs the network, against what its multipliers could do,
 * measured in the same run: the peak and what is compared with it take turns, so that a neighbour
 * on a shared machine slows down both. Everything is measured first, then printed for people or as
 * JSON. Times are medians.
 */
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/pictures.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "net/run.h"
#include "picture/decode.h"
#include "picture/prepare.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct ms_option bench_options[] = {
    {MS_OPTION_FORMAT, "format", 0, "FORMAT",
     "text or json (one object; network.ms is the median)"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {MS_OPTION_THREADS, "threads", 0, "N", "measure 1 and N threads (one for each CPU)"},
    {0}};

const struct ms_verb ms_verb_bench = {
    "bench",
    "[PICTURE...]",
    "measure how fast this machine embeds",
    "Measures the network, whole and layer by layer, on each table of kernels, against the\n"
    "multiply-adds a second that a core reaches with nothing else to do; and each PICTURE's way\n"
    "from file to embedding. Takes some seconds. Let nothing else run meanwhile.\n"
    "\n"
    "  minisim bench photo.jpg\n"
    "  minisim bench --json --cpu avx2",
    {bench_options, ms_network_options},
    ms_run_bench};

enum {
    ROUNDS = 20,
    RUN = 5,
    LAYER_ROUNDS = 21,
    LAYERS_MAX = 3 * MS_BLOCKS_MAX + 3,
    SPEEDS_MAX = 8
};

/* How long the whole network takes on a table of kernels with so many threads. */
struct speed {
    const char *cpu;
    size_t threads;
    double seconds, fastest, peak; /* peak: multiply-adds a second of one core, or 0 */
};

struct layer {
    char name[40];
    double macs, seconds[LAYER_ROUNDS]; /* the first bench->rounds of them; sorted at the end */
};

/* A picture's way, in seconds. */
struct way {
    const char *path;
    unsigned width, height;
    double read, decode, resize, network;
};

struct bench {
    struct ms_picture_settings pictures;
    int json;
    minisim_model_info info;
    const struct ms_kernels *kernels; /* in use */
    uint8_t *square;
    double load, peak; /* seconds; multiply-adds a second */
    double rates[2];   /* pictures a second, on one thread and on all */
    size_t threads;
    struct speed speeds[SPEEDS_MAX];
    size_t speed_count;
    struct layer layers[LAYERS_MAX];
    size_t layer_count, rounds, channels;
    double last; /* when the last layer ended */
    struct way *ways;
    size_t way_count;
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct bench *bench = settings;
    if (option->id == MS_OPTION_FORMAT)
        return ms_take_choice(option, value, formats, &bench->json);
    return ms_take_picture_option(&bench->pictures, option, value);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rounds end early on slow kernels: so long after the first. */
static bool enough(double start) {
    return ms_now() - start > 1.5;
}

/* Sorts, too. */
static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

/* Multiply-adds a second in a burst of a fraction of a millisecond; 0: not known. */
static double measure_peak(const struct ms_kernels *kernels) {
    enum { rounds = 40000 };
    if (!kernels->saturate)
        return 0;
    double start = ms_now(), macs = kernels->saturate(rounds);
    return macs / (ms_now() - start);
}

/* false: that was said and noted. */
static bool open_context(const struct bench *bench, const minisim_model *model, size_t threads,
                         minisim_context **context) {
    minisim_context_options options = bench->pictures.context;
    minisim_error error;
    options.size = sizeof options;
    options.preprocessed = 1;
    options.threads = (uint32_t)threads;
    minisim_status status = minisim_context_open(model, &options, context, &error);
    if (status == MINISIM_OK)
        return true;
    ms_complain(NULL, "%s", error.text);
    ms_note_refusal(status);
    return false;
}

static minisim_pixels square_of(const struct bench *bench) {
    return (minisim_pixels){.pixels = bench->square,
                            .width = bench->info.input_size,
                            .height = bench->info.input_size,
                            .format = MINISIM_RGB};
}

/* Several pictures one after the other, as a stream of them would come, after one that wakes the
 * threads. */
static void time_network(minisim_context *context, const minisim_pixels *pixels, float *embedding,
                         double seconds[RUN]) {
    minisim_embed_pixels(context, pixels, embedding);
    for (size_t i = 0; i < RUN; i++) {
        double start = ms_now();
        minisim_embed_pixels(context, pixels, embedding);
        seconds[i] = ms_now() - start;
    }
}

/* The network on a model's table: on one thread, on `threads` if that is more, and the peak, in
 * turn. */
static bool measure_table(struct bench *bench, const minisim_model *model, size_t threads,
                          float *embedding) {
    double seconds[2][ROUNDS * RUN] = {{0}}, peaks[ROUNDS] = {0};
    minisim_context *contexts[2] = {0};
    minisim_pixels pixels = square_of(bench);
    const struct ms_kernels *kernels = ms_kernels_choose(minisim_model_cpu(model));
    size_t rounds = 0, kinds = threads > 1 ? 2 : 1;
    bool good = open_context(bench, model, 1, &contexts[0]) &&
                (kinds == 1 || open_context(bench, model, threads, &contexts[1]));
    for (double start = ms_now(); good && rounds < ROUNDS && (!rounds || !enough(start));
         rounds++) {
        for (size_t kind = 0; kind < kinds; kind++)
            time_network(contexts[kind], &pixels, embedding, seconds[kind] + rounds * RUN);
        peaks[rounds] = measure_peak(kernels);
    }
    for (size_t kind = 0; kind < kinds && good; kind++) {
        struct speed *speed = &bench->speeds[bench->speed_count++];
        *speed = (struct speed){.cpu = kernels->name, .threads = kind ? threads : 1};
        speed->seconds = median(seconds[kind], rounds * RUN);
        speed->fastest = seconds[kind][0];
        speed->peak = median(peaks, rounds);
    }
    minisim_context_close(contexts[0]);
    minisim_context_close(contexts[1]);
    return good;
}

/* Each table on one thread; the one in use last, and on all threads, too. */
static bool measure_tables(struct bench *bench, const minisim_model *model, const char *path) {
    float *embedding = calloc(minisim_model_dimension(model), sizeof *embedding);
    bool good = embedding != NULL;
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t && good; t++) {
        minisim_model_options options = {.size = sizeof options, .cpu = (*t)->name};
        minisim_error error;
        minisim_model *other;
        if (*t == bench->kernels || bench->pictures.model.cpu)
            continue;
        minisim_status status = minisim_model_open(path, &options, &other, &error);
        if (status) {
            ms_complain(path, "%s", error.text);
            ms_note_refusal(status);
        }
        good = !status && measure_table(bench, other, 1, embedding);
        minisim_model_close(other);
    }
    good = good && measure_table(bench, model, bench->threads, embedding);
    free(embedding);
    return good;
}

/* Called after each layer: what passed since the last call is its time. */
static void take_layer(void *user, const char *name, const float *values, size_t side,
                       size_t channels) {
    struct bench *bench = user;
    double passed = ms_now() - bench->last;
    (void)values;
    if (bench->layer_count < LAYERS_MAX) {
        struct layer *layer = &bench->layers[bench->layer_count++];
        double inputs = strcmp(name, "stem") == 0        ? 27
                        : strcmp(name, "embedding") == 0 ? 0
                        : strstr(name, "depthwise")      ? 9
                                                         : (double)bench->channels;
        snprintf(layer->name, sizeof layer->name, "%s", name);
        layer->macs = inputs * (double)(side * side * channels);
        layer->seconds[bench->rounds] = passed;
    }
    bench->channels = channels;
    bench->last = ms_now();
}

static bool measure_layers(struct bench *bench, const minisim_model *model) {
    double peaks[LAYER_ROUNDS] = {0};
    minisim_error error;
    double start = ms_now();
    for (; bench->rounds < LAYER_ROUNDS && (!bench->rounds || !enough(start)); bench->rounds++) {
        peaks[bench->rounds] = measure_peak(bench->kernels);
        bench->layer_count = 0;
        bench->last = ms_now();
        minisim_status status = ms_run_layers(model, bench->square, take_layer, bench, &error);
        if (status) {
            ms_complain(NULL, "%s", error.text);
            ms_note_refusal(status);
            return false;
        }
    }
    bench->peak = median(peaks, bench->rounds);
    return true;
}

/* ---- many pictures: rows that count themselves ---- */

struct series {
    minisim_pixels pixels;
    size_t left;
};

static int next_square(void *user, minisim_input *input) {
    struct series *series = user;
    *input = (minisim_input){.pixels = &series->pixels};
    if (!series->left)
        return 0;
    series->left--;
    return 1;
}

static int ignore_row(void *user, const minisim_row *row) {
    (void)user;
    return row->status != MINISIM_OK;
}

/* Pictures a second of a batch on so many of the contexts, 0 if it failed; it takes about a seventh
 * of a second. */
static double batch_rate(const struct bench *bench, minisim_context **contexts, size_t threads) {
    double seconds = bench->speeds[bench->speed_count - 1].seconds;
    size_t pictures = (1 + (size_t)(0.14 / seconds)) * threads;
    struct series series = {square_of(bench), pictures};
    double start = ms_now();
    minisim_status status =
        minisim_embed_batch(contexts, threads, next_square, ignore_row, &series);
    return status ? 0 : (double)pictures / (ms_now() - start);
}

/* One thread and all of them, in turn. */
static bool measure_batches(struct bench *bench, const minisim_model *model) {
    enum { most = 9 };
    double rates[2][most] = {{0}};
    minisim_context *contexts[MS_TEAM_MAX] = {0};
    bool good = true;
    for (size_t i = 0; i < bench->threads && good; i++)
        good = open_context(bench, model, 1, &contexts[i]);
    size_t rounds = 0;
    for (double start = ms_now(); good && rounds < most && (!rounds || !enough(start)); rounds++) {
        rates[0][rounds] = batch_rate(bench, contexts, 1);
        rates[1][rounds] = batch_rate(bench, contexts, bench->threads);
        good = rates[0][rounds] > 0 && rates[1][rounds] > 0;
    }
    bench->rates[0] = good ? median(rates[0], rounds) : 0;
    bench->rates[1] = good ? median(rates[1], rounds) : 0;
    for (size_t i = 0; i < bench->threads; i++)
        minisim_context_close(contexts[i]);
    return good;
}

/* ---- from file to embedding ---- */

/* One picture once; *way gets the times. */
static minisim_status go_way(const struct bench *bench, minisim_context *context, struct way *way,
                             float *embedding, uint8_t *square, minisim_error *error) {
    struct ms_arena arena;
    struct ms_scan scan;
    minisim_pixels pixels, prepared = square_of(bench);
    uint64_t size;
    int descriptor;
    uint8_t *bytes = NULL;
    double start = ms_now(), end;
    minisim_status status = ms_file_open(way->path, &descriptor, &size, error);
    if (status)
        return status;
    ms_arena_open(&arena, SIZE_MAX);
    bytes = size < SIZE_MAX ? ms_arena_allocate(&arena, (size_t)size) : NULL;
    status = bytes ? ms_file_read(descriptor, bytes, (size_t)size, error) : MINISIM_OUT_OF_MEMORY;
    close(descriptor);
    way->read = (end = ms_now()) - start, start = end;
    if (!status)
        status = ms_scan_picture(bytes, (size_t)size, UINT32_MAX, &scan, error);
    if (!status)
        status = ms_decode_picture(bytes, (size_t)size, &scan, &arena, &pixels, error);
    way->decode = (end = ms_now()) - start, start = end;
    if (!status) {
        struct ms_preparation squash = {.size = bench->info.input_size,
                                        .geometry = MINISIM_SQUASH,
                                        .resample = MINISIM_BILINEAR,
                                        .background = 0xffffff,
                                        .kernels = bench->kernels};
        way->width = pixels.width;
        way->height = pixels.height;
        status = ms_prepare_pixels(&pixels, &squash, &arena, square, error);
    }
    ms_arena_close(&arena);
    way->resize = (end = ms_now()) - start, start = end;
    prepared.pixels = square;
    if (!status)
        status = minisim_embed_pixels(context, &prepared, embedding);
    way->network = ms_now() - start;
    return status;
}

static bool measure_way(const struct bench *bench, minisim_context *context, struct way *way,
                        float *embedding, uint8_t *square) {
    enum { most = 9 };
    double parts[4][most] = {{0}};
    minisim_error error = {"out of memory"};
    size_t rounds = 0;
    for (double start = ms_now(); rounds < most && (!rounds || !enough(start)); rounds++) {
        minisim_status status = go_way(bench, context, way, embedding, square, &error);
        if (status) {
            ms_complain(way->path, "%s", error.text);
            ms_note(MS_EXIT_SOME_FAILED);
            return false;
        }
        parts[0][rounds] = way->read, parts[1][rounds] = way->decode;
        parts[2][rounds] = way->resize, parts[3][rounds] = way->network;
    }
    way->read = median(parts[0], rounds), way->decode = median(parts[1], rounds);
    way->resize = median(parts[2], rounds), way->network = median(parts[3], rounds);
    return true;
}

static bool measure_ways(struct bench *bench, const minisim_model *model, size_t count,
                         char **paths) {
    size_t square_bytes = (size_t)bench->info.input_size * bench->info.input_size * 3;
    float *embedding = calloc(minisim_model_dimension(model), sizeof *embedding);
    uint8_t *square = malloc(square_bytes);
    minisim_context *context = NULL;
    bench->ways = calloc(count ? count : 1, sizeof *bench->ways);
    bool good = embedding && square && bench->ways && open_context(bench, model, 1, &context);
    for (size_t i = 0; i < count && good; i++) {
        struct way *way = &bench->ways[bench->way_count];
        way->path = paths[i];
        bench->way_count += measure_way(bench, context, way, embedding, square);
    }
    minisim_context_close(context);
    free(square);
    free(embedding);
    return good;
}

/* ---- printing ---- */

static void print_speed(const char *name, double seconds, double macs, double peak) {
    printf("  %-20s %9.3f ms %8.2f million %8.2f GMAC/s", name, seconds * 1e3, macs / 1e6,
           macs / seconds / 1e9);
    if (peak > 0)
        printf(" %6.1f %%", 100 * macs / seconds / peak);
    putchar('\n');
}

static long peak_memory(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0; /* KiB */
}

static void print_text(struct bench *bench) {
    char name[80];
    double macs = (double)bench->info.multiply_adds, all = 0;
    printf("%s; kernels %s; input %u x %u\n", *ms_cpu_name(name) ? name : "CPU",
           bench->kernels->name, (unsigned)bench->info.input_size,
           (unsigned)bench->info.input_size);
    printf("\nWhole network: time, multiply-adds, share of a core's peak (of all cores')\n");
    for (size_t i = 0; i < bench->speed_count; i++) {
        const struct speed *s = &bench->speeds[i];
        snprintf(name, sizeof name, "%s, %zu thread%s", s->cpu, s->threads,
                 s->threads == 1 ? "" : "s");
        print_speed(name, s->seconds, macs, s->peak * (double)s->threads);
        printf("  %20s %9.3f ms", "fastest", s->fastest * 1e3);
        if (s->peak > 0)
            printf("; peak of a core %.1f GMAC/s", s->peak / 1e9);
        putchar('\n');
    }
    printf("  many pictures: %.1f a second on one thread", bench->rates[0]);
    if (bench->threads > 1)
        printf(", %.1f on %zu", bench->rates[1], bench->threads);
    putchar('\n');
    printf("\nLayer by layer, whole tensors, %s, one thread\n", bench->kernels->name);
    for (size_t i = 0; i < bench->layer_count; i++) {
        struct layer *layer = &bench->layers[i];
        double seconds = median(layer->seconds, bench->rounds);
        print_speed(layer->name, seconds, layer->macs, bench->peak);
        all += seconds;
    }
    print_speed("sum of the layers", all, macs, bench->peak);
    if (bench->way_count)
        printf("\nFrom file to embedding, one thread: read + decode + resize + network, ms\n");
    for (size_t i = 0; i < bench->way_count; i++) {
        const struct way *w = &bench->ways[i];
        printf("  %8.3f = %.3f + %.3f + %.3f + %.3f  %u x %u  ",
               1e3 * (w->read + w->decode + w->resize + w->network), 1e3 * w->read, 1e3 * w->decode,
               1e3 * w->resize, 1e3 * w->network, w->width, w->height);
        ms_write_name(stdout, w->path);
        putchar('\n');
    }
    printf("\nLoading the weights: %.2f ms; peak resident memory: %ld KiB\n", bench->load * 1e3,
           peak_memory());
}

static void json_speed(struct ms_json *json, const char *key, const struct speed *s) {
    ms_json_open(json, key, '{');
    ms_json_text(json, "cpu", s->cpu);
    ms_json_count(json, "threads", s->threads);
    ms_json_double(json, "ms", s->seconds * 1e3);
    ms_json_double(json, "fastest_ms", s->fastest * 1e3);
    ms_json_double(json, "core_peak_gmacs", s->peak / 1e9);
    ms_json_close(json, '}');
}

static void print_json(struct bench *bench) {
    struct ms_json json = {.file = stdout};
    char name[80];
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_text(&json, "cpu_name", ms_cpu_name(name));
    ms_json_count(&json, "multiply_adds", bench->info.multiply_adds);
    for (size_t i = 0; i < bench->speed_count; i++)
        if (bench->speeds[i].threads == 1 && bench->speeds[i].cpu == bench->kernels->name)
            json_speed(&json, "network", &bench->speeds[i]);
    ms_json_open(&json, "networks", '[');
    for (size_t i = 0; i < bench->speed_count; i++)
        json_speed(&json, NULL, &bench->speeds[i]);
    ms_json_close(&json, ']');
    ms_json_open(&json, "pictures_a_second", '{');
    ms_json_double(&json, "one_thread", bench->rates[0]);
    ms_json_double(&json, "all_threads", bench->rates[1]);
    ms_json_count(&json, "threads", bench->threads);
    ms_json_close(&json, '}');
    ms_json_open(&json, "layers", '[');
    for (size_t i = 0; i < bench->layer_count; i++) {
        ms_json_open(&json, NULL, '{');
        ms_json_text(&json, "name", bench->layers[i].name);
        ms_json_double(&json, "multiply_adds", bench->layers[i].macs);
        ms_json_double(&json, "ms", 1e3 * median(bench->layers[i].seconds, bench->rounds));
        ms_json_close(&json, '}');
    }
    ms_json_close(&json, ']');
    ms_json_open(&json, "pictures", '[');
    for (size_t i = 0; i < bench->way_count; i++) {
        const struct way *w = &bench->ways[i];
        ms_json_open(&json, NULL, '{');
        ms_json_name(&json, "path", w->path);
        ms_json_count(&json, "width", w->width);
        ms_json_count(&json, "height", w->height);
        ms_json_double(&json, "read_ms", 1e3 * w->read);
        ms_json_double(&json, "decode_ms", 1e3 * w->decode);
        ms_json_double(&json, "resize_ms", 1e3 * w->resize);
        ms_json_double(&json, "network_ms", 1e3 * w->network);
        ms_json_close(&json, '}');
    }
    ms_json_close(&json, ']');
    ms_json_double(&json, "load_ms", 1e3 * bench->load);
    ms_json_count(&json, "peak_resident_kib", (uint64_t)peak_memory());
    ms_json_close(&json, '}');
    putchar('\n');
}

/* ---- the verb ---- */

static bool measure(struct bench *bench, size_t count, char **paths) {
    minisim_model *model;
    char *path;
    double start = ms_now();
    if (!ms_open_model(&bench->pictures, &model, &path))
        return false;
    bench->load = ms_now() - start;
    bench->info.size = sizeof bench->info;
    minisim_model_describe(model, &bench->info);
    bench->kernels = ms_kernels_choose(minisim_model_cpu(model));
    size_t bytes = (size_t)bench->info.input_size * bench->info.input_size * 3;
    bench->square = malloc(bytes);
    for (size_t i = 0; i < bytes && bench->square; i++)
        bench->square[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13);
    bool good = bench->square && measure_tables(bench, model, path) &&
                measure_batches(bench, model) && measure_layers(bench, model) &&
                measure_ways(bench, model, count, paths);
    free(bench->square);
    minisim_model_close(model);
    free(path);
    return good;
}

void ms_run_bench(const struct ms_verb *verb, int argc, char **argv) {
    size_t count;
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench) {
        ms_out_of_memory();
    } else if (ms_parse_options(verb, argc, argv, take_option, bench, &count)) {
        bench->threads = ms_count_threads(&bench->pictures);
        if (measure(bench, count, argv)) {
            if (bench->json)
                print_json(bench);
            else
                print_text(bench);
        } else if (!ms_noted_status()) {
            ms_out_of_memory();
        }
        free(bench->ways);
    }
    free(bench);
}
