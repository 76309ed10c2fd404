/*
 * Reading a catalogue: the commit that counts, the list of its segments, the removed ids; then
 * records and vectors by their ids. Opening reads a few pages and builds nothing but the list.
 */
#include "catalogue/file.h"
#include "catalogue/state.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static minisim_status out_of_memory(minisim_error *error) {
    return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
}

static minisim_status damaged(minisim_error *error, const char *what, uint64_t offset) {
    return ms_fail(error, MINISIM_BAD_CATALOGUE, "the catalogue is damaged: %s at byte %llu", what,
                   (unsigned long long)offset);
}

/* ---- segments ---- */

bool ms_add_part(struct ms_catalogue *c, const struct ms_part *part) {
    size_t count = (size_t)c->commit.segments;
    if (count == c->part_capacity) {
        size_t capacity = count ? 2 * count : 16;
        struct ms_part *grown = capacity <= SIZE_MAX / 2 / sizeof *grown
                                    ? realloc(c->parts, capacity * sizeof *grown)
                                    : NULL;
        if (!grown)
            return false;
        c->parts = grown;
        c->part_capacity = capacity;
    }
    c->parts[count] = *part;
    c->commit.segments++;
    return true;
}

static minisim_status read_segment_at(const struct ms_catalogue *c, uint64_t offset,
                                      struct ms_segment *segment, minisim_error *error) {
    uint8_t bytes[MS_SEGMENT_HEADER];
    minisim_status status = ms_file_read_at(c->descriptor, offset, bytes, sizeof bytes, error);
    if (!status && !ms_decode_segment(bytes, offset, &c->header, segment))
        status = damaged(error, "the header of the segment", offset);
    return status;
}

minisim_status ms_read_segment(const struct ms_catalogue *c, const struct ms_part *part,
                               struct ms_segment *segment, minisim_error *error) {
    minisim_status status = read_segment_at(c, part->offset, segment, error);
    if (!status && (segment->first != part->first || segment->count != part->count ||
                    segment->removed != part->removed))
        status = damaged(error, "the header of the segment", part->offset);
    return status;
}

/* The checksums of one column, to be freed. */
static minisim_status read_checksums(const struct ms_catalogue *c, const struct ms_segment *segment,
                                     size_t column, uint8_t **checksums, minisim_error *error) {
    uint64_t before = ms_checksums_before(segment->columns, column);
    uint64_t count = ms_checksums_before(segment->columns, column + 1) - before;
    *checksums = malloc(4 * (size_t)count + 1);
    if (!*checksums)
        return out_of_memory(error);
    minisim_status status =
        ms_file_read_at(c->descriptor, segment->offset + MS_SEGMENT_HEADER + 4 * before, *checksums,
                        4 * (size_t)count, error);
    if (status)
        free(*checksums);
    return status;
}

