/*
 * A list of names (--files-from), one a line or ended by NUL, read as far as it is needed. A line
 * that begins with a double quote holds a name as --ids-out writes it, in quotes with C's escapes.
 */
#ifndef MS_CLI_NAMES_H
#define MS_CLI_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Quoted, a byte takes four at most. */
enum { MS_LONGEST_NAME = 4096, MS_LONGEST_LINE = 4 * MS_LONGEST_NAME + 3 };

struct ms_names {
    const char *source; /* for messages */
    int descriptor;
    char end; /* of a name: newline or NUL */
    bool at_end;
    bool failed;  /* reading it, or memory: there are more names than were given */
    bool refused; /* a name was left out: where places in the list count, those behind it are wrong
                   */
    uint64_t line;
    uint64_t total; /* names in the list, counted beforehand; UINT64_MAX: it is no regular file */
    char bytes[16384];
    size_t next, filled;
};

/* `path` may be "-"; it must outlive *names. false: this was said and noted. */
bool ms_names_open(struct ms_names *names, const char *path, bool null_ended);

/* The next name, to be freed; NULL after the last one. Names that are too long or quoted wrongly
 * are said and noted, empty ones skipped. */
char *ms_names_next(struct ms_names *names);

void ms_names_close(struct ms_names *names);

#endif
