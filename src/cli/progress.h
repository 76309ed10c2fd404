/*
 * One line on standard error that tells how a long run goes: count, rate, time left, failures. It
 * is rewritten in place, and hidden while something else is printed.
 */
#ifndef MS_CLI_PROGRESS_H
#define MS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds of a clock that only goes forward. */
double ms_now(void);

/* Auto: on a terminal, once the work has taken a second. */
enum ms_progress_mode { MS_PROGRESS_AUTO, MS_PROGRESS_ALWAYS, MS_PROGRESS_NEVER };

/* `total` is 0 where it is not known. */
void ms_progress_start(enum ms_progress_mode mode, uint64_t total);

/* There turn out to be more pictures than was thought. */
void ms_progress_forget_total(void);

/* The same for rows of a table. */
void ms_progress_start_rows(enum ms_progress_mode mode, uint64_t total);

/* The same for pairs, many at a time. */
void ms_progress_start_pairs(enum ms_progress_mode mode, uint64_t total);
void ms_progress_reach(uint64_t done);

/* Another picture or row is done. */
void ms_progress_step(bool failed);

void ms_progress_hide(void);
void ms_progress_end(void);

#endif
