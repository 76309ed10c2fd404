/* Structures of a catalogue and their bytes: see format.h. In the order of the file. */
#include "catalogue/format.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/error.h"

#include <string.h>

static const uint8_t MAGIC[8] = {0x89, 'M', 'S', 'C', 0x0D, 0x0A, 0x1A, 0x0A};

enum { VERSION = 1, ID_DIGITS = 64 };

/* Where the fields are. */
enum {
    HEADER_CRC = 12,
    HEADER_FLAGS = 16,
    HEADER_DIMENSION = 28,
    HEADER_TYPE = 32,
    HEADER_UUID = 40,
    HEADER_ID = 56,
    HEADER_ORIGIN = 120,
    SLOT_CRC = 4,
    SLOT_UUID = 56,
    SLOT_NOTES = 72,
    SEGMENT_CRC = 4,
    SEGMENT_UUID = 48,
    SEGMENT_COLUMNS = 64
};

/* The CRC of bytes that hold it themselves. */
static uint32_t crc_around(const uint8_t *bytes, size_t size, size_t field) {
    static const uint8_t zeros[4];
    uint32_t crc = ms_crc32c(0, bytes, field);
    crc = ms_crc32c(crc, zeros, sizeof zeros);
    return ms_crc32c(crc, bytes + field + 4, size - field - 4);
}

static void store_crc(uint8_t *bytes, size_t size, size_t field) {
    ms_store_u32(bytes + field, crc_around(bytes, size, field));
}

static bool has_crc(const uint8_t *bytes, size_t size, size_t field) {
    return ms_load_u32(bytes + field) == crc_around(bytes, size, field);
}

uint64_t ms_vector_stride(const struct ms_origin *origin) {
    return ms_stored_stride(origin->type, origin->dimension);
}

/* ---- header ---- */

void ms_encode_header(const struct ms_header *header, uint8_t bytes[MS_PAGE]) {
    const struct ms_origin *origin = &header->origin;
    memset(bytes, 0, MS_PAGE);
    memcpy(bytes, MAGIC, sizeof MAGIC);
    ms_store_u32(bytes + 8, VERSION);
    ms_store_u32(bytes + HEADER_DIMENSION, origin->dimension);
    ms_store_u32(bytes + HEADER_TYPE, origin->type);
    memcpy(bytes + HEADER_UUID, header->uuid, sizeof header->uuid);
    memcpy(bytes + HEADER_ID, origin->embedding_id, strlen(origin->embedding_id));
    memcpy(bytes + HEADER_ORIGIN, origin->text, strlen(origin->text));
    store_crc(bytes, MS_PAGE, HEADER_CRC);
}

/* 64 lower-case digits, or zeros. */
static bool decode_id(const uint8_t *bytes, char id[ID_DIGITS + 1]) {
    size_t digits = 0, zeros = 0;
    memcpy(id, bytes, ID_DIGITS);
    id[ID_DIGITS] = '\0';
    for (size_t i = 0; i < ID_DIGITS; i++) {
        digits += (id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f');
        zeros += id[i] == '\0';
    }
    return digits == ID_DIGITS || zeros == ID_DIGITS;
}

minisim_status ms_decode_header(const uint8_t bytes[MS_PAGE], struct ms_header *header,
                                minisim_error *error) {
    struct ms_origin *origin = &header->origin;
    if (memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return ms_fail(error, MINISIM_BAD_CATALOGUE, "this is no catalogue of minisim (.msc)");
    if (ms_load_u32(bytes + 8) != VERSION)
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "a catalogue of version %u, this program reads version %d: use a newer one",
                       (unsigned)ms_load_u32(bytes + 8), VERSION);
    uint32_t dimension = ms_load_u32(bytes + HEADER_DIMENSION);
    uint32_t type = ms_load_u32(bytes + HEADER_TYPE);
    if (!has_crc(bytes, MS_PAGE, HEADER_CRC) || dimension < 1 || dimension > MS_DIMENSION_MOST ||
        type >= MS_VECTOR_TYPES || !decode_id(bytes + HEADER_ID, origin->embedding_id) ||
        bytes[HEADER_ORIGIN + MS_ORIGIN_SIZE - 1])
        return ms_fail(error, MINISIM_BAD_CATALOGUE, "the catalogue's header is damaged");
    if (ms_load_u32(bytes + HEADER_FLAGS + 8))
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "the catalogue uses what this program does not know: use a newer one");
    header->read_only = ms_load_u32(bytes + HEADER_FLAGS + 4) != 0;
    origin->dimension = dimension;
    origin->type = (enum ms_vector_type)type;
    memcpy(header->uuid, bytes + HEADER_UUID, sizeof header->uuid);
    memcpy(origin->text, bytes + HEADER_ORIGIN, MS_ORIGIN_SIZE);
    return MINISIM_OK;
}

