/*
 * For tools/check_resize.py: raw RGB bytes on standard input, the prepared square on standard
 * output. WIDTH and HEIGHT are those stored, before orientation.
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

static int run(const struct ms_preparation *preparation, minisim_pixels *pixels) {
    size_t bytes = (size_t)3 * pixels->width * pixels->height;
    size_t square_bytes = (size_t)3 * preparation->size * preparation->size;
    uint8_t *rgb = malloc(bytes + 1), *square = malloc(square_bytes + 1);
    struct ms_arena arena;
    ms_arena_open(&arena, SIZE_MAX);
    minisim_error error = {""};
    minisim_status status = MINISIM_OUT_OF_MEMORY;
    pixels->pixels = rgb;
    if (rgb && square && fread(rgb, 1, bytes, stdin) == bytes)
        status = ms_prepare_pixels(pixels, preparation, &arena, square, &error);
    if (!status && fwrite(square, 1, square_bytes, stdout) != square_bytes)
        status = MINISIM_BAD_FILE;
    if (status)
        fprintf(stderr, "prepare_tool: status %d: %s\n", (int)status, error.text);
    free(rgb);
    free(square);
    return (int)status;
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
