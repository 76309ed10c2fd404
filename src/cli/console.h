/*
 * What every part of the program says to the person who runs it: messages on standard error, the
 * exit status, and whether an interrupt came.
 */
#ifndef MS_CLI_CONSOLE_H
#define MS_CLI_CONSOLE_H

#include <stdbool.h>

enum ms_exit {
    MS_EXIT_OK = 0,
    MS_EXIT_SOME_FAILED = 1,
    MS_EXIT_USAGE = 2,
    MS_EXIT_WEIGHTS = 3,
    MS_EXIT_SYSTEM = 4,
    MS_EXIT_DIFFERS = 10,
    MS_EXIT_DUPLICATE = 11,
    MS_EXIT_INTERRUPTED = 130
};

/* To be called once, before anything else: standard streams that are closed are kept so, signals
 * are caught. */
void ms_console_start(void);

/* Prints "minisim: PATH: ..." in one line; `path` may be NULL. */
__attribute__((format(printf, 2, 3))) void ms_complain(const char *path, const char *format, ...);

/* Remembers a status for the end; gives it back. */
int ms_note(int status);

/* Says that memory ran out, and remembers the status. Gives false. */
bool ms_out_of_memory(void);

/* The one of the remembered statuses that counts. */
int ms_noted_status(void);

/* An output that failed with this errno: says so and remembers it. A closed pipe is remembered
 * only: the program then ends by SIGPIPE. */
void ms_output_failed(const char *name, int error);

/* Sends on what was printed on standard output. false: that failed, which is remembered. */
bool ms_flush_output(void);

/* SIGINT, SIGTERM or SIGHUP came: finish what must be whole. Another one kills. */
bool ms_interrupted(void);

/* Reads as read(2), but gives -1 with EINTR as soon as an interrupt comes. */
long ms_read_patiently(int descriptor, void *bytes, unsigned long size);

/* Sends on standard output's last bytes and gives the exit status; or ends by SIGPIPE. */
int ms_console_end(void);

#endif