/* ---- commits ---- */

void ms_encode_commit(const struct ms_commit *commit, const uint8_t uuid[16],
                      uint8_t bytes[MS_PAGE]) {
    memset(bytes, 0, MS_PAGE);
    memcpy(bytes, "MSCS", 4);
    ms_store_u64(bytes + 8, commit->generation);
    ms_store_u64(bytes + 16, commit->end);
    ms_store_u64(bytes + 24, commit->segments);
    ms_store_u64(bytes + 32, commit->ids);
    ms_store_u64(bytes + 40, commit->removed);
    ms_store_u64(bytes + 48, commit->table);
    ms_store_u64(bytes + SLOT_NOTES, commit->notes);
    memcpy(bytes + SLOT_UUID, uuid, 16);
    store_crc(bytes, MS_PAGE, SLOT_CRC);
}

/* Of a segment of the commit, or 0. */
static bool is_offset(const struct ms_commit *commit, uint64_t offset) {
    return offset == 0 ||
           (offset >= MS_SEGMENTS_BEGIN && offset < commit->end && offset % MS_PAGE == 0);
}

bool ms_decode_commit(const uint8_t bytes[MS_PAGE], const uint8_t uuid[16],
                      struct ms_commit *commit) {
    *commit = (struct ms_commit){.generation = ms_load_u64(bytes + 8),
                                 .end = ms_load_u64(bytes + 16),
                                 .segments = ms_load_u64(bytes + 24),
                                 .ids = ms_load_u64(bytes + 32),
                                 .removed = ms_load_u64(bytes + 40),
                                 .table = ms_load_u64(bytes + 48),
                                 .notes = ms_load_u64(bytes + SLOT_NOTES)};
    /* A segment has a page at least, so counts are bounded by the file's size. */
    return memcmp(bytes, "MSCS", 4) == 0 && has_crc(bytes, MS_PAGE, SLOT_CRC) &&
           memcmp(bytes + SLOT_UUID, uuid, 16) == 0 && commit->generation <= INT64_MAX &&
           commit->end >= MS_SEGMENTS_BEGIN && commit->end <= INT64_MAX &&
           commit->end % MS_PAGE == 0 &&
           commit->segments <= (commit->end - MS_SEGMENTS_BEGIN) / MS_PAGE &&
           commit->ids <= commit->segments * MS_SEGMENT_MOST && commit->removed <= commit->ids &&
           is_offset(commit, commit->table) && is_offset(commit, commit->notes);
}

/* ---- segments ---- */

uint64_t ms_checksums_before(const uint64_t columns[MS_ALL_COLUMNS], size_t column) {
    uint64_t count = 0;
    for (size_t i = 0; i < column; i++)
        count += ms_up_to(columns[i], MS_CHECKED) / MS_CHECKED;
    return count;
}

static uint64_t end_of_columns(const uint64_t columns[MS_ALL_COLUMNS], size_t column) {
    uint64_t at =
        ms_up_to(MS_SEGMENT_HEADER + 4 * ms_checksums_before(columns, MS_ALL_COLUMNS), 64);
    for (size_t i = 0; i < column; i++)
        at += columns[i];
    return at;
}

uint64_t ms_segment_size(const uint64_t columns[MS_ALL_COLUMNS]) {
    return ms_up_to(end_of_columns(columns, MS_ALL_COLUMNS), MS_PAGE);
}

uint64_t ms_column_begin(const struct ms_segment *segment, size_t column) {
    return end_of_columns(segment->columns, column);
}

uint64_t ms_column_size(const struct ms_origin *origin, size_t column, uint64_t count,
                        uint64_t removed) {
    uint64_t size = column == MS_VECTORS   ? count * ms_vector_stride(origin)
                    : column == MS_SCALES  ? (origin->type == MS_I8 ? 4 * count : 0)
                    : column == MS_NORMS   ? 4 * count
                    : column == MS_RECORDS ? MS_RECORD_SIZE * count
                    : column == MS_REMOVED ? 8 * removed
                                           : 0;
    return ms_up_to(size, 64);
}

void ms_encode_segment(const struct ms_segment *segment, const uint8_t uuid[16],
                       uint8_t bytes[MS_SEGMENT_HEADER]) {
    memset(bytes, 0, MS_SEGMENT_HEADER);
    memcpy(bytes, "MSEG", 4);
    ms_store_u64(bytes + 8, segment->generation);
    ms_store_u64(bytes + 16, segment->size);
    ms_store_u64(bytes + 24, segment->first);
    ms_store_u32(bytes + 32, segment->count);
    ms_store_u32(bytes + 36, segment->removed);
    ms_store_u32(bytes + 40, segment->checksums_crc);
    memcpy(bytes + SEGMENT_UUID, uuid, 16);
    for (size_t i = 0; i < MS_ALL_COLUMNS; i++)
        ms_store_u64(bytes + SEGMENT_COLUMNS + 8 * i, segment->columns[i]);
    store_crc(bytes, MS_SEGMENT_HEADER, SEGMENT_CRC);
}

