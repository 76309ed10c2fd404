/*
 * Memory for weights: large, touched all at once. In huge pages, where the system has them, it is
 * there several times sooner (each page of 4 KiB is a trap into the system, or into what the system
 * runs in), if what fills the last one up is less than a quarter.
 */
#ifndef MS_BASE_LARGE_H
#define MS_BASE_LARGE_H

#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Bytes aligned to 64, not zeroed, to be given back with free; NULL: the system has none. */
static inline void *ms_allocate_large(size_t bytes) {
    enum { line = 64, huge_page = 2 * 1024 * 1024 };
    size_t lines = (bytes + line - 1) / line * line;
#ifdef MADV_HUGEPAGE
    size_t pages = (bytes + huge_page - 1) / huge_page * huge_page;
    if (pages - bytes < bytes / 4) {
        void *memory = aligned_alloc(huge_page, pages);
        if (memory)
            (void)madvise(memory, pages, MADV_HUGEPAGE); /* a wish: without it all works as well */
        return memory;
    }
#endif
    return aligned_alloc(line, lines);
}

#endif
