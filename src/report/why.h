/*
 * Why two pictures are alike. An embedding is the mean of the last map's cells, so the product of
 * two embeddings is the mean of the products of all pairs of cells, one from either picture: each
 * pair adds a part to the cosine, and a cell adds what its pairs add. No part is negative, because
 * a ReLU6 precedes the average, and together they are 1 - cosine distance.
 *
 * A cell is shown as its share of the square, though it has seen more of the picture than that.
 */
#ifndef MS_REPORT_WHY_H
#define MS_REPORT_WHY_H

#include "vectors/distance.h"

#include <stdio.h>

enum { MS_WHY_PAIRS = 5 };

struct ms_why {
    size_t side;   /* of a map, in cells */
    double *parts; /* [2][side][side]: what each cell of A and of B adds to the cosine */
    /* The pairs that add most, the first most of all. */
    struct ms_why_pair {
        size_t a, b; /* row * side + column */
        double part;
    } pairs[MS_WHY_PAIRS];
    size_t pair_count;
};

/*
 * Splits a cosine: `maps` has the side x side cells of A, then those of B; `lengths` is the product
 * of their embeddings' lengths, not 0. false: no memory; *why is to be freed all the same.
 */
bool ms_why_split(const struct ms_vector_set *maps, size_t side, double lengths,
                  struct ms_why *why);
void ms_why_free(struct ms_why *why);

/* The part that fills a cell when it is drawn: the largest of any. */
double ms_why_most(const struct ms_why *why);

/*
 * Draws it as PNG over both squares [2][size][size][3]: pale where a picture shows through a veil,
 * and for each cell a window with the picture's own colours. The window's area is the cell's part,
 * the largest fills its cell. What cannot be written shows as the stream's error. false: no memory.
 */
bool ms_why_draw(const struct ms_why *why, const uint8_t *squares, size_t size, FILE *file);

#endif