bool ms_decode_segment(const uint8_t bytes[MS_SEGMENT_HEADER], uint64_t offset,
                       const struct ms_header *header, struct ms_segment *segment) {
    *segment = (struct ms_segment){.offset = offset,
                                   .generation = ms_load_u64(bytes + 8),
                                   .size = ms_load_u64(bytes + 16),
                                   .first = ms_load_u64(bytes + 24),
                                   .count = ms_load_u32(bytes + 32),
                                   .removed = ms_load_u32(bytes + 36),
                                   .checksums_crc = ms_load_u32(bytes + 40)};
    if (memcmp(bytes, "MSEG", 4) != 0 || memcmp(bytes + SEGMENT_UUID, header->uuid, 16) != 0 ||
        !has_crc(bytes, MS_SEGMENT_HEADER, SEGMENT_CRC) || segment->count > MS_SEGMENT_MOST ||
        segment->removed > MS_SEGMENT_MOST || segment->first > INT64_MAX)
        return false;
    for (size_t i = 0; i < MS_ALL_COLUMNS; i++) {
        uint64_t size = ms_load_u64(bytes + SEGMENT_COLUMNS + 8 * i);
        bool any_size = i == MS_TEXT || i >= MS_TABLE;
        /* So far below 2^63 that no sum of them overflows. */
        if (any_size ? size > (UINT64_C(1) << 48) || size % 64 != 0
                     : size != ms_column_size(&header->origin, i, segment->count, segment->removed))
            return false;
        segment->columns[i] = size;
    }
    return ms_segment_size(segment->columns) == segment->size;
}

/* ---- records and the table ---- */

void ms_encode_record(const struct ms_record *record, uint8_t bytes[MS_RECORD_SIZE]) {
    ms_store_u64(bytes, record->text);
    ms_store_u32(bytes + 8, record->path_size);
    ms_store_u32(bytes + 12, record->label_size);
    ms_store_u64(bytes + 16, record->size);
    ms_store_u64(bytes + 24, (uint64_t)record->seconds);
    ms_store_u32(bytes + 32, record->nanoseconds);
    ms_store_u32(bytes + 36, record->flags);
    ms_store_u64(bytes + 40, record->device);
    ms_store_u64(bytes + 48, record->inode);
    ms_store_u32(bytes + 56, record->width);
    ms_store_u32(bytes + 60, record->height);
    ms_store_u64(bytes + 64, record->path_key);
    memcpy(bytes + 72, record->content, sizeof record->content);
}

bool ms_decode_record(const uint8_t bytes[MS_RECORD_SIZE], uint64_t text_size,
                      struct ms_record *record) {
    *record = (struct ms_record){.text = ms_load_u64(bytes),
                                 .path_size = ms_load_u32(bytes + 8),
                                 .label_size = ms_load_u32(bytes + 12),
                                 .size = ms_load_u64(bytes + 16),
                                 .seconds = (int64_t)ms_load_u64(bytes + 24),
                                 .nanoseconds = ms_load_u32(bytes + 32),
                                 .flags = ms_load_u32(bytes + 36),
                                 .device = ms_load_u64(bytes + 40),
                                 .inode = ms_load_u64(bytes + 48),
                                 .width = ms_load_u32(bytes + 56),
                                 .height = ms_load_u32(bytes + 60),
                                 .path_key = ms_load_u64(bytes + 64)};
    memcpy(record->content, bytes + 72, sizeof record->content);
    return record->path_size >= 1 && record->path_size <= MS_PATH_MOST &&
           record->label_size <= MS_PATH_MOST &&
           text_size >= record->path_size + record->label_size &&
           record->text <= text_size - record->path_size - record->label_size;
}

void ms_encode_part(const struct ms_part *part, uint8_t bytes[MS_TABLE_ENTRY]) {
    ms_store_u64(bytes, part->offset);
    ms_store_u64(bytes + 8, part->first);
    ms_store_u32(bytes + 16, part->count);
    ms_store_u32(bytes + 20, part->removed);
}

void ms_decode_part(const uint8_t bytes[MS_TABLE_ENTRY], struct ms_part *part) {
    *part = (struct ms_part){ms_load_u64(bytes), ms_load_u64(bytes + 8), ms_load_u32(bytes + 16),
                             ms_load_u32(bytes + 20)};
}
