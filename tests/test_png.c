/* The PNG writer: what it writes, the reader of pictures reads back, byte for byte; and pictures
 * that are enlarged become small files. */
#include "picture/decode.h"
#include "report/png.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Writes a picture, reads it back, and gives the file's size. */
static size_t there_and_back(const uint8_t *rgb, uint32_t width, uint32_t height) {
    char *file;
    size_t size;
    struct ms_scan scan;
    struct ms_arena arena;
    minisim_pixels pixels;
    minisim_error error = {""};
    FILE *stream = open_memstream(&file, &size);
    assert_non_null(stream);
    assert_true(ms_write_png(stream, rgb, width, height));
    assert_int_equal(ferror(stream), 0);
    assert_int_equal(fclose(stream), 0);
    ms_arena_open(&arena, (size_t)1 << 30);
    if (ms_scan_picture((uint8_t *)file, size, 1 << 28, &scan, &error) ||
        ms_decode_picture((uint8_t *)file, size, &scan, &arena, &pixels, &error))
        fail_msg("%u x %u: %s", width, height, error.text);
    assert_int_equal(pixels.format, MINISIM_RGB);
    assert_int_equal(pixels.width, width);
    assert_int_equal(pixels.height, height);
    assert_memory_equal(pixels.pixels, rgb, (size_t)width * height * 3);
    ms_arena_close(&arena);
    free(file);
    return size;
}

/* Enlarges random pixels by a whole factor in both directions; levels: how many different bytes. */
static size_t enlarged(uint32_t width, uint32_t height, uint32_t factor, uint32_t levels) {
    uint64_t seed = width + height;
    uint8_t *rgb = malloc((size_t)width * height * 3 + 1);
    assert_non_null(rgb);
    for (size_t y = 0; y < height; y++)
        for (size_t i = 0; i < (size_t)width * 3; i++) {
            size_t x = i / 3, c = i % 3, row = (size_t)width * 3;
            rgb[y * row + i] =
                y % factor ? rgb[(y - 1) * row + i]
                : x % factor
                    ? rgb[y * row + (x - 1) * 3 + c]
                    : (uint8_t)(next_random(&seed) % levels * 255 / (levels > 1 ? levels - 1 : 1));
        }
    size_t size = there_and_back(rgb, width, height);
    free(rgb);
    return size;
}

/* Every byte as a literal, short and long repetitions, beside and above, chunks that are full. */
static void read_back(void **state) {
    (void)state;
    for (uint32_t levels = 1; levels <= 256; levels = levels * 3 + 1)
        for (uint32_t factor = 1; factor <= 100; factor = factor * 2 + 1) {
            enlarged(1, 1, factor, levels);
            enlarged(2, 300, factor, levels);
            enlarged(301, 3, factor, levels);
            enlarged(97, 91, factor, levels);
        }
    /* Rows as long as deflate reaches back, and longer. */
    for (uint32_t width = 10921; width <= 10924; width++)
        enlarged(width, 3, 3, 2);
}

/* Each length of repetition: a run of as many equal bytes, then another byte. */
static void lengths(void **state) {
    (void)state;
    uint8_t rgb[3 * 400];
    for (size_t run = 1; run < 300; run++) {
        memset(rgb, 7, sizeof rgb);
        for (size_t i = run; i < sizeof rgb; i += run + 1)
            rgb[i] = (uint8_t)(200 - i % 150);
        there_and_back(rgb, 400, 1);
        there_and_back(rgb, 20, 20);
    }
}

static void small_files(void **state) {
    (void)state;
    assert_true(enlarged(300, 300, 3, 256) < 300 * 300 * 3 / 5);
    assert_true(enlarged(300, 300, 300, 256) < 300 * 300 * 3 / 100);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_back), cmocka_unit_test(lengths), cmocka_unit_test(small_files)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
