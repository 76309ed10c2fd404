/* What minisim calibrate found, as a page: both distributions with the threshold between them, and
 * what other thresholds would do. */
#ifndef MS_CLI_CALIBRATED_H
#define MS_CLI_CALIBRATED_H

#include "pairs/calibration.h"
#include "report/html.h"

struct ms_calibrated {
    const struct ms_calibration *result;
    const char *path;         /* of the catalogue */
    const char *metric;       /* name */
    bool dot;                 /* thresholds are negatives of what people know */
    const double *thresholds; /* [MS_SHOWN] */
};

void ms_show_calibration(const struct ms_calibrated *calibrated, struct ms_page *page);

#endif
