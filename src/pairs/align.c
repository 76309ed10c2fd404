/*
 * Aligning two pictures: see align.h. First coarsely, by normalised cross-correlation of small
 * grids (Lewis, "Fast normalized cross-correlation", 1995): under the eight symmetries of the
 * square, or at all scales and places. Then, from grid to finer grid, by least squares of the
 * brightness gradient (Lucas and Kanade, "An iterative image registration technique", IJCAI 1981)
 * over the window's place and sides, with both pictures brought to one mean and deviation. Then
 * they are judged.
 */
#include "pairs/align.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FINEST = 128,      /* cells along a side of a square grid on which pictures are judged */
    CELLS = 17 * 1024, /* of any grid that is not wider than MS_GRID_SIDE */
    SQUARE = 32,       /* of the grids of the eight symmetries */
    COARSE = 20,       /* of what is searched for */
    FIELD = 1 << 16,   /* cells that it is searched for in */
    CANDIDATES = 4,    /* places that are looked at more closely */
    NARROW = 7,
    PATCH = 6, /* fine structure is without the mean over so many cells; a small part */
    TONES = 33
};

struct ms_align_room {
    float a[CELLS], b[CELLS], turned[CELLS], mean[CELLS];
    int16_t sought[CELLS], field[FIELD];
    uint32_t sums[FIELD + 2 * MS_GRID_SIDE + 1], squares[FIELD + 2 * MS_GRID_SIDE + 1];
};

static const struct ms_window whole = {0, 0, 1, 1};

struct ms_align_room *ms_align_open(void) {
    return malloc(sizeof(struct ms_align_room));
}

/* ---- grids ---- */

/* A grid of about side x side cells, of that shape, and not finer than width x height. */
static struct ms_grid shape_grid(double width, double height, double side, float *cells) {
    double scale = side / sqrt(width * height);
    scale = scale > 1 ? 1 : scale;
    double columns = width * scale + 0.5, rows = height * scale + 0.5;
    struct ms_grid grid = {.cells = cells};
    grid.columns = columns < 4 ? 4 : columns > MS_GRID_SIDE ? MS_GRID_SIDE : (size_t)columns;
    grid.rows = rows < 4 ? 4 : rows > MS_GRID_SIDE ? MS_GRID_SIDE : (size_t)rows;
    return grid;
}

/* All of a plane, turned. */
static void see_turned(struct ms_align_room *room, const struct ms_plane *plane, unsigned turn,
                       struct ms_grid *grid) {
    size_t columns = grid->columns, rows = grid->rows;
    bool transposed = turn & MS_TRANSPOSE;
    struct ms_grid straight = {transposed ? rows : columns, transposed ? columns : rows,
                               room->turned};
    ms_plane_see(plane, &whole, &straight);
    for (size_t j = 0; j < rows; j++)
        for (size_t i = 0; i < columns; i++) {
            size_t x = turn & MS_FLIP_X ? columns - 1 - i : i;
            size_t y = turn & MS_FLIP_Y ? rows - 1 - j : j;
            grid->cells[j * columns + i] =
                room->turned[transposed ? x * rows + y : y * columns + x];
        }
}

/* b's luma, turned, as a grid of about side x side cells. */
static struct ms_grid see_template(struct ms_align_room *room, const struct ms_plane *b,
                                   unsigned turn, double side) {
    bool transposed = turn & MS_TRANSPOSE;
    struct ms_grid grid = shape_grid(transposed ? b->height : b->width,
                                     transposed ? b->width : b->height, side, room->b);
    see_turned(room, b, turn, &grid);
    return grid;
}

struct moments {
    double mean_a, mean_b, aa, bb, ab; /* variances and covariance */
};

static struct moments measure(const float *a, const float *b, size_t n) {
    struct moments m = {0};
    for (size_t i = 0; i < n; i++) {
        m.mean_a += a[i];
        m.mean_b += b[i];
    }
    m.mean_a /= (double)n;
    m.mean_b /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double x = a[i] - m.mean_a, y = b[i] - m.mean_b;
        m.aa += x * x;
        m.bb += y * y;
        m.ab += x * y;
    }
    m.aa /= (double)n;
    m.bb /= (double)n;
    m.ab /= (double)n;
    return m;
}

static double correlation(const float *a, const float *b, size_t n) {
    struct moments m = measure(a, b, n);
    return m.ab / sqrt(m.aa * m.bb + 1e-9);
}

/* ---- refining ---- */

