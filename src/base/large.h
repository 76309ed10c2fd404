/*
 * Memory for weights and large pictures, touched all at once. In huge pages, where the system has
 * them, it is there several times sooner: each page of 4 KiB is a trap into the system, or into
 * what the system runs in.
 */
#ifndef MS_BASE_LARGE_H
#define MS_BASE_LARGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MS_HUGE_PAGE = 2 * 1024 * 1024 };

/* Bytes aligned to 64, not zeroed, to be given back with free; NULL: the system has none. In huge
 * pages but for what would fill the last one by less than half, if they waste less than a quarter.
 */
static inline void *ms_allocate_large(size_t bytes) {
    enum { line = 64 };
    size_t lines = (bytes + line - 1) / line * line;
#ifdef MADV_HUGEPAGE
    size_t huge = (bytes + MS_HUGE_PAGE / 2) / MS_HUGE_PAGE * MS_HUGE_PAGE;
    if (huge > 0 && huge < bytes + bytes / 4) {
        size_t pages = (bytes + MS_HUGE_PAGE - 1) / MS_HUGE_PAGE * MS_HUGE_PAGE;
        void *memory = aligned_alloc(MS_HUGE_PAGE, pages);
        if (memory)
            (void)madvise(memory, huge, MADV_HUGEPAGE); /* a wish: without it all works as well */
        return memory;
    }
#endif
    return aligned_alloc(line, lines);
}

/* The same wish for a block that is not touched yet: for what of it fills huge pages. */
static inline void ms_wish_huge_pages(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
    uintptr_t begin = ((uintptr_t)memory + MS_HUGE_PAGE - 1) / MS_HUGE_PAGE * MS_HUGE_PAGE;
    uintptr_t end = ((uintptr_t)memory + bytes) / MS_HUGE_PAGE * MS_HUGE_PAGE;
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)bytes;
#endif
}

#endif
