/*
 * All pairs of queries and rows, cut into tiles whose sums stay in registers while i runs through
 * the vectors: what sums of floats (distance.h) and of integers (products.h) have in common. The
 * file that includes them says the shapes of its tiles,
 *
 *     square_queries, square_rows    for many queries: the fewest loads for its multiply-adds
 *     wide_rows                      for one query: enough chains to hide the multiplier's latency
 *     step                           elements that a tile adds up at a time
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
    tile_queries_max = square_queries,
    tile_rows_max = wide_rows > square_rows ? wide_rows : square_rows
};

/* Where the vectors of a tile are, and what to fetch meanwhile: a place, and how many bytes further
 * on with each step. */
struct tile {
    const uint8_t *queries[tile_queries_max], *rows[tile_rows_max];
    const uint8_t *ahead;
    size_t ahead_step;
};

/* Into the second cache: the first is full of what is at work. */
INLINE void fetch(const uint8_t *at) {
    __builtin_prefetch(at, 0, 2);
}

/* A tile's last elements, where its vectors end before a step is full. */
struct ends {
    uint8_t queries[tile_queries_max][64], rows[tile_rows_max][64];
    struct tile tile;
};

/*
 * Copies `left` bytes from `at` on, of elements of `size` bytes, and fills them up to 64 so that
 * the sums stay what they are: queries with 0, rows with a sign alone. Products of floats are then
 * 0 * -0 = -0, which changes no sum, not even one of -0; their differences are squared to +0, which
 * changes no sum of squares. Products of integers are 0 * -128. Not inlined: it would make up half
 * of each tile, and cost registers where sums are.
 */
__attribute__((noinline)) static const struct tile *fill_up(struct ends *ends,
                                                            const struct tile *tile, size_t at,
                                                            size_t left, size_t size,
                                                            size_t queries, size_t rows) {
    for (size_t q = 0; q < queries; q++) {
        memset(ends->queries[q], 0, sizeof ends->queries[q]);
        memcpy(ends->queries[q], tile->queries[q] + at, left);
        ends->tile.queries[q] = ends->queries[q];
    }
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < sizeof ends->rows[r]; i++)
            ends->rows[r][i] = i % size == size - 1 ? 0x80 : 0;
        memcpy(ends->rows[r], tile->rows[r] + at, left);
        ends->tile.rows[r] = ends->rows[r];
    }
    return &ends->tile;
}

/* Adds up one tile: sums[queries][rows], of four bytes each. */
typedef void tile_fn(const struct tile *tile, size_t n, void *sums);

/*
 * Rows come from afar once, since the tiles of the same rows follow each other; but the first of
 * them would wait. So each fetches its share of the next rows, which lie behind its own: 64 queries
 * and 20,000 rows of 1280 f32 take 30.8 ms instead of 36.1 (AVX-512, Zen 4).
 */
static void look_ahead(struct tile *tile, const struct ms_pairs *call, size_t row_bytes,
                       size_t query, size_t queries, size_t rows) {
    size_t next = rows * row_bytes, steps = call->n / step;
    tile->ahead = tile->rows[0] + next + next * query / call->query_count;
    tile->ahead_step = next * queries / call->query_count / (steps > 0 ? steps : 1);
}

/* All pairs, of elements of `size` bytes, in tiles of this shape. */
static void cut(const struct ms_pairs *call, size_t size, tile_fn *add_up, size_t queries,
                size_t rows) {
    uint32_t sums[tile_queries_max * tile_rows_max];
    const uint8_t *first_query = call->queries, *first_row = call->rows;
    size_t row_bytes = call->row_stride * size;
    struct tile tile;
    for (size_t row = 0; row < call->row_count; row += rows) {
        size_t rows_left = call->row_count - row, rows_here = rows_left < rows ? rows_left : rows;
        for (size_t r = 0; r < rows; r++)
            tile.rows[r] = first_row + (row + (r < rows_here ? r : rows_here - 1)) * row_bytes;
        tile.ahead = tile.rows[0];
        tile.ahead_step = 0;
        for (size_t query = 0; query < call->query_count; query += queries) {
            size_t left = call->query_count - query, queries_here = left < queries ? left : queries;
            for (size_t q = 0; q < queries; q++)
                tile.queries[q] =
                    first_query +
                    (query + (q < queries_here ? q : queries_here - 1)) * call->query_stride * size;
            if (call->query_count > queries && rows_left >= 2 * rows)
                look_ahead(&tile, call, row_bytes, query, queries_here, rows);
            add_up(&tile, call->n, sums);
            for (size_t q = 0; q < queries_here; q++)
                memcpy((uint32_t *)call->sums + (query + q) * call->sum_stride + row,
                       sums + q * rows, rows_here * sizeof *sums);
        }
    }
}
