/* Rows of a NumPy file and their names: see arrays.h. */
#include "cli/arrays.h"

#include "base/error.h"
#include "base/file.h"
#include "cli/console.h"
#include "cli/names.h"
#include "exchange/formats.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool fail(const char *path, minisim_status status, const char *why) {
    if (!ms_interrupted())
        ms_complain(path, "%s", why);
    ms_note(status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM : MS_EXIT_SOME_FAILED);
    return false;
}

static ssize_t read_input(void *cookie, char *bytes, size_t size) {
    (void)cookie;
    return ms_read_patiently(STDIN_FILENO, bytes, size);
}

static minisim_status read_vectors(const char *path, struct ms_vectors *vectors,
                                   minisim_error *error) {
    if (strcmp(path, "-") != 0)
        return ms_read_npy(path, vectors, error);
    FILE *input = fopencookie(NULL, "rb", (cookie_io_functions_t){.read = read_input});
    *error = (minisim_error){"out of memory"};
    if (!input)
        return MINISIM_OUT_OF_MEMORY;
    minisim_status status = ms_read_npy_stream(input, vectors, error);
    fclose(input);
    return status;
}

/* Names for the rows: as many. */
static bool read_names(const char *path, bool null_ended, struct ms_array *array) {
    size_t rows = array->vectors.rows, count = 0;
    struct ms_names list;
    char why[96];
    array->names = calloc(rows, sizeof *array->names);
    if (!array->names)
        return fail(NULL, MINISIM_OUT_OF_MEMORY, "out of memory");
    if (!ms_names_open(&list, path, null_ended))
        return false;
    for (char *name; (name = ms_names_next(&list)); count++)
        if (count < rows)
            array->names[count] = name;
        else
            free(name);
    ms_names_close(&list);
    if (list.refused)
        return false;
    snprintf(why, sizeof why, "it names %zu rows, the array has %zu", count, rows);
    return count == rows || fail(path, MINISIM_BAD_FILE, why);
}

bool ms_read_array(const char *path, const char *ids, bool null_ended, struct ms_array *array) {
    minisim_error error;
    *array = (struct ms_array){.names = NULL};
    minisim_status status = read_vectors(path, &array->vectors, &error);
    if (status != MINISIM_OK)
        return fail(path, status, error.text);
    if (!ids || read_names(ids, null_ended, array))
        return true;
    ms_free_array(array);
    return false;
}

/* The format of a file that begins so; NULL: a NumPy file, or none. */
static const struct ms_export_format *recognise(FILE *file, uint64_t size) {
    uint8_t start[8] = {0};
    if (fread(start, 1, sizeof start, file) != sizeof start || start[0] == 0x93)
        return NULL;
    for (size_t i = 0; ms_export_formats[i]; i++)
        if (ms_export_formats[i]->is && ms_export_formats[i]->is(start, size))
            return ms_export_formats[i];
    return NULL;
}

/* *numbers is to be freed; NULL: the file has none. */
static minisim_status read_file(const char *path, struct ms_vectors *vectors, int64_t **numbers,
                                minisim_error *error) {
    int descriptor;
    uint64_t size;
    *numbers = NULL;
    minisim_status status = ms_file_open(path, &descriptor, &size, error);
    if (status)
        return status;
    FILE *file = fdopen(descriptor, "rb");
    if (!file) {
        close(descriptor);
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    }
    const struct ms_export_format *format = recognise(file, size);
    if (format) {
        rewind(file);
        status = format->read(file, size, vectors, numbers, error);
    }
    fclose(file);
    return format ? status : ms_read_npy(path, vectors, error);
}

static bool name_by_numbers(const int64_t *numbers, struct ms_array *array) {
    size_t rows = array->vectors.rows;
    array->names = calloc(rows, sizeof *array->names);
    for (size_t i = 0; array->names && i < rows; i++)
        if (asprintf(&array->names[i], "%lld", (long long)numbers[i]) < 0)
            return false;
    return array->names != NULL;
}

bool ms_read_exported(const char *path, const char *ids, bool null_ended, struct ms_array *array) {
    minisim_error error;
    int64_t *numbers;
    *array = (struct ms_array){.names = NULL};
    minisim_status status = read_file(path, &array->vectors, &numbers, &error);
    if (status)
        return fail(path, status, error.text);
    bool good = ids       ? read_names(ids, null_ended, array)
                : numbers ? name_by_numbers(numbers, array) || ms_out_of_memory()
                          : fail(path, MINISIM_BAD_FILE, "it holds no names: --ids FILE has them");
    free(numbers);
    if (!good)
        ms_free_array(array);
    return good;
}

void ms_free_array(struct ms_array *array) {
    for (size_t i = 0; array->names && i < array->vectors.rows; i++)
        free(array->names[i]);
    free(array->names);
    free(array->vectors.values);
    *array = (struct ms_array){.names = NULL};
}
