/*
 * Writing a catalogue: creating it, collecting the next segment in memory, committing it. A commit
 * is the segment, made to last, and then the older slot, made to last: so what was committed is
 * never touched, and what is half-written is never seen.
 */
#include "catalogue/file.h"
#include "catalogue/state.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A segment is committed when it has so many records, or so many bytes of vectors; the list of
 * segments is written once in so many. */
enum { MOST_RECORDS = 1024, MOST_BYTES = 16 << 20, TABLE_EVERY = 64 };

/* A file that has had more commits gets none: so far below the last generation that may be read
 * that no writer reaches it. */
#define GENERATION_MOST (INT64_MAX / 2)

static minisim_status out_of_memory(minisim_error *error) {
    return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
}

/* ---- opening ---- */

static minisim_status write_commit(const struct ms_catalogue *c, const struct ms_commit *commit,
                                   minisim_error *error) {
    uint8_t page[MS_PAGE];
    ms_encode_commit(commit, c->header.uuid, page);
    return ms_file_write_at(c->descriptor, MS_PAGE * (1 + commit->generation % 2), page,
                            sizeof page, error);
}

/* Header and first commit of a new file. */
static minisim_status write_start(struct ms_catalogue *c, minisim_error *error) {
    uint8_t page[MS_PAGE];
    if (getrandom(c->header.uuid, sizeof c->header.uuid, 0) != sizeof c->header.uuid)
        return ms_fail(error, MINISIM_REFUSED, "the system gives no random numbers");
    c->commit = (struct ms_commit){.end = MS_SEGMENTS_BEGIN};
    ms_encode_header(&c->header, page);
    minisim_status status = ms_file_write_at(c->descriptor, 0, page, sizeof page, error);
    if (!status)
        status = write_commit(c, &c->commit, error);
    memset(page, 0, sizeof page);
    return status ? status : ms_file_write_at(c->descriptor, MS_PAGE * 2, page, sizeof page, error);
}

static bool open_row(struct ms_catalogue *c) {
    c->writer = true;
    return ms_stored_open(&c->row, c->header.origin.type, c->header.origin.dimension, 1);
}

minisim_status ms_catalogue_create_beside(const char *path, const struct ms_origin *origin,
                                          struct ms_catalogue **catalogue, char **beside,
                                          minisim_error *error) {
    struct ms_catalogue *c = ms_catalogue_allocate();
    *catalogue = NULL;
    if (!c)
        return out_of_memory(error);
    c->header.origin = *origin;
    c->header.origin.any_type = false;
    if (!open_row(c)) {
        ms_catalogue_close(c);
        return out_of_memory(error);
    }
    minisim_status status = ms_file_create_beside(path, &c->descriptor, beside, error);
    if (!status && (status = write_start(c, error))) {
        unlink(*beside);
        free(*beside);
    }
    if (status)
        ms_catalogue_close(c);
    else
        *catalogue = c;
    return status;
}

static minisim_status create(const char *path, const struct ms_origin *origin,
                             struct ms_catalogue **catalogue, minisim_error *error) {
    char *beside;
    minisim_status status = ms_catalogue_create_beside(path, origin, catalogue, &beside, error);
    if (status)
        return status;
    status = ms_file_publish((*catalogue)->descriptor, beside, path, false, error);
    if (status) {
        unlink(beside);
        ms_catalogue_close(*catalogue);
        *catalogue = NULL;
    }
    free(beside);
    return status;
}

/* Whether something can be added. Behind a file that is cut short it could, but the hole would
 * become zeros, which say nothing of what is lost. */
static minisim_status check_writable(const struct ms_catalogue *c, minisim_error *error) {
    uint64_t size;
    if (c->header.read_only)
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "a newer minisim wrote this catalogue: this one can only read it");
    minisim_status status = ms_file_size(c->descriptor, &size, error);
    if (status)
        return status;
    if (size < c->commit.end)
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "the catalogue is cut short: it ends before byte %llu, so nothing can be "
                       "added; " MS_SALVAGE_ADVICE,
                       (unsigned long long)c->commit.end);
    if (c->commit.generation > GENERATION_MOST)
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "the catalogue is damaged: there cannot have been %llu commits",
                       (unsigned long long)c->commit.generation);
    return MINISIM_OK;
}

