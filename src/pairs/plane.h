/*
 * A plane of bytes as the sums of all rectangles from its corner (Crow, "Summed-area tables for
 * texture mapping", SIGGRAPH 1984): the mean over any rectangle, wherever its edges lie between
 * the samples, takes four of them. So a picture is seen at any scale and place alike, and the mean
 * over each cell keeps fine detail from turning into coarse patterns.
 */
#ifndef MS_PAIRS_PLANE_H
#define MS_PAIRS_PLANE_H

#include <stddef.h>
#include <stdint.h>

enum { MS_PLANE_MOST = 1 << 24 }; /* samples: their sum fits 32 bits */

struct ms_plane {
    uint32_t width, height;
    uint32_t *sums; /* [height + 1][width + 1], zeros first */
};

/* A rectangle inside a picture, in shares of its sides: 0, 0, 1, 1 is all of it. */
struct ms_window {
    double x, y, width, height;
};

/* A window seen as so many cells, up to MS_GRID_SIDE either way. */
enum { MS_GRID_SIDE = 512 };
struct ms_grid {
    size_t columns, rows;
    float *cells; /* [rows][columns]: means, 0 to 255 */
};

/* Sums of width x height samples, `step` bytes apart. */
void ms_plane_fill(struct ms_plane *plane, const uint8_t *samples, size_t step);

/* The means over the cells of a window. */
void ms_plane_see(const struct ms_plane *plane, const struct ms_window *window,
                  struct ms_grid *grid);

#endif
