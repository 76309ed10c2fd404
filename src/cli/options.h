/*
 * The command line of a verb: tables of options drive parsing, help and "did you mean". Options may
 * stand after arguments; "--" ends them; an option's value follows as the next word, after "=", or
 * behind a letter. --json is --format json, done here. What is wrong is said on standard error.
 */
#ifndef MS_CLI_OPTIONS_H
#define MS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One word has one meaning in all verbs. */
enum ms_option_id {
    MS_OPTION_AGAINST,
    MS_OPTION_BACKGROUND,
    MS_OPTION_CPU,
    MS_OPTION_DECODER,
    MS_OPTION_DRY_RUN,
    MS_OPTION_DUMP,
    MS_OPTION_EXCLUDE,
    MS_OPTION_EXCLUDE_SELF,
    MS_OPTION_EXPLAIN,
    MS_OPTION_FILES_FROM,
    MS_OPTION_FOLLOW,
    MS_OPTION_FORMAT,
    MS_OPTION_GEOMETRY,
    MS_OPTION_HELP,
    MS_OPTION_HTML,
    MS_OPTION_ID,
    MS_OPTION_IDS,
    MS_OPTION_IDS_OUT,
    MS_OPTION_JSON,
    MS_OPTION_KEEP,
    MS_OPTION_LABEL,
    MS_OPTION_LABELS,
    MS_OPTION_LABEL_BY,
    MS_OPTION_LINKAGE,
    MS_OPTION_MATRIX,
    MS_OPTION_MAX_DISTANCE,
    MS_OPTION_MAX_FILE_SIZE,
    MS_OPTION_MAX_MEMORY,
    MS_OPTION_MAX_PIXELS,
    MS_OPTION_METRIC,
    MS_OPTION_MIN_SCORE,
    MS_OPTION_NORMALIZE,
    MS_OPTION_NOT_DUPLICATES,
    MS_OPTION_NO_CACHE,
    MS_OPTION_NO_ORIENTATION,
    MS_OPTION_NULL,
    MS_OPTION_ONLY,
    MS_OPTION_OUTPUT,
    MS_OPTION_PREFER,
    MS_OPTION_PREPROCESSED,
    MS_OPTION_PREVIOUS,
    MS_OPTION_PROGRESS,
    MS_OPTION_PRUNE,
    MS_OPTION_QUERY,
    MS_OPTION_QUIET,
    MS_OPTION_RECOMPUTE,
    MS_OPTION_REMEMBER,
    MS_OPTION_REMOVABLE,
    MS_OPTION_RESAMPLE,
    MS_OPTION_ROI,
    MS_OPTION_SAMPLE,
    MS_OPTION_STREAM,
    MS_OPTION_THREADS,
    MS_OPTION_TO,
    MS_OPTION_TOP,
    MS_OPTION_TYPE,
    MS_OPTION_VECTORS,
    MS_OPTION_VERSION,
    MS_OPTION_WEIGHTS,
    MS_OPTION_WHY,
    MS_OPTIONS /* how many there are */
};

struct ms_option {
    enum ms_option_id id;
    const char *name;     /* without the dashes; NULL ends a table */
    char letter;          /* 0: none */
    const char *argument; /* what its value is called, or NULL */
    const char *help;     /* lines of at most 50 characters */
};

struct ms_verb {
    const char *name;
    const char *arguments;             /* as the usage line shows them */
    const char *summary;               /* one line, for the program's help */
    const char *help;                  /* what --help says before the options */
    const struct ms_option *tables[4]; /* NULL behind fewer */
    /* argv[0] is the verb. Gives nothing: ms_note has the exit status. */
    void (*run)(const struct ms_verb *verb, int argc, char **argv);
};

/* Stores one option; false: its value is wrong, and that was said. */
typedef bool (*ms_take_option)(void *settings, const struct ms_option *option, const char *value);

/*
 * Hands all options to `take` and leaves the other words in argv[0] to argv[*count - 1]. false:
 * there is nothing to run, because of --help, --version, or something wrong, which is noted.
 */
bool ms_parse_options(const struct ms_verb *verb, int argc, char **argv, ms_take_option take,
                      void *settings, size_t *count);

/* Is it an entry of that table? */
bool ms_is_option_of(const struct ms_option *table, const struct ms_option *option);

void ms_print_verb_help(FILE *file, const struct ms_verb *verb);

/* Values of options. They say what is wrong and give false. */
bool ms_take_count(const struct ms_option *option, const char *value, uint64_t least, uint64_t most,
                   uint64_t *count);
/* A count above 0; K, M or G behind it stand for `unit` (1000 or 1024), its square, its cube; KB
 * for 1000, KiB for 1024, and so on. */
bool ms_take_size(const struct ms_option *option, const char *value, uint64_t unit, uint64_t *size);
/* A colour as RRGGBB, with # before it or not. */
bool ms_parse_colour(const char *text, uint32_t *colour);
/* One of `names`, which NULL ends; *index is its place. */
bool ms_take_choice(const struct ms_option *option, const char *value, const char *const *names,
                    int *index);
/* "--NAME takes WHAT, not VALUE". Gives false. */
bool ms_refuse_value(const struct ms_option *option, const char *value, const char *what);

/* Wrong usage: prints the line and notes it. Gives false. */
__attribute__((format(printf, 1, 2))) bool ms_refuse_usage(const char *format, ...);

#endif
