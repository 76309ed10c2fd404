/* The way from pixels to the square: check, then as they are (preprocessed), or squashed, cropped
 * or padded. */
#include "picture/prepare.h"

#include "base/error.h"
#include "picture/pixels.h"
#include "picture/resize.h"
#include "picture/stb.h"

#include <string.h>

const char *ms_geometry_name(minisim_geometry geometry) {
    return geometry == MINISIM_CROP ? "crop" : geometry == MINISIM_PAD ? "pad" : "squash";
}

const char *ms_resample_name(minisim_resample resample) {
    return resample == MINISIM_BICUBIC ? "bicubic" : resample == MINISIM_STB ? "stb" : "bilinear";
}

/* What the whole picture is resized to, which window of that is kept, and where it lies in the
 * square. */
struct fit {
    uint32_t width, height;
    minisim_region window;
    uint32_t x, y;
};

static uint32_t scaled(uint32_t side, uint64_t to, uint64_t from, bool round) {
    uint64_t product = side * to;
    return (uint32_t)((round ? product + from / 2 : product) / from);
}

/* Half of the rest, an odd one to the even neighbour, as Python's round() does. */
static uint32_t half_to_even(uint32_t rest) {
    uint32_t half = rest / 2;
    return rest % 2 && half % 2 ? half + 1 : half;
}

static minisim_status fit_picture(const struct ms_preparation *p, minisim_region picture,
                                  struct fit *fit, minisim_error *error) {
    bool wide = picture.width >= picture.height;
    uint32_t longer = wide ? picture.width : picture.height;
    uint32_t shorter = wide ? picture.height : picture.width;
    uint64_t to_longer = p->size;
    uint64_t to_shorter = to_longer;
    *fit = (struct fit){0};
    if (p->geometry == MINISIM_CROP && p->crop_size < p->size)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "the crop size %u is below the input size %u",
                       (unsigned)p->crop_size, (unsigned)p->size);
    if (p->geometry == MINISIM_CROP) {
        to_shorter = p->crop_size;
        to_longer = (uint64_t)p->crop_size * longer / shorter;
    } else if (p->geometry == MINISIM_PAD) {
        to_shorter = scaled(shorter, p->size, longer, true);
        to_shorter = to_shorter ? to_shorter : 1;
    }
    if (to_longer > MS_LONGEST_SIDE)
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "%u x %u is too long and thin to crop: its longer side would become %llu "
                       "pixels, and may be %u",
                       (unsigned)picture.width, (unsigned)picture.height,
                       (unsigned long long)to_longer, (unsigned)MS_LONGEST_SIDE);
    fit->width = (uint32_t)(wide ? to_longer : to_shorter);
    fit->height = (uint32_t)(wide ? to_shorter : to_longer);
    fit->window = (minisim_region){.width = fit->width, .height = fit->height};
    if (p->geometry == MINISIM_CROP)
        fit->window = (minisim_region){half_to_even(fit->width - p->size),
                                       half_to_even(fit->height - p->size), p->size, p->size};
    if (p->geometry == MINISIM_PAD) {
        fit->x = (p->size - fit->width) / 2;
        fit->y = (p->size - fit->height) / 2;
    }
    return MINISIM_OK;
}

/* stb resizes whole pictures: the window is cut out of its result. */
static minisim_status resize_with_stb(const minisim_pixels *pixels, uint32_t background,
                                      const struct fit *fit, struct ms_arena *arena, uint8_t *out,
                                      size_t stride, minisim_error *error) {
    minisim_region all = ms_pixels_picture(pixels);
    size_t row = (size_t)fit->width * 3;
    all.x = all.y = 0;
    uint8_t *rgb = ms_arena_allocate(arena, (size_t)all.width * all.height * 3);
    uint8_t *whole = ms_arena_allocate(arena, row * fit->height);
    minisim_status status = MINISIM_OK;
    if (!rgb || !whole) {
        status = ms_arena_failed(arena, error);
    } else {
        ms_pixels_read(pixels, background, &all, rgb);
        status =
            ms_stb_resize(rgb, all.width, all.height, whole, fit->width, fit->height, arena, error);
    }
    for (uint32_t y = 0; y < fit->window.height && !status; y++)
        memcpy(out + y * stride, whole + (fit->window.y + y) * row + (size_t)fit->window.x * 3,
               (size_t)fit->window.width * 3);
    ms_arena_free(arena, whole);
    ms_arena_free(arena, rgb);
    return status;
}

