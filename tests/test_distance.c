/* Distances: their definitions, their exact order of arithmetic, their edges.
 * tools/check_distance.py asks SciPy. */
#include "support.h"
#include "vectors/distance.h"

#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const float caterpillar[3] = {0.1f, 0.1f, 0.2f}, cat[3] = {0.2f, 0.12f, 0.2f},
                   table[3] = {0.8f, 0.6f, 0.6f};

static double distance(minisim_metric metric, const float *a, const float *b, size_t n) {
    double d = -1;
    assert_int_equal(minisim_distance(metric, a, b, n, &d), MINISIM_OK);
    return d;
}

static void classic_example(void **state) {
    (void)state;
    assert_true(fabs(distance(MINISIM_EUCLIDEAN, cat, caterpillar, 3) - 0.10198) < 1e-5);
    assert_true(fabs(distance(MINISIM_EUCLIDEAN, cat, table, 3) - 0.86626) < 1e-5);
    assert_true(fabs(distance(MINISIM_COSINE, cat, caterpillar, 3) - 0.0433) < 1e-4);
    assert_true(fabs(distance(MINISIM_DOT, cat, table, 3) - 0.352) < 1e-6);
    assert_true(distance(MINISIM_COSINE, cat, table, 3) <
                distance(MINISIM_COSINE, caterpillar, table, 3));
}

static void equal_vectors_are_at_zero(void **state) {
    (void)state;
    uint64_t seed = 5;
    float a[1280];
    for (size_t round = 0; round < 2000; round++) {
        size_t n = 1 + next_random(&seed) % 1280;
        for (size_t i = 0; i < n; i++)
            a[i] = (float)next_random(&seed) / 1e9f;
        a[0] = 1;
        assert_true(distance(MINISIM_COSINE, a, a, n) == 0);
        assert_true(distance(MINISIM_EUCLIDEAN, a, a, n) == 0);
    }
}

/* The order that src/NUMBERS.md gives, written out once more. */
static void order_of_the_sums(void **state) {
    (void)state;
    uint64_t seed = 9;
    float a[101], b[101];
    for (size_t i = 0; i < 101; i++) {
        a[i] = (float)next_random(&seed) / 1e9f;
        b[i] = (float)next_random(&seed) / 1e9f - 1;
    }
    float s[16] = {0};
    for (size_t i = 0; i < 101; i++)
        s[i % 16] = fmaf(a[i], b[i], s[i % 16]);
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            s[i] += s[i + half];
    assert_true(distance(MINISIM_DOT, a, b, 101) == (double)s[0]);
}

static void edges(void **state) {
    (void)state;
    const float zero[3] = {0, 0, 0}, minus[3] = {-0.2f, -0.12f, -0.2f};
    double d;
    assert_int_equal(minisim_distance(MINISIM_COSINE, cat, zero, 3, &d), MINISIM_NO_DISTANCE);
    assert_int_equal(minisim_distance((minisim_metric)99, cat, cat, 3, &d), MINISIM_BAD_ARGUMENT);
    assert_int_equal(minisim_distance(MINISIM_DOT, cat, cat, 0, &d), MINISIM_BAD_ARGUMENT);
    assert_true(distance(MINISIM_EUCLIDEAN, cat, zero, 3) > 0);
    assert_true(distance(MINISIM_COSINE, cat, minus, 3) == 2);
    float unit[3] = {3, 0, 4}, none[2] = {0, 0};
    assert_int_equal(minisim_normalize(unit, 3), MINISIM_OK);
    assert_true(unit[0] == 3.0f / 5 && unit[2] == 4.0f / 5);
    assert_int_equal(minisim_normalize(none, 2), MINISIM_NO_DISTANCE);
}

