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
static const float guard_value = -12345.0f;
static uint64_t seed = 3;

/* From -1 to 1; some are zeros of either sign, some so small that their products vanish, which
 * leaves sums of -0. */
static float random_float(void) {
    uint32_t r = next_random(&seed);
    float x = (float)(int32_t)(r << 8) / 2147483648.0f;
    return r % 16 == 0 ? copysignf(0, x) : r % 16 == 1 ? ldexpf(x, -100) : x;
}

/* Vectors [count][stride], the last one without what follows it, so that the memory ends there;
 * `odd` floats before the first put them off every alignment. */
struct vectors {
    float *memory, *values;
};

static struct vectors make_vectors(size_t count, size_t stride, size_t n, size_t odd) {
    size_t size = odd + (count ? (count - 1) * stride + n : 0);
    struct vectors v = {.memory = malloc((size ? size : 1) * sizeof(float))};
    assert_non_null(v.memory);
    v.values = v.memory + odd;
    for (size_t i = 0; i < size; i++)
        v.memory[i] = NAN;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < n; k++)
            v.values[i * stride + k] = random_float();
    return v;
}

static float by_the_book(const float *a, const float *b, size_t n, bool squares) {
    float s[16] = {0};
    for (size_t i = 0; i < n; i++) {
        float d = a[i] - b[i];
        s[i % 16] = squares ? fmaf(d, d, s[i % 16]) : fmaf(a[i], b[i], s[i % 16]);
    }
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            s[i] += s[i + half];
    return s[0];
}

/* One call on one table; gives the sums with their guards. */
static float *run(ms_pairs_fn *kernel, struct ms_pairs call, size_t *size) {
    *size = 2 * guard + call.query_count * call.sum_stride;
    float *sums = malloc(*size * sizeof *sums);
    assert_non_null(sums);
    for (size_t i = 0; i < *size; i++)
        sums[i] = guard_value;
    call.sums = sums + guard;
    kernel(&call);
    return sums;
}

static void check_shape(size_t n, size_t queries, size_t rows, bool squares) {
    struct ms_pairs call = {.n = n,
                            .query_count = queries,
                            .row_count = rows,
                            .query_stride = n + next_random(&seed) % 3,
                            .row_stride = n + next_random(&seed) % 3,
                            .sum_stride = (rows ? rows : 1) + next_random(&seed) % 2};
    struct vectors q = make_vectors(queries, call.query_stride, n, next_random(&seed) % 4);
    struct vectors r = make_vectors(rows, call.row_stride, n, next_random(&seed) % 4);
    call.queries = q.values;
    call.rows = r.values;
    size_t size;
    float *expected = run(squares ? ms_squares_reference : ms_dot_reference, call, &size);
    for (size_t i = 0; i < size; i++) {
        size_t at = i - guard, query = at / call.sum_stride;
        float sum = guard_value;
        if (i >= guard && query < queries && at % call.sum_stride < rows)
            sum = by_the_book(q.values + query * call.query_stride,
                              r.values + at % call.sum_stride * call.row_stride, n, squares);
        assert_memory_equal(&sum, &expected[i], sizeof sum);
    }
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        float *sums = run(squares ? (*t)->squares : (*t)->dot, call, &size);
        if (memcmp(sums, expected, size * sizeof *sums) != 0)
            fail_msg("%s, %s: n %zu, %zu queries, %zu rows", (*t)->name,
                     squares ? "squares" : "dot", n, queries, rows);
        free(sums);
    }
    free(expected);
    free(q.memory);
    free(r.memory);
}

static void every_short_length(void **state) {
    (void)state;
    for (size_t n = 1; n <= 70; n++)
        for (size_t rows = 0; rows <= 9; rows++)
            for (size_t queries = 1; queries <= 5; queries++) {
                check_shape(n, queries, rows, false);
                check_shape(n, queries, rows, true);
            }
}

static void embeddings(void **state) {
    static const size_t lengths[] = {1280, 1664, 1792};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t rows = 0; rows <= 9; rows++)
            for (size_t queries = 1; queries <= 9; queries += 2) {
                check_shape(lengths[i], queries, rows, false);
                check_shape(lengths[i], queries, rows, true);
            }
}

/* A sum of -0, behind which the vectors end: what fills up the last 16 must not make it +0. */
static void a_negative_zero_stays(void **state) {
    (void)state;
    for (size_t n = 1; n <= 33; n++) {
        float a[33], b[33], sum;
        for (size_t i = 0; i < n; i++)
            a[i] = 1e-30f, b[i] = -1e-30f;
        for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
            (*t)->dot(&(struct ms_pairs){
                .n = n, .query_count = 1, .row_count = 1, .queries = a, .rows = b, .sums = &sum});
            float expected = by_the_book(a, b, n, false);
            assert_memory_equal(&sum, &expected, sizeof sum);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_length),
        cmocka_unit_test(embeddings),
        cmocka_unit_test(a_negative_zero_stays),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
