/* decode_digest FILE...: the CRC-32 of each picture's decoded pixels, to compare builds of the
 * decoder. */
#include "base/crc.h"
#include "picture/decode.h"

#include <stdio.h>
#include <stdlib.h>

static int digest(const char *path) {
    static uint8_t bytes[32 << 20];
    struct ms_scan scan;
    struct ms_arena arena;
    minisim_pixels pixels = {0};
    minisim_error error = {{0}};
    FILE *file = fopen(path, "rb");
    if (!file)
        return 1;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    ms_arena_open(&arena, (size_t)1 << 30);
    minisim_status status = ms_scan_picture(bytes, size, 200000000, &scan, &error);
    if (!status)
        status = ms_decode_picture(bytes, size, &scan, &arena, &pixels, &error);
    if (!status) {
        size_t channels = pixels.format == MINISIM_RGB    ? 3
                          : pixels.format == MINISIM_RGBA ? 4
                          : pixels.format == MINISIM_GREY ? 1
                                                          : 2;
        size_t n = (size_t)pixels.width * pixels.height * channels;
        printf("%08x %s\n", (unsigned)ms_crc32(0, pixels.pixels, n), path);
    } else {
        printf("%s %s\n", error.text, path);
    }
    ms_arena_close(&arena);
    return 0;
}

int main(int argc, char **argv) {
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= digest(argv[i]);
    return failed;
}
