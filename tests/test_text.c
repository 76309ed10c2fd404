/* base/text: numbers, names and words. */
#include "base/text.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void floats_print_short(void **state) {
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.1f, "0.1"},
                 {-0.0f, "-0"},
                 {6, "6"},
                 {1.0f / 3, "0.33333334"},
                 {16777216, "16777216"},
                 {3.40282347e38f, "3.4028235e+38"},
                 {1.40129846e-45f, "1e-45"},
                 {-4.2e-45f, "-4e-45"},
                 {1.17549421e-38f, "1.1754942e-38"},
                 {0x1p-96f, "1.2621775e-29"},
                 {0x1p87f, "1.5474251e+26"},
                 {0.12345679f, "0.12345679"}};
    char text[MS_NUMBER_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(ms_float_text(cases[i].value, text), cases[i].text);
}

static void doubles_print_short(void **state) {
    char text[MS_NUMBER_SIZE];
    (void)state;
    assert_string_equal(ms_double_text(0.1, text), "0.1");
    assert_string_equal(ms_double_text(0.1 + 0.2, text), "0.30000000000000004");
    assert_string_equal(ms_double_text(1e-5, text), "1e-05");
    assert_string_equal(ms_double_text(5e-324, text), "5e-324");
    assert_string_equal(ms_double_text(-1.5e-323, text), "-1.5e-323");
    assert_string_equal(ms_double_text(0x1p-1017, text), "7.120236347223045e-307");
    assert_string_equal(ms_double_text(-1.7976931348623157e308, text), "-1.7976931348623157e+308");
}

/* A small generator with a fixed start. */
static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 11 ^ *state << 40;
}

static void numbers_read_back(void **state) {
    uint64_t random = 1;
    char text[MS_NUMBER_SIZE];
    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = next_random(&random);
        uint32_t half = (uint32_t)bits;
        float f;
        double d;
        memcpy(&f, &half, sizeof f);
        memcpy(&d, &bits, sizeof d);
        if ((half >> 23 & 0xff) != 0xff) {
            float back = strtof(ms_float_text(f, text), NULL);
            assert_memory_equal(&back, &f, sizeof f);
        }
        if ((bits >> 52 & 0x7ff) != 0x7ff) {
            double back = strtod(ms_double_text(d, text), NULL);
            assert_memory_equal(&back, &d, sizeof d);
        }
    }
}

/* What printf and strtof find, from few digits to many: of numbers as embeddings have them, of such
 * with few digits, and of neighbours of powers of ten. */
static void floats_print_as_printf(void **state) {
    uint64_t random = 1;
    char text[MS_NUMBER_SIZE], expected[MS_NUMBER_SIZE];
    (void)state;
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = next_random(&random);
        uint32_t usual = (uint32_t)(0x38000000 + bits % 0x12000000), few = (uint32_t)(bits % 2000);
        float value = (float)few / 1000;
        if (i % 3 == 0)
            memcpy(&value, &usual, sizeof value);
        if (i % 3 == 1)
            value = nextafterf(powf(10, (float)(few % 12) - 5), few & 1 ? 0 : 1e9f);
        int digits = 1;
        do
            snprintf(expected, sizeof expected, "%.*g", digits, (double)value);
        while (strtof(expected, NULL) != value && ++digits < 10);
        if (digits < 6) /* such are never printed with an exponent */
            snprintf(expected, sizeof expected, "%.6g", (double)value);
        assert_string_equal(ms_float_text(value, text), expected);
    }
}

