/*
 * How close is close: --metric, --max-distance and, for dot products, --min-score. What they do not
 * say, a catalogue may have noted, or the weights' facts.
 */
#ifndef MS_CLI_LIMIT_H
#define MS_CLI_LIMIT_H

#include "catalogue/catalogue.h"
#include "cli/options.h"

struct ms_limit {
    int metric;                           /* place in ms_limit_metrics */
    const char *max_distance, *min_score; /* as they were said, or NULL */
    double value;
    const char *from; /* "option", "catalogue", "weights"; NULL: nobody said it */
};

extern const char *const ms_limit_metrics[]; /* cosine, euclidean, dot, NULL */

/* Stores one of these options. */
bool ms_take_limit_option(struct ms_limit *limit, const struct ms_option *option,
                          const char *value);

/* false: they contradict each other, which was said and noted. */
bool ms_check_limit(const struct ms_limit *limit);

minisim_metric ms_limit_metric(const struct ms_limit *limit);

/* Is a value close enough? It has to be one: finite. */
bool ms_is_close(const struct ms_limit *limit, double value);

/* The catalogue's note, where no option said it. false: its notes cannot be read, which was said
 * and noted. */
bool ms_find_noted_limit(struct ms_limit *limit, const char *path,
                         const struct ms_catalogue *catalogue);

/* The weights' facts, where neither said it: for a collection's many pairs the stricter one. false:
 * they say none either (model NULL: there are no weights), and one is asked for. */
bool ms_find_fact_limit(struct ms_limit *limit, const minisim_model *model);

#endif
