/* From a picture's file to a smaller picture, for what shows or compares pixels and runs no
 * network. */
#ifndef MS_PICTURE_READ_H
#define MS_PICTURE_READ_H

#include "base/arena.h"
#include "minisim.h"

struct ms_picture {
    uint8_t *bytes; /* of the file */
    uint64_t size;
    minisim_pixels pixels;
};

/*
 * Reads and decodes a file into memory of `arena`, where all of *picture stays. Of `limits`, which
 * is what contexts are opened with, count max_pixels, max_file_size and ignore_orientation; the
 * memory's limit is the arena's. BAD_FILE, NO_PICTURE, BAD_PICTURE, OUT_OF_MEMORY.
 */
minisim_status ms_read_picture(const char *path, const minisim_context_options *limits,
                               struct ms_arena *arena, struct ms_picture *picture,
                               minisim_error *error);

/* The picture as it is seen, alpha over `background` (0xRRGGBB), as *rgb [height][width][3] in
 * memory of `arena`. BAD_PICTURE, OUT_OF_MEMORY. */
minisim_status ms_shrink_picture(const minisim_pixels *pixels, uint32_t background, uint32_t width,
                                 uint32_t height, struct ms_arena *arena, uint8_t **rgb,
                                 minisim_error *error);

#endif
