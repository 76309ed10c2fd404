/*
 * PNG (RFC 2083): rows without a filter, in one block of deflate with its fixed codes (RFC 1951).
 * Bytes repeat from the pixel before or from the row above, and nothing else is looked for: enough
 * for pictures that are enlarged by whole factors. Chunks first, then bits, then repetitions.
 */
#include "report/png.h"

#include "base/crc.h"

#include <stdlib.h>
#include <string.h>

enum { PIXEL = 3, LONGEST = 258, SHORTEST = 3, FARTHEST = 32768, PART = 8192 };

static void store_u32(uint8_t *to, uint32_t x) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(x >> (24 - 8 * i));
}

static void write_u32(FILE *file, uint32_t x) {
    uint8_t bytes[4];
    store_u32(bytes, x);
    fwrite(bytes, 1, sizeof bytes, file);
}

static void write_chunk(FILE *file, const char *type, const uint8_t *bytes, size_t size) {
    write_u32(file, (uint32_t)size);
    fwrite(type, 1, 4, file);
    fwrite(bytes, 1, size, file);
    write_u32(file, ms_crc32(ms_crc32(0, type, 4), bytes, size));
}

/* Compressed data on its way into chunks. */
struct stream {
    FILE *file;
    uint32_t bits; /* `count` of them, the first lowest, are no whole byte yet */
    unsigned count;
    size_t size;
    uint8_t part[PART];
};

static void end_part(struct stream *s) {
    write_chunk(s->file, "IDAT", s->part, s->size);
    s->size = 0;
}

static void put(struct stream *s, uint32_t bits, unsigned count) {
    s->bits |= bits << s->count;
    for (s->count += count; s->count >= 8; s->count -= 8) {
        s->part[s->size++] = (uint8_t)s->bits;
        s->bits >>= 8;
        if (s->size == PART)
            end_part(s);
    }
}

/* Codes stand with their highest bit first. */
static void put_code(struct stream *s, uint32_t code, unsigned length) {
    while (length-- > 0)
        put(s, code >> length & 1, 1);
}

/* RFC 1951, 3.2.6. */
static void put_symbol(struct stream *s, uint32_t symbol) {
    if (symbol < 144)
        put_code(s, 0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(s, 0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(s, symbol - 256, 7);
    else
        put_code(s, 0xc0 + symbol - 280, 8);
}

/* RFC 1951, 3.2.5: each power of two has 2^fine codes, and the bits that those leave open follow
 * the code. Smaller numbers have a code each. */
static uint32_t code_of(uint32_t number, unsigned fine, unsigned *open) {
    *open = 0;
    while (number >> *open >= 2u << fine)
        ++*open;
    return (*open << fine) + (number >> *open);
}

static void put_repetition(struct stream *s, size_t length, size_t distance) {
    uint32_t more = (uint32_t)length - SHORTEST, back = (uint32_t)distance - 1;
    unsigned open;
    uint32_t code = code_of(more, 2, &open);
    if (length == LONGEST) {
        put_symbol(s, 285);
    } else {
        put_symbol(s, 257 + code);
        put(s, more & ((1u << open) - 1), open);
    }
    code = code_of(back, 1, &open);
    put_code(s, code, 5);
    put(s, back & ((1u << open) - 1), open);
}

/* For how many bytes from `at` on the bytes `distance` before them are the same. */
static size_t repeated(const uint8_t *bytes, size_t size, size_t at, size_t distance) {
    size_t most = size - at < LONGEST ? size - at : LONGEST, length = 0;
    if (distance > at || distance > FARTHEST)
        return 0;
    while (length < most && bytes[at + length] == bytes[at + length - distance])
        length++;
    return length;
}

static void put_rows(struct stream *s, const uint8_t *rows, size_t size, size_t row) {
    for (size_t at = 0; at < size;) {
        size_t beside = repeated(rows, size, at, PIXEL), above = repeated(rows, size, at, row);
        size_t length = above > beside ? above : beside;
        if (length >= SHORTEST) {
            put_repetition(s, length, above > beside ? row : PIXEL);
            at += length;
        } else {
            put_symbol(s, rows[at++]);
        }
    }
}

/* zlib's wrapping (RFC 1950) around one last block. */
static void write_data(FILE *file, const uint8_t *rows, size_t size, size_t row) {
    enum { ZLIB = 0x0178, LAST_BLOCK = 1, FIXED_CODES = 1, END_OF_BLOCK = 256 };
    struct stream s = {.file = file};
    uint8_t checksum[4];
    put(&s, ZLIB, 16);
    put(&s, LAST_BLOCK, 1);
    put(&s, FIXED_CODES, 2);
    put_rows(&s, rows, size, row);
    put_symbol(&s, END_OF_BLOCK);
    put(&s, 0, (8 - s.count) % 8);
    store_u32(checksum, ms_adler32(rows, size));
    for (size_t i = 0; i < sizeof checksum; i++)
        put(&s, checksum[i], 8);
    if (s.size > 0)
        end_part(&s);
}

bool ms_write_png(FILE *file, const uint8_t *rgb, uint32_t width, uint32_t height) {
    size_t pixels = (size_t)width * PIXEL, row = 1 + pixels; /* a byte says: no filter */
    uint8_t header[13] = {[8] = 8 /* bits */, 2 /* RGB */}, *rows = calloc(height, row);
    if (!rows)
        return false;
    for (size_t y = 0; y < height; y++)
        memcpy(rows + y * row + 1, rgb + y * pixels, pixels);
    store_u32(header, width);
    store_u32(header + 4, height);
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, file);
    write_chunk(file, "IHDR", header, sizeof header);
    write_data(file, rows, height * row, row);
    write_chunk(file, "IEND", header, 0);
    free(rows);
    return true;
}
