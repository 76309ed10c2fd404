/*
 * From pixels as the caller stores them to RGB bytes as they are seen. A window of the picture is
 * mapped to a rectangle of stored pixels; this is walked row by row, each row in short runs: a run
 * is converted to RGB, then laid out in the direction that the orientation asks for.
 */
#include "picture/pixels.h"

#include "base/error.h"

#include <stddef.h>
#include <string.h>

/* Pixels that are converted before they are laid out: a short run stays in the nearest cache. */
#define RUN 256

static bool has_chroma_plane(const minisim_pixels *pixels) {
    return pixels->format == MINISIM_NV12 || pixels->format == MINISIM_NV21;
}

/* Bytes of one row of the first plane; 0: no such format. Sides are at most 2^24. */
static size_t row_bytes(const minisim_pixels *pixels) {
    size_t width = pixels->width;
    switch (pixels->format) {
    case MINISIM_RGB:
    case MINISIM_BGR:
        return 3 * width;
    case MINISIM_RGBA:
    case MINISIM_BGRA:
        return 4 * width;
    case MINISIM_GREY:
    case MINISIM_NV12:
    case MINISIM_NV21:
        return width;
    case MINISIM_GREY_ALPHA:
        return 2 * width;
    case MINISIM_YUYV:
        return (width + 1) / 2 * 4;
    }
    return 0;
}

static size_t chroma_row_bytes(const minisim_pixels *pixels) {
    return ((size_t)pixels->width + 1) / 2 * 2;
}

static size_t stride_of(const minisim_pixels *pixels) {
    return pixels->stride ? pixels->stride : row_bytes(pixels);
}

static size_t chroma_stride_of(const minisim_pixels *pixels) {
    return pixels->chroma_stride ? pixels->chroma_stride : chroma_row_bytes(pixels);
}

static bool transposed(const minisim_pixels *pixels) {
    return pixels->orientation >= 5;
}

static uint32_t seen_width(const minisim_pixels *pixels) {
    return transposed(pixels) ? pixels->height : pixels->width;
}

static uint32_t seen_height(const minisim_pixels *pixels) {
    return transposed(pixels) ? pixels->width : pixels->height;
}

static bool whole_picture(const minisim_region *region) {
    return !region->x && !region->y && !region->width && !region->height;
}

/* One plane: its stride holds a row, and all of it can lie in memory. */
static minisim_status check_plane(const char *name, size_t stride, size_t row, size_t rows,
                                  minisim_error *error) {
    if (stride < row)
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "the %s of %zu bytes is too small: a row takes %zu bytes", name, stride,
                       row);
    if (stride > PTRDIFF_MAX / rows)
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "%zu rows at a %s of %zu bytes do not fit in memory", rows, name, stride);
    return MINISIM_OK;
}

static minisim_status check_chroma(const minisim_pixels *pixels, minisim_error *error) {
    if (has_chroma_plane(pixels))
        return check_plane("chroma stride", chroma_stride_of(pixels), chroma_row_bytes(pixels),
                           ((size_t)pixels->height + 1) / 2, error);
    if (pixels->chroma || pixels->chroma_stride)
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "pixel format %d has no chroma plane, but one is given",
                       (int)pixels->format);
    return MINISIM_OK;
}

static minisim_status check_region(const minisim_pixels *pixels, minisim_error *error) {
    const minisim_region *r = &pixels->region;
    uint32_t width = seen_width(pixels), height = seen_height(pixels);
    if (whole_picture(r))
        return MINISIM_OK;
    if (!r->width || !r->height)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "the region is empty: %ux%u pixels", r->width,
                       r->height);
    if (r->width > width || r->x > width - r->width || r->height > height ||
        r->y > height - r->height)
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "the region of %ux%u at %u,%u is not inside the picture of %ux%u", r->width,
                       r->height, r->x, r->y, width, height);
    return MINISIM_OK;
}

minisim_status ms_pixels_check_size(const minisim_pixels *pixels, minisim_error *error) {
    uint32_t width = pixels->width, height = pixels->height;
    if (!width || !height || width > MS_LONGEST_SIDE || height > MS_LONGEST_SIDE)
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "pixels of %ux%u: the sides must be from 1 to %u", width, height,
                       MS_LONGEST_SIDE);
    if (pixels->orientation > 8)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "orientation %u: it must be from 0 to 8",
                       pixels->orientation);
    return check_region(pixels, error);
}