static void counts_have_commas(void **state) {
    char text[MS_NUMBER_SIZE];
    (void)state;
    assert_string_equal(ms_count_text(0, text), "0");
    assert_string_equal(ms_count_text(999, text), "999");
    assert_string_equal(ms_count_text(1000, text), "1,000");
    assert_string_equal(ms_count_text(12431, text), "12,431");
    assert_string_equal(ms_count_text(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(ms_rough_text(0, text), "0");
    assert_string_equal(ms_rough_text(0.01234, text), "0.0123");
    assert_string_equal(ms_rough_text(999.4, text), "999");
    assert_string_equal(ms_rough_text(999.9, text), "1,000");
    assert_string_equal(ms_rough_text(253712, text), "254,000");
    assert_string_equal(ms_rough_text(999999, text), "1e+06");
}

static void three_digits(void **state) {
    (void)state;
    assert_true(ms_to_three_digits(0.0739) == 1e4);
    assert_true(ms_to_three_digits(-1) == 100);
    assert_true(ms_to_three_digits(100) == 1);
    assert_true(ms_to_three_digits(1000) == 0.1);
    for (int exponent = -1022; exponent <= 1023; exponent++) {
        double value = ldexp(1, exponent), digits = value * ms_to_three_digits(value);
        assert_true(digits < 1000 && (digits >= 100 || value < 1e-297));
    }
}

static void counts_are_read_strictly(void **state) {
    static const char *const wrong[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1e3", "1.0", "18446744073709551616", "1,000"};
    uint64_t value = 0;
    (void)state;
    assert_true(ms_parse_count("18446744073709551615", UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(ms_parse_count("007", 7, &value));
    assert_true(value == 7);
    assert_false(ms_parse_count("8", 7, &value));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(ms_parse_count(wrong[i], UINT64_MAX, &value));
}

static void numbers_are_read_strictly(void **state) {
    static const char *const good[] = {"0", "-1", "+.5", "1.", "1e-3", "2E3", "1e-400"};
    static const char *const bad[] = {"",    " 1",   "1 ", "1,5",   "0x10", "nan",
                                      "inf", "-inf", "1e", "1e400", "1f",   "."};
    double value;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(ms_parse_number(good[i], &value));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ms_parse_number(bad[i], &value));
}

static void utf8_is_told_from_bytes(void **state) {
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xff",
                                      "a\xe2\x82"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(ms_is_utf8(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ms_is_utf8(bad[i]));
    assert_int_equal(ms_utf8_size(""), 0);
    assert_int_equal(ms_utf8_size("\xe2\x82\xac"), 3);
}

static void plain_text_is_safe_to_show(void **state) {
    static const char *const cases[][2] = {{"", ""},
                                           {"caf\xc3\xa9: 3 %", "caf\xc3\xa9: 3 %"},
                                           {"a\tb\n\033[31m\x7f", "a?b??[31m?"},
                                           {"\xc2\x9b"
                                            "2J, \x9b",
                                            "??2J, ?"},
                                           {"cut: \xe2\x82", "cut: ??"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        strcpy(text, cases[i][0]);
        ms_make_plain(text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void names_fill_one_line(void **state) {
    static const char *const cases[][2] = {{"a.jpg", "a.jpg"},
                                           {"back\\slash 'x' \"y\"", "back\\slash 'x' \"y\""},
                                           {"\xc3\xa4.png", "\xc3\xa4.png"},
                                           {"\"q", "\"\\\"q\""},
                                           {"a\nb\t\\\"", "\"a\\nb\\t\\\\\\\"\""},
                                           {"\x1b[2J", "\"\\033[2J\""},
                                           {"\xc2\x9b", "\"\\302\\233\""},
                                           {"\xff\xc3\xa4", "\"\\377\xc3\xa4\""},
                                           {"\x7f", "\"\\177\""},
                                           {"", "\"\""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t size;
        FILE *file = open_memstream(&text, &size);
        assert_non_null(file);
        ms_write_name(file, cases[i][0]);
        fclose(file);
        assert_string_equal(text, cases[i][1]);
        assert_true(ms_read_name(text));
        assert_string_equal(text, cases[i][0]);
        free(text);
    }
}

static void quotes_are_read_strictly(void **state) {
    static const char *const wrong[] = {"\"",      "\"a",       "\"a\"b",    "\"\\",     "\"\\q\"",
                                        "\"\\1\"", "\"\\18 \"", "\"\\400\"", "\"\\000\""};
    char text[MS_NUMBER_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(ms_read_name(strcpy(text, wrong[i])));
}

static void near_words_are_found(void **state) {
    static const char *const words[] = {"embed", "compare", "info", "help", NULL};
    static const char *const alike[] = {"format", "normalize", "no-orientation", NULL};
    (void)state;
    assert_string_equal(ms_nearest_word("emebd", words), "embed");
    assert_string_equal(ms_nearest_word("comprae", words), "compare");
    assert_string_equal(ms_nearest_word("nfo", words), "info");
    assert_string_equal(ms_nearest_word("EMBED", words), "embed");
    assert_string_equal(ms_nearest_word("com", words), "compare");
    assert_null(ms_nearest_word("", words));
    assert_string_equal(ms_nearest_word("info", words), "info");
    assert_null(ms_nearest_word("search", words));
    assert_string_equal(ms_nearest_word("normal", alike), "normalize"); /* not format, nearer */
    assert_string_equal(ms_nearest_word("formal", alike), "format");
    assert_null(ms_nearest_word("a word that is far too long for any option", words));
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(floats_print_short),
                                              cmocka_unit_test(doubles_print_short),
                                              cmocka_unit_test(numbers_read_back),
                                              cmocka_unit_test(floats_print_as_printf),
                                              cmocka_unit_test(counts_have_commas),
                                              cmocka_unit_test(counts_are_read_strictly),
                                              cmocka_unit_test(three_digits),
                                              cmocka_unit_test(numbers_are_read_strictly),
                                              cmocka_unit_test(utf8_is_told_from_bytes),
                                              cmocka_unit_test(plain_text_is_safe_to_show),
                                              cmocka_unit_test(names_fill_one_line),
                                              cmocka_unit_test(quotes_are_read_strictly),
                                              cmocka_unit_test(near_words_are_found)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
