/*
 * stb_image and stb_image_resize, compiled here and nowhere else, with JPEG and PNG alone enabled.
 * Parts of stb_image are called that it does not publish, the same from 2.27 to 2.30: for a JPEG,
 * to learn whether its data sufficed; for a PNG, to inflate to a size that is known. Their memory
 * comes zeroed from the arena of the call, their assertions jump out to an error. Built with
 * -fwrapv and zeroed variables (Makefile), because hostile files reach arithmetic and bytes that
 * stb leaves undefined.
 */
#include "picture/stb.h"

#include "base/error.h"

#include <setjmp.h>
#include <string.h>

/* Of the call that runs in this thread: stb has no place for a pointer of ours. */
static _Thread_local struct ms_arena *current_arena;
static _Thread_local jmp_buf on_assert;

#define ASSERT_OR_JUMP(condition) ((condition) ? (void)0 : longjmp(on_assert, 1))

#define STBI_MALLOC(size) ms_arena_allocate(current_arena, size)
/* Grows what is inflated to a size that is not known: here it always is. */
#define STBI_REALLOC(pointer, size) ((void)(pointer), (void)(size), NULL)
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
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION

#define STBIR_MALLOC(size, context) ((void)(context), ms_arena_allocate(current_arena, size))
#define STBIR_FREE(pointer, context) ((void)(context), ms_arena_free(current_arena, pointer))
#define STBIR_ASSERT(condition) ASSERT_OR_JUMP(condition)
#define STB_IMAGE_RESIZE_STATIC
#define STB_IMAGE_RESIZE_IMPLEMENTATION

/* For sRGB and floats, which are not asked for; without it no program needs libm. */
#include <math.h>
#define pow(base, exponent) (ASSERT_OR_JUMP(false), (double)(base) * (double)(exponent))

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
    if (arena->out_of_memory || arena->over_limit)
        return ms_arena_failed(arena, error);
    return ms_fail(error, MINISIM_BAD_PICTURE, "the picture's data is broken: %s", why);
}

/* The compiler spoils what it inlines into a function that calls setjmp, by a twentieth for a JPEG.
 */
#define APART __attribute__((noinline))

static void begin(struct ms_arena *arena) {
    arena->over_limit = arena->out_of_memory = false;
    current_arena = arena;
}

/* ---- JPEG ---- */

/*
 * stb goes on with zeros where the data of a scan ends too early, and does not tell. So it sees the
 * file through windows that end where a scan ends, and then four zero bytes. It holds four bytes
 * ahead at most: a fifth is asked for only where zeros were used for data. A scan that has all of
 * its data leaves stb looking for the next marker, and it asks whether the file ends: there the
 * next window opens, from that marker on.
 */
struct reader {
    const uint8_t *bytes;
    size_t size;
    const struct ms_jpeg_facts *facts;
    stbi__context *context;
    size_t ended; /* scans that had all of their data */
    bool padded;  /* the zeros behind the current one were given */
    bool cut;
};

static void open_window(struct reader *reader, size_t from) {
    bool more = reader->ended < reader->facts->scans;
    size_t to = more ? reader->facts->ends[reader->ended] : reader->size;
    reader->context->img_buffer = (stbi_uc *)reader->bytes + from;
    reader->context->img_buffer_end = (stbi_uc *)reader->bytes + to;
    reader->padded = false;
}

static int read_padding(void *user, char *to, int room) {
    struct reader *reader = user;
    const int zeros = 4;
    reader->cut = reader->padded || room < zeros || reader->ended == reader->facts->scans;
    reader->padded = true;
    if (reader->cut)
        return 0;
    memset(to, 0, (size_t)zeros);
    return zeros;
}

/* A segment that reaches beyond a window: the scan let none pass. */
static void skip_beyond(void *user, int n) {
    struct reader *reader = user;
    (void)n;
    reader->cut = true;
}

static int at_end(void *user) {
    struct reader *reader = user;
    if (reader->padded && !reader->cut) {
        size_t end = reader->facts->ends[reader->ended];
        reader->ended++;
        open_window(reader, end);
    }
    return reader->cut || reader->ended == reader->facts->scans;
}

static void open_reader(struct reader *reader) {
    stbi__context *context = reader->context;
    stbi__start_mem(context, reader->bytes, (int)reader->size);
    context->io = (stbi_io_callbacks){read_padding, skip_beyond, at_end};
    context->io_user_data = reader;
    context->buflen = sizeof context->buffer_start;
    context->read_from_callbacks = 1;
    open_window(reader, 0);
}

APART static stbi_uc *load_jpeg(stbi__jpeg *jpeg, int *width, int *height, int *channels) {
    stbi__setup_jpeg(jpeg);
    return load_jpeg_image(jpeg, width, height, channels, 0);
}

minisim_status ms_stb_jpeg(const uint8_t *bytes, size_t size, const struct ms_jpeg_facts *facts,
                           struct ms_arena *arena, minisim_pixels *pixels, bool *cut,
                           minisim_error *error) {
    stbi__context context;
    int width = 0, height = 0, channels = 0;
    begin(arena);
    stbi__jpeg *jpeg = ms_arena_allocate(arena, sizeof *jpeg);
    if (!jpeg)
        return ms_arena_failed(arena, error);
    struct reader reader = {.bytes = bytes, .size = size, .facts = facts, .context = &context};
    if (setjmp(on_assert))
        return decode_failed(arena, "a check inside the decoder failed", error);
    open_reader(&reader);
    jpeg->s = &context;
    pixels->pixels = load_jpeg(jpeg, &width, &height, &channels);
    *cut = reader.cut;
    if (*cut)
        return MINISIM_OK;
    if (!pixels->pixels)
        return decode_failed(arena, stbi_failure_reason(), error);
    ms_arena_free(arena, jpeg);
    /* Newer versions take what they have when they meet a marker that they do not know. */
    if (reader.ended < facts->scans)
        return decode_failed(arena, "a marker that is not read stands between scans", error);
    /* A CMYK picture has four channels and comes out as three. */
    if ((uint32_t)width != pixels->width || (uint32_t)height != pixels->height ||
        channels != (pixels->format == MINISIM_GREY ? 1 : 3))
        return decode_failed(arena, "it is not of the size that was announced", error);
    return MINISIM_OK;
}

