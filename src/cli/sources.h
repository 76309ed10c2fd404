/* Options that say which pictures a verb reads and how it tells of them: one meaning in all verbs.
 */
#ifndef MS_CLI_SOURCES_H
#define MS_CLI_SOURCES_H

#include "cli/batch.h"

extern const struct ms_option ms_source_options[];

/* Stores one of these, or one of those about pictures (cli/pictures.h); sources->exclude must have
 * room for one more. false: its value is wrong, which was said. */
bool ms_take_input_option(struct ms_sources *sources, struct ms_picture_settings *pictures,
                          const struct ms_option *option, const char *value);

/* To be called when all are stored. `list` is the verb's other option that names a list, or NULL;
 * `path` is its value or NULL. false: they contradict each other, which was said and noted. */
bool ms_check_source_options(struct ms_sources *sources, const char *list, const char *path);

/* Makes room for `count` --exclude. false: no memory, which was said and noted. */
bool ms_open_sources(struct ms_sources *sources, int count);
void ms_close_sources(struct ms_sources *sources);

#endif
