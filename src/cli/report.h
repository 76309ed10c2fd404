/* --html FILE: a page (report/html.h) as verbs write it beside what they print. */
#ifndef MS_CLI_REPORT_H
#define MS_CLI_REPORT_H

#include "base/text.h"
#include "cli/batch.h"
#include "cli/results.h"
#include "report/html.h"

#define MS_HTML_OPTION                                                                             \
    {                                                                                              \
        MS_OPTION_HTML, "html", 0, "FILE",                                                         \
            "write that as a page to look at, too: one file\nwith small pictures inside"           \
    }

struct ms_report {
    struct ms_output output; /* closed: nobody asked for a page, or it failed */
    struct ms_page page;
};

/* Whether the page may go there: none of the run's `count` inputs that are no pictures, some of
 * them NULL. To be called before ms_check_sources, which then knows of it. false: said and noted.
 */
bool ms_check_report(struct ms_sources *sources, const char *path, const char *const *inputs,
                     size_t count);

/* The page to write on, or NULL where `path` is. false: said and noted. */
bool ms_open_report(struct ms_report *report, const char *path,
                    const struct ms_picture_settings *settings);
struct ms_page *ms_report_page(struct ms_report *report);

/* Ends the page and puts it into its place if the run went well and it has a section; what fails is
 * said and noted. Does nothing where there is none. */
void ms_close_report(struct ms_report *report);

/* A distance or product as pages show it, and with that word before it. */
enum { MS_SHOWN_DISTANCE = MS_NUMBER_SIZE + 16 };
const char *ms_shown_value(double value, char text[MS_NUMBER_SIZE]);
const char *ms_shown_distance(double value, bool dot, char text[MS_SHOWN_DISTANCE]);

/* A picture's size and its file's, and whether that changed since: the note of a card. */
enum { MS_FILE_NOTE = 96 };
struct ms_record;
const char *ms_file_note(const char *path, const struct ms_record *record, char note[MS_FILE_NOTE]);

#endif
