/* minisim import: rows that another model or engine wrote become records of a catalogue. A name
 * that is known already gets the new row, where that differs. */
#include "base/json.h"
#include "base/text.h"
#include "catalogue/known.h"
#include "cli/arrays.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/labels.h"
#include "cli/progress.h"
#include "cli/verbs.h"

#include <string.h>
#include <unistd.h>

static const struct ms_option import_options[] = {
    {MS_OPTION_IDS, "ids", 0, "FILE",
     "names of the rows, as embed and export write them;\nwithout, those of a Faiss index are its "
     "ids"},
    {MS_OPTION_LABELS, "labels", 0, "FILE",
     "give rows the labels of a list: a label, a tab\nand a name a line; - is standard input"},
    {MS_OPTION_NULL, "null", '0', NULL, "lists end names with NUL and quote none"},
    {MS_OPTION_TYPE, "type", 0, "TYPE",
     "of a new catalogue's vectors: f32, f16 (usual)\nor i8, of half the size each"},
    {MS_OPTION_PROGRESS, "progress", 0, "WHEN", "auto, always or never"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "text or json"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_import = {
    "import",
    "CATALOGUE FILE",
    "take vectors of another model or engine into a catalogue",
    "Takes the rows of a file into a catalogue, which is made if it is not there: of a NumPy\n"
    "file (.npy), of fvecs, or of Faiss's flat index with ids, recognised by content. - is a\n"
    "NumPy file on standard input. All rows are in memory at once.\n"
    "\n"
    "  minisim import texts.msc texts.npy --ids texts.txt\n"
    "  minisim import faiss.msc --type f32 my.index",
    {import_options},
    ms_run_import};

enum outcome { NEW, CHANGED, UNCHANGED, LEFT_OUT, OUTCOMES };

struct import {
    int type, json; /* type: -1 not said */
    bool null_ended;
    enum ms_progress_mode progress;
    const char *path, *file, *ids_path, *labels_path;
    struct ms_labels labels;
    struct ms_catalogue *catalogue;
    struct ms_known known;
    uint64_t counts[OUTCOMES];
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    static const char *const modes[] = {"auto", "always", "never", NULL};
    struct import *x = settings;
    int mode;
    switch (option->id) {
    case MS_OPTION_IDS:
        x->ids_path = value;
        return true;
    case MS_OPTION_LABELS:
        x->labels_path = value;
        return true;
    case MS_OPTION_NULL:
        return x->null_ended = true;
    case MS_OPTION_TYPE:
        return ms_take_choice(option, value, ms_vector_type_names, &x->type);
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &x->json);
    default:
        if (!ms_take_choice(option, value, modes, &mode))
            return false;
        x->progress = (enum ms_progress_mode)mode;
        return true;
    }
}

static bool check(struct import *x, char **names, size_t count) {
    if (count != 2)
        return ms_refuse_usage("import takes a CATALOGUE and a FILE; see minisim import --help");
    x->path = names[0];
    x->file = names[1];
    if (strcmp(x->file, "-") == 0 && (!x->ids_path || strcmp(x->ids_path, "-") == 0))
        return ms_refuse_usage("rows on standard input need a list of names: --ids FILE");
    const char *inputs[] = {x->file, x->ids_path, x->labels_path};
    int count_inputs = 0;
    for (size_t i = 0; i < 3; i++)
        count_inputs += inputs[i] && strcmp(inputs[i], "-") == 0;
    if (count_inputs > 1)
        return ms_refuse_usage("standard input (-) can be read only once");
    return !x->null_ended || x->ids_path || x->labels_path ||
           ms_refuse_usage("--null is about --ids FILE and --labels FILE");
}

static minisim_status add(struct import *x, const char *name, const float *values, size_t count,
                          minisim_error *error) {
    struct ms_record old, record = ms_record_of(values, count);
    char path[MS_PATH_MOST + 1], old_label[MS_PATH_MOST + 1] = "", room[MS_PATH_MOST + 1];
    const char *label = ms_label_of(&x->labels, name, room);
    uint64_t old_id, id = ms_catalogue_ids(x->catalogue);
    bool found;
    minisim_status status = ms_known_path(&x->known, name, &found, &old_id, &old, error);
    if (!status && found)
        status = ms_catalogue_text(x->catalogue, old_id, &old, path, old_label, error);
    label = label ? label : old_label; /* it stays until there is another */
    bool same = !status && found && strcmp(label, old_label) == 0 &&
                (old.flags & MS_RECORD_NO_FILE) &&
                memcmp(old.content, record.content, sizeof old.content) == 0;
    if (!status)
        x->counts[same ? UNCHANGED : found ? CHANGED : NEW]++;
    if (status || same)
        return status;
    /* Removing comes first: both are then in one commit. */
    if (found)
        status = ms_catalogue_remove(x->catalogue, old_id, error);
    if (!status)
        status = ms_catalogue_add(x->catalogue, &record, name, label, values, error);
    return status ? status : ms_known_add(&x->known, id, error);
}

static void report(const struct import *x) {
    static const char *const names[] = {"new", "changed", "unchanged", "left_out"};
    uint64_t records = ms_catalogue_count(x->catalogue);
    struct ms_json json = {.file = stdout};
    char number[MS_NUMBER_SIZE];
    if (x->json) {
        ms_json_open(&json, NULL, '{');
        ms_json_count(&json, "schema", 1);
        ms_json_name(&json, "catalogue", x->path);
        ms_json_count(&json, "records", records);
        for (size_t i = 0; i < OUTCOMES; i++)
            ms_json_count(&json, names[i], x->counts[i]);
        ms_json_close(&json, '}');
    } else {
        ms_write_name(stdout, x->path);
        printf(": %s record%s", ms_count_text(records, number), records == 1 ? "" : "s");
        for (size_t i = 0; i < OUTCOMES; i++)
            if (x->counts[i] > 0)
                printf(", %s %s", ms_count_text(x->counts[i], number),
                       i == LEFT_OUT ? "left out" : names[i]);
    }
    putchar('\n');
}

static bool is_within(const struct ms_array *array, size_t row, enum ms_vector_type type) {
    size_t n = array->vectors.columns;
    return ms_can_be_stored(type, array->vectors.values + row * n, n);
}

/* A row that the type cannot hold, which is said. */
static bool is_beyond(const struct import *x, enum ms_vector_type type,
                      const struct ms_array *array, size_t row) {
    if (is_within(array, row, type))
        return false;
    ms_complain(x->file,
                "row %zu (counted from 0) was left out: it has a value beyond 65504, which f16 "
                "cannot hold",
                row);
    ms_note(MS_EXIT_SOME_FAILED);
    return true;
}

/* An interrupt keeps what is done. */
static void add_rows(struct import *x, const struct ms_array *array) {
    enum ms_vector_type type = ms_catalogue_origin(x->catalogue)->type;
    size_t columns = array->vectors.columns;
    minisim_error error;
    minisim_status status = ms_known_open(&x->known, x->catalogue, &error);
    bool good = !status;
    ms_progress_start_rows(x->progress, array->vectors.rows);
    for (size_t i = 0; good && i < array->vectors.rows && !ms_interrupted(); i++) {
        bool beyond = is_beyond(x, type, array, i);
        x->counts[LEFT_OUT] += beyond;
        if (!beyond)
            status = add(x, array->names[i], array->vectors.values + i * columns, columns, &error);
        good = !status;
        ms_progress_step(beyond);
    }
    ms_progress_end();
    if (good)
        status = ms_catalogue_commit(x->catalogue, &error);
    if (status) {
        ms_catalogue_failed(x->path, status, &error);
    } else {
        report(x);
        ms_labels_report(&x->labels);
    }
    ms_known_close(&x->known);
}

/* Whether a catalogue that is to be made could hold all rows: once it is there, its type stays. */
static bool can_begin(const struct import *x, enum ms_vector_type type,
                      const struct ms_array *array) {
    size_t row = 0;
    if (access(x->path, F_OK) == 0)
        return true;
    while (row < array->vectors.rows && is_within(array, row, type))
        row++;
    if (row == array->vectors.rows)
        return true;
    ms_complain(x->file,
                "row %zu (counted from 0) has a value beyond 65504, which f16 cannot hold: use "
                "--type f32; nothing was imported",
                row);
    ms_note(MS_EXIT_SOME_FAILED);
    return false;
}

static void import(struct import *x) {
    struct ms_array array;
    minisim_error error;
    bool read = strcmp(x->file, "-") == 0
                    ? ms_read_array(x->file, x->ids_path, x->null_ended, &array)
                    : ms_read_exported(x->file, x->ids_path, x->null_ended, &array);
    if (!read)
        return;
    struct ms_origin origin = {.dimension = (uint32_t)array.vectors.columns,
                               .type = x->type < 0 ? MS_F16 : (enum ms_vector_type)x->type,
                               .any_type = x->type < 0};
    if (array.vectors.columns > MS_DIMENSION_MOST) {
        ms_complain(x->file, "its rows have more than %d values", MS_DIMENSION_MOST);
        ms_note(MS_EXIT_SOME_FAILED);
    } else if (can_begin(x, origin.type, &array)) {
        minisim_status status = ms_catalogue_open_writer(x->path, &origin, &x->catalogue, &error);
        if (status)
            ms_catalogue_failed(x->path, status, &error);
        else
            add_rows(x, &array);
        ms_catalogue_close(x->catalogue);
    }
    ms_free_array(&array);
}

void ms_run_import(const struct ms_verb *verb, int argc, char **argv) {
    struct import x = {.type = -1};
    size_t count;
    if (ms_parse_options(verb, argc, argv, take_option, &x, &count) && check(&x, argv, count) &&
        (!x.labels_path || ms_labels_read(&x.labels, x.labels_path, x.null_ended, false)))
        import(&x);
    ms_labels_free(&x.labels);
}
