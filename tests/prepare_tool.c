/*
 * For tools/check_resize.py: raw RGB bytes on standard input, the prepared square on standard
 * output. WIDTH and HEIGHT are those stored, before orientation. Every table of kernels prepares
 * it; status 9 where two differ.
 *
 *     prepare_tool SIZE squash|crop:S|pad:RRGGBB bilinear|bicubic|stb WIDTH HEIGHT ORIENTATION
 */
#include "picture/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_geometry(const char *text, struct ms_preparation *preparation) {
    if (strcmp(text, "squash") == 0)
        preparation->geometry = MINISIM_SQUASH;
    else if (strncmp(text, "crop:", 5) == 0)
        preparation->geometry = MINISIM_CROP;
    else if (strncmp(text, "pad:", 4) == 0)
        preparation->geometry = MINISIM_PAD;
    else
        return false;
    if (preparation->geometry == MINISIM_CROP)
        preparation->crop_size = (uint32_t)strtoul(text + 5, NULL, 10);
    if (preparation->geometry == MINISIM_PAD)
        preparation->pad_colour = (uint32_t)strtoul(text + 4, NULL, 16);
    return true;
}

static bool read_resample(const char *text, struct ms_preparation *preparation) {
    if (strcmp(text, "bilinear") == 0)
        preparation->resample = MINISIM_BILINEAR;
    else if (strcmp(text, "bicubic") == 0)
        preparation->resample = MINISIM_BICUBIC;
    else if (strcmp(text, "stb") == 0)
        preparation->resample = MINISIM_STB;
    else
        return false;
    return true;
}

/* Into `square` with the plain C kernels, and into `again` with every table, which must agree. */
static int prepare(struct ms_preparation *preparation, const minisim_pixels *pixels,
                   uint8_t *square, uint8_t *again) {
    struct ms_arena arena;
    minisim_error error = {""};
    for (const struct ms_kernels *const *t = ms_kernels_available(); *t; t++) {
        uint8_t *to = t == ms_kernels_available() ? square : again;
        ms_arena_open(&arena, SIZE_MAX);
        preparation->kernels = *t;
        minisim_status status = ms_prepare_pixels(pixels, preparation, &arena, to, &error);
        if (status) {
            fprintf(stderr, "prepare_tool: status %d: %s\n", (int)status, error.text);
            return (int)status;
        }
        if (memcmp(to, square, (size_t)3 * preparation->size * preparation->size) != 0) {
            fprintf(stderr, "prepare_tool: %s differs from the plain C kernels\n", (*t)->name);
            return 9;
        }
    }
    return 0;
}

static int run(struct ms_preparation *preparation, minisim_pixels *pixels) {
    size_t bytes = (size_t)3 * pixels->width * pixels->height;
    size_t square_bytes = (size_t)3 * preparation->size * preparation->size;
    uint8_t *rgb = malloc(bytes + 1), *square = malloc(square_bytes + 1);
    uint8_t *again = malloc(square_bytes + 1);
    int status = MINISIM_OUT_OF_MEMORY;
    pixels->pixels = rgb;
    if (rgb && square && again && fread(rgb, 1, bytes, stdin) == bytes)
        status = prepare(preparation, pixels, square, again);
    if (!status && fwrite(square, 1, square_bytes, stdout) != square_bytes)
        status = MINISIM_BAD_FILE;
    free(rgb);
    free(square);
    free(again);
    return status;
}

int main(int argc, char **argv) {
    struct ms_preparation preparation = {.background = 0xffffff};
    if (argc != 7 || !read_geometry(argv[2], &preparation) ||
        !read_resample(argv[3], &preparation)) {
        fputs("usage: prepare_tool SIZE squash|crop:S|pad:RRGGBB bilinear|bicubic|stb "
              "WIDTH HEIGHT ORIENTATION < rgb > square\n",
              stderr);
        return MINISIM_BAD_ARGUMENT;
    }
    preparation.size = (uint32_t)strtoul(argv[1], NULL, 10);
    minisim_pixels pixels = {.width = (uint32_t)strtoul(argv[4], NULL, 10),
                             .height = (uint32_t)strtoul(argv[5], NULL, 10),
                             .format = MINISIM_RGB,
                             .orientation = (uint32_t)strtoul(argv[6], NULL, 10)};
    return run(&preparation, &pixels);
}
