/*
 * NumPy's file of one array, as far as vectors need it: written as float32 in rows, read as float32
 * or float64 in one or two dimensions. Nothing in a file is trusted.
 */
#ifndef MS_BASE_NPY_H
#define MS_BASE_NPY_H

#include "minisim.h"

#include <stdio.h>

enum { MS_NPY_HEADER_SIZE = 128 };

/* The header of a file of version 1.0 with `rows` rows of little-endian float32. */
void ms_npy_header(uint64_t rows, uint64_t columns, char header[MS_NPY_HEADER_SIZE]);

/* The same of any array in rows: a type such as "|u1" or "<f4", 1 to 3 dimensions whose numbers
 * have 58 digits together at most. */
void ms_npy_array_header(const char *type, size_t rank, const uint64_t *shape,
                         char header[MS_NPY_HEADER_SIZE]);

/* Writes floats as little-endian bytes on any machine; check the stream for errors. */
void ms_write_floats(FILE *file, const float *values, size_t count);

struct ms_vectors {
    float *values; /* rows x columns, finite */
    size_t rows, columns;
};

/*
 * Reads a file of one or more rows (one dimension is one row). float64 is rounded. On success the
 * caller frees vectors->values. BAD_FILE says what is wrong with it, OUT_OF_MEMORY.
 */
minisim_status ms_read_npy(const char *path, struct ms_vectors *vectors, minisim_error *error);

/* The same from a stream of unknown length, such as standard input; it must end with the array. */
minisim_status ms_read_npy_stream(FILE *file, struct ms_vectors *vectors, minisim_error *error);

#endif
