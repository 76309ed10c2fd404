/* Distances: their definitions, their exact order of arithmetic, their edges.
 * tools/check_distance.py asks SciPy. */
#include "base/fma.h"
#include "minisim.h"
#include "support.h"

#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

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
        cmocka_unit_test(classic_example),
        cmocka_unit_test(equal_vectors_are_at_zero),
        cmocka_unit_test(order_of_the_sums),
        cmocka_unit_test(edges),
        cmocka_unit_test(whatever_rounding_the_caller_has),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
