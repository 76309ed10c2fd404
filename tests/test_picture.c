/*
 * Scan and decoder: what each format gives, what other files are called, and that broken ones are
 * refused with their cause, within the memory that the scan promised. Files are built here, or are
 * of tests/pictures.
 */
#include "base/bytes.h"
#include "base/crc.h"
#include "picture/decode.h"
#include "picture/formats.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { file_max = 1 << 21 };

static uint8_t file[file_max];
static size_t size;
static struct ms_arena arena;
static minisim_pixels pixels;
static minisim_error error;

/* Scans and decodes `file`; what the scan promised must hold. Pixels live until the next call. */
static minisim_status decode(void) {
    struct ms_scan scan;
    /* At the end of its memory, so that the address sanitizer sees reads past it. */
    uint8_t *bytes = malloc(size ? size : 1);
    assert_non_null(bytes);
    memcpy(bytes, file, size);
    ms_arena_close(&arena);
    ms_arena_open(&arena, (size_t)1 << 30);
    memset(&error, 0, sizeof error);
    minisim_status status = ms_scan_picture(bytes, size, 200000000, &scan, &error);
    if (!status) {
        status = ms_decode_picture(bytes, size, &scan, &arena, &pixels, &error);
        assert_true(arena.peak <= scan.memory);
    }
    free(bytes);
    assert_int_equal(status != MINISIM_OK, error.text[0] != '\0');
    return status;
}

static void expect(minisim_status expected, const char *text) {
    minisim_status status = decode();
    if (status != expected || !strstr(error.text, text))
        fail_msg("status %d \"%s\", expected %d \"%s\"", status, error.text, expected, text);
}

static void expect_pixels(minisim_pixel_format format, uint32_t width, uint32_t height,
                          const char *bytes, size_t n) {
    expect(MINISIM_OK, "");
    assert_int_equal(pixels.format, format);
    assert_int_equal(pixels.width, width);
    assert_int_equal(pixels.height, height);
    assert_memory_equal(pixels.pixels, bytes, n);
}

static void set(const char *bytes, size_t n) {
    memcpy(file, bytes, n);
    size = n;
}
#define SET(text) set(text, sizeof text - 1)

static void other_kinds(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *kind;
    } kinds[] = {{"RIFF....WEBPVP8 ", 16, "WebP"},
                 {"\0\0\0\x1c"
                  "ftypheic\0\0\0\0",
                  16, "HEIC"},
                 {"\0\0\0\x1c"
                  "ftypavif\0\0\0\0",
                  16, "AVIF"},
                 {"\0\0\0\x18"
                  "ftypheis\0\0\0\0heismif1",
                  24, "HEIC"},
                 {"\0\0\0\x1c"
                  "ftypmif1\0\0\0\0mif1avifmiaf",
                  28, "AVIF"},
                 {"\0\0\0\x18"
                  "ftypmsf1\0\0\0\0msf1hevc",
                  24, "HEIC"},
                 {"\0\0\0\x14"
                  "ftypisom\0\0\0\0mp42avif",
                  24, "video"},
                 {"II*\0\x8\0\0\0", 8, "TIFF"},
                 {"GIF89a", 6, "GIF"},
                 {"%PDF-1.7", 8, "PDF"},
                 {"8BPS\0\1", 6, "PSD"},
                 {"\xff\x0a\xfa\x7f", 4, "JPEG XL"},
                 {"<?xml version='1.0'?><svg/>", 27, "SVG"},
                 {"hello, world\n", 13, "text"},
                 {"PK\3\4", 4, "ZIP"},
                 {"", 0, "empty"},
                 {"\1\2\3", 3, "unknown"},
                 {"BM is how this text begins", 26, "text"},
                 {"P8 is no PNM", 12, "text"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        set(kinds[i].bytes, kinds[i].n);
        assert_string_equal(ms_other_kind(file, size), kinds[i].kind);
        expect(MINISIM_NO_PICTURE, strcmp(kinds[i].kind, "unknown") ? kinds[i].kind : "no picture");
    }
}

