/*
 * A walk through a folder: its files in byte order of their paths, one at a time. Hidden entries
 * are skipped, and so are those whose name an --exclude matches; links are followed only when
 * asked. What is no file is counted, what cannot be read is said and noted.
 */
#ifndef MS_CLI_WALK_H
#define MS_CLI_WALK_H

#include "cli/left_out.h"

#include <stdbool.h>
#include <stddef.h>

struct ms_walk_options {
    bool follow;          /* links, too */
    const char **exclude; /* patterns for fnmatch */
    size_t exclude_count;
    struct ms_left_out *left_out;
};

struct ms_walk;

/* NULL: no memory, which was said and noted. `options` must outlive the walk. */
struct ms_walk *ms_walk_open(const char *folder, const struct ms_walk_options *options);

/* The path of the next file, to be freed; NULL after the last one. */
char *ms_walk_next(struct ms_walk *walk);

void ms_walk_close(struct ms_walk *walk);

#endif
