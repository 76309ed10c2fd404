#include "cli/looks.h"

#include "cli/console.h"

#include <pthread.h>
#include <stdlib.h>

/* Of what is printed and counted while several threads look. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool ms_take_only_option(bool *only_same, const struct ms_option *option, const char *value) {
    static const char *const names[] = {"same", NULL};
    int index;
    *only_same = ms_take_choice(option, value, names, &index);
    return *only_same;
}

minisim_context_options ms_look_limits(const struct ms_picture_settings *settings) {
    minisim_context_options limits = settings->context;
    limits.max_memory = ms_max_memory(settings);
    return limits;
}

static void complain(const char *path, minisim_status status, const minisim_error *error) {
    pthread_mutex_lock(&lock);
    ms_complain(path, "%s; it was not looked at", error->text);
    ms_note(status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM : MS_EXIT_SOME_FAILED);
    pthread_mutex_unlock(&lock);
}

struct ms_view *ms_open_view(const char *path, const minisim_context_options *limits) {
    struct ms_view *view;
    minisim_error error;
    minisim_status status = ms_view_open(path, limits, &view, &error);
    if (status)
        complain(path, status, &error);
    return view;
}

enum ms_look ms_compare_views(const struct ms_view *a, const struct ms_view *b) {
    enum ms_look look;
    const char *failed;
    minisim_error error;
    if (!a || !b)
        return MS_LOOKS;
    minisim_status status = ms_view_compare(a, b, &look, &failed, &error);
    if (!status)
        return look;
    complain(failed, status, &error);
    return MS_LOOKS;
}

const char *ms_look_text(enum ms_look look) {
    return look < MS_LOOKS ? ms_look_words[look] : "not looked at";
}

void ms_json_look(struct ms_json *json, enum ms_look look) {
    ms_json_text(json, "look", ms_look_names[look]);
}

/* ---- pairs ---- */

/* Threads take the next pairs of one `a`, until there are none. */
struct pairs {
    const struct ms_catalogue *catalogue;
    const minisim_context_options *limits;
    const struct ms_close_pair *pairs;
    size_t count, next;
    enum ms_look *looks;
};

/* NULL: it cannot be read, or has no file. The view needs `path`. */
static struct ms_view *open_record(const struct pairs *work, uint64_t id,
                                   char path[MS_PATH_MOST + 1]) {
    struct ms_record record;
    size_t count;
    minisim_error error;
    minisim_status status = ms_catalogue_records(work->catalogue, id, 1, &record, &count, &error);
    if (!status)
        status = ms_catalogue_text(work->catalogue, id, &record, path, NULL, &error);
    if (status)
        complain("a record", status, &error);
    return status || (record.flags & MS_RECORD_NO_FILE) ? NULL : ms_open_view(path, work->limits);
}

static void look_at_some_pairs(void *argument, size_t member) {
    char path[2][MS_PATH_MOST + 1];
    struct pairs *work = argument;
    (void)member;
    while (!ms_interrupted()) {
        pthread_mutex_lock(&lock);
        size_t i = work->next, end = i;
        while (end < work->count && work->pairs[end].a == work->pairs[i].a)
            end++;
        work->next = end;
        pthread_mutex_unlock(&lock);
        if (i == end)
            break;
        struct ms_view *a = open_record(work, work->pairs[i].a, path[0]);
        for (; i < end && !ms_interrupted(); i++) {
            struct ms_view *b = a ? open_record(work, work->pairs[i].b, path[1]) : NULL;
            work->looks[i] = ms_compare_views(a, b);
            ms_view_close(b);
            pthread_mutex_lock(&lock);
            ms_progress_step(false);
            pthread_mutex_unlock(&lock);
        }
        ms_view_close(a);
    }
}

void ms_look_at_pairs(const struct ms_catalogue *catalogue, const minisim_context_options *limits,
                      struct ms_team *team, const struct ms_close_pair *pairs, size_t count,
                      enum ms_look *looks) {
    struct pairs work = {catalogue, limits, pairs, count, 0, looks};
    ms_team_run(team, look_at_some_pairs, &work);
}

/* ---- groups ---- */

/* Threads take the next group, until there is none. */
struct work {
    struct ms_groups *groups;
    minisim_context_options limits;
    size_t next;
    uint64_t looked;
};

static bool is_file(const struct ms_group_member *member) {
    return !(member->record.flags & MS_RECORD_NO_FILE);
}

static struct ms_view *open_member(const struct work *work, const struct ms_group_member *member) {
    return is_file(member) ? ms_open_view(member->path, &work->limits) : NULL;
}

static void look_at_group(struct work *work, struct ms_group *group) {
    struct ms_view *first = open_member(work, &group->members[0]);
    group->members[0].look = MS_LOOKS;
    for (size_t i = 1; i < group->count; i++) {
        struct ms_view *other =
            first && !ms_interrupted() ? open_member(work, &group->members[i]) : NULL;
        group->members[i].look = ms_compare_views(first, other);
        ms_view_close(other);
        pthread_mutex_lock(&lock);
        ms_progress_reach(++work->looked);
        pthread_mutex_unlock(&lock);
    }
    ms_view_close(first);
}

static void look_at_some(void *argument, size_t member) {
    struct work *work = argument;
    (void)member;
    while (!ms_interrupted()) {
        pthread_mutex_lock(&lock);
        size_t group = work->next++;
        pthread_mutex_unlock(&lock);
        if (group >= work->groups->count)
            break;
        look_at_group(work, &work->groups->groups[group]);
    }
}

/* What is merely similar leaves; so does the first where no other stays. */
static void drop_similar(struct ms_group *group) {
    size_t kept = 1;
    for (size_t i = 1; i < group->count; i++)
        if (group->members[i].look == MS_SIMILAR)
            free(group->members[i].path);
        else
            group->members[kept++] = group->members[i];
    group->count = kept;
}

static void keep_same(struct ms_groups *groups) {
    size_t kept = 0;
    for (size_t i = 0; i < groups->count; i++) {
        struct ms_group *group = &groups->groups[i];
        drop_similar(group);
        if (group->count > 1) {
            groups->groups[kept++] = *group;
        } else {
            free(group->members[0].path);
            free(group->members);
        }
    }
    groups->count = kept;
}

bool ms_look_at_groups(struct ms_groups *groups, const struct ms_picture_settings *settings,
                       enum ms_progress_mode progress, bool only_same) {
    struct work work = {.groups = groups, .limits = ms_look_limits(settings)};
    struct ms_team team;
    uint64_t pairs = 0;
    for (size_t i = 0; i < groups->count; i++)
        pairs += groups->groups[i].count - 1;
    size_t threads = ms_count_threads(settings);
    if (!ms_team_open(&team, threads < pairs ? threads : pairs > 1 ? (size_t)pairs : 1))
        return ms_out_of_memory();
    ms_progress_start_pairs(progress, pairs);
    ms_team_run(&team, look_at_some, &work);
    ms_progress_end();
    ms_team_close(&team);
    if (only_same && !ms_interrupted())
        keep_same(groups);
    return !ms_interrupted();
}
