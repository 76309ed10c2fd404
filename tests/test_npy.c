/* base/npy: written headers, and what the reader takes and refuses. */
#include "base/npy.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/minisim-test-npy-XXXXXX";

static int make_path(void **state) {
    (void)state;
    int descriptor = mkstemp(path);
    return descriptor < 0 ? -1 : close(descriptor);
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

static void write_file(const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A file of version 1 with this dictionary and these bytes behind it; gives its size. */
static size_t compose(char *file, int version, const char *dictionary, const void *data,
                      size_t size) {
    size_t length = strlen(dictionary), start = version == 1 ? 10 : 12;
    memset(file, 0, start);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (char)version;
    file[8] = (char)(length & 0xff);
    file[9] = (char)(length >> 8);
    memcpy(file + start, dictionary, length);
    memcpy(file + start + length, data, size);
    return start + length + size;
}

static minisim_status read_composed(const char *dictionary, const void *data, size_t size,
                                    struct ms_vectors *vectors, minisim_error *error) {
    char file[4096] = {0};
    write_file(file, compose(file, 1, dictionary, data, size));
    return ms_read_npy(path, vectors, error);
}

static void header_is_numpys(void **state) {
    char header[MS_NPY_HEADER_SIZE];
    static const char expected[] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (20, 1280), }";
    (void)state;
    ms_npy_header(20, 1280, header);
    assert_memory_equal(header, expected, sizeof expected - 1);
    for (size_t i = sizeof expected - 1; i < sizeof header - 1; i++)
        assert_int_equal(header[i], ' ');
    assert_int_equal(header[sizeof header - 1], '\n');
    ms_npy_header(UINT64_MAX, UINT64_MAX, header);
    assert_int_equal(header[sizeof header - 1], '\n');
    static const char one[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (7,), } ";
    ms_npy_array_header("|u1", 1, (const uint64_t[]){7}, header);
    assert_memory_equal(header + 10, one, sizeof one - 1);
    static const char three[] = /* as long as it may be */
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999, "
        "9999999999999999999, 10000000000000000000), }";
    ms_npy_array_header(
        "<f4", 3,
        (const uint64_t[]){9999999999999999999u, 9999999999999999999u, 10000000000000000000u},
        header);
    assert_memory_equal(header + 10, three, sizeof three - 1);
    assert_int_equal(header[sizeof header - 1], '\n');
}

static void what_is_written_is_read(void **state) {
    enum { ROWS = 3, COLUMNS = 700 }; /* more than one chunk of values */
    float values[ROWS * COLUMNS];
    char header[MS_NPY_HEADER_SIZE];
    struct ms_vectors vectors;
    minisim_error error;
    (void)state;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = (float)i / 7 - 100;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    ms_npy_header(ROWS, COLUMNS, header);
    fwrite(header, 1, sizeof header, file);
    ms_write_floats(file, values, ROWS * COLUMNS);
    fclose(file);
    assert_int_equal(ms_read_npy(path, &vectors, &error), MINISIM_OK);
    assert_int_equal(vectors.rows, ROWS);
    assert_int_equal(vectors.columns, COLUMNS);
    assert_memory_equal(vectors.values, values, sizeof values);
    free(vectors.values);
}

static void floats_are_little_endian(void **state) {
    static const float values[] = {1.0f, -2.5f};
    unsigned char bytes[9];
    (void)state;
    FILE *file = fopen(path, "w+b");
    assert_non_null(file);
    ms_write_floats(file, values, 2);
    rewind(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 8);
    fclose(file);
    assert_memory_equal(bytes, "\x00\x00\x80\x3f\x00\x00\x20\xc0", 8);
}

/* 1.5 and -2, in all that is read. */
static void types_are_read(void **state) {
    static const struct {
        const char *dictionary, *data;
        size_t size, rows, columns;
    } cases[] = {{"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n",
                  "\x00\x00\xc0\x3f\x00\x00\x00\xc0", 8, 1, 2},
                 {"{\"shape\":(2,1),\"fortran_order\":False,\"descr\":\">f4\"}",
                  "\x3f\xc0\x00\x00\xc0\x00\x00\x00", 8, 2, 1},
                 {"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }   \n",
                  "\x00\x00\x00\x00\x00\x00\xf8\x3f\x00\x00\x00\x00\x00\x00\x00\xc0", 16, 1, 2},
                 {"{'descr': '>f8', 'fortran_order': False, 'shape': (2, 1)}\n",
                  "\x3f\xf8\x00\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x00", 16, 2, 1}};
    (void)state;
    for (int version = 1; version <= 2; version++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char file[256] = {0};
            struct ms_vectors vectors;
            minisim_error error = {""};
            write_file(file,
                       compose(file, version, cases[i].dictionary, cases[i].data, cases[i].size));
            assert_int_equal(ms_read_npy(path, &vectors, &error), MINISIM_OK);
            assert_int_equal(vectors.rows, cases[i].rows);
            assert_int_equal(vectors.columns, cases[i].columns);
            assert_true(vectors.values[0] == 1.5f && vectors.values[1] == -2);
            free(vectors.values);
        }
}

static void doubles_are_rounded(void **state) {
    static const char dictionary[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }";
    static const unsigned char tenth[] = {0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f};
    struct ms_vectors vectors;
    minisim_error error;
    (void)state;
    assert_int_equal(read_composed(dictionary, tenth, 8, &vectors, &error), MINISIM_OK);
    assert_true(vectors.values[0] == 0.1f);
    free(vectors.values);
}

static void damage_is_refused(void **state) {
    static const char *const dictionaries[][2] = {
        {"", "damaged"},
        {"{", "damaged"},
        {"{}", "damaged"},
        {"{'descr': '<f4', 'shape': (2,)}", "damaged"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", "damaged"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "damaged"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", "damaged"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551618,)}", "damaged"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,)}", "neither float32"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", "Fortran"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "single number"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2)}", "two dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}", "empty"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0)}", "empty"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "1 x 3 values"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "do not fill"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775809, 2)}", "fill"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", "8 bytes do not fill"}};
    (void)state;
    for (size_t i = 0; i < sizeof dictionaries / sizeof *dictionaries; i++) {
        struct ms_vectors vectors = {0};
        minisim_error error = {""};
        assert_int_equal(read_composed(dictionaries[i][0], "\0\0\0\0\0\0\0\0", 8, &vectors, &error),
                         MINISIM_BAD_FILE);
        assert_null(vectors.values);
        if (!strstr(error.text, dictionaries[i][1]))
            fail_msg("%s: %s", dictionaries[i][0], error.text);
    }
}

