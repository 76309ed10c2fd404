/*
 * bench_pictures FOLDER: two JPEG files of usual sizes for `make bench`, street-500x375.jpg and
 * street-4000x3000.jpg: smooth and busy regions and some noise, so that a decoder has about as much
 * to do as with a photograph. The same bytes on every machine that has the same stb_image_write.
 */
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
/* Told at the end of the file, so never popped. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#if __has_include(<stb/stb_image_write.h>)
#include <stb/stb_image_write.h>
#else
#include <stb_image_write.h>
#endif
#pragma GCC diagnostic pop

#include <stdint.h>
#include <stdio.h>

static uint8_t level(double x) {
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* x and y from 0 to 1. A sky above, windows and ground below. */
static void paint(double x, double y, uint32_t noise, uint8_t rgb[3]) {
    double grain = (double)(noise >> 24) / 32 - 4;
    double window = sin(140 * x) * sin(90 * y) > 0.2 ? -60 : 0;
    double leaves = 30 * sin(300 * x * y) * sin(170 * (x - y));
    double sky = y < 0.35 + 0.1 * sin(9 * x) ? 1 : 0;
    double r = sky * (120 + 200 * y) + (1 - sky) * (150 - 60 * y + window + leaves);
    double g = sky * (150 + 180 * y) + (1 - sky) * (140 - 40 * y + window + 0.8 * leaves);
    double b = sky * (230 - 60 * y) + (1 - sky) * (110 - 50 * y + 0.7 * window);
    rgb[0] = level(r + grain);
    rgb[1] = level(g + grain);
    rgb[2] = level(b + grain);
}

static void write_bytes(void *file, void *bytes, int size) {
    fwrite(bytes, 1, (size_t)size, file);
}

static int draw(const char *folder, int width, int height) {
    enum { quality = 88 };
    char path[4096];
    uint32_t noise = 1;
    uint8_t *pixels = malloc((size_t)width * (size_t)height * 3);
    snprintf(path, sizeof path, "%s/street-%dx%d.jpg", folder, width, height);
    FILE *file = pixels ? fopen(path, "wb") : NULL;
    for (int i = 0; i < width * height && file; i++) {
        noise = noise * 1664525 + 1013904223;
        paint((double)(i % width) / width, (double)(i / width) / height, noise, pixels + 3 * i);
    }
    int good = file && stbi_write_jpg_to_func(write_bytes, file, width, height, 3, pixels, quality);
    good = file && fclose(file) == 0 && good;
    free(pixels);
    if (!good)
        fprintf(stderr, "bench_pictures: cannot write %s\n", path);
    return good;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "bench_pictures FOLDER\n");
        return 2;
    }
    return draw(argv[1], 500, 375) && draw(argv[1], 4000, 3000) ? 0 : 4;
}
