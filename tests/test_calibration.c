/* What follows from measured distances: shares with their intervals, the recommended threshold,
 * what is shown. Whether the measuring is right, tools/check_calibrate.py asks. */
#include "pairs/calibration.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void near(double value, double expected) {
    if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.12g, not %.12g", value, expected);
}

/* The ends by SciPy's binomtest(found, of).proportion_ci(method="wilson"). */
static void intervals(void **state) {
    (void)state;
    struct ms_share share = ms_share_of(0, 305371);
    assert_true(share.low == 0);
    near(share.high, 1.25794869097e-05);
    share = ms_share_of(3, 1000);
    near(share.low, 0.00102078388114);
    near(share.high, 0.0087830140535);
    share = ms_share_of(1000, 1000);
    near(share.low, 0.996173241514);
    assert_true(share.high == 1);
    share = ms_share_of(0, 0);
    assert_true(share.low == 0 && share.high == 1);
}

enum { COPIED = 1000, PAIRS = 5000 };

/* Copies of kind k at (k + 1) * (1, 2, ... 1000) / 10000, pairs at 0.1 + (1, 2, ... 5000) / 10000.
 */
static struct ms_calibration *measured(void) {
    static double copies[MS_COPIES][COPIED], unrelated[PAIRS];
    static struct ms_calibration c;
    c = (struct ms_calibration){
        .records = 1001, .sampled = 101, .copied = COPIED, .pairs = PAIRS, .unrelated = unrelated};
    for (int kind = 0; kind < MS_COPIES; kind++) {
        c.copies[kind] = copies[kind];
        for (int i = 0; i < COPIED; i++)
            copies[kind][i] = (kind + 1) * (i + 1) / 10000.0;
    }
    for (int i = 0; i < PAIRS; i++)
        unrelated[i] = 0.1 + (i + 1) / 10000.0;
    return &c;
}

static void outlook(void **state) {
    struct ms_calibration *c = measured();
    struct ms_outlook at;
    (void)state;
    ms_calibration_at(c, 0.1, &at);
    assert_int_equal(at.copies[0].found, 1000);
    assert_int_equal(at.copies[1].found, 500);
    assert_int_equal(at.copies[3].found, 250);
    assert_int_equal(at.plain.found, 1500);
    assert_int_equal(at.plain.of, 2000);
    assert_true(at.pairs.found == 0 && at.expected == 0 && at.low == 0);
    near(at.high, 500500 * ms_share_of(0, PAIRS).high);
    ms_calibration_at(c, 0.1005 + 1e-9, &at);
    assert_int_equal(at.pairs.found, 5);
    near(at.expected, 500.5);
    near(at.low, 500500 * at.pairs.low);
    ms_calibration_at(c, -1, &at);
    assert_true(at.plain.found == 0 && at.pairs.found == 0);
    ms_calibration_at(c, 10, &at);
    assert_true(at.plain.found == 2000 && at.pairs.found == PAIRS);
}

static void recommended(void **state) {
    struct ms_calibration *c = measured();
    struct ms_outlook at;
    (void)state;
    /* 10,000 false pairs of 499,500 at most: a hundred of the sample. */
    c->records = 1000;
    assert_true(ms_calibration_recommend(c));
    near(c->threshold, 0.11);
    /* One a record is one in 10,000: none. */
    c->records = 20001;
    assert_true(ms_calibration_recommend(c));
    near(c->threshold, 0.1);
    /* Eleven have no 10,000 pairs: 99 % of the copies decide. */
    c->records = 11;
    assert_true(ms_calibration_recommend(c));
    near(c->threshold, 0.198);
    ms_calibration_at(c, c->threshold, &at);
    assert_true(at.plain.low >= 0.99);
    ms_calibration_at(c, 0.197, &at);
    assert_true(at.plain.low < 0.99);
    /* Too few to say 99 %: all of them. */
    c->copied = 100;
    assert_true(ms_calibration_recommend(c));
    near(c->threshold, 0.02);
    /* Dot products: smaller is closer here, too, and so is the rounding. */
    for (int i = 0; i < PAIRS; i++)
        c->unrelated[i] -= 600;
    for (int kind = 0; kind < MS_COPIES; kind++)
        for (int i = 0; i < 100; i++)
            c->copies[kind][i] -= 1000;
    assert_true(ms_calibration_recommend(c));
    near(c->threshold, -999);
    c->records = 1000000;
    for (int i = 0; i < PAIRS; i++)
        c->unrelated[i] -= 400;
    assert_true(ms_calibration_recommend(c));
    ms_calibration_at(c, c->threshold, &at);
    assert_int_equal(at.pairs.found, 0);
    assert_true(c->threshold > -1010);
}

static void shown(void **state) {
    struct ms_calibration *c = measured();
    double thresholds[MS_SHOWN];
    int recommended = 0;
    struct ms_outlook at;
    (void)state;
    assert_true(ms_calibration_recommend(c) && ms_calibration_list(c, thresholds));
    for (int i = 0; i < MS_SHOWN; i++) {
        assert_true(i == 0 || thresholds[i - 1] <= thresholds[i]);
        recommended += thresholds[i] == c->threshold;
    }
    assert_int_equal(recommended, 1);
    ms_calibration_at(c, thresholds[MS_SHOWN - 1], &at);
    assert_true(at.copies[MS_COPIES - 1].found >= 900 && at.copies[MS_COPIES - 1].found < 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(intervals), cmocka_unit_test(outlook),
                                       cmocka_unit_test(recommended), cmocka_unit_test(shown)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("calibration", tests, NULL, NULL);
}
