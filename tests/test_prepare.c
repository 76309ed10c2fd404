/*
 * From pixels to the square: every pixel format, stride, orientation and region against index
 * arithmetic. What resizing gives is held against Pillow by tools/check_resize.py.
 */
#include "picture/prepare.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { side = 32, stored_max = 70 * 70 * 4 };

static uint8_t stored[stored_max], square[side * side * 3];
static struct ms_arena arena;
static minisim_error error;

static int fill_stored(void **state) {
    (void)state;
    uint64_t seed = 21;
    for (size_t i = 0; i < stored_max; i++)
        stored[i] = (uint8_t)next_random(&seed);
    return 0;
}

/* Prepares without resizing; all memory must have come back. */
static minisim_status prepare(const minisim_pixels *pixels) {
    struct ms_preparation p = {.size = side,
                               .geometry = MINISIM_SQUASH,
                               .background = 0x204060,
                               .preprocessed = true,
                               .kernels = &ms_kernels_reference};
    ms_arena_open(&arena, 1 << 24);
    memset(&error, 0, sizeof error);
    minisim_status status = ms_prepare_pixels(pixels, &p, &arena, square, &error);
    assert_int_equal(arena.used, 0);
    return status;
}

static int clamp(int x) {
    return x < 0 ? 0 : x > 255 ? 255 : x;
}

/* Division by 256 that rounds down, also of negative numbers. */
static int shift8(int x) {
    return x >= 0 ? x / 256 : -((-x + 255) / 256);
}

static void from_yuv(int y, int u, int v, int rgb[3]) {
    rgb[0] = clamp(shift8(298 * (y - 16) + 409 * (v - 128) + 128));
    rgb[1] = clamp(shift8(298 * (y - 16) - 100 * (u - 128) - 208 * (v - 128) + 128));
    rgb[2] = clamp(shift8(298 * (y - 16) + 516 * (u - 128) + 128));
}

static int over(int c, int a, int background) {
    return (a * c + (255 - a) * background + 127) / 255;
}

/* The colour of the stored pixel x, y, by the definition of its format. */
static void colour_at(const minisim_pixels *p, size_t x, size_t y, int rgb[3]) {
    static const int background[3] = {0x20, 0x40, 0x60};
    static const size_t bytes[10] = {0, 3, 3, 4, 4, 1, 2, 1, 1, 2};
    size_t stride = p->stride ? p->stride : p->width * bytes[p->format];
    const uint8_t *at = p->pixels + y * stride + x * bytes[p->format];
    const uint8_t *uv = p->chroma + y / 2 * p->chroma_stride + x / 2 * 2;
    const uint8_t *pair = p->pixels + y * stride + x / 2 * 4;
    switch (p->format) {
    case MINISIM_RGB:
    case MINISIM_BGR:
        for (size_t c = 0; c < 3; c++)
            rgb[c] = at[p->format == MINISIM_RGB ? c : 2 - c];
        break;
    case MINISIM_RGBA:
    case MINISIM_BGRA:
        for (size_t c = 0; c < 3; c++)
            rgb[c] = over(at[p->format == MINISIM_RGBA ? c : 2 - c], at[3], background[c]);
        break;
    case MINISIM_GREY:
        rgb[0] = rgb[1] = rgb[2] = at[0];
        break;
    case MINISIM_GREY_ALPHA:
        for (size_t c = 0; c < 3; c++)
            rgb[c] = over(at[0], at[1], background[c]);
        break;
    case MINISIM_NV12:
        from_yuv(at[0], uv[0], uv[1], rgb);
        break;
    case MINISIM_NV21:
        from_yuv(at[0], uv[1], uv[0], rgb);
        break;
    case MINISIM_YUYV:
        from_yuv(at[0], pair[1], pair[3], rgb);
        break;
    }
}

