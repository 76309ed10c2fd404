/* How close is close: see limit.h. */
#include "cli/limit.h"

#include "base/error.h"
#include "base/text.h"
#include "cli/catalogues.h"
#include "cli/console.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const ms_limit_metrics[] = {"cosine", "euclidean", "dot", NULL};

minisim_metric ms_limit_metric(const struct ms_limit *limit) {
    static const minisim_metric of[] = {MINISIM_COSINE, MINISIM_EUCLIDEAN, MINISIM_DOT};
    return of[limit->metric];
}

bool ms_take_limit_option(struct ms_limit *limit, const struct ms_option *option,
                          const char *value) {
    if (option->id == MS_OPTION_METRIC)
        return ms_take_choice(option, value, ms_limit_metrics, &limit->metric);
    if (option->id == MS_OPTION_MAX_DISTANCE)
        limit->max_distance = value;
    else
        limit->min_score = value;
    limit->from = "option";
    return ms_parse_number(value, &limit->value) || ms_refuse_value(option, value, "a number");
}

bool ms_check_limit(const struct ms_limit *limit) {
    bool dot = ms_limit_metric(limit) == MINISIM_DOT;
    if (dot ? !limit->max_distance : !limit->min_score)
        return true;
    return ms_refuse_usage("--%s", dot ? "metric dot has no distances: use --min-score"
                                       : "min-score is for --metric dot: use --max-distance");
}

bool ms_is_close(const struct ms_limit *limit, double value) {
    return isfinite(value) &&
           (ms_limit_metric(limit) == MINISIM_DOT ? value >= limit->value : value <= limit->value);
}

bool ms_find_noted_limit(struct ms_limit *limit, const char *path,
                         const struct ms_catalogue *catalogue) {
    char key[32];
    minisim_error error;
    void *value = NULL;
    size_t size;
    if (limit->from)
        return true;
    snprintf(key, sizeof key, "threshold-%s", ms_limit_metrics[limit->metric]);
    minisim_status status = ms_catalogue_get_note(catalogue, key, &value, &size, &error);
    if (!status && value && !ms_parse_number(value, &limit->value))
        status = ms_fail(&error, MINISIM_BAD_CATALOGUE, "its note %s is no number", key);
    else if (!status && value)
        limit->from = "catalogue";
    free(value);
    return status == MINISIM_OK || ms_catalogue_failed(path, status, &error);
}

bool ms_find_fact_limit(struct ms_limit *limit, const minisim_model *model) {
    static const char *const facts[] = {"strict", "duplicates"};
    const char *metric = ms_limit_metrics[limit->metric], *key, *value;
    for (size_t k = 0; k < 2 && model && !limit->from; k++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%s-%s", facts[k], metric);
        for (size_t i = 0; minisim_model_fact(model, i, &key, &value), key; i++)
            if (strcmp(key, wanted) == 0 && ms_parse_number(value, &limit->value))
                limit->from = "weights";
    }
    if (limit->from)
        return true;
    return ms_refuse_usage("nobody knows how close duplicates are here: say --%s; minisim search "
                           "shows how far apart they are%s",
                           ms_limit_metric(limit) == MINISIM_DOT ? "min-score" : "max-distance",
                           model ? ", minisim calibrate measures it" : "");
}
