/* The second look at two pictures, on pictures drawn here. Its error rates on copies of photographs
 * are tools/check_pairs.py's. */
#include "pairs/look.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIDE = 120, HIGH = 90 };

struct picture {
    uint32_t width, height;
    uint8_t *rgb;
};

static char folder[] = "/tmp/test-look-XXXXXX";

static struct picture blank(uint32_t width, uint32_t height, uint8_t value) {
    struct picture p = {width, height, malloc((size_t)width * height * 3)};
    assert_non_null(p.rgb);
    memset(p.rgb, value, (size_t)width * height * 3);
    return p;
}

/* Rectangles of random colours, each over those before. */
static struct picture draw(uint64_t seed) {
    struct picture p = blank(SIDE, HIGH, 128);
    for (int i = 0; i < 60; i++) {
        uint32_t w = 4 + next_random(&seed) % 30, h = 4 + next_random(&seed) % 30;
        uint32_t x = next_random(&seed) % (SIDE - w), y = next_random(&seed) % (HIGH - h);
        uint8_t colour[3];
        for (size_t c = 0; c < 3; c++)
            colour[c] = (uint8_t)(next_random(&seed) % 256);
        for (uint32_t j = y; j < y + h; j++)
            for (uint32_t k = x; k < x + w; k++)
                memcpy(p.rgb + 3 * ((size_t)j * SIDE + k), colour, 3);
    }
    return p;
}

static char *save(const char *name, const struct picture *p) {
    char *path = malloc(sizeof folder + strlen(name) + 1);
    assert_non_null(path);
    sprintf(path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "P6\n%u %u\n255\n", p->width, p->height);
    assert_int_equal(fwrite(p->rgb, 3, (size_t)p->width * p->height, file),
                     (size_t)p->width * p->height);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* Where pixel x, y of a copy comes from. */
typedef void place(uint32_t *x, uint32_t *y);

static void same_place(uint32_t *x, uint32_t *y) {
    (void)x;
    (void)y;
}

static void other_side(uint32_t *x, uint32_t *y) {
    (void)y;
    *x = SIDE - 1 - *x;
}

static void upside_down(uint32_t *x, uint32_t *y) {
    (void)x;
    *y = HIGH - 1 - *y;
}

static void half_turn(uint32_t *x, uint32_t *y) {
    other_side(x, y);
    upside_down(x, y);
}

static void other_diagonal(uint32_t *x, uint32_t *y) {
    uint32_t kept = *x;
    *x = *y;
    *y = kept;
}

static void quarter(uint32_t *x, uint32_t *y) {
    other_diagonal(x, y);
    upside_down(x, y);
}

static void three_quarters(uint32_t *x, uint32_t *y) {
    other_diagonal(x, y);
    other_side(x, y);
}

static void corner(uint32_t *x, uint32_t *y) {
    *x += 30;
    *y += 10;
}

static void twice(uint32_t *x, uint32_t *y) {
    *x /= 2;
    *y /= 2;
}

static struct picture copy(const struct picture *from, uint32_t width, uint32_t height,
                           place *where) {
    struct picture p = blank(width, height, 0);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            uint32_t from_x = x, from_y = y;
            where(&from_x, &from_y);
            memcpy(p.rgb + 3 * ((size_t)y * width + x),
                   from->rgb + 3 * ((size_t)from_y * from->width + from_x), 3);
        }
    return p;
}

/* Both ways. */
static void expect_look(const char *a, const char *b, enum ms_look expected) {
    enum ms_look look;
    minisim_error error = {""};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ms_look(i ? b : a, i ? a : b, NULL, &look, NULL, &error), MINISIM_OK);
        if (look != expected)
            fail_msg("%s and %s: %s, not %s", a, b, ms_look_names[look], ms_look_names[expected]);
    }
}

static void expect_pair(const struct picture *a, const struct picture *b, enum ms_look expected) {
    char *first = save("a.ppm", a), *second = save("b.ppm", b);
    expect_look(first, second, expected);
    free(first);
    free(second);
}

static void every_label(void **state) {
    static const struct {
        uint32_t width, height;
        place *where;
        enum ms_look look;
    } copies[] = {
        {SIDE, HIGH, same_place, MS_SAME_FILE},    {SIDE, HIGH, other_side, MS_MIRRORED},
        {SIDE, HIGH, upside_down, MS_MIRRORED},    {HIGH, SIDE, other_diagonal, MS_MIRRORED},
        {SIDE, HIGH, half_turn, MS_ROTATED},       {HIGH, SIDE, quarter, MS_ROTATED},
        {HIGH, SIDE, three_quarters, MS_ROTATED},  {80, 60, corner, MS_CROPPED},
        {2 * SIDE, 2 * HIGH, twice, MS_RE_ENCODED}};
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct picture original = draw(seed), other = draw(seed + 100);
        for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
            struct picture p = copy(&original, copies[i].width, copies[i].height, copies[i].where);
            expect_pair(&original, &p, copies[i].look);
            expect_pair(&other, &p, MS_SIMILAR);
            free(p.rgb);
        }
        free(original.rgb);
        free(other.rgb);
    }
}

