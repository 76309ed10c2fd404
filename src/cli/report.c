#include "cli/report.h"

#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/looks.h"

#include <errno.h>
#include <math.h>

#define NO_BREAK "\xc2\xa0"

bool ms_check_report(struct ms_sources *sources, const char *path, const char *const *inputs,
                     size_t count) {
    if (path && ms_output_is_stdout(path))
        return ms_refuse_usage("the page cannot go to standard output, where the results go");
    sources->outputs[1] = path;
    for (size_t i = 0; i < count; i++)
        if (inputs[i] && ms_refuse_output(sources, inputs[i]))
            return false;
    return true;
}

bool ms_open_report(struct ms_report *report, const char *path,
                    const struct ms_picture_settings *settings) {
    *report = (struct ms_report){.page = {.limits = ms_look_limits(settings)}};
    if (path && !ms_open_result(&report->output, path))
        return false;
    report->page.file = report->output.file;
    return true;
}

struct ms_page *ms_report_page(struct ms_report *report) {
    return report->output.file ? &report->page : NULL;
}

void ms_close_report(struct ms_report *report) {
    int status = ms_noted_status();
    bool whole = !ms_interrupted() && (status == MS_EXIT_OK || status == MS_EXIT_SOME_FAILED);
    if (!report->output.file)
        return;
    /* Without a section, what an earlier run wrote is worth more. */
    if (whole && report->page.sections > 0) {
        errno = 0; /* a disk that is still full says so again */
        if (!ms_page_end(&report->page))
            ms_out_of_memory();
        else if (ms_settle_result(&report->output))
            ms_publish_result(&report->output);
    }
    ms_output_discard(&report->output);
}

const char *ms_shown_value(double value, char text[MS_NUMBER_SIZE]) {
    snprintf(text, MS_NUMBER_SIZE, fabs(value) < 1 ? "%.4f" : "%.4g", value + 0.0); /* no -0 */
    return text;
}

const char *ms_shown_distance(double value, bool dot, char text[MS_SHOWN_DISTANCE]) {
    char number[MS_NUMBER_SIZE];
    snprintf(text, MS_SHOWN_DISTANCE, "%s %s", dot ? "product" : "distance",
             ms_shown_value(value, number));
    return text;
}

/* Three digits are what a person reads. No line ends before the unit. */
static void write_bytes(uint64_t bytes, char text[MS_NUMBER_SIZE]) {
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 999.5 && unit < 4; unit++)
        value /= 1000;
    snprintf(text, MS_NUMBER_SIZE, "%.3g" NO_BREAK "%s", value, units[unit]);
}

const char *ms_file_note(const char *path, const struct ms_record *record,
                         char note[MS_FILE_NOTE]) {
    char size[MS_NUMBER_SIZE];
    write_bytes(record->size, size);
    snprintf(note, MS_FILE_NOTE, "%u" NO_BREAK "x" NO_BREAK "%u, %s%s", (unsigned)record->width,
             (unsigned)record->height, size,
             ms_is_unchanged(path, record) ? "" : "; changed or gone since it was indexed");
    return note;
}
