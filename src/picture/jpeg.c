/*
 * Scans a JPEG (ITU-T T.81): walks its markers from SOI to EOI, checks what stb_image takes on
 * trust (tables defined before they are used, counts that fit, a bound on scans), and finds size
 * and orientation.
 */
#include "picture/formats.h"

#include "base/error.h"
#include "picture/stb.h"

#include <string.h>

/*
 * A scan that says next to nothing still takes the decoder 40 ns a block, in a few bytes for 32,767
 * of them. An encoder's scans go over each block 6 to 10 times; what takes less than half a
 * second may do more.
 */
enum { components_max = 4, visits_each = 16, visits_max = 1 << 23 };

struct component {
    uint8_t id, h, v, quantisation;
    bool seen; /* has had a scan (progressive: its first DC scan) */
};

struct jpeg {
    const struct ms_bytes *file;
    struct ms_scan *scan;
    size_t at; /* behind the last marker read */
    bool progressive, exif_seen;
    uint8_t count, h_max, v_max;
    struct component components[components_max];
    bool quantisation[4], huffman[2][4];
    uint32_t restart_interval;
    uint64_t restarts; /* markers that the current scan must hold at least */
    uint64_t bits;     /* of data that it must hold at least */
    uint64_t visits;   /* of all scans to all their blocks */
};

static minisim_status broken(const struct jpeg *jpeg, const char *why) {
    return ms_fail(jpeg->file->error, MINISIM_BAD_PICTURE, "the JPEG is broken: %s", why);
}

static minisim_status truncated(const struct jpeg *jpeg) {
    return ms_fail(jpeg->file->error, MINISIM_BAD_PICTURE,
                   "the JPEG is truncated: its %zu bytes end before the picture does",
                   jpeg->file->size);
}

/* The next marker's code, fill bytes skipped; 0 at the end of the file or where there is no marker.
 */
static uint8_t next_marker(struct jpeg *jpeg) {
    const uint8_t *bytes = jpeg->file->at;
    size_t at = jpeg->at, size = jpeg->file->size;
    if (at >= size || bytes[at] != 0xff)
        return 0;
    while (at < size && bytes[at] == 0xff)
        at++;
    jpeg->at = at + 1;
    return at < size ? bytes[at] : 0;
}

/*
 * Moves to the marker behind a scan's data: 0xff (and any number of them, to fill) followed by
 * neither 0 nor a restart's code. A scan with fewer restarts or bits than its size asks for was
 * cut: so a few bytes that promise a large picture cost nothing.
 */
static minisim_status skip_entropy(struct jpeg *jpeg) {
    const uint8_t *bytes = jpeg->file->at;
    size_t size = jpeg->file->size, begin = jpeg->at;
    const uint8_t *ff;
    uint64_t restarts = 0;
    while (jpeg->at < size && (ff = memchr(bytes + jpeg->at, 0xff, size - jpeg->at))) {
        size_t first = (size_t)(ff - bytes), at = first + 1;
        while (at < size && bytes[at] == 0xff)
            at++;
        if (at == size)
            break;
        jpeg->at = at + 1;
        if (bytes[at] >= 0xd0 && bytes[at] <= 0xd7) {
            restarts++;
        } else if (bytes[at] != 0) {
            jpeg->at = first;
            jpeg->scan->jpeg.ends[jpeg->scan->jpeg.scans++] = first;
            bool cut = restarts < jpeg->restarts || first - begin < jpeg->bits / 8;
            return cut ? truncated(jpeg) : MINISIM_OK;
        }
    }
    jpeg->at = size;
    return truncated(jpeg);
}

static minisim_status read_dqt(struct jpeg *jpeg, const uint8_t *at, size_t size) {
    while (size > 0) {
        size_t table = 1 + (at[0] >> 4 ? 128 : 64);
        if (at[0] >> 4 > 1 || (at[0] & 15) > 3 || size < table)
            return broken(jpeg, "a quantisation table does not fit its segment");
        jpeg->quantisation[at[0] & 15] = true;
        at += table;
        size -= table;
    }
    return MINISIM_OK;
}

