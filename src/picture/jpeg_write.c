/*
 * stb_image_write, compiled here and nowhere else: of it, JPEG. It takes no memory, and its
 * arithmetic wraps (-fwrapv, Makefile).
 */
#include "picture/jpeg_write.h"

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION

/* The other formats are not called; told at the end of the file, so never popped. */
#pragma GCC diagnostic ignored "-Wunused-function"
#if __has_include(<stb/stb_image_write.h>)
#include <stb/stb_image_write.h>
#else
#include <stb_image_write.h>
#endif

static void take(void *file, void *bytes, int size) {
    fwrite(bytes, 1, (size_t)size, file);
}

void ms_write_jpeg(FILE *file, const uint8_t *rgb, uint32_t width, uint32_t height, int quality) {
    stbi_write_jpg_to_func(take, file, (int)width, (int)height, 3, rgb, quality);
}
