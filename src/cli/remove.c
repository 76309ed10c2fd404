/* minisim remove: takes pictures out of a catalogue; their files stay. */
#include "base/text.h"
#include "catalogue/known.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/names.h"
#include "cli/verbs.h"

#include <stdlib.h>

static const struct ms_option remove_options[] = {
    {MS_OPTION_FILES_FROM, "files-from", 0, "FILE",
     "after the PATHs, take names from a list, one a\nline, in quotes as list writes them;\n"
     "- is standard input"},
    {MS_OPTION_NULL, "null", '0', NULL, "the list ends names with NUL and quotes none"},
    {MS_OPTION_DRY_RUN, "dry-run", 'n', NULL, "say what would go, and change nothing"},
    {0}};

const struct ms_verb ms_verb_remove = {
    "remove",
    "CATALOGUE PATH...",
    "take pictures out of a catalogue",
    "Takes pictures out of a catalogue; no file is touched. minisim compact then gives the\n"
    "room back.\n"
    "\n"
    "  minisim remove shop.msc old/photo.jpg",
    {remove_options},
    ms_run_remove};

struct removal {
    const char *path, *files_from;
    bool null_ended, dry_run;
    struct ms_catalogue *catalogue;
    struct ms_known known;
    uint64_t count;
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    struct removal *r = settings;
    if (option->id == MS_OPTION_FILES_FROM)
        r->files_from = value;
    else if (option->id == MS_OPTION_NULL)
        r->null_ended = true;
    else
        r->dry_run = true;
    return true;
}

static bool fail(const struct removal *r, minisim_status status, const minisim_error *error) {
    return ms_catalogue_failed(r->path, status, error);
}

/* By its real path or, as the rows of other models have one, by the name as it is. */
static bool remove_one(struct removal *r, const char *name) {
    char path[MS_PATH_MOST + 1];
    struct ms_record record;
    minisim_error error;
    uint64_t id;
    bool found = false;
    minisim_status status = MINISIM_OK;
    if (ms_real_path(name, path))
        status = ms_known_path(&r->known, path, &found, &id, &record, &error);
    if (!status && !found)
        status = ms_known_path(&r->known, name, &found, &id, &record, &error);
    if (!status && found && !r->dry_run)
        status = ms_catalogue_remove(r->catalogue, id, &error);
    if (status)
        return fail(r, status, &error);
    if (!found) {
        ms_complain(name, "the catalogue has no such picture");
        ms_note(MS_EXIT_SOME_FAILED);
        return true;
    }
    r->count++;
    if (r->dry_run) {
        ms_write_name(stdout, name);
        putchar('\n');
    }
    return true;
}

static void remove_all(struct removal *r, char **names, size_t count) {
    struct ms_names list;
    minisim_error error;
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = remove_one(r, names[i]);
    if (good && r->files_from && ms_names_open(&list, r->files_from, r->null_ended)) {
        for (char *name; good && (name = ms_names_next(&list));) {
            good = remove_one(r, name);
            free(name);
        }
        ms_names_close(&list);
    }
    if (!good || ms_interrupted())
        return;
    minisim_status status = ms_catalogue_commit(r->catalogue, &error);
    if (status)
        fail(r, status, &error);
    else if (!r->dry_run)
        printf("%llu removed\n", (unsigned long long)r->count);
}

void ms_run_remove(const struct ms_verb *verb, int argc, char **argv) {
    struct removal r = {0};
    minisim_error error;
    size_t count;
    if (!ms_parse_options(verb, argc, argv, take_option, &r, &count))
        return;
    if (count == 0 || (count == 1 && !r.files_from)) {
        ms_refuse_usage("remove needs a CATALOGUE and a PATH; see minisim remove --help");
        return;
    }
    r.path = argv[0];
    minisim_status status = ms_catalogue_open_writer(r.path, NULL, &r.catalogue, &error);
    if (!status)
        status = ms_known_open(&r.known, r.catalogue, &error);
    if (status)
        fail(&r, status, &error);
    else
        remove_all(&r, argv + 1, count - 1);
    ms_known_close(&r.known);
    ms_catalogue_close(r.catalogue);
}