static void pnm(void **state) {
    (void)state;
    SET("P6 # a comment\n2 1\n255\n\1\2\3\4\5\6");
    expect_pixels(MINISIM_RGB, 2, 1, "\1\2\3\4\5\6", 6);
    SET("P5 2 2 65535 \0\0\xff\xff\x80\0\0\x80");
    expect_pixels(MINISIM_GREY, 2, 2, "\0\xff\x80\0", 4); /* (v*255+32767)/65535 */
    SET("P5 2 1 3 \0\2");
    expect_pixels(MINISIM_GREY, 2, 1, "\0\xaa", 2);
    SET("P3 1 1 100 0 50 100");
    expect_pixels(MINISIM_RGB, 1, 1, "\0\x80\xff", 3);
    SET("P2 1 1 9 9 ");
    expect_pixels(MINISIM_GREY, 1, 1, "\xff", 1);
    SET("P1 3 1 101");
    expect_pixels(MINISIM_GREY, 3, 1, "\0\xff\0", 3);
    SET("P4 9 2 \x80\x80\0\0");
    expect_pixels(MINISIM_GREY, 9, 2, "\0\xff\xff\xff\xff\xff\xff\xff\0\xff", 10);
    SET("P6 2 1 255 \1\2\3\4\5");
    expect(MINISIM_BAD_PICTURE, "truncated");
    SET("P5 2 2 65535 \0\0\xff\xff\x80\0\0");
    expect(MINISIM_BAD_PICTURE, "truncated");
    SET("P3 1 1 100 0 50");
    expect(MINISIM_BAD_PICTURE, "truncated");
    SET("P6 99999999999999999999 1 255 \1\2\3");
    expect(MINISIM_BAD_PICTURE, "above");
    SET("P6 16000000 16000000 255 \1\2\3");
    expect(MINISIM_BAD_PICTURE, "more than the limit of 200000000");
    SET("P6 1 1 0 \1\2\3");
    expect(MINISIM_BAD_PICTURE, "largest value");
    SET("P5 1 1 3 \4");
    expect(MINISIM_BAD_PICTURE, "above its largest");
    SET("P6 0 1 255 \1\2\3");
    expect(MINISIM_BAD_PICTURE, "size");
    SET("P6 ");
    expect(MINISIM_BAD_PICTURE, "truncated");
}

/* ---- PNG: chunks, and data in stored blocks of deflate ---- */

static void put32(uint32_t x) {
    for (unsigned i = 0; i < 4; i++)
        file[size++] = (uint8_t)(x >> (24 - 8 * i));
}

static void put_chunk(const char *type, const void *bytes, size_t n) {
    put32((uint32_t)n);
    memcpy(file + size, type, 4);
    if (n)
        memcpy(file + size + 4, bytes, n);
    uint32_t crc = ms_crc32(0, file + size, n + 4);
    size += n + 4;
    put32(crc);
}

static void put_data(const uint8_t *raw, size_t n) {
    static uint8_t zlib[file_max];
    size_t at = 0;
    uint32_t a = 1, b = 0;
    zlib[at++] = 0x78;
    zlib[at++] = 0x01;
    for (size_t done = 0; done < n || n == 0;) {
        size_t part = n - done < 65535 ? n - done : 65535;
        zlib[at++] = done + part == n;
        zlib[at++] = (uint8_t)part;
        zlib[at++] = (uint8_t)(part >> 8);
        zlib[at++] = (uint8_t)~part;
        zlib[at++] = (uint8_t)(~part >> 8);
        memcpy(zlib + at, raw + done, part);
        at += part;
        done += part;
        if (n == 0)
            break;
    }
    for (size_t i = 0; i < n; i++) {
        a = (a + raw[i]) % 65521;
        b = (b + a) % 65521;
    }
    for (unsigned i = 0; i < 4; i++)
        zlib[at++] = (uint8_t)((b << 16 | a) >> (24 - 8 * i));
    put_chunk("IDAT", zlib, at);
}

