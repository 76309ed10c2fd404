/* fvecs, of collections that engines are measured on: each row is a little-endian int32, how many
 * values, and then these, float32. */
#include "exchange/formats.h"

#include "base/bytes.h"
#include "base/error.h"

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    uint8_t count[4];
    ms_store_u32(count, x->dimension);
    fwrite(count, 1, sizeof count, x->file);
    ms_write_floats(x->file, r->values, x->dimension);
    return true;
}

/* There is no magic: whole rows of that many values fill the file. */
static bool is(const uint8_t start[8], uint64_t size) {
    uint64_t columns = ms_load_u32(start);
    return columns > 0 && columns <= INT32_MAX && size % (4 + 4 * columns) == 0;
}

static minisim_status read(FILE *file, uint64_t size, struct ms_vectors *vectors, int64_t **numbers,
                           minisim_error *error) {
    uint8_t count[4];
    *numbers = NULL;
    if (fread(count, 1, sizeof count, file) != sizeof count || fseeko(file, 0, SEEK_SET) != 0)
        return ms_fail(error, MINISIM_BAD_FILE, "it cannot be read");
    uint64_t columns = ms_load_u32(count), rows = size / (4 + 4 * columns);
    if (rows > SIZE_MAX || columns > SIZE_MAX)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "its rows are too many");
    *vectors = (struct ms_vectors){.rows = (size_t)rows, .columns = (size_t)columns};
    return ms_read_rows(file, count, sizeof count, vectors, error);
}

const struct ms_export_format ms_export_fvecs = {
    .name = "fvecs", .row = row, .is = is, .read = read};