/* Half as bright, and half as high in contrast; one colour for another; one part changed. */
static void tones_and_colours(void **state) {
    (void)state;
    struct picture original = draw(7), other = draw(7);
    size_t n = (size_t)SIDE * HIGH * 3;
    for (size_t i = 0; i < n; i++)
        other.rgb[i] = (uint8_t)(60 + other.rgb[i] / 2);
    expect_pair(&original, &other, MS_RE_ENCODED);
    for (size_t i = 0; i < n; i += 3) {
        other.rgb[i] = original.rgb[i + 1];
        other.rgb[i + 1] = original.rgb[i + 2];
        other.rgb[i + 2] = original.rgb[i];
    }
    expect_pair(&original, &other, MS_SIMILAR);
    memcpy(other.rgb, original.rgb, n);
    for (size_t y = 40; y < 52; y++)
        for (size_t x = 0; x < 36; x++)
            other.rgb[3 * (y * SIDE + 40) + x] ^= x / 3 % 4 < 2 ? 0x80 : 0;
    expect_pair(&original, &other, MS_SIMILAR);
    free(original.rgb);
    free(other.rgb);
}

/* A comment in the header: other bytes, the same pixels. */
static void same_pixels(void **state) {
    (void)state;
    struct picture p = draw(3), white = blank(SIDE, HIGH, 255), grey = blank(SIDE, HIGH, 254);
    char *a = save("a.ppm", &p), *b = save("b.ppm", &p);
    FILE *file = fopen(b, "wb");
    assert_non_null(file);
    fprintf(file, "P6\n# a comment\n%d %d\n255\n", SIDE, HIGH);
    assert_int_equal(fwrite(p.rgb, 3, SIDE * HIGH, file), SIDE * HIGH);
    assert_int_equal(fclose(file), 0);
    expect_look(a, b, MS_SAME_PIXELS);
    free(a);
    free(b);
    /* Nothing in them: the bytes alone can tell. */
    expect_pair(&white, &white, MS_SAME_FILE);
    expect_pair(&white, &grey, MS_SIMILAR);
    expect_pair(&white, &p, MS_SIMILAR);
    free(p.rgb);
    free(white.rgb);
    free(grey.rgb);
}

static void any_size(void **state) {
    static const uint32_t sizes[][2] = {{1, 1},    {1, 2},     {3, 1},    {1, 3000}, {5000, 1},
                                        {2, 2500}, {20000, 3}, {640, 10}, {4, 4},    {70, 70}};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    uint64_t seed = 5;
    char *paths[SIZES];
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        char name[16];
        struct picture p = blank(sizes[i][0], sizes[i][1], 0);
        for (size_t k = 0; k < (size_t)p.width * p.height * 3; k++)
            p.rgb[k] = (uint8_t)next_random(&seed);
        sprintf(name, "%zu.ppm", i);
        paths[i] = save(name, &p);
        free(p.rgb);
    }
    for (size_t i = 0; i < SIZES; i++)
        for (size_t k = 0; k < i; k++) {
            enum ms_look look;
            assert_int_equal(ms_look(paths[i], paths[k], NULL, &look, NULL, NULL), MINISIM_OK);
            expect_look(paths[k], paths[i], look);
        }
    for (size_t i = 0; i < SIZES; i++) {
        expect_look(paths[i], paths[i], MS_SAME_FILE);
        free(paths[i]);
    }
}

static void refusals(void **state) {
    (void)state;
    struct picture p = draw(1);
    char *a = save("a.ppm", &p), *b = save("gone.ppm", &p);
    minisim_context_options limits = {.size = sizeof limits};
    minisim_error error;
    enum ms_look look;
    const char *failed;
    unlink(b);
    assert_int_equal(ms_look(a, b, NULL, &look, &failed, &error), MINISIM_BAD_FILE);
    assert_ptr_equal(failed, b);
    assert_int_equal(ms_look(b, a, NULL, &look, &failed, &error), MINISIM_BAD_FILE);
    assert_ptr_equal(failed, b);
    limits.max_memory = 20000;
    assert_int_equal(ms_look(a, a, &limits, &look, &failed, &error), MINISIM_BAD_PICTURE);
    assert_ptr_equal(failed, a);
    limits = (minisim_context_options){.size = sizeof limits, .max_pixels = 1000};
    assert_int_equal(ms_look(a, a, &limits, &look, NULL, NULL), MINISIM_BAD_PICTURE);
    free(a);
    free(b);
    free(p.rgb);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_label), cmocka_unit_test(tones_and_colours),
        cmocka_unit_test(same_pixels), cmocka_unit_test(any_size),
        cmocka_unit_test(refusals),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
