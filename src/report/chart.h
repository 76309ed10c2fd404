/*
 * How often values of two kinds occur, and a mark among them: a histogram, drawn as SVG. It counts
 * values as they come, and keeps none.
 */
#ifndef MS_REPORT_CHART_H
#define MS_REPORT_CHART_H

#include "report/html.h"

#include <stddef.h>
#include <stdint.h>

enum ms_chart_kind { MS_CHART_AREA, MS_CHART_OUTLINE, MS_CHART_KINDS };
enum { MS_CHART_BINS = 64 };

struct ms_chart {
    double low, high;                             /* ends of the axis, low < high */
    double mark;                                  /* between them */
    bool negated;                                 /* the axis shows negatives of the values */
    const char *names[MS_CHART_KINDS];            /* words of the program, without markup */
    uint64_t bins[MS_CHART_KINDS][MS_CHART_BINS]; /* to be zero at first */
};

/* What lies outside the axis is not counted. */
void ms_chart_add(struct ms_chart *chart, enum ms_chart_kind kind, const double *values,
                  size_t count);

/* Each kind is as high as the chart where it is most frequent. */
void ms_page_chart(struct ms_page *page, const struct ms_chart *chart, const char *caption);

#endif
