/* Records found by what they are: see known.h. */
#include "catalogue/known.h"

#include "base/bytes.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Kinds of keys, apart from each other by this. */
enum kind { PATH, CONTENT, FILE_ITSELF };

/* What a record is looked for by: of one kind. */
struct wanted {
    enum kind kind;
    const char *path;
    const uint8_t *content;
    uint64_t device, inode;
};

#define MIX                                                                                        \
    UINT64_C(0x9E3779B97F4A7C15) /* 2^64 divided by the golden ratio: spreads what is near */

static uint64_t content_key(const uint8_t content[32]) {
    return ms_load_u64(content) + CONTENT;
}

static uint64_t file_key(uint64_t device, uint64_t inode) {
    return (device * MIX + inode) * MIX + FILE_ITSELF;
}

static size_t place_of(const struct ms_known *known, uint64_t key) {
    return (size_t)(key * MIX >> 32) & (known->capacity - 1);
}

static void put(struct ms_known *known, uint64_t key, uint64_t id_plus_1) {
    size_t at = place_of(known, key);
    while (known->entries[at].id_plus_1)
        at = (at + 1) & (known->capacity - 1);
    known->entries[at] = (struct ms_known_entry){key, id_plus_1};
    known->count++;
}

/* Of many records with one content, one that is not removed will do. */
static void put_content(struct ms_known *known, uint64_t key, uint64_t id_plus_1) {
    size_t at = place_of(known, key);
    while (known->entries[at].id_plus_1 && known->entries[at].key != key)
        at = (at + 1) & (known->capacity - 1);
    struct ms_known_entry *entry = &known->entries[at];
    if (!entry->id_plus_1)
        put(known, key, id_plus_1);
    else if (ms_catalogue_is_removed(known->catalogue, entry->id_plus_1 - 1))
        entry->id_plus_1 = id_plus_1;
}

/* Room for three more keys, a third of the table staying free. */
static bool grow(struct ms_known *known) {
    if (known->count + 3 <= known->capacity / 3 * 2)
        return true;
    size_t capacity = known->capacity ? 2 * known->capacity : 1024;
    struct ms_known grown = {.catalogue = known->catalogue, .capacity = capacity};
    if (capacity > UINT32_MAX / 2 || !(grown.entries = calloc(capacity, sizeof *grown.entries)))
        return false;
    for (size_t i = 0; i < known->capacity; i++)
        if (known->entries[i].id_plus_1)
            put(&grown, known->entries[i].key, known->entries[i].id_plus_1);
    free(known->entries);
    *known = grown;
    return true;
}

static minisim_status add(struct ms_known *known, uint64_t id, const struct ms_record *record,
                          minisim_error *error) {
    if (!grow(known))
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    put(known, record->path_key, id + 1);
    put_content(known, content_key(record->content), id + 1);
    if (!(record->flags & MS_RECORD_NO_FILE))
        put(known, file_key(record->device, record->inode), id + 1);
    return MINISIM_OK;
}

minisim_status ms_known_open(struct ms_known *known, const struct ms_catalogue *catalogue,
                             minisim_error *error) {
    enum { AT_ONCE = 64 };
    struct ms_record records[AT_ONCE];
    minisim_status status = MINISIM_OK;
    *known = (struct ms_known){.catalogue = catalogue};
    for (uint64_t id = 0, ids = ms_catalogue_ids(catalogue); !status && id < ids;) {
        size_t count;
        status = ms_catalogue_records(catalogue, id, AT_ONCE, records, &count, error);
        for (size_t i = 0; !status && i < count; i++, id++)
            if (!ms_catalogue_is_removed(catalogue, id))
                status = add(known, id, &records[i], error);
    }
    if (status)
        ms_known_close(known);
    return status;
}

void ms_known_close(struct ms_known *known) {
    free(known->entries);
    *known = (struct ms_known){.count = 0};
}

minisim_status ms_known_add(struct ms_known *known, uint64_t id, minisim_error *error) {
    struct ms_record record;
    size_t count;
    minisim_status status = ms_catalogue_records(known->catalogue, id, 1, &record, &count, error);
    return status ? status : add(known, id, &record, error);
}

static minisim_status is_it(const struct ms_known *known, const struct wanted *wanted, uint64_t id,
                            const struct ms_record *record, bool *found, minisim_error *error) {
    char path[MS_PATH_MOST + 1];
    *found = wanted->kind == CONTENT ? memcmp(record->content, wanted->content, 32) == 0
             : wanted->kind == FILE_ITSELF
                 ? record->device == wanted->device && record->inode == wanted->inode &&
                       !(record->flags & MS_RECORD_NO_FILE)
                 : record->path_size == strlen(wanted->path);
    if (!*found || wanted->kind != PATH)
        return MINISIM_OK;
    minisim_status status = ms_catalogue_text(known->catalogue, id, record, path, NULL, error);
    *found = !status && strcmp(path, wanted->path) == 0;
    return status;
}

static minisim_status find(const struct ms_known *known, uint64_t key, const struct wanted *wanted,
                           bool *found, uint64_t *id, struct ms_record *record,
                           minisim_error *error) {
    minisim_status status = MINISIM_OK;
    *found = false;
    if (known->capacity == 0)
        return status;
    for (size_t at = place_of(known, key); known->entries[at].id_plus_1 && !*found && !status;
         at = (at + 1) & (known->capacity - 1)) {
        size_t count;
        *id = known->entries[at].id_plus_1 - 1;
        if (known->entries[at].key != key || ms_catalogue_is_removed(known->catalogue, *id))
            continue;
        status = ms_catalogue_records(known->catalogue, *id, 1, record, &count, error);
        if (!status)
            status = is_it(known, wanted, *id, record, found, error);
    }
    return status;
}

minisim_status ms_known_path(const struct ms_known *known, const char *path, bool *found,
                             uint64_t *id, struct ms_record *record, minisim_error *error) {
    return find(known, ms_path_key(path), &(struct wanted){.kind = PATH, .path = path}, found, id,
                record, error);
}

minisim_status ms_known_content(const struct ms_known *known, const uint8_t content[32],
                                bool *found, uint64_t *id, struct ms_record *record,
                                minisim_error *error) {
    return find(known, content_key(content), &(struct wanted){.kind = CONTENT, .content = content},
                found, id, record, error);
}

minisim_status ms_known_file(const struct ms_known *known, uint64_t device, uint64_t inode,
                             bool *found, uint64_t *id, struct ms_record *record,
                             minisim_error *error) {
    return find(known, file_key(device, inode),
                &(struct wanted){.kind = FILE_ITSELF, .device = device, .inode = inode}, found, id,
                record, error);
}
