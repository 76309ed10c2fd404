/* An open catalogue, shared by the files of this room. */
#ifndef MS_CATALOGUE_STATE_H
#define MS_CATALOGUE_STATE_H

#include "catalogue/format.h"

/* Bytes that grow. */
struct ms_bytes {
    uint8_t *bytes;
    size_t size, capacity;
};

struct ms_catalogue {
    int descriptor;
    struct ms_header header;
    struct ms_commit commit; /* what is committed */
    bool slot_damaged[2];
    uint8_t *map;          /* the file up to commit.end; NULL: it is read */
    struct ms_part *parts; /* [commit.segments], by their ids */
    size_t part_capacity;
    minisim_error damage; /* why it was opened as a damaged one; "": it was not */
    uint64_t lost;        /* ids behind the last that is listed of a damaged one */
    uint8_t *removed;     /* a bit for each id, in ids' order */
    size_t removed_size;  /* bytes */
    const struct ms_kernels *kernels;
    /* A writer's alone: the next segment, in memory. */
    bool writer;
    struct ms_bytes columns[MS_COLUMNS];
    uint32_t waiting, waiting_removed; /* records and removed ids in it */
    size_t since_table;                /* segments since the last with a TABLE */
    bool failed;
    struct ms_stored row; /* room for one vector */
};

/* One without a file yet. NULL: no memory. */
struct ms_catalogue *ms_catalogue_allocate(void);

/* A new catalogue beside `path`, to be published there or unlinked; *beside is to be freed. */
minisim_status ms_catalogue_create_beside(const char *path, const struct ms_origin *origin,
                                          struct ms_catalogue **catalogue, char **beside,
                                          minisim_error *error);

/* Reads what stands before and beside the records, of the open file; even_damaged: as far as that
 * goes (ms_catalogue_open_damaged). */
minisim_status ms_catalogue_load(struct ms_catalogue *catalogue, bool even_damaged,
                                 minisim_error *error);

/* What messages about a damaged catalogue end with: that of `verify`, and others. */
#define MS_MERGE_ADVICE "`minisim merge` takes the rest over into a new one"
#define MS_SALVAGE_ADVICE "`minisim verify` names the records that are hurt, and " MS_MERGE_ADVICE

/* Adds a segment to the list. false: no memory. */
bool ms_add_part(struct ms_catalogue *catalogue, const struct ms_part *part);

/* Notes that a record is gone; false: no memory. */
bool ms_mark_removed(struct ms_catalogue *catalogue, uint64_t id);

/* Whether a NOTES column is as FORMAT.md says. */
bool ms_are_notes(const uint8_t *bytes, size_t size);

/* The header of a segment that is listed. */
minisim_status ms_read_segment(const struct ms_catalogue *catalogue, const struct ms_part *part,
                               struct ms_segment *segment, minisim_error *error);

/* A whole column that is small, checked against its checksums; *bytes is to be freed. */
minisim_status ms_read_column(const struct ms_catalogue *catalogue,
                              const struct ms_segment *segment, size_t column, uint8_t **bytes,
                              minisim_error *error);

/* Whether the segment's checksums and columns are as they were written; `say` (may be NULL) hears
 * of each damaged place. */
minisim_status ms_check_segment(const struct ms_catalogue *catalogue,
                                const struct ms_segment *segment, ms_say_damage *say, void *user,
                                bool *whole, minisim_error *error);

#endif