static minisim_status read_dht(struct jpeg *jpeg, const uint8_t *at, size_t size) {
    while (size > 0) {
        size_t symbols = 0, code = 0;
        if (size < 17 || at[0] >> 4 > 1 || (at[0] & 15) > 3)
            return broken(jpeg, "a Huffman table does not fit its segment");
        for (size_t length = 1; length <= 16; length++) {
            symbols += at[length];
            code = (code + at[length]) * 2;
            if (code > (size_t)2 << length)
                return broken(jpeg, "a Huffman table has more codes than there are");
        }
        if (symbols > 256 || size < 17 + symbols)
            return broken(jpeg, "a Huffman table does not fit its segment");
        jpeg->huffman[at[0] >> 4][at[0] & 15] = true;
        at += 17 + symbols;
        size -= 17 + symbols;
    }
    return MINISIM_OK;
}

static minisim_status read_component(struct jpeg *jpeg, size_t index, const uint8_t *at) {
    struct component *c = &jpeg->components[index];
    *c = (struct component){.id = at[0], .h = at[1] >> 4, .v = at[1] & 15, .quantisation = at[2]};
    for (size_t i = 0; i < index; i++)
        if (jpeg->components[i].id == c->id)
            return broken(jpeg, "two components have the same number");
    if (c->h < 1 || c->h > 4 || c->v < 1 || c->v > 4 || c->quantisation > 3)
        return broken(jpeg, "a component has impossible sampling factors or table");
    jpeg->h_max = c->h > jpeg->h_max ? c->h : jpeg->h_max;
    jpeg->v_max = c->v > jpeg->v_max ? c->v : jpeg->v_max;
    return MINISIM_OK;
}

static minisim_status read_frame(struct jpeg *jpeg, uint8_t marker, const uint8_t *at,
                                 size_t size) {
    if (jpeg->count)
        return broken(jpeg, "it has two frames");
    if (size < 6 || size != 6 + 3 * (size_t)at[5])
        return broken(jpeg, "its frame header has a wrong length");
    if (at[0] != 8)
        return ms_fail(jpeg->file->error, MINISIM_BAD_PICTURE,
                       "this JPEG has %u bits a sample; minisim reads 8", at[0]);
    if (at[5] != 1 && at[5] != 3 && at[5] != 4)
        return broken(jpeg, "it has neither 1, 3 nor 4 components");
    jpeg->progressive = marker == 0xc2;
    jpeg->count = at[5];
    jpeg->scan->height = ms_big16(at + 1);
    jpeg->scan->width = ms_big16(at + 3);
    minisim_status status = ms_check_size(jpeg->file, jpeg->scan->width, jpeg->scan->height);
    for (size_t i = 0; i < jpeg->count && !status; i++)
        status = read_component(jpeg, i, at + 6 + 3 * i);
    return status;
}

/* MCUs of a scan: blocks where it has one component (T.81 A.2), else `only` is NULL. */
static uint64_t mcus_in_scan(const struct jpeg *jpeg, const struct component *only) {
    uint64_t width = jpeg->scan->width, height = jpeg->scan->height;
    uint64_t h = only ? only->h : 1, v = only ? only->v : 1;
    uint64_t across = 8u * jpeg->h_max, down = 8u * jpeg->v_max;
    return ((width * h + across - 1) / across) * ((height * v + down - 1) / down);
}

