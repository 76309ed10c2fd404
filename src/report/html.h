/*
 * A page for people: one HTML file that needs nothing else, with pictures inside, and that is
 * written as it comes, a picture at a time in memory. A page has sections; a section has cards (a
 * thumbnail with words), figures and tables.
 *
 * All text is plain: it is escaped here, and nowhere else. A name is shown as everywhere
 * (base/text.h). What cannot be written shows as the stream's error.
 */
#ifndef MS_REPORT_HTML_H
#define MS_REPORT_HTML_H

#include "minisim.h"

#include <stdbool.h>
#include <stdio.h>

struct ms_page {
    FILE *file;
    /* For reading pictures: max_pixels, max_file_size, max_memory, orientation and background. */
    minisim_context_options limits;
    unsigned sections;  /* so far */
    bool out_of_memory; /* at some place: the page lacks something */
};

/* "WHAT NAME" is the title, and `about` a line below it; either may be NULL. `file` and `limits`
 * are set. */
void ms_page_begin(struct ms_page *page, const char *what, const char *name, const char *about);
/* false: it lacks something, for memory. */
bool ms_page_end(struct ms_page *page);

/* The same, of a part. */
void ms_page_section(struct ms_page *page, const char *what, const char *name, const char *about);

struct ms_card {
    const char *name;    /* of the file, shown; the picture is read from there */
    const char *missing; /* why there is no picture to read; NULL: there is one */
    const char *head;    /* what counts most: a distance, a verdict */
    const char *note;    /* more, or NULL */
    bool chosen;         /* set off from the others */
};

/* Cards follow each other in one list, with nothing else between them. A picture that cannot be
 * read leaves a field that says why. */
void ms_page_cards_begin(struct ms_page *page);
void ms_page_card(struct ms_page *page, const struct ms_card *card);
void ms_page_cards_end(struct ms_page *page);

/* A picture from memory, of this type ("image/png"): in a word, for who does not see it, and the
 * sentence that explains it. */
void ms_page_figure(struct ms_page *page, const char *type, const void *bytes, size_t size,
                    const char *word, const char *caption);

/* The same around what the caller draws onto page->file itself, as SVG. */
void ms_page_figure_begin(struct ms_page *page);
void ms_page_figure_end(struct ms_page *page, const char *caption);

/* A table: row by row, cell by cell. A cell whose row or column it names is a heading. */
void ms_page_table_begin(struct ms_page *page, const char *caption);
void ms_page_row_begin(struct ms_page *page);
void ms_page_heading(struct ms_page *page, bool of_row, const char *text);
void ms_page_cell(struct ms_page *page, const char *text);
void ms_page_row_end(struct ms_page *page);
void ms_page_table_end(struct ms_page *page);

#endif
