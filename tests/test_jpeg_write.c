/* The JPEG writer: what it writes, the reader of pictures reads back, nearly the same; the better
 * the quality, the nearer. */
#include "picture/decode.h"
#include "picture/jpeg_write.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Writes a picture, reads it back, and gives the usual difference (root mean square). */
static double there_and_back(const uint8_t *rgb, uint32_t width, uint32_t height, int quality) {
    char *file;
    size_t size, count = (size_t)width * height * 3;
    struct ms_scan scan;
    struct ms_arena arena;
    minisim_pixels pixels;
    minisim_error error = {""};
    FILE *stream = open_memstream(&file, &size);
    assert_non_null(stream);
    ms_write_jpeg(stream, rgb, width, height, quality);
    assert_int_equal(ferror(stream), 0);
    assert_int_equal(fclose(stream), 0);
    ms_arena_open(&arena, (size_t)1 << 30);
    if (ms_scan_picture((uint8_t *)file, size, 1 << 28, &scan, &error) ||
        ms_decode_picture((uint8_t *)file, size, &scan, &arena, &pixels, &error))
        fail_msg("%u x %u: %s", width, height, error.text);
    assert_int_equal(pixels.format, MINISIM_RGB);
    assert_int_equal(pixels.width, width);
    assert_int_equal(pixels.height, height);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (rgb[i] - pixels.pixels[i]) * (rgb[i] - pixels.pixels[i]);
    ms_arena_close(&arena);
    free(file);
    return sqrt(sum / (double)count);
}

/* Three colours that change slowly, and `noise` on them. */
static uint8_t *draw(uint32_t width, uint32_t height, uint32_t noise) {
    uint64_t seed = width + height;
    uint8_t *rgb = malloc((size_t)width * height * 3);
    assert_non_null(rgb);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            uint8_t *pixel = rgb + 3 * ((size_t)y * width + x);
            uint32_t colours[3] = {x * 255 / width, y * 255 / height, 128};
            for (int c = 0; c < 3; c++)
                pixel[c] =
                    (uint8_t)((colours[c] * (255 - noise) + next_random(&seed) % 256 * noise) /
                              255);
        }
    return rgb;
}

static void read_back(void **state) {
    (void)state;
    static const uint32_t sides[] = {1, 7, 8, 16, 17, 33, 160, 240};
    for (size_t i = 0; i < 8; i++)
        for (size_t j = 0; j < 8; j++) {
            uint8_t *rgb = draw(sides[i], sides[j], 0);
            double usual = there_and_back(rgb, sides[i], sides[j], 95);
            if (usual > 4)
                fail_msg("%u x %u: differs by %g", sides[i], sides[j], usual);
            free(rgb);
        }
}

static void quality(void **state) {
    (void)state;
    double last = 255;
    uint8_t *rgb = draw(160, 120, 255);
    for (int quality = 5; quality <= 100; quality += 19) {
        double usual = there_and_back(rgb, 160, 120, quality);
        assert_true(usual < last);
        last = usual;
    }
    assert_true(last < 2);
    free(rgb);
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(read_back),
                                              cmocka_unit_test(quality)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
