/* From close pairs to groups: which belong together, which is to be kept, how far they are. */
#ifndef MS_CLI_GROUPING_H
#define MS_CLI_GROUPING_H

#include "catalogue/linkage.h"
#include "cli/groups.h"

/* What decides which of a group is kept; equals are decided by what follows in this list, and at
 * last the lowest id is. */
enum ms_keep {
    MS_KEEP_RESOLUTION, /* the most pixels */
    MS_KEEP_BYTES,      /* the largest file */
    MS_KEEP_OLDEST,
    MS_KEEP_NEWEST, /* alone, before FIRST */
    MS_KEEP_FIRST
};

struct ms_grouping {
    const struct ms_pass *pass; /* that found the pairs */
    enum ms_linkage linkage;    /* where there is one catalogue */
    enum ms_keep keep;
    const char *prefer; /* a folder whose pictures are kept before others; NULL: none */
};

/*
 * Fills in groups->groups. With a second catalogue, a group is a record of the first and all those
 * of the second that it is close to.
 */
minisim_status ms_make_groups(const struct ms_grouping *grouping, const struct ms_close_pair *pairs,
                              size_t count, struct ms_groups *groups, minisim_error *error);

#endif
