/*
 * Where results go: standard output or a file. A file is written beside its place under a name of
 * its own and moved there when all is well, so nothing half-written ever stands under its name.
 * What exists and is no regular file (/dev/null, a pipe) is written directly, and so is the file
 * that standard output or standard error is redirected to: they go on where they stand.
 */
#ifndef MS_BASE_OUTPUT_H
#define MS_BASE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct ms_output {
    FILE *file;       /* NULL: closed */
    const char *name; /* for messages */
    char *target;     /* NULL: written directly */
    char *temporary;
};

/* Where a link leads, or would: the path of the file that is written, to be freed; NULL: errno. */
char *ms_output_target(const char *path);

/* Is this standard output: NULL, "-" or another name for what it is redirected to? */
bool ms_output_is_stdout(const char *path);

/*
 * `path` is NULL or "-" for standard output; it must live as long as *output. Functions give 0 or
 * errno. After a failure the output is discarded already. EAGAIN: a FIFO that nobody reads yet;
 * opening it would wait.
 */
int ms_output_open(struct ms_output *output, const char *path);

/* Sends on what was written so far; the caller set errno to 0 before writing it. */
int ms_output_flush(struct ms_output *output);

/* Everything is written: makes sure of it, and closes what is not standard output. */
int ms_output_settle(struct ms_output *output);

/* Moves a settled file to its place. */
int ms_output_publish(struct ms_output *output);

/* Gives up what is not published; does nothing on an output that is closed. */
void ms_output_discard(struct ms_output *output);

/* A stream for reading and writing that has no name and vanishes when closed, or NULL with errno.
 */
FILE *ms_open_spool(void);

/* A stream into memory, as open_memstream gives it; glibc's does not say that memory ran out, but
 * cuts short what is written. NULL: no memory. */
FILE *ms_open_memory(char **bytes, size_t *size);

/* Closes it, or does nothing with NULL. false: no memory, at some time since it was opened. The
 * bytes are to be freed either way. */
bool ms_close_memory(FILE *stream, char *const *bytes);

#endif
