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
} rows[] = {{.name = "a-dht-counts.jpg", .text = "more codes than there are"},
            {.name = "a-dht-short.jpg", .text = "does not fit its segment"},
            {.name = "b-no-tables.jpg", .text = "a table that was not defined"},
            {.name = "b-one-table.jpg", .text = "a table that was not defined"},
            {.name = "c-huge-dc.jpg", .text = "data is broken", .may_pass = true},
            {.name = "c-shifted-dc.jpg", .text = "data is broken", .may_pass = true},
            {.name = "c-long-dc.jpg", .text = "data is broken"},
            {.name = "d-one-scan.jpg", .text = "a component has no scan"},
            {.name = "d-only-ac.jpg", .text = "refines what no scan began"},
            {.name = "e-scans.jpg", .text = "more than 100 scans"},
            {.name = "f-length-286.png", .text = "the PNG is"},
            {.name = "f-length-287.png", .text = "the PNG is"},
            {.name = "f-distance-30.png", .text = "the PNG is"},
            {.name = "f-distance-31.png", .text = "the PNG is"},
            {.name = "g-surplus.png", .text = "inflates to more than the 2 bytes"},
            {.name = "g-too-little.png", .text = "its header promises 10100"},
            {.name = "h-16-bit-size.png", .text = "more than the limit of 200000000"},
            {.name = "i-palette.png", .text = "colour 255 of a palette of 1"},
            {.name = "i-palette.bmp", .text = "colour 255 of a palette of 1"},
            {.name = "i-os2-palette.bmp", .text = "colour 255 of a palette of 1"},
            {.name = "j-16-bit.pgm", .text = "truncated"},
            {.name = "j-short.ppm", .text = "truncated"},
            {.name = "j-overflow.ppm", .text = "a number is above"},
            {.name = "k-claims.bmp", .text = "truncated"},
            {.name = "k-lowest-height.bmp", .text = "it says its size is"},
            {.name = "l-16-bit.png"}, /* without memory: tests/test_allocations.c */
            {.name = "m-triangle.pgm"},
            {.name = "x-cut-scan.jpg", .text = "truncated"},
            {.name = "x-no-restarts.jpg", .text = "truncated"},
            {.name = "x-promises.jpg", .text = "before the picture does"},
            {.name = "x-promises-progressive.jpg", .text = "before the picture does"},
            {.name = "x-no-adler.png", .text = "the PNG is broken"},
            {.name = "x-wrong-adler.png", .text = "checksum of its data"},
            {.name = "x-huge.png", .text = "more than the limit of 200000000"},
            {.name = "x-exif-loop.png"},
            {.name = "y-beyond.pgm", .text = "above its largest, 9"},
            {.name = "y-compression.bmp", .text = "compression 4"},
            {.name = "y-critical.png", .text = "a critical chunk that is unknown"},
            {.name = "y-exif.jpg"},
            {.name = "y-filter.png", .text = "data is broken"},
            {.name = "y-header-cut.bmp", .text = "its header is cut"},
            {.name = "y-header-kind.bmp", .text = "of an unknown kind"},
            {.name = "y-interlacing.png", .text = "filter or interlacing"},
            {.name = "y-interrupted.png", .text = "interrupted by other chunks"},
            {.name = "y-key-16.png"},
            {.name = "y-long-segment.jpg"},
            {.name = "y-no-codes.png", .text = "the PNG is broken"},
            {.name = "y-no-header.png", .text = "its header does not come first"},
            {.name = "y-no-length.jpg", .text = "shorter than its length"},
            {.name = "y-no-masks.bmp", .text = "its header is cut"},
            {.name = "y-no-number.ppm", .text = "at byte 3 stands no number"},
            {.name = "y-no-value.pgm", .text = "at byte 11 stands no number"},
            {.name = "y-nothing.pgm", .text = "its largest value is 0"},
            {.name = "y-planes.bmp", .text = "several planes"},
            {.name = "y-scattered-masks.bmp", .text = "they are scattered"},
            {.name = "y-short-header.png", .text = "its header has a wrong length"},
            {.name = "y-transparency.png", .text = "its transparency has a wrong length"},
            {.name = "y-twice-numbered.jpg", .text = "have the same number"},
            {.name = "y-two-bits.bmp", .text = "no such number of bits"},
            {.name = "y-two-components.jpg", .text = "neither 1, 3 nor 4 components"},
            {.name = "y-two-frames.jpg", .text = "two frames"},
            {.name = "y-two-palettes.png", .text = "its palette has a wrong length or place"},
            {.name = "y-unknown-marker.jpg", .text = "unknown marker"}};

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

/* Row e, 100 scans of a picture of that many pixels a side, all but the first without data. */
static minisim_status read_scans(uint32_t pixels) {
    enum { frame = 2 + 69, data = 0x8a, few = 128, scan = 10, extra = 51 };
    FILE *file = fopen("tests/fuzz/corpus/hostile/e-scans.jpg", "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file), blocks = (pixels / 8) * (pixels / 8);
    fclose(file);
    assert_int_equal(bytes[frame + 1], 0xc2);
    assert_int_equal(bytes[data + few], 0xff);
    bytes[frame + 5] = bytes[frame + 7] = (uint8_t)(pixels >> 8);
    bytes[frame + 6] = bytes[frame + 8] = (uint8_t)pixels;
    size -= extra * scan;
    /* A bit of the first scan for each block. */
    size_t more = blocks / 8 + 1 - few;
    memmove(bytes + data + more, bytes + data, size - data);
    memset(bytes + data, 0, more);
    size += more;
    memcpy(bytes + size - 2, "\xff\xd9", 2);
    double start = now();
    minisim_status status = read_picture(size);
    print_message("# %.1f ms: %s\n", (now() - start) * 1e3, error.text);
    assert_true(now() - start < 1);
    return status;
}

/* The largest picture that 16 MiB hold, and one whose scans go over too many blocks. */
static void many_scans(void **state) {
    (void)state;
    assert_int_equal(read_scans(2000), MINISIM_BAD_PICTURE);
    assert_non_null(strstr(error.text, "the data of a scan ends"));
    assert_int_equal(read_scans(2400), MINISIM_BAD_PICTURE);
    assert_non_null(strstr(error.text, "more than 16 times"));
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
