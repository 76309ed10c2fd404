/* See chart.h: counting, then the parts of the drawing. */
#include "report/chart.h"

#include "base/text.h"

/* In units of the drawing, of which a phone shows about one a pixel. */
enum { WIDTH = 400, HEIGHT = 232, LEFT = 12, RIGHT = WIDTH - 12, TOP = 26, BOTTOM = 180 };

void ms_chart_add(struct ms_chart *chart, enum ms_chart_kind kind, const double *values,
                  size_t count) {
    double scale = MS_CHART_BINS / (chart->high - chart->low);
    for (size_t i = 0; i < count; i++) {
        double bin = (values[i] - chart->low) * scale;
        if (bin >= 0 && bin <= MS_CHART_BINS)
            chart->bins[kind][bin < MS_CHART_BINS ? (int)bin : MS_CHART_BINS - 1]++;
    }
}

static double place_of(const struct ms_chart *chart, double value) {
    return LEFT + (RIGHT - LEFT) * (value - chart->low) / (chart->high - chart->low);
}

static void draw_bins(FILE *file, const uint64_t bins[MS_CHART_BINS]) {
    uint64_t most = 1;
    for (int i = 0; i < MS_CHART_BINS; i++)
        most = bins[i] > most ? bins[i] : most;
    fprintf(file, "M%d %d", LEFT, BOTTOM);
    for (int i = 0; i < MS_CHART_BINS; i++)
        fprintf(file, "V%.1fH%.1f", BOTTOM - (BOTTOM - TOP) * (double)bins[i] / (double)most,
                LEFT + (RIGHT - LEFT) * (i + 1.0) / MS_CHART_BINS);
    fprintf(file, "V%dZ", BOTTOM);
}

static void draw_number(FILE *file, double x, int y, const char *anchor, double number) {
    fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%.4g</text>\n", x, y, anchor,
            number + 0.0); /* no -0 */
}

/* Three to five round numbers. */
static void draw_axis(FILE *file, const struct ms_chart *chart) {
    double range = chart->high - chart->low, tens = ms_to_three_digits(range);
    double step = (range * tens < 200 ? 50 : range * tens < 500 ? 100 : 200) / tens;
    double first = (double)(int64_t)(chart->low / step); /* towards 0 */
    fprintf(file, "<path class=\"axis\" d=\"M%d %dH%d\"/>\n", LEFT, BOTTOM, RIGHT);
    for (double k = first * step < chart->low ? first + 1 : first; k * step <= chart->high; k++) {
        double x = place_of(chart, k * step), value = chart->negated ? -k * step : k * step;
        const char *anchor = x < LEFT + 12 ? "start" : x > RIGHT - 12 ? "end" : "middle";
        draw_number(file, x, BOTTOM + 16, anchor, value);
    }
}

static void draw_mark(FILE *file, const struct ms_chart *chart) {
    double x = place_of(chart, chart->mark);
    const char *anchor = x < LEFT + 24 ? "start" : x > RIGHT - 24 ? "end" : "middle";
    fprintf(file, "<path class=\"mark\" d=\"M%.1f %dV%d\"/>\n", x, TOP - 6, BOTTOM);
    draw_number(file, x, TOP - 12, anchor, chart->negated ? -chart->mark : chart->mark);
}

void ms_page_chart(struct ms_page *page, const struct ms_chart *chart, const char *caption) {
    static const char *const classes[] = {"area", "outline"};
    FILE *file = page->file;
    ms_page_figure_begin(page);
    fprintf(file, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Histograms: %s, %s\">\n",
            WIDTH, HEIGHT, chart->names[MS_CHART_AREA], chart->names[MS_CHART_OUTLINE]);
    for (int kind = 0; kind < MS_CHART_KINDS; kind++) {
        int x = LEFT + kind * (RIGHT - LEFT) / 2, y = BOTTOM + 34;
        fprintf(file, "<path class=\"%s\" d=\"", classes[kind]);
        draw_bins(file, chart->bins[kind]);
        fprintf(file, "M%d %dh18v11h-18Z\"/>\n<text x=\"%d\" y=\"%d\">%s</text>\n", x, y, x + 25,
                y + 10, chart->names[kind]);
    }
    draw_axis(file, chart);
    draw_mark(file, chart);
    fputs("</svg>\n", file);
    ms_page_figure_end(page, caption);
}
