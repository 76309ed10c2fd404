/*
 * Sums over pairs of vectors of f32 and f16, written once for every instruction set. A file such as
 * distance_avx2.c says how wide a vector register is and how the few operations on it are spelt,
 * and the shapes of its tiles (pairs.h), and includes this; the operations are
 *
 *     vec                    `lanes` floats; the 16 partial sums of a pair are 16 / lanes of them
 *     load(p), load_f16(p)   p need not be aligned; every f16 is an f32 exactly
 *     zero(), add(a, b), sub(a, b)
 *     madd(a, b, c)          a * b + c, rounded once
 *     totals(a, n, to)       to[k] = the lanes of a[k], added as s[i] += s[i + lanes/2], and so on
 *     keep(a)                a, in a register: gcc would rather load it again for each use, and
 *                            loads are scarcer than registers
 */
enum { step = 16, vecs = step / lanes };

#include "kernels/pairs.h"

INLINE size_t size_of(const bool half) {
    return half ? sizeof(uint16_t) : sizeof(float);
}

/* Elements i to i + lanes - 1 of a vector. */
INLINE vec take(const uint8_t *vector, size_t i, const bool half) {
    const void *at = vector + i * size_of(half);
    return half ? load_f16(at) : load(at);
}

/* Elements i to i + 15 of each vector into the sums. */
INLINE void add_elements(vec sum[tile_queries_max][tile_rows_max][vecs], const struct tile *tile,
                         size_t i, const size_t queries, const size_t rows, const bool squares,
                         const bool half) {
    UNROLL
    for (size_t v = 0; v < vecs; v++) {
        vec row[tile_rows_max];
        UNROLL
        for (size_t r = 0; r < rows; r++)
            row[r] = take(tile->rows[r], i + v * lanes, half);
        UNROLL
        for (size_t q = 0; q < queries; q++) {
            vec query = keep(take(tile->queries[q], i + v * lanes, half));
            UNROLL
            for (size_t r = 0; r < rows; r++) {
                vec x = squares ? sub(query, row[r]) : query;
                sum[q][r][v] = madd(x, squares ? x : row[r], sum[q][r][v]);
            }
        }
    }
}

/* The sums of one tile: sums[queries][rows]. */
INLINE void add_tile(const struct tile *tile, size_t n, float *sums, const size_t queries,
                     const size_t rows, const bool squares, const bool half) {
    vec sum[tile_queries_max][tile_rows_max][vecs];
    struct ends ends;
    UNROLL
    for (size_t q = 0; q < queries; q++)
        UNROLL
    for (size_t r = 0; r < rows; r++)
        UNROLL
    for (size_t v = 0; v < vecs; v++)
        sum[q][r][v] = zero();
    const uint8_t *ahead = tile->ahead;
    const size_t ahead_step = tile->ahead_step;
    while (n > 0) { /* once, and once more for what does not fill a step */
        size_t i = 0, size = size_of(half);
        for (; i + step <= n; i += step, ahead += ahead_step) {
            fetch(ahead);
            add_elements(sum, tile, i, queries, rows, squares, half);
        }
        if (i < n)
            tile = fill_up(&ends, tile, i * size, (n - i) * size, size, queries, rows);
        n = i < n ? step : 0;
    }
    vec pair[tile_queries_max * tile_rows_max];
    UNROLL
    for (size_t q = 0; q < queries; q++)
        UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t half_way = vecs / 2; half_way > 0; half_way /= 2)
            UNROLL
        for (size_t v = 0; v < half_way; v++)
            sum[q][r][v] = add(sum[q][r][v], sum[q][r][v + half_way]);
        pair[q * rows + r] = sum[q][r][0];
    }
    totals(pair, queries * rows, sums);
}

/* The sums of all pairs: NAME of one kind and type, in tiles of both shapes. */
#define PAIRS(NAME, SQUARES, HALF)                                                                 \
    static void NAME##_square(const struct tile *tile, size_t n, void *sums) {                     \
        add_tile(tile, n, sums, square_queries, square_rows, SQUARES, HALF);                       \
    }                                                                                              \
    static void NAME##_wide(const struct tile *tile, size_t n, void *sums) {                       \
        add_tile(tile, n, sums, 1, wide_rows, SQUARES, HALF);                                      \
    }                                                                                              \
    void NAME(const struct ms_pairs *call) {                                                       \
        if (call->query_count == 1)                                                                \
            cut(call, size_of(HALF), NAME##_wide, 1, wide_rows);                                   \
        else                                                                                       \
            cut(call, size_of(HALF), NAME##_square, square_queries, square_rows);                  \
    }

/* At its end the file names its sums: MS_PAIRS(avx2) makes what kernels.h declares. */
#define MS_PAIRS(NAME)                                                                             \
    PAIRS(ms_dot_##NAME, false, false)                                                             \
    PAIRS(ms_squares_##NAME, true, false)                                                          \
    PAIRS(ms_dot_f16_##NAME, false, true)                                                          \
    PAIRS(ms_squares_f16_##NAME, true, true)
