/* A catalogue brought up to date, for verbs that keep one of their own. */
#ifndef MS_CLI_INDEX_H
#define MS_CLI_INDEX_H

#include "catalogue/catalogue.h"
#include "cli/batch.h"

/*
 * As minisim index --prune does it, without its report; *ids, to be freed, become those of the
 * pictures that the sources name now, ascending. false: it could not be done, which was said and
 * noted, or an interrupt came.
 */
bool ms_update_catalogue(const char *path, const struct ms_sources *sources,
                         const struct ms_picture_settings *pictures, const struct ms_engine *engine,
                         uint64_t **ids, size_t *count);

#endif
