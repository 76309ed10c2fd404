/*
 * Sketches: see sketch.h. Of a vector of length 1, a sketch has the parts in 63 directions at right
 * angles, and last the length of what is left. For two vectors x and y with the parts p and q and
 * what is left r and s, x.y = p.q + r.s <= p.q + |r||s| (Cauchy-Schwarz), which is the product of
 * their sketches.
 *
 * The directions decide how much is left, never whether the bound holds. They are made of vectors
 * of the collection: their first 63, turned twice towards where all of the sample are long (a power
 * iteration), which is as good as a singular value decomposition here.
 *
 * Rounding: a part is a sum of up to 2,048 products in 16 chains, so wrong by less than
 * 136 * 2^-24, all 63 together by less than 7e-5; directions of f32 add less than 1e-5. With
 * parts wrong by 1e-4 in all, p.q is by 2e-4 (MS_SKETCH_SLACK has it), and a squared rest too
 * (REST_SLACK).
 */
#include "catalogue/sketch.h"

#include "vectors/distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIRECTIONS = MS_SKETCH - 1, TURNS = 2 };
#define REST_SLACK 3e-4

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* to += factor * from */
static void add(float *to, double factor, const float *from, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = (float)((double)to[i] + factor * (double)from[i]);
}

static void scale(float *vector, double factor, size_t n) {
    for (size_t i = 0; i < n; i++)
        vector[i] = (float)((double)vector[i] * factor);
}

/* Each at right angles to those before it, of length 1; of length 0 where nothing is left of it. */
static void straighten(float *directions, size_t n) {
    for (size_t i = 0; i < DIRECTIONS; i++) {
        float *own = directions + i * n;
        double before = sqrt(dot(own, own, n));
        for (int twice = 0; twice < 2; twice++)
            for (size_t k = 0; k < i; k++)
                add(own, -dot(own, directions + k * n, n), directions + k * n, n);
        double length = sqrt(dot(own, own, n));
        scale(own, length > 1e-3 * before ? 1 / length : 0, n);
    }
}

/* A row at length 1. false: it has no direction. */
static bool unit(const struct ms_stored *rows, size_t row, float *vector) {
    ms_stored_get(rows, row, vector);
    double squares = dot(vector, vector, rows->n);
    bool good = squares <= 0x1p120 && ms_has_direction((float)squares);
    if (good)
        scale(vector, 1 / sqrt(squares), rows->n);
    return good;
}

static void turn(struct ms_sketcher *s, const struct ms_stored *sample, float *turned) {
    size_t n = s->n;
    memset(turned, 0, DIRECTIONS * n * sizeof *turned);
    for (size_t row = 0; row < sample->count; row++) {
        bool good = unit(sample, row, s->vector);
        for (size_t i = 0; good && i < DIRECTIONS; i++)
            add(turned + i * n, dot(s->directions + i * n, s->vector, n), s->vector, n);
    }
    memcpy(s->directions, turned, DIRECTIONS * n * sizeof *turned);
}

bool ms_sketcher_open(struct ms_sketcher *s, const struct ms_kernels *kernels,
                      const struct ms_stored *sample) {
    size_t n = sample->n;
    float *turned = malloc(DIRECTIONS * n * sizeof *turned);
    *s = (struct ms_sketcher){.kernels = kernels, .n = n};
    s->directions = calloc(DIRECTIONS * n, sizeof *s->directions);
    s->vector = malloc(n * sizeof *s->vector);
    bool good = turned && s->directions && s->vector;
    for (size_t i = 0; good && i < DIRECTIONS && i < sample->count; i++)
        if (!unit(sample, i, s->directions + i * n))
            memset(s->directions + i * n, 0, n * sizeof *s->directions);
    if (good)
        straighten(s->directions, n);
    for (int i = 0; good && i < TURNS; i++) {
        turn(s, sample, turned);
        straighten(s->directions, n);
    }
    free(turned);
    if (!good)
        ms_sketcher_close(s);
    return good;
}

void ms_sketcher_close(struct ms_sketcher *s) {
    free(s->directions);
    free(s->vector);
    *s = (struct ms_sketcher){.n = 0};
}

void ms_sketch(const struct ms_sketcher *s, const struct ms_stored *rows, float *sketches) {
    for (size_t row = 0; row < rows->count; row++) {
        float *sketch = sketches + row * MS_SKETCH;
        memset(sketch, 0, MS_SKETCH * sizeof *sketch);
        if (!unit(rows, row, s->vector)) {
            sketch[DIRECTIONS] = INFINITY;
            continue;
        }
        s->kernels->dot[MS_F32](&(struct ms_pairs){.n = s->n,
                                                   .query_count = 1,
                                                   .row_count = DIRECTIONS,
                                                   .queries = s->vector,
                                                   .rows = s->directions,
                                                   .row_stride = s->n,
                                                   .sums = sketch});
        double rest = 1 - dot(sketch, sketch, DIRECTIONS);
        sketch[DIRECTIONS] = (float)sqrt((rest > 0 ? rest : 0) + REST_SLACK);
    }
}
