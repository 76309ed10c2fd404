/*
 * minisim export: a catalogue's vectors as another engine reads them. First is found what an
 * earlier export had already, and what is gone since; then the rows go, one by one, to the format
 * (exchange/formats.h) and their names to a list; at last both appear under their names.
 */
#include "exchange/formats.h"

#include "base/error.h"
#include "base/text.h"
#include "catalogue/known.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/names.h"
#include "cli/progress.h"
#include "cli/results.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ms_option export_options[] = {
    {MS_OPTION_TO, "to", 0, "FORMAT",
     "npy: NumPy's array; csv; fvecs\nfaiss: an index that faiss.read_index loads\n"
     "pgvector: SQL for psql -f\nmilvus: JSON files for its bulk import, in a\nfolder\n"
     "vertex: JSON files for Vertex AI Vector Search,\nin a folder\n"
     "qdrant, pinecone: requests, one a line"},
    {MS_OPTION_OUTPUT, "output", 'o', "FILE",
     "write there; nothing half-done stands there. A\nfolder must be a new one"},
    {MS_OPTION_IDS_OUT, "ids-out", 0, "FILE",
     "write the rows' names there, as embed does; npy,\nfvecs, faiss and vertex need it"},
    {MS_OPTION_PREVIOUS, "previous", 0, "FILE",
     "the names of earlier exports, which are left out;\nwhat is gone since is listed on standard "
     "output,\nand the engine told where the format can.\nA picture that changed keeps its name"},
    {MS_OPTION_NULL, "null", '0', NULL, "lists end names with NUL and quote none"},
    {MS_OPTION_NORMALIZE, "normalize", 0, NULL, "scale vectors to length 1"},
    {MS_OPTION_METRIC, "metric", 0, "METRIC",
     "of faiss' and pgvector's index: cosine (usual),\neuclidean or dot"},
    {MS_OPTION_PROGRESS, "progress", 0, "WHEN", "auto, always or never"},
    {0}};

const struct ms_verb ms_verb_export = {
    "export",
    "CATALOGUE",
    "write a catalogue for another engine",
    "Writes the vectors of a catalogue as another engine reads them, in the order in which\n"
    "they were added. A name that no text can hold, as it is no UTF-8 or has control\n"
    "characters, is in quotes with C's escapes, and import reads it back. Ids are made from\n"
    "names: the same from one export to the next.\n"
    "\n"
    "  minisim export shop.msc --to npy -o shop.npy --ids-out shop.txt\n"
    "  minisim export shop.msc --to pgvector -o shop.sql && psql -f shop.sql",
    {export_options},
    ms_run_export};

/* Vectors that are read at once. */
enum { AT_ONCE = 64 };

struct export {
    const struct ms_export_format *format;
    int metric;
    bool metric_said, normalize, null_ended;
    enum ms_progress_mode progress;
    const char *path, *output_path, *ids_path, *previous;
    struct ms_catalogue *catalogue;
    uint8_t *had; /* a bit for each id: an earlier export had it; NULL: none was named */
    FILE *gone;   /* names of what is not there any more, ended by NUL */
    struct ms_output output, ids;
    struct ms_folder folder;
    struct ms_export to;
    struct ms_stored block; /* vectors from id `first` on */
    uint64_t first;
    float *values;
    FILE *texts[2]; /* where a name and a label are written as text, and what is written: */
    char *text[2];
    size_t text_size[2];
};

static bool take_format(struct export *x, const struct ms_option *option, const char *value) {
    const char *names[16] = {NULL};
    int index;
    for (size_t i = 0; ms_export_formats[i]; i++)
        names[i] = ms_export_formats[i]->name;
    if (!ms_take_choice(option, value, names, &index))
        return false;
    x->format = ms_export_formats[index];
    return true;
}

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const metrics[] = {"cosine", "euclidean", "dot", NULL};
    static const char *const modes[] = {"auto", "always", "never", NULL};
    struct export *x = settings;
    int mode;
    switch (option->id) {
    case MS_OPTION_TO:
        return take_format(x, option, value);
    case MS_OPTION_OUTPUT:
        x->output_path = value;
        return true;
    case MS_OPTION_IDS_OUT:
        x->ids_path = value;
        return true;
    case MS_OPTION_PREVIOUS:
        x->previous = value;
        return true;
    case MS_OPTION_NULL:
        return x->null_ended = true;
    case MS_OPTION_NORMALIZE:
        return x->normalize = true;
    case MS_OPTION_METRIC:
        x->metric_said = true;
        return ms_take_choice(option, value, metrics, &x->metric);
    default:
        if (!ms_take_choice(option, value, modes, &mode))
            return false;
        x->progress = (enum ms_progress_mode)mode;
        return true;
    }
}