minisim_status ms_read_column(const struct ms_catalogue *c, const struct ms_segment *segment,
                              size_t column, uint8_t **bytes, minisim_error *error) {
    uint64_t size = segment->columns[column], offset;
    uint8_t *checksums;
    *bytes = NULL;
    /* A damaged header has been told already: this one lies in the file as a whole. */
    if (size > SIZE_MAX / 2 || segment->size > c->commit.end - segment->offset)
        return damaged(error, "the size of the segment", segment->offset);
    offset = segment->offset + ms_column_begin(segment, column);
    minisim_status status = read_checksums(c, segment, column, &checksums, error);
    if (status)
        return status;
    *bytes = malloc((size_t)size + 1);
    status = *bytes ? ms_file_read_at(c->descriptor, offset, *bytes, (size_t)size, error)
                    : out_of_memory(error);
    for (uint64_t at = 0; !status && at < size; at += MS_CHECKED) {
        size_t part = size - at < MS_CHECKED ? (size_t)(size - at) : MS_CHECKED;
        if (ms_crc32c(0, *bytes + at, part) != ms_load_u32(checksums + at / MS_CHECKED * 4))
            status = damaged(error, "a column of the segment", segment->offset);
    }
    free(checksums);
    if (status) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

/* ---- opening ---- */

static bool is_salvaged(const struct ms_catalogue *c) {
    return c->damage.text[0] != '\0';
}

/* The ids of the segments listed so far. */
static uint64_t ids_listed(const struct ms_catalogue *c) {
    const struct ms_part *last = c->commit.segments ? &c->parts[c->commit.segments - 1] : NULL;
    return last ? last->first + last->count : 0;
}

/*
 * Behind a header that cannot be used: goes on where the next one is that can, or ends. The records
 * between become a part that nothing can be read of. They are no more than would have room there,
 * so that what a file says costs no more than its size.
 */
static minisim_status pass_over(struct ms_catalogue *c, uint64_t *offset,
                                const struct ms_commit *commit, minisim_error *error) {
    struct ms_part part = {.offset = *offset, .first = ids_listed(c)};
    struct ms_segment next;
    uint64_t size;
    minisim_status status = ms_file_size(c->descriptor, &size, error);
    if (status)
        return status;
    uint64_t end = size < commit->end ? size : commit->end;
    bool found = false;
    while (!found && (*offset += MS_PAGE) < end) {
        uint64_t most = (*offset - part.offset) / MS_RECORD_SIZE;
        found = !read_segment_at(c, *offset, &next, NULL) && next.size <= commit->end - *offset &&
                next.first >= part.first &&
                next.first - part.first <= (most < UINT32_MAX ? most : UINT32_MAX);
    }
    if (found)
        part.count = (uint32_t)(next.first - part.first);
    else
        *offset = commit->end;
    return ms_add_part(c, &part) ? MINISIM_OK : out_of_memory(error);
}

/* Follows segments from `offset` up to `commit`'s end. */
static minisim_status follow_segments(struct ms_catalogue *c, uint64_t offset,
                                      const struct ms_commit *commit, minisim_error *error) {
    while (offset < commit->end) {
        struct ms_segment segment;
        minisim_status status = read_segment_at(c, offset, &segment, error);
        if (!status && (segment.size > commit->end - offset || segment.first != ids_listed(c) ||
                        c->commit.segments == commit->segments))
            status = damaged(error, "the header of the segment", offset);
        if (status == MINISIM_BAD_CATALOGUE && is_salvaged(c)) {
            status = pass_over(c, &offset, commit, error);
            if (!status)
                continue;
        }
        if (status)
            return status;
        c->since_table = segment.columns[MS_TABLE] > 0 ? 0 : c->since_table + 1;
        struct ms_part part = {offset, segment.first, segment.count, segment.removed};
        if (!ms_add_part(c, &part))
            return out_of_memory(error);
        offset += segment.size;
    }
    return MINISIM_OK;
}

/* Takes the list of the newest TABLE; false: there is none that can be used. */
static bool take_table(struct ms_catalogue *c, const struct ms_commit *commit) {
    struct ms_segment segment;
    uint8_t *bytes;
    if (!commit->table || read_segment_at(c, commit->table, &segment, NULL) ||
        segment.columns[MS_TABLE] > MS_TABLE_MOST ||
        ms_read_column(c, &segment, MS_TABLE, &bytes, NULL))
        return false;
    uint64_t least = MS_SEGMENTS_BEGIN, ids = 0;
    bool good = true;
    for (uint64_t at = 0; good && at + MS_TABLE_ENTRY <= segment.columns[MS_TABLE];
         at += MS_TABLE_ENTRY) {
        struct ms_part part;
        ms_decode_part(bytes + at, &part);
        if (part.offset == 0) /* a filler */
            break;
        good = part.offset % MS_PAGE == 0 && part.offset >= least && part.offset < commit->table &&
               part.first == ids && part.count <= MS_SEGMENT_MOST &&
               part.removed <= MS_SEGMENT_MOST && ms_add_part(c, &part);
        least = part.offset + MS_PAGE;
        ids += part.count;
    }
    free(bytes);
    good = good && segment.first == ids;
    if (!good)
        c->commit.segments = 0;
    return good;
}

/* The list of all segments of a commit, which then is the catalogue's: of the newest TABLE and what
 * follows it, or of all headers. What is salvaged may end early. */
static minisim_status list_from(struct ms_catalogue *c, const struct ms_commit *commit, bool table,
                                minisim_error *error) {
    c->commit = *commit;
    c->commit.segments = 0;
    c->since_table = 0;
    uint64_t begin = table && take_table(c, commit) ? commit->table : MS_SEGMENTS_BEGIN;
    minisim_status status = follow_segments(c, begin, commit, error);
    if (status)
        return status;
    uint64_t ids = ids_listed(c);
    if (!is_salvaged(c) && (c->commit.segments != commit->segments || commit->ids != ids))
        return damaged(error, "the list of segments, which ends", commit->end);
    c->lost = commit->ids > ids ? commit->ids - ids : 0;
    c->commit.ids = ids;
    return MINISIM_OK;
}

/* A TABLE may read well and yet say something else than the commit. */
static minisim_status list_segments(struct ms_catalogue *c, const struct ms_commit *commit,
                                    minisim_error *error) {
    minisim_error cause;
    minisim_status status = list_from(c, commit, true, &cause);
    if (status == MINISIM_BAD_CATALOGUE)
        return list_from(c, commit, false, error);
    return status ? ms_fail(error, status, "%s", cause.text) : MINISIM_OK;
}

bool ms_mark_removed(struct ms_catalogue *c, uint64_t id) {
    if (id / 8 >= c->removed_size) {
        uint64_t size = ms_up_to(id / 8 + 1, 4096);
        uint8_t *grown = size <= SIZE_MAX / 2 ? realloc(c->removed, (size_t)size) : NULL;
        if (!grown)
            return false;
        memset(grown + c->removed_size, 0, (size_t)size - c->removed_size);
        c->removed = grown;
        c->removed_size = (size_t)size;
    }
    c->removed[id / 8] |= (uint8_t)(1 << id % 8);
    return true;
}

static minisim_status read_removed(struct ms_catalogue *c, const struct ms_part *part,
                                   minisim_error *error) {
    struct ms_segment segment;
    uint8_t *bytes;
    minisim_status status = ms_read_segment(c, part, &segment, error);
    if (!status)
        status = ms_read_column(c, &segment, MS_REMOVED, &bytes, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < part->removed; i++) {
        uint64_t id = ms_load_u64(bytes + 8 * i);
        if (id >= part->first + part->count || ms_catalogue_is_removed(c, id))
            status = damaged(error, "the removed ids of the segment", part->offset);
        else if (!ms_mark_removed(c, id))
            status = out_of_memory(error);
    }
    free(bytes);
    return status;
}

static minisim_status read_all_removed(struct ms_catalogue *c, minisim_error *error) {
    minisim_status status = MINISIM_OK;
    uint64_t count = 0;
    for (size_t i = 0; !status && i < c->commit.segments; i++) {
        count += c->parts[i].removed;
        if (c->parts[i].removed > 0)
            status = read_removed(c, &c->parts[i], error);
    }
    return !status && count != c->commit.removed
               ? damaged(error, "the count of removed records, up", c->commit.end)
               : status;
}

/* As much of the list and of the removed ids as can be read; records whose removal cannot be read
 * are there again. */
static minisim_status salvage(struct ms_catalogue *c, const struct ms_commit *commit,
                              minisim_error *error) {
    if (c->removed)
        memset(c->removed, 0, c->removed_size);
    minisim_status status = list_from(c, commit, true, error);
    for (size_t i = 0; !status && i < c->commit.segments; i++) {
        if (c->parts[i].removed > 0)
            status = read_removed(c, &c->parts[i], error);
        if (status == MINISIM_BAD_CATALOGUE)
            status = MINISIM_OK;
    }
    c->commit.removed = 0;
    for (uint64_t id = 0; id < 8 * (uint64_t)c->removed_size; id++)
        c->commit.removed += ms_catalogue_is_removed(c, id);
    return status;
}

/* A commit whose slot was damaged after its segment was written: takes that up. */
static void recover_segment(const struct ms_catalogue *c, struct ms_commit *commit) {
    struct ms_segment segment;
    uint64_t size;
    bool whole;
    if (read_segment_at(c, commit->end, &segment, NULL) ||
        segment.generation != commit->generation + 1 || segment.first != commit->ids ||
        ms_file_size(c->descriptor, &size, NULL) || size < commit->end ||
        segment.size > size - commit->end ||
        ms_check_segment(c, &segment, NULL, NULL, &whole, NULL) || !whole)
        return;
    commit->generation++;
    commit->table = segment.columns[MS_TABLE] > 0 ? commit->end : commit->table;
    commit->notes = segment.columns[MS_NOTES] > 0 ? commit->end : commit->notes;
    commit->end += segment.size;
    commit->segments++;
    commit->ids += segment.count;
    commit->removed += segment.removed;
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    while (size > 0 && bytes[size - 1] == 0)
        size--;
    return size == 0;
}

/* The newer of the two commits. */
static minisim_status choose_commit(struct ms_catalogue *c, struct ms_commit *commit,
                                    minisim_error *error) {
    struct ms_commit slots[2];
    uint8_t page[MS_PAGE];
    bool unused = false;
    for (size_t i = 0; i < 2; i++) {
        minisim_status status =
            ms_file_read_at(c->descriptor, MS_PAGE * (1 + i), page, sizeof page, error);
        if (status)
            return status;
        c->slot_damaged[i] =
            !ms_decode_commit(page, c->header.uuid, &slots[i]) || slots[i].generation % 2 != i;
        unused = is_zero(page, sizeof page);
    }
    if (c->slot_damaged[0] && c->slot_damaged[1])
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "the catalogue is damaged: neither of its two commits can be read");
    size_t best =
        c->slot_damaged[0] || (!c->slot_damaged[1] && slots[1].generation > slots[0].generation);
    *commit = slots[best];
    if (best == 0 && unused && commit->generation == 0)
        c->slot_damaged[1] = false;
    else if (c->slot_damaged[1 - best])
        recover_segment(c, commit);
    return MINISIM_OK;
}

