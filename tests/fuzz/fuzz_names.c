/*
 * Lists of names, and what is done with them: each is written in quotes and read back; few of them
 * then name the rows of an array, through all of `compare --vectors --ids`. The first byte says
 * what ends names, how the distances are printed, and whether there are as many rows. (libFuzzer:
 * -close_fd_mask=3 for the messages.)
 */
#include "base/npy.h"
#include "base/text.h"
#include "cli/names.h"
#include "cli/verbs.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { null_ended = 1, as_json = 2, as_matrix = 4, one_row_more = 8, rows_max = 8, columns = 3 };

/* A file that has no name, but one in /proc. */
struct file {
    int descriptor;
    char path[32];
};

static struct file new_file(void) {
    struct file file = {.descriptor = memfd_create("fuzz", 0)};
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.descriptor);
    return file;
}

static bool fill(const struct file *file, const void *bytes, size_t size) {
    return ftruncate(file->descriptor, 0) == 0 &&
           pwrite(file->descriptor, bytes, size, 0) == (ssize_t)size;
}

/* Quoted as --ids-out does, a name fills a line and comes back. */
static void check_quotes(const char *name) {
    char line[MS_LONGEST_LINE + 1] = "";
    FILE *stream = fmemopen(line, sizeof line, "w");
    if (!stream)
        return;
    ms_write_name(stream, name);
    if (fclose(stream) != 0 || strpbrk(line, "\n\r\033") || !ms_read_name(line) ||
        strcmp(line, name) != 0)
        abort();
}

static size_t read_names(const char *path, bool nulls) {
    struct ms_names names;
    size_t count = 0;
    if (!ms_names_open(&names, path, nulls))
        return 0;
    for (char *name; (name = ms_names_next(&names)); count++) {
        if (!*name || strlen(name) > MS_LONGEST_NAME)
            abort();
        check_quotes(name);
        free(name);
    }
    ms_names_close(&names);
    return count;
}

static void compare(const struct file *names, const struct file *array, size_t rows, int how) {
    char bytes[MS_NPY_HEADER_SIZE + 4 * columns * (rows_max + 1)] = "";
    ms_npy_header(rows, columns, bytes);
    for (size_t i = 0; i < columns * rows; i++) /* numbers from 2 on */
        memcpy(bytes + MS_NPY_HEADER_SIZE + 4 * i, (char[]){0, 0, (char)(i * i % 97), 64}, 4);
    if (!fill(array, bytes, MS_NPY_HEADER_SIZE + 4 * columns * rows))
        return;
    const char *words[8] = {"compare", "--vectors", array->path, "--ids", names->path};
    int count = 5;
    if (how & null_ended)
        words[count++] = "-0";
    if (how & as_json)
        words[count++] = "--json";
    if (how & as_matrix)
        words[count++] = "--matrix";
    ms_verb_compare.run(&ms_verb_compare, count, (char **)words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct file names, array;
    if (size < 1)
        return 0;
    if (!names.descriptor) {
        names = new_file();
        array = new_file();
    }
    if (!fill(&names, data + 1, size - 1))
        return 0;
    size_t rows = read_names(names.path, data[0] & null_ended);
    if (rows > 0 && rows <= rows_max)
        compare(&names, &array, rows + !!(data[0] & one_row_more), data[0]);
    return 0;
}
