/* The way from pixels to the square: check, then as they are (preprocessed), or squashed, cropped
 * or padded. */
#include "picture/prepare.h"

#include "base/error.h"
#include "picture/pixels.h"
#include "picture/resize.h"
#include "picture/stb.h"

#include <string.h>

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
                       "%u x %u is too long and thin to crop; choose --geometry squash or pad",
                       (unsigned)picture.width, (unsigned)picture.height);
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
    /* A size_t of 32 bits cannot hold every picture: by division, because the products could wrap.
     */
    bool holds = all.height <= SIZE_MAX / 3 / all.width && fit->height <= SIZE_MAX / row;
    uint8_t *rgb = holds ? ms_arena_allocate(arena, (size_t)all.width * all.height * 3) : NULL;
    uint8_t *whole = holds ? ms_arena_allocate(arena, row * fit->height) : NULL;
    minisim_status status = MINISIM_OK;
    if (!rgb || !whole) {
        status = ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory to resize %u x %u",
                         (unsigned)all.width, (unsigned)all.height);
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

minisim_status ms_prepare_pixels(const minisim_pixels *pixels,
                                 const struct ms_preparation *preparation, struct ms_arena *arena,
                                 uint8_t *square, minisim_error *error) {
    const struct ms_preparation *p = preparation;
    minisim_status status = ms_pixels_check(pixels, error);
    if (status)
        return status;
    minisim_region picture = ms_pixels_picture(pixels);
    if (p->preprocessed) {
        if (picture.width != p->size || picture.height != p->size)
            return ms_fail(error, MINISIM_BAD_PICTURE,
                           "the picture is %ux%u, but --preprocessed needs %ux%u",
                           (unsigned)picture.width, (unsigned)picture.height, (unsigned)p->size,
                           (unsigned)p->size);
        ms_pixels_read(pixels, p->background,
                       &(minisim_region){.width = p->size, .height = p->size}, square);
        return MINISIM_OK;
    }
    struct fit fit;
    status = fit_picture(p, picture, &fit, error);
    if (status)
        return status;
    size_t stride = (size_t)p->size * 3;
    uint8_t *out = square + fit.y * stride + (size_t)fit.x * 3;
    if (p->geometry == MINISIM_PAD)
        fill(square, p->size, p->pad_colour);
    if (p->resample == MINISIM_STB)
        return resize_with_stb(pixels, p->background, &fit, arena, out, stride, error);
    struct ms_resize resize = {.pixels = pixels,
                               .background = p->background,
                               .width = fit.width,
                               .height = fit.height,
                               .window = fit.window,
                               .filter = p->resample,
                               .resizer = p->kernels->resizer};
    return ms_resize(&resize, arena, out, stride, error);
}
