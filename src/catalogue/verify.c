/*
 * Is a catalogue what was written? Every byte of each segment is read: the checksums' own CRC, each
 * 64 KiB of a column, fillers; then what records point to, and whether vectors are such. Damage is
 * told with the records hurt.
 */
#include "catalogue/file.h"
#include "catalogue/state.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const column_names[MS_COLUMNS] = {
    "vectors", "scales", "norms", "records", "names", "list of removed records", "table", "notes"};

struct check {
    const struct ms_catalogue *c;
    const struct ms_segment *segment;
    ms_say_damage *say;
    void *user;
    bool whole;
    /* The checksums, read in order, a few at a time. */
    uint64_t sum_offset, sums_left;
    size_t sum_next, sum_count;
    uint32_t sums_crc;
    uint8_t sums[4096];
    uint8_t bytes[MS_CHECKED];
};

static void say(struct check *check, const char *what, uint64_t first, uint64_t count) {
    check->whole = false;
    if (check->say)
        check->say(check->user, what, first, count);
}

static void say_segment(struct check *check, const char *what, uint64_t first, uint64_t count) {
    char text[96];
    snprintf(text, sizeof text, "the %s of the segment at byte %llu are damaged", what,
             (unsigned long long)check->segment->offset);
    say(check, text, first, count);
}

/* Damage in bytes `begin` to `end` of a column. Of what has no fixed size, it hurts all records. */
static void say_column(struct check *check, size_t column, uint64_t begin, uint64_t end) {
    const struct ms_segment *segment = check->segment;
    uint64_t each = column == MS_VECTORS   ? ms_vector_stride(&check->c->header.origin)
                    : column == MS_RECORDS ? MS_RECORD_SIZE
                    : column <= MS_NORMS   ? 4
                                           : 0;
    uint64_t first = each ? begin / each : 0;
    uint64_t last = each ? (end + each - 1) / each : segment->count;
    last = column > MS_TEXT ? first : last < segment->count ? last : segment->count;
    say_segment(check, column < MS_COLUMNS ? column_names[column] : "other bytes",
                segment->first + first, last > first ? last - first : 0);
}

static minisim_status next_checksum(struct check *check, uint32_t *sum, minisim_error *error) {
    if (check->sum_next == check->sum_count) {
        uint64_t most = sizeof check->sums / 4;
        check->sum_count = (size_t)(check->sums_left < most ? check->sums_left : most);
        check->sum_next = 0;
        minisim_status status = ms_file_read_at(check->c->descriptor, check->sum_offset,
                                                check->sums, 4 * check->sum_count, error);
        if (status)
            return status;
        check->sums_crc = ms_crc32c(check->sums_crc, check->sums, 4 * check->sum_count);
        check->sum_offset += 4 * check->sum_count;
        check->sums_left -= check->sum_count;
    }
    *sum = ms_load_u32(check->sums + 4 * check->sum_next++);
    return MINISIM_OK;
}

static minisim_status check_column(struct check *check, size_t column, minisim_error *error) {
    const struct ms_segment *segment = check->segment;
    uint64_t size = segment->columns[column];
    uint64_t offset = segment->offset + ms_column_begin(segment, column);
    for (uint64_t at = 0; at < size; at += MS_CHECKED) {
        size_t part = size - at < MS_CHECKED ? (size_t)(size - at) : MS_CHECKED;
        uint32_t sum;
        minisim_status status = next_checksum(check, &sum, error);
        if (!status)
            status = ms_file_read_at(check->c->descriptor, offset + at, check->bytes, part, error);
        if (status)
            return status;
        if (check->c->kernels->crc32c(0, check->bytes, part) != sum)
            say_column(check, column, at, at + part);
    }
    return MINISIM_OK;
}

/* Fillers, of less than a page, are zeros. */
static minisim_status check_filler(struct check *check, uint64_t begin, uint64_t end,
                                   minisim_error *error) {
    size_t size = (size_t)(end - begin), set = 0;
    minisim_status status = ms_file_read_at(check->c->descriptor, check->segment->offset + begin,
                                            check->bytes, size, error);
    for (size_t i = 0; !status && i < size; i++)
        set += check->bytes[i] != 0;
    if (set > 0)
        say_segment(check, "fillers", 0, 0);
    return status;
}

static minisim_status check_segment(struct check *check, minisim_error *error) {
    const struct ms_segment *segment = check->segment;
    uint64_t sums = ms_checksums_before(segment->columns, MS_ALL_COLUMNS);
    check->sum_offset = segment->offset + MS_SEGMENT_HEADER;
    check->sums_left = sums;
    minisim_status status = MINISIM_OK;
    for (size_t i = 0; !status && i < MS_ALL_COLUMNS; i++)
        status = check_column(check, i, error);
    if (!status && check->sums_crc != segment->checksums_crc)
        say_segment(check, "checksums", 0, 0);
    if (!status)
        status =
            check_filler(check, MS_SEGMENT_HEADER + 4 * sums, ms_column_begin(segment, 0), error);
    return status ? status
                  : check_filler(check, ms_column_begin(segment, MS_ALL_COLUMNS), segment->size,
                                 error);
}

minisim_status ms_check_segment(const struct ms_catalogue *c, const struct ms_segment *segment,
                                ms_say_damage *tell, void *user, bool *whole,
                                minisim_error *error) {
    struct check *check = calloc(1, sizeof *check);
    if (!check)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    check->c = c;
    check->segment = segment;
    check->say = tell;
    check->user = user;
    check->whole = true;
    minisim_status status = check_segment(check, error);
    *whole = check->whole;
    free(check);
    return status;
}