static void start_png(uint32_t width, uint32_t height, uint8_t depth, uint8_t colour,
                      uint8_t interlaced) {
    uint8_t header[13] = {0};
    size = 0;
    memcpy(file, "\x89PNG\r\n\x1a\n", 8);
    size = 8;
    header[2] = (uint8_t)(width >> 8);
    header[3] = (uint8_t)width;
    header[6] = (uint8_t)(height >> 8);
    header[7] = (uint8_t)height;
    header[1] = (uint8_t)(width >> 16);
    header[5] = (uint8_t)(height >> 16);
    header[8] = depth;
    header[9] = colour;
    header[12] = interlaced;
    put_chunk("IHDR", header, 13);
}

static void end_png(const char *raw, size_t n) {
    put_data((const uint8_t *)raw, n);
    put_chunk("IEND", NULL, 0);
}

static void png(void **state) {
    (void)state;
    start_png(2, 1, 8, 2, 0);
    end_png("\0\1\2\3\4\5\6", 7);
    expect_pixels(MINISIM_RGB, 2, 1, "\1\2\3\4\5\6", 6);
    start_png(2, 1, 8, 6, 0);
    end_png("\0\1\2\3\4\5\6\7\x8", 9);
    expect_pixels(MINISIM_RGBA, 2, 1, "\1\2\3\4\5\6\7\x8", 8);
    start_png(8, 1, 1, 0, 0);
    end_png("\0\xa5", 2);
    expect_pixels(MINISIM_GREY, 8, 1, "\xff\0\xff\0\0\xff\0\xff", 8);
    start_png(2, 1, 4, 0, 0);
    end_png("\0\x1f", 2);
    expect_pixels(MINISIM_GREY, 2, 1, "\x11\xff", 2);
    start_png(2, 1, 16, 0, 0);
    end_png("\0\x80\x00\x00\x80", 5);
    expect_pixels(MINISIM_GREY, 2, 1, "\x80\x00", 2);
    start_png(1, 1, 16, 4, 0);
    end_png("\0\xff\xff\x01\x01", 5);
    expect_pixels(MINISIM_GREY_ALPHA, 1, 1, "\xff\1", 2);
    start_png(3, 1, 2, 3, 0);
    put_chunk("PLTE", "\1\2\3\4\5\6\7\x8\x9", 9);
    end_png("\0\x18", 2);
    expect_pixels(MINISIM_RGB, 3, 1, "\1\2\3\4\5\6\7\x8\x9", 9);
    start_png(1, 1, 8, 3, 0);
    put_chunk("PLTE", "\1\2\3", 3);
    put_chunk("tRNS", "\x40", 1);
    end_png("\0\0", 2);
    expect_pixels(MINISIM_RGBA, 1, 1, "\1\2\3\x40", 4);
    start_png(2, 1, 8, 0, 0);
    put_chunk("tRNS", "\0\7", 2);
    end_png("\0\7\x8", 3);
    expect_pixels(MINISIM_GREY_ALPHA, 2, 1, "\7\0\x8\xff", 4);
    start_png(2, 2, 8, 0, 1); /* passes 1, 6, 7 */
    end_png("\0\1\0\2\0\3\4", 7);
    expect_pixels(MINISIM_GREY, 2, 2, "\1\2\3\4", 4);
    start_png(1, 1, 8, 0, 0);
    put_chunk("eXIf", "II*\0\x8\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0", 22);
    end_png("\0\7", 2);
    expect(MINISIM_OK, "");
    assert_int_equal(pixels.orientation, 6);
}

