/* Scans a BMP: header, masks, and that the rows it promises are there. */
#include "picture/formats.h"

#include "base/bytes.h"
#include "base/error.h"

static minisim_status broken(const struct ms_bytes *file, const char *why) {
    return ms_fail(file->error, MINISIM_BAD_PICTURE, "the BMP is broken: %s", why);
}

/* Bits a pixel and compression; `header` is the information header's size. */
static minisim_status check_kind(const struct ms_bytes *file, uint32_t header, uint32_t bits,
                                 uint32_t compression) {
    if (compression == 1 || compression == 2)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "this BMP is run-length encoded, which minisim does not read");
    if (compression != 0 && compression != 3)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "this BMP has compression %u, which minisim does not read",
                       (unsigned)compression);
    bool known = bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32;
    if (!known || (compression == 3 && bits != 16 && bits != 32) ||
        (header == 12 && (bits == 16 || bits == 32)))
        return broken(file, "no such number of bits a pixel");
    return MINISIM_OK;
}

minisim_status ms_scan_bmp(const struct ms_bytes *file, struct ms_scan *scan) {
    const uint8_t *at = file->at;
    scan->format = MS_BMP;
    uint32_t header = file->size < 26 ? 0 : ms_load_u32(at + 14);
    if (header != 12 && header != 40 && header != 56 && header != 108 && header != 124)
        return broken(file, "its header is cut, or of an unknown kind");
    if (file->size < 14 + (size_t)header)
        return broken(file, "its header is cut");
    uint32_t bits, compression = 0;
    if (header == 12) {
        scan->width = at[18] | (uint32_t)at[19] << 8;
        scan->height = at[20] | (uint32_t)at[21] << 8;
        bits = at[24] | (uint32_t)at[25] << 8;
    } else {
        scan->width = ms_load_u32(at + 18);
        scan->height = ms_load_u32(at + 22);
        bits = at[28] | (uint32_t)at[29] << 8;
        compression = ms_load_u32(at + 30);
        if (scan->height > INT32_MAX) /* negative: rows from the top */
            scan->height = 0 - scan->height;
    }
    minisim_status status = check_kind(file, header, bits, compression);
    if (!status)
        status = ms_check_size(file, scan->width, scan->height);
    if (status)
        return status;
    uint64_t row = ((uint64_t)scan->width * bits + 31) / 32 * 4;
    uint64_t offset = ms_load_u32(at + 10), rows = row * scan->height;
    if (offset < 14 + (uint64_t)header || offset > file->size || rows > file->size - offset)
        return ms_fail(file->error, MINISIM_BAD_PICTURE,
                       "the BMP is truncated: its rows need %llu bytes from %llu on, the file has "
                       "%zu",
                       (unsigned long long)rows, (unsigned long long)offset, file->size);
    scan->memory = (uint64_t)scan->width * scan->height * 4 + 4096;
    return MINISIM_OK;
}
