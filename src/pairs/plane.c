#include "pairs/plane.h"

void ms_plane_fill(struct ms_plane *plane, const uint8_t *samples, size_t step) {
    size_t stride = (size_t)plane->width + 1;
    for (size_t x = 0; x < stride; x++)
        plane->sums[x] = 0;
    for (size_t y = 0; y < plane->height; y++) {
        const uint32_t *above = plane->sums + y * stride;
        uint32_t *row = plane->sums + (y + 1) * stride, sum = 0;
        row[0] = 0;
        for (size_t x = 0; x < plane->width; x++, samples += step) {
            sum += *samples;
            row[x + 1] = above[x + 1] + sum;
        }
    }
}

/* An edge between cells: the sample that it lies in, and how far. */
struct edge {
    uint32_t at;
    double share;
};

static struct edge edge_at(double place, uint32_t samples) {
    place = place < 0 ? 0 : place > samples ? samples : place;
    uint32_t at = (uint32_t)place;
    at = at < samples ? at : samples - 1;
    return (struct edge){at, place - at};
}

/* The sums above a horizontal edge, up to each vertical one. */
static void sum_above(const struct ms_plane *plane, struct edge y, const struct edge *edges,
                      size_t count, double *sums) {
    size_t stride = (size_t)plane->width + 1;
    const uint32_t *above = plane->sums + y.at * stride, *below = above + stride;
    for (size_t i = 0; i < count; i++) {
        size_t x = edges[i].at;
        double right = edges[i].share, left = 1 - right;
        double upper = left * above[x] + right * above[x + 1];
        double lower = left * below[x] + right * below[x + 1];
        sums[i] = (1 - y.share) * upper + y.share * lower;
    }
}

void ms_plane_see(const struct ms_plane *plane, const struct ms_window *window,
                  struct ms_grid *grid) {
    struct edge edges[MS_GRID_SIDE + 1];
    double sums[2][MS_GRID_SIDE + 1];
    double left = window->x * plane->width, top = window->y * plane->height;
    double width = window->width * plane->width / (double)grid->columns;
    double height = window->height * plane->height / (double)grid->rows;
    for (size_t i = 0; i <= grid->columns; i++)
        edges[i] = edge_at(left + width * (double)i, plane->width);
    sum_above(plane, edge_at(top, plane->height), edges, grid->columns + 1, sums[0]);
    for (size_t j = 0; j < grid->rows; j++) {
        const double *above = sums[j % 2];
        double *below = sums[(j + 1) % 2];
        sum_above(plane, edge_at(top + height * (double)(j + 1), plane->height), edges,
                  grid->columns + 1, below);
        for (size_t i = 0; i < grid->columns; i++)
            grid->cells[j * grid->columns + i] =
                (float)((below[i + 1] - below[i] - above[i + 1] + above[i]) / (width * height));
    }
}
