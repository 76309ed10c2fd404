/*
 * The kernels of resizing, each instruction set that this CPU has against the plain C ones, and
 * those against sums in 64 bits; then resizing of pictures that are stored in other formats and
 * orientations, against that of the same picture as it is seen. Rows stand at the very end of
 * readable memory, outputs before guard bytes. Pillow's bytes: tools/check_resize.py.
 */
#include "kernels/kernels.h"
#include "picture/pixels.h"
#include "picture/resize.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { guard = 64, guard_byte = 0xa5, taps_max = 100 };

static uint64_t seed = 5;

/* Each instruction set, by the word that ms_cpu_features() has for it. */
static const struct {
    const char *name;
    const struct ms_resizer *resizer;
} sets[] = {
#if defined(__x86_64__)
    {"avx2", &ms_resizer_avx2},
    {"avx512", &ms_resizer_avx512},
#elif defined(__aarch64__)
    {"", &ms_resizer_neon},
#endif
    {"", &ms_resizer_reference},
};
enum { set_count = sizeof sets / sizeof *sets };

static bool runs_here(size_t set) {
    return strstr(ms_cpu_features(), sets[set].name) != NULL;
}

/* `n` bytes that end where memory ends; leave them with free_bytes. */
static uint8_t *bytes_at_end(size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (n + page - 1) / page * page;
    uint8_t *start =
        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(start != MAP_FAILED);
    assert_int_equal(mprotect(start + room, page, PROT_NONE), 0);
    return start + room - n;
}

static void free_bytes(uint8_t *bytes, size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (n + page - 1) / page * page;
    munmap(bytes + n - room, room + page);
}

/* Noise with black and white, so that sums leave 0 to 255. */
static void fill(uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t r = next_random(&seed);
        bytes[i] = (uint8_t)(r % 3 == 0 ? 0 : r % 3 == 1 ? 255 : r >> 8);
    }
}

/* Weights whose magnitudes add up to nearly 2^23; sums lie on all sides of 0 and 255. */
static void fill_weights(int32_t *weights, size_t taps) {
    uint32_t left = (1u << 23) - 1;
    for (size_t i = 0; i < taps; i++) {
        uint32_t most = i + 1 < taps ? left / (uint32_t)(taps - i) * 2 : left;
        uint32_t magnitude = next_random(&seed) % ((most < left ? most : left) + 1);
        weights[i] = next_random(&seed) % 4 ? (int32_t)magnitude : -(int32_t)magnitude;
        left -= magnitude;
    }
}

static uint8_t clamped(int64_t sum) {
    return (uint8_t)(sum < 0 ? 0 : sum >> 22 > 255 ? 255 : sum >> 22);
}

struct across_case {
    size_t outputs, taps, first_max;
};

/* What every table must give, by plain sums. */
static void expect_across(const struct across_case *c, const uint8_t *row, const uint32_t *first,
                          const int32_t *weights, uint8_t *out) {
    for (size_t i = 0; i < c->outputs * 3; i++) {
        int64_t sum = 1 << 21;
        for (size_t k = 0; k < c->taps; k++)
            sum += (int64_t)row[(first[i / 3] + k) * 3 + i % 3] * weights[i / 3 * c->taps + k];
        out[i] = clamped(sum);
    }
}

/* One table: its taps rounded up to its group, row and outputs as long as they must be. */
static void across_on(size_t set, const struct across_case *c, const uint8_t *pixels,
                      const uint32_t *first, const int32_t *weights, const uint8_t *expected) {
    const struct ms_resizer *resizer = sets[set].resizer;
    size_t taps = (c->taps + resizer->group - 1) / resizer->group * resizer->group;
    size_t row_bytes = (c->first_max + taps) * 3, out_bytes = c->outputs * 3;
    size_t weight_bytes = c->outputs * taps * sizeof(int32_t);
    uint8_t *row = bytes_at_end(row_bytes), *out = bytes_at_end(out_bytes + guard);
    int32_t *padded = (int32_t *)(void *)bytes_at_end(weight_bytes);
    memcpy(row, pixels, row_bytes);
    memset(out, guard_byte, out_bytes + guard);
    for (size_t x = 0; x < c->outputs; x++)
        memcpy(padded + x * taps, weights + x * c->taps, c->taps * sizeof *weights);
    struct ms_across call = {.outputs = c->outputs,
                             .taps = taps,
                             .in = row,
                             .first = first,
                             .weights = padded,
                             .out = out};
    resizer->across(&call);
    if (memcmp(out, expected, out_bytes) != 0)
        fail_msg("%s: across outputs %zu taps %zu", sets[set].name, c->outputs, c->taps);
    for (size_t i = 0; i < guard; i++)
        assert_int_equal(out[out_bytes + i], guard_byte);
    free_bytes(row, row_bytes);
    free_bytes(out, out_bytes + guard);
    free_bytes((uint8_t *)padded, weight_bytes);
}

