/*
 * Groups of duplicates, as minisim duplicates found them: a plain structure that is made once, and
 * then handed to a writer, which only reads it.
 */
#ifndef MS_CLI_GROUPS_H
#define MS_CLI_GROUPS_H

#include "catalogue/catalogue.h"
#include "pairs/look.h"
#include "report/html.h"

/* A picture, or a row of another model (record.flags). */
struct ms_group_member {
    uint64_t id;
    bool against; /* of the second catalogue */
    bool kept;    /* the one to keep; with a second catalogue: all of that */
    char *path;
    struct ms_record record;
    enum ms_look
        look; /* what members[0] and this one are; MS_LOOKS: not looked at, as itself is not */
    double distance; /* to members[0], itself included; where products are asked for, the product */
};

struct ms_group {
    /* [count]: the one to keep or, with a second catalogue, the one of the first; then the others
     * by distance, then by id */
    struct ms_group_member *members;
    size_t count;
    double largest; /* distance of any two, as they were found; of products, the smallest. With a
                       second catalogue: of members[0] and any other */
    const char *kept_for; /* why members[0] is kept, in words; NULL with a second catalogue */
};

struct ms_groups {
    const char *catalogue, *against; /* paths; against NULL: no second one */
    const char *metric;              /* name */
    bool dot;                        /* values are products, and larger is closer */
    double limit;
    const char *limit_from;  /* who said so: "option", "catalogue" or "weights" */
    const char *linkage;     /* name; NULL with a second catalogue */
    uint64_t records;        /* that were compared, of the first catalogue */
    struct ms_group *groups; /* [count], by their lowest ids */
    size_t count;
};

void ms_free_groups(struct ms_groups *groups);

/* Writers onto standard output. */
void ms_write_groups_text(const struct ms_groups *groups);
void ms_write_groups_json(const struct ms_groups *groups);

/* A page with all of it. An interrupt ends it early. */
void ms_show_groups(const struct ms_groups *groups, struct ms_page *page);

/* The paths of members that need not be kept, one a line or ended by NUL. A file that changed since
 * it was indexed, or whose kept one did, is not among them: this is said and noted. */
void ms_write_removable(const struct ms_groups *groups, bool null_ended);

#endif
