/*
 * Scan, decoder and preparation together. The picture's own bytes choose the geometry. What the
 * scan promised must hold. Most changes to a PNG end at a checksum, so the mutator mends them:
 * those of the chunks, and (data in stored blocks) the sum of the data.
 */
#include "base/crc.h"
#include "fuzz.h"
#include "kernels/kernels.h"
#include "picture/decode.h"
#include "picture/formats.h"
#include "picture/prepare.h"

#include <stdlib.h>
#include <string.h>

enum { side = 32 };

static void require(int holds) {
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t square[side * side * 3];
    uint32_t choice = ms_crc32(0, data, size);
    struct ms_preparation p = {.size = side,
                               .geometry = (minisim_geometry)(1 + choice % 3),
                               .crop_size = side + 4,
                               .resample = (minisim_resample)(1 + choice / 3 % 3),
                               .kernels = &ms_kernels_reference};
    struct ms_scan scan;
    struct ms_arena arena;
    minisim_pixels pixels;
    minisim_error error = {""};
    uint64_t bytes = 0;
    ms_arena_open(&arena, 64 << 20);
    minisim_status status = ms_scan_picture(data, size, 1 << 20, &scan, &error);
    if (!status) {
        pixels = ms_scan_pixels(&scan);
        status = ms_prepare_memory(&pixels, &p, &bytes, &error);
    }
    if (!status && scan.memory <= arena.limit) {
        status = ms_decode_picture(data, size, &scan, &arena, &pixels, &error);
        require(arena.peak <= scan.memory);
    }
    if (!status && arena.used) {
        require(arena.used <= scan.kept);
        ms_prepare_pixels(&pixels, &p, &arena, square, &error);
        require(arena.peak <= scan.memory || arena.peak <= scan.kept + bytes);
    }
    require(!status == !error.text[0] || !status);
    ms_arena_close(&arena);
    return 0;
}

#ifdef MS_LIBFUZZER

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void store(uint8_t *to, uint32_t x) {
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(x >> (24 - 8 * i));
}

/* Data of one stored block: its length, and the sum of what it holds. */
static void mend_data(uint8_t *zlib, size_t size) {
    if (size < 11 || size > 65535 || (zlib[2] & 6) != 0)
        return;
    size_t n = size - 11;
    zlib[0] = 0x78;
    zlib[1] = 1;
    zlib[2] = 1;
    zlib[3] = (uint8_t)n;
    zlib[4] = (uint8_t)(n >> 8);
    zlib[5] = (uint8_t)~n;
    zlib[6] = (uint8_t)(~n >> 8);
    store(zlib + 7 + n, ms_adler32(zlib + 7, n));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    size = LLVMFuzzerMutate(data, size, max_size);
    if (size < 8 || seed % 16 == 0 || memcmp(data, "\x89PNG\r\n\x1a\n", 8) != 0)
        return size;
    for (size_t at = 8; size - at >= 12;) {
        size_t length = ms_big32(data + at), left = size - at - 12;
        if (length > left) {
            length = left;
            store(data + at, (uint32_t)length);
        }
        uint8_t *type = data + at + 4;
        if (memcmp(type, "IDAT", 4) == 0 && seed % 4)
            mend_data(type + 4, length);
        store(type + 4 + length, ms_crc32(0, type, length + 4));
        at += 12 + length;
    }
    return size;
}

#endif
