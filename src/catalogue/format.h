/*
 * The structures of a catalogue file (FORMAT.md) and their bytes. Decoding trusts nothing: what it
 * gives holds every rule that can be seen from the structure alone, and every sum of sizes fits.
 */
#ifndef MS_CATALOGUE_FORMAT_H
#define MS_CATALOGUE_FORMAT_H

#include "catalogue/catalogue.h"

enum {
    MS_PAGE = 4096,            /* header, slots and segments begin at a multiple */
    MS_SEGMENTS_BEGIN = 12288, /* behind header and slots */
    MS_CHECKED = 65536,        /* bytes of a column with a checksum of their own */
    MS_SEGMENT_HEADER = 192,
    MS_RECORD_SIZE = 104,
    MS_TABLE_ENTRY = 24,
    MS_TABLE_MOST = 64 << 20, /* bytes of one */
    MS_SEGMENT_MOST = 65536   /* records, and removed ids */
};

enum ms_column {
    MS_VECTORS,
    MS_SCALES,
    MS_NORMS,
    MS_RECORDS,
    MS_TEXT,
    MS_REMOVED,
    MS_TABLE,
    MS_NOTES,
    MS_COLUMNS,         /* that we know */
    MS_ALL_COLUMNS = 16 /* that a segment may have */
};

struct ms_header {
    struct ms_origin origin;
    uint8_t uuid[16];
    bool read_only; /* a newer program may have written what this one would break */
};

/* What is committed. */
struct ms_commit {
    uint64_t generation, end, segments, ids, removed;
    uint64_t table, notes; /* offsets of the newest segments that have such; 0: none has */
};

struct ms_segment {
    uint64_t offset, generation, size, first;
    uint32_t count, removed, checksums_crc;
    uint64_t columns[MS_ALL_COLUMNS]; /* bytes, fillers included */
};

/* What a reader keeps of each segment. */
struct ms_part {
    uint64_t offset, first;
    uint32_t count, removed;
};

static inline uint64_t ms_up_to(uint64_t n, uint64_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

/* Bytes from vector to vector. */
uint64_t ms_vector_stride(const struct ms_origin *origin);

void ms_encode_header(const struct ms_header *header, uint8_t bytes[MS_PAGE]);
minisim_status ms_decode_header(const uint8_t bytes[MS_PAGE], struct ms_header *header,
                                minisim_error *error);

void ms_encode_commit(const struct ms_commit *commit, const uint8_t uuid[16],
                      uint8_t bytes[MS_PAGE]);
bool ms_decode_commit(const uint8_t bytes[MS_PAGE], const uint8_t uuid[16],
                      struct ms_commit *commit);

/* The size of a segment follows from its columns. */
uint64_t ms_segment_size(const uint64_t columns[MS_ALL_COLUMNS]);
/* Where a column begins in its segment; MS_ALL_COLUMNS: where the last one ends. */
uint64_t ms_column_begin(const struct ms_segment *segment, size_t column);
/* How many checksums the columns before this one have. */
uint64_t ms_checksums_before(const uint64_t columns[MS_ALL_COLUMNS], size_t column);
/* The bytes that a column of so many entries has; TEXT, TABLE, NOTES: 0, they are of any size. */
uint64_t ms_column_size(const struct ms_origin *origin, size_t column, uint64_t count,
                        uint64_t removed);

void ms_encode_segment(const struct ms_segment *segment, const uint8_t uuid[16],
                       uint8_t bytes[MS_SEGMENT_HEADER]);
/* The segment at `offset`. false: there is none, or a damaged one. */
bool ms_decode_segment(const uint8_t bytes[MS_SEGMENT_HEADER], uint64_t offset,
                       const struct ms_header *header, struct ms_segment *segment);

void ms_encode_record(const struct ms_record *record, uint8_t bytes[MS_RECORD_SIZE]);
/* false: it cannot stand in a segment with so many bytes of TEXT. */
bool ms_decode_record(const uint8_t bytes[MS_RECORD_SIZE], uint64_t text_size,
                      struct ms_record *record);

void ms_encode_part(const struct ms_part *part, uint8_t bytes[MS_TABLE_ENTRY]);
void ms_decode_part(const uint8_t bytes[MS_TABLE_ENTRY], struct ms_part *part);

#endif
