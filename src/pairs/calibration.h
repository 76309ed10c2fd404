/*
 * What minisim calibrate measured of a collection: distances of copies to their originals, and of
 * pairs that are no copies of each other. A plain structure that is filled once, and then handed to
 * writers, which only read it; and what follows from it for a threshold. Smaller is closer: of dot
 * products, their negatives.
 */
#ifndef MS_PAIRS_CALIBRATION_H
#define MS_PAIRS_CALIBRATION_H

#include "pairs/copies.h"

struct ms_calibration {
    uint64_t records;          /* in the collection */
    size_t sampled;            /* records that pairs were measured of */
    size_t left_out;           /* of these, copies of another one, by a look at the pixels */
    uint64_t looked_at;        /* pairs, the closest ones */
    size_t copied;             /* originals that copies were made of */
    double *copies[MS_COPIES]; /* [copied], ascending */
    size_t pairs;
    double *unrelated; /* [pairs], ascending */
    double threshold;  /* that is recommended */
};

/* A share of a sample, and between what the share of all is, at 95 %. */
struct ms_share {
    uint64_t found, of;
    double low, high;
};

/* Wilson's score interval (Wilson, "Probable inference, the law of succession, and statistical
 * inference", JASA 22, 1927); of nothing found in n it is up to 3.8 / n, as the rule of three has
 * 3 / n. `of` is 0: from 0 to 1. */
struct ms_share ms_share_of(uint64_t found, uint64_t of);

/* What a threshold does. */
struct ms_outlook {
    struct ms_share copies[MS_COPIES]; /* that are found */
    struct ms_share plain;             /* of those at half size or JPEG quality 30 */
    struct ms_share pairs;             /* that are taken for copies and are none */
    double expected, low, high;        /* how many such pairs a collection of this size has */
};
void ms_calibration_at(const struct ms_calibration *calibration, double threshold,
                       struct ms_outlook *outlook);

/*
 * Sets the threshold that is recommended, for which copies and pairs have to be there: the smallest
 * that finds 99 % of copies at half size or JPEG quality 30 (by the low end of the interval where
 * the sample is large enough to say so; else all of the sample), but none at which more false pairs
 * are expected than there are records, or 10,000. It has three digits. false: no memory.
 */
bool ms_calibration_recommend(struct ms_calibration *calibration);

/* Thresholds to show: what finds some shares of all copies, and the recommended one; ascending.
 * false: no memory. */
enum { MS_SHOWN = 6 };
bool ms_calibration_list(const struct ms_calibration *calibration, double thresholds[MS_SHOWN]);

#endif