minisim_status ms_catalogue_load(struct ms_catalogue *c, bool even_damaged, minisim_error *error) {
    uint8_t page[MS_PAGE];
    struct ms_commit commit;
    minisim_error cause;
    minisim_status status = ms_file_read_at(c->descriptor, 0, page, sizeof page, error);
    if (status == MINISIM_BAD_CATALOGUE)
        return ms_fail(error, status, "this is no catalogue of minisim (.msc): it is too short");
    if (!status)
        status = ms_decode_header(page, &c->header, error);
    if (!status)
        status = choose_commit(c, &commit, error);
    if (status)
        return status;
    status = list_segments(c, &commit, &cause);
    if (!status)
        status = read_all_removed(c, &cause);
    if (status != MINISIM_BAD_CATALOGUE)
        return status ? ms_fail(error, status, "%s", cause.text) : MINISIM_OK;
    if (!even_damaged)
        return ms_fail(error, status, "%s; " MS_SALVAGE_ADVICE, cause.text);
    c->damage = cause;
    return salvage(c, &commit, error);
}

struct ms_catalogue *ms_catalogue_allocate(void) {
    struct ms_catalogue *c = calloc(1, sizeof *c);
    if (c) {
        c->descriptor = -1;
        c->kernels = ms_kernels_choose(NULL);
    }
    return c;
}

