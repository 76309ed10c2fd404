/* The second look at pixels (pairs/look.h) as verbs ask for it and show it. */
#ifndef MS_CLI_LOOKS_H
#define MS_CLI_LOOKS_H

#include "base/json.h"
#include "base/team.h"
#include "catalogue/all_pairs.h"
#include "cli/groups.h"
#include "cli/pictures.h"
#include "cli/progress.h"
#include "pairs/look.h"

/* "--only same": the one value that there is. */
#define MS_ONLY_OPTION                                                                             \
    {                                                                                              \
        MS_OPTION_ONLY, "only", 0, "WHICH",                                                        \
            "same: leave out pairs that a look at the pixels\nfinds merely similar"                \
    }
bool ms_take_only_option(bool *only_same, const struct ms_option *option, const char *value);

/* The limits of a look: those of reading a picture. */
minisim_context_options ms_look_limits(const struct ms_picture_settings *settings);

/* NULL: it cannot be read, which was said and noted. By any thread, as the next. */
struct ms_view *ms_open_view(const char *path, const minisim_context_options *limits);

/* MS_LOOKS where one is NULL or, said and noted, cannot be read any more. */
enum ms_look ms_compare_views(const struct ms_view *a, const struct ms_view *b);

/* For people; of MS_LOOKS "not looked at", in JSON null. */
const char *ms_look_text(enum ms_look look);
void ms_json_look(struct ms_json *json, enum ms_look look);

/*
 * Looks at pairs of a catalogue's records: looks[i] becomes what the two of pairs[i] are, MS_LOOKS
 * where that cannot be seen. Pairs that follow each other with one `a` take its view once. Each is
 * a step of the progress. An interrupt leaves the rest as it was.
 */
void ms_look_at_pairs(const struct ms_catalogue *catalogue, const minisim_context_options *limits,
                      struct ms_team *team, const struct ms_close_pair *pairs, size_t count,
                      enum ms_look *looks);

/*
 * Looks at members[0] of each group beside every other one, on so many threads. With `only_same`,
 * what is merely similar leaves its group, and groups of one are gone. false: an interrupt came, or
 * memory ran out, which was said and noted.
 */
bool ms_look_at_groups(struct ms_groups *groups, const struct ms_picture_settings *settings,
                       enum ms_progress_mode progress, bool only_same);

#endif