/* Gauss and Jordan, with the largest pivot; *step[4] becomes the solution. */
static bool solve(double m[4][5], double step[4]) {
    for (size_t i = 0; i < 4; i++) {
        size_t pivot = i;
        for (size_t k = i + 1; k < 4; k++)
            pivot = fabs(m[k][i]) > fabs(m[pivot][i]) ? k : pivot;
        if (fabs(m[pivot][i]) < 1e-9)
            return false;
        for (size_t c = 0; c < 5; c++) {
            double kept = m[i][c];
            m[i][c] = m[pivot][c];
            m[pivot][c] = kept;
        }
        for (size_t k = 0; k < 4; k++) {
            double factor = m[k][i] / m[i][i];
            for (size_t c = i; k != i && c < 5; c++)
                m[k][c] -= factor * m[i][c];
        }
    }
    for (size_t i = 0; i < 4; i++)
        step[i] = m[i][4] / m[i][i];
    return true;
}

/* The normal equations: a, brought to b's mean and deviation, is b with its cells moved by
 * step[0] + u * step[2] along a row, step[1] + v * step[3] along a column; u and v: -1 to 1. */
static bool find_step(const struct ms_grid *a, const struct ms_grid *b, const struct moments *m,
                      double step[4]) {
    double equations[4][5] = {{0}}, gain = sqrt((m->bb + 1e-6) / (m->aa + 1e-6));
    size_t columns = b->columns;
    for (size_t j = 1; j + 1 < b->rows; j++)
        for (size_t i = 1; i + 1 < columns; i++) {
            const float *at = b->cells + j * columns + i;
            double across = ((double)at[1] - at[-1]) / 2;
            double down = ((double)at[columns] - *(at - columns)) / 2;
            double u = (2 * (double)i + 1) / (double)columns - 1;
            double v = (2 * (double)j + 1) / (double)b->rows - 1;
            double slope[4] = {across, down, across * u, down * v};
            double error = (a->cells[j * columns + i] - m->mean_a) * gain - (*at - m->mean_b);
            for (size_t p = 0; p < 4; p++) {
                for (size_t q = 0; q < 4; q++)
                    equations[p][q] += slope[p] * slope[q];
                equations[p][4] += slope[p] * error;
            }
        }
    for (size_t p = 0; p < 4; p++)
        equations[p][p] *= 1.001; /* steps stay short where a direction has no gradient */
    return solve(equations, step);
}

/* At most so many cells at once: gradients tell no farther. */
static double limited(double step) {
    return step > 1.5 ? 1.5 : step < -1.5 ? -1.5 : step;
}

static void clip(double *at, double *length) {
    if (*at < 0) {
        *length += *at;
        *at = 0;
    }
    if (*at + *length > 1)
        *length = 1 - *at;
}

/* false: it became too small. */
static bool move(struct ms_window *window, const struct ms_grid *grid, const double step[4]) {
    double column = window->width / (double)grid->columns,
           row = window->height / (double)grid->rows;
    double wider = -limited(step[2]), higher = -limited(step[3]);
    window->x += (-limited(step[0]) - wider) * column;
    window->y += (-limited(step[1]) - higher) * row;
    window->width += 2 * wider * column;
    window->height += 2 * higher * row;
    clip(&window->x, &window->width);
    clip(&window->y, &window->height);
    return window->width > 0.1 && window->height > 0.1;
}

/* Moves the window to where it is most alike; gives the correlation there. */
static double refine(struct ms_align_room *room, const struct ms_plane *a, const struct ms_plane *b,
                     double side, int rounds, struct ms_match *match) {
    struct ms_grid theirs = see_template(room, b, match->turn, side);
    struct ms_grid ours = {theirs.columns, theirs.rows, room->a};
    struct ms_window window = match->window;
    double best = -2, step[4];
    for (bool more = true; more; rounds--) {
        ms_plane_see(a, &window, &ours);
        struct moments m = measure(ours.cells, theirs.cells, ours.columns * ours.rows);
        double alike = m.ab / sqrt(m.aa * m.bb + 1e-9);
        if (alike > best) {
            best = alike;
            match->window = window;
        }
        more = rounds > 0 && find_step(&ours, &theirs, &m, step) && move(&window, &ours, step);
    }
    return best;
}

/* ---- judging ---- */

/* Cells without the mean of the NARROW cells around, along rows (step 1, in lines of `count`) or
 * columns: cell k of line l is l * line + k * step. */
