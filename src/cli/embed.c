/* minisim embed: pictures to embeddings, a row each. */
#include "base/json.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/results.h"
#include "cli/rows.h"
#include "cli/sources.h"
#include "cli/stream.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ms_option embed_options[] = {
    {MS_OPTION_FORMAT, "format", 0, "FORMAT",
     "text: PATH, a tab, values between spaces\njson: JSON Lines\ncsv: a column for each value\n"
     "npy: one float32 array for NumPy\nf32: bare little-endian float32"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {MS_OPTION_OUTPUT, "output", 'o', "FILE", "write there; nothing half-done stands there"},
    {MS_OPTION_IDS_OUT, "ids-out", 0, "FILE",
     "write the rows' names there, one a line; those\nwith control characters or bytes that are "
     "no\n"
     "UTF-8 in quotes, with C's escapes"},
    {MS_OPTION_NORMALIZE, "normalize", 0, NULL, "scale embeddings to length 1"},
    {MS_OPTION_STREAM, "stream", 0, NULL,
     "read pictures one behind the other (JPEG, PNG,\nraw PNM) from standard input and answer each "
     "at\n"
     "once with a line of JSON"},
    {0}};

const struct ms_verb ms_verb_embed = {
    "embed",
    "PATH...",
    "turn pictures into embeddings",
    "Turns pictures into embeddings, one row each, in the order of the PATHs; the names of\n"
    "--files-from come after them. A PATH is a picture, a folder, or - for a picture on\n"
    "standard input. A folder is walked in byte order of its names; hidden entries and links\n"
    "are left out, and files that are no pictures are counted at the end.\n"
    "\n"
    "JSON rows say \"schema\":1, which a change of their meaning would raise; \"path\" is\n"
    "{\"text\":NAME}, or {\"bytes\":BASE64} for a name that is no UTF-8.\n"
    "\n"
    "  minisim embed photo.jpg\n"
    "  minisim embed --format npy -o photos.npy --ids-out photos.txt Photos/\n"
    "  ffmpeg -i film.mp4 -f image2pipe -c:v ppm - | minisim embed --stream",
    {embed_options, ms_source_options, ms_network_options, ms_picture_options},
    ms_run_embed};

struct embed {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    int format; /* -1: not said */
    bool normalize, stream;
    const char *output_path, *ids_path;
    struct ms_output output, ids;
    struct ms_rows rows;
    size_t columns;
    float *unit; /* a row scaled to length 1 */
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", "csv", "npy", "f32", NULL};
    struct embed *e = settings;
    switch (option->id) {
    case MS_OPTION_FORMAT:
        return ms_take_choice(option, value, formats, &e->format);
    case MS_OPTION_OUTPUT:
        e->output_path = value;
        return true;
    case MS_OPTION_IDS_OUT:
        e->ids_path = value;
        return true;
    case MS_OPTION_NORMALIZE:
        return e->normalize = true;
    case MS_OPTION_STREAM:
        return e->stream = true;
    default:
        return ms_take_input_option(&e->sources, &e->pictures, option, value);
    }
}

static bool check_stream(const struct embed *e) {
    const char *other = e->output_path                                ? "output"
                        : e->ids_path                                 ? "ids-out"
                        : e->sources.files_from                       ? "files-from"
                        : e->format >= 0 && e->format != MS_ROWS_JSON ? "format"
                                                                      : NULL;
    if (e->sources.count > 0)
        return ms_refuse_usage("--stream reads standard input: leave out the PATHs");
    return !other ||
           ms_refuse_usage("--stream answers on standard output, in JSON: leave out --%s", other);
}

/* Options that would do nothing are a mistake. */
static bool check(struct embed *e) {
    if (e->stream)
        return check_stream(e);
    e->format = e->format < 0 ? MS_ROWS_TEXT : e->format;
    if (e->sources.count == 0 && !e->sources.files_from)
        return ms_refuse_usage("embed needs at least one PATH; see minisim embed --help");
    if (!ms_check_source_options(&e->sources, "ids-out", e->ids_path))
        return false;
    if (e->ids_path && ms_is_same_output(e->output_path, e->ids_path))
        return ms_refuse_usage("rows and their names cannot go to the same place");
    bool terminal = ms_output_is_stdout(e->output_path) && isatty(STDOUT_FILENO);
    if (terminal && (e->format == MS_ROWS_NPY || e->format == MS_ROWS_F32))
        return ms_refuse_usage("this format is no text for a terminal; say where to with -o FILE");
    if (terminal && e->sources.progress == MS_PROGRESS_AUTO)
        e->sources.progress = MS_PROGRESS_NEVER; /* the rows show it */
    e->sources.outputs[0] = ms_output_is_stdout(e->output_path) ? NULL : e->output_path;
    e->sources.outputs[1] = ms_output_is_stdout(e->ids_path) ? NULL : e->ids_path;
    return ms_check_sources(&e->sources);
}