/* ---- the whole ---- */

struct verification {
    const struct ms_catalogue *c;
    ms_say_damage *say;
    void *user;
    bool whole;
    uint64_t notes; /* where the last segment with any begins */
    struct ms_stored rows;
};

/* Vectors at once. */
enum { ROWS = 64 };

static void tell(struct verification *v, const char *what, uint64_t first, uint64_t count) {
    v->whole = false;
    if (v->say)
        v->say(v->user, what, first, count);
}

static void tell_lost(struct verification *v) {
    char text[96];
    snprintf(text, sizeof text, "records from %llu on are lost: %llu",
             (unsigned long long)v->c->commit.ids, (unsigned long long)v->c->lost);
    tell(v, text, 0, 0);
}

/* Records point to their own segment, and names have their keys. */
static minisim_status check_records(struct verification *v, const struct ms_part *part,
                                    minisim_error *error) {
    char path[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
    for (uint64_t id = part->first; id < part->first + part->count; id++) {
        struct ms_record record;
        minisim_error cause = {""};
        size_t count;
        minisim_status status = ms_catalogue_records(v->c, id, 1, &record, &count, &cause);
        if (!status)
            status = ms_catalogue_text(v->c, id, &record, path, label, &cause);
        if (!status && record.path_key != ms_path_key(path)) {
            status = MINISIM_BAD_CATALOGUE;
            snprintf(cause.text, sizeof cause.text, "its key is not its name's");
        }
        if (status == MINISIM_BAD_CATALOGUE)
            tell(v, cause.text, id, 1);
        else if (status)
            return ms_fail(error, status, "%s", cause.text);
    }
    return MINISIM_OK;
}

/* Values are finite, and norms are theirs. */
static minisim_status check_vectors(struct verification *v, const struct ms_part *part,
                                    minisim_error *error) {
    for (uint64_t id = part->first; id < part->first + part->count; id += v->rows.count) {
        minisim_status status = ms_catalogue_vectors(v->c, id, ROWS, &v->rows, error);
        if (status)
            return status;
        for (size_t i = 0; i < v->rows.count; i++)
            if (!ms_stored_is_sound(v->c->kernels, &v->rows, i))
                tell(v, "a vector holds what is no number, or has not the norm that it says",
                     id + i, 1);
    }
    return MINISIM_OK;
}

/* Are its notes such? Its checksums are right. */
static minisim_status check_notes(struct verification *v, const struct ms_segment *segment,
                                  minisim_error *error) {
    uint64_t size = segment->columns[MS_NOTES];
    uint8_t *bytes = NULL;
    if (size == 0)
        return MINISIM_OK;
    v->notes = segment->offset;
    minisim_status status =
        size <= MS_NOTES_MOST ? ms_read_column(v->c, segment, MS_NOTES, &bytes, error) : MINISIM_OK;
    if (!status && (!bytes || !ms_are_notes(bytes, (size_t)size)))
        tell(v, "what the notes say is damaged", 0, 0);
    free(bytes);
    return status;
}

static minisim_status verify_part(struct verification *v, const struct ms_part *part, uint64_t end,
                                  minisim_error *error) {
    struct ms_segment segment;
    minisim_error cause = {""};
    bool whole;
    minisim_status status = ms_read_segment(v->c, part, &segment, &cause);
    if (!status && part->offset + segment.size != end)
        status = ms_fail(&cause, MINISIM_BAD_CATALOGUE,
                         "the segment at byte %llu does not end where the next begins",
                         (unsigned long long)part->offset);
    if (!status)
        status = ms_check_segment(v->c, &segment, v->say, v->user, &whole, &cause);
    if (status == MINISIM_BAD_CATALOGUE) { /* the file may end within it, too */
        tell(v, cause.text, part->first, part->count);
        return MINISIM_OK;
    }
    if (status)
        return ms_fail(error, status, "%s", cause.text);
    v->whole = v->whole && whole;
    if (whole)
        status = check_notes(v, &segment, error);
    if (whole && !status)
        status = check_vectors(v, part, error);
    return whole && !status ? check_records(v, part, error) : status;
}

minisim_status ms_catalogue_verify(const struct ms_catalogue *c, ms_say_damage *say_damage,
                                   void *user, minisim_error *error) {
    struct verification v = {.c = c, .say = say_damage, .user = user, .whole = true};
    const struct ms_origin *origin = &c->header.origin;
    minisim_status status = MINISIM_OK;
    if (!ms_stored_open(&v.rows, origin->type, origin->dimension, ROWS))
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < 2; i++)
        if (c->slot_damaged[i])
            tell(&v,
                 i == 0 ? "commit slot 0 is damaged; the other one and what follows it stand"
                        : "commit slot 1 is damaged; the other one and what follows it stand",
                 0, 0);
    if (c->lost)
        tell_lost(&v);
    for (size_t i = 0; !status && i < c->commit.segments; i++)
        status =
            verify_part(&v, &c->parts[i],
                        i + 1 < c->commit.segments ? c->parts[i + 1].offset : c->commit.end, error);
    if (!status && v.whole && c->damage.text[0]) /* a list that contradicts itself */
        tell(&v, c->damage.text, 0, 0);
    if (!status && v.whole && v.notes != c->commit.notes)
        tell(&v, "the commit slot names other notes than the newest", 0, 0);
    ms_stored_close(&v.rows);
    if (!status && !v.whole)
        status =
            ms_fail(error, MINISIM_BAD_CATALOGUE, "the catalogue is damaged; " MS_MERGE_ADVICE);
    return status;
}