static void keep_detail(const struct ms_grid *grid, size_t step, float *detail) {
    enum { REACH = NARROW / 2 };
    bool along_rows = step == 1;
    size_t count = along_rows ? grid->columns : grid->rows;
    size_t lines = along_rows ? grid->rows : grid->columns;
    for (size_t l = 0; l < lines; l++) {
        size_t begin = l * (along_rows ? grid->columns : 1);
        for (size_t k = 0; k < count; k++) {
            size_t from = k < REACH ? 0 : k - REACH, to = k + REACH < count ? k + REACH : count - 1;
            double sum = 0;
            for (size_t i = from; i <= to; i++)
                sum += grid->cells[begin + i * step];
            size_t at = begin + k * step;
            detail[at] = (float)(grid->cells[at] - sum / (double)(to - from + 1));
        }
    }
}

/*
 * How well fine structure agrees along rows, or columns. Each alone, because pages of text share
 * their lines: what tells them apart lies along the lines. Noise counts as something in common, so
 * that where there is no structure nothing is missed.
 */
static double compare_detail(struct ms_align_room *room, const struct ms_grid *a,
                             const struct ms_grid *b, size_t step) {
    const double noise = 1; /* variance */
    keep_detail(a, step, room->turned);
    keep_detail(b, step, room->mean);
    struct moments m = measure(room->turned, room->mean, a->columns * a->rows);
    return (m.ab + noise) / sqrt((m.aa + noise) * (m.bb + noise));
}

/* A tone of `from`: the point of the curve before it, and how far behind that it lies. */
static size_t tone_of(float value, double *share) {
    double place = value / 8;
    size_t at = place > TONES - 2 ? TONES - 2 : (size_t)(place > 0 ? place : 0);
    *share = place - (double)at;
    return at;
}

/*
 * What `to` holds that no change of tones makes of `from`: room->mean becomes the rest, beside the
 * curve that gives each tone of `from` the mean of `to` there. So brightness, contrast, gamma and
 * clipping count for nothing (compare the correlation ratio: Roche and others, MICCAI 1998).
 */
static void keep_rest(struct ms_align_room *room, const float *from, const float *to, size_t n) {
    double curve[TONES] = {0}, weight[TONES] = {0}, share;
    for (size_t i = 0; i < n; i++) {
        size_t at = tone_of(from[i], &share);
        curve[at] += (1 - share) * to[i];
        weight[at] += 1 - share;
        curve[at + 1] += share * to[i];
        weight[at + 1] += share;
    }
    for (size_t t = 0; t < TONES; t++)
        curve[t] = weight[t] > 0.5 ? curve[t] / weight[t] : t > 0 ? curve[t - 1] : 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = tone_of(from[i], &share);
        room->mean[i] = (float)(to[i] - (1 - share) * curve[at] - share * curve[at + 1]);
    }
}

/* The largest mean square of the rest over a small part. */
static double worst_part(const float *rest, size_t columns, size_t rows) {
    double worst = 0;
    for (size_t j = 0; j + PATCH <= rows; j += PATCH / 2)
        for (size_t i = 0; i + PATCH <= columns; i += PATCH / 2) {
            double sum = 0;
            for (size_t y = j; y < j + PATCH; y++)
                for (size_t x = i; x < i + PATCH; x++)
                    sum += (double)rest[y * columns + x] * rest[y * columns + x];
            worst = sum > worst ? sum : worst;
        }
    return worst / (PATCH * PATCH);
}

/* The cosine of both pictures' distances from grey, on a grid a quarter as fine. */
static double compare_colour(struct ms_align_room *room, const struct ms_planes *a,
                             const struct ms_planes *b, const struct ms_match *match,
                             const struct ms_grid *grid) {
    enum { COLOURLESS = 4, NOISE = 9 }; /* mean squares */
    struct ms_grid ours = {(grid->columns + 3) / 4, (grid->rows + 3) / 4, room->a}, theirs = ours;
    size_t n = ours.columns * ours.rows;
    double aa = 0, bb = 0, ab = 0;
    theirs.cells = room->b;
    for (size_t p = MS_RED; p <= MS_BLUE; p++) {
        ms_plane_see(&a->of[p], &match->window, &ours);
        see_turned(room, &b->of[p], match->turn, &theirs);
        for (size_t i = 0; i < n; i++) {
            double x = ours.cells[i] - 128, y = theirs.cells[i] - 128;
            aa += x * x / (double)n;
            bb += y * y / (double)n;
            ab += x * y / (double)n;
        }
    }
    if (aa < COLOURLESS || bb < COLOURLESS)
        return 1;
    return (ab + NOISE) / sqrt((aa + NOISE) * (bb + NOISE));
}

