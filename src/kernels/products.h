/*
 * Products of pairs of vectors of i8, written once for every instruction set: sums of whole
 * numbers, exact in 32 bits, so that their order does not matter. A file such as products_avx2.c
 * says how its operations are spelt, and the shapes of its tiles (pairs.h), and includes this; the
 * operations are
 *
 *     vec, lane_sums                  `step` elements, and sums of products
 *     load_query(p), load_row(p)     p need not be aligned
 *     zero()                         sums of nothing
 *     multiply_add(query, row, s)
 *     add(s, t)
 *     total(s)                       the lanes of s, added
 *     keep(query)                    in a register, as in distance.h
 */
#include "kernels/pairs.h"

/* The products of one tile: to[queries][rows]. */
INLINE void add_tile(const struct tile *tile, size_t n, int32_t *to, const size_t queries,
                     const size_t rows) {
    lane_sums sum[tile_queries_max][tile_rows_max];
    struct ends ends;
    UNROLL
    for (size_t q = 0; q < queries; q++)
        UNROLL
    for (size_t r = 0; r < rows; r++)
        sum[q][r] = zero();
    const uint8_t *ahead = tile->ahead;
    const size_t ahead_step = tile->ahead_step;
    while (n > 0) { /* once, and once more for what does not fill a step */
        size_t i = 0;
        for (; i + step <= n; i += step, ahead += ahead_step) {
            fetch(ahead);
            vec row[tile_rows_max];
            UNROLL
            for (size_t r = 0; r < rows; r++)
                row[r] = load_row(tile->rows[r] + i);
            UNROLL
            for (size_t q = 0; q < queries; q++) {
                vec query = keep(load_query(tile->queries[q] + i));
                UNROLL
                for (size_t r = 0; r < rows; r++)
                    sum[q][r] = multiply_add(query, row[r], sum[q][r]);
            }
        }
        if (i < n)
            tile = fill_up(&ends, tile, i, n - i, 1, queries, rows);
        n = i < n ? step : 0;
    }
    UNROLL
    for (size_t q = 0; q < queries; q++)
        UNROLL
    for (size_t r = 0; r < rows; r++)
        to[q * rows + r] = total(sum[q][r]);
}

static void square(const struct tile *tile, size_t n, void *to) {
    add_tile(tile, n, to, square_queries, square_rows);
}

/* What is left of a query and a row, filled up. */
__attribute__((noinline)) static lane_sums add_end(const uint8_t *query, const uint8_t *row,
                                                   size_t left, lane_sums sum) {
    uint8_t ends[2][step] = {{0}, {0}};
    memcpy(ends[0], query, left);
    memcpy(ends[1], row, left);
    return multiply_add(load_query(ends[0]), load_row(ends[1]), sum);
}

/*
 * One query meets a row after the other, as they lie in memory: eight side by side take the same
 * time where they come from a cache (12 ms for a million of 1280; Zen 4, VNNI), but from memory,
 * which reads ahead where one stream goes on, 112 ms instead of 69. Four sums hide the latency.
 */
static int32_t product(const uint8_t *query, const uint8_t *row, size_t n) {
    enum { sums = 4 };
    lane_sums sum[sums];
    size_t i = 0;
    UNROLL
    for (size_t k = 0; k < sums; k++)
        sum[k] = zero();
    for (; i + sums * step <= n; i += sums * step)
        UNROLL
    for (size_t k = 0; k < sums; k++)
        sum[k] =
            multiply_add(load_query(query + i + k * step), load_row(row + i + k * step), sum[k]);
    for (; i + step <= n; i += step)
        sum[0] = multiply_add(load_query(query + i), load_row(row + i), sum[0]);
    if (i < n)
        sum[0] = add_end(query + i, row + i, n - i, sum[0]);
    return total(add(add(sum[0], sum[1]), add(sum[2], sum[3])));
}

static void dot(const struct ms_pairs *call) {
    int32_t *sums = call->sums;
    const uint8_t *row = call->rows;
    if (call->query_count != 1)
        cut(call, 1, square, square_queries, square_rows);
    else
        for (size_t r = 0; r < call->row_count; r++, row += call->row_stride)
            sums[r] = product(call->queries, row, call->n);
}
