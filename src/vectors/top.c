/* A bounded heap: see top.h. hits[i] is no nearer than hits[2i + 1] and hits[2i + 2]. */
#include "vectors/top.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static bool is_nearer(const minisim_hit *a, const minisim_hit *b) {
    return a->distance < b->distance || (a->distance == b->distance && a->id < b->id);
}

static void swap(minisim_hit *a, minisim_hit *b) {
    minisim_hit kept = *a;
    *a = *b;
    *b = kept;
}

static void sink(struct ms_top *top) {
    for (size_t i = 0, child; (child = 2 * i + 1) < top->count; i = child) {
        if (child + 1 < top->count && is_nearer(&top->hits[child], &top->hits[child + 1]))
            child++;
        if (!is_nearer(&top->hits[i], &top->hits[child]))
            return;
        swap(&top->hits[i], &top->hits[child]);
    }
}

void ms_top_add(struct ms_top *top, double distance, uint64_t id) {
    minisim_hit hit = {distance, id};
    if (top->count < top->most) {
        size_t i = top->count++;
        top->hits[i] = hit;
        for (; i > 0 && is_nearer(&top->hits[(i - 1) / 2], &top->hits[i]); i = (i - 1) / 2)
            swap(&top->hits[(i - 1) / 2], &top->hits[i]);
    } else if (top->most > 0 && is_nearer(&hit, &top->hits[0])) {
        top->hits[0] = hit;
        sink(top);
    }
}

double ms_top_farthest(const struct ms_top *top) {
    return top->count < top->most || top->count == 0 ? INFINITY : top->hits[0].distance;
}

static int compare(const void *a, const void *b) {
    return is_nearer(b, a) - is_nearer(a, b);
}

void ms_top_sort(struct ms_top *top) {
    if (top->count > 1)
        qsort(top->hits, top->count, sizeof *top->hits, compare);
}