static void check_across(const struct across_case *c) {
    enum { slack = 16 }; /* more than any group */
    size_t pixels_bytes = (c->first_max + c->taps + slack) * 3;
    uint8_t *pixels = malloc(pixels_bytes), *expected = malloc(c->outputs * 3);
    uint32_t *first = malloc(c->outputs * sizeof *first);
    int32_t *weights = malloc(c->outputs * c->taps * sizeof *weights);
    assert_true(pixels && expected && first && weights);
    fill(pixels, pixels_bytes);
    for (size_t x = 0; x < c->outputs; x++) {
        first[x] = (uint32_t)(c->first_max * (x + 1) / c->outputs);
        fill_weights(weights + x * c->taps, c->taps);
    }
    expect_across(c, pixels, first, weights, expected);
    for (size_t set = 0; set < set_count; set++)
        if (runs_here(set))
            across_on(set, c, pixels, first, weights, expected);
    free(weights);
    free(first);
    free(expected);
    free(pixels);
}

static void across_shapes(void **state) {
    (void)state;
    static const size_t outputs[] = {1, 2, 3, 5, 8, 17};
    for (size_t o = 0; o < 6; o++)
        for (size_t taps = 1; taps <= 33; taps++)
            for (size_t first_max = 0; first_max < 40; first_max += 13)
                check_across(&(struct across_case){outputs[o], taps, first_max});
    check_across(&(struct across_case){224, 36, 4000 - 36});
    check_across(&(struct across_case){224, 73, 4000 - 73});
    check_across(&(struct across_case){96, 2, 10});
}

static void down_on(size_t set, size_t bytes, size_t taps, const uint8_t *const *rows,
                    const int32_t *weights, const uint8_t *expected) {
    uint8_t *out = bytes_at_end(bytes + guard);
    memset(out, guard_byte, bytes + guard);
    sets[set].resizer->down(&(struct ms_down){
        .bytes = bytes, .taps = taps, .rows = rows, .weights = weights, .out = out});
    if (memcmp(out, expected, bytes) != 0)
        fail_msg("%s: down bytes %zu taps %zu", sets[set].name, bytes, taps);
    for (size_t i = 0; i < guard; i++)
        assert_int_equal(out[bytes + i], guard_byte);
    free_bytes(out, bytes + guard);
}

static void check_down(size_t bytes, size_t taps) {
    int32_t weights[taps_max];
    const uint8_t *rows[taps_max];
    uint8_t *end = bytes_at_end(bytes * taps), *expected = malloc(bytes);
    assert_non_null(expected);
    fill(end, bytes * taps);
    fill_weights(weights, taps);
    for (size_t k = 0; k < taps; k++) /* in any order; one of them at the end of memory */
        rows[k] = end + k * 7 % taps * bytes;
    for (size_t k = 0; k < taps && taps % 7 == 0; k++)
        rows[k] = end + k * bytes;
    for (size_t i = 0; i < bytes; i++) {
        int64_t sum = 1 << 21;
        for (size_t k = 0; k < taps; k++)
            sum += (int64_t)rows[k][i] * weights[k];
        expected[i] = clamped(sum);
    }
    for (size_t set = 0; set < set_count; set++)
        if (runs_here(set))
            down_on(set, bytes, taps, rows, weights, expected);
    free(expected);
    free_bytes(end, bytes * taps);
}

