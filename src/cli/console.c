/* Messages, exit status and signals: see console.h. */
#include "cli/console.h"

#include "base/text.h"
#include "cli/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Bit i: statuses[i] was noted. Where several were, the first counts. */
static const int statuses[] = {MS_EXIT_INTERRUPTED, MS_EXIT_USAGE,     MS_EXIT_SYSTEM,
                               MS_EXIT_WEIGHTS,     MS_EXIT_DUPLICATE, MS_EXIT_DIFFERS,
                               MS_EXIT_SOME_FAILED};
enum { STATUS_COUNT = sizeof statuses / sizeof *statuses };
static bool noted[STATUS_COUNT];

static atomic_long interrupted_at; /* the clock's second, from 1 on; 0: never */
static bool pipe_signal_caught, pipe_closed, output_failed;

/* The second one ends the program at once, unless it is the first one told twice: timeout(1)
 * signals both its child and its group. */
static void on_interrupt(int number) {
    enum { TOLD_TWICE_SECONDS = 1 };
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long first = 0, second = (long)now.tv_sec + 1;
    if (!atomic_compare_exchange_strong(&interrupted_at, &first, second) &&
        second - first > TOLD_TWICE_SECONDS) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

/* Leaves alone what the caller chose to ignore (nohup, a shell's background). */
static bool catch_signal(int number, void (*handler)(int)) {
    struct sigaction old, new = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (sigaction(number, NULL, &old) != 0 || old.sa_handler == SIG_IGN)
        return false;
    sigemptyset(&new.sa_mask);
    return sigaction(number, &new, NULL) == 0;
}

void ms_console_start(void) {
    /* A file opened later must not become a standard stream: fill the gap the wrong way round. */
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", i == 0 ? O_WRONLY : O_RDONLY);
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    catch_signal(SIGINT, on_interrupt);
    catch_signal(SIGTERM, on_interrupt);
    catch_signal(SIGHUP, on_interrupt);
    /* Where a caller ignores it, nobody learns how a child process ended. */
    signal(SIGCHLD, SIG_DFL);
    /* A write then fails instead of killing, so that unfinished files can be removed first. */
    pipe_signal_caught = catch_signal(SIGPIPE, SIG_IGN);
    /* The same where a file grows beyond what may be (ulimit -f). */
    catch_signal(SIGXFSZ, SIG_IGN);
}

void ms_complain(const char *path, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    ms_progress_hide();
    fputs("minisim: ", stderr);
    if (path) {
        ms_write_name(stderr, path);
        fputs(": ", stderr);
    }
    vfprintf(stderr, format, arguments);
    putc('\n', stderr);
    va_end(arguments);
}

int ms_note(int status) {
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (statuses[i] == status)
            noted[i] = true;
    return status;
}

bool ms_out_of_memory(void) {
    ms_complain(NULL, "out of memory");
    ms_note(MS_EXIT_SYSTEM);
    return false;
}

int ms_noted_status(void) {
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (noted[i])
            return statuses[i];
    return MS_EXIT_OK;
}

void ms_output_failed(const char *name, int error) {
    ms_note(MS_EXIT_SYSTEM);
    output_failed = true;
    if (error == EPIPE && pipe_signal_caught)
        pipe_closed = true;
    else
        ms_complain(name, "%s", strerror(error));
}

bool ms_interrupted(void) {
    return atomic_load(&interrupted_at) != 0;
}

long ms_read_patiently(int descriptor, void *bytes, unsigned long size) {
    struct pollfd wait = {.fd = descriptor, .events = POLLIN};
    while (!ms_interrupted()) {
        /* The signal may be delivered to another thread, so waiting ends by itself now and then. */
        int ready = poll(&wait, 1, 100);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            continue;
        long count = read(descriptor, bytes, size);
        if (count >= 0 || (errno != EAGAIN && errno != EINTR))
            return count;
    }
    errno = EINTR;
    return -1;
}

bool ms_flush_output(void) {
    if (!output_failed && (fflush(stdout) != 0 || ferror(stdout)))
        ms_output_failed("standard output", errno ? errno : EIO);
    return !output_failed;
}

int ms_console_end(void) {
    bool good = ms_flush_output();
    if (fclose(stdout) != 0 && good)
        ms_output_failed("standard output", errno);
    if (ms_interrupted())
        ms_note(MS_EXIT_INTERRUPTED);
    else if (pipe_closed) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    return ms_noted_status();
}
