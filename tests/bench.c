/*
 * bench WEIGHTS [CPU]: the time of each layer (whole tensors, one after the other) and of the whole
 * network (planned and fused, as `embed` runs it), as GMAC/s and as a share of the multiply-adds a
 * second that this core reaches with nothing else to do, measured in the same run. One thread;
 * medians.
 */
#include "net/run.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { repeats = 25, layers_max = 1024 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

#if defined(__x86_64__)
/* Twelve independent chains in registers: enough for two units with a latency of four. */
#define FMA(R, N) "vfmadd231ps %%" R "15, %%" R "15, %%" R N "\n\t"
#define PEAK(NAME, FEATURES, R, LANES)                                                             \
    __attribute__((target(FEATURES))) static double NAME(void) {                                   \
        enum { rounds = 100000 };                                                                  \
        double start = now();                                                                      \
        long left = rounds;                                                                        \
        __asm__ volatile("vzeroall\n1:\n\t" FMA(R, "0") FMA(R, "1") FMA(R, "2") FMA(R, "3")        \
                             FMA(R, "4") FMA(R, "5") FMA(R, "6") FMA(R, "7") FMA(R, "8")           \
                                 FMA(R, "9") FMA(R, "10") FMA(R, "11") "dec %0\n\tjnz 1b"          \
                         : "+r"(left)                                                              \
                         :                                                                         \
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
                           "xmm9", "xmm10", "xmm11", "xmm15", "cc");                               \
        return 12.0 * LANES * rounds / (now() - start);                                            \
    }
PEAK(avx2_peak, "avx2,fma", "ymm", 8)
PEAK(avx512_peak, "avx512f", "zmm", 16)
#endif

/* Multiply-adds a second, in a burst of a third of a millisecond; 0 where not known. */
static double peak_of(const char *table) {
#if defined(__x86_64__)
    if (strcmp(table, "avx2") == 0)
        return avx2_peak();
    if (strcmp(table, "avx512") == 0)
        return avx512_peak();
#endif
    (void)table;
    return 0;
}

struct layer_times {
    char names[layers_max][40];
    double macs[layers_max], times[layers_max][repeats];
    size_t count, repeat, in_channels;
    double last;
};

/* Called after each layer: what passed since the last call is its time. */
static void take_time(void *user, const char *name, const float *values, size_t side,
                      size_t channels) {
    struct layer_times *t = user;
    (void)values;
    double passed = now() - t->last;
    if (t->count < layers_max) {
        bool depthwise = strstr(name, "depthwise") != NULL, stem = strcmp(name, "stem") == 0;
        double inputs = stem ? 27 : depthwise ? 9 : (double)t->in_channels;
        snprintf(t->names[t->count], sizeof t->names[0], "%s", name);
        t->macs[t->count] = strcmp(name, "embedding") == 0
                                ? 0
                                : inputs * (double)channels * (double)side * (double)side;
        t->times[t->count++][t->repeat] = passed;
    }
    t->in_channels = channels;
    t->last = now();
}

static void print_row(const char *name, double seconds, double macs, double peak) {
    printf("%-22s %9.1f us %8.2f MMAC %7.2f GMAC/s", name, seconds * 1e6, macs / 1e6,
           macs / seconds / 1e9);
    if (peak > 0)
        printf(" %5.1f %%", 100 * macs / seconds / peak);
    printf("\n");
}

static void bench_layers(const minisim_model *model, const uint8_t *square) {
    double peaks[repeats];
    struct layer_times *t = calloc(1, sizeof *t);
    if (!t)
        return;
    for (t->repeat = 0; t->repeat < repeats; t->repeat++) {
        peaks[t->repeat] = peak_of(minisim_model_cpu(model));
        t->count = 0;
        t->last = now();
        ms_run_layers(model, square, take_time, t, NULL);
    }
    double all = 0, macs = 0, peak = median(peaks, repeats);
    for (size_t i = 0; i < t->count; i++) {
        double seconds = median(t->times[i], repeats);
        print_row(t->names[i], seconds, t->macs[i], peak);
        all += seconds;
        macs += t->macs[i];
    }
    print_row("sum of the layers", all, macs, peak);
    free(t);
}

/* The network and the peak in turn, so that a neighbour on a shared machine slows down both. */
static void bench_network(minisim_context *context, const minisim_model *model,
                          const uint8_t *square) {
    double times[4 * repeats] = {0}, peaks[4 * repeats] = {0};
    minisim_model_info info = {.size = sizeof info};
    minisim_model_describe(model, &info);
    float *embedding = calloc(minisim_model_dimension(model), sizeof *embedding);
    minisim_pixels pixels = {.pixels = square,
                             .width = info.input_size,
                             .height = info.input_size,
                             .format = MINISIM_RGB};
    for (size_t i = 0; i < 4 * repeats && embedding; i++) {
        double start = now();
        if (minisim_embed_pixels(context, &pixels, embedding))
            fprintf(stderr, "bench: %s\n", minisim_context_error(context));
        times[i] = now() - start;
        peaks[i] = peak_of(minisim_model_cpu(model));
    }
    double peak = median(peaks, 4 * repeats), macs = (double)info.multiply_adds;
    print_row("network, as embed runs", median(times, 4 * repeats), macs, peak);
    print_row("the same, fastest", times[0], macs, peaks[4 * repeats - 1]);
    printf("peak of one core, measured in turn: median %.1f, highest %.1f GMAC/s\n", peak / 1e9,
           peaks[4 * repeats - 1] / 1e9);
    free(embedding);
}

int main(int argc, char **argv) {
    minisim_error error;
    minisim_model *model;
    minisim_context *context;
    minisim_model_options options = {.size = sizeof options, .cpu = argc > 2 ? argv[2] : NULL};
    if (argc < 2 || minisim_model_open(argv[1], &options, &model, &error)) {
        fprintf(stderr, "bench: %s\n", argc < 2 ? "bench WEIGHTS [CPU]" : error.text);
        return 2;
    }
    minisim_context_options preprocessed = {.size = sizeof preprocessed, .preprocessed = 1};
    size_t side = minisim_model_input_size(model);
    uint8_t *square = malloc(side * side * 3);
    if (!square || minisim_context_open(model, &preprocessed, &context, &error))
        return 4;
    for (size_t i = 0; i < side * side * 3; i++)
        square[i] = (uint8_t)(i * 2654435761u >> 13);
    /* The layers' tensors stay mapped from one repetition to the next. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    printf("CPU: %s; kernels: %s; input %zu\n", ms_cpu_features(), minisim_model_cpu(model), side);
    bench_layers(model, square);
    bench_network(context, model, square);
    minisim_context_close(context);
    minisim_model_close(model);
    free(square);
    return 0;
}
