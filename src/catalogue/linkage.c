/*
 * Linkage: see linkage.h. Pairs are taken from the closest to the farthest. With single linkage
 * each joins its two groups. Complete linkage is agglomerative (T. Sorensen, 1948): those two
 * groups are joined next whose farthest members are the closest of all. That is when the last pair
 * between them has come, so it is enough to count them: groups of n and m members are joined at the
 * n*m-th. Of equal distances, the order of the pairs decides.
 */
#include "catalogue/linkage.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t NONE = UINT32_MAX; /* no neighbour */

/* How many pairs of two groups have come, by their roots; key 0 is a free entry. */
struct seen {
    uint64_t key; /* both roots, the greater one above, plus 1 */
    uint64_t count;
};

/* Groups that a group has pairs with, as any member of them, some named more than once. */
struct neighbour {
    uint32_t item, next;
};

struct linking {
    uint64_t *ids; /* [items], ascending */
    size_t items;
    uint32_t *parents; /* a forest: the root stands for the group */
    uint32_t *sizes;   /* of a root: members */
    uint32_t *lists;   /* of a root: its first neighbour, or NONE */
    uint32_t *lengths; /* and how many there are */
    struct neighbour *neighbours;
    size_t neighbour_count, neighbour_capacity;
    struct seen *table;
    size_t capacity, used; /* a power of two; entries with a key */
};

