/*
 * What untrusted files did to stb_image, row by row (tests/fuzz/make_corpus.py makes the files):
 * each ends in pixels or in an error that names the cause, within a second, and within 16 MiB.
 */
#include "kernels/kernels.h"
#include "picture/decode.h"
#include "picture/prepare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { side = 32, file_max = 1 << 20, memory_max = 16 << 20 };

static uint8_t bytes[file_max], square[side * side * 3];
static struct ms_arena arena;
static minisim_error error;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static minisim_status read_picture(size_t size) {
    struct ms_preparation p = {.size = side,
                               .geometry = MINISIM_SQUASH,
                               .resample = MINISIM_BILINEAR,
                               .kernels = ms_kernels_choose(NULL)};
    struct ms_scan scan;
    minisim_pixels pixels;
    memset(&error, 0, sizeof error);
    ms_arena_open(&arena, memory_max);
    minisim_status status = ms_scan_picture(bytes, size, 200000000, &scan, &error);
    if (!status)
        status = ms_decode_picture(bytes, size, &scan, &arena, &pixels, &error);
    if (!status)
        status = ms_prepare_pixels(&pixels, &p, &arena, square, &error);
    assert_true(arena.peak <= memory_max);
    ms_arena_close(&arena);
    return status;
}

static const struct {
    const char *name, *text; /* NULL: it is a picture */
    bool may_pass;           /* stb 2.27 decodes it, newer ones refuse it */
} rows[] = {{"a-dht-counts.jpg", "more codes than there are"},
            {"a-dht-short.jpg", "does not fit its segment"},
            {"b-no-tables.jpg", "a table that was not defined"},
            {"b-one-table.jpg", "a table that was not defined"},
            {"c-huge-dc.jpg", "data is broken", true},
            {"c-shifted-dc.jpg", "data is broken", true},
            {"c-long-dc.jpg", "data is broken"},
            {"d-one-scan.jpg", "a component has no scan"},
            {"d-only-ac.jpg", "refines what no scan began"},
            {"e-scans.jpg", "more than 100 scans"},
            {"f-length-286.png", "the PNG is"},
            {"f-length-287.png", "the PNG is"},
            {"f-distance-30.png", "the PNG is"},
            {"f-distance-31.png", "the PNG is"},
            {"g-surplus.png", "inflates to more than the 2 bytes"},
            {"g-too-little.png", "its header promises 10100"},
            {"h-16-bit-size.png", "more than the limit of 200000000"},
            {"i-palette.png", "colour 255 of a palette of 1"},
            {"i-palette.bmp", "colour 255 of a palette of 1"},
            {"i-os2-palette.bmp", "colour 255 of a palette of 1"},
            {"j-16-bit.pgm", "truncated"},
            {"j-short.ppm", "truncated"},
            {"j-overflow.ppm", "a number is above"},
            {"k-claims.bmp", "truncated"},
            {"k-lowest-height.bmp", "it says its size is"},
            {"m-triangle.pgm", NULL},
            {"x-cut-scan.jpg", "truncated"},
            {"x-no-restarts.jpg", "truncated"},
            {"x-no-adler.png", "the PNG is broken"},
            {"x-wrong-adler.png", "checksum of its data"},
            {"x-huge.png", "more than the limit of 200000000"},
            {"x-exif-loop.png", NULL}};

static void every_row(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128];
        snprintf(path, sizeof path, "tests/fuzz/corpus/hostile/%s", rows[i].name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        double start = now();
        minisim_status status = read_picture(size);
        double seconds = now() - start;
        print_message("# %-22s %6.2f ms, %8zu bytes: %s\n", rows[i].name, seconds * 1e3, arena.peak,
                      error.text);
        bool passed = status == MINISIM_OK && (!rows[i].text || rows[i].may_pass);
        bool refused = status && rows[i].text && strstr(error.text, rows[i].text);
        if (!passed && !refused)
            fail_msg("%s: status %d \"%s\"", rows[i].name, status, error.text);
        assert_true(seconds < 1);
    }
}

/* Row e as far as it is let in: a hundred empty scans of the largest picture that 16 MiB hold. */
static void many_scans(void **state) {
    (void)state;
    FILE *file = fopen("tests/fuzz/corpus/hostile/e-scans.jpg", "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    /* SOI, the quantisation table, then the frame: its sides stand 5 bytes behind its marker. */
    uint8_t *frame = bytes + 2 + 69;
    assert_int_equal(frame[1], 0xc2);
    memcpy(frame + 5, "\x7\xd0\x7\xd0", 4); /* 2000 x 2000 */
    size_t scan = 10; /* bytes of each scan without data; the last two bytes are EOI */
    size -= 51 * scan;
    memcpy(bytes + size - 2, "\xff\xd9", 2);
    double start = now();
    assert_int_equal(read_picture(size), MINISIM_BAD_PICTURE);
    print_message("# %.1f ms: %s\n", (now() - start) * 1e3, error.text);
    assert_true(now() - start < 1);
}

/* Row m: every width from 1 to 4000 through stb's resampler: pixels, or an error that says so. */
static void triangle_widths(void **state) {
    (void)state;
    struct ms_preparation p = {.size = 224,
                               .geometry = MINISIM_SQUASH,
                               .resample = MINISIM_STB,
                               .kernels = ms_kernels_choose(NULL)};
    static uint8_t large[224 * 224 * 3], row[4000];
    size_t refused = 0;
    for (uint32_t width = 1; width <= 4000; width += width < 64 ? 1 : 13) {
        minisim_pixels pixels = {
            .pixels = row, .width = width, .height = 1, .format = MINISIM_GREY};
        ms_arena_open(&arena, memory_max);
        minisim_status status = ms_prepare_pixels(&pixels, &p, &arena, large, &error);
        ms_arena_close(&arena);
        assert_true(status == MINISIM_OK || strstr(error.text, "stb_image_resize cannot"));
        refused += status != MINISIM_OK;
    }
    print_message("# stb_image_resize refused %zu widths\n", refused);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_row), cmocka_unit_test(many_scans),
                                       cmocka_unit_test(triangle_widths)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