static minisim_status open_reader(const char *path, bool even_damaged,
                                  struct ms_catalogue **catalogue, minisim_error *error) {
    int descriptor;
    *catalogue = NULL;
    minisim_status status = ms_file_open_reader(path, &descriptor, NULL, error);
    if (status)
        return status;
    struct ms_catalogue *c = ms_catalogue_allocate();
    if (!c) {
        close(descriptor);
        return out_of_memory(error);
    }
    c->descriptor = descriptor;
    status = ms_catalogue_load(c, even_damaged, error);
    if (status)
        ms_catalogue_close(c);
    else
        *catalogue = c;
    return status;
}

minisim_status ms_catalogue_open(const char *path, struct ms_catalogue **catalogue,
                                 minisim_error *error) {
    return open_reader(path, false, catalogue, error);
}

minisim_status ms_catalogue_open_damaged(const char *path, struct ms_catalogue **catalogue,
                                         minisim_error *error) {
    return open_reader(path, true, catalogue, error);
}

bool ms_catalogue_map(struct ms_catalogue *c, const void **begin, size_t *size) {
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && !c->writer && !c->map)
        c->map = ms_file_map(c->descriptor, c->commit.end);
    *begin = c->map;
    *size = c->map ? (size_t)c->commit.end : 0;
    return c->map != NULL;
}

/* ---- what there is ---- */

const struct ms_origin *ms_catalogue_origin(const struct ms_catalogue *c) {
    return &c->header.origin;
}

uint64_t ms_catalogue_ids(const struct ms_catalogue *c) {
    return c->commit.ids + c->waiting;
}

uint64_t ms_catalogue_removed(const struct ms_catalogue *c) {
    return c->commit.removed + c->waiting_removed;
}

uint64_t ms_catalogue_count(const struct ms_catalogue *c) {
    return ms_catalogue_ids(c) - ms_catalogue_removed(c);
}

