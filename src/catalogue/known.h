/*
 * Which records a catalogue has: found by path, by content or by file (device and inode). Made
 * once, in memory, for whoever updates a catalogue: about 100 bytes a record.
 */
#ifndef MS_CATALOGUE_KNOWN_H
#define MS_CATALOGUE_KNOWN_H

#include "catalogue/catalogue.h"

/* Keys of all three kinds in one table, open addressing; what a key stands for, its record says. */
struct ms_known {
    const struct ms_catalogue *catalogue;
    struct ms_known_entry {
        uint64_t key, id_plus_1; /* 0: free */
    } * entries;
    size_t capacity, count;
};

/* Of all records that are not removed. */
minisim_status ms_known_open(struct ms_known *known, const struct ms_catalogue *catalogue,
                             minisim_error *error);
void ms_known_close(struct ms_known *known);

/* One more record that was added. */
minisim_status ms_known_add(struct ms_known *known, uint64_t id, minisim_error *error);

/* Looks for a record that is not removed: *found says whether there is one. */
minisim_status ms_known_path(const struct ms_known *known, const char *path, bool *found,
                             uint64_t *id, struct ms_record *record, minisim_error *error);
minisim_status ms_known_content(const struct ms_known *known, const uint8_t content[32],
                                bool *found, uint64_t *id, struct ms_record *record,
                                minisim_error *error);
minisim_status ms_known_file(const struct ms_known *known, uint64_t device, uint64_t inode,
                             bool *found, uint64_t *id, struct ms_record *record,
                             minisim_error *error);

#endif