/* A scan's header against T.81 B.2.3, and against the tables there are. */
static minisim_status read_scan(struct jpeg *jpeg, const uint8_t *at, size_t size) {
    if (!jpeg->count)
        return broken(jpeg, "a scan stands before the frame");
    if (size < 1 || at[0] < 1 || at[0] > jpeg->count || size != 4 + 2 * (size_t)at[0])
        return broken(jpeg, "a scan's header has a wrong length");
    if (jpeg->scan->jpeg.scans == MS_JPEG_SCANS_MAX)
        return ms_fail(jpeg->file->error, MINISIM_BAD_PICTURE, "this JPEG has more than %d scans",
                       MS_JPEG_SCANS_MAX);
    const uint8_t *spectral = at + 1 + 2 * at[0];
    uint8_t first = spectral[0], last = spectral[1], high = spectral[2] >> 4;
    uint8_t low = spectral[2] & 15;
    if (jpeg->progressive && (first > last || last > 63 || (first == 0 && last != 0) ||
                              (first > 0 && at[0] != 1) || low > 13 || (high && high != low + 1)))
        return broken(jpeg, "a progressive scan has impossible parameters");
    bool needs_dc = !jpeg->progressive || (first == 0 && high == 0);
    bool needs_ac = !jpeg->progressive || first > 0;
    jpeg->bits = 0;
    for (size_t i = 0; i < at[0]; i++) {
        struct component *c = jpeg->components;
        while (c < jpeg->components + jpeg->count && c->id != at[1 + 2 * i])
            c++;
        uint8_t tables = at[2 + 2 * i];
        if (c == jpeg->components + jpeg->count || tables >> 4 > 3 || (tables & 15) > 3)
            return broken(jpeg, "a scan names a component or table that is none");
        if (!jpeg->quantisation[c->quantisation] || (needs_dc && !jpeg->huffman[0][tables >> 4]) ||
            (needs_ac && !jpeg->huffman[1][tables & 15]))
            return broken(jpeg, "a scan uses a table that was not defined");
        if (jpeg->progressive && !needs_dc && !c->seen)
            return broken(jpeg, "a progressive scan refines what no scan began");
        c->seen = true;
        jpeg->visits += mcus_in_scan(jpeg, c);
        uint64_t mcus = mcus_in_scan(jpeg, at[0] == 1 ? c : NULL);
        /* A block has a code of a bit at least for its DC value, and one, where all are in the
         * scan, for the others; scans of these alone may skip blocks by the thousand. */
        uint64_t blocks = mcus * (at[0] == 1 ? 1 : c->h * c->v);
        jpeg->bits += first > 0 ? 0 : jpeg->progressive ? blocks : 2 * blocks;
        jpeg->restarts = jpeg->restart_interval ? (mcus - 1) / jpeg->restart_interval : 0;
    }
    return MINISIM_OK;
}

static void read_app1(struct jpeg *jpeg, const uint8_t *at, size_t size) {
    if (jpeg->exif_seen || size < 6 || memcmp(at, "Exif\0", 6) != 0)
        return;
    jpeg->exif_seen = true;
    jpeg->scan->orientation = ms_exif_orientation(at + 6, size - 6);
}

/* One segment with a length. */
static minisim_status read_segment(struct jpeg *jpeg, uint8_t marker) {
    const uint8_t *at = jpeg->file->at + jpeg->at;
    size_t left = jpeg->file->size - jpeg->at;
    if (left < 2 || ms_big16(at) > left)
        return truncated(jpeg);
    size_t size = ms_big16(at);
    if (size < 2)
        return broken(jpeg, "a segment is shorter than its length");
    jpeg->at += size;
    at += 2;
    size -= 2;
    switch (marker) {
    case 0xc4:
        return read_dht(jpeg, at, size);
    case 0xdb:
        return read_dqt(jpeg, at, size);
    case 0xdd:
        if (size != 2)
            return broken(jpeg, "its restart interval has a wrong length");
        jpeg->restart_interval = ms_big16(at);
        return MINISIM_OK;
    case 0xc0:
    case 0xc1:
    case 0xc2:
        return read_frame(jpeg, marker, at, size);
    case 0xda:
        return read_scan(jpeg, at, size);
    case 0xe1:
        read_app1(jpeg, at, size);
        return MINISIM_OK;
    default:
        /* The other frames: lossless, hierarchical, arithmetic. */
        if (marker >= 0xc3 && marker <= 0xcf)
            return ms_fail(jpeg->file->error, MINISIM_BAD_PICTURE,
                           "this JPEG is lossless, hierarchical or arithmetic (SOF%d); minisim "
                           "reads baseline and progressive",
                           marker - 0xc0);
        return MINISIM_OK;
    }
}

