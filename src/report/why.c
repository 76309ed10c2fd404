/* Why two pictures are alike: see why.h. Splitting, then drawing. */
#include "report/why.h"

#include "report/png.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void keep_pair(struct ms_why *why, struct ms_why_pair pair) {
    size_t at = why->pair_count;
    if (at < MS_WHY_PAIRS)
        why->pair_count++;
    else if (pair.part > why->pairs[at - 1].part)
        at--;
    else
        return;
    for (; at > 0 && why->pairs[at - 1].part < pair.part; at--)
        why->pairs[at] = why->pairs[at - 1];
    why->pairs[at] = pair;
}

bool ms_why_split(const struct ms_vector_set *maps, size_t side, double lengths,
                  struct ms_why *why) {
    size_t cells = side * side;
    double scale = 1 / ((double)cells * (double)cells * lengths);
    float *sums = malloc(cells * sizeof *sums);
    *why = (struct ms_why){.side = side, .parts = calloc(2 * cells, sizeof *why->parts)};
    for (size_t a = 0; sums && why->parts && a < cells; a++) {
        ms_vector_sums(maps, MINISIM_DOT, a, 1, cells, cells, sums);
        for (size_t b = 0; b < cells; b++) {
            double part = (double)sums[b] * scale;
            why->parts[a] += part;
            why->parts[cells + b] += part;
            keep_pair(why, (struct ms_why_pair){a, b, part});
        }
    }
    bool good = sums && why->parts;
    free(sums);
    return good;
}

void ms_why_free(struct ms_why *why) {
    free(why->parts);
    *why = (struct ms_why){0};
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

double ms_why_most(const struct ms_why *why) {
    double most = 0;
    for (size_t i = 0; i < 2 * why->side * why->side; i++)
        most = larger(most, why->parts[i]);
    return most;
}

/* Squares are enlarged by a whole factor to at least LEAST pixels; GAP pixels part them. */
enum { LEAST = 384, GAP = 16 };

struct drawing {
    size_t factor, cell; /* pixels of the drawing for a pixel of the square, and for a cell */
    size_t side, width;
    double most;  /* the part whose window fills its cell */
    uint8_t *rgb; /* [side][width][3] */
};

/* `reach` is twice the distance from a cell's middle to its window's edge, `from` the same to this
 * pixel. A frame as thick as a pixel of the square tells the window from the veil. */
static void draw_pixel(const struct drawing *d, const uint8_t *pixel, double from, double reach,
                       uint8_t *to) {
    int grey = (77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2]) >> 8;
    if (from >= reach)
        memset(to, 153 + grey * 2 / 5, 3);
    else if (from >= reach - 2 * (double)d->factor)
        memset(to, 0, 3);
    else
        memcpy(to, pixel, 3);
}

/* Twice the distance of a row or column to the middle of its cell. */
static double from_middle(const struct drawing *d, size_t at) {
    return fabs(2 * (double)(at % d->cell) + 1 - (double)d->cell);
}

static void draw_square(const struct drawing *d, const uint8_t *square, const double *parts,
                        uint8_t *corner) {
    size_t size = d->side / d->factor, cells = d->side / d->cell;
    for (size_t y = 0; y < d->side; y++)
        for (size_t x = 0; x < d->side; x++) {
            double share = d->most > 0 ? parts[y / d->cell * cells + x / d->cell] / d->most : 0;
            draw_pixel(d, square + 3 * (y / d->factor * size + x / d->factor),
                       larger(from_middle(d, y), from_middle(d, x)), (double)d->cell * sqrt(share),
                       corner + 3 * (y * d->width + x));
        }
}

bool ms_why_draw(const struct ms_why *why, const uint8_t *squares, size_t size, FILE *file) {
    size_t factor = (LEAST + size - 1) / size, side = size * factor;
    struct drawing d = {.factor = factor,
                        .cell = side / why->side,
                        .side = side,
                        .width = 2 * side + GAP,
                        .most = ms_why_most(why)};
    d.rgb = malloc(side * d.width * 3);
    if (!d.rgb)
        return false;
    memset(d.rgb, 255, side * d.width * 3);
    draw_square(&d, squares, why->parts, d.rgb);
    draw_square(&d, squares + size * size * 3, why->parts + why->side * why->side,
                d.rgb + (side + GAP) * 3);
    bool good = ms_write_png(file, d.rgb, (uint32_t)d.width, (uint32_t)side);
    free(d.rgb);
    return good;
}