/* Where the pixel that is seen at x, y is stored (EXIF 2.32, orientation). */
static void stored_place(const minisim_pixels *p, size_t x, size_t y, size_t *sx, size_t *sy) {
    size_t w = p->width - 1, h = p->height - 1;
    switch (p->orientation) {
    case 2:
        *sx = w - x, *sy = y;
        break;
    case 3:
        *sx = w - x, *sy = h - y;
        break;
    case 4:
        *sx = x, *sy = h - y;
        break;
    case 5:
        *sx = y, *sy = x;
        break;
    case 6:
        *sx = y, *sy = h - x;
        break;
    case 7:
        *sx = w - y, *sy = h - x;
        break;
    case 8:
        *sx = w - y, *sy = x;
        break;
    default:
        *sx = x, *sy = y;
    }
}

static void check(const minisim_pixels *p) {
    if (prepare(p))
        fail_msg("%s", error.text);
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++) {
            size_t sx, sy;
            int rgb[3];
            stored_place(p, x + p->region.x, y + p->region.y, &sx, &sy);
            colour_at(p, sx, sy, rgb);
            for (size_t c = 0; c < 3; c++)
                if (square[(y * side + x) * 3 + c] != rgb[c])
                    fail_msg("format %d orientation %u at %zu, %zu channel %zu: %d, expected %d",
                             p->format, (unsigned)p->orientation, x, y, c,
                             square[(y * side + x) * 3 + c], rgb[c]);
        }
}

static void every_format_and_orientation(void **state) {
    (void)state;
    for (int format = MINISIM_RGB; format <= MINISIM_YUYV; format++)
        for (uint32_t orientation = 0; orientation <= 8; orientation++)
            for (uint32_t odd = 0; odd < 2; odd++) {
                minisim_pixels p = {.pixels = stored,
                                    .width = side + (odd ? 5 : 0),
                                    .height = side + (odd ? 3 : 0),
                                    .format = (minisim_pixel_format)format,
                                    .orientation = orientation};
                p.stride = odd ? 70 * 4 : 0;
                if (format == MINISIM_NV12 || format == MINISIM_NV21) {
                    p.stride = p.width;
                    p.chroma = stored + 5000;
                    p.chroma_stride = 48;
                } else if (format == MINISIM_YUYV) {
                    p.stride = 2 * ((p.width + 1) / 2 * 2);
                }
                if (odd)
                    p.region = (minisim_region){.x = 2, .y = 1, .width = side, .height = side};
                check(&p);
            }
}

static void refusals(void **state) {
    (void)state;
    minisim_pixels good = {.pixels = stored, .width = side, .height = side, .format = MINISIM_RGB};
    assert_int_equal(prepare(&good), MINISIM_OK);
    minisim_pixels nv12 = {.pixels = stored, .width = side, .height = side, .format = MINISIM_NV12};
    assert_int_equal(prepare(&nv12), MINISIM_OK); /* no pointer: the chroma follows */
    minisim_pixels bad[13];
    for (size_t i = 0; i < 13; i++)
        bad[i] = i < 10 ? good : nv12;
    bad[0].pixels = NULL;
    bad[1].width = 0;
    bad[2].height = 0;
    bad[3].stride = 3 * side - 1;
    bad[4].orientation = 9;
    bad[5].region = (minisim_region){.x = 1, .width = side, .height = side};
    bad[6].region = (minisim_region){.x = 0xffffffff, .width = 1, .height = 1};
    bad[7].format = (minisim_pixel_format)77;
    bad[8].chroma = stored; /* a plane that RGB does not have */
    bad[9].chroma_stride = side;
    bad[10].chroma_stride = side - 1;
    bad[11].chroma_stride = SIZE_MAX / 8; /* more rows than memory has */
    bad[12].width = side - 1;             /* odd: a row of chroma still takes `side` bytes */
    bad[12].chroma_stride = side - 1;
    for (size_t i = 0; i < 13; i++) {
        assert_int_equal(prepare(&bad[i]), MINISIM_BAD_ARGUMENT);
        assert_true(error.text[0] != '\0');
    }
    good.width = side - 1;
    assert_int_equal(prepare(&good), MINISIM_BAD_PICTURE);
    assert_non_null(strstr(error.text, "as preprocessed input it must be 32x32"));
}

