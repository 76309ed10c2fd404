/*
 * stb_image and stb_image_resize, compiled here and nowhere else, with JPEG, PNG and BMP alone
 * enabled. Their memory comes zeroed from the arena of the call, their assertions jump out to an
 * error. Built with -fwrapv and zeroed variables (Makefile), because hostile files reach arithmetic
 * and bytes that stb leaves undefined.
 */
#include "picture/stb.h"

#include "base/error.h"

#include <setjmp.h>

/* Of the call that runs in this thread: stb has no place for a pointer of ours. */
static _Thread_local struct ms_arena *current_arena;
static _Thread_local jmp_buf on_assert;

#define ASSERT_OR_JUMP(condition) ((condition) ? (void)0 : longjmp(on_assert, 1))

#define STBI_MALLOC(size) ms_arena_allocate(current_arena, size)
#define STBI_REALLOC(pointer, size) ms_arena_resize(current_arena, pointer, size)
#define STBI_FREE(pointer) ms_arena_free(current_arena, pointer)
#define STBI_ASSERT(condition) ASSERT_OR_JUMP(condition)
/* SSE2 it finds by itself. The pixels are the same without. */
#if defined(__ARM_NEON)
#define STBI_NEON
#endif
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION

#define STBIR_MALLOC(size, context) ((void)(context), ms_arena_allocate(current_arena, size))
#define STBIR_FREE(pointer, context) ((void)(context), ms_arena_free(current_arena, pointer))
#define STBIR_ASSERT(condition) ASSERT_OR_JUMP(condition)
#define STB_IMAGE_RESIZE_STATIC
#define STB_IMAGE_RESIZE_IMPLEMENTATION

/* Declared, but left out by the choice of formats; told at the end of the file, so never popped. */
#pragma GCC diagnostic ignored "-Wunused-function"
#if __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#else
#include <stb_image.h>
#endif
/* Debian 13 and later keep the first resizer in a folder for what is deprecated. */
#if __has_include(<stb/stb_image_resize.h>)
#include <stb/stb_image_resize.h>
#elif __has_include(<stb/deprecated/stb_image_resize.h>)
#include <stb/deprecated/stb_image_resize.h>
#elif __has_include(<stb_image_resize.h>)
#include <stb_image_resize.h>
#else
#include <deprecated/stb_image_resize.h>
#endif

static minisim_status decode_failed(const struct ms_arena *arena, const char *why,
                                    minisim_error *error) {
    if (arena->out_of_memory)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory to decode the picture");
    if (arena->over_limit)
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "the picture is broken: its data is more than its header promises");
    return ms_fail(error, MINISIM_BAD_PICTURE, "the picture's data is broken: %s", why);
}

/* In place: 16 bit to 8. */
static void narrow(stbi_us *samples, size_t n) {
    uint8_t *to = (uint8_t *)samples;
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(((uint32_t)samples[i] * 255 + 32767) / 65535);
}

minisim_status ms_stb_decode(const uint8_t *bytes, size_t size, bool wide, struct ms_arena *arena,
                             minisim_pixels *pixels, minisim_error *error) {
    static const minisim_pixel_format formats[5] = {0, MINISIM_GREY, MINISIM_GREY_ALPHA,
                                                    MINISIM_RGB, MINISIM_RGBA};
    int width = 0, height = 0, channels = 0;
    void *decoded;
    arena->over_limit = arena->out_of_memory = false;
    current_arena = arena;
    if (setjmp(on_assert))
        return decode_failed(arena, "a check inside the decoder failed", error);
    if (wide)
        decoded = stbi_load_16_from_memory(bytes, (int)size, &width, &height, &channels, 0);
    else
        decoded = stbi_load_from_memory(bytes, (int)size, &width, &height, &channels, 0);
    if (!decoded)
        return decode_failed(arena, stbi_failure_reason(), error);
    /* stb names the file's channels; a CMYK JPEG has four and comes out as three. */
    if (channels < 1 || channels > 4)
        return decode_failed(arena, "no such number of channels", error);
    if (wide)
        narrow(decoded, (size_t)width * (size_t)height * (size_t)channels);
    *pixels = (minisim_pixels){.pixels = decoded,
                               .width = (uint32_t)width,
                               .height = (uint32_t)height,
                               .format = formats[channels]};
    return MINISIM_OK;
}

minisim_status ms_stb_resize(const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *out,
                             uint32_t out_width, uint32_t out_height, struct ms_arena *arena,
                             minisim_error *error) {
    int done = 0;
    arena->over_limit = arena->out_of_memory = false;
    current_arena = arena;
    if (setjmp(on_assert) == 0)
        done = stbir_resize_uint8_generic(rgb, (int)width, (int)height, 0, out, (int)out_width,
                                          (int)out_height, 0, 3, STBIR_ALPHA_CHANNEL_NONE, 0,
                                          STBIR_EDGE_CLAMP, STBIR_FILTER_TRIANGLE,
                                          STBIR_COLORSPACE_LINEAR, NULL);
    else
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "stb_image_resize cannot resize %u x %u to %u x %u; choose --resample "
                       "bilinear",
                       (unsigned)width, (unsigned)height, (unsigned)out_width,
                       (unsigned)out_height);
    if (!done)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "no memory to resize the picture");
    return MINISIM_OK;
}
