/* What verbs that work on catalogues share. */
#ifndef MS_CLI_CATALOGUES_H
#define MS_CLI_CATALOGUES_H

#include "catalogue/catalogue.h"
#include "cli/pictures.h"

/* Says and notes why a call on the catalogue failed. Gives false. */
bool ms_catalogue_failed(const char *path, minisim_status status, const minisim_error *error);

/* For reading. false: this was said and noted. */
bool ms_open_catalogue(const char *path, struct ms_catalogue **catalogue);
/* The same, even if it is damaged (ms_catalogue_open_damaged). */
bool ms_open_damaged(const char *path, struct ms_catalogue **catalogue);

/* Maps it (ms_catalogue_map) if that can be. Where somebody cuts the file short from now on, this
 * is said, and the program ends. For two catalogues, which stay open. */
void ms_map_catalogue(const char *path, struct ms_catalogue *catalogue);

/* Can this engine's embeddings be compared with the catalogue's? false: that was said and noted. */
bool ms_fits_catalogue(const char *path, const struct ms_catalogue *catalogue,
                       const struct ms_picture_settings *settings, const struct ms_engine *engine);

/* Rounds a vector to the type of a catalogue, as query `at`. NULL; or why it has no place in that,
 * or no distance to anything, which was said of `name` and noted. */
const char *ms_put_query(const struct ms_kernels *kernels, minisim_metric metric,
                         struct ms_stored *queries, size_t at, const char *name,
                         const float *vector);

/* A picture's path as catalogues know it: absolute, its folder without links. false: there is no
 * such folder, or the path is too long; errno says which. */
bool ms_real_path(const char *name, char path[MS_PATH_MOST + 1]);

/* Is the real path below that folder? */
bool ms_is_below(const char *folder, const char *path);

/* Is the file, by its size and time of change, the one that the record is about? */
bool ms_is_unchanged(const char *path, const struct ms_record *record);

/* Gets the records that are not removed, in order. false: it ends here. */
typedef bool ms_take_record(void *user, uint64_t id, const struct ms_record *record,
                            const char *path, const char *label);

/* false: it ended early; what the catalogue gave no record of was said and noted. */
bool ms_each_record(const char *path, const struct ms_catalogue *catalogue, ms_take_record *take,
                    void *user);

/* Is it one, by its first bytes or, where they cannot be read, by its name? */
bool ms_is_catalogue(const char *path);

/* What a catalogue is. */
void ms_print_catalogue(const char *path, bool json);

#endif
