/*
 * Whether one picture's planes show what another's do, and where: shares of the first picture that
 * the second one is laid over, then how alike both are there.
 *
 * All means and sums are doubles in a fixed order: the same answer on every machine.
 */
#ifndef MS_PAIRS_ALIGN_H
#define MS_PAIRS_ALIGN_H

#include "pairs/plane.h"

#include <stdbool.h>

enum { MS_LUMA, MS_RED, MS_BLUE, MS_PLANES };

/* A picture as it is compared: luma, and (R - Y) / 2 and (B - Y) / 2 around 128, coarser. */
struct ms_planes {
    struct ms_plane of[MS_PLANES];
};

/* How the second picture is turned before it is laid over the first: these, added up; first the
 * sides change places, then rows and columns are mirrored. */
enum { MS_FLIP_X = 1, MS_FLIP_Y = 2, MS_TRANSPOSE = 4, MS_TURNS = 8 };

/* Where the second picture, turned, lies in the first; and how alike they are there. */
struct ms_match {
    struct ms_window window;
    unsigned turn;
    bool flat;     /* one of them has too little in it to tell */
    double detail; /* correlation of fine structure along rows or columns, the smaller: -1 to 1 */
    double worst;  /* the most that a small part differs, against how much the whole varies */
    double colour; /* correlation of colour, -1 to 1; 1 where one has none */
};

/* Memory for one match at a time; NULL: there is none. To be freed. */
struct ms_align_room;
struct ms_align_room *ms_align_open(void);

/* All of b, turned in the best of eight ways, over about all of a. */
void ms_align_whole(struct ms_align_room *room, const struct ms_planes *a,
                    const struct ms_planes *b, struct ms_match *match);

/* All of b over the part of a that shows it best, down to a third of a's sides; detail is -1 where
 * nothing is near. */
void ms_align_part(struct ms_align_room *room, const struct ms_planes *a, const struct ms_planes *b,
                   struct ms_match *match);

#endif
