/* minisim compact and minisim merge: whole catalogues, written anew or joined. */
#include "base/text.h"
#include "catalogue/compact.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <unistd.h>

static const struct ms_option compact_options[] = {
    {MS_OPTION_DRY_RUN, "dry-run", 'n', NULL, "say what would go, and change nothing"},
    {MS_OPTION_PROGRESS, "progress", 0, "WHEN", "auto, always or never"},
    {0}};

static const struct ms_option merge_options[] = {
    {MS_OPTION_DRY_RUN, "dry-run", 'n', NULL, "say what would be added, and change nothing"},
    {MS_OPTION_PROGRESS, "progress", 0, "WHEN", "auto, always or never"},
    {0}};

const struct ms_verb ms_verb_compact = {
    "compact",
    "CATALOGUE",
    "write a catalogue anew without what was removed",
    "Writes a catalogue anew, beside the old one, without the room of what was removed or\n"
    "changed, and puts it in its place when it is whole. Ids begin at 0 again. One that is\n"
    "damaged stays as it is: merge takes what is whole over into a new one.\n"
    "\n"
    "  minisim compact shop.msc",
    {compact_options},
    ms_run_compact};

const struct ms_verb ms_verb_merge = {
    "merge",
    "CATALOGUE OTHER...",
    "add other catalogues to one",
    "Adds what other catalogues hold to the first, which is made if it is not there. All\n"
    "must be of the same weights and type. What both have is added once; of a picture that\n"
    "changed in between, the newer counts. So a large collection can be indexed in parts,\n"
    "on several machines. What is damaged is left out, and said.\n"
    "\n"
    "  minisim merge all.msc part1.msc part2.msc",
    {merge_options},
    ms_run_merge};

struct settings {
    bool dry_run;
    int progress;
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const modes[] = {"auto", "always", "never", NULL};
    struct settings *s = settings;
    if (option->id == MS_OPTION_PROGRESS)
        return ms_take_choice(option, value, modes, &s->progress);
    return s->dry_run = true;
}

static bool stop(void *user, uint64_t done) {
    (void)user;
    (void)done;
    ms_progress_step(false);
    return ms_interrupted();
}

/* CANCELLED comes from an interrupt, which says enough. */
static bool fail(const char *path, minisim_status status, const minisim_error *error) {
    return status != MINISIM_CANCELLED && ms_catalogue_failed(path, status, error);
}

static void compact(const char *path, const struct settings *s) {
    struct ms_catalogue *c;
    minisim_error error;
    char number[MS_NUMBER_SIZE];
    if (!ms_open_catalogue(path, &c))
        return;
    uint64_t records = ms_catalogue_count(c), removed = ms_catalogue_removed(c);
    ms_catalogue_close(c);
    if (!s->dry_run) {
        ms_progress_start_rows((enum ms_progress_mode)s->progress, records);
        minisim_status status = ms_catalogue_compact(path, stop, NULL, &error);
        ms_progress_end();
        if (status) {
            fail(path, status, &error);
            return;
        }
    }
    ms_write_name(stdout, path);
    printf(": %s %s removed record%s\n", s->dry_run ? "would drop" : "dropped",
           ms_count_text(removed, number), removed == 1 ? "" : "s");
}

static bool merge_one(struct ms_catalogue *c, const char *path, struct ms_merged *merged) {
    struct ms_catalogue *other;
    minisim_error error;
    if (!ms_open_damaged(path, &other))
        return false;
    minisim_status status = ms_catalogue_merge(c, other, stop, NULL, merged, &error);
    ms_catalogue_close(other);
    if (status == MINISIM_BAD_ARGUMENT) /* of another origin */
        status = MINISIM_BAD_CATALOGUE;
    return status == MINISIM_OK || fail(path, status, &error);
}

static void report(const char *path, const struct settings *s, const struct ms_merged *merged) {
    char text[4][MS_NUMBER_SIZE];
    ms_write_name(stdout, path);
    printf(": %s%s added, %s replaced, %s there already, %s older\n", s->dry_run ? "would be " : "",
           ms_count_text(merged->added, text[0]), ms_count_text(merged->replaced, text[1]),
           ms_count_text(merged->same, text[2]), ms_count_text(merged->older, text[3]));
    if (merged->hurt > 0) {
        ms_complain(path,
                    "%s records of the others are damaged: left out; `minisim verify` names them",
                    ms_count_text(merged->hurt, text[0]));
        ms_note(MS_EXIT_WEIGHTS);
    }
    if (merged->hurt_notes > 0) {
        ms_complain(path, "notes of %s of the others are damaged: left out",
                    ms_count_text(merged->hurt_notes, text[0]));
        ms_note(MS_EXIT_WEIGHTS);
    }
}

static void merge(char **paths, size_t count, const struct settings *s) {
    struct ms_catalogue *c;
    struct ms_merged merged = {0};
    minisim_error error;
    if (!ms_open_damaged(paths[1], &c))
        return;
    struct ms_origin origin = *ms_catalogue_origin(c);
    ms_catalogue_close(c);
    minisim_status status = ms_catalogue_open_writer(paths[0], &origin, &c, &error);
    if (status) {
        fail(paths[0], status, &error);
        return;
    }
    bool good = true;
    for (size_t i = 1; good && i < count; i++)
        good = merge_one(c, paths[i], &merged);
    /* An interrupt keeps what is merged so far; it can be merged again. */
    status = good || ms_interrupted() ? ms_catalogue_commit(c, &error) : MINISIM_OK;
    ms_progress_hide();
    if (status)
        fail(paths[0], status, &error);
    else if (good)
        report(paths[0], s, &merged);
    ms_catalogue_close(c);
}

/* One that is not there yet is as the first of the others. */
static void foresee(char **paths, size_t count, const struct settings *s) {
    struct ms_catalogue **all = calloc(count, sizeof *all);
    struct ms_merged merged = {0};
    minisim_error error;
    bool is_new = access(paths[0], F_OK) != 0, good = all || ms_out_of_memory();
    size_t opened = 0;
    for (size_t i = is_new; good && i < count; i++)
        if ((good = (i > 0 ? ms_open_damaged : ms_open_catalogue)(paths[i], &all[opened])))
            opened++;
    minisim_status status =
        good ? ms_catalogue_foresee_merge(all, opened, is_new, stop, NULL, &merged, &error)
             : MINISIM_OK;
    ms_progress_hide();
    if (status)
        fail(paths[0], status == MINISIM_BAD_ARGUMENT ? MINISIM_BAD_CATALOGUE : status, &error);
    else if (good)
        report(paths[0], s, &merged);
    while (opened > 0)
        ms_catalogue_close(all[--opened]);
    free(all);
}

void ms_run_compact(const struct ms_verb *verb, int argc, char **argv) {
    struct settings s = {0};
    size_t count;
    if (!ms_parse_options(verb, argc, argv, take_option, &s, &count))
        return;
    if (count == 1)
        compact(argv[0], &s);
    else
        ms_refuse_usage("compact takes one CATALOGUE; see minisim compact --help");
}

void ms_run_merge(const struct ms_verb *verb, int argc, char **argv) {
    struct settings s = {0};
    size_t count;
    if (!ms_parse_options(verb, argc, argv, take_option, &s, &count))
        return;
    if (count < 2) {
        ms_refuse_usage("merge takes a CATALOGUE and at least one OTHER; see minisim merge --help");
        return;
    }
    ms_progress_start_rows((enum ms_progress_mode)s.progress, 0);
    if (s.dry_run)
        foresee(argv, count, &s);
    else
        merge(argv, count, &s);
    ms_progress_end();
}
