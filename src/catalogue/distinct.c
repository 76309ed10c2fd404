/* Pairs that are no duplicates: see distinct.h. A list, sorted as it grows. */
#include "catalogue/distinct.h"

#include "base/error.h"
#include "catalogue/known.h"

#include <stdlib.h>
#include <string.h>

static const char key[] = "not-duplicates";

static minisim_status out_of_memory(minisim_error *error) {
    return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
}

const char *ms_distinct_other(const char *pair) {
    return pair + strlen(pair) + 1;
}

static int compare(const char *pair, const char *first, const char *second) {
    int order = strcmp(pair, first);
    return order ? order : strcmp(ms_distinct_other(pair), second);
}

/* Where the pair is, or would be. */
static size_t find(const struct ms_distinct *d, const char *first, const char *second) {
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(d->pairs[middle], first, second) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static char *join(const char *first, const char *second) {
    size_t a = strlen(first) + 1, b = strlen(second) + 1;
    char *pair = malloc(a + b);
    if (pair) {
        memcpy(pair, first, a);
        memcpy(pair + a, second, b);
    }
    return pair;
}

bool ms_distinct_add(struct ms_distinct *d, const char *path, const char *other) {
    int order = strcmp(path, other);
    const char *first = order < 0 ? path : other, *second = order < 0 ? other : path;
    size_t at = find(d, first, second);
    if (order == 0 || (at < d->count && compare(d->pairs[at], first, second) == 0))
        return true;
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 64;
        char **grown = realloc(d->pairs, capacity * sizeof *grown);
        if (!grown)
            return false;
        d->pairs = grown;
        d->capacity = capacity;
    }
    char *pair = join(first, second);
    if (!pair)
        return false;
    memmove(d->pairs + at + 1, d->pairs + at, (d->count - at) * sizeof *d->pairs);
    d->pairs[at] = pair;
    d->count++;
    return true;
}

void ms_distinct_close(struct ms_distinct *d) {
    for (size_t i = 0; i < d->count; i++)
        free(d->pairs[i]);
    free(d->pairs);
    *d = (struct ms_distinct){.count = 0};
}

/* ---- the note ---- */

/* Takes the pairs of a note, which a NUL follows. */
static minisim_status take(struct ms_distinct *d, const char *value, size_t size,
                           minisim_error *error) {
    const char *end = value + size;
    while (value < end) {
        const char *other = ms_distinct_other(value);
        if (other >= end || ms_distinct_other(other) > end)
            return ms_fail(error, MINISIM_BAD_CATALOGUE,
                           "the catalogue is damaged: its note %s holds half a pair", key);
        if (!ms_distinct_add(d, value, other))
            return out_of_memory(error);
        value = ms_distinct_other(other);
    }
    return MINISIM_OK;
}

minisim_status ms_distinct_read(struct ms_distinct *d, const struct ms_catalogue *c,
                                minisim_error *error) {
    void *value;
    size_t size;
    minisim_status status = ms_catalogue_get_note(c, key, &value, &size, error);
    if (!status && value)
        status = take(d, value, size, error);
    free(value);
    return status;
}

minisim_status ms_distinct_write(const struct ms_distinct *d, struct ms_catalogue *c,
                                 minisim_error *error) {
    size_t size = 0, used = 0;
    for (size_t i = 0; i < d->count; i++)
        size += strlen(d->pairs[i]) + strlen(ms_distinct_other(d->pairs[i])) + 2;
    char *value = malloc(size + 1);
    if (!value)
        return out_of_memory(error);
    for (size_t i = 0; i < d->count; i++) {
        size_t length = strlen(d->pairs[i]) + strlen(ms_distinct_other(d->pairs[i])) + 2;
        memcpy(value + used, d->pairs[i], length);
        used += length;
    }
    minisim_status status = ms_catalogue_set_note(c, key, value, size, error);
    free(value);
    return status;
}

/* ---- close pairs ---- */

/* A judged pair by its records' ids. */
struct judged {
    uint64_t a, b;
};

static int compare_judged(const void *one, const void *other) {
    const struct judged *x = one, *y = other;
    return x->a != y->a ? (x->a < y->a ? -1 : 1) : (x->b > y->b) - (x->b < y->b);
}

/* Looks for the paths' records, the first among the rows; none is no error. */
static minisim_status find_judged(const struct ms_known *rows, const struct ms_known *others,
                                  const char *path, const char *other, struct judged *judged,
                                  size_t *count, minisim_error *error) {
    struct ms_record record;
    uint64_t a, b;
    bool found, both = false;
    minisim_status status = ms_known_path(rows, path, &found, &a, &record, error);
    if (!status && found)
        status = ms_known_path(others, other, &both, &b, &record, error);
    if (status || !both)
        return status;
    judged[(*count)++] = rows == others && a > b ? (struct judged){b, a} : (struct judged){a, b};
    return MINISIM_OK;
}

/* All of them, sorted; *judged is to be freed. */
static minisim_status find_all_judged(const struct ms_distinct *d, const struct ms_known *rows,
                                      const struct ms_known *others, struct judged **judged,
                                      size_t *count, minisim_error *error) {
    minisim_status status = MINISIM_OK;
    *judged = malloc((2 * d->count + 1) * sizeof **judged);
    if (!*judged)
        return out_of_memory(error);
    for (size_t i = 0; !status && i < d->count; i++) {
        const char *path = d->pairs[i], *other = ms_distinct_other(path);
        status = find_judged(rows, others, path, other, *judged, count, error);
        if (!status && rows != others)
            status = find_judged(rows, others, other, path, *judged, count, error);
    }
    qsort(*judged, *count, sizeof **judged, compare_judged);
    return status;
}

minisim_status ms_distinct_drop(const struct ms_distinct *d, const struct ms_catalogue *rows,
                                const struct ms_catalogue *others, struct ms_close_pair *pairs,
                                size_t *count, minisim_error *error) {
    struct ms_known known = {.count = 0}, other_known = {.count = 0};
    struct judged *judged = NULL;
    size_t judged_count = 0, kept = 0;
    if (d->count == 0)
        return MINISIM_OK;
    minisim_status status = ms_known_open(&known, rows, error);
    if (!status && others)
        status = ms_known_open(&other_known, others, error);
    if (!status)
        status = find_all_judged(d, &known, others ? &other_known : &known, &judged, &judged_count,
                                 error);
    for (size_t i = 0; !status && i < *count; i++) {
        struct judged wanted = {pairs[i].a, pairs[i].b};
        if (!bsearch(&wanted, judged, judged_count, sizeof wanted, compare_judged))
            pairs[kept++] = pairs[i];
    }
    if (!status)
        *count = kept;
    free(judged);
    ms_known_close(&known);
    ms_known_close(&other_known);
    return status;
}
