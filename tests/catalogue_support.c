/* Mending catalogue files: see catalogue_support.h. */
#include "catalogue_support.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "catalogue/format.h"

#include <string.h>

static void mend(uint8_t *bytes, size_t size, size_t field) {
    ms_store_u32(bytes + field, 0);
    ms_store_u32(bytes + field, ms_crc32c(0, bytes, size));
}

/* The checksums of the columns, and their own. */
static void mend_columns(uint8_t *head, const struct ms_segment *segment) {
    size_t n = 0;
    for (size_t i = 0; i < MS_ALL_COLUMNS; i++) {
        uint64_t size = segment->columns[i], begin = ms_column_begin(segment, i);
        for (uint64_t k = 0; k < size; k += MS_CHECKED, n++) {
            size_t part = size - k < MS_CHECKED ? (size_t)(size - k) : MS_CHECKED;
            ms_store_u32(head + MS_SEGMENT_HEADER + 4 * n, ms_crc32c(0, head + begin + k, part));
        }
    }
    ms_store_u32(head + 40, ms_crc32c(0, head + MS_SEGMENT_HEADER, 4 * n));
}

void mend_catalogue(uint8_t *file, size_t size) {
    mend(file, MS_PAGE, 12);
    mend(file + MS_PAGE, MS_PAGE, 4);
    mend(file + 2 * MS_PAGE, MS_PAGE, 4);
    for (size_t at = MS_SEGMENTS_BEGIN; at + MS_PAGE <= size; at += MS_PAGE) {
        uint8_t *head = file + at;
        struct ms_segment segment = {.offset = at};
        bool small = true;
        if (memcmp(head, "MSEG", 4) != 0)
            continue;
        for (size_t i = 0; i < MS_ALL_COLUMNS; i++) {
            segment.columns[i] = ms_load_u64(head + 64 + 8 * i);
            small = small && segment.columns[i] < size;
        }
        if (small && ms_segment_size(segment.columns) <= size - at)
            mend_columns(head, &segment);
        mend(head, MS_SEGMENT_HEADER, 4);
    }
}
