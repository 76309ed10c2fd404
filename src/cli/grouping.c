/*
 * From close pairs to groups: see grouping.h. Members first, by id; then their records and paths,
 * the one that the others are measured from, and the distances.
 */
#include "cli/grouping.h"

#include "base/error.h"
#include "cli/catalogues.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static minisim_status out_of_memory(minisim_error *error) {
    return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
}

/* ---- who belongs together ---- */

static bool open_group(struct ms_group *group, size_t count) {
    group->members = calloc(count, sizeof *group->members);
    group->count = group->members ? count : 0;
    return group->members != NULL;
}

static minisim_status take_linked(const struct ms_grouping *g, const struct ms_close_pair *pairs,
                                  size_t count, struct ms_groups *groups, minisim_error *error) {
    struct ms_linked linked;
    minisim_status status = ms_link(pairs, count, g->linkage, &linked, error);
    if (status)
        return status;
    groups->groups = calloc(linked.count + 1, sizeof *groups->groups);
    bool good = groups->groups != NULL;
    for (size_t i = 0; good && i < linked.count; i++) {
        size_t begin = linked.begins[i], members = linked.begins[i + 1] - begin;
        struct ms_group *group = &groups->groups[groups->count++];
        good = open_group(group, members);
        for (size_t k = 0; good && k < members; k++)
            group->members[k].id = linked.ids[begin + k];
    }
    ms_free_linked(&linked);
    return good ? MINISIM_OK : out_of_memory(error);
}

static int compare_by_id(const void *one, const void *other) {
    const struct ms_close_pair *x = one, *y = other;
    return x->a != y->a ? (x->a < y->a ? -1 : 1) : (x->b > y->b) - (x->b < y->b);
}

static minisim_status take_crossing(const struct ms_close_pair *pairs, size_t count,
                                    struct ms_groups *groups, minisim_error *error) {
    struct ms_close_pair *sorted = malloc((count + 1) * sizeof *sorted);
    groups->groups = calloc(count + 1, sizeof *groups->groups);
    bool good = sorted && groups->groups;
    if (good && count > 0) {
        memcpy(sorted, pairs, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare_by_id);
    }
    for (size_t i = 0, end; good && i < count; i = end) {
        for (end = i; end < count && sorted[end].a == sorted[i].a;)
            end++;
        struct ms_group *group = &groups->groups[groups->count++];
        good = open_group(group, end - i + 1);
        if (good)
            group->members[0].id = sorted[i].a;
        for (size_t k = i; good && k < end; k++)
            group->members[k - i + 1] =
                (struct ms_group_member){.id = sorted[k].b, .against = true, .kept = true};
    }
    free(sorted);
    return good ? MINISIM_OK : out_of_memory(error);
}

static const struct ms_catalogue *catalogue_of(const struct ms_pass *pass,
                                               const struct ms_group_member *member) {
    return member->against ? pass->others.catalogue : pass->rows.catalogue;
}

static minisim_status describe(const struct ms_pass *pass, struct ms_group_member *member,
                               minisim_error *error) {
    const struct ms_catalogue *c = catalogue_of(pass, member);
    char path[MS_PATH_MOST + 1];
    size_t count;
    minisim_status status = ms_catalogue_records(c, member->id, 1, &member->record, &count, error);
    if (!status)
        status = ms_catalogue_text(c, member->id, &member->record, path, NULL, error);
    if (!status && !(member->path = strdup(path)))
        status = out_of_memory(error);
    return status;
}

/* ---- which is kept ---- */

static int compare_times(const struct ms_record *a, const struct ms_record *b) {
    if (a->seconds != b->seconds)
        return a->seconds < b->seconds ? -1 : 1;
    return (a->nanoseconds > b->nanoseconds) - (a->nanoseconds < b->nanoseconds);
}

/* Below 0: a is rather kept than b, by this alone. */
static int compare_by(enum ms_keep keep, const struct ms_record *a, const struct ms_record *b) {
    uint64_t a_pixels = (uint64_t)a->width * a->height, b_pixels = (uint64_t)b->width * b->height;
    switch (keep) {
    case MS_KEEP_RESOLUTION:
        return (b_pixels > a_pixels) - (b_pixels < a_pixels);
    case MS_KEEP_BYTES:
        return (b->size > a->size) - (b->size < a->size);
    case MS_KEEP_OLDEST:
        return compare_times(a, b);
    case MS_KEEP_NEWEST:
        return compare_times(b, a);
    case MS_KEEP_FIRST:
        break;
    }
    return 0;
}

/* Below 0: a is rather kept than b; 0: only their order decides. *why becomes what did. */
static int compare_to_keep(const struct ms_grouping *g, const struct ms_group_member *a,
                           const struct ms_group_member *b, const char **why) {
    static const char *const reasons[] = {"the most pixels", "the largest file", "the oldest",
                                          "the newest", "the first indexed"};
    enum ms_keep last = g->keep == MS_KEEP_NEWEST ? MS_KEEP_NEWEST : MS_KEEP_OLDEST;
    bool a_preferred = g->prefer && ms_is_below(g->prefer, a->path);
    bool b_preferred = g->prefer && ms_is_below(g->prefer, b->path);
    *why = "in the preferred folder";
    if (a_preferred != b_preferred)
        return a_preferred ? -1 : 1;
    for (enum ms_keep keep = g->keep; keep <= last; keep++) {
        int order = compare_by(keep, &a->record, &b->record);
        *why = reasons[keep];
        if (order != 0)
            return order;
    }
    *why = reasons[MS_KEEP_FIRST];
    return 0;
}

