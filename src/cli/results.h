/* A verb's outputs (base/output.h): what fails is said and noted. All give false then, and the
 * output is discarded. */
#ifndef MS_CLI_RESULTS_H
#define MS_CLI_RESULTS_H

#include "base/output.h"

/* `path` is NULL or "-" for standard output. A FIFO opens when somebody reads it. */
bool ms_open_result(struct ms_output *output, const char *path);

/* Sends on what was written so far; the caller set errno to 0 before writing it. */
bool ms_send_result(struct ms_output *output);

/* Everything is written; then to its place. Both do nothing on an output that is closed. */
bool ms_settle_result(struct ms_output *output);
bool ms_publish_result(struct ms_output *output);

/* Do they name the same place? */
bool ms_is_same_output(const char *a, const char *b);

#endif
