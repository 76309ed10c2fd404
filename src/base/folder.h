/*
 * A folder of results: written beside its place under a name of its own and moved there when all is
 * well, so that nothing half-written ever stands under its name. Nothing may stand there before.
 */
#ifndef MS_BASE_FOLDER_H
#define MS_BASE_FOLDER_H

#include <stdio.h>

struct ms_folder {
    const char *name; /* for messages */
    char *target, *temporary;
    struct ms_folder_entry
        *entries; /* what was made, the last first: to remove it takes no memory */
};

/* Functions give 0 or errno; the caller discards the folder after a failure. `path` must live as
 * long as *folder. EEXIST: something is there already. */
int ms_folder_open(struct ms_folder *folder, const char *path);

/* A new file in it, whose name may begin with one folder's, which is made where it is missing.
 * NULL: errno. */
FILE *ms_folder_file(struct ms_folder *folder, const char *name);

/* Makes sure that all of a file is written, and closes it. */
int ms_folder_close_file(FILE *file);

/* Moves the folder to its place. */
int ms_folder_publish(struct ms_folder *folder);

/* Gives up what is not published, and frees the rest; does nothing on one that was never opened. */
void ms_folder_discard(struct ms_folder *folder);

#endif