static void broken_png(void **state) {
    (void)state;
    start_png(2, 2, 8, 0, 0);
    end_png("\0\1\2", 3);
    expect(MINISIM_BAD_PICTURE, "inflates to 3 bytes, its header promises 6");
    static uint8_t bomb[1 << 20];
    start_png(1, 1, 8, 0, 0);
    end_png((const char *)bomb, sizeof bomb);
    expect(MINISIM_BAD_PICTURE, "inflates to more than the 2 bytes");
    assert_true(arena.peak < 4096);
    start_png(1, 1, 8, 3, 0); /* the second colour of a palette of one */
    put_chunk("PLTE", "\1\2\3", 3);
    end_png("\0\1", 2);
    expect(MINISIM_BAD_PICTURE, "colour 1 of a palette of 1");
    start_png(2, 1, 8, 2, 0);
    end_png("\0\1\2\3\4\5\6", 7);
    size_t whole = size;
    for (size = 8; size < whole; size++)
        expect(MINISIM_BAD_PICTURE, "");
    size = whole;
    for (size_t i = 8; i < whole; i++) { /* any bit: a checksum fails */
        file[i] ^= 4;
        expect(MINISIM_BAD_PICTURE, "");
        file[i] ^= 4;
    }
    start_png(1, 1, 3, 0, 0);
    end_png("\0\0", 2);
    expect(MINISIM_BAD_PICTURE, "bit depth");
    start_png(1, 1, 8, 3, 0);
    end_png("\0\0", 2);
    expect(MINISIM_BAD_PICTURE, "palette");
    start_png(0xffffff, 0xffffff, 8, 0, 0);
    end_png("\0\0", 2);
    expect(MINISIM_BAD_PICTURE, "more than the limit of 200000000");
    start_png(1, 1, 8, 0, 0);
    put_chunk("IEND", NULL, 0);
    expect(MINISIM_BAD_PICTURE, "holds no picture");
    memcpy(file, "\x89PNG\r\n\x1a\n", 8);
    size = 8;
    put_chunk("CgBI", "\0\0\0\0", 4);
    expect(MINISIM_BAD_PICTURE, "Apple");
}

/* The sum behind a PNG's data (Adler-32): wrong, cut, missing; and data in several chunks. */
static void png_sums(void **state) {
    (void)state;
    static const uint8_t zlib[] = {0x78, 1, 1, 2, 0, 0xfd, 0xff, 0, 7, 0, 9, 0, 8};
    for (size_t n = 0; n <= sizeof zlib; n++) {
        start_png(1, 1, 8, 0, 0);
        put_chunk("IDAT", zlib, n / 2);
        put_chunk("IDAT", zlib + n / 2, n - n / 2);
        put_chunk("IEND", NULL, 0);
        if (n == sizeof zlib)
            expect_pixels(MINISIM_GREY, 1, 1, "\7", 1);
        else
            expect(MINISIM_BAD_PICTURE, n < 9 ? "" : "checksum of its data is missing");
    }
    start_png(1, 1, 8, 0, 0);
    put_chunk("IDAT", "\x78\1\1\2\0\xfd\xff\0\7\0\x9\0\x9", 13);
    put_chunk("IEND", NULL, 0);
    expect(MINISIM_BAD_PICTURE, "does not hold");
}

static void bmp(void **state) {
    (void)state;
    memset(file, 0, 70);
    memcpy(file, "BM", 2);
    file[10] = 54;
    file[14] = 40;
    file[18] = 2;
    file[22] = 2;
    file[26] = 1;
    file[28] = 24;
    memcpy(file + 54, "\3\2\1\6\5\4\0\0\x9\x8\7\xc\xb\xa\0\0", 16);
    size = 70;
    expect_pixels(MINISIM_RGB, 2, 2, "\7\x8\x9\xa\xb\xc\1\2\3\4\5\6", 12);
    memset(file + 22, 0xff, 4);
    file[22] = 0xfe; /* -2: from the top */
    expect_pixels(MINISIM_RGB, 2, 2, "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc", 12);
    size = 69;
    expect(MINISIM_BAD_PICTURE, "truncated");
    size = 54;
    ms_store_u32(file + 18, 4096);
    ms_store_u32(file + 22, 4096);
    expect(MINISIM_BAD_PICTURE, "truncated");
    file[30] = 1;
    expect(MINISIM_BAD_PICTURE, "run-length");
}

/* A BMP of one row: header (12 or 40), bits, then palette or masks, then the row. */
static void set_bmp(uint8_t header, uint8_t width, uint8_t bits, uint8_t compression,
                    const char *colours, size_t colours_size, const char *row, size_t row_size) {
    memset(file, 0, 128);
    memcpy(file, "BM", 2);
    size_t at = 14 + (size_t)header;
    file[10] = (uint8_t)(at + colours_size);
    file[14] = header;
    file[18] = width;
    file[header == 12 ? 20 : 22] = 1;
    file[header == 12 ? 22 : 26] = 1;
    file[header == 12 ? 24 : 28] = bits;
    file[30] = header == 12 ? 0 : compression;
    memcpy(file + at, colours, colours_size);
    memcpy(file + at + colours_size, row, row_size);
    size = at + colours_size + row_size;
}

