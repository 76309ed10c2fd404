/* The line of progress: see progress.h. One for the program, as there is one standard error. */
#include "cli/progress.h"

#include "base/text.h"

#include <time.h>
#include <unistd.h>

static struct {
    bool on;
    const char *what;  /* is counted, one of it */
    double start, due; /* seconds; when to draw next */
    uint64_t total, done, failed;
    int width; /* of the line that is shown */
} progress;

double ms_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void start(enum ms_progress_mode mode, uint64_t total, const char *what) {
    progress.on =
        mode == MS_PROGRESS_ALWAYS || (mode == MS_PROGRESS_AUTO && isatty(STDERR_FILENO) == 1);
    progress.what = what;
    progress.total = total;
    progress.done = progress.failed = 0;
    progress.start = ms_now();
    progress.due = progress.start + (mode == MS_PROGRESS_ALWAYS ? 0 : 1);
}

void ms_progress_forget_total(void) {
    progress.total = 0;
}

void ms_progress_start(enum ms_progress_mode mode, uint64_t total) {
    start(mode, total, "picture");
}

void ms_progress_start_rows(enum ms_progress_mode mode, uint64_t total) {
    start(mode, total, "row");
}

static int print_time_left(char *text, size_t size, double seconds) {
    if (seconds < 60)
        return snprintf(text, size, ", %.0f s left", seconds);
    if (seconds < 3600)
        return snprintf(text, size, ", %.0f min left", seconds / 60);
    return snprintf(text, size, ", %.1f h left", seconds / 3600);
}

static void draw(double time) {
    char done[MS_NUMBER_SIZE], total[MS_NUMBER_SIZE], failed[MS_NUMBER_SIZE], line[160];
    size_t length = 0;
    double rate = (double)progress.done / (time - progress.start + 1e-9);
    length += (size_t)snprintf(line, sizeof line, "%s", ms_count_text(progress.done, done));
    if (progress.total)
        length += (size_t)snprintf(line + length, sizeof line - length, " of %s",
                                   ms_count_text(progress.total, total));
    length += (size_t)snprintf(line + length, sizeof line - length, " %s%s, %.*f/s", progress.what,
                               (progress.total ? progress.total : progress.done) == 1 ? "" : "s",
                               rate < 10 ? 1 : 0, rate);
    if (progress.total > progress.done)
        length += (size_t)print_time_left(line + length, sizeof line - length,
                                          (double)(progress.total - progress.done) / rate);
    if (progress.failed)
        length += (size_t)snprintf(line + length, sizeof line - length, ", %s failed",
                                   ms_count_text(progress.failed, failed));
    int gap = progress.width - (int)length;
    fprintf(stderr, "\r%s%*s", line, gap > 0 ? gap : 0, "");
    fflush(stderr);
    progress.width = (int)length;
}

void ms_progress_start_pairs(enum ms_progress_mode mode, uint64_t total) {
    start(mode, total, "pair");
}

void ms_progress_reach(uint64_t done) {
    progress.done = done;
    if (!progress.on)
        return;
    double time = ms_now();
    if (time < progress.due)
        return;
    draw(time);
    progress.due = time + 0.2;
}

void ms_progress_step(bool failed) {
    progress.failed += failed;
    ms_progress_reach(progress.done + 1);
}

void ms_progress_hide(void) {
    if (progress.width == 0)
        return;
    fprintf(stderr, "\r%*s\r", progress.width, "");
    progress.width = 0;
}

void ms_progress_end(void) {
    ms_progress_hide();
    progress.on = false;
}
