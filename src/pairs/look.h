/*
 * A second look at two pictures, at their pixels: what is one of the other? Embeddings say which
 * pictures are close; this tells copies from what is merely alike.
 *
 * A picture is read once into a view, half a megabyte at most, which is then held against any
 * number of others; nothing is kept of its pixels. Both steps are deterministic. Views may be made
 * and compared by several threads at a time.
 */
#ifndef MS_PAIRS_LOOK_H
#define MS_PAIRS_LOOK_H

#include "minisim.h"

/* From what is surely one picture to what is not. */
enum ms_look {
    MS_SAME_FILE,   /* the same bytes */
    MS_SAME_PIXELS, /* the same size and pixels, seen over one background */
    MS_RE_ENCODED,  /* or resized, brightened, made grey */
    MS_CROPPED,     /* one shows a part of the other, or has a border around it */
    MS_MIRRORED,    /* also when turned then */
    MS_ROTATED,     /* by a quarter, a half or three quarters */
    MS_SIMILAR,     /* none of these can be seen: merely similar */
    MS_LOOKS
};

/* For programs: "same-file", "same-pixels", "re-encoded", "cropped", "mirrored", "rotated",
 * "similar", then NULL. */
extern const char *const ms_look_names[MS_LOOKS + 1];

/* For people: "identical file", ... */
extern const char *const ms_look_words[MS_LOOKS];

/* Is one a copy of the other: anything but merely similar? */
static inline int ms_look_is_same(enum ms_look look) {
    return look != MS_SIMILAR;
}

struct ms_view;

/*
 * Reads a picture. Of `limits` (NULL: defaults), which is what contexts are opened with, count
 * max_pixels, max_file_size, max_memory, ignore_orientation and the background. On success *view is
 * the caller's, to be closed; `path` must live as long. BAD_FILE, NO_PICTURE, BAD_PICTURE,
 * OUT_OF_MEMORY; *view is NULL then.
 */
minisim_status ms_view_open(const char *path, const minisim_context_options *limits,
                            struct ms_view **view, minisim_error *error);
void ms_view_close(struct ms_view *view);

/* What one is of the other, the same in either order. Files that may be identical are read again:
 * so this can fail as opening does, and *failed is the path that *error is about. */
minisim_status ms_view_compare(const struct ms_view *a, const struct ms_view *b, enum ms_look *look,
                               const char **failed, minisim_error *error);

/* All of it for one pair of files. *failed (may be NULL) becomes the one of the two paths that
 * *error is about. */
minisim_status ms_look(const char *a, const char *b, const minisim_context_options *limits,
                       enum ms_look *look, const char **failed, minisim_error *error);

#endif