/* What is read is not overwritten, and no two things go to one place. */
static bool check_places(const struct export *x) {
    const char *places[] = {x->output_path, x->ids_path, x->path, x->previous};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = i + 1; places[i] && j < 4; j++)
            if (places[j] && !(j == 3 && strcmp(places[j], "-") == 0) &&
                ms_is_same_output(places[i], places[j]))
                return ms_refuse_usage(
                    "%s is named twice; what is written needs a place of its own", places[i]);
    return true;
}

static bool check(const struct export *x, size_t count) {
    const struct ms_export_format *format = x->format;
    if (count != 1)
        return ms_refuse_usage("export takes one CATALOGUE; see minisim export --help");
    if (!format || !x->output_path)
        return ms_refuse_usage("export needs --to FORMAT and -o FILE; see minisim export --help");
    if (x->metric_said && !format->metric)
        return ms_refuse_usage("--metric: %s does not say it; tell the engine", format->name);
    if (!format->names && !x->ids_path)
        return ms_refuse_usage("%s holds no names: say where to with --ids-out FILE", format->name);
    if (x->null_ended && !x->ids_path && !x->previous)
        return ms_refuse_usage("--null is about --ids-out or --previous FILE");
    bool prints = ms_output_is_stdout(x->output_path);
    if (prints && format->folder)
        return ms_refuse_usage("%s needs the name of a new folder: -o FOLDER", format->name);
    if (prints && isatty(STDOUT_FILENO))
        return ms_refuse_usage("this is for no terminal; say where to with -o FILE");
    if (x->previous && (prints || (x->ids_path && ms_output_is_stdout(x->ids_path))))
        return ms_refuse_usage("with --previous, standard output lists what is gone");
    return check_places(x);
}

static void write_listed(FILE *file, const char *name, bool null_ended) {
    if (null_ended)
        fputs(name, file);
    else
        ms_write_name(file, name);
    putc(null_ended ? '\0' : '\n', file);
}

/* ---- what an earlier export had ---- */

static bool spool_failed(void) {
    ms_output_failed("temporary file", errno ? errno : EIO);
    return false;
}

static bool look_up(struct export *x, const struct ms_known *known, const char *name) {
    struct ms_record record;
    minisim_error error;
    uint64_t id;
    bool found;
    minisim_status status = ms_known_path(known, name, &found, &id, &record, &error);
    if (status)
        return ms_catalogue_failed(x->path, status, &error);
    if (!found) {
        fwrite(name, 1, strlen(name) + 1, x->gone);
    } else if (!(x->had[id / 8] >> id % 8 & 1)) {
        x->had[id / 8] |= (uint8_t)(1 << id % 8);
        x->to.rows--;
    }
    return true;
}

/* A list that is read in part would make rows new, and none gone. */
static bool read_previous(struct export *x, const struct ms_known *known, struct ms_names *list) {
    uint64_t count = 0;
    bool good = true;
    for (char *name; good && (name = ms_names_next(list)); count++) {
        good = look_up(x, known, name);
        free(name);
    }
    if (!good || ms_noted_status() != MS_EXIT_OK || ms_interrupted())
        return false;
    if (list->total != UINT64_MAX && count != list->total) {
        ms_complain(list->source, "the list became shorter or longer while it was read");
        ms_note(MS_EXIT_SOME_FAILED);
        return false;
    }
    return true;
}