static void judge(struct ms_align_room *room, const struct ms_planes *a, const struct ms_planes *b,
                  struct ms_match *match) {
    enum { FLAT = 4 }; /* variance */
    const struct ms_plane *ours = &a->of[MS_LUMA];
    struct ms_grid theirs = see_template(room, &b->of[MS_LUMA], match->turn, FINEST);
    /* No finer than the window shows it. */
    double width = match->window.width * ours->width, height = match->window.height * ours->height;
    double finest = sqrt(width * height);
    if (finest < FINEST)
        theirs = see_template(room, &b->of[MS_LUMA], match->turn, finest);
    struct ms_grid grid = {theirs.columns, theirs.rows, room->a};
    size_t n = grid.columns * grid.rows;
    ms_plane_see(ours, &match->window, &grid);
    struct moments m = measure(grid.cells, theirs.cells, n);
    match->flat = m.aa < FLAT || m.bb < FLAT;
    keep_rest(room, room->a, room->b, n);
    double forth = worst_part(room->mean, grid.columns, grid.rows) / (m.bb + 1);
    keep_rest(room, room->b, room->a, n);
    double back = worst_part(room->mean, grid.columns, grid.rows) / (m.aa + 1);
    match->worst = sqrt(forth < back ? forth : back); /* clipping loses what the other way has */
    double across = compare_detail(room, &grid, &theirs, 1);
    double down = compare_detail(room, &grid, &theirs, grid.columns);
    match->detail = across < down ? across : down;
    match->colour = compare_colour(room, a, b, match, &grid);
}

/* ---- the whole ---- */

void ms_align_whole(struct ms_align_room *room, const struct ms_planes *a,
                    const struct ms_planes *b, struct ms_match *match) {
    const struct ms_plane *ours = &a->of[MS_LUMA], *theirs = &b->of[MS_LUMA];
    struct ms_grid square = {SQUARE, SQUARE, room->a}, turned = {SQUARE, SQUARE, room->b};
    double best = -2;
    *match = (struct ms_match){.window = whole};
    ms_plane_see(ours, &whole, &square);
    for (unsigned turn = 0; turn < MS_TURNS; turn++) {
        see_turned(room, theirs, turn, &turned);
        double alike = correlation(square.cells, turned.cells, SQUARE * SQUARE);
        if (alike > best + (turn > 0 ? 1e-3 : 0)) { /* what is symmetric was not turned */
            best = alike;
            match->turn = turn;
        }
    }
    refine(room, ours, theirs, 24, 3, match);
    refine(room, ours, theirs, 48, 3, match);
    refine(room, ours, theirs, 96, 3, match);
    refine(room, ours, theirs, FINEST, 2, match);
    judge(room, a, b, match);
}

/* ---- a part ---- */

struct candidate {
    double alike;
    struct ms_window window;
};

struct candidates {
    struct candidate best[CANDIDATES];
    size_t count;
};

static bool is_near(const struct ms_window *a, const struct ms_window *b) {
    const double near = 0.12;
    double x = a->x + a->width / 2 - b->x - b->width / 2;
    double y = a->y + a->height / 2 - b->y - b->height / 2;
    return fabs(x) < near * b->width && fabs(y) < near * b->height &&
           fabs(a->width / b->width - 1) < near;
}

/* Keeps the best, one of those that lie near each other. */
static void keep(struct candidates *kept, const struct candidate *new) {
    size_t at = 0;
    while (at < kept->count && !is_near(&kept->best[at].window, &new->window))
        at++;
    if (at == CANDIDATES)
        at--;
    else if (at == kept->count)
        kept->best[kept->count++] = (struct candidate){-2, whole};
    if (kept->best[at].alike >= new->alike)
        return;
    for (; at > 0 && kept->best[at - 1].alike < new->alike; at--)
        kept->best[at] = kept->best[at - 1];
    kept->best[at] = *new;
}

/* The field as whole numbers, and their sums and squares' sums as in a plane. */
static void fill_field(struct ms_align_room *room, const float *cells, size_t columns,
                       size_t rows) {
    size_t stride = columns + 1;
    memset(room->sums, 0, stride * sizeof *room->sums);
    memset(room->squares, 0, stride * sizeof *room->squares);
    for (size_t j = 0; j < rows; j++) {
        size_t at = (j + 1) * stride;
        uint32_t sum = 0, squares = 0;
        room->sums[at] = room->squares[at] = 0;
        for (size_t i = 0; i < columns; i++) {
            uint32_t value = (uint32_t)(cells[j * columns + i] + 0.5f);
            room->field[j * columns + i] = (int16_t)value;
            sum += value;
            squares += value * value;
            room->sums[at + i + 1] = room->sums[at + i + 1 - stride] + sum;
            room->squares[at + i + 1] = room->squares[at + i + 1 - stride] + squares;
        }
    }
}

