/*
 * The kernels of distances: every table against the reference, bit for bit, and the reference
 * against src/NUMBERS.md written out once more. Vectors stand at the very end of their memory and
 * sums between guard values, so that reading or writing past a shape is found.
 */
#include "kernels/kernels.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { guard = 16 };
static const uint32_t guard_value = 0xdeadbeef;
static uint64_t seed = 3;

static const size_t size_of[MS_VECTOR_TYPES] = {4, 2, 1};

/* A value of the type: floats from -1 to 1, of which some are zeros of either sign, some so small
 * that their products vanish, which leaves sums of -0; every finite f16; every i8, -128 too. */
static void put_random(enum ms_vector_type type, uint8_t *to) {
    uint32_t r = next_random(&seed);
    float x = (float)(int32_t)(r << 8) / 2147483648.0f;
    x = r % 16 == 0 ? copysignf(0, x) : r % 16 == 1 ? ldexpf(x, -100) : x;
    uint16_t half = (uint16_t)((r & 0x7c00) == 0x7c00 ? r & 0x83ff : r);
    uint8_t byte = (uint8_t)r;
    memcpy(to, type == MS_F32 ? (void *)&x : type == MS_F16 ? (void *)&half : &byte, size_of[type]);
}

static float float_at(enum ms_vector_type type, const uint8_t *vector, size_t i) {
    uint16_t half;
    float x;
    memcpy(&half, vector + i * size_of[type], sizeof half);
    if (type == MS_F16) /* sign, exponent, mantissa */
        x = ldexpf((float)(half >> 10 & 31 ? half % 1024 + 1024 : half % 1024),
                   half >> 10 & 31 ? (half >> 10 & 31) - 25 : -24) *
            (half >> 15 ? -1.0f : 1.0f);
    else
        memcpy(&x, vector + i * sizeof x, sizeof x);
    return x;
}

/* Vectors [count][stride], the last one without what follows it, so that the memory ends there;
 * `odd` values before the first put them off every alignment. What is between them is NaN. */
struct vectors {
    uint8_t *memory, *values;
};

static struct vectors make_vectors(enum ms_vector_type type, size_t count, size_t stride, size_t n,
                                   size_t odd) {
    size_t values = odd + (count ? (count - 1) * stride + n : 0), size = values * size_of[type];
    struct vectors v = {.memory = malloc(size ? size : 1)};
    assert_non_null(v.memory);
    v.values = v.memory + odd * size_of[type];
    memset(v.memory, 0xff, size);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < n; k++)
            put_random(type, v.values + (i * stride + k) * size_of[type]);
    return v;
}

/* The bits of a sum as src/NUMBERS.md and src/catalogue/FORMAT.md define it. */
static uint32_t by_the_book(enum ms_vector_type type, const uint8_t *a, const uint8_t *b, size_t n,
                            bool squares) {
    float s[16] = {0};
    int32_t whole = 0;
    uint32_t bits;
    for (size_t i = 0; i < n && type == MS_I8; i++)
        whole += (int8_t)a[i] * (int8_t)b[i];
    for (size_t i = 0; i < n && type != MS_I8; i++) {
        float x = float_at(type, a, i), y = float_at(type, b, i), d = x - y;
        s[i % 16] = squares ? fmaf(d, d, s[i % 16]) : fmaf(x, y, s[i % 16]);
    }
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            s[i] += s[i + half];
    memcpy(&bits, type == MS_I8 ? (void *)&whole : &s[0], sizeof bits);
    return bits;
}

/* One call on one table; gives the sums with their guards. */
static uint32_t *run(ms_pairs_fn *kernel, struct ms_pairs call, size_t *size) {
    *size = 2 * guard + call.query_count * call.sum_stride;
    uint32_t *sums = malloc(*size * sizeof *sums);
    assert_non_null(sums);
    for (size_t i = 0; i < *size; i++)
        sums[i] = guard_value;
    call.sums = sums + guard;
    kernel(&call);
    return sums;
}

static ms_pairs_fn *kernel_of(const struct ms_kernels *table, enum ms_vector_type type,
                              bool squares) {
    return squares ? table->squares[type] : table->dot[type];
}

