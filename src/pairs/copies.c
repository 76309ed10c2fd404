#include "pairs/copies.h"

#include "base/error.h"
#include "base/output.h"
#include "picture/jpeg_write.h"
#include "picture/pixels.h"
#include "picture/read.h"

#include <stdlib.h>
#include <string.h>

const char *const ms_copy_names[MS_COPIES] = {
    "half size",     "JPEG quality 30", "a third of the size",
    "crop to 90 %",  "crop to 75 %",    "brightness 1.3",
    "border of 5 %", "mirrored",        "turned right"};
const char *const ms_copy_keys[MS_COPIES] = {
    "half", "jpeg", "third", "crop_90", "crop_75", "brightness", "border", "mirrored", "turned"};

minisim_status ms_copy_read(const char *path, const minisim_context_options *limits,
                            struct ms_arena *arena, minisim_pixels *original,
                            minisim_error *error) {
    uint32_t background = limits->background_set ? limits->background : 0xffffff;
    struct ms_picture picture;
    uint8_t *rgb = NULL;
    minisim_status status = ms_read_picture(path, limits, arena, &picture, error);
    if (status)
        return status;
    minisim_region seen = ms_pixels_picture(&picture.pixels);
    status =
        ms_shrink_picture(&picture.pixels, background, seen.width, seen.height, arena, &rgb, error);
    *original = (minisim_pixels){
        .pixels = rgb, .width = seen.width, .height = seen.height, .format = MINISIM_RGB};
    return status;
}

/* The middle `percent` of both sides. */
static minisim_region middle(const minisim_pixels *original, uint32_t percent) {
    uint32_t x = (uint32_t)(((uint64_t)original->width * (100 - percent) + 100) / 200);
    uint32_t y = (uint32_t)(((uint64_t)original->height * (100 - percent) + 100) / 200);
    minisim_region region = {x, y, original->width - 2 * x, original->height - 2 * y};
    region.width = region.width ? region.width : 1;
    region.height = region.height ? region.height : 1;
    return region;
}

/* The following make *memory, of `arena`, and let *copy, which is the original so far, show it. */

static minisim_status shrink(minisim_pixels *copy, uint32_t parts, struct ms_arena *arena,
                             uint8_t **memory, minisim_error *error) {
    minisim_pixels original = *copy;
    copy->width = copy->width < parts ? 1 : copy->width / parts;
    copy->height = copy->height < parts ? 1 : copy->height / parts;
    minisim_status status =
        ms_shrink_picture(&original, 0, copy->width, copy->height, arena, memory, error);
    copy->pixels = *memory;
    return status;
}

static minisim_status brighten(minisim_pixels *copy, struct ms_arena *arena, uint8_t **memory,
                               minisim_error *error) {
    size_t n = (size_t)copy->width * copy->height * 3;
    *memory = ms_arena_allocate(arena, n);
    if (!*memory)
        return ms_arena_failed(arena, error);
    for (size_t i = 0; i < n; i++) {
        int brighter = (copy->pixels[i] * 13 + 5) / 10;
        (*memory)[i] = (uint8_t)(brighter > 255 ? 255 : brighter);
    }
    copy->pixels = *memory;
    return MINISIM_OK;
}

/* White, a twentieth of the shorter side. */
static minisim_status frame(minisim_pixels *copy, struct ms_arena *arena, uint8_t **memory,
                            minisim_error *error) {
    uint32_t shorter = copy->width < copy->height ? copy->width : copy->height;
    uint32_t border = shorter < 20 ? 1 : (shorter + 10) / 20;
    size_t row = (size_t)copy->width * 3, stride = row + (size_t)border * 6;
    size_t size = stride * ((size_t)copy->height + 2 * (size_t)border);
    *memory = ms_arena_allocate(arena, size);
    if (!*memory)
        return ms_arena_failed(arena, error);
    memset(*memory, 255, size);
    for (size_t y = 0; y < copy->height; y++)
        memcpy(*memory + (y + border) * stride + (size_t)border * 3, copy->pixels + y * row, row);
    copy->width += 2 * border;
    copy->height += 2 * border;
    copy->pixels = *memory;
    return MINISIM_OK;
}

static minisim_status embed_jpeg(const minisim_pixels *original, minisim_context *context,
                                 float *embedding, minisim_error *error) {
    enum { LONGEST = 65535, QUALITY = 30 };
    char *bytes = NULL;
    size_t size;
    if (original->width > LONGEST || original->height > LONGEST)
        return ms_fail(error, MINISIM_BAD_PICTURE, "%u x %u is too large for a JPEG",
                       (unsigned)original->width, (unsigned)original->height);
    FILE *stream = ms_open_memory(&bytes, &size);
    if (stream)
        ms_write_jpeg(stream, original->pixels, original->width, original->height, QUALITY);
    minisim_status status = ms_close_memory(stream, &bytes)
                                ? MINISIM_OK
                                : ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    if (!status && (status = minisim_embed_memory(context, bytes, size, NULL, embedding)))
        ms_fail(error, status, "%s", minisim_context_error(context));
    free(bytes);
    return status;
}

minisim_status ms_copy_embed(enum ms_copy kind, const minisim_pixels *original,
                             struct ms_arena *arena, minisim_context *context, float *embedding,
                             minisim_error *error) {
    enum { MIRRORED = 2, TURNED = 6 }; /* EXIF's orientations */
    minisim_pixels copy = *original;
    minisim_status status = MINISIM_OK;
    uint8_t *memory = NULL;
    if (kind == MS_COPY_JPEG)
        return embed_jpeg(original, context, embedding, error);
    if (kind == MS_COPY_HALF || kind == MS_COPY_THIRD)
        status = shrink(&copy, kind == MS_COPY_HALF ? 2 : 3, arena, &memory, error);
    else if (kind == MS_COPY_CROP_90 || kind == MS_COPY_CROP_75)
        copy.region = middle(original, kind == MS_COPY_CROP_90 ? 90 : 75);
    else if (kind == MS_COPY_BRIGHT)
        status = brighten(&copy, arena, &memory, error);
    else if (kind == MS_COPY_BORDER)
        status = frame(&copy, arena, &memory, error);
    else
        copy.orientation = kind == MS_COPY_MIRRORED ? MIRRORED : TURNED;
    if (!status && (status = minisim_embed_pixels(context, &copy, embedding)))
        ms_fail(error, status, "%s", minisim_context_error(context));
    ms_arena_free(arena, memory);
    return status;
}