minisim_status ms_pixels_check(const minisim_pixels *pixels, minisim_error *error) {
    if (!pixels || !pixels->pixels)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "there are no pixels: a null pointer");
    minisim_status status = ms_pixels_check_size(pixels, error);
    if (status)
        return status;
    size_t row = row_bytes(pixels);
    if (!row)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "there is no pixel format %d",
                       (int)pixels->format);
    status = check_plane("stride", stride_of(pixels), row, pixels->height, error);
    return status ? status : check_chroma(pixels, error);
}

minisim_region ms_pixels_picture(const minisim_pixels *pixels) {
    if (whole_picture(&pixels->region))
        return (minisim_region){.width = seen_width(pixels), .height = seen_height(pixels)};
    return pixels->region;
}

static uint8_t clamp(int value) {
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* BT.601 in limited range, 8 bits after the point. What is negative becomes 0 either way, so it is
 * never shifted. */
static uint8_t from_fixed(int value) {
    return value < 0 ? 0 : clamp(value >> 8);
}

static void put_yuv(uint8_t *rgb, int y, int u, int v) {
    int luma = 298 * (y - 16) + 128;
    u -= 128;
    v -= 128;
    rgb[0] = from_fixed(luma + 409 * v);
    rgb[1] = from_fixed(luma - 100 * u - 208 * v);
    rgb[2] = from_fixed(luma + 516 * u);
}

static void put_over(uint8_t *rgb, unsigned r, unsigned g, unsigned b, unsigned alpha,
                     uint32_t background) {
    unsigned rest = 255 - alpha;
    rgb[0] = (uint8_t)((alpha * r + rest * (background >> 16 & 255) + 127) / 255);
    rgb[1] = (uint8_t)((alpha * g + rest * (background >> 8 & 255) + 127) / 255);
    rgb[2] = (uint8_t)((alpha * b + rest * (background & 255) + 127) / 255);
}

/* Runs of `count` pixels, from the first byte of the first one. */

static void convert_bgr(const uint8_t *from, size_t count, uint8_t *rgb) {
    for (size_t i = 0; i < count; i++) {
        rgb[3 * i] = from[3 * i + 2];
        rgb[3 * i + 1] = from[3 * i + 1];
        rgb[3 * i + 2] = from[3 * i];
    }
}

static void convert_grey(const uint8_t *from, size_t count, uint8_t *rgb) {
    for (size_t i = 0; i < count; i++)
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = from[i];
}

/* `red` and `blue` are the places of these bytes in a pixel of `size` bytes, alpha being last. */
static void convert_alpha(const uint8_t *from, size_t size, size_t red, size_t green, size_t blue,
                          uint32_t background, size_t count, uint8_t *rgb) {
    for (size_t i = 0; i < count; i++, from += size, rgb += 3)
        put_over(rgb, from[red], from[green], from[blue], from[size - 1], background);
}

/* From column x on: `luma` is a row of Y, `chroma` one of pairs, with U at `u` and V at `v`. */
static void convert_nv(const uint8_t *luma, const uint8_t *chroma, size_t u, size_t v, size_t x,
                       size_t count, uint8_t *rgb) {
    for (size_t end = x + count; x < end; x++, rgb += 3) {
        const uint8_t *pair = chroma + x / 2 * 2;
        put_yuv(rgb, luma[x], pair[u], pair[v]);
    }
}

static void convert_yuyv(const uint8_t *row, size_t x, size_t count, uint8_t *rgb) {
    for (size_t end = x + count; x < end; x++, rgb += 3) {
        const uint8_t *pair = row + x / 2 * 4;
        put_yuv(rgb, pair[x % 2 * 2], pair[1], pair[3]);
    }
}

/* The row of pairs that belongs to row y. */
static const uint8_t *chroma_row(const minisim_pixels *pixels, size_t y) {
    const uint8_t *plane =
        pixels->chroma ? pixels->chroma : pixels->pixels + pixels->height * stride_of(pixels);
    return plane + y / 2 * chroma_stride_of(pixels);
}

/* `count` stored pixels from column x of row y on, as tight RGB. */
static void convert(const minisim_pixels *pixels, uint32_t background, size_t x, size_t y,
                    size_t count, uint8_t *rgb) {
    const uint8_t *row = pixels->pixels + y * stride_of(pixels);
    switch (pixels->format) {
    case MINISIM_RGB:
        memcpy(rgb, row + 3 * x, 3 * count);
        break;
    case MINISIM_BGR:
        convert_bgr(row + 3 * x, count, rgb);
        break;
    case MINISIM_RGBA:
        convert_alpha(row + 4 * x, 4, 0, 1, 2, background, count, rgb);
        break;
    case MINISIM_BGRA:
        convert_alpha(row + 4 * x, 4, 2, 1, 0, background, count, rgb);
        break;
    case MINISIM_GREY:
        convert_grey(row + x, count, rgb);
        break;
    case MINISIM_GREY_ALPHA:
        convert_alpha(row + 2 * x, 2, 0, 0, 0, background, count, rgb);
        break;
    case MINISIM_NV12:
        convert_nv(row, chroma_row(pixels, y), 0, 1, x, count, rgb);
        break;
    case MINISIM_NV21:
        convert_nv(row, chroma_row(pixels, y), 1, 0, x, count, rgb);
        break;
    case MINISIM_YUYV:
        convert_yuyv(row, x, count, rgb);
        break;
    }
}

bool ms_pixels_are_rgb(const minisim_pixels *pixels) {
    return pixels->format == MINISIM_RGB;
}

const uint8_t *ms_pixels_row(const minisim_pixels *pixels, uint32_t background, size_t x, size_t y,
                             size_t count, uint8_t *rgb) {
    if (ms_pixels_are_rgb(pixels))
        return pixels->pixels + y * stride_of(pixels) + 3 * x;
    convert(pixels, background, x, y, count, rgb);
    return rgb;
}

/*
 * Orientations: 2 is mirrored, 4 upside down, 3 both; 5 to 8 are transposed (stored rows are seen
 * as columns), 6 and 7 with the stored bottom seen on the left, 7 and 8 with the stored right side
 * seen on top.
 */
struct ms_stored ms_pixels_stored(const minisim_pixels *pixels, const minisim_region *window) {
    minisim_region picture = ms_pixels_picture(pixels);
    uint32_t x = picture.x + window->x, y = picture.y + window->y;
    unsigned o = pixels->orientation;
    bool across = transposed(pixels);
    struct ms_stored at = {.x = across ? y : x,
                           .y = across ? x : y,
                           .width = across ? window->height : window->width,
                           .height = across ? window->width : window->height,
                           .x_backwards = o == 2 || o == 3 || o == 7 || o == 8,
                           .y_backwards = o == 3 || o == 4 || o == 6 || o == 7,
                           .transposed = across};
    if (at.x_backwards)
        at.x = pixels->width - at.x - at.width;
    if (at.y_backwards)
        at.y = pixels->height - at.y - at.height;
    return at;
}

/* One pixel after the other, `step` bytes apart, which may be negative. */
static void scatter(const uint8_t *run, size_t count, uint8_t *to, ptrdiff_t step) {
    for (size_t i = 0; i < count; i++) {
        uint8_t *pixel = to + (ptrdiff_t)i * step;
        pixel[0] = run[3 * i];
        pixel[1] = run[3 * i + 1];
        pixel[2] = run[3 * i + 2];
    }
}

void ms_pixels_read(const minisim_pixels *pixels, uint32_t background, const minisim_region *window,
                    uint8_t *rgb) {
    struct ms_stored at = ms_pixels_stored(pixels, window);
    ptrdiff_t seen_row = 3 * (ptrdiff_t)window->width;
    ptrdiff_t column_step = at.transposed ? seen_row : 3, row_step = at.transposed ? 3 : seen_row;
    uint8_t run[3 * RUN];
    if (at.x_backwards) {
        rgb += (ptrdiff_t)(at.width - 1) * column_step;
        column_step = -column_step;
    }
    if (at.y_backwards) {
        rgb += (ptrdiff_t)(at.height - 1) * row_step;
        row_step = -row_step;
    }
    for (size_t row = 0; row < at.height; row++) {
        uint8_t *line = rgb + (ptrdiff_t)row * row_step;
        if (column_step == 3) {
            convert(pixels, background, at.x, at.y + row, at.width, line);
            continue;
        }
        for (size_t done = 0; done < at.width; done += RUN) {
            size_t count = at.width - done < RUN ? at.width - done : RUN;
            convert(pixels, background, at.x + done, at.y + row, count, run);
            scatter(run, count, line + (ptrdiff_t)done * column_step, column_step);
        }
    }
}