bool ms_catalogue_is_removed(const struct ms_catalogue *c, uint64_t id) {
    return id / 8 < c->removed_size && c->removed[id / 8] >> id % 8 & 1;
}

void ms_catalogue_describe(const struct ms_catalogue *c, struct ms_catalogue_facts *facts) {
    *facts = (struct ms_catalogue_facts){.generation = c->commit.generation,
                                         .segments = c->commit.segments,
                                         .file_bytes = c->commit.end};
    memcpy(facts->uuid, c->header.uuid, sizeof facts->uuid);
}

/* ---- records and vectors ---- */

/* Where a record is: in a segment of the file or, with part NULL, among those that wait. */
struct place {
    const struct ms_part *part;
    struct ms_segment segment;
    uint64_t row, rows; /* its place there; how many are from it to the end */
};

static minisim_status find(const struct ms_catalogue *c, uint64_t id, struct place *place,
                           minisim_error *error) {
    if (id >= ms_catalogue_ids(c))
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "there is no record of id %llu",
                       (unsigned long long)id);
    if (id >= c->commit.ids) {
        *place = (struct place){.row = id - c->commit.ids, .rows = ms_catalogue_ids(c) - id};
        return MINISIM_OK;
    }
    /* The last segment that begins at or before it: those without records come before others. */
    size_t low = 0, high = (size_t)c->commit.segments;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (c->parts[middle].first <= id)
            low = middle;
        else
            high = middle;
    }
    const struct ms_part *part = &c->parts[low];
    *place = (struct place){.part = part, .row = id - part->first};
    if (place->row >= part->count)
        return damaged(error, "the list of segments", part->offset);
    place->rows = part->count - place->row;
    return ms_read_segment(c, part, &place->segment, error);
}

static uint64_t column_size(const struct ms_catalogue *c, const struct place *place,
                            size_t column) {
    return place->part ? place->segment.columns[column] : c->columns[column].size;
}

/* Where in the file bytes of a column begin, from `at` on. */
static minisim_status locate(const struct ms_catalogue *c, const struct place *place, size_t column,
                             uint64_t at, size_t size, uint64_t *offset, minisim_error *error) {
    *offset = place->segment.offset + ms_column_begin(&place->segment, column) + at;
    if (*offset > c->commit.end || size > c->commit.end - *offset)
        return damaged(error, "the size of the segment", place->segment.offset);
    return MINISIM_OK;
}

/* Bytes of a column from `at` on; the caller knows that they are there. */
static minisim_status read_from_column(const struct ms_catalogue *c, const struct place *place,
                                       size_t column, uint64_t at, void *to, size_t size,
                                       minisim_error *error) {
    uint64_t offset;
    if (!place->part) {
        if (size > 0)
            memcpy(to, c->columns[column].bytes + at, size);
        return MINISIM_OK;
    }
    minisim_status status = locate(c, place, column, at, size, &offset, error);
    return status ? status : ms_file_read_at(c->descriptor, offset, to, size, error);
}

minisim_status ms_catalogue_records(const struct ms_catalogue *c, uint64_t id, size_t most,
                                    struct ms_record *records, size_t *count,
                                    minisim_error *error) {
    enum { AT_ONCE = 64 };
    uint8_t bytes[AT_ONCE * MS_RECORD_SIZE];
    struct place place;
    *count = 0;
    minisim_status status = find(c, id, &place, error);
    if (status)
        return status;
    size_t wanted = place.rows < most ? (size_t)place.rows : most;
    wanted = wanted < AT_ONCE ? wanted : AT_ONCE;
    status = read_from_column(c, &place, MS_RECORDS, place.row * MS_RECORD_SIZE, bytes,
                              wanted * MS_RECORD_SIZE, error);
    for (size_t i = 0; !status && i < wanted; i++)
        if (!ms_decode_record(bytes + i * MS_RECORD_SIZE, column_size(c, &place, MS_TEXT),
                              &records[i]))
            return ms_fail(error, MINISIM_BAD_CATALOGUE,
                           "the catalogue is damaged: record %llu points out of its segment",
                           (unsigned long long)(id + i));
    *count = status ? 0 : wanted;
    return status;
}