/* Planes padded to whole blocks of MCUs, coefficients where progressive, rows, pixels, stb's own.
 * stb aligns planes by hand, and counts in int. */
static minisim_status count_memory(const struct jpeg *jpeg) {
    struct ms_scan *scan = jpeg->scan;
    uint64_t width = scan->width, height = scan->height, largest = 0, memory = 48 * 1024;
    uint64_t mcus_x = (width + 8u * jpeg->h_max - 1) / (8u * jpeg->h_max);
    uint64_t mcus_y = (height + 8u * jpeg->v_max - 1) / (8u * jpeg->v_max);
    for (size_t i = 0; i < jpeg->count; i++) {
        uint64_t plane = mcus_x * jpeg->components[i].h * 8 * mcus_y * jpeg->components[i].v * 8;
        uint64_t block = (jpeg->progressive ? 2 : 1) * plane;
        largest = block > largest ? block : largest;
        memory += plane * (jpeg->progressive ? 3 : 1) + width + 256;
    }
    uint64_t pixels = width * height * (jpeg->count == 1 ? 1 : 3);
    scan->pixels = jpeg->count == 1 ? MINISIM_GREY : MINISIM_RGB;
    scan->kept = ms_arena_cost(pixels + 16);
    scan->memory = memory + pixels;
    /* stb also multiplies the sides by the number of components. */
    largest = width * height * jpeg->count > largest ? width * height * jpeg->count : largest;
    return ms_check_block(jpeg->file, largest + 16);
}

/* Everything up to the end of the picture. */
static minisim_status read_markers(struct jpeg *jpeg) {
    for (;;) {
        uint8_t marker = next_marker(jpeg);
        if (marker == 0 && jpeg->at >= jpeg->file->size)
            return truncated(jpeg);
        if (marker == 0)
            return broken(jpeg, "no marker stands where one must");
        if (marker == 0xd9)
            return MINISIM_OK;
        if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8))
            return broken(jpeg, "a marker stands where none may");
        minisim_status status = read_segment(jpeg, marker);
        if (!status && marker == 0xda)
            status = skip_entropy(jpeg);
        if (status)
            return status;
    }
}

minisim_status ms_scan_jpeg(const struct ms_bytes *file, struct ms_scan *scan) {
    struct jpeg jpeg = {.file = file, .scan = scan, .at = 2};
    scan->format = MS_JPEG;
    minisim_status status = read_markers(&jpeg);
    if (status)
        return status;
    if (!scan->jpeg.scans)
        return broken(&jpeg, "it holds no picture");
    uint64_t blocks = 0;
    for (size_t i = 0; i < jpeg.count; i++) {
        if (!jpeg.components[i].seen)
            return broken(&jpeg, "a component has no scan");
        blocks += mcus_in_scan(&jpeg, &jpeg.components[i]);
    }
    if (jpeg.visits > visits_max && jpeg.visits / visits_each > blocks)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "the %zu scans of this JPEG go over its %llu blocks more than %d times",
                       scan->jpeg.scans, (unsigned long long)blocks, visits_each);
    return count_memory(&jpeg);
}

minisim_status ms_decode_jpeg(const struct ms_bytes *file, const struct ms_scan *scan,
                              struct ms_arena *arena, minisim_pixels *pixels) {
    bool cut = false;
    minisim_status status =
        ms_stb_jpeg(file->at, file->size, &scan->jpeg, arena, pixels, &cut, file->error);
    if (!status && cut)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "the JPEG is truncated: the data of a scan ends before the picture does");
    return status;
}
