/*
 * Bounded memory for one picture: everything that reading it takes comes from here, zeroed, up to
 * a limit, and goes back at once. So a decoder that forgets a block leaks nothing, one that reads
 * what it never wrote finds zeros, and none can take more than was promised.
 */
#ifndef MS_BASE_ARENA_H
#define MS_BASE_ARENA_H

#include "minisim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ms_arena {
    size_t limit;           /* bytes that may be in use at once */
    size_t used;            /* bytes in use, headers included */
    size_t peak;            /* the most that was in use */
    bool over_limit;        /* an allocation was refused for the limit */
    bool out_of_memory;     /* an allocation was refused by the system */
    struct ms_block *first; /* the blocks in use */
    uint8_t *lent;          /* memory that is used before the system's */
    size_t lent_size, lent_used;
};

void ms_arena_open(struct ms_arena *arena, size_t limit);

/* Lends it memory of the caller's, aligned to 16, to be used before the system's is asked for. */
void ms_arena_lend(struct ms_arena *arena, void *memory, size_t size);

/* Zeroed bytes aligned to 16, or NULL. */
void *ms_arena_allocate(struct ms_arena *arena, size_t bytes);

/* Gives one block back; NULL is allowed. */
void ms_arena_free(struct ms_arena *arena, void *bytes);

/* Gives everything back; the arena can be used again. */
void ms_arena_close(struct ms_arena *arena);

/* What one more allocation of that size takes of the limit. */
uint64_t ms_arena_cost(uint64_t bytes);

/*
 * Holds what `what` is going to take, beside what is in use, against the limit, before any of it is
 * allocated: BAD_PICTURE, naming both numbers.
 */
minisim_status ms_arena_require(const struct ms_arena *arena, uint64_t bytes, const char *what,
                                minisim_error *error);

/* Why an allocation failed: OUT_OF_MEMORY where the system gave none, else BAD_PICTURE. */
minisim_status ms_arena_failed(const struct ms_arena *arena, minisim_error *error);

#endif