/* Lengths whose squares float32 does not hold: no NaN, no infinity, and equal vectors stay at 0. */
static void beyond_the_range(void **state) {
    (void)state;
    static const float huge[3] = {1e20f, 0, -2e20f}, other[3] = {-1e20f, 3e20f, 1e20f},
                       tiny[3] = {1e-30f, 2e-30f, 0}, small[3] = {2e-30f, 1e-30f, 0},
                       most[3] = {3e38f, 0, 0}, least[3] = {-3e38f, 0, 0}, zero[3] = {0, 0, 0};
    static const float *const pairs[][2] = {
        {huge, other}, {huge, cat}, {tiny, small}, {tiny, cat}, {most, least}};
    double d = 7;
    for (size_t i = 0; i < 5; i++) {
        const float *a = pairs[i][0], *b = pairs[i][1];
        assert_int_equal(minisim_distance(MINISIM_COSINE, a, b, 3, &d), MINISIM_NO_DISTANCE);
        assert_int_equal(minisim_distance(MINISIM_COSINE, b, a, 3, &d), MINISIM_NO_DISTANCE);
        assert_true(distance(MINISIM_COSINE, a, a, 3) == 0);
        assert_true(distance(MINISIM_EUCLIDEAN, a, a, 3) == 0);
    }
    assert_int_equal(minisim_distance(MINISIM_DOT, huge, other, 3, &d), MINISIM_NO_DISTANCE);
    assert_int_equal(minisim_distance(MINISIM_EUCLIDEAN, huge, other, 3, &d), MINISIM_NO_DISTANCE);
    assert_int_equal(minisim_distance(MINISIM_EUCLIDEAN, most, least, 3, &d), MINISIM_NO_DISTANCE);
    assert_int_equal(minisim_distance(MINISIM_COSINE, zero, zero, 3, &d), MINISIM_NO_DISTANCE);
    assert_true(d == 7);
    assert_true(distance(MINISIM_DOT, tiny, small, 3) == 0);
}

/* The edges of the range of aa: 2^-100 and the largest float32. */
static void edges_of_the_range(void **state) {
    (void)state;
    float a[1] = {0x1p-50f}, b[1] = {0x1.fffffep-51f}, c[1] = {0x1.fffffep63f}, e[1] = {0x1p64f};
    double d;
    assert_true(distance(MINISIM_COSINE, a, c, 1) == 0);
    assert_int_equal(minisim_distance(MINISIM_COSINE, b, c, 1, &d), MINISIM_NO_DISTANCE);
    assert_int_equal(minisim_distance(MINISIM_COSINE, a, e, 1, &d), MINISIM_NO_DISTANCE);
    assert_int_equal(minisim_normalize(b, 1), MINISIM_NO_DISTANCE);
    assert_int_equal(minisim_normalize(e, 1), MINISIM_NO_DISTANCE);
    assert_true(b[0] == 0x1.fffffep-51f && e[0] == 0x1p64f);
    assert_int_equal(minisim_normalize(a, 1), MINISIM_OK);
    assert_int_equal(minisim_normalize(c, 1), MINISIM_OK);
    assert_true(a[0] == 1 && c[0] == 1);
    float long_one[4] = {1e20f, 0, 0, 0};
    assert_int_equal(minisim_normalize(long_one, 4), MINISIM_NO_DISTANCE);
    assert_true(long_one[0] == 1e20f);
}

/* Sets of vectors give minisim_distance's numbers, on each table. */
static void sets_of_vectors(void **state) {
    (void)state;
    enum { count = 11, n = 37 };
    static const minisim_metric metrics[3] = {MINISIM_COSINE, MINISIM_EUCLIDEAN, MINISIM_DOT};
    uint64_t seed = 21;
    float values[count * n], squares[count], sums[count * count];
    for (size_t i = 0; i < count * n; i++)
        values[i] = (float)next_random(&seed) / 1e9f - 1;
    memset(values + 3 * n, 0, n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[5 * n + i] = values[7 * n + i] = 1e25f;
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++)
        for (size_t m = 0; m < 3; m++) {
            struct ms_vector_set set = {*t, values, count, n, squares};
            ms_vector_squares(&set, squares);
            ms_vector_sums(&set, metrics[m], 0, count, 0, count, sums);
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < count; j++) {
                    double d = 0, expected = 0;
                    bool found =
                        ms_vector_distance(&set, metrics[m], i, j, sums[i * count + j], &d);
                    minisim_status status =
                        minisim_distance(metrics[m], values + i * n, values + j * n, n, &expected);
                    assert_int_equal(found, status == MINISIM_OK);
                    assert_true(d == expected);
                }
        }
}

static void whatever_rounding_the_caller_has(void **state) {
    (void)state;
    double expected = distance(MINISIM_COSINE, cat, table, 3);
    static const int modes[3] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (size_t i = 0; i < 3; i++) {
        fesetround(modes[i]);
        double got = distance(MINISIM_COSINE, cat, table, 3);
        assert_int_equal(fegetround(), modes[i]);
        fesetround(FE_TONEAREST);
        assert_true(got == expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classic_example),   cmocka_unit_test(equal_vectors_are_at_zero),
        cmocka_unit_test(order_of_the_sums), cmocka_unit_test(edges),
        cmocka_unit_test(beyond_the_range),  cmocka_unit_test(edges_of_the_range),
        cmocka_unit_test(sets_of_vectors),   cmocka_unit_test(whatever_rounding_the_caller_has),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
