/* Rows of a NumPy file and their names (--vectors, --ids), for verbs that take them instead of
 * pictures; and of other engines' files, for import. */
#ifndef MS_CLI_ARRAYS_H
#define MS_CLI_ARRAYS_H

#include "base/npy.h"

#include <stdbool.h>

struct ms_array {
    struct ms_vectors vectors;
    char **names; /* NULL: the rows have none */
};

/* `path` and `ids` (may be NULL) may be "-", one of them. false: they cannot be had, which was said
 * and noted, unless an interrupt came. */
bool ms_read_array(const char *path, const char *ids, bool null_ended, struct ms_array *array);
/* The same of any format that export writes and that can be read again. Without `ids` the names are
 * the file's own numbers, where it has some. */
bool ms_read_exported(const char *path, const char *ids, bool null_ended, struct ms_array *array);

void ms_free_array(struct ms_array *array);

#endif
