#include "cli/calibrated.h"

#include "base/text.h"
#include "report/chart.h"

#include <math.h>
#include <string.h>

static const char *shown(const struct ms_calibrated *c, double threshold,
                         char text[MS_NUMBER_SIZE]) {
    return ms_double_text((c->dot ? -threshold : threshold) + 0.0, text);
}

static const char *format(double value, const char *how, char text[MS_NUMBER_SIZE]) {
    snprintf(text, MS_NUMBER_SIZE, how, value);
    return text;
}

static void begin(const struct ms_calibrated *c, struct ms_page *page) {
    const struct ms_calibration *r = c->result;
    char about[256], number[4][MS_NUMBER_SIZE];
    snprintf(about, sizeof about,
             "%s of %s records: copies of %zu, %s pairs of %s that are no copies of each other",
             ms_count_text(r->sampled, number[0]), ms_count_text(r->records, number[1]), r->copied,
             ms_count_text(r->pairs, number[2]),
             ms_count_text(r->sampled - r->left_out, number[3]));
    ms_page_begin(page, "Threshold for", c->path, about);
}

/* Ends of an axis that has room for all. Copies may end in infinities. */
static void widen(struct ms_chart *chart, const double *values, size_t count) {
    while (count > 0 && !isfinite(values[count - 1]))
        count--;
    if (count > 0) {
        chart->low = values[0] < chart->low ? values[0] : chart->low;
        chart->high = values[count - 1] > chart->high ? values[count - 1] : chart->high;
    }
}

static void draw(const struct ms_calibrated *c, struct ms_page *page) {
    const struct ms_calibration *r = c->result;
    struct ms_chart chart = {.low = c->dot || r->threshold < 0 ? r->threshold : 0,
                             .high = r->threshold,
                             .mark = r->threshold,
                             .negated = c->dot,
                             .names = {"copies", "other pairs"}};
    widen(&chart, r->unrelated, r->pairs);
    for (int kind = 0; kind < MS_COPIES; kind++)
        widen(&chart, r->copies[kind], r->copied);
    if (!(chart.low < chart.high))
        chart.high = chart.low + 1;
    for (int kind = 0; kind < MS_COPIES; kind++)
        ms_chart_add(&chart, MS_CHART_AREA, r->copies[kind], r->copied);
    ms_chart_add(&chart, MS_CHART_OUTLINE, r->unrelated, r->pairs);
    ms_page_chart(page, &chart,
                  c->dot ? "How often products occur, larger is closer, and where the threshold is."
                         : "How often distances occur, 0 is the same, and where the threshold is.");
}

static void advise(const struct ms_calibrated *c, struct ms_page *page) {
    const struct ms_calibration *r = c->result;
    char what[64], about[256], number[MS_NUMBER_SIZE], most[MS_NUMBER_SIZE];
    struct ms_outlook at;
    ms_calibration_at(r, r->threshold, &at);
    snprintf(what, sizeof what, "Recommended: %s %s %s", c->metric,
             c->dot ? "product at least" : "distance at most", shown(c, r->threshold, number));
    snprintf(
        about, sizeof about,
        "It finds %.1f %% (%.1f to %.1f) of the copies at half size or JPEG quality 30, with %s "
        "false pairs (at most %s), which --only same leaves out.",
        100.0 * (double)at.plain.found / (double)at.plain.of, 100 * at.plain.low,
        100 * at.plain.high, ms_rough_text(at.expected, number), ms_rough_text(at.high, most));
    ms_page_section(page, what, NULL, about);
    draw(c, page);
}

static void write_row(struct ms_page *page, const char *name, const double values[MS_SHOWN],
                      const char *how) {
    char text[MS_NUMBER_SIZE];
    ms_page_row_begin(page);
    ms_page_heading(page, true, name);
    for (size_t i = 0; i < MS_SHOWN; i++)
        ms_page_cell(page, format(values[i], how, text));
    ms_page_row_end(page);
}

static void write_pairs(struct ms_page *page, const char *name, const double pairs[MS_SHOWN]) {
    char text[MS_NUMBER_SIZE];
    ms_page_row_begin(page);
    ms_page_heading(page, true, name);
    for (size_t i = 0; i < MS_SHOWN; i++)
        ms_page_cell(page, ms_rough_text(pairs[i], text));
    ms_page_row_end(page);
}

/* The recommended one, which is listed, before the others: a phone shows the first few. */
static void order(const struct ms_calibrated *c, double thresholds[MS_SHOWN]) {
    double recommended = c->result->threshold;
    size_t before = 0;
    while (c->thresholds[before] != recommended)
        before++;
    memcpy(thresholds, c->thresholds, MS_SHOWN * sizeof *thresholds);
    memmove(thresholds + 1, thresholds, before * sizeof *thresholds);
    thresholds[0] = recommended;
}

static void begin_table(const struct ms_calibrated *c, const double thresholds[MS_SHOWN],
                        struct ms_page *page, const char *caption) {
    char text[MS_NUMBER_SIZE];
    ms_page_table_begin(page, caption);
    ms_page_row_begin(page);
    snprintf(text, sizeof text, "%s %s", c->metric, c->dot ? "at least" : "at most");
    ms_page_heading(page, true, text);
    for (size_t i = 0; i < MS_SHOWN; i++)
        ms_page_heading(page, false, shown(c, thresholds[i], text));
    ms_page_row_end(page);
}

static void tabulate(const struct ms_calibrated *c, struct ms_page *page) {
    const struct ms_calibration *r = c->result;
    struct ms_outlook at[MS_SHOWN];
    double thresholds[MS_SHOWN], values[3][MS_SHOWN];
    order(c, thresholds);
    for (size_t i = 0; i < MS_SHOWN; i++) {
        ms_calibration_at(r, thresholds[i], &at[i]);
        values[0][i] = at[i].expected;
        values[1][i] = at[i].low;
        values[2][i] = at[i].high;
    }
    ms_page_section(page, "This threshold and others", NULL,
                    "A sample cannot tell more than its size: the last rows say what all pairs of "
                    "the collection may hold.");
    begin_table(c, thresholds, page, "Copies found, %");
    for (size_t kind = 0; kind < MS_COPIES; kind++) {
        double found[MS_SHOWN];
        for (size_t i = 0; i < MS_SHOWN; i++)
            found[i] = 100.0 * (double)at[i].copies[kind].found / (double)at[i].copies[kind].of;
        write_row(page, ms_copy_names[kind], found, "%.1f");
    }
    ms_page_table_end(page);
    begin_table(c, thresholds, page, "False pairs in such a collection");
    write_pairs(page, "expected", values[0]);
    write_pairs(page, "at least (95 %)", values[1]);
    write_pairs(page, "at most (95 %)", values[2]);
    ms_page_table_end(page);
}

void ms_show_calibration(const struct ms_calibrated *calibrated, struct ms_page *page) {
    begin(calibrated, page);
    advise(calibrated, page);
    tabulate(calibrated, page);
}