static void numbers_must_be_finite(void **state) {
    static const char four[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1)}";
    static const char eight[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}";
    struct ms_vectors vectors = {0};
    minisim_error error;
    (void)state;
    /* 1 and NaN; infinity; 1e300, which is none as float32 */
    assert_int_equal(read_composed(four, "\0\0\x80\x3f\0\0\xc0\x7f", 8, &vectors, &error),
                     MINISIM_BAD_FILE);
    assert_non_null(strstr(error.text, "row 1, column 0"));
    assert_int_equal(read_composed(eight, "\0\0\0\0\0\0\xf0\x7f", 8, &vectors, &error),
                     MINISIM_BAD_FILE);
    assert_int_equal(read_composed(eight, "\x9c\x75\x00\x88\x3c\xe4\x37\x7e", 8, &vectors, &error),
                     MINISIM_BAD_FILE);
}

/* Every cut and every changed bit: refused or read, never more. The sanitizers watch. */
static void any_damage_is_survived(void **state) {
    static const char dictionary[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
    char file[256] = {0};
    size_t size = compose(file, 1, dictionary, "\0\0\x80\x3f\0\0\x80\x3f", 8);
    struct ms_vectors vectors;
    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        write_file(file, cut);
        assert_int_equal(ms_read_npy(path, &vectors, NULL), MINISIM_BAD_FILE);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        char changed[sizeof file];
        memcpy(changed, file, size);
        changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
        write_file(changed, size);
        if (ms_read_npy(path, &vectors, NULL) == MINISIM_OK) {
            assert_int_equal(vectors.rows * vectors.columns, 2);
            free(vectors.values);
        }
    }
}

static minisim_status read_stream(const void *bytes, size_t size, struct ms_vectors *vectors,
                                  minisim_error *error) {
    write_file(bytes, size);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    minisim_status status = ms_read_npy_stream(file, vectors, error);
    fclose(file);
    return status;
}

