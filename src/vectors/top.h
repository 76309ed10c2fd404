/* The k nearest of many: a bounded heap, the farthest on top. Of equal distances the lower id is
 * nearer, so that the answer does not depend on the order in which they come. */
#ifndef MS_VECTORS_TOP_H
#define MS_VECTORS_TOP_H

#include "minisim.h"

struct ms_top {
    size_t most, count;
    minisim_hit *hits; /* [most] */
};

void ms_top_add(struct ms_top *top, double distance, uint64_t id);

/* What is farther than this is none of them; INFINITY while there is room. */
double ms_top_farthest(const struct ms_top *top);

/* The nearest first; the heap is none any more. */
void ms_top_sort(struct ms_top *top);

#endif