/* ---- PNG ---- */

APART static int inflate(stbi__zbuf *z, uint8_t *to, size_t room) {
    return stbi__do_zlib(z, (char *)to, (int)room, 0, 1);
}

minisim_status ms_stb_inflate(const uint8_t *from, size_t size, uint8_t *to, size_t room,
                              size_t *used, size_t *made, minisim_error *error) {
    stbi__zbuf z = {.zbuffer = (stbi_uc *)from, .zbuffer_end = (stbi_uc *)from + size};
    if (setjmp(on_assert))
        return ms_fail(error, MINISIM_BAD_PICTURE, "the PNG is broken: its data makes no sense");
    if (!inflate(&z, to, room)) {
        const char *why = stbi_failure_reason();
        return strcmp(why, "output buffer limit") == 0
                   ? ms_fail(error, MINISIM_BAD_PICTURE,
                             "the PNG is broken: its data inflates to more than the %zu bytes that "
                             "its header promises",
                             room)
                   : ms_fail(error, MINISIM_BAD_PICTURE, "the PNG is broken: %s", why);
    }
    /* Whole bytes that stb has read ahead do not count; at the end of the data it invents some. */
    size_t taken = (size_t)(z.zbuffer - from), ahead = (size_t)z.num_bits / 8;
    *used = taken > ahead ? taken - ahead : 0;
    *made = (size_t)(z.zout - z.zout_start);
    return MINISIM_OK;
}

/* Samples, and alpha where one colour is transparent. */
APART static bool unfilter(stbi__png *image, const struct ms_stb_png *png) {
    int out = image->s->img_out_n;
    if (!stbi__create_png_image(image, (stbi_uc *)png->inflated, (stbi__uint32)png->size, out,
                                (int)png->depth, (int)png->colour, (int)png->interlaced))
        return false;
    stbi__uint16 key16[3];
    stbi_uc key[3]; /* grey of few bits was spread over 0 to 255, and so is its key */
    for (size_t i = 0; i < 3; i++) {
        uint32_t value = png->key[i] & ((UINT32_C(1) << png->depth) - 1);
        key16[i] = (stbi__uint16)value;
        key[i] = (stbi_uc)(png->depth < 8 ? value * stbi__depth_scale_table[png->depth] : value);
    }
    if (png->keyed && png->depth == 16)
        stbi__compute_transparency16(image, key16, out);
    else if (png->keyed)
        stbi__compute_transparency(image, key, out);
    return true;
}

minisim_status ms_stb_unfilter(const struct ms_stb_png *png, struct ms_arena *arena, uint8_t **rows,
                               minisim_error *error) {
    stbi__context context = {.img_x = png->width,
                             .img_y = png->height,
                             .img_n = (int)png->samples,
                             .img_out_n = (int)png->samples + png->keyed};
    stbi__png image = {.s = &context, .depth = (int)png->depth};
    begin(arena);
    if (setjmp(on_assert))
        return decode_failed(arena, "a check inside the decoder failed", error);
    if (!unfilter(&image, png))
        return decode_failed(arena, stbi_failure_reason(), error);
    *rows = image.out;
    return MINISIM_OK;
}

/* ---- resizing ---- */

/* One axis of stb's plan: how far the triangle reaches, in inputs (stbir__get_filter_pixel_width).
 */
static uint64_t filter_width(uint64_t in, uint64_t out) {
    return out > in ? 2 : (2 * in + out - 1) / out + 1;
}

uint64_t ms_stb_resize_memory(uint32_t width, uint32_t height, uint32_t out_width,
                              uint32_t out_height) {
    /* A contributor and two coefficients for each input within reach, or for each output. */
    const uint64_t each = sizeof(stbir__contributors) + 2 * sizeof(float);
    const uint64_t pixel = 3 * sizeof(float);
    uint64_t across = filter_width(width, out_width), down = filter_width(height, out_height);
    uint64_t contributors = (out_width > width ? out_width : width + across) +
                            (out_height > height ? out_height : height + down);
    uint64_t decoded = (width + across) * pixel, row = out_width * pixel;
    return ms_arena_cost(contributors * each + decoded + row * (down + 3));
}

minisim_status ms_stb_resize(const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t *out,
                             uint32_t out_width, uint32_t out_height, struct ms_arena *arena,
                             minisim_error *error) {
    int done = 0;
    begin(arena);
    if (setjmp(on_assert) == 0)
        done = stbir_resize_uint8_generic(rgb, (int)width, (int)height, 0, out, (int)out_width,
                                          (int)out_height, 0, 3, STBIR_ALPHA_CHANNEL_NONE, 0,
                                          STBIR_EDGE_CLAMP, STBIR_FILTER_TRIANGLE,
                                          STBIR_COLORSPACE_LINEAR, NULL);
    else
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "stb_image_resize cannot resize %u x %u to %u x %u; choose another "
                       "resampling",
                       (unsigned)width, (unsigned)height, (unsigned)out_width,
                       (unsigned)out_height);
    if (!done)
        return ms_arena_failed(arena, error);
    return MINISIM_OK;
}