static void check_shape(enum ms_vector_type type, size_t n, size_t queries, size_t rows,
                        bool squares) {
    struct ms_pairs call = {.n = n,
                            .query_count = queries,
                            .row_count = rows,
                            .query_stride = n + next_random(&seed) % 3,
                            .row_stride = n + next_random(&seed) % 3,
                            .sum_stride = (rows ? rows : 1) + next_random(&seed) % 2};
    struct vectors q = make_vectors(type, queries, call.query_stride, n, next_random(&seed) % 4);
    struct vectors r = make_vectors(type, rows, call.row_stride, n, next_random(&seed) % 4);
    call.queries = q.values;
    call.rows = r.values;
    size_t size;
    uint32_t *expected = run(kernel_of(&ms_kernels_reference, type, squares), call, &size);
    for (size_t i = 0; i < size; i++) {
        size_t at = i - guard, query = at / call.sum_stride;
        uint32_t sum = guard_value;
        if (i >= guard && query < queries && at % call.sum_stride < rows)
            sum = by_the_book(type, q.values + query * call.query_stride * size_of[type],
                              r.values + at % call.sum_stride * call.row_stride * size_of[type], n,
                              squares);
        assert_int_equal(sum, expected[i]);
    }
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        uint32_t *sums = run(kernel_of(*t, type, squares), call, &size);
        if (memcmp(sums, expected, size * sizeof *sums) != 0)
            fail_msg("%s, %s, type %d: n %zu, %zu queries, %zu rows", (*t)->name,
                     squares ? "squares" : "dot", type, n, queries, rows);
        free(sums);
    }
    free(expected);
    free(q.memory);
    free(r.memory);
}

static void check_shapes(size_t n, size_t queries, size_t rows) {
    for (int type = MS_F32; type <= MS_I8; type++) {
        check_shape((enum ms_vector_type)type, n, queries, rows, false);
        if (type != MS_I8)
            check_shape((enum ms_vector_type)type, n, queries, rows, true);
    }
}

static void every_short_length(void **state) {
    (void)state;
    for (size_t n = 1; n <= 70; n++)
        for (size_t rows = 0; rows <= 9; rows++)
            for (size_t queries = 1; queries <= 5; queries++)
                check_shapes(n, queries, rows);
}

static void embeddings(void **state) {
    static const size_t lengths[] = {1280, 1664, 1792};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t rows = 0; rows <= 9; rows++)
            for (size_t queries = 1; queries <= 9; queries += 2)
                check_shapes(lengths[i], queries, rows);
}

/* From the least to the largest values of i8, so many that a sum is as large as sums come. */
static void the_largest_sums(void **state) {
    enum { n = 65536 };
    static int8_t a[n], b[n];
    (void)state;
    for (int x = -128; x < 128; x += 51)
        for (int y = -128; y < 128; y += 51)
            for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
                int32_t sum;
                memset(a, x, n);
                memset(b, y, n);
                (*t)->dot[MS_I8](&(struct ms_pairs){.n = n,
                                                    .query_count = 1,
                                                    .row_count = 1,
                                                    .queries = a,
                                                    .rows = b,
                                                    .sums = &sum});
                assert_int_equal(sum, x * y * n);
            }
}

/* A sum of -0, behind which the vectors end: what fills up the last 16 must not make it +0. */
static void a_negative_zero_stays(void **state) {
    (void)state;
    for (size_t n = 1; n <= 33; n++) {
        float a[33], b[33];
        uint32_t sum;
        for (size_t i = 0; i < n; i++)
            a[i] = 1e-30f, b[i] = -1e-30f;
        for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
            (*t)->dot[0](&(struct ms_pairs){
                .n = n, .query_count = 1, .row_count = 1, .queries = a, .rows = b, .sums = &sum});
            uint32_t expected = by_the_book(MS_F32, (uint8_t *)a, (uint8_t *)b, n, false);
            assert_memory_equal(&sum, &expected, sizeof sum);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_length),
        cmocka_unit_test(embeddings),
        cmocka_unit_test(the_largest_sums),
        cmocka_unit_test(a_negative_zero_stays),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