static int32_t multiply(const int16_t *sought, const int16_t *field, size_t columns, size_t rows,
                        size_t stride) {
    int32_t sum = 0;
    for (size_t j = 0; j < rows; j++, sought += columns, field += stride)
        for (size_t i = 0; i < columns; i++)
            sum += sought[i] * field[i];
    return sum;
}

static double sum_of(const uint32_t *sums, size_t stride, size_t x, size_t y, size_t columns,
                     size_t rows) {
    const uint32_t *top = sums + y * stride + x, *bottom = top + rows * stride;
    return (double)(bottom[columns] - bottom[0] - top[columns] + top[0]);
}

/* What is sought, everywhere in the field. */
static void search_field(struct ms_align_room *room, size_t columns, size_t rows,
                         size_t field_columns, size_t field_rows, struct candidates *kept) {
    const double least = 0.5, flat = 9;
    size_t stride = field_columns + 1;
    double n = (double)(columns * rows), sum = 0, squares = 0;
    for (size_t i = 0; i < columns * rows; i++) {
        sum += room->sought[i];
        squares += room->sought[i] * room->sought[i];
    }
    double own = squares - sum * sum / n;
    for (size_t y = 0; y + rows <= field_rows; y++)
        for (size_t x = 0; x + columns <= field_columns; x++) {
            double there = sum_of(room->sums, stride, x, y, columns, rows);
            double theirs = sum_of(room->squares, stride, x, y, columns, rows) - there * there / n;
            if (theirs < flat * n)
                continue;
            double both = multiply(room->sought, room->field + y * field_columns + x, columns, rows,
                                   field_columns) -
                          sum * there / n;
            struct candidate new = {
                both / sqrt(own * theirs + 1e-9),
                {(double)x / (double)field_columns, (double)y / (double)field_rows,
                 (double)columns / (double)field_columns, (double)rows / (double)field_rows}};
            if (new.alike > least)
                keep(kept, &new);
        }
}

/* Windows of b's shape in a, from the largest on, each a twentieth smaller than the one before. */
static void search_scales(struct ms_align_room *room, const struct ms_plane *a,
                          const struct ms_plane *b, struct candidates *kept) {
    struct ms_grid sought = see_template(room, b, 0, COARSE);
    double shape = (double)b->width / b->height, width = a->width, height = a->height;
    double largest = width > height * shape ? height * shape / width : 1;
    for (size_t i = 0; i < sought.columns * sought.rows; i++)
        room->sought[i] = (int16_t)(sought.cells[i] + 0.5f);
    for (double scale = 1; scale > 0.33; scale *= 0.95) {
        double wide = largest * scale, high = wide * width / shape / height;
        struct ms_grid field = {(size_t)((double)sought.columns / wide + 0.5),
                                (size_t)((double)sought.rows / (high < 1 ? high : 1) + 0.5),
                                room->a};
        if (field.columns > MS_GRID_SIDE || field.rows > MS_GRID_SIDE ||
            field.columns * field.rows > CELLS)
            continue;
        ms_plane_see(a, &whole, &field);
        fill_field(room, field.cells, field.columns, field.rows);
        search_field(room, sought.columns, sought.rows, field.columns, field.rows, kept);
    }
}

void ms_align_part(struct ms_align_room *room, const struct ms_planes *a, const struct ms_planes *b,
                   struct ms_match *match) {
    const double least = 0.5;
    const struct ms_plane *ours = &a->of[MS_LUMA], *theirs = &b->of[MS_LUMA];
    struct candidates kept = {.count = 0};
    *match = (struct ms_match){.window = whole, .detail = -1};
    search_scales(room, ours, theirs, &kept);
    for (size_t i = 0; i < kept.count; i++) {
        struct ms_match here = {.window = kept.best[i].window};
        if (refine(room, ours, theirs, 20, 2, &here) < least)
            continue;
        refine(room, ours, theirs, 40, 3, &here);
        if (refine(room, ours, theirs, 80, 3, &here) < least)
            continue;
        refine(room, ours, theirs, FINEST, 3, &here);
        judge(room, a, b, &here);
        if (here.detail > match->detail)
            *match = here;
    }
}
