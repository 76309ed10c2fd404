/* NumPy's array of float32, a row each (base/npy.h): for Annoy, hnswlib, ScaNN, sqlite-vec, LanceDB
 * and whatever else has NumPy at hand. Names stand in the file of --ids-out. */
#include "exchange/formats.h"

static bool begin(struct ms_export *x) {
    char header[MS_NPY_HEADER_SIZE];
    ms_npy_header(x->rows, x->dimension, header);
    return fwrite(header, 1, sizeof header, x->file) == sizeof header;
}

static bool row(struct ms_export *x, const struct ms_export_row *r) {
    ms_write_floats(x->file, r->values, x->dimension);
    return true;
}

const struct ms_export_format ms_export_npy = {.name = "npy", .begin = begin, .row = row};
