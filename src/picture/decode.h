/* From the bytes of a scanned picture to its pixels. */
#ifndef MS_PICTURE_DECODE_H
#define MS_PICTURE_DECODE_H

#include "base/arena.h"
#include "picture/scan.h"

/*
 * Decodes into memory of `arena`, where the pixels stay (GREY, GREY_ALPHA, RGB or RGBA, 8 bit; 16
 * bit becomes 8 by (v*255+32767)/65535), with scan's orientation and no region. BAD_PICTURE,
 * OUT_OF_MEMORY. Thread-safe for arenas of their own.
 */
minisim_status ms_decode_picture(const uint8_t *bytes, size_t size, const struct ms_scan *scan,
                                 struct ms_arena *arena, minisim_pixels *pixels,
                                 minisim_error *error);

#endif
