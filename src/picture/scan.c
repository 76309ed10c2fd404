/* Recognises a file by its content, and hands it to the scanner of its format. */
#include "picture/scan.h"

#include "base/error.h"
#include "picture/formats.h"

#include <string.h>

struct signature {
    const char *name;
    size_t offset, length;
    const char *bytes;
};

static const struct signature others[] = {
    {"GIF", 0, 4, "GIF8"},
    {"WebP", 8, 4, "WEBP"},
    {"TIFF", 0, 4, "II*\0"},
    {"TIFF", 0, 4, "MM\0*"},
    {"BigTIFF", 0, 4, "II+\0"},
    {"PSD", 0, 4, "8BPS"},
    {"PDF", 0, 5, "%PDF-"},
    {"PostScript", 0, 4, "%!PS"},
    {"JPEG 2000", 4, 4, "jP  "},
    {"JPEG 2000", 0, 4, "\xff\x4f\xff\x51"},
    {"JPEG XL", 0, 2, "\xff\x0a"},
    {"JPEG XL", 4, 4, "JXL "},
    {"video", 8, 4, "AVI "},
    {"video", 0, 4, "\x1a\x45\xdf\xa3"},
    {"ICO", 0, 4, "\0\0\1\0"},
    {"Radiance HDR", 0, 2, "#?"},
    {"OpenEXR", 0, 4, "\x76\x2f\x31\x01"},
    {"QOI", 0, 4, "qoif"},
    {"DDS", 0, 4, "DDS "},
    {"PAM", 0, 3, "P7\n"},
    {"ZIP", 0, 4, "PK\3\4"},
    {"gzip", 0, 2, "\x1f\x8b"},
    {"SVG", 0, 4, "<svg"},
};

static bool starts(const uint8_t *bytes, size_t size, const char *with, size_t length) {
    return size >= length && memcmp(bytes, with, length) == 0;
}

/* Text: the first part holds no control characters but white space. */
static bool is_text(const uint8_t *bytes, size_t size) {
    size_t look = size < 512 ? size : 512;
    for (size_t i = 0; i < look; i++)
        if ((bytes[i] < ' ' && !(bytes[i] >= '\t' && bytes[i] <= '\r')) || bytes[i] == 0x7f)
            return false;
    return true;
}

static bool contains(const uint8_t *bytes, size_t size, const char *word) {
    size_t length = strlen(word), look = size < 512 ? size : 512;
    for (size_t i = 0; i + length <= look; i++)
        if (memcmp(bytes + i, word, length) == 0)
            return true;
    return false;
}

/* True where one of the words of 4 bytes in `brands` stands in a file type box (ISO/IEC 14496-12,
 * 4.3): as the major brand, or among the compatible ones. */
static bool has_brand(const uint8_t *box, size_t size, const char *brands) {
    for (size_t at = 8; at + 4 <= size; at += at == 8 ? 8 : 4) /* behind the major one: a version */
        for (const char *brand = brands; *brand; brand += 4)
            if (memcmp(box + at, brand, 4) == 0)
                return true;
    return false;
}

/* A file that begins with a file type box, by its brands; the coded one decides over "mif1". */
static const char *kind_of_box(const uint8_t *bytes, size_t size) {
    size_t box = ms_big32(bytes);
    box = box < size ? box : size;
    return has_brand(bytes, box, "avifavis")                                   ? "AVIF"
           : has_brand(bytes, box, "heicheixheimheishevchevxhevmhevsmif1msf1") ? "HEIC"
           : has_brand(bytes, box, "crx ")                                     ? "Canon CR3"
                                                                               : "video";
}

const char *ms_other_kind(const uint8_t *bytes, size_t size) {
    if (size == 0)
        return "empty";
    if (size >= 12 && memcmp(bytes + 4, "ftyp", 4) == 0)
        return kind_of_box(bytes, size);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (size >= others[i].offset && starts(bytes + others[i].offset, size - others[i].offset,
                                               others[i].bytes, others[i].length))
            return others[i].name;
    if (is_text(bytes, size))
        return contains(bytes, size, "<svg") ? "SVG" : "text";
    return "unknown";
}

minisim_status ms_check_size(const struct ms_bytes *file, uint64_t width, uint64_t height) {
    const uint64_t side_max = 1 << 24;
    if (width == 0 || height == 0 || width > side_max || height > side_max)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "the picture is broken: it says its size is %llu x %llu",
                       (unsigned long long)width, (unsigned long long)height);
    if (width * height > file->max_pixels)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "%llu x %llu is %llu pixels, more than the limit of %llu (max-pixels)",
                       (unsigned long long)width, (unsigned long long)height,
                       (unsigned long long)(width * height), (unsigned long long)file->max_pixels);
    return MINISIM_OK;
}

minisim_status ms_check_block(const struct ms_bytes *file, uint64_t bytes) {
    if (bytes <= INT32_MAX)
        return MINISIM_OK;
    return ms_fail(file->error, MINISIM_BAD_PICTURE,
                   "decoding takes %llu bytes in one block; the decoder can hold %d",
                   (unsigned long long)bytes, INT32_MAX);
}

static minisim_status no_picture(const uint8_t *bytes, size_t size, minisim_error *error) {
    const char *kind = ms_other_kind(bytes, size);
    if (size == 0)
        return ms_fail(error, MINISIM_NO_PICTURE, "the file is empty");
    if (strcmp(kind, "text") == 0)
        return ms_fail(error, MINISIM_NO_PICTURE, "this is a text file, not a picture");
    if (strcmp(kind, "unknown") == 0)
        return ms_fail(error, MINISIM_NO_PICTURE,
                       "this is no picture that minisim knows (JPEG, PNG, BMP, PNM)");
    const char *article = strchr("AIOS", *kind) ? "an" : "a"; /* AVIF, ICO, OpenEXR, SVG */
    return ms_fail(error, MINISIM_NO_PICTURE,
                   "this is %s %s file; minisim reads JPEG, PNG, BMP and PNM: convert it first",
                   article, kind);
}

minisim_status ms_scan_picture(const uint8_t *bytes, size_t size, uint64_t max_pixels,
                               struct ms_scan *scan, minisim_error *error) {
    struct ms_bytes file = {bytes, size, max_pixels, error};
    *scan = (struct ms_scan){.orientation = 1};
    if (size > INT32_MAX)
        return ms_fail(error, MINISIM_BAD_PICTURE, "%zu bytes, more than 2 GiB", size);
    if (starts(bytes, size, "\xff\xd8\xff", 3))
        return ms_scan_jpeg(&file, scan);
    if (starts(bytes, size, "\x89PNG\r\n\x1a\n", 8))
        return ms_scan_png(&file, scan);
    if (starts(bytes, size, "BM", 2) && !is_text(bytes, size))
        return ms_scan_bmp(&file, scan);
    if (size >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
        (bytes[2] == '#' || (bytes[2] >= '\t' && bytes[2] <= '\r') || bytes[2] == ' '))
        return ms_scan_pnm(&file, scan);
    return no_picture(bytes, size, error);
}

minisim_pixels ms_scan_pixels(const struct ms_scan *scan) {
    return (minisim_pixels){.width = scan->width,
                            .height = scan->height,
                            .format = scan->pixels,
                            .orientation = scan->orientation};
}
