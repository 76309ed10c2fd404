/*
 * PNG (ISO/IEC 15948). The scan walks the chunks from IHDR to IEND and checks each checksum, the
 * order and the sizes. The decoder works from what the scan found: stb_image inflates the data and
 * undoes the filters, everything around that is done here. The data must inflate to exactly what
 * the header promises, and to the sum behind it.
 */
#include "picture/formats.h"

#include "base/crc.h"
#include "base/error.h"
#include "picture/stb.h"

#include <string.h>

struct png {
    const struct ms_bytes *file;
    struct ms_scan *scan;
    struct ms_png_facts *facts;
    bool data_ended;
};

static minisim_status broken(const struct png *png, const char *why) {
    return ms_fail(png->file->error, MINISIM_BAD_PICTURE, "the PNG is broken: %s", why);
}

static minisim_status read_header(struct png *png, const uint8_t *at, size_t size) {
    /* The depths that each colour type allows, as a set of bits; the samples it has. */
    static const uint32_t depths[7] = {1 << 1 | 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16,
                                       0,
                                       1 << 8 | 1 << 16,
                                       1 << 1 | 1 << 2 | 1 << 4 | 1 << 8,
                                       1 << 8 | 1 << 16,
                                       0,
                                       1 << 8 | 1 << 16};
    static const uint8_t samples[7] = {1, 0, 3, 1, 2, 0, 4};
    struct ms_png_facts *facts = png->facts;
    if (size != 13)
        return broken(png, "its header has a wrong length");
    facts->depth = at[8];
    facts->colour = at[9];
    facts->interlaced = at[12];
    if (facts->colour > 6 || facts->depth > 16 || !(depths[facts->colour] >> facts->depth & 1))
        return broken(png, "no such bit depth and colour type");
    if (at[10] != 0 || at[11] != 0 || facts->interlaced > 1)
        return broken(png, "an unknown compression, filter or interlacing");
    facts->samples = samples[facts->colour];
    png->scan->width = ms_big32(at);
    png->scan->height = ms_big32(at + 4);
    return ms_check_size(png->file, png->scan->width, png->scan->height);
}

/* Of a chunk with `size` bytes of data at `at`. */
static minisim_status read_chunk(struct png *png, const uint8_t *type, const uint8_t *at,
                                 size_t size) {
    struct ms_png_facts *facts = png->facts;
    size_t place = (size_t)(at - png->file->at);
    if (memcmp(type, "IDAT", 4) == 0) {
        if (png->data_ended)
            return broken(png, "its data is interrupted by other chunks");
        if (facts->colour == 3 && !facts->entries)
            return broken(png, "it has no palette");
        if (facts->chunks++ == 0)
            facts->data = place - 8;
        facts->data_bytes += size;
        return MINISIM_OK;
    }
    png->data_ended = facts->chunks > 0;
    if (memcmp(type, "PLTE", 4) == 0) {
        if (size == 0 || size > 768 || size % 3 || facts->entries || facts->chunks)
            return broken(png, "its palette has a wrong length or place");
        facts->palette = place;
        facts->entries = size / 3;
    } else if (memcmp(type, "tRNS", 4) == 0) {
        size_t needed = facts->colour == 0 ? 2 : facts->colour == 2 ? 6 : size;
        bool fits = facts->colour < 3 ? size == needed : size >= 1 && size <= facts->entries;
        if (facts->chunks || facts->transparent || facts->colour > 3 || !fits)
            return broken(png, "its transparency has a wrong length or place");
        facts->transparency = place;
        facts->transparent = size;
    } else if (memcmp(type, "eXIf", 4) == 0) {
        png->scan->orientation = ms_exif_orientation(at, size);
    } else if (!(type[0] & 0x20)) {
        return broken(png, "it has a critical chunk that is unknown or stands twice");
    }
    return MINISIM_OK;
}

/* Bytes of one pass: a filter byte and whole bytes of samples a row. */
static uint64_t pass_bytes(const struct ms_png_facts *facts, uint64_t width, uint64_t height) {
    return width == 0 ? 0 : height * (1 + (width * facts->samples * facts->depth + 7) / 8);
}