static void kinds_of_bmp(void **state) {
    (void)state;
    set_bmp(40, 3, 1, 0, "\3\2\1\0\6\5\4\0", 8, "\xa0\0\0\0", 4);
    expect_pixels(MINISIM_RGB, 3, 1, "\4\5\6\1\2\3\4\5\6", 9);
    set_bmp(12, 2, 4, 0, "\3\2\1\6\5\4", 6, "\x10\0\0\0", 4); /* OS/2: three bytes a colour */
    expect_pixels(MINISIM_RGB, 2, 1, "\4\5\6\1\2\3", 6);
    set_bmp(40, 2, 8, 0, "\3\2\1\0", 4, "\0\1\0\0", 4);
    expect(MINISIM_BAD_PICTURE, "colour 1 of a palette of 1");
    set_bmp(40, 1, 8, 0, "", 0, "\0\0\0\0", 4);
    expect(MINISIM_BAD_PICTURE, "no palette");
    set_bmp(40, 2, 16, 0, "", 0, "\xff\x7f\x84\x10", 4);
    expect_pixels(MINISIM_RGB, 2, 1, "\xff\xff\xff\x21\x21\x21", 6);
    set_bmp(40, 1, 16, 3, "\0\xf8\0\0\xe0\7\0\0\x1f\0\0\0", 12, "\x00\xf8\0\0", 4);
    expect_pixels(MINISIM_RGB, 1, 1, "\xff\0\0", 3);
    set_bmp(40, 1, 32, 0, "", 0, "\3\2\1\0", 4); /* alpha that is 0 everywhere */
    expect_pixels(MINISIM_RGBA, 1, 1, "\1\2\3\xff", 4);
    set_bmp(40, 2, 32, 0, "", 0, "\3\2\1\0\6\5\4\7", 8);
    expect_pixels(MINISIM_RGBA, 2, 1, "\1\2\3\0\4\5\6\7", 8);
    set_bmp(40, 1, 32, 3, "\0\0\xf0\x3f\0\xfc\xf\0\xff\3\0\0", 12, "\xff\1\x08\x20", 4);
    expect_pixels(MINISIM_RGB, 1, 1, "\x80\x80\x7f", 3); /* ten bits each */
    set_bmp(40, 1, 32, 3, "\0\0\0\0\0\xff\0\0\xff\0\0\0", 12, "\0\0\0\0", 4);
    expect(MINISIM_BAD_PICTURE, "no bits");
    set_bmp(40, 1, 32, 3, "\0\0\5\0\0\xff\0\0\xff\0\0\0", 12, "\0\0\0\0", 4);
    expect(MINISIM_BAD_PICTURE, "scattered");
    set_bmp(40, 1, 24, 0, "", 0, "\1\2\3\0", 4);
    file[26] = 2;
    expect(MINISIM_BAD_PICTURE, "planes");
}

/* A JPEG of tests/pictures into `file`. */
static void load(const char *path) {
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    size = fread(file, 1, sizeof file, from);
    fclose(from);
}

/* Where the n-th marker of that code stands. */
static size_t find_marker(uint8_t code) {
    for (size_t at = 2; at + 4 < size; at += 2 + ms_big16(file + at + 2))
        if (file[at] == 0xff && file[at + 1] == code)
            return at;
    fail_msg("no marker %02x", code);
    return 0;
}

