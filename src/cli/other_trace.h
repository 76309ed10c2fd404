/*
 * Another trace, which minisim trace wrote on another machine or with other kernels, held line by
 * line against what passes here, up to the first line that differs. Nothing in it is trusted.
 */
#ifndef MS_CLI_OTHER_TRACE_H
#define MS_CLI_OTHER_TRACE_H

#include "net/watch.h"

#include <stdio.h>

struct ms_other_trace {
    const char *source; /* for messages */
    char *text, *next;  /* all of it, and the line that comes next */
    size_t line;
    bool broken;       /* it cannot be compared any further: that was said and noted */
    char verdict[640]; /* where it differs, and what that means; "": nowhere so far */
};

/* Reads it; "-" is standard input. false: it cannot be read, which was said and noted. */
bool ms_other_trace_open(struct ms_other_trace *other, const char *path);

/* Compares the next line. `id` is the embedding id here. */
void ms_other_trace_compare(struct ms_other_trace *other, const struct ms_watched *value,
                            const char *id);

/* Behind the last value: writes how it came out and notes the exit status. false: it could not be
 * compared. */
bool ms_other_trace_end(struct ms_other_trace *other, FILE *file);

void ms_other_trace_close(struct ms_other_trace *other);

#endif
