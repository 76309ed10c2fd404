/*
 * What compare prints: the distances of one vector to each other, or of all pairs, for people, as
 * JSON, and as a page. Takes the vectors and their names; measures a block of rows at a time, never
 * all pairs at once, and stops between rows when an interrupt comes.
 */
#ifndef MS_CLI_COMPARISON_H
#define MS_CLI_COMPARISON_H

#include "cli/progress.h"
#include "report/html.h"
#include "vectors/distance.h"

enum { MS_METRICS = 3, MS_ALL_METRICS = MS_METRICS };

/* Their names, in this order; then "all", then NULL. */
extern const char *const ms_metric_names[];

struct ms_comparison {
    const char *path; /* of a file that holds the vectors; NULL: pictures */
    char **names;     /* of the vectors; NULL: they are rows that have none */
    const float *vectors;
    size_t count, dimension;
    const struct ms_kernels *kernels;
    int metric; /* place in ms_metric_names */
    bool matrix;
    size_t query; /* without matrix: the one that the others are compared with */
    enum ms_progress_mode progress;
    struct ms_page *page; /* that shows the pictures, too; NULL: none */
};

/* Prints it, and says and notes which distances there are none of. With fewer than two vectors JSON
 * is an object without distances, and text is nothing. */
void ms_print_comparison(const struct ms_comparison *comparison, bool json);

#endif