/* Where the chroma lies when nobody says: behind the first plane, whatever its stride. */
static void chroma_that_follows(void **state) {
    (void)state;
    uint8_t expected[sizeof square];
    minisim_pixels p = {
        .pixels = stored, .width = side, .height = side, .stride = 40, .format = MINISIM_NV21};
    assert_int_equal(prepare(&p), MINISIM_OK);
    memcpy(expected, square, sizeof square);
    p.chroma = stored + 40 * side;
    assert_int_equal(prepare(&p), MINISIM_OK);
    assert_memory_equal(square, expected, sizeof square);
}

/* What ms_prepare_memory says is enough, and never exceeded, for any sizes and geometry. */
static void memory_said_before(void **state) {
    (void)state;
    uint64_t seed = 5, bytes;
    for (size_t i = 0; i < 3000; i++) {
        struct ms_preparation p = {.size = side,
                                   .geometry = (minisim_geometry)(1 + next_random(&seed) % 3),
                                   .crop_size = side + next_random(&seed) % 16,
                                   .resample = (minisim_resample)(1 + next_random(&seed) % 3),
                                   .kernels = ms_kernels_choose(NULL)};
        minisim_pixels pixels = {.pixels = stored,
                                 .width = 1 + next_random(&seed) % (i % 2 ? 70 : 3000),
                                 .format = MINISIM_GREY,
                                 .orientation = 1 + next_random(&seed) % 8};
        pixels.height = 1 + next_random(&seed) % (sizeof stored / pixels.width);
        assert_int_equal(ms_prepare_memory(&pixels, &p, &bytes, &error), MINISIM_OK);
        ms_arena_open(&arena, (size_t)bytes);
        minisim_status status = ms_prepare_pixels(&pixels, &p, &arena, square, &error);
        if (status && !(p.resample == MINISIM_STB && strstr(error.text, "stb_image_resize")))
            fail_msg("%ux%u geometry %d resample %d: %s", (unsigned)pixels.width,
                     (unsigned)pixels.height, p.geometry, p.resample, error.text);
        ms_arena_close(&arena); /* what stb leaves when it refuses */
        ms_arena_open(&arena, (size_t)bytes - 1);
        assert_int_equal(ms_prepare_pixels(&pixels, &p, &arena, square, &error),
                         MINISIM_BAD_PICTURE);
        assert_int_equal(arena.peak, 0); /* refused before anything was allocated */
    }
}

/* With any limit of memory: success or a refusal, and all of it comes back. */
static void little_memory(void **state) {
    (void)state;
    minisim_pixels pixels = {.pixels = stored, .width = 70, .height = 60, .format = MINISIM_RGB};
    for (int resample = MINISIM_BILINEAR; resample <= MINISIM_STB; resample++) {
        size_t refused = 0;
        for (size_t limit = 0; limit < 60000; limit += 61) {
            struct ms_preparation p = {.size = side,
                                       .geometry = MINISIM_PAD,
                                       .resample = (minisim_resample)resample,
                                       .kernels = ms_kernels_choose(NULL)};
            ms_arena_open(&arena, limit);
            minisim_status status = ms_prepare_pixels(&pixels, &p, &arena, square, &error);
            assert_true(status == MINISIM_OK || status == MINISIM_BAD_PICTURE);
            refused += status != MINISIM_OK;
            assert_int_equal(arena.used, 0);
        }
        assert_true(refused > 10 && refused < 900);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_and_orientation), cmocka_unit_test(refusals),
        cmocka_unit_test(chroma_that_follows), cmocka_unit_test(memory_said_before),
        cmocka_unit_test(little_memory)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, fill_stored, NULL);
}