static const char no_length[] = "its embedding is zero and has no unit length";

static bool write_id(struct embed *e, const char *name) {
    if (!e->ids_path)
        return true;
    if (e->sources.null_ended)
        fputs(name, e->ids.file);
    else
        ms_write_name(e->ids.file, name);
    putc(e->sources.null_ended ? '\0' : '\n', e->ids.file);
    return ms_send_result(&e->ids);
}

/* The row as it was asked for, or NULL: it has no unit length, which was said and noted. */
static const float *scaled(struct embed *e, const char *name, const float *embedding) {
    if (!e->normalize)
        return embedding;
    memcpy(e->unit, embedding, e->columns * sizeof *e->unit);
    if (minisim_normalize(e->unit, e->columns) == MINISIM_OK)
        return e->unit;
    ms_complain(name, no_length);
    ms_note(MS_EXIT_SOME_FAILED);
    return NULL;
}

static bool take_row(void *user, const char *name, const float *embedding) {
    struct embed *e = user;
    const float *row = scaled(e, name, embedding);
    return !row || (ms_rows_add(&e->rows, name, row) && write_id(e, name));
}

static bool take_frame(void *user, uint64_t frame, const float *embedding, const char *error) {
    struct embed *e = user;
    struct ms_json json = {.file = stdout};
    const float *row = embedding ? scaled(e, "standard input", embedding) : NULL;
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_count(&json, "frame", frame);
    if (row)
        ms_json_embedding(&json, row, e->columns);
    else
        ms_json_text(&json, "error", embedding ? no_length : error);
    ms_json_close(&json, '}');
    putchar('\n');
    return ms_flush_output();
}

static void embed(struct embed *e, const struct ms_engine *engine) {
    e->columns = minisim_model_dimension(engine->model);
    e->unit = malloc(e->columns * sizeof *e->unit);
    if (!e->unit) {
        ms_out_of_memory();
    } else if (e->stream) {
        ms_embed_stream(&e->pictures, engine, take_frame, e);
    } else if (ms_open_result(&e->output, e->output_path) &&
               (!e->ids_path || ms_open_result(&e->ids, e->ids_path)) &&
               ms_rows_begin(&e->rows, (enum ms_row_format)e->format, &e->output, e->columns)) {
        ms_embed_sources(&e->sources, &e->pictures, engine, take_row, e);
        int status = ms_noted_status();
        bool whole = !ms_interrupted() && (status == MS_EXIT_OK || status == MS_EXIT_SOME_FAILED);
        /* Without a single row, what an earlier run wrote is worth more. */
        if (whole && e->rows.count > 0 && ms_rows_end(&e->rows) && ms_settle_result(&e->output) &&
            ms_settle_result(&e->ids) && ms_publish_result(&e->output))
            ms_publish_result(&e->ids);
    }
    ms_rows_close(&e->rows);
    ms_output_discard(&e->output);
    ms_output_discard(&e->ids);
    free(e->unit);
}

void ms_run_embed(const struct ms_verb *verb, int argc, char **argv) {
    struct embed e = {.sources = {.names = argv}, .format = -1};
    struct ms_engine engine;
    if (!ms_open_sources(&e.sources, argc))
        return;
    if (ms_parse_options(verb, argc, argv, take_option, &e, &e.sources.count) && check(&e) &&
        ms_open_engine(&e.pictures, e.stream ? 1 : ms_count_sources(&e.sources), &engine)) {
        if (!ms_refuse_output(&e.sources, engine.weights))
            embed(&e, &engine);
        ms_close_engine(&engine);
    }
    ms_close_sources(&e.sources);
}