minisim_status ms_catalogue_text(const struct ms_catalogue *c, uint64_t id,
                                 const struct ms_record *record, char path[MS_PATH_MOST + 1],
                                 char label[MS_PATH_MOST + 1], minisim_error *error) {
    struct place place;
    minisim_status status = find(c, id, &place, error);
    if (status)
        return status;
    path[record->path_size] = '\0';
    status = read_from_column(c, &place, MS_TEXT, record->text, path, record->path_size, error);
    if (!status && label) {
        label[record->label_size] = '\0';
        status = read_from_column(c, &place, MS_TEXT, record->text + record->path_size, label,
                                  record->label_size, error);
    }
    if (!status &&
        (strlen(path) != record->path_size || (label && strlen(label) != record->label_size)))
        status = ms_fail(error, MINISIM_BAD_CATALOGUE,
                         "the catalogue is damaged: the path of record %llu holds a NUL",
                         (unsigned long long)id);
    return status;
}

static minisim_status read_vectors(const struct ms_catalogue *c, const struct place *place,
                                   struct ms_stored *rows, minisim_error *error) {
    size_t count = rows->count;
    minisim_status status = read_from_column(c, place, MS_VECTORS, place->row * rows->stride,
                                             rows->values, count * rows->stride, error);
    ms_stored_swap(rows->type, rows->values, status ? 0 : count, rows->stride);
    if (!status && rows->type == MS_I8)
        status =
            read_from_column(c, place, MS_SCALES, place->row * 4, rows->scales, count * 4, error);
    if (!status)
        status =
            read_from_column(c, place, MS_NORMS, place->row * 4, rows->norms, count * 4, error);
    for (size_t i = 0; !status && i < count; i++) {
        rows->norms[i] = ms_load_u32((const uint8_t *)&rows->norms[i]);
        if (rows->type == MS_I8)
            rows->scales[i] = ms_load_f32((const uint8_t *)&rows->scales[i]);
    }
    return status;
}

/* The place's rows of a column, of so many bytes each, in the mapped file. */
static minisim_status point_at(const struct ms_catalogue *c, const struct place *place,
                               size_t column, size_t each, size_t count, void **to,
                               minisim_error *error) {
    uint64_t offset;
    minisim_status status =
        locate(c, place, column, place->row * each, count * each, &offset, error);
    if (!status)
        *to = c->map + offset;
    return status;
}

static minisim_status point_at_vectors(const struct ms_catalogue *c, const struct place *place,
                                       struct ms_stored *rows, minisim_error *error) {
    void *values = NULL, *scales = rows->scales, *norms = NULL;
    size_t count = rows->count;
    minisim_status status = point_at(c, place, MS_VECTORS, rows->stride, count, &values, error);
    if (!status && rows->type == MS_I8)
        status = point_at(c, place, MS_SCALES, 4, count, &scales, error);
    if (!status)
        status = point_at(c, place, MS_NORMS, 4, count, &norms, error);
    rows->values = values;
    rows->scales = scales;
    rows->norms = norms;
    return status;
}

static minisim_status get_vectors(const struct ms_catalogue *c, uint64_t id, size_t most,
                                  bool in_place, struct ms_stored *rows, minisim_error *error) {
    struct place place;
    minisim_status status = find(c, id, &place, error);
    if (status)
        return status;
    rows->count = place.rows < most ? (size_t)place.rows : most;
    return in_place && place.part ? point_at_vectors(c, &place, rows, error)
                                  : read_vectors(c, &place, rows, error);
}

minisim_status ms_catalogue_vectors(const struct ms_catalogue *c, uint64_t id, size_t most,
                                    struct ms_stored *rows, minisim_error *error) {
    return get_vectors(c, id, most, false, rows, error);
}

minisim_status ms_catalogue_view(const struct ms_catalogue *c, uint64_t id, size_t most,
                                 struct ms_stored *rows, minisim_error *error) {
    return get_vectors(c, id, most, c->map != NULL, rows, error);
}

struct ms_record ms_record_of(const float *vector, size_t n) {
    struct ms_record record = {.flags = MS_RECORD_NO_FILE};
    struct ms_sha256 hash;
    ms_sha256_start(&hash);
    ms_sha256_add_floats(&hash, vector, n);
    ms_sha256_digest(&hash, record.content);
    return record;
}

uint64_t ms_path_key(const char *path) {
    uint8_t digest[32];
    ms_sha256_of(path, strlen(path), digest);
    return ms_load_u64(digest);
}
