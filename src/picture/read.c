/* See read.h: a file's bytes, its pixels, and fewer pixels. */
#include "picture/read.h"

#include "base/error.h"
#include "base/file.h"
#include "kernels/kernels.h"
#include "picture/decode.h"
#include "picture/resize.h"

#include <unistd.h>

static minisim_status read_file(const char *path, uint64_t most, struct ms_arena *arena,
                                struct ms_picture *picture, minisim_error *error) {
    int descriptor;
    minisim_status status = ms_file_open(path, &descriptor, &picture->size, error);
    if (status)
        return status;
    if (picture->size > most)
        status = ms_fail(error, MINISIM_BAD_PICTURE,
                         "a file of %llu bytes, more than the limit of %llu (max-file-size)",
                         (unsigned long long)picture->size, (unsigned long long)most);
    if (!status)
        status = ms_arena_require(arena, ms_arena_cost(picture->size), "reading this file", error);
    if (!status) {
        size_t size = (size_t)picture->size;
        picture->bytes = ms_arena_allocate(arena, size);
        status = picture->bytes ? ms_file_read(descriptor, picture->bytes, size, error)
                                : ms_arena_failed(arena, error);
    }
    close(descriptor);
    return status;
}

minisim_status ms_read_picture(const char *path, const minisim_context_options *limits,
                               struct ms_arena *arena, struct ms_picture *picture,
                               minisim_error *error) {
    uint64_t most_bytes = limits->max_file_size ? limits->max_file_size : UINT64_C(1) << 30;
    uint64_t most_pixels = limits->max_pixels ? limits->max_pixels : 200000000;
    struct ms_scan scan;
    minisim_status status = read_file(path, most_bytes, arena, picture, error);
    size_t size = (size_t)picture->size;
    if (!status)
        status = ms_scan_picture(picture->bytes, size, most_pixels, &scan, error);
    if (!status && limits->ignore_orientation)
        scan.orientation = 1;
    if (!status)
        status = ms_decode_picture(picture->bytes, size, &scan, arena, &picture->pixels, error);
    return status;
}

minisim_status ms_shrink_picture(const minisim_pixels *pixels, uint32_t background, uint32_t width,
                                 uint32_t height, struct ms_arena *arena, uint8_t **rgb,
                                 minisim_error *error) {
    struct ms_resize resize = {.pixels = pixels,
                               .background = background,
                               .width = width,
                               .height = height,
                               .window = {.width = width, .height = height},
                               .filter = MINISIM_BILINEAR,
                               .resizer = ms_kernels_choose(NULL)->resizer};
    uint64_t samples = (uint64_t)width * height * 3;
    uint64_t bytes = ms_arena_cost(samples) + ms_arena_cost(ms_resize_memory(&resize));
    minisim_status status = ms_arena_require(arena, bytes, "resizing this picture", error);
    if (status)
        return status;
    *rgb = ms_arena_allocate(arena, (size_t)samples);
    return *rgb ? ms_resize(&resize, arena, *rgb, (size_t)width * 3, error)
                : ms_arena_failed(arena, error);
}