static void jpeg(void **state) {
    (void)state;
    static const char *const paths[2] = {"tests/pictures/baseline.jpg",
                                         "tests/pictures/progressive.jpg"};
    for (size_t i = 0; i < 2; i++) {
        load(paths[i]);
        expect(MINISIM_OK, "");
        assert_int_equal(pixels.format, MINISIM_RGB);
        size_t whole = size;
        for (size = 3; size < whole; size++)
            expect(MINISIM_BAD_PICTURE, "");
        size = whole;
        file[find_marker(0xc4) + 5] = 255; /* more codes than there are */
        expect(MINISIM_BAD_PICTURE, "Huffman");
        load(paths[i]);
        file[find_marker(0xdb) + 4] = 0x07;
        expect(MINISIM_BAD_PICTURE, "quantisation");
        load(paths[i]);
        file[find_marker(0xc4) + 1] = 0xfe; /* now a comment: its tables are missing */
        expect(MINISIM_BAD_PICTURE, "table that was not defined");
        load(paths[i]);
        size_t frame = find_marker(i ? 0xc2 : 0xc0);
        file[frame + 1] = 0xc9;
        expect(MINISIM_BAD_PICTURE, "arithmetic");
        file[frame + 1] = i ? 0xc2 : 0xc0;
        file[frame + 4] = 12;
        expect(MINISIM_BAD_PICTURE, "12 bits");
        load(paths[i]);
        memset(file + frame + 5, 0xff, 4);
        expect(MINISIM_BAD_PICTURE, "more than the limit of 200000000");
    }
}

/* A JPEG whose scan is cut, and which ends as it should: no grey half of a picture. */
static void cut_jpeg(void **state) {
    (void)state;
    static const char *const paths[] = {
        "tests/pictures/baseline.jpg", "tests/pictures/progressive.jpg", "tests/pictures/grey.jpg",
        "tests/pictures/cmyk.jpg", "tests/pictures/subsampled-444.jpg"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (size_t percent = 30; percent <= 95; percent += 5) {
            load(paths[i]);
            size = size * percent / 100;
            memcpy(file + size, "\xff\xd9", 2);
            size += 2;
            expect(MINISIM_BAD_PICTURE, percent < 50 ? "" : "truncated");
        }
    /* Restart markers that the header announces, but the scan has not. */
    load("tests/pictures/grey.jpg");
    size_t at = find_marker(0xda);
    memmove(file + at + 6, file + at, size - at);
    memcpy(file + at, "\xff\xdd\0\4\0\1", 6);
    size += 6;
    expect(MINISIM_BAD_PICTURE, "truncated");
}

static void exif(void **state) {
    (void)state;
    uint8_t tiff[22];
    memcpy(tiff, "MM\0*\0\0\0\x8\0\1\1\x12\0\3\0\0\0\1\0\6\0\0", 22);
    assert_int_equal(ms_exif_orientation(tiff, 22), 6);
    for (size_t n = 0; n < 22; n++) {
        uint8_t *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, tiff, n);
        assert_int_equal(ms_exif_orientation(cut, n), 1);
        free(cut);
    }
    static const uint8_t wrong[][2] = {{19, 0},   {19, 9}, {13, 4},  {17, 2},
                                       {7, 0xff}, {3, 0},  {4, 0xff}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t changed[22];
        memcpy(changed, tiff, 22);
        changed[wrong[i][0]] = wrong[i][1];
        assert_int_equal(ms_exif_orientation(changed, 22), 1);
    }
    tiff[8] = tiff[9] = 0xff; /* 65,535 entries */
    tiff[11] = 0;
    assert_int_equal(ms_exif_orientation(tiff, 22), 1);
}

/* Random damage to every picture: success or an error, never more memory than promised. */
static void random_damage(void **state) {
    (void)state;
    static const char *const paths[] = {"tests/pictures/baseline.jpg",
                                        "tests/pictures/progressive.jpg"};
    uint64_t seed = 77;
    for (size_t i = 0; i < 3000; i++) {
        load(paths[i % 2]);
        for (uint32_t hits = 1 + next_random(&seed) % 6; hits > 0; hits--)
            file[2 + next_random(&seed) % (size - 4)] = (uint8_t)next_random(&seed);
        decode();
    }
    ms_arena_close(&arena);
}

static int give_back(void **state) {
    (void)state;
    ms_arena_close(&arena);
    return arena.used == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_kinds),  cmocka_unit_test(pnm),           cmocka_unit_test(png),
        cmocka_unit_test(broken_png),   cmocka_unit_test(png_sums),      cmocka_unit_test(bmp),
        cmocka_unit_test(kinds_of_bmp), cmocka_unit_test(jpeg),          cmocka_unit_test(cut_jpeg),
        cmocka_unit_test(exif),         cmocka_unit_test(random_damage),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, give_back);
}
