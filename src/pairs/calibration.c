#include "pairs/calibration.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ms_share ms_share_of(uint64_t found, uint64_t of) {
    const double z = 1.959963984540054; /* the normal distribution's, two-sided 95 % */
    struct ms_share share = {found, of, 0, 1};
    if (of == 0)
        return share;
    double n = (double)of, rate = (double)found / n, scale = 1 + z * z / n;
    double middle = rate + z * z / (2 * n);
    double spread = z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
    share.low = found == 0 ? 0 : (middle - spread) / scale;
    share.high = found == of ? 1 : (middle + spread) / scale;
    return share;
}

/* How many of ascending distances are at most `threshold`. */
static size_t count_up_to(const double *distances, size_t count, double threshold) {
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (distances[middle] <= threshold)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

void ms_calibration_at(const struct ms_calibration *c, double threshold,
                       struct ms_outlook *outlook) {
    double all = (double)c->records * ((double)c->records - 1) / 2;
    size_t plain = 0;
    for (size_t kind = 0; kind < MS_COPIES; kind++) {
        size_t found = count_up_to(c->copies[kind], c->copied, threshold);
        outlook->copies[kind] = ms_share_of(found, c->copied);
        plain += kind < MS_PLAIN_COPIES ? found : 0;
    }
    outlook->plain = ms_share_of(plain, MS_PLAIN_COPIES * (uint64_t)c->copied);
    outlook->pairs = ms_share_of(count_up_to(c->unrelated, c->pairs, threshold), c->pairs);
    outlook->expected = c->pairs ? all * (double)outlook->pairs.found / (double)c->pairs : 0;
    outlook->low = all * outlook->pairs.low;
    outlook->high = all * outlook->pairs.high;
}

static int by_distance(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The distances of the first kinds of copies, ascending, to be freed; NULL: no memory. */
static double *collect(const struct ms_calibration *c, size_t kinds) {
    double *all = malloc((kinds * c->copied + 1) * sizeof *all);
    for (size_t kind = 0; all && kind < kinds; kind++)
        memcpy(all + kind * c->copied, c->copies[kind], c->copied * sizeof *all);
    if (all)
        qsort(all, kinds * c->copied, sizeof *all, by_distance);
    return all;
}

/* Three digits, not smaller (1) or not larger (-1). */
static double round_towards(double value, int direction) {
    if (value == 0 || !isfinite(value))
        return value;
    double unit = ms_to_three_digits(value);
    double digits = value * unit, whole = (double)(int64_t)digits;
    return (direction * (digits - whole) > 0 ? whole + direction : whole) / unit;
}

/* The largest threshold that finds at most so many unrelated pairs. */
static double find_at_most(const struct ms_calibration *c, double pairs) {
    if (pairs >= (double)c->pairs)
        return INFINITY;
    double next = c->unrelated[(size_t)pairs], below = round_towards(next, -1);
    return below < next ? below : round_towards(next - fabs(next) / 500, -1);
}

bool ms_calibration_recommend(struct ms_calibration *c) {
    const double enough = 0.99;
    size_t plain = MS_PLAIN_COPIES * c->copied, wanted = plain;
    double *copies = collect(c, MS_PLAIN_COPIES);
    if (!copies)
        return false;
    while (wanted > 1 && ms_share_of(wanted - 1, plain).low >= enough)
        wanted--;
    double least = round_towards(copies[wanted - 1], 1);
    double records = (double)c->records, bearable = records > 10000 ? records : 10000;
    double most = find_at_most(c, bearable * (double)c->pairs / (records * (records - 1) / 2));
    c->threshold = least < most ? least : most;
    free(copies);
    return true;
}

bool ms_calibration_list(const struct ms_calibration *c, double thresholds[MS_SHOWN]) {
    static const double shares[MS_SHOWN - 1] = {0.25, 0.5, 0.75, 0.9, 0.99};
    double *copies = collect(c, MS_COPIES);
    for (size_t i = 0; copies && i < MS_SHOWN - 1; i++)
        thresholds[i] =
            round_towards(copies[(size_t)(shares[i] * (double)(MS_COPIES * c->copied - 1))], 1);
    thresholds[MS_SHOWN - 1] = c->threshold;
    qsort(thresholds, MS_SHOWN, sizeof *thresholds, by_distance);
    free(copies);
    return copies != NULL;
}
