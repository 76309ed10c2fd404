/* Copies of a picture as they happen to pictures, made in memory: those of tools/evaluate, which
 * have the same names there, and two more. */
#ifndef MS_PAIRS_COPIES_H
#define MS_PAIRS_COPIES_H

#include "base/arena.h"
#include "minisim.h"

enum ms_copy {
    MS_COPY_HALF, /* the first two, plain copies, are what a threshold is recommended for */
    MS_COPY_JPEG,
    MS_COPY_THIRD, /* often less than the network sees */
    MS_COPY_CROP_90,
    MS_COPY_CROP_75,
    MS_COPY_BRIGHT,
    MS_COPY_BORDER,
    MS_COPY_MIRRORED,
    MS_COPY_TURNED,
    MS_COPIES
};
enum { MS_PLAIN_COPIES = 2 };

/* "half size", ... */
extern const char *const ms_copy_names[MS_COPIES];

/* For programs: "half", ... */
extern const char *const ms_copy_keys[MS_COPIES];

/* Reads an original, as it is seen, into memory of `arena`: RGB, rows without gaps. `limits` and
 * failures are those of ms_read_picture. */
minisim_status ms_copy_read(const char *path, const minisim_context_options *limits,
                            struct ms_arena *arena, minisim_pixels *original, minisim_error *error);

/* Embeds a copy of such an original. The arena is as before
 * afterwards. BAD_PICTURE (beyond the limit, or too large for a JPEG), OUT_OF_MEMORY, and what
 * embedding says. */
minisim_status ms_copy_embed(enum ms_copy copy, const minisim_pixels *original,
                             struct ms_arena *arena, minisim_context *context, float *embedding,
                             minisim_error *error);

#endif
