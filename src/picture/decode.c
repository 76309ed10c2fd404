#include "picture/decode.h"

#include "base/error.h"
#include "picture/formats.h"
#include "picture/stb.h"

minisim_status ms_decode_picture(const uint8_t *bytes, size_t size, const struct ms_scan *scan,
                                 struct ms_arena *arena, minisim_pixels *pixels,
                                 minisim_error *error) {
    struct ms_bytes file = {bytes, size, UINT64_MAX, error};
    size_t limit = arena->limit;
    minisim_status status;
    /* What the scan promised is all there is, whatever the data says. */
    if (scan->memory < arena->limit - arena->used)
        arena->limit = arena->used + (size_t)scan->memory;
    if (scan->format == MS_PNM)
        status = ms_decode_pnm(&file, arena, pixels);
    else
        status = ms_stb_decode(bytes, size, scan->wide, arena, pixels, error);
    arena->limit = limit;
    if (!status && (pixels->width != scan->width || pixels->height != scan->height))
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "the picture is broken: it is %u x %u, but was to be %u x %u",
                       (unsigned)pixels->width, (unsigned)pixels->height, (unsigned)scan->width,
                       (unsigned)scan->height);
    if (!status)
        pixels->orientation = scan->orientation;
    return status;
}
