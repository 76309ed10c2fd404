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
    while (n > 0) { /* once, and once more for what does not fill a step */
        size_t i = 0;
        for (; i + step <= n; i += step) {
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
static void wide(const struct tile *tile, size_t n, void *to) {
    add_tile(tile, n, to, 1, wide_rows);
}

static void dot(const struct ms_pairs *call) {
    if (call->query_count == 1)
        cut(call, 1, wide, 1, wide_rows);
    else
        cut(call, 1, square, square_queries, square_rows);
}