/* Members are in the order of their ids, so the lowest of equals is found. Why it is kept is told
 * by comparing it with the one that would be kept without it. */
static void choose_kept(const struct ms_grouping *g, struct ms_group *group) {
    struct ms_group_member *members = group->members;
    size_t best = 0, next;
    for (size_t i = 1; i < group->count; i++)
        if (compare_to_keep(g, &members[i], &members[best], &group->kept_for) < 0)
            best = i;
    next = best == 0;
    for (size_t i = next + 1; i < group->count; i++)
        if (i != best && compare_to_keep(g, &members[i], &members[next], &group->kept_for) < 0)
            next = i;
    compare_to_keep(g, &members[best], &members[next], &group->kept_for);
    struct ms_group_member kept = members[best];
    members[best] = members[0];
    members[0] = kept;
    members[0].kept = true;
}

/* ---- how far they are ---- */

/* Room for two vectors and their distance. */
struct gauge {
    struct ms_stored first, other;
    float *room;
};

static bool open_gauge(struct gauge *gauge, const struct ms_origin *origin) {
    *gauge = (struct gauge){.room = NULL};
    if (!ms_stored_open(&gauge->first, origin->type, origin->dimension, 1) ||
        !ms_stored_open(&gauge->other, origin->type, origin->dimension, 1))
        return false;
    gauge->room = malloc((ms_distance_room(&gauge->first, &gauge->other) + 1) * sizeof(float));
    return gauge->room != NULL;
}

static void close_gauge(struct gauge *gauge) {
    ms_stored_close(&gauge->first);
    ms_stored_close(&gauge->other);
    free(gauge->room);
}

/* Members that only a chain joins may have no distance (their products overflow): JSON has no
 * infinity. */
static double in_range(double value) {
    return isfinite(value) ? value : DBL_MAX;
}

static int compare_members(const void *one, const void *other) {
    const struct ms_group_member *x = one, *y = other;
    return x->distance != y->distance ? (x->distance < y->distance ? -1 : 1)
                                      : (x->id > y->id) - (x->id < y->id);
}

/* From members[0] to each, and their order by it. */
static minisim_status measure_members(const struct ms_pass *pass, struct gauge *gauge,
                                      struct ms_group *group, minisim_error *error) {
    struct ms_group_member *members = group->members;
    bool dot = pass->metric == MINISIM_DOT;
    minisim_status status = ms_catalogue_vectors(catalogue_of(pass, &members[0]), members[0].id, 1,
                                                 &gauge->first, error);
    for (size_t i = 0; !status && i < group->count; i++) {
        double value;
        status = ms_catalogue_vectors(catalogue_of(pass, &members[i]), members[i].id, 1,
                                      &gauge->other, error);
        if (status)
            break;
        ms_stored_distances(pass->kernels, pass->metric, &gauge->first, &gauge->other, NULL,
                            gauge->room, &value, NULL);
        members[i].distance = in_range(dot ? -value : value);
    }
    if (!status)
        qsort(members + 1, group->count - 1, sizeof *members, compare_members);
    for (size_t i = 0; dot && i < group->count; i++)
        members[i].distance = -members[i].distance;
    return status;
}

static int compare_numbers(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static minisim_status find_largest(const struct ms_pass *pass, struct ms_group *group,
                                   minisim_error *error) {
    if (pass->others.catalogue || group->count == 2) {
        group->largest = group->members[group->count - 1].distance;
        return MINISIM_OK;
    }
    uint64_t *ids = malloc(group->count * sizeof *ids);
    if (!ids)
        return out_of_memory(error);
    for (size_t i = 0; i < group->count; i++)
        ids[i] = group->members[i].id;
    qsort(ids, group->count, sizeof *ids, compare_numbers);
    struct ms_pass inner = *pass;
    inner.rows.ids = ids;
    inner.rows.count = group->count;
    inner.threads = group->count < 2000 ? 1 : pass->threads;
    minisim_status status = ms_find_largest(&inner, &group->largest, error);
    group->largest = in_range(group->largest) * (pass->metric == MINISIM_DOT ? -1 : 1);
    free(ids);
    return status;
}

static minisim_status complete(const struct ms_grouping *g, struct gauge *gauge,
                               struct ms_group *group, minisim_error *error) {
    minisim_status status = MINISIM_OK;
    for (size_t i = 0; !status && i < group->count; i++)
        status = describe(g->pass, &group->members[i], error);
    if (!status && !g->pass->others.catalogue)
        choose_kept(g, group);
    if (!status)
        status = measure_members(g->pass, gauge, group, error);
    return status ? status : find_largest(g->pass, group, error);
}

minisim_status ms_make_groups(const struct ms_grouping *g, const struct ms_close_pair *pairs,
                              size_t count, struct ms_groups *groups, minisim_error *error) {
    const struct ms_pass *pass = g->pass;
    struct gauge gauge;
    minisim_status status = pass->others.catalogue ? take_crossing(pairs, count, groups, error)
                                                   : take_linked(g, pairs, count, groups, error);
    bool good = open_gauge(&gauge, ms_catalogue_origin(pass->rows.catalogue));
    if (!status && !good)
        status = out_of_memory(error);
    for (size_t i = 0; !status && i < groups->count; i++) {
        status = complete(g, &gauge, &groups->groups[i], error);
        if (!status && pass->progress && pass->progress(pass->user, ms_count_pairs(pass)))
            status = ms_fail(error, MINISIM_CANCELLED, "stopped");
    }
    close_gauge(&gauge);
    return status;
}
