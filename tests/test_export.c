/* src/exchange: what of the formats no verb can ask for yet, labels; and ids, which must never
 * change. */
#include "exchange/formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const float values[] = {1, 0.5f};

/* One row with a label, and one that is gone where the format can say that, as text to be freed. */
static char *write_one(const struct ms_export_format *format, const char *label) {
    char *text;
    size_t size;
    struct ms_export x = {.file = open_memstream(&text, &size), .rows = 1, .dimension = 2};
    struct ms_export_row gone = {.name = "gone"},
                         row = {.name = "a\\b", .label = label, .values = values};
    assert_non_null(x.file);
    ms_export_identify("gone", &gone);
    ms_export_identify("a\\b", &row);
    assert_true(!format->begin || format->begin(&x));
    assert_true(format->gone(&x, &gone));
    assert_true(format->row(&x, &row));
    assert_true(!format->end || format->end(&x));
    if (x.waiting)
        fclose(x.waiting);
    free(x.bytes);
    fclose(x.file);
    return text;
}

static void expect_text(char *text, const char *wanted) {
    if (!strstr(text, wanted))
        fail_msg("%s is not in %s", wanted, text);
    free(text);
}

#define UUID "c62016d0-f8ee-8333-9028-3fd879b50b69"

static void labels_are_written(void **state) {
    (void)state;
    expect_text(write_one(&ms_export_pgvector, "cat"), UUID "\ta\\\\b\tcat\t[1,0.5]\n");
    expect_text(write_one(&ms_export_pgvector, ""), UUID "\ta\\\\b\t\\N\t[1,0.5]\n");
    expect_text(write_one(&ms_export_qdrant, "a \"cat\""),
                "{\"id\":\"" UUID "\",\"vector\":[1,0.5],\"payload\":{\"path\":\"a\\\\b\","
                "\"label\":\"a \\\"cat\\\"\"}}");
    expect_text(write_one(&ms_export_pinecone, "cat"),
                "{\"id\":\"" UUID "\",\"values\":[1,0.5],\"metadata\":{\"path\":\"a\\\\b\","
                "\"label\":\"cat\"}}");
    expect_text(write_one(&ms_export_pinecone, ""), "\"metadata\":{\"path\":\"a\\\\b\"}}");
}

/* Milvus and Vertex AI write into a folder. */
static void labels_are_written_in_folders(void **state) {
    static const struct {
        const struct ms_export_format *format;
        const char *text;
    } cases[] = {{&ms_export_milvus, "{\"rows\":[\n{\"id\":\"" UUID "\",\"path\":\"a\\\\b\","
                                     "\"label\":\"cat\",\"vector\":[1,0.5]}]}\n"},
                 {&ms_export_vertex, "{\"id\":\"" UUID "\",\"embedding\":[1,0.5],\"restricts\":[{"
                                     "\"namespace\":\"label\",\"allow\":[\"cat\"]}]}\n"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char place[] = "/tmp/minisim-test-export-XXXXXX", path[64], text[256] = "";
        struct ms_folder folder;
        assert_non_null(mkdtemp(place));
        snprintf(path, sizeof path, "%s/out", place);
        assert_int_equal(ms_folder_open(&folder, path), 0);
        struct ms_export x = {.folder = &folder, .rows = 1, .dimension = 2};
        struct ms_export_row row = {.name = "a\\b", .label = "cat", .values = values};
        ms_export_identify("a\\b", &row);
        assert_true(cases[i].format->row(&x, &row) && cases[i].format->end(&x));
        assert_int_not_equal(access(path, F_OK), 0);
        assert_int_equal(ms_folder_publish(&folder), 0);
        ms_folder_discard(&folder);
        snprintf(path, sizeof path, "%s/out/1.json", place);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fread(text, 1, sizeof text - 1, file), strlen(cases[i].text));
        fclose(file);
        assert_string_equal(text, cases[i].text);
        unlink(path);
        *strrchr(path, '/') = '\0';
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(rmdir(place), 0);
    }
}

/* Metadata are refused where they are more than Pinecone takes. */
static void metadata_have_a_limit(void **state) {
    char *text, *label = malloc(40001);
    size_t size;
    struct ms_export x = {.file = open_memstream(&text, &size), .dimension = 2};
    struct ms_export_row row = {.name = "a", .label = label, .values = values};
    (void)state;
    assert_non_null(label);
    memset(label, 'x', 40000);
    label[39979] = '\0';
    assert_false(ms_export_pinecone.row(&x, &row));
    assert_non_null(strstr(x.error.text, "40002 bytes of metadata, Pinecone takes 40000"));
    label[39977] = '\0';
    assert_true(ms_export_pinecone.row(&x, &row));
    fclose(x.waiting);
    fclose(x.file);
    free(x.bytes);
    free(text);
    free(label);
}

static void ids_stay(void **state) {
    struct ms_export_row row;
    (void)state;
    ms_export_identify("/data/a.jpg", &row);
    assert_string_equal(row.uuid, "c8238326-2a76-8b32-91af-f9e84956b5b3");
    assert_int_equal(row.number, 3651141846320751560);
    ms_export_identify("9223372036854775807", &row);
    assert_int_equal(row.number, INT64_MAX);
    ms_export_identify("0", &row);
    assert_int_equal(row.number, 0);
    ms_export_identify("07", &row);
    assert_true(row.number > 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_written), cmocka_unit_test(labels_are_written_in_folders),
        cmocka_unit_test(metadata_have_a_limit), cmocka_unit_test(ids_stay)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
