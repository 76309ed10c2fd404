/*
 * BMP (Microsoft's BITMAPINFOHEADER and its kin), scanned and decoded here: palettes of 1, 4 and 8
 * bit, 16 and 32 bit by masks, 24 bit. Run-length encoding is not read. A fourth byte is alpha, but
 * for pictures in which it is always 0.
 */
#include "picture/formats.h"

#include "base/bytes.h"
#include "base/error.h"

struct bmp {
    const struct ms_bytes *file;
    uint32_t header; /* size of the information header */
    uint32_t width, height, bits, compression;
    bool from_top;
    uint32_t masks[4];       /* of red, green, blue, alpha */
    size_t palette, entries; /* place; 0 where colours are direct */
    size_t entry_size;
    size_t rows, row; /* place of the first row, bytes of each */
};

static minisim_status broken(const struct bmp *bmp, const char *why) {
    return ms_fail(bmp->file->error, MINISIM_BAD_PICTURE, "the BMP is broken: %s", why);
}

static uint32_t load_u16(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8;
}

/* Size, bits a pixel and compression. */
static minisim_status read_information(struct bmp *bmp) {
    const uint8_t *at = bmp->file->at;
    size_t size = bmp->file->size;
    uint32_t header = size < 26 ? 0 : ms_load_u32(at + 14), planes;
    if (header != 12 && header != 40 && header != 52 && header != 56 && header != 108 &&
        header != 124)
        return broken(bmp, "its header is cut, or of an unknown kind");
    if (size < 14 + (size_t)header)
        return broken(bmp, "its header is cut");
    bmp->header = header;
    if (header == 12) {
        bmp->width = load_u16(at + 18);
        bmp->height = load_u16(at + 20);
        planes = load_u16(at + 22);
        bmp->bits = load_u16(at + 24);
    } else {
        bmp->width = ms_load_u32(at + 18);
        bmp->height = ms_load_u32(at + 22);
        planes = load_u16(at + 26);
        bmp->bits = load_u16(at + 28);
        bmp->compression = ms_load_u32(at + 30);
        bmp->from_top = bmp->height > INT32_MAX; /* negative */
        if (bmp->from_top)
            bmp->height = 0 - bmp->height;
    }
    return planes == 1 ? MINISIM_OK : broken(bmp, "it has several planes");
}

static minisim_status check_kind(const struct bmp *bmp) {
    uint32_t bits = bmp->bits, compression = bmp->compression;
    if (compression == 1 || compression == 2)
        return ms_fail(bmp->file->error, MINISIM_BAD_PICTURE,
                       "this BMP is run-length encoded, which minisim does not read");
    if (compression != 0 && compression != 3)
        return ms_fail(bmp->file->error, MINISIM_BAD_PICTURE,
                       "this BMP has compression %u, which minisim does not read",
                       (unsigned)compression);
    bool known = bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32;
    if (!known || (compression == 3 && bits != 16 && bits != 32) ||
        (bmp->header == 12 && (bits == 16 || bits == 32)))
        return broken(bmp, "no such number of bits a pixel");
    return MINISIM_OK;
}

/* True where the bits of a mask are neighbours. */
static bool is_run(uint32_t mask) {
    uint32_t low = mask & (0 - mask);
    return ((mask + low) & mask) == 0;
}

/* The masks stand at byte 54, in the header or behind it; else they are those of the number of
 * bits.
 */
static minisim_status read_masks(struct bmp *bmp) {
    const uint8_t *at = bmp->file->at + 54;
    if (bmp->compression == 3) {
        if (bmp->file->size < 66)
            return broken(bmp, "its header is cut");
        for (size_t i = 0; i < 3; i++)
            bmp->masks[i] = ms_load_u32(at + 4 * i);
        bmp->masks[3] = bmp->header >= 56 ? ms_load_u32(at + 12) : 0;
    } else if (bmp->bits == 16) {
        bmp->masks[0] = 31 << 10;
        bmp->masks[1] = 31 << 5;
        bmp->masks[2] = 31;
    } else {
        for (uint32_t i = 0; i < 3; i++)
            bmp->masks[i] = UINT32_C(0xff0000) >> 8 * i;
        bmp->masks[3] = bmp->bits == 32 ? UINT32_C(0xff000000) : 0;
    }
    for (size_t i = 0; i < 4; i++)
        if ((i < 3 && !bmp->masks[i]) || !is_run(bmp->masks[i]))
            return broken(bmp, "a colour has no bits, or they are scattered");
    return MINISIM_OK;
}

/* Palette or masks, and that the rows are there. */
static minisim_status read_layout(struct bmp *bmp) {
    const struct ms_bytes *file = bmp->file;
    uint64_t row = ((uint64_t)bmp->width * bmp->bits + 31) / 32 * 4;
    uint64_t offset = ms_load_u32(file->at + 10), rows = row * bmp->height;
    if (offset < 14 + (uint64_t)bmp->header || offset > file->size || rows > file->size - offset)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "the BMP is truncated: its rows need %llu bytes from %llu on, the file has "
                       "%zu",
                       (unsigned long long)rows, (unsigned long long)offset, file->size);
    bmp->rows = (size_t)offset;
    bmp->row = (size_t)row;
    if (bmp->bits > 8)
        return read_masks(bmp);
    bmp->palette = 14 + (size_t)bmp->header;
    bmp->entry_size = bmp->header == 12 ? 3 : 4;
    bmp->entries = (bmp->rows - bmp->palette) / bmp->entry_size;
    return bmp->entries > 0 ? MINISIM_OK : broken(bmp, "it has no palette");
}

