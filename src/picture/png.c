/*
 * Scans a PNG (ISO/IEC 15948): walks its chunks from IHDR to IEND, checks each checksum, the order
 * and the sizes, so that stb_image sees only files whose structure is whole, and computes what the
 * data may inflate to.
 */
#include "picture/formats.h"

#include "base/crc.h"
#include "base/error.h"

#include <string.h>

struct png {
    const struct ms_bytes *file;
    struct ms_scan *scan;
    uint32_t depth, colour, interlaced;
    uint32_t palette; /* entries */
    bool transparent, data_ended;
    uint64_t data; /* bytes of IDAT */
};

static minisim_status broken(const struct png *png, const char *why) {
    return ms_fail(png->file->error, MINISIM_BAD_PICTURE, "the PNG is broken: %s", why);
}

static uint32_t samples(const struct png *png) {
    static const uint8_t of_colour[7] = {1, 0, 3, 1, 2, 0, 4};
    return of_colour[png->colour];
}

static minisim_status read_header(struct png *png, const uint8_t *at, size_t size) {
    /* The depths that each colour type allows, as a set of bits. */
    static const uint32_t depths[7] = {1 << 1 | 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16,
                                       0,
                                       1 << 8 | 1 << 16,
                                       1 << 1 | 1 << 2 | 1 << 4 | 1 << 8,
                                       1 << 8 | 1 << 16,
                                       0,
                                       1 << 8 | 1 << 16};
    if (size != 13)
        return broken(png, "its header has a wrong length");
    png->depth = at[8];
    png->colour = at[9];
    png->interlaced = at[12];
    if (png->colour > 6 || png->depth > 16 || !(depths[png->colour] >> png->depth & 1))
        return broken(png, "no such bit depth and colour type");
    if (at[10] != 0 || at[11] != 0 || png->interlaced > 1)
        return broken(png, "an unknown compression, filter or interlacing");
    png->scan->width = ms_big32(at);
    png->scan->height = ms_big32(at + 4);
    png->scan->wide = png->depth == 16;
    uint64_t pixels = (uint64_t)png->scan->width * png->scan->height;
    if (png->scan->wide && pixels > (uint64_t)1 << 26)
        return ms_fail(png->file->error, MINISIM_BAD_PICTURE,
                       "a PNG of 16 bit may have 2^26 pixels; this one has %llu",
                       (unsigned long long)pixels);
    return ms_check_size(png->file, png->scan->width, png->scan->height);
}

/* Of a chunk with `size` bytes of data at `at`. */
static minisim_status read_chunk(struct png *png, const uint8_t *type, const uint8_t *at,
                                 size_t size) {
    if (memcmp(type, "IDAT", 4) == 0) {
        if (png->data_ended)
            return broken(png, "its data is interrupted by other chunks");
        if (png->colour == 3 && !png->palette)
            return broken(png, "it has no palette");
        png->data += size;
        return MINISIM_OK;
    }
    png->data_ended = png->data > 0;
    if (memcmp(type, "PLTE", 4) == 0) {
        if (size == 0 || size > 768 || size % 3 || png->palette || png->data)
            return broken(png, "its palette has a wrong length or place");
        png->palette = (uint32_t)size / 3;
    } else if (memcmp(type, "tRNS", 4) == 0) {
        size_t needed = png->colour == 0 ? 2 : png->colour == 2 ? 6 : size;
        bool fits = png->colour < 3 ? size == needed : size >= 1 && size <= png->palette;
        if (png->data || png->transparent || png->colour > 3 || !fits)
            return broken(png, "its transparency has a wrong length or place");
        png->transparent = true;
    } else if (memcmp(type, "eXIf", 4) == 0) {
        png->scan->orientation = ms_exif_orientation(at, size);
    } else if (!(type[0] & 0x20)) {
        return broken(png, "it has a critical chunk that is unknown or stands twice");
    }
    return MINISIM_OK;
}

/* Bytes of one pass: a filter byte and whole bytes of samples a row. */
static uint64_t pass_bytes(const struct png *png, uint64_t width, uint64_t height) {
    return width == 0 ? 0 : height * (1 + (width * samples(png) * png->depth + 7) / 8);
}

/* What the data inflates to. */
static uint64_t inflated_bytes(const struct png *png) {
    static const uint8_t x0[7] = {0, 4, 0, 2, 0, 1, 0}, y0[7] = {0, 0, 4, 0, 2, 0, 1};
    static const uint8_t dx[7] = {8, 8, 4, 4, 2, 2, 1}, dy[7] = {8, 8, 8, 4, 4, 2, 2};
    uint64_t width = png->scan->width, height = png->scan->height, sum = 0;
    if (!png->interlaced)
        return pass_bytes(png, width, height);
    for (size_t i = 0; i < 7; i++)
        sum += pass_bytes(png, (width + dx[i] - 1 - x0[i]) / dx[i],
                          (height + dy[i] - 1 - y0[i]) / dy[i]);
    return sum;
}

/*
 * stb gathers the data in a buffer that doubles (old and new are held at once), inflates it into
 * one of at least its own guess (which doubles where passes are more than the guess), makes rows of
 * it, and spreads a palette.
 */
static uint64_t decode_memory(const struct png *png) {
    uint64_t width = png->scan->width, height = png->scan->height, pixels = width * height;
    uint64_t guess = (width * png->depth + 7) / 8 * height * samples(png) + height;
    uint64_t inflated = inflated_bytes(png);
    if (guess < inflated)
        inflated = 3 * (guess > inflated - guess ? guess : inflated);
    else
        inflated = guess;
    uint64_t gather = 3 * png->data + 16 * 1024 + inflated;
    uint64_t sample_bytes = png->depth == 16 ? 2 : 1;
    uint64_t rows = pixels * sample_bytes * (samples(png) + (png->transparent ? 1 : 0));
    if (png->interlaced)
        rows *= 2;
    uint64_t spread = png->colour == 3 ? pixels * (png->transparent ? 4 : 3) : 0;
    uint64_t unpack = inflated + rows + spread;
    return (gather > unpack ? gather : unpack) + 16 * 1024;
}

minisim_status ms_scan_png(const struct ms_bytes *file, struct ms_scan *scan) {
    struct png png = {.file = file, .scan = scan};
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
    if (!png.data)
        return broken(&png, "it holds no picture");
    scan->memory = decode_memory(&png);
    return MINISIM_OK;
}
