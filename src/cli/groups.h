/*
 * Groups of duplicates, as minisim duplicates found them: a plain structure that is made once, and
 * then handed to a writer, which only reads it.
 */
#ifndef MS_CLI_GROUPS_H
#define MS_CLI_GROUPS_H

#include "catalogue/catalogue.h"

/* A picture, or a row of another model (record.flags). */
struct ms_group_member {
    uint64_t id;
    bool against; /* it is one of the second catalogue */
    bool kept;    /* the one to keep; with a second catalogue: all of that */
    char *path;
    struct ms_record record;
    double distance; /* to the group's first kept one, which has 0; a product where that is asked */
};

struct ms_group {
    struct ms_group_member *members; /* [count]: kept ones first, then by distance, then by id */
    size_t count;
    double largest; /* of the distances between any two; of products, the smallest. With a second
                       catalogue: between the two sets */
};

struct ms_groups {
    const char *catalogue, *against; /* paths; NULL: no second one; pictures: the cache's */
    const char *metric;              /* name */
    bool dot;                        /* values are products, and larger is closer */
    double limit;
    const char *limit_from;  /* who said so: "option", "catalogue" or "weights" */
    const char *linkage;     /* name; NULL where a second catalogue is searched */
    uint64_t compared;       /* records that were compared with each other */
    struct ms_group *groups; /* [count], by the id of their first member */
    size_t count;
};

void ms_free_groups(struct ms_groups *groups);

/* The writers: standard output, as the program's help says. */
void ms_write_groups_text(const struct ms_groups *groups);
void ms_write_groups_json(const struct ms_groups *groups);
/* The paths of members that are not kept, one a line or ended by NUL. */
void ms_write_removable(const struct ms_groups *groups, bool null_ended);

#endif