static minisim_status read_header(struct bmp *bmp) {
    minisim_status status = read_information(bmp);
    if (!status)
        status = check_kind(bmp);
    if (!status)
        status = ms_check_size(bmp->file, bmp->width, bmp->height);
    return status ? status : read_layout(bmp);
}

minisim_status ms_scan_bmp(const struct ms_bytes *file, struct ms_scan *scan) {
    struct bmp bmp = {.file = file};
    scan->format = MS_BMP;
    minisim_status status = read_header(&bmp);
    if (status)
        return status;
    scan->width = bmp.width;
    scan->height = bmp.height;
    scan->pixels = bmp.masks[3] ? MINISIM_RGBA : MINISIM_RGB;
    scan->kept = ms_arena_cost((uint64_t)bmp.width * bmp.height * (bmp.masks[3] ? 4 : 3));
    scan->memory = scan->kept;
    return MINISIM_OK;
}

/* The bits of a mask as 0 to 255: the upper ones of many, few ones repeated. */
static uint8_t channel(uint32_t pixel, uint32_t mask) {
    uint32_t value = pixel & mask, bits = 0;
    for (; !(mask & 1); mask >>= 1)
        value >>= 1;
    for (; mask; mask >>= 1)
        bits++;
    if (bits > 8)
        return (uint8_t)(value >> (bits - 8));
    value <<= 8 - bits;
    for (; bits < 8; bits *= 2)
        value |= value >> bits;
    return (uint8_t)value;
}

static minisim_status read_indices(const struct bmp *bmp, const uint8_t *row, uint8_t *to) {
    uint32_t bits = bmp->bits, each = 8 / bits;
    for (uint32_t x = 0; x < bmp->width; x++, to += 3) {
        uint32_t byte = row[x / each];
        uint32_t index = byte >> (8 - bits - x % each * bits) & ((1u << bits) - 1);
        if (index >= bmp->entries)
            return ms_fail(bmp->file->error, MINISIM_BAD_PICTURE,
                           "the BMP is broken: a pixel has colour %u of a palette of %zu",
                           (unsigned)index, bmp->entries);
        const uint8_t *entry = bmp->file->at + bmp->palette + index * bmp->entry_size;
        to[0] = entry[2];
        to[1] = entry[1];
        to[2] = entry[0];
    }
    return MINISIM_OK;
}

static void read_colours(const struct bmp *bmp, const uint8_t *row, uint8_t *to) {
    size_t bytes = bmp->bits / 8, channels = bmp->masks[3] ? 4 : 3;
    bool plain = bmp->masks[0] == 0xff0000 && bmp->masks[1] == 0xff00 && bmp->masks[2] == 0xff &&
                 (bmp->masks[3] == 0 || bmp->masks[3] == 0xff000000);
    for (uint32_t x = 0; x < bmp->width; x++, row += bytes, to += channels) {
        if (plain) {
            to[0] = row[2];
            to[1] = row[1];
            to[2] = row[0];
            if (channels == 4)
                to[3] = row[3];
            continue;
        }
        uint32_t pixel = bytes == 2 ? load_u16(row) : ms_load_u32(row);
        for (size_t i = 0; i < channels; i++)
            to[i] = channel(pixel, bmp->masks[i]);
    }
}

/* Where alpha is 0 everywhere, nobody meant it. */
static void mend_alpha(uint8_t *pixels, size_t n) {
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= pixels[4 * i + 3];
    for (size_t i = 0; i < n && !any; i++)
        pixels[4 * i + 3] = 255;
}

minisim_status ms_decode_bmp(const struct ms_bytes *file, const struct ms_scan *scan,
                             struct ms_arena *arena, minisim_pixels *pixels) {
    struct bmp bmp = {.file = file};
    minisim_status status = read_header(&bmp);
    if (status)
        return status;
    size_t row = (size_t)scan->width * (bmp.masks[3] ? 4 : 3);
    uint8_t *to = ms_arena_allocate(arena, row * scan->height);
    if (!to)
        return ms_arena_failed(arena, file->error);
    pixels->pixels = to;
    for (size_t y = 0; y < bmp.height && !status; y++) {
        const uint8_t *from =
            file->at + bmp.rows + (bmp.from_top ? y : bmp.height - 1 - y) * bmp.row;
        if (bmp.entries)
            status = read_indices(&bmp, from, to + y * row);
        else
            read_colours(&bmp, from, to + y * row);
    }
    if (bmp.masks[3])
        mend_alpha(to, (size_t)bmp.width * bmp.height);
    return status;
}