/* A stream ends where its array does, holds more than memory begins with, and may promise more
 * than there is. */
static void streams_are_read(void **state) {
    enum { ROWS = 300, COLUMNS = 700, SIZE = MS_NPY_HEADER_SIZE + 4 * ROWS * COLUMNS };
    static unsigned char file[SIZE + 1];
    struct ms_vectors vectors = {0};
    minisim_error error;
    (void)state;
    ms_npy_header(ROWS, COLUMNS, (char *)file);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        memcpy(file + MS_NPY_HEADER_SIZE + 4 * i, (unsigned char[]){0, (unsigned char)i, 0, 64}, 4);
    assert_int_equal(read_stream(file, SIZE, &vectors, &error), MINISIM_OK);
    assert_int_equal(vectors.rows, ROWS);
    assert_int_equal(vectors.columns, COLUMNS);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        assert_true(vectors.values[i] == 2 + 0x1p-14f * (float)(unsigned char)i);
    free(vectors.values);
    vectors.values = NULL;
    assert_int_equal(read_stream(file, SIZE + 1, &vectors, &error), MINISIM_BAD_FILE);
    assert_non_null(strstr(error.text, "more bytes follow"));
    assert_int_equal(read_stream(file, SIZE - 1, &vectors, &error), MINISIM_BAD_FILE);
    assert_non_null(strstr(error.text, "ends before"));
    ms_npy_header(UINT64_MAX / 8, 2, (char *)file);
    assert_int_not_equal(read_stream(file, SIZE, &vectors, &error), MINISIM_OK);
    ms_npy_header(UINT64_MAX, UINT64_MAX, (char *)file);
    assert_int_equal(read_stream(file, SIZE, &vectors, &error), MINISIM_OUT_OF_MEMORY);
    ms_npy_header(1000000000000, 1280, (char *)file); /* which 32 bits cannot address */
    assert_int_equal(read_stream(file, SIZE, &vectors, &error),
                     SIZE_MAX > UINT32_MAX ? MINISIM_BAD_FILE : MINISIM_OUT_OF_MEMORY);
    assert_null(vectors.values);
}

/* An array whose disk fails behind so many bytes. */
struct failing {
    unsigned char bytes[MS_NPY_HEADER_SIZE + 16];
    size_t given, good;
};

static ssize_t read_failing(void *cookie, char *to, size_t size) {
    struct failing *array = cookie;
    size_t left = array->good - array->given, part = left < size ? left : size;
    memcpy(to, array->bytes + array->given, part);
    array->given += part;
    errno = EIO;
    return part > 0 ? (ssize_t)part : -1;
}

/* Wherever reading fails, that is the cause, and not the array. */
static void errors_are_told(void **state) {
    struct failing array = {.good = 0};
    struct ms_vectors vectors;
    minisim_error error;
    (void)state;
    ms_npy_header(2, 2, (char *)array.bytes);
    for (; array.good < sizeof array.bytes; array.good++) {
        FILE *file = fopencookie(&array, "rb", (cookie_io_functions_t){.read = read_failing});
        assert_non_null(file);
        array.given = 0;
        assert_int_equal(ms_read_npy_stream(file, &vectors, &error), MINISIM_BAD_FILE);
        assert_string_equal(error.text, "cannot be read: Input/output error");
        fclose(file);
    }
}

static void only_files_are_read(void **state) {
    struct ms_vectors vectors;
    minisim_error error;
    (void)state;
    assert_int_equal(ms_read_npy("/nowhere/x.npy", &vectors, &error), MINISIM_BAD_FILE);
    assert_string_equal(error.text, "No such file or directory");
    assert_int_equal(ms_read_npy("/tmp", &vectors, &error), MINISIM_BAD_FILE);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ms_read_npy(path, &vectors, &error), MINISIM_BAD_FILE); /* and never waits */
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_numpys),         cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(floats_are_little_endian), cmocka_unit_test(types_are_read),
        cmocka_unit_test(doubles_are_rounded),      cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(numbers_must_be_finite),   cmocka_unit_test(any_damage_is_survived),
        cmocka_unit_test(streams_are_read),         cmocka_unit_test(errors_are_told),
        cmocka_unit_test(only_files_are_read)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