/* A damaged slot gets the next generation, without a segment, so that there are two again. */
static minisim_status mend_slots(struct ms_catalogue *c, minisim_error *error) {
    if (!c->slot_damaged[0] && !c->slot_damaged[1])
        return MINISIM_OK;
    struct ms_commit next = c->commit;
    do
        next.generation++;
    while (!c->slot_damaged[next.generation % 2]);
    minisim_status status = write_commit(c, &next, error);
    if (!status)
        status = ms_file_sync(c->descriptor, error);
    if (status)
        return status;
    c->commit = next;
    c->slot_damaged[0] = c->slot_damaged[1] = false;
    return MINISIM_OK;
}

minisim_status ms_catalogue_open_writer(const char *path, const struct ms_origin *origin,
                                        struct ms_catalogue **catalogue, minisim_error *error) {
    int descriptor;
    bool missing;
    minisim_error cause; /* one that is mended is nobody's error */
    *catalogue = NULL;
    minisim_status status = ms_file_open_writer(path, &descriptor, &missing, &cause);
    if (status && missing && origin)
        return create(path, origin, catalogue, error);
    if (status)
        return ms_fail(error, status, "%s", cause.text);
    ms_file_clear_beside(path);
    struct ms_catalogue *c = ms_catalogue_allocate();
    if (!c) {
        close(descriptor);
        return out_of_memory(error);
    }
    c->failed = true; /* until it is known to be whole, its tail is left alone */
    c->descriptor = descriptor;
    status = ms_catalogue_load(c, false, error);
    if (!status)
        status = check_writable(c, error);
    if (!status && origin)
        status = ms_check_reading(&c->header.origin, origin, error);
    if (!status && !open_row(c))
        status = out_of_memory(error);
    if (!status)
        status = mend_slots(c, error);
    if (status) {
        ms_catalogue_close(c);
        return status;
    }
    c->failed = false;
    *catalogue = c;
    return MINISIM_OK;
}

void ms_catalogue_close(struct ms_catalogue *c) {
    if (!c)
        return;
    /* What is behind the committed end is an unfinished write: it need not stay, but may. */
    if (c->writer && !c->failed && c->descriptor >= 0)
        (void)!ftruncate(c->descriptor, (off_t)c->commit.end);
    if (c->map)
        munmap(c->map, (size_t)c->commit.end);
    if (c->descriptor >= 0)
        close(c->descriptor);
    for (size_t i = 0; i < MS_COLUMNS; i++)
        free(c->columns[i].bytes);
    ms_stored_close(&c->row);
    free(c->parts);
    free(c->removed);
    free(c);
}

/* ---- collecting ---- */

/* More bytes at the end of a column that waits, not set; NULL: no memory. */
static uint8_t *extend(struct ms_bytes *column, size_t size) {
    if (size > column->capacity - column->size) {
        size_t capacity = column->capacity ? column->capacity : 4096;
        while (capacity - column->size < size)
            capacity *= 2;
        uint8_t *grown = realloc(column->bytes, capacity);
        if (!grown)
            return NULL;
        column->bytes = grown;
        column->capacity = capacity;
    }
    column->size += size;
    return column->bytes + column->size - size;
}

/* A record's parts in all its columns, or in none. */
static bool collect(struct ms_catalogue *c, const struct ms_record *record, const char *path,
                    const char *label, const struct ms_stored *row) {
    size_t before[MS_COLUMNS];
    for (size_t i = 0; i < MS_COLUMNS; i++)
        before[i] = c->columns[i].size;
    uint8_t *text = extend(&c->columns[MS_TEXT], record->path_size + record->label_size);
    uint8_t *fixed = text ? extend(&c->columns[MS_RECORDS], MS_RECORD_SIZE) : NULL;
    uint8_t *vector = fixed ? extend(&c->columns[MS_VECTORS], row->stride) : NULL;
    uint8_t *norm = vector ? extend(&c->columns[MS_NORMS], 4) : NULL;
    uint8_t *scale = norm && row->type == MS_I8 ? extend(&c->columns[MS_SCALES], 4) : norm;
    if (!scale) {
        for (size_t i = 0; i < MS_COLUMNS; i++)
            c->columns[i].size = before[i];
        return false;
    }
    memcpy(text, path, record->path_size);
    memcpy(text + record->path_size, label, record->label_size);
    ms_encode_record(record, fixed);
    memcpy(vector, row->values, row->stride);
    ms_stored_swap(row->type, vector, 1, row->stride);
    if (row->type == MS_I8)
        ms_store_f32(scale, row->scales[0]);
    ms_store_u32(norm, row->norms[0]);
    return true;
}

