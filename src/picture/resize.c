/*
 * Rows of the picture stream through: each is read, resized horizontally to 8 bits, and kept in a
 * ring as high as the vertical filter reaches; each output row is a weighted sum of rows of the
 * ring. Only what the window needs is read and computed.
 */
#include "picture/resize.h"

#include "base/error.h"
#include "picture/pixels.h"

#include <math.h>
#include <stdbool.h>

enum { weight_bits = 22, rows_at_once = 8 };

/* The taps of each output along one axis: `count[o]` inputs from `first[o]`, weights
 * [outputs][most]. */
struct taps {
    uint32_t outputs, most;
    uint32_t *first, *count;
    int32_t *weights;
};

/* Keys' cubic convolution kernel with a = -0.5 (IEEE Trans. ASSP 29, 1981, equation 4); the
 * triangle. */
static double filter_value(minisim_resample filter, double x) {
    const double a = -0.5;
    x = fabs(x);
    if (filter == MINISIM_BILINEAR)
        return x < 1 ? 1 - x : 0;
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static int32_t fixed_point(double weight) {
    double scaled = weight * (1 << weight_bits);
    return (int32_t)(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

/* The taps of output x of `out`; `work` holds taps->most doubles. */
static void make_taps(struct taps *taps, minisim_resample filter, uint32_t in, uint32_t out,
                      uint32_t x, uint32_t index, double *work) {
    double scale = (double)in / out, stretch = scale < 1 ? 1 : scale;
    double support = (filter == MINISIM_BILINEAR ? 1.0 : 2.0) * stretch;
    double center = (x + 0.5) * scale, inverse = 1 / stretch, sum = 0;
    int64_t from = (int64_t)(center - support + 0.5), to = (int64_t)(center + support + 0.5);
    from = from < 0 ? 0 : from;
    to = to > in ? in : to;
    uint32_t count = (uint32_t)(to - from);
    for (uint32_t i = 0; i < count; i++) {
        work[i] = filter_value(filter, ((double)(i + from) - center + 0.5) * inverse);
        sum += work[i];
    }
    for (uint32_t i = 0; i < count; i++)
        taps->weights[(size_t)index * taps->most + i] =
            fixed_point(sum != 0 ? work[i] / sum : work[i]);
    taps->first[index] = (uint32_t)from;
    taps->count[index] = count;
}

static minisim_status open_taps(struct taps *taps, minisim_resample filter, uint32_t in,
                                uint32_t out, uint32_t from, uint32_t outputs,
                                struct ms_arena *arena, minisim_error *error) {
    double scale = (double)in / out;
    double support = (filter == MINISIM_BILINEAR ? 1.0 : 2.0) * (scale < 1 ? 1 : scale);
    taps->outputs = outputs;
    taps->most = (uint32_t)ceil(support) * 2 + 1;
    taps->first = ms_arena_allocate(arena, outputs * sizeof *taps->first);
    taps->count = ms_arena_allocate(arena, outputs * sizeof *taps->count);
    taps->weights = ms_arena_allocate(arena, (size_t)outputs * taps->most * sizeof(int32_t));
    double *work = ms_arena_allocate(arena, taps->most * sizeof *work);
    bool enough = taps->first && taps->count && taps->weights && work;
    for (uint32_t i = 0; i < outputs && enough; i++)
        make_taps(taps, filter, in, out, from + i, i, work);
    ms_arena_free(arena, work);
    return enough ? MINISIM_OK
                  : ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory to resize %u to %u",
                            (unsigned)in, (unsigned)out);
}

static void close_taps(struct taps *taps, struct ms_arena *arena) {
    ms_arena_free(arena, taps->first);
    ms_arena_free(arena, taps->count);
    ms_arena_free(arena, taps->weights);
}

/* The inputs that any output needs: *from up to the end that is given back. */
static uint32_t reach(const struct taps *taps, uint32_t *from) {
    uint32_t last = taps->outputs - 1;
    *from = taps->first[0];
    return taps->first[last] + taps->count[last];
}

static uint8_t clamp(int32_t sum) {
    sum >>= weight_bits; /* of a negative number: gcc and clang shift in its sign */
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* One row: `in` begins at column `from`. */
static void resize_row(const struct taps *taps, const uint8_t *in, uint32_t from, uint8_t *out) {
    for (uint32_t x = 0; x < taps->outputs; x++, out += 3) {
        const uint8_t *pixel = in + (size_t)(taps->first[x] - from) * 3;
        const int32_t *weights = taps->weights + (size_t)x * taps->most;
        int32_t r = 1 << (weight_bits - 1), g = r, b = r;
        for (uint32_t i = 0; i < taps->count[x]; i++, pixel += 3) {
            r += pixel[0] * weights[i];
            g += pixel[1] * weights[i];
            b += pixel[2] * weights[i];
        }
        out[0] = clamp(r);
        out[1] = clamp(g);
        out[2] = clamp(b);
    }
}

/* Rows that were resized horizontally: row y at y % taps of the vertical filter. */
struct rows {
    struct taps across, down;
    uint32_t from, end;            /* columns that are read */
    uint32_t next, end_row;        /* the next row to resize; rows that are read */
    uint32_t read_first, read_end; /* the rows in `block` */
    uint8_t *block;                /* [rows_at_once][end - from][3] */
    uint8_t *ring;                 /* [down.most][across.outputs][3] */
    int32_t *sums;                 /* [across.outputs * 3] */
};

static void next_row(const struct ms_resize *resize, struct rows *rows) {
    uint32_t width = rows->end - rows->from;
    if (rows->next == rows->read_end) {
        uint32_t left = rows->end_row - rows->next;
        minisim_region window = {.x = rows->from,
                                 .y = rows->next,
                                 .width = width,
                                 .height = left < rows_at_once ? left : rows_at_once};
        ms_pixels_read(resize->pixels, resize->background, &window, rows->block);
        rows->read_first = rows->next;
        rows->read_end = rows->next + window.height;
    }
    size_t row_bytes = (size_t)rows->across.outputs * 3;
    resize_row(&rows->across, rows->block + (size_t)(rows->next - rows->read_first) * width * 3,
               rows->from, rows->ring + rows->next % rows->down.most * row_bytes);
    rows->next++;
}

/* One output row: the weighted sum of the ring's rows. */
static void sum_rows(const struct rows *rows, uint32_t y, uint8_t *out) {
    size_t n = (size_t)rows->across.outputs * 3;
    const int32_t *weights = rows->down.weights + (size_t)y * rows->down.most;
    for (size_t i = 0; i < n; i++)
        rows->sums[i] = 1 << (weight_bits - 1);
    for (uint32_t k = 0; k < rows->down.count[y]; k++) {
        const uint8_t *row = rows->ring + (rows->down.first[y] + k) % rows->down.most * n;
        int32_t weight = weights[k];
        for (size_t i = 0; i < n; i++)
            rows->sums[i] += row[i] * weight;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = clamp(rows->sums[i]);
}

static minisim_status open_rows(const struct ms_resize *resize, struct rows *rows,
                                struct ms_arena *arena, minisim_error *error) {
    minisim_region picture = ms_pixels_picture(resize->pixels);
    const minisim_region *window = &resize->window;
    minisim_status status = open_taps(&rows->across, resize->filter, picture.width, resize->width,
                                      window->x, window->width, arena, error);
    if (!status)
        status = open_taps(&rows->down, resize->filter, picture.height, resize->height, window->y,
                           window->height, arena, error);
    if (status)
        return status;
    rows->end = reach(&rows->across, &rows->from);
    rows->end_row = reach(&rows->down, &rows->next);
    rows->read_end = rows->next;
    rows->block = ms_arena_allocate(arena, (size_t)rows_at_once * (rows->end - rows->from) * 3);
    rows->ring = ms_arena_allocate(arena, (size_t)rows->down.most * rows->across.outputs * 3);
    rows->sums = ms_arena_allocate(arena, (size_t)rows->across.outputs * 3 * sizeof(int32_t));
    if (!rows->block || !rows->ring || !rows->sums)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory to resize the picture");
    return MINISIM_OK;
}

minisim_status ms_resize(const struct ms_resize *resize, struct ms_arena *arena, uint8_t *out,
                         size_t stride, minisim_error *error) {
    struct rows rows = {0};
    minisim_status status = open_rows(resize, &rows, arena, error);
    for (uint32_t y = 0; y < resize->window.height && !status; y++) {
        while (rows.next < rows.down.first[y] + rows.down.count[y])
            next_row(resize, &rows);
        sum_rows(&rows, y, out + y * stride);
    }
    ms_arena_free(arena, rows.sums);
    ms_arena_free(arena, rows.ring);
    ms_arena_free(arena, rows.block);
    close_taps(&rows.down, arena);
    close_taps(&rows.across, arena);
    return status;
}