static int compare_ids(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The place of an id that is there. */
static uint32_t item_of(const struct linking *l, uint64_t id) {
    const uint64_t *at = bsearch(&id, l->ids, l->items, sizeof id, compare_ids);
    return (uint32_t)(at - l->ids);
}

static bool open_linking(struct linking *l, const struct ms_close_pair *pairs, size_t count) {
    size_t items = 0;
    l->ids = malloc((2 * count + 1) * sizeof *l->ids);
    if (!l->ids)
        return false;
    for (size_t i = 0; i < count; i++) {
        l->ids[2 * i] = pairs[i].a;
        l->ids[2 * i + 1] = pairs[i].b;
    }
    qsort(l->ids, 2 * count, sizeof *l->ids, compare_ids);
    for (size_t i = 0; i < 2 * count; i++)
        if (items == 0 || l->ids[items - 1] != l->ids[i])
            l->ids[items++] = l->ids[i];
    l->items = items;
    l->parents = malloc((items + 1) * sizeof *l->parents);
    l->sizes = malloc((items + 1) * sizeof *l->sizes);
    l->lists = malloc((items + 1) * sizeof *l->lists);
    l->lengths = calloc(items + 1, sizeof *l->lengths);
    if (!l->parents || !l->sizes || !l->lists || !l->lengths)
        return false;
    for (size_t i = 0; i < items; i++) {
        l->parents[i] = (uint32_t)i;
        l->sizes[i] = 1;
        l->lists[i] = NONE;
    }
    return true;
}

static void close_linking(struct linking *l) {
    free(l->ids);
    free(l->parents);
    free(l->sizes);
    free(l->lists);
    free(l->lengths);
    free(l->neighbours);
    free(l->table);
}

static uint32_t root_of(struct linking *l, uint32_t item) {
    while (l->parents[item] != item) {
        l->parents[item] = l->parents[l->parents[item]];
        item = l->parents[item];
    }
    return item;
}

/* ---- pairs that have come ---- */

/* The entry of two groups, or the free one that would be theirs. */
static struct seen *look_up(const struct linking *l, uint32_t a, uint32_t b, uint64_t *key) {
    *key = ((uint64_t)(a > b ? a : b) << 32 | (a > b ? b : a)) + 1;
    size_t at = (size_t)(*key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (l->capacity - 1);
    while (l->table[at].key && l->table[at].key != *key)
        at = (at + 1) & (l->capacity - 1);
    return &l->table[at];
}

/* Room for one entry more; those that were taken out are left behind. */
static bool make_room(struct linking *l) {
    struct linking old = *l;
    size_t left = 0;
    if (l->capacity > 0 && l->used < l->capacity / 2)
        return true;
    for (size_t i = 0; i < old.capacity; i++)
        left += old.table[i].count > 0;
    for (l->capacity = 1024; l->capacity < 4 * left;)
        l->capacity *= 2;
    l->table = calloc(l->capacity, sizeof *l->table);
    if (!l->table) {
        *l = old;
        return false;
    }
    for (size_t i = 0; i < old.capacity; i++)
        if (old.table[i].count > 0) {
            uint64_t pair = old.table[i].key - 1, key;
            *look_up(l, (uint32_t)(pair >> 32), (uint32_t)pair, &key) = old.table[i];
        }
    l->used = left;
    free(old.table);
    return true;
}

/* Counts more pairs of two groups; *before becomes how many had come. false: no memory. */
static bool add_seen(struct linking *l, uint32_t a, uint32_t b, uint64_t count, uint64_t *before) {
    uint64_t key;
    if (!make_room(l))
        return false;
    struct seen *seen = look_up(l, a, b, &key);
    l->used += seen->key == 0;
    *before = seen->count;
    seen->key = key;
    seen->count += count;
    return true;
}

/* How many had come; the entry is then nobody's. */
static uint64_t take_seen(struct linking *l, uint32_t a, uint32_t b) {
    uint64_t key;
    struct seen *seen = look_up(l, a, b, &key);
    uint64_t count = seen->count;
    seen->count = 0;
    return count;
}

/* ---- joining ---- */

static bool add_neighbour(struct linking *l, uint32_t to, uint32_t item) {
    if (l->neighbour_count == l->neighbour_capacity) {
        size_t capacity = l->neighbour_capacity ? 2 * l->neighbour_capacity : 1024;
        struct neighbour *grown = realloc(l->neighbours, capacity * sizeof *grown);
        if (!grown)
            return false;
        l->neighbours = grown;
        l->neighbour_capacity = capacity;
    }
    l->neighbours[l->neighbour_count] = (struct neighbour){item, l->lists[to]};
    l->lists[to] = (uint32_t)l->neighbour_count++;
    l->lengths[to]++;
    return true;
}

static void join(struct linking *l, uint32_t into, uint32_t other) {
    l->parents[other] = into;
    l->sizes[into] += l->sizes[other];
}

/* Joins two groups; what had come of the one with fewer neighbours moves to the other. */
static bool join_counted(struct linking *l, uint32_t a, uint32_t b) {
    uint32_t into = l->lengths[a] >= l->lengths[b] ? a : b, other = into == a ? b : a, next;
    for (uint32_t at = l->lists[other]; at != NONE; at = next) {
        uint32_t third = root_of(l, l->neighbours[at].item);
        uint64_t before, count = take_seen(l, other, third);
        next = l->neighbours[at].next;
        if (third == into || count == 0)
            continue;
        if (!add_seen(l, into, third, count, &before))
            return false;
        if (before == 0) {
            l->neighbours[at].next = l->lists[into];
            l->lists[into] = at;
            l->lengths[into]++;
        }
    }
    join(l, into, other);
    return true;
}

static bool take_pair(struct linking *l, const struct ms_close_pair *pair,
                      enum ms_linkage linkage) {
    uint32_t a = root_of(l, item_of(l, pair->a)), b = root_of(l, item_of(l, pair->b));
    uint64_t before, all = (uint64_t)l->sizes[a] * l->sizes[b];
    if (a == b)
        return true;
    if (linkage == MS_SINGLE) {
        join(l, l->sizes[a] >= l->sizes[b] ? a : b, l->sizes[a] >= l->sizes[b] ? b : a);
        return true;
    }
    if (!add_seen(l, a, b, 1, &before) ||
        (before == 0 && (!add_neighbour(l, a, b) || !add_neighbour(l, b, a))))
        return false;
    return before + 1 < all || join_counted(l, a, b);
}

/* ---- the groups ---- */

/* Roots get a place in the order of their first members, and their members follow in order. */
static bool list_groups(struct linking *l, struct ms_linked *linked) {
    size_t *places = malloc((l->items + 1) * sizeof *places), members = 0;
    linked->begins = malloc((l->items / 2 + 2) * sizeof *linked->begins);
    linked->ids = malloc((l->items + 1) * sizeof *linked->ids);
    if (!places || !linked->begins || !linked->ids) {
        free(places);
        return false;
    }
    for (size_t i = 0; i < l->items; i++)
        places[i] = SIZE_MAX;
    for (size_t i = 0; i < l->items; i++) {
        uint32_t root = root_of(l, (uint32_t)i);
        if (l->sizes[root] < 2)
            continue;
        if (places[root] == SIZE_MAX) {
            linked->begins[linked->count++] = members;
            places[root] = members;
            members += l->sizes[root];
        }
        linked->ids[places[root]++] = l->ids[i];
    }
    linked->begins[linked->count] = members;
    free(places);
    return true;
}

minisim_status ms_link(const struct ms_close_pair *pairs, size_t count, enum ms_linkage linkage,
                       struct ms_linked *linked, minisim_error *error) {
    struct linking l = {.items = 0};
    *linked = (struct ms_linked){.count = 0};
    bool good = open_linking(&l, pairs, count);
    for (size_t i = 0; good && i < count; i++)
        good = take_pair(&l, &pairs[i], linkage);
    good = good && list_groups(&l, linked);
    close_linking(&l);
    if (good)
        return MINISIM_OK;
    ms_free_linked(linked);
    return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
}

void ms_free_linked(struct ms_linked *linked) {
    free(linked->ids);
    free(linked->begins);
    *linked = (struct ms_linked){.count = 0};
}