minisim_status ms_catalogue_add_stored(struct ms_catalogue *c, const struct ms_record *record,
                                       const char *path, const char *label,
                                       const struct ms_stored *row, minisim_error *error) {
    struct ms_record own = *record;
    size_t path_size = strlen(path), label_size = label ? strlen(label) : 0;
    if (path_size < 1 || path_size > MS_PATH_MOST || label_size > MS_PATH_MOST)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "the name is empty or longer than %d bytes",
                       MS_PATH_MOST);
    own.text = c->columns[MS_TEXT].size;
    own.path_size = (uint32_t)path_size;
    own.label_size = (uint32_t)label_size;
    own.path_key = ms_path_key(path);
    if (!collect(c, &own, path, label ? label : "", row))
        return out_of_memory(error);
    c->waiting++;
    return c->waiting == MOST_RECORDS || c->columns[MS_VECTORS].size >= MOST_BYTES
               ? ms_catalogue_commit(c, error)
               : MINISIM_OK;
}

minisim_status ms_catalogue_add(struct ms_catalogue *c, const struct ms_record *record,
                                const char *path, const char *label, const float *vector,
                                minisim_error *error) {
    if (!ms_stored_put(c->kernels, &c->row, 0, vector))
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "it has a value beyond 65504, which f16 cannot hold: use --type f32");
    return ms_catalogue_add_stored(c, record, path, label, &c->row, error);
}

minisim_status ms_catalogue_remove(struct ms_catalogue *c, uint64_t id, minisim_error *error) {
    if (id >= ms_catalogue_ids(c))
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "there is no record of id %llu",
                       (unsigned long long)id);
    if (ms_catalogue_is_removed(c, id))
        return MINISIM_OK;
    uint8_t *bytes = extend(&c->columns[MS_REMOVED], 8);
    if (!bytes || !ms_mark_removed(c, id))
        return out_of_memory(error);
    ms_store_u64(bytes, id);
    c->waiting_removed++;
    return c->waiting_removed == MS_SEGMENT_MOST ? ms_catalogue_commit(c, error) : MINISIM_OK;
}

size_t ms_catalogue_waiting(const struct ms_catalogue *c) {
    return (size_t)c->waiting + c->waiting_removed + (c->columns[MS_NOTES].size > 0);
}

/* ---- committing ---- */

/* The list of all segments so far, as the column that says them. */
static bool collect_table(struct ms_catalogue *c) {
    for (size_t i = 0; i < c->commit.segments; i++) {
        uint8_t *bytes = extend(&c->columns[MS_TABLE], MS_TABLE_ENTRY);
        if (!bytes)
            return false;
        ms_encode_part(&c->parts[i], bytes);
    }
    return true;
}

/* Fills each column up, and gives its size. */
static bool fill_up(struct ms_catalogue *c, struct ms_segment *segment) {
    for (size_t i = 0; i < MS_COLUMNS; i++) {
        struct ms_bytes *column = &c->columns[i];
        size_t filler = (size_t)(ms_up_to(column->size, 64) - column->size);
        uint8_t *bytes =
            filler > 0 ? extend(column, filler) : NULL; /* an empty one has no memory */
        if (filler > 0 && !bytes)
            return false;
        if (bytes)
            memset(bytes, 0, filler);
        segment->columns[i] = column->size;
    }
    return true;
}

