/*
 * Pictures are resized as they are stored, row by row from the first, and only what the window
 * needs is read and computed; outputs are turned to how they are seen where they are written. What
 * is seen as horizontal comes first, with 8 bits between the passes.
 *
 * Usually that is along the stored rows. Each is resized into a ring as high as the vertical filter
 * reaches, and each output row is a weighted sum of rows of the ring:
 *     stored row -> across -> ring -> down -> output row
 * In a transposed picture the stored rows are seen as columns. Each column of the output is a
 * weighted sum of stored rows, resized along its length; the ring holds converted rows:
 *     stored row -> ring -> down -> line -> across -> output column
 * and there is no ring where the pixels are RGB already.
 */
#include "picture/resize.h"

#include "base/error.h"
#include "picture/pixels.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* One axis of the picture, and the outputs along it, both as they are stored. */
struct axis {
    minisim_resample filter;
    uint32_t in, out;         /* samples of the whole picture, and of what it is resized to */
    uint32_t window, outputs; /* the first output that is computed, as seen, and how many */
    bool backwards;           /* seen from the other end */
    uint32_t taps;       /* of every output; the weights of those that it does not need are 0 */
    uint32_t from;       /* the first sample that is read */
    uint32_t span, read; /* the samples that the taps reach; those of them in the picture */
    uint32_t *first;     /* [outputs]: the first tap, counted from `from` */
    int32_t *weights;    /* [outputs][taps] */
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
    double scaled = weight * (1 << ms_resize_bits);
    return (int32_t)(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

/* The samples that an output sums, all as seen, and where its filter lies over them. */
struct reach {
    double center, inverse;
    uint32_t from, count;
};

static struct reach reach_of(const struct axis *axis, uint32_t output) {
    uint32_t x = axis->window + (axis->backwards ? axis->outputs - 1 - output : output);
    double scale = (double)axis->in / axis->out, stretch = scale < 1 ? 1 : scale;
    double support = (axis->filter == MINISIM_BILINEAR ? 1.0 : 2.0) * stretch;
    struct reach reach = {.center = (x + 0.5) * scale, .inverse = 1 / stretch};
    int64_t from = (int64_t)(reach.center - support + 0.5);
    int64_t to = (int64_t)(reach.center + support + 0.5);
    reach.from = (uint32_t)(from < 0 ? 0 : from);
    reach.count = (uint32_t)(to > axis->in ? axis->in : to) - reach.from;
    return reach;
}

static double weight_of(const struct axis *axis, const struct reach *reach, uint32_t i) {
    double place = (double)((int64_t)i + reach->from);
    return filter_value(axis->filter, (place - reach->center + 0.5) * reach->inverse);
}

/* The first stored sample that an output needs. */
static uint32_t first_needed(const struct axis *axis, const struct reach *reach) {
    return axis->backwards ? axis->in - reach->from - reach->count : reach->from;
}

/* The first of its taps: at the end of the picture they begin earlier, rather than go beyond. */
static uint32_t first_tap(const struct axis *axis, uint32_t needed) {
    uint32_t last = axis->in > axis->taps ? axis->in - axis->taps : 0;
    return needed < last ? needed : last;
}

static uint32_t first_tap_of(const struct axis *axis, uint32_t output) {
    struct reach reach = reach_of(axis, output);
    return first_tap(axis, first_needed(axis, &reach));
}

/* Plans an axis: everything but the arrays. */
static void plan_axis(struct axis *axis, uint32_t group) {
    uint32_t most = 1;
    for (uint32_t output = 0; output < axis->outputs; output++) {
        uint32_t count = reach_of(axis, output).count;
        most = count > most ? count : most;
    }
    axis->taps = (most + group - 1) / group * group;
    axis->from = first_tap_of(axis, 0);
    axis->span = first_tap_of(axis, axis->outputs - 1) - axis->from + axis->taps;
    axis->read = axis->span < axis->in - axis->from ? axis->span : axis->in - axis->from;
}

/* Fills the arrays of a planned axis, which are zero. */
static void fill_axis(struct axis *axis) {
    for (uint32_t output = 0; output < axis->outputs; output++) {
        struct reach reach = reach_of(axis, output);
        uint32_t needed = first_needed(axis, &reach), first = first_tap(axis, needed);
        int32_t *weights = axis->weights + (size_t)output * axis->taps + (needed - first);
        double sum = 0;
        for (uint32_t i = 0; i < reach.count; i++)
            sum += weight_of(axis, &reach, i);
        for (uint32_t i = 0; i < reach.count; i++) {
            double weight = weight_of(axis, &reach, i);
            weights[axis->backwards ? reach.count - 1 - i : i] =
                fixed_point(sum != 0 ? weight / sum : weight);
        }
        axis->first[output] = first - axis->from;
    }
}

struct work {
    const struct ms_resize *resize;
    struct ms_stored at;      /* the whole picture */
    struct axis across, down; /* along stored rows, and along stored columns */
    bool direct;              /* `down` takes the rows where they are stored: there is no ring */
    size_t ring_row;          /* bytes */
    uint8_t *ring;        /* [down.taps][ring_row]: row y, counted from down.from, at y % taps */
    uint32_t next;        /* the next row to enter it */
    const uint8_t **rows; /* [down.taps]: what one output of `down` sums */
    uint8_t *line;        /* [across.span][3]: converted pixels, or what `down` gave */
    uint8_t *result;      /* [across.outputs][3]: outputs in the order of storage */
};

static void plan(struct work *work, const struct ms_resize *resize) {
    minisim_region picture = ms_pixels_picture(resize->pixels);
    minisim_region whole = {.width = picture.width, .height = picture.height};
    struct ms_stored at = ms_pixels_stored(resize->pixels, &whole);
    struct axis horizontal = {.filter = resize->filter,
                              .in = picture.width,
                              .out = resize->width,
                              .window = resize->window.x,
                              .outputs = resize->window.width,
                              .backwards = at.transposed ? at.y_backwards : at.x_backwards};
    struct axis vertical = {.filter = resize->filter,
                            .in = picture.height,
                            .out = resize->height,
                            .window = resize->window.y,
                            .outputs = resize->window.height,
                            .backwards = at.transposed ? at.x_backwards : at.y_backwards};
    *work = (struct work){.resize = resize,
                          .at = at,
                          .across = at.transposed ? vertical : horizontal,
                          .down = at.transposed ? horizontal : vertical,
                          .direct = at.transposed && ms_pixels_are_rgb(resize->pixels)};
    plan_axis(&work->across, (uint32_t)resize->resizer->group);
    plan_axis(&work->down, 1);
    work->ring_row = 3 * (size_t)(at.transposed ? work->across.read : work->across.outputs);
}

/* The next `bytes` of `memory`, which may be NULL where only their number is wanted. */
static void *take(uint8_t *memory, uint64_t *used, uint64_t bytes) {
    void *part = memory ? memory + *used : NULL;
    *used += (bytes + 15) / 16 * 16;
    return part;
}

/* Cuts the arrays out of `memory`; the bytes that they take. Sides have 24 bits: no overflow. */
static uint64_t lay_out(struct work *work, uint8_t *memory) {
    struct axis *across = &work->across, *down = &work->down;
    uint64_t used = 0;
    across->first = take(memory, &used, across->outputs * sizeof(uint32_t));
    across->weights = take(memory, &used, (uint64_t)across->outputs * across->taps * 4);
    down->first = take(memory, &used, down->outputs * sizeof(uint32_t));
    down->weights = take(memory, &used, (uint64_t)down->outputs * down->taps * 4);
    work->rows = take(memory, &used, (uint64_t)down->taps * sizeof *work->rows);
    work->ring = take(memory, &used, work->direct ? 0 : (uint64_t)down->taps * work->ring_row);
    work->line = take(memory, &used, (uint64_t)across->span * 3);
    work->result = take(memory, &used, (uint64_t)across->outputs * 3);
    return used;
}

uint64_t ms_resize_memory(const struct ms_resize *resize) {
    struct work work;
    plan(&work, resize);
    return lay_out(&work, NULL);
}

/* The part of a stored row that is read, in place or converted into `buffer`. */
static const uint8_t *stored_row(const struct work *work, uint32_t y, uint8_t *buffer) {
    return ms_pixels_row(work->resize->pixels, work->resize->background,
                         (size_t)work->at.x + work->across.from,
                         (size_t)work->at.y + work->down.from + y, work->across.read, buffer);
}

static void resize_row(const struct work *work, const uint8_t *row, uint8_t *out) {
    const struct axis *across = &work->across;
    work->resize->resizer->across(&(struct ms_across){.outputs = across->outputs,
                                                      .taps = across->taps,
                                                      .in = row,
                                                      .first = across->first,
                                                      .weights = across->weights,
                                                      .out = out});
}

/* The next stored row enters the ring: resized, or only converted where that comes later. */
static void enter(struct work *work) {
    uint8_t *place = work->ring + work->next % work->down.taps * work->ring_row;
    const struct axis *across = &work->across;
    const uint8_t *row = stored_row(work, work->next++, work->at.transposed ? place : work->line);
    if (work->at.transposed)
        return;
    if (row != work->line && across->span > across->read) {
        /* A picture narrower than a group of taps: the line goes on with zeros. */
        memcpy(work->line, row, (size_t)across->read * 3);
        row = work->line;
    }
    resize_row(work, row, place);
}

/* Output `output` of `down`: a weighted sum of rows, `bytes` wide. */
static void sum_rows(struct work *work, uint32_t output, size_t bytes, uint8_t *out) {
    const struct axis *down = &work->down;
    uint32_t first = down->first[output];
    while (!work->direct && work->next < first + down->taps)
        enter(work);
    for (uint32_t k = 0; k < down->taps; k++)
        work->rows[k] = work->direct ? stored_row(work, first + k, NULL)
                                     : work->ring + (first + k) % down->taps * work->ring_row;
    work->resize->resizer->down(
        &(struct ms_down){.bytes = bytes,
                          .taps = down->taps,
                          .rows = work->rows,
                          .weights = down->weights + (size_t)output * down->taps,
                          .out = out});
}

/* The window's pixels, `stride` bytes from row to row as seen. */
static void resize_all(struct work *work, uint8_t *out, ptrdiff_t stride) {
    const struct axis *across = &work->across, *down = &work->down;
    bool transposed = work->at.transposed;
    ptrdiff_t across_step = transposed ? stride : 3, down_step = transposed ? 3 : stride;
    if (across->backwards) {
        out += (ptrdiff_t)(across->outputs - 1) * across_step;
        across_step = -across_step;
    }
    if (down->backwards) {
        out += (ptrdiff_t)(down->outputs - 1) * down_step;
        down_step = -down_step;
    }
    for (uint32_t y = 0; y < down->outputs; y++) {
        if (transposed) {
            sum_rows(work, y, (size_t)across->read * 3, work->line);
            resize_row(work, work->line, work->result);
        } else {
            sum_rows(work, y, (size_t)across->outputs * 3, work->result);
        }
        uint8_t *row = out + (ptrdiff_t)y * down_step;
        for (uint32_t x = 0; x < across->outputs; x++)
            memcpy(row + (ptrdiff_t)x * across_step, work->result + (size_t)x * 3, 3);
    }
}

minisim_status ms_resize(const struct ms_resize *resize, struct ms_arena *arena, uint8_t *out,
                         size_t stride, minisim_error *error) {
    struct work work;
    plan(&work, resize);
    uint64_t bytes = lay_out(&work, NULL);
    uint8_t *memory = bytes <= SIZE_MAX ? ms_arena_allocate(arena, (size_t)bytes) : NULL;
    if (!memory)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory to resize %ux%u to %ux%u",
                       (unsigned)work.at.width, (unsigned)work.at.height, (unsigned)resize->width,
                       (unsigned)resize->height);
    lay_out(&work, memory);
    fill_axis(&work.across);
    fill_axis(&work.down);
    resize_all(&work, out, (ptrdiff_t)stride);
    ms_arena_free(arena, memory);
    return MINISIM_OK;
}