/* Marks what the list names, and collects what is not there any more. */
static bool find_previous(struct export *x) {
    struct ms_known known;
    struct ms_names list;
    minisim_error error;
    if (!x->previous)
        return true;
    x->had = calloc(1, (size_t)(ms_catalogue_ids(x->catalogue) / 8 + 1));
    if (!x->had)
        return ms_out_of_memory();
    if (!(x->gone = ms_open_spool()))
        return spool_failed();
    minisim_status status = ms_known_open(&known, x->catalogue, &error);
    bool good = status ? ms_catalogue_failed(x->path, status, &error)
                       : ms_names_open(&list, x->previous, x->null_ended);
    if (good) {
        good = read_previous(x, &known, &list);
        ms_names_close(&list);
    }
    ms_known_close(&known);
    return good;
}

/* ---- rows ---- */

/* Says why the format or its stream failed. */
static bool failed(struct export *x, const char *name) {
    const char *output = x->output.name ? x->output.name : x->output_path;
    if (!x->to.error.text[0]) {
        ms_output_failed(output, errno ? errno : EIO);
        return false;
    }
    ms_complain(name ? name : output, "%s", x->to.error.text);
    ms_note(name ? MS_EXIT_SOME_FAILED : MS_EXIT_SYSTEM);
    return false;
}

/* Text that holds any name, until the next one is made. */
static const char *text_of(struct export *x, size_t i, const char *name) {
    rewind(x->texts[i]);
    if (*name)
        ms_write_name(x->texts[i], name);
    putc('\0', x->texts[i]);
    return fflush(x->texts[i]) == 0 ? x->text[i] : NULL;
}

static bool describe(struct export *x, const char *path, const char *label,
                     struct ms_export_row *row) {
    *row = (struct ms_export_row){.name = text_of(x, 0, path), .label = text_of(x, 1, label)};
    if (!row->name || !row->label)
        return ms_out_of_memory();
    ms_export_identify(path, row);
    return true;
}

static bool read_values(struct export *x, uint64_t id, const char *path) {
    minisim_error error;
    if (id - x->first >= x->block.count) {
        minisim_status status = ms_catalogue_vectors(x->catalogue, id, AT_ONCE, &x->block, &error);
        if (status)
            return ms_catalogue_failed(x->path, status, &error);
        x->first = id;
    }
    size_t row = (size_t)(id - x->first);
    if (!ms_stored_is_sound(ms_kernels_choose(NULL), &x->block, row)) {
        ms_fail(&error, MINISIM_BAD_CATALOGUE,
                "the catalogue is damaged: the vector of record %llu; `minisim verify` names all "
                "that is hurt",
                (unsigned long long)id);
        return ms_catalogue_failed(x->path, MINISIM_BAD_CATALOGUE, &error);
    }
    ms_stored_get(&x->block, row, x->values);
    if (x->normalize && minisim_normalize(x->values, x->block.n) != MINISIM_OK) {
        ms_complain(path, "its vector is zero and has no unit length; nothing was exported");
        ms_note(MS_EXIT_SOME_FAILED);
        return false;
    }
    return true;
}

static bool add(void *user, uint64_t id, const struct ms_record *record, const char *path,
                const char *label) {
    struct export *x = user;
    struct ms_export_row row;
    (void)record;
    if (x->had && x->had[id / 8] >> id % 8 & 1)
        return true;
    if (!read_values(x, id, path) || !describe(x, path, label, &row))
        return false;
    row.values = x->values;
    errno = 0;
    if (!x->format->row(&x->to, &row) || (x->to.file && ferror(x->to.file)))
        return failed(x, path);
    if (x->ids_path)
        write_listed(x->ids.file, path, x->null_ended);
    ms_progress_step(false);
    return !ms_interrupted();
}

static bool tell_one(struct export *x, const char *name) {
    struct ms_export_row row;
    if (!describe(x, name, "", &row))
        return false;
    if (x->format->gone && !x->format->gone(&x->to, &row))
        return failed(x, NULL);
    write_listed(stdout, name, x->null_ended);
    return true;
}

