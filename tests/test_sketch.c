/*
 * catalogue/sketch: the product of two sketches is never smaller than the cosine of the vectors,
 * for every type, and tells apart most vectors that lie near a few directions, as embeddings do.
 */
#include "catalogue/sketch.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 300, FEW = 20, ZERO = 33 };

static float random_part(uint64_t *seed) {
    return (float)(next_random(seed) % 2001) / 1000 - 1;
}

/* Mixtures of a few vectors and a little of anything; every third is close to the one before. */
static void make_rows(struct ms_stored *rows, float spread) {
    size_t n = rows->n;
    float *few = malloc(FEW * n * sizeof *few), *row = calloc(n, sizeof *row);
    uint64_t seed = 7;
    assert_true(few && row);
    for (size_t i = 0; i < FEW * n; i++)
        few[i] = random_part(&seed);
    for (size_t r = 0; r < ROWS; r++) {
        if (r % 3 != 1)
            memset(row, 0, n * sizeof *row);
        for (size_t f = 0; r % 3 != 1 && f < FEW; f++) {
            float part = random_part(&seed);
            for (size_t i = 0; i < n; i++)
                row[i] += part * few[f * n + i];
        }
        for (size_t i = 0; i < n; i++)
            row[i] = r == ZERO ? 0 : row[i] + spread * random_part(&seed);
        assert_true(ms_stored_put(ms_kernels_choose(NULL), rows, r, row));
    }
    free(few);
    free(row);
}

static double product(const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < MS_SKETCH; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Gives the share of pairs that the sketches tell to be farther than 0.1. */
static double check_bound(enum ms_vector_type type, size_t n, float spread) {
    const struct ms_kernels *kernels = ms_kernels_choose(NULL);
    struct ms_stored rows;
    struct ms_sketcher sketcher;
    size_t far = 0;
    assert_true(ms_stored_open(&rows, type, n, ROWS));
    make_rows(&rows, spread);
    float *sketches = malloc(ROWS * MS_SKETCH * sizeof *sketches);
    float *room = malloc(ROWS * ROWS * sizeof *room);
    double *distances = malloc(ROWS * ROWS * sizeof *distances);
    assert_true(sketches && room && distances);
    assert_true(ms_sketcher_open(&sketcher, kernels, &rows));
    ms_sketch(&sketcher, &rows, sketches);
    ms_stored_distances(kernels, MINISIM_COSINE, &rows, &rows, NULL, room, distances, NULL);
    for (size_t i = 0; i < ROWS * ROWS; i++) {
        size_t a = i / ROWS, b = i % ROWS;
        double most = product(sketches + a * MS_SKETCH, sketches + b * MS_SKETCH);
        if (a == ZERO || b == ZERO)
            assert_true(most == INFINITY);
        else
            assert_true(most + MS_SKETCH_SLACK >= 1 - distances[i]);
        far += most + MS_SKETCH_SLACK < 1 - 0.1;
    }
    ms_sketcher_close(&sketcher);
    free(sketches);
    free(room);
    free(distances);
    ms_stored_close(&rows);
    return (double)far / (ROWS * ROWS);
}

static void a_bound(void **state) {
    static const size_t sizes[] = {MS_SKETCH_LEAST, 300, MS_SKETCH_MOST};
    (void)state;
    for (int type = 0; type < MS_VECTOR_TYPES; type++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            assert_true(check_bound((enum ms_vector_type)type, sizes[i], 0.1f) > 0.9);
            check_bound((enum ms_vector_type)type, sizes[i], 20);
            check_bound((enum ms_vector_type)type, sizes[i], 0); /* fewer directions than 63 */
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_bound)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