/* What the data inflates to. */
static uint64_t inflated_bytes(const struct ms_png_facts *facts, uint64_t width, uint64_t height) {
    static const uint8_t x0[7] = {0, 4, 0, 2, 0, 1, 0}, y0[7] = {0, 0, 4, 0, 2, 0, 1};
    static const uint8_t dx[7] = {8, 8, 4, 4, 2, 2, 1}, dy[7] = {8, 8, 8, 4, 4, 2, 2};
    uint64_t sum = 0;
    if (!facts->interlaced)
        return pass_bytes(facts, width, height);
    for (size_t i = 0; i < 7; i++)
        sum += pass_bytes(facts, (width + dx[i] - 1 - x0[i]) / dx[i],
                          (height + dy[i] - 1 - y0[i]) / dy[i]);
    return sum;
}

/* True where one colour is transparent, and alpha is added to the samples. */
static bool keyed(const struct ms_png_facts *facts) {
    return facts->transparent && facts->colour != 3;
}

/*
 * The data in one piece (where it comes in several) and inflated; then inflated and rows (one pass
 * beside the whole where interlaced, two rows of stb's newer unfiltering); then rows and the
 * colours of a palette.
 */
static minisim_status count_memory(struct png *png) {
    static const minisim_pixel_format formats[5] = {0, MINISIM_GREY, MINISIM_GREY_ALPHA,
                                                    MINISIM_RGB, MINISIM_RGBA};
    struct ms_scan *scan = png->scan;
    struct ms_png_facts *facts = png->facts;
    uint64_t width = scan->width, height = scan->height, pixels = width * height;
    uint64_t out = facts->samples + (keyed(facts) ? 1 : 0);
    uint64_t rows = pixels * out * (facts->depth == 16 ? 2 : 1);
    uint64_t spread = facts->colour == 3 ? facts->transparent ? 4 : 3 : 0;
    facts->inflated = inflated_bytes(facts, width, height);
    scan->pixels = formats[spread ? spread : out];
    scan->kept = ms_arena_cost(spread ? pixels * spread : rows);
    uint64_t gather = ms_arena_cost(facts->chunks > 1 ? facts->data_bytes : 0);
    uint64_t inflated = ms_arena_cost(facts->inflated);
    uint64_t unfilter = ms_arena_cost((facts->interlaced ? 2 : 1) * rows) + ms_arena_cost(0) +
                        ms_arena_cost(2 * pass_bytes(facts, width, 1));
    uint64_t most = gather > unfilter ? inflated + gather : inflated + unfilter;
    uint64_t spreading = ms_arena_cost(rows) + scan->kept;
    scan->memory = most > spreading ? most : spreading;
    return ms_check_block(png->file, rows > facts->inflated ? rows : facts->inflated);
}

minisim_status ms_scan_png(const struct ms_bytes *file, struct ms_scan *scan) {
    struct png png = {.file = file, .scan = scan, .facts = &scan->png};
    scan->format = MS_PNG;
    for (size_t at = 8;;) {
        if (file->size - at < 12 || ms_big32(file->at + at) > file->size - at - 12)
            return ms_fail(file->error, MINISIM_BAD_PICTURE,
                           "the PNG is truncated: its %zu bytes end before its last chunk",
                           file->size);
        const uint8_t *type = file->at + at + 4;
        size_t size = ms_big32(file->at + at);
        if (ms_crc32(0, type, size + 4) != ms_big32(type + 4 + size))
            return broken(&png, "the checksum of a chunk does not hold");
        if (memcmp(type, "CgBI", 4) == 0)
            return ms_fail(file->error, MINISIM_BAD_PICTURE,
                           "this is Apple's own kind of PNG (CgBI); convert it first");
        if ((at == 8) != (memcmp(type, "IHDR", 4) == 0))
            return broken(&png, "its header does not come first, or comes twice");
        if (memcmp(type, "IEND", 4) == 0)
            break;
        minisim_status status =
            at == 8 ? read_header(&png, type + 4, size) : read_chunk(&png, type, type + 4, size);
        if (status)
            return status;
        at += 12 + size;
    }
    if (!scan->png.data_bytes)
        return broken(&png, "it holds no picture");
    return count_memory(&png);
}

/* ---- decoding ---- */

/* The data in one piece: in the file where it is one chunk, else in memory of the arena. */
static const uint8_t *gather(const struct ms_bytes *file, const struct ms_png_facts *facts,
                             struct ms_arena *arena) {
    const uint8_t *chunk = file->at + facts->data;
    if (facts->chunks == 1)
        return chunk + 8;
    uint8_t *data = ms_arena_allocate(arena, (size_t)facts->data_bytes), *to = data;
    for (size_t i = 0; i < facts->chunks && data; i++) {
        size_t size = ms_big32(chunk);
        memcpy(to, chunk + 8, size);
        to += size;
        chunk += 12 + size;
    }
    return data;
}