static void down_shapes(void **state) {
    (void)state;
    static const size_t taps[] = {1, 2, 3, 7, 36};
    for (size_t t = 0; t < 5; t++) {
        for (size_t bytes = 1; bytes <= 300; bytes++)
            check_down(bytes, taps[t]);
        check_down(672, taps[t]);
        check_down(3 * 4001, taps[t]);
    }
}

/* ---- whole pictures ---- */

enum { side_max = 96, stored_bytes = side_max * side_max * 4 };
static uint8_t stored[stored_bytes];

/* Resizes with one table; the arena must have given what was promised, and no more. */
static void resize(struct ms_resize *resize, const struct ms_kernels *table, uint8_t *out) {
    struct ms_arena arena, empty;
    minisim_error error;
    resize->resizer = table->resizer;
    ms_arena_open(&empty, 4096);
    void *nothing = ms_arena_allocate(&empty, 0);
    size_t header = empty.used;
    ms_arena_free(&empty, nothing);
    size_t promised = (size_t)ms_resize_memory(resize);
    ms_arena_open(&arena, promised + header);
    assert_int_equal(ms_resize(resize, &arena, out, 3 * (size_t)resize->window.width, &error), 0);
    assert_int_equal(arena.peak, promised + header);
    assert_int_equal(arena.used, 0);
}

/* The stored picture against itself, turned first by ms_pixels_read. */
static void check_turned(const minisim_pixels *pixels, struct ms_resize call) {
    static uint8_t seen[side_max * side_max * 3], expected[side_max * side_max * 3],
        got[side_max * side_max * 3];
    minisim_region whole = ms_pixels_picture(pixels);
    minisim_pixels turned = {
        .pixels = seen, .width = whole.width, .height = whole.height, .format = MINISIM_RGB};
    whole.x = whole.y = 0;
    ms_pixels_read(pixels, call.background, &whole, seen);
    call.pixels = &turned;
    resize(&call, &ms_kernels_reference, expected);
    call.pixels = pixels;
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        resize(&call, *t, got);
        if (memcmp(got, expected, (size_t)3 * call.window.width * call.window.height) != 0)
            fail_msg("%s: format %d orientation %u, %ux%u to %ux%u", (*t)->name, pixels->format,
                     (unsigned)pixels->orientation, (unsigned)pixels->width,
                     (unsigned)pixels->height, (unsigned)call.width, (unsigned)call.height);
    }
}

static void turned_pictures(void **state) {
    (void)state;
    static const uint32_t sides[] = {1, 2, 5, 7, 16, 61, 96};
    fill(stored, stored_bytes);
    for (uint32_t i = 0; i < 7 * 7 * 8 * 4; i++) {
        minisim_pixels pixels = {.pixels = stored,
                                 .width = sides[i % 7],
                                 .height = sides[i / 7 % 7],
                                 .orientation = 1 + i / 49 % 8,
                                 .format = MINISIM_RGB};
        if (i / 392 % 2)
            pixels.format = (minisim_pixel_format)(MINISIM_BGR + i % 8);
        bool turned = pixels.orientation >= 5;
        uint32_t width = turned ? pixels.height : pixels.width;
        uint32_t height = turned ? pixels.width : pixels.height;
        if (i % 3 == 0 && width > 5 && height > 2)
            pixels.region = (minisim_region){2, 1, width - 5, height - 2};
        struct ms_resize call = {.background = 0x123456,
                                 .width = 1 + i % 40,
                                 .height = 1 + i % 37,
                                 .filter = i / 784 ? MINISIM_BICUBIC : MINISIM_BILINEAR};
        call.window = (minisim_region){i % call.width / 2, i % call.height / 2, 1, 1};
        call.window.width = 1 + (call.width - 1 - call.window.x) * (i % 4) / 3;
        call.window.height = 1 + (call.height - 1 - call.window.y) * (i % 5) / 4;
        check_turned(&pixels, call);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(across_shapes),
                                       cmocka_unit_test(down_shapes),
                                       cmocka_unit_test(turned_pictures)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