static void sum_up(const struct ms_catalogue *c, uint8_t *checksums) {
    for (size_t i = 0; i < MS_COLUMNS; i++) {
        const struct ms_bytes *column = &c->columns[i];
        for (size_t at = 0; at < column->size; at += MS_CHECKED, checksums += 4) {
            size_t part = column->size - at < MS_CHECKED ? column->size - at : MS_CHECKED;
            ms_store_u32(checksums, c->kernels->crc32c(0, column->bytes + at, part));
        }
    }
}

/* Writes the segment behind the committed end; nothing refers to it yet. */
static minisim_status write_segment(struct ms_catalogue *c, struct ms_segment *segment,
                                    minisim_error *error) {
    const uint8_t zeros[MS_PAGE] = {0};
    size_t checksums = 4 * (size_t)ms_checksums_before(segment->columns, MS_ALL_COLUMNS);
    size_t head_size = (size_t)ms_column_begin(segment, 0);
    uint8_t *head = calloc(1, head_size);
    if (!head)
        return out_of_memory(error);
    sum_up(c, head + MS_SEGMENT_HEADER);
    segment->checksums_crc = ms_crc32c(0, head + MS_SEGMENT_HEADER, checksums);
    ms_encode_segment(segment, c->header.uuid, head);
    uint64_t at = segment->offset, end = segment->offset + segment->size;
    minisim_status status = ms_file_reserve(c->descriptor, at, end, error);
    if (!status)
        status = ms_file_write_at(c->descriptor, at, head, head_size, error);
    free(head);
    at += head_size;
    for (size_t i = 0; !status && i < MS_COLUMNS; i++) {
        if (segment->columns[i] > 0)
            status =
                ms_file_write_at(c->descriptor, at, c->columns[i].bytes, c->columns[i].size, error);
        at += segment->columns[i];
    }
    if (!status && at < end)
        status = ms_file_write_at(c->descriptor, at, zeros, (size_t)(end - at), error);
    return status ? status : ms_file_sync(c->descriptor, error);
}

/* What the file is after this segment. */
static struct ms_commit commit_after(const struct ms_catalogue *c,
                                     const struct ms_segment *segment) {
    struct ms_commit next = c->commit;
    next.generation = segment->generation;
    next.end += segment->size;
    next.segments++;
    next.ids += segment->count;
    next.removed += segment->removed;
    if (segment->columns[MS_TABLE] > 0)
        next.table = segment->offset;
    if (segment->columns[MS_NOTES] > 0)
        next.notes = segment->offset;
    return next;
}

static minisim_status commit(struct ms_catalogue *c, minisim_error *error) {
    struct ms_segment segment = {.offset = c->commit.end,
                                 .generation = c->commit.generation + 1,
                                 .first = c->commit.ids,
                                 .count = c->waiting,
                                 .removed = c->waiting_removed};
    struct ms_part part = {segment.offset, segment.first, segment.count, segment.removed};
    bool table =
        c->since_table >= TABLE_EVERY && c->commit.segments <= MS_TABLE_MOST / MS_TABLE_ENTRY;
    if ((table && !collect_table(c)) || !fill_up(c, &segment))
        return out_of_memory(error);
    segment.size = ms_segment_size(segment.columns);
    struct ms_commit next = commit_after(c, &segment);
    minisim_status status = write_segment(c, &segment, error);
    if (!status)
        status = write_commit(c, &next, error);
    if (!status)
        status = ms_file_sync(c->descriptor, error);
    if (!status && !ms_add_part(c, &part))
        status = out_of_memory(error);
    if (status)
        return status;
    c->commit = next;
    c->since_table = table ? 0 : c->since_table + 1;
    c->waiting = c->waiting_removed = 0;
    for (size_t i = 0; i < MS_COLUMNS; i++)
        c->columns[i].size = 0;
    return MINISIM_OK;
}

minisim_status ms_catalogue_commit(struct ms_catalogue *c, minisim_error *error) {
    if (c->failed)
        return ms_fail(error, MINISIM_REFUSED, "an earlier write failed");
    if (ms_catalogue_waiting(c) == 0)
        return MINISIM_OK;
    minisim_status status = commit(c, error);
    /* Whether a slot that failed to be written stands or not, the next to open it will see. */
    c->failed = status != MINISIM_OK;
    return status;
}