/* Into `to`, facts->inflated bytes. What stands behind the data's own sum is not looked at. */
static minisim_status inflate(const struct ms_bytes *file, const struct ms_png_facts *facts,
                              const uint8_t *data, uint8_t *to) {
    size_t size = (size_t)facts->data_bytes, promised = (size_t)facts->inflated;
    size_t used = 0, made = 0;
    minisim_status status = ms_stb_inflate(data, size, to, promised, &used, &made, file->error);
    if (status)
        return status;
    if (made < promised)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "the PNG is truncated: its data inflates to %zu bytes, its header promises "
                       "%zu",
                       made, promised);
    if (size - used < 4 || ms_adler32(to, made) != ms_big32(data + used))
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "the PNG is broken: the checksum of its data is missing or does not hold");
    return MINISIM_OK;
}

/* Indices to the palette's colours; one beyond it is an error. */
static minisim_status spread(const struct ms_bytes *file, const struct ms_png_facts *facts,
                             const uint8_t *from, size_t n, uint8_t *to) {
    const uint8_t *palette = file->at + facts->palette, *alpha = file->at + facts->transparency;
    for (size_t i = 0; i < n; i++) {
        size_t index = from[i];
        if (index >= facts->entries)
            return ms_fail(file->error, MINISIM_BAD_PICTURE,
                           "the PNG is broken: a pixel has colour %zu of a palette of %zu", index,
                           facts->entries);
        memcpy(to, palette + 3 * index, 3);
        to += 3;
        if (facts->transparent)
            *to++ = index < facts->transparent ? alpha[index] : 255;
    }
    return MINISIM_OK;
}

/* In place: 16 bit to 8. */
static void narrow(void *samples, size_t n) {
    const uint16_t *from = samples;
    uint8_t *to = samples;
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(((uint32_t)from[i] * 255 + 32767) / 65535);
}

/* Unfiltered samples, 8 or 16 bit each, with alpha added for a transparent colour. */
static minisim_status unfilter(const struct ms_bytes *file, const struct ms_scan *scan,
                               const uint8_t *inflated, struct ms_arena *arena, uint8_t **rows) {
    const struct ms_png_facts *facts = &scan->png;
    struct ms_stb_png png = {.inflated = inflated,
                             .size = (size_t)facts->inflated,
                             .width = scan->width,
                             .height = scan->height,
                             .samples = facts->samples,
                             .depth = facts->depth,
                             .colour = facts->colour,
                             .interlaced = facts->interlaced,
                             .keyed = keyed(facts)};
    for (size_t i = 0; png.keyed && i < facts->samples; i++)
        png.key[i] = (uint16_t)ms_big16(file->at + facts->transparency + 2 * i);
    return ms_stb_unfilter(&png, arena, rows, file->error);
}

minisim_status ms_decode_png(const struct ms_bytes *file, const struct ms_scan *scan,
                             struct ms_arena *arena, minisim_pixels *pixels) {
    const struct ms_png_facts *facts = &scan->png;
    size_t n = (size_t)scan->width * scan->height;
    const uint8_t *data = gather(file, facts, arena);
    uint8_t *inflated = ms_arena_allocate(arena, (size_t)facts->inflated), *rows, *colours;
    if (!data || !inflated)
        return ms_arena_failed(arena, file->error);
    minisim_status status = inflate(file, facts, data, inflated);
    if (facts->chunks > 1)
        ms_arena_free(arena, (void *)data);
    if (!status)
        status = unfilter(file, scan, inflated, arena, &rows);
    if (status)
        return status;
    ms_arena_free(arena, inflated);
    pixels->pixels = rows;
    if (facts->depth == 16)
        narrow(rows, n * (facts->samples + (keyed(facts) ? 1 : 0)));
    if (facts->colour != 3)
        return MINISIM_OK;
    colours = ms_arena_allocate(arena, n * (facts->transparent ? 4 : 3));
    if (!colours)
        return ms_arena_failed(arena, file->error);
    status = spread(file, facts, rows, n, colours);
    ms_arena_free(arena, rows);
    pixels->pixels = colours;
    return status;
}