/* Tells the engine and the person what is gone. */
static bool tell_gone(struct export *x) {
    char name[MS_LONGEST_NAME + 1];
    size_t length = 0;
    errno = 0;
    if (!x->gone)
        return true;
    if (fflush(x->gone) != 0 || ferror(x->gone) || fseeko(x->gone, 0, SEEK_SET) != 0)
        return spool_failed();
    for (int c; (c = getc(x->gone)) != EOF;) {
        name[length++] = (char)c;
        if (c)
            continue;
        length = 0;
        if (!tell_one(x, name))
            return false;
    }
    return !ferror(x->gone) || spool_failed();
}

/* ---- the whole ---- */

static bool open_memory(struct export *x) {
    const struct ms_origin *origin = ms_catalogue_origin(x->catalogue);
    for (size_t i = 0; i < 2; i++)
        if (!(x->texts[i] = open_memstream(&x->text[i], &x->text_size[i])))
            return ms_out_of_memory();
    x->values = malloc(origin->dimension * sizeof *x->values);
    bool good = x->values && ms_stored_open(&x->block, origin->type, origin->dimension, AT_ONCE);
    x->block.count = 0;
    return good || ms_out_of_memory();
}

static bool open_outputs(struct export *x) {
    if (x->ids_path && !ms_open_result(&x->ids, x->ids_path))
        return false;
    if (!x->format->folder) {
        bool good = ms_open_result(&x->output, x->output_path);
        x->to.file = x->output.file;
        return good;
    }
    int error = ms_folder_open(&x->folder, x->output_path);
    x->to.folder = &x->folder;
    if (error == EEXIST) {
        ms_complain(x->output_path, "this is there already, a folder of results must be new");
        ms_note(MS_EXIT_SYSTEM);
    } else if (error) {
        ms_output_failed(x->output_path, error);
    }
    return error == 0;
}

static bool publish(struct export *x) {
    if (!ms_settle_result(&x->output) || !ms_settle_result(&x->ids))
        return false;
    int error = x->format->folder ? ms_folder_publish(&x->folder) : 0;
    if (error)
        ms_output_failed(x->output_path, error);
    return !error && ms_publish_result(&x->output) && ms_publish_result(&x->ids);
}

static bool write_rows(struct export *x) {
    const struct ms_export_format *format = x->format;
    errno = 0;
    if (format->begin && !format->begin(&x->to))
        return failed(x, NULL);
    ms_progress_start_rows(x->progress, x->to.rows);
    bool good = tell_gone(x) && ms_each_record(x->path, x->catalogue, add, x);
    ms_progress_end();
    errno = 0;
    return good && (!format->end || format->end(&x->to) || failed(x, NULL));
}

static void export(struct export *x) {
    static const minisim_metric metrics[] = {MINISIM_COSINE, MINISIM_EUCLIDEAN, MINISIM_DOT};
    x->to.dimension = ms_catalogue_origin(x->catalogue)->dimension;
    x->to.rows = ms_catalogue_count(x->catalogue);
    x->to.metric = metrics[x->metric];
    if (x->format->most && x->to.dimension > x->format->most) {
        ms_complain(x->path, "its vectors have %u values, %s takes %u at most",
                    (unsigned)x->to.dimension, x->format->name, (unsigned)x->format->most);
        ms_note(MS_EXIT_SOME_FAILED);
    } else if (find_previous(x) && open_memory(x) && open_outputs(x) && write_rows(x)) {
        publish(x);
    }
    ms_output_discard(&x->output);
    ms_output_discard(&x->ids);
    if (x->format->folder && x->to.file)
        fclose(x->to.file);
    ms_folder_discard(&x->folder);
    for (size_t i = 0; i < 2; i++) {
        if (x->texts[i])
            fclose(x->texts[i]);
        free(x->text[i]);
    }
    if (x->gone)
        fclose(x->gone);
    if (x->to.waiting)
        fclose(x->to.waiting);
    free(x->to.bytes);
    free(x->values);
    free(x->had);
    ms_stored_close(&x->block);
}

void ms_run_export(const struct ms_verb *verb, int argc, char **argv) {
    struct export x = {0};
    size_t count;
    if (!ms_parse_options(verb, argc, argv, take_option, &x, &count))
        return;
    x.path = argv[0];
    if (check(&x, count) && ms_open_catalogue(x.path, &x.catalogue)) {
        export(&x);
        ms_catalogue_close(x.catalogue);
    }
}
