#include "cli/results.h"

#include "cli/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool said(const struct ms_output *output, int error) {
    if (error)
        ms_output_failed(output->name, error);
    return error == 0;
}

bool ms_open_result(struct ms_output *output, const char *path) {
    const struct timespec pause = {.tv_nsec = 50000000};
    int error;
    while ((error = ms_output_open(output, path)) == EAGAIN && !ms_interrupted())
        nanosleep(&pause, NULL);
    return ms_interrupted() ? error == 0 : said(output, error);
}

bool ms_send_result(struct ms_output *output) {
    return said(output, ms_output_flush(output));
}

bool ms_settle_result(struct ms_output *output) {
    return said(output, output->file ? ms_output_settle(output) : 0);
}

bool ms_publish_result(struct ms_output *output) {
    return said(output, output->target ? ms_output_publish(output) : 0);
}

bool ms_is_same_output(const char *a, const char *b) {
    if (ms_output_is_stdout(a) || ms_output_is_stdout(b))
        return ms_output_is_stdout(a) && ms_output_is_stdout(b);
    char *first = ms_output_target(a), *second = ms_output_target(b);
    bool same = first && second && strcmp(first, second) == 0;
    free(first);
    free(second);
    return same;
}
