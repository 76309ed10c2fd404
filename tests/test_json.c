/* base/json: what the writer writes, to the byte. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct sink {
    char *text;
    size_t size;
    struct ms_json json;
};

static void open_sink(struct sink *sink) {
    *sink = (struct sink){0};
    sink->json.file = open_memstream(&sink->text, &sink->size);
    assert_non_null(sink->json.file);
}

static void close_sink(struct sink *sink, const char *expected) {
    fclose(sink->json.file);
    assert_string_equal(sink->text, expected);
    free(sink->text);
}

static void nesting_has_commas(void **state) {
    struct sink s;
    (void)state;
    open_sink(&s);
    ms_json_open(&s.json, NULL, '{');
    ms_json_count(&s.json, "schema", 1);
    ms_json_open(&s.json, "empty", '[');
    ms_json_close(&s.json, ']');
    ms_json_open(&s.json, "list", '[');
    ms_json_float(&s.json, NULL, 0.1f);
    ms_json_double(&s.json, NULL, 0.1);
    ms_json_open(&s.json, NULL, '{');
    ms_json_close(&s.json, '}');
    ms_json_close(&s.json, ']');
    ms_json_count(&s.json, "most", UINT64_MAX);
    ms_json_text(&s.json, "none", NULL);
    ms_json_bool(&s.json, "yes", true);
    ms_json_bool(&s.json, "no", false);
    ms_json_close(&s.json, '}');
    close_sink(&s, "{\"schema\":1,\"empty\":[],\"list\":[0.1,0.1,{}],"
                   "\"most\":18446744073709551615,\"none\":null,\"yes\":true,\"no\":false}");
}

static void strings_are_escaped(void **state) {
    struct sink s;
    (void)state;
    open_sink(&s);
    ms_json_text(&s.json, NULL, "a\"\\\n\x01\x7f\xc3\xa4\xff/");
    close_sink(&s, "\"a\\\"\\\\\\u000a\\u0001\\u007f\xc3\xa4\\ufffd/\"");
}

static void names_are_text_or_bytes(void **state) {
    static const char *const cases[][2] = {{"a.jpg", "{\"text\":\"a.jpg\"}"},
                                           {"\xff", "{\"bytes\":\"/w==\"}"},
                                           {"\xff\xfe", "{\"bytes\":\"//4=\"}"},
                                           {"\xff\"x", "{\"bytes\":\"/yJ4\"}"},
                                           {"\xff\"xy", "{\"bytes\":\"/yJ4eQ==\"}"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sink s;
        open_sink(&s);
        ms_json_name(&s.json, NULL, cases[i][0]);
        close_sink(&s, cases[i][1]);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(nesting_has_commas),
                                              cmocka_unit_test(strings_are_escaped),
                                              cmocka_unit_test(names_are_text_or_bytes)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
