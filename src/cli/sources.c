/* Options of sources: see sources.h. */
#include "cli/sources.h"

#include "cli/console.h"

#include <stdlib.h>

const struct ms_option ms_source_options[] = {
    {MS_OPTION_FILES_FROM, "files-from", 0, "FILE",
     "after the PATHs, take names from a list, one a\nline, in quotes as embed writes them;\n"
     "- is standard input"},
    {MS_OPTION_NULL, "null", '0', NULL,
     "lists of names, read or written, end names\nwith NUL and quote none"},
    {MS_OPTION_EXCLUDE, "exclude", 0, "GLOB",
     "in folders, skip names that match;\nmay be said several times"},
    {MS_OPTION_FOLLOW, "follow", 'L', NULL, "in folders, follow links"},
    {MS_OPTION_PROGRESS, "progress", 0, "WHEN", "auto, always or never"},
    {MS_OPTION_QUIET, "quiet", 'q', NULL, "no progress, no line on what was left out"},
    {0}};

static bool take_source_option(struct ms_sources *sources, const struct ms_option *option,
                               const char *value) {
    static const char *const modes[] = {"auto", "always", "never", NULL};
    int mode;
    switch (option->id) {
    case MS_OPTION_FILES_FROM:
        sources->files_from = value;
        return true;
    case MS_OPTION_NULL:
        return sources->null_ended = true;
    case MS_OPTION_EXCLUDE:
        sources->exclude[sources->exclude_count++] = value;
        return true;
    case MS_OPTION_FOLLOW:
        return sources->follow = true;
    case MS_OPTION_PROGRESS:
        if (!ms_take_choice(option, value, modes, &mode))
            return false;
        sources->progress = (enum ms_progress_mode)mode;
        return true;
    case MS_OPTION_QUIET:
        return sources->quiet = true;
    default:
        return false;
    }
}

bool ms_take_input_option(struct ms_sources *sources, struct ms_picture_settings *pictures,
                          const struct ms_option *option, const char *value) {
    return ms_is_option_of(ms_source_options, option)
               ? take_source_option(sources, option, value)
               : ms_take_picture_option(pictures, option, value);
}

bool ms_check_source_options(struct ms_sources *sources, const char *list, const char *path) {
    if (sources->null_ended && !sources->files_from && !path)
        return ms_refuse_usage("--null is for lists: --files-from%s%s", list ? " or --" : "",
                               list ? list : "");
    if (sources->quiet && sources->progress == MS_PROGRESS_ALWAYS)
        return ms_refuse_usage("--quiet and --progress always contradict each other");
    if (sources->quiet)
        sources->progress = MS_PROGRESS_NEVER;
    return true;
}

bool ms_open_sources(struct ms_sources *sources, int count) {
    sources->walk = true;
    sources->exclude = calloc((size_t)count, sizeof *sources->exclude);
    if (sources->exclude)
        return true;
    return ms_out_of_memory();
}

void ms_close_sources(struct ms_sources *sources) {
    free(sources->exclude);
    sources->exclude = NULL;
}
