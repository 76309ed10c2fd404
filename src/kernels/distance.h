/*
 * Sums over pairs of vectors, written once for every instruction set. A file such as
 * distance_avx2.c says how wide a vector register is and how the few operations on it are spelt,
 * and includes this; then they are
 *
 *     vec                    `lanes` floats; the 16 partial sums of a pair are 16 / lanes of them
 *     load(p)                p need not be aligned
 *     zero(), add(a, b), sub(a, b)
 *     madd(a, b, c)          a * b + c, rounded once
 *     total(a)               the lanes of a, added as s[i] += s[i + lanes/2], and so on
 *     keep(a)                a, in a register: gcc would rather load it again for each use, and
 *                            loads are scarcer than registers
 *
 * and the shapes of its tiles, queries x rows whose sums stay in registers while i runs through the
 * vectors:
 *
 *     square_queries, square_rows    for many queries: the fewest loads for its multiply-adds
 *     wide_rows                      for one query: enough chains to hide the multiplier's latency
 *
 * A tile that hangs over the last query or row takes the last one several times and drops what it
 * did too much: so there are two shapes and no others, and one pair takes no longer than one chain
 * would, because the others run in its shadow.
 */
#include "kernels/kernels.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Loops over a tile vanish, so that its sums are registers. clang must do it early: only "full" is.
 */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum {
    parts = 16,
    vecs = parts / lanes,
    tile_queries_max = square_queries,
    tile_rows_max = wide_rows > square_rows ? wide_rows : square_rows
};

/* Where the vectors of a tile are. */
struct tile {
    const float *queries[tile_queries_max], *rows[tile_rows_max];
};

/* Elements i to i + 15 of each vector into the sums. */
INLINE void add_elements(vec sum[tile_queries_max][tile_rows_max][vecs], const struct tile *tile,
                         size_t i, const size_t queries, const size_t rows, const bool squares) {
    UNROLL
    for (size_t v = 0; v < vecs; v++) {
        vec row[tile_rows_max];
        UNROLL
        for (size_t r = 0; r < rows; r++)
            row[r] = load(tile->rows[r] + i + v * lanes);
        UNROLL
        for (size_t q = 0; q < queries; q++) {
            vec query = keep(load(tile->queries[q] + i + v * lanes));
            UNROLL
            for (size_t r = 0; r < rows; r++) {
                vec x = squares ? sub(query, row[r]) : query;
                sum[q][r][v] = madd(x, squares ? x : row[r], sum[q][r][v]);
            }
        }
    }
}

/* A tile's last elements, where its vectors end before 16 are full. */
struct ends {
    float queries[tile_queries_max][parts], rows[tile_rows_max][parts];
    struct tile tile;
};

/*
 * Copies elements i to n and fills them up so that the sums behind the end stay what they are.
 * Their products are 0 * -0 = -0, which changes no sum, not even one of -0; their differences are
 * squared to +0, which changes no sum of squares.
 */
static const struct tile *fill_up(struct ends *ends, const struct tile *tile, size_t i, size_t n,
                                  size_t queries, size_t rows) {
    for (size_t q = 0; q < queries; q++) {
        memset(ends->queries[q], 0, sizeof ends->queries[q]);
        memcpy(ends->queries[q], tile->queries[q] + i, (n - i) * sizeof(float));
        ends->tile.queries[q] = ends->queries[q];
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < parts; k++)
            ends->rows[r][k] = -0.0f;
        memcpy(ends->rows[r], tile->rows[r] + i, (n - i) * sizeof(float));
        ends->tile.rows[r] = ends->rows[r];
    }
    return &ends->tile;
}

/* The sums of one tile: sums[queries][rows]. */
INLINE void add_tile(const struct tile *tile, size_t n, float *sums, const size_t queries,
                     const size_t rows, const bool squares) {
    vec sum[tile_queries_max][tile_rows_max][vecs];
    struct ends ends;
    UNROLL
    for (size_t q = 0; q < queries; q++)
        UNROLL
    for (size_t r = 0; r < rows; r++)
        UNROLL
    for (size_t v = 0; v < vecs; v++)
        sum[q][r][v] = zero();
    while (n > 0) { /* once, and once more for what does not fill 16 */
        size_t i = 0;
        for (; i + parts <= n; i += parts)
            add_elements(sum, tile, i, queries, rows, squares);
        if (i < n)
            tile = fill_up(&ends, tile, i, n, queries, rows);
        n = i < n ? parts : 0;
    }
    UNROLL
    for (size_t q = 0; q < queries; q++)
        UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t half = vecs / 2; half > 0; half /= 2)
            UNROLL
        for (size_t v = 0; v < half; v++)
            sum[q][r][v] = add(sum[q][r][v], sum[q][r][v + half]);
        sums[q * rows + r] = total(sum[q][r][0]);
    }
}

typedef void tile_fn(const struct tile *tile, size_t n, float *sums);

static void dot_square(const struct tile *tile, size_t n, float *sums) {
    add_tile(tile, n, sums, square_queries, square_rows, false);
}
static void dot_wide(const struct tile *tile, size_t n, float *sums) {
    add_tile(tile, n, sums, 1, wide_rows, false);
}
static void squares_square(const struct tile *tile, size_t n, float *sums) {
    add_tile(tile, n, sums, square_queries, square_rows, true);
}
static void squares_wide(const struct tile *tile, size_t n, float *sums) {
    add_tile(tile, n, sums, 1, wide_rows, true);
}

/* All pairs, cut into tiles of this shape; tiles of the same rows follow each other. */
static void cut(const struct ms_pairs *call, tile_fn *add_up, size_t queries, size_t rows) {
    float sums[tile_queries_max * tile_rows_max];
    struct tile tile;
    for (size_t row = 0; row < call->row_count; row += rows) {
        size_t rows_here = call->row_count - row < rows ? call->row_count - row : rows;
        for (size_t r = 0; r < rows; r++)
            tile.rows[r] =
                call->rows + (row + (r < rows_here ? r : rows_here - 1)) * call->row_stride;
        for (size_t query = 0; query < call->query_count; query += queries) {
            size_t left = call->query_count - query, queries_here = left < queries ? left : queries;
            for (size_t q = 0; q < queries; q++)
                tile.queries[q] =
                    call->queries +
                    (query + (q < queries_here ? q : queries_here - 1)) * call->query_stride;
            add_up(&tile, call->n, sums);
            for (size_t q = 0; q < queries_here; q++)
                memcpy(call->sums + (query + q) * call->sum_stride + row, sums + q * rows,
                       rows_here * sizeof *sums);
        }
    }
}

static void dot(const struct ms_pairs *call) {
    if (call->query_count == 1)
        cut(call, dot_wide, 1, wide_rows);
    else
        cut(call, dot_square, square_queries, square_rows);
}

static void squares(const struct ms_pairs *call) {
    if (call->query_count == 1)
        cut(call, squares_wide, 1, wide_rows);
    else
        cut(call, squares_square, square_queries, square_rows);
}
