#include "picture/decode.h"

#include "base/error.h"
#include "picture/formats.h"

static minisim_status decode(const struct ms_bytes *file, const struct ms_scan *scan,
                             struct ms_arena *arena, minisim_pixels *pixels) {
    switch (scan->format) {
    case MS_JPEG:
        return ms_decode_jpeg(file, scan, arena, pixels);
    case MS_PNG:
        return ms_decode_png(file, scan, arena, pixels);
    case MS_BMP:
        return ms_decode_bmp(file, scan, arena, pixels);
    case MS_PNM:
        return ms_decode_pnm(file, scan, arena, pixels);
    }
    return ms_fail(file->error, MINISIM_BAD_ARGUMENT, "this was not scanned");
}

minisim_status ms_decode_picture(const uint8_t *bytes, size_t size, const struct ms_scan *scan,
                                 struct ms_arena *arena, minisim_pixels *pixels,
                                 minisim_error *error) {
    struct ms_bytes file = {bytes, size, UINT64_MAX, error};
    size_t limit = arena->limit;
    minisim_status status = ms_arena_require(arena, scan->memory, "decoding this picture", error);
    if (status)
        return status;
    /* What the scan promised is all there is, whatever the data says. */
    arena->limit = arena->used + (size_t)scan->memory;
    arena->out_of_memory = false;
    *pixels = ms_scan_pixels(scan);
    status = decode(&file, scan, arena, pixels);
    arena->limit = limit;
    return status;
}