static void fill(uint8_t *square, uint32_t size, uint32_t colour) {
    for (size_t i = 0; i < (size_t)size * size; i++) {
        square[3 * i] = (uint8_t)(colour >> 16);
        square[3 * i + 1] = (uint8_t)(colour >> 8);
        square[3 * i + 2] = (uint8_t)colour;
    }
}

/* Bytes for stb: the picture as RGB, all of the result, and its own; stb counts each in an int. */
static minisim_status stb_memory(minisim_region picture, const struct fit *fit, uint64_t *bytes,
                                 minisim_error *error) {
    uint64_t rgb = (uint64_t)picture.width * picture.height * 3;
    uint64_t whole = (uint64_t)fit->width * fit->height * 3;
    uint64_t own = ms_stb_resize_memory(picture.width, picture.height, fit->width, fit->height);
    uint64_t most = rgb > whole ? rgb : whole;
    most = own > most ? own : most;
    if (most > INT32_MAX)
        return ms_fail(
            error, MINISIM_BAD_PICTURE,
            "stb_image_resize cannot resize %u x %u to %u x %u: that takes %llu bytes in "
            "one block, and it can hold %d",
            (unsigned)picture.width, (unsigned)picture.height, (unsigned)fit->width,
            (unsigned)fit->height, (unsigned long long)most, INT32_MAX);
    *bytes = ms_arena_cost(rgb) + ms_arena_cost(whole) + own;
    return MINISIM_OK;
}

static struct ms_resize resize_of(const minisim_pixels *pixels, const struct ms_preparation *p,
                                  const struct fit *fit) {
    return (struct ms_resize){.pixels = pixels,
                              .background = p->background,
                              .width = fit->width,
                              .height = fit->height,
                              .window = fit->window,
                              .filter = p->resample,
                              .resizer = p->kernels->resizer};
}

/* Where the picture goes, and the bytes that this takes. */
static minisim_status plan(const minisim_pixels *pixels, const struct ms_preparation *p,
                           struct fit *fit, uint64_t *bytes, minisim_error *error) {
    minisim_region picture = ms_pixels_picture(pixels);
    *bytes = 0;
    if (p->preprocessed)
        return MINISIM_OK;
    minisim_status status = fit_picture(p, picture, fit, error);
    if (!status && p->resample == MINISIM_STB)
        return stb_memory(picture, fit, bytes, error);
    if (status)
        return status;
    struct ms_resize resize = resize_of(pixels, p, fit);
    *bytes = ms_arena_cost(ms_resize_memory(&resize));
    return MINISIM_OK;
}

minisim_status ms_prepare_memory(const minisim_pixels *pixels,
                                 const struct ms_preparation *preparation, uint64_t *bytes,
                                 minisim_error *error) {
    struct fit fit;
    minisim_status status = ms_pixels_check_size(pixels, error);
    return status ? status : plan(pixels, preparation, &fit, bytes, error);
}

/* Into `square`, without any resizing. */
static minisim_status take_as_is(const minisim_pixels *pixels, const struct ms_preparation *p,
                                 uint8_t *square, minisim_error *error) {
    minisim_region picture = ms_pixels_picture(pixels);
    if (picture.width != p->size || picture.height != p->size)
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "the picture is %ux%u, but as preprocessed input it must be %ux%u",
                       (unsigned)picture.width, (unsigned)picture.height, (unsigned)p->size,
                       (unsigned)p->size);
    ms_pixels_read(pixels, p->background, &(minisim_region){.width = p->size, .height = p->size},
                   square);
    return MINISIM_OK;
}

minisim_status ms_prepare_pixels(const minisim_pixels *pixels,
                                 const struct ms_preparation *preparation, struct ms_arena *arena,
                                 uint8_t *square, minisim_error *error) {
    const struct ms_preparation *p = preparation;
    struct fit fit;
    uint64_t bytes;
    minisim_status status = ms_pixels_check(pixels, error);
    if (!status)
        status = plan(pixels, p, &fit, &bytes, error);
    if (!status)
        status = ms_arena_require(arena, bytes, "resizing this picture", error);
    if (status)
        return status;
    if (p->preprocessed)
        return take_as_is(pixels, p, square, error);
    size_t stride = (size_t)p->size * 3;
    uint8_t *out = square + fit.y * stride + (size_t)fit.x * 3;
    if (p->geometry == MINISIM_PAD)
        fill(square, p->size, p->pad_colour);
    if (p->resample == MINISIM_STB)
        return resize_with_stb(pixels, p->background, &fit, arena, out, stride, error);
    struct ms_resize resize = resize_of(pixels, p, &fit);
    return ms_resize(&resize, arena, out, stride, error);
}
