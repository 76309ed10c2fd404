/*
 * What a walk met that is no picture: counted by kind, summed up in one line at the end, which
 * names a few of those that look like pictures by their names.
 */
#ifndef MS_CLI_LEFT_OUT_H
#define MS_CLI_LEFT_OUT_H

#include <stddef.h>
#include <stdint.h>

struct ms_left_out {
    struct ms_left_out_kind {
        const char *name;
        uint64_t count;
        char *looks_like_one[3]; /* files */
    } kinds[64]; /* more than there are; should they not do, the last one takes the rest */
    size_t used;
};

/* One more of a kind, which must be a constant string. */
void ms_left_out_count(struct ms_left_out *left_out, const char *kind, const char *path);

/* One more of the kind that the file's first bytes tell. */
void ms_left_out_file(struct ms_left_out *left_out, const char *path);

/* "minisim: left out: 12,431 HEIC, 3 text (Pics/page.jpg)", the most frequent kind first; nothing
 * where none. */
void ms_left_out_report(struct ms_left_out *left_out);

void ms_left_out_free(struct ms_left_out *left_out);

#endif
