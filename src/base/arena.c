#include "base/arena.h"

#include "base/error.h"
#include "base/large.h"

#include <stdlib.h>
#include <string.h>

/* In front of the bytes of each allocation; its size keeps them aligned to 16. */
struct ms_block {
    struct ms_block *next, *previous;
    size_t size; /* of the bytes behind the header */
    size_t unused;
};
_Static_assert(sizeof(struct ms_block) % 16 == 0, "bytes behind the header are aligned to 16");

static void *bytes_of(struct ms_block *block) {
    return block + 1;
}

void ms_arena_open(struct ms_arena *arena, size_t limit) {
    *arena = (struct ms_arena){.limit = limit};
}

void ms_arena_lend(struct ms_arena *arena, void *memory, size_t size) {
    arena->lent = memory;
    arena->lent_size = size;
}

static bool within_limit(struct ms_arena *arena, size_t size) {
    if (size <= SIZE_MAX - sizeof(struct ms_block) &&
        size + sizeof(struct ms_block) <= arena->limit - arena->used)
        return true;
    arena->over_limit = true;
    return false;
}

/* What a block takes of lent memory, so that the next one is aligned, too. */
static size_t lent_bytes(size_t size) {
    return (sizeof(struct ms_block) + size + 15) / 16 * 16;
}

/* Zeroed memory for a block: lent, behind the blocks that are there, or else the system's. */
static struct ms_block *take_memory(struct ms_arena *arena, size_t size) {
    struct ms_block *block;
    if (size <= arena->lent_size && lent_bytes(size) <= arena->lent_size - arena->lent_used) {
        block = (struct ms_block *)(void *)(arena->lent + arena->lent_used);
        arena->lent_used += lent_bytes(size);
        return memset(block, 0, lent_bytes(size));
    }
    block = calloc(1, sizeof *block + size);
    if (block)
        ms_wish_huge_pages(block, sizeof *block + size);
    return block;
}

/* Lent memory can be used again once all behind it is free. */
static void give_memory(struct ms_arena *arena, struct ms_block *block) {
    const uint8_t *begin = (const uint8_t *)block;
    if (!arena->lent_size || begin < arena->lent || begin >= arena->lent + arena->lent_size)
        free(block);
    else if (begin + lent_bytes(block->size) == arena->lent + arena->lent_used)
        arena->lent_used -= lent_bytes(block->size);
    if (!arena->first)
        arena->lent_used = 0;
}

void *ms_arena_allocate(struct ms_arena *arena, size_t size) {
    if (!within_limit(arena, size))
        return NULL;
    struct ms_block *block = take_memory(arena, size);
    if (!block) {
        arena->out_of_memory = true;
        return NULL;
    }
    *block = (struct ms_block){.next = arena->first, .size = size};
    if (arena->first)
        arena->first->previous = block;
    arena->first = block;
    arena->used += sizeof *block + size;
    if (arena->used > arena->peak)
        arena->peak = arena->used;
    return bytes_of(block);
}

void ms_arena_free(struct ms_arena *arena, void *bytes) {
    if (!bytes)
        return;
    struct ms_block *block = (struct ms_block *)bytes - 1;
    if (block->previous)
        block->previous->next = block->next;
    else
        arena->first = block->next;
    if (block->next)
        block->next->previous = block->previous;
    arena->used -= sizeof *block + block->size;
    give_memory(arena, block);
}

void ms_arena_close(struct ms_arena *arena) {
    while (arena->first)
        ms_arena_free(arena, bytes_of(arena->first));
    arena->over_limit = arena->out_of_memory = false;
}

uint64_t ms_arena_cost(uint64_t bytes) {
    return bytes + sizeof(struct ms_block);
}

minisim_status ms_arena_require(const struct ms_arena *arena, uint64_t bytes, const char *what,
                                minisim_error *error) {
    if (bytes <= arena->limit - arena->used)
        return MINISIM_OK;
    return ms_fail(error, MINISIM_BAD_PICTURE,
                   "%s takes %llu bytes of memory, more than the limit "
                   "of %zu (max-memory)",
                   what, (unsigned long long)bytes + arena->used, arena->limit);
}

minisim_status ms_arena_failed(const struct ms_arena *arena, minisim_error *error) {
    if (arena->out_of_memory)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "the system has no memory for this picture");
    return ms_fail(error, MINISIM_BAD_PICTURE,
                   "the picture is broken: it takes more memory than its header promises");
}
