/* Catalogues that the program keeps for itself, in the user's cache folder. */
#ifndef MS_CLI_CACHE_H
#define MS_CLI_CACHE_H

#include "cli/batch.h"

/*
 * The path of the catalogue for such sources and weights, to be freed: in XDG_CACHE_HOME or
 * ~/.cache, in the folder minisim, which is made. NULL: there is no such folder, which was said and
 * noted.
 */
char *ms_cached_catalogue(const struct ms_sources *sources, const char *embedding_id);

/* One in the folder for temporary files, to be removed and freed after the run. */
char *ms_temporary_catalogue(void);
void ms_remove_temporary(char *path);

#endif
