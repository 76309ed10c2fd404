/* Writers of groups: see groups.h. For people, as JSON, and as a list of names for xargs. */
#include "cli/groups.h"

#include "base/json.h"
#include "base/text.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/looks.h"
#include "cli/report.h"

#include <stdlib.h>

void ms_free_groups(struct ms_groups *groups) {
    for (size_t i = 0; i < groups->count; i++) {
        for (size_t k = 0; k < groups->groups[i].count; k++)
            free(groups->groups[i].members[k].path);
        free(groups->groups[i].members);
    }
    free(groups->groups);
    groups->groups = NULL;
    groups->count = 0;
}

/* ---- text ---- */

static void print_header(const struct ms_groups *groups) {
    char count[MS_NUMBER_SIZE], records[MS_NUMBER_SIZE], limit[MS_NUMBER_SIZE];
    printf("# %s group%s of %s records: %s %s %s (%s)", ms_count_text(groups->count, count),
           groups->count == 1 ? "" : "s", ms_count_text(groups->records, records), groups->metric,
           groups->dot ? "product at least" : "distance at most",
           ms_double_text(groups->limit, limit), groups->limit_from);
    if (groups->against) {
        printf(", against ");
        ms_write_name(stdout, groups->against);
    } else {
        printf(", %s linkage", groups->linkage);
    }
    putchar('\n');
}

static const char *mark(const struct ms_groups *groups, const struct ms_group_member *member) {
    if (groups->against)
        return member->against ? "there" : "here";
    return member->kept ? "keep" : "-";
}

void ms_write_groups_text(const struct ms_groups *groups) {
    print_header(groups);
    for (size_t i = 0; i < groups->count; i++) {
        const struct ms_group *group = &groups->groups[i];
        printf("# %zu, %s %.4g\n", group->count,
               groups->dot ? "smallest product" : "largest distance", group->largest);
        for (size_t k = 0; k < group->count; k++) {
            const struct ms_group_member *member = &group->members[k];
            printf("%s\t%.4g\t", mark(groups, member), member->distance + 0.0); /* -0 becomes 0 */
            ms_write_name(stdout, member->path);
            if (k > 0)
                printf("\t%s", ms_look_text(member->look));
            putchar('\n');
        }
    }
}

/* ---- JSON ---- */

static void write_member(const struct ms_groups *groups, struct ms_json *json,
                         const struct ms_group_member *member) {
    const struct ms_record *record = &member->record;
    ms_json_open(json, NULL, '{');
    ms_json_name(json, "path", member->path);
    ms_json_count(json, "id", member->id);
    ms_json_bool(json, groups->against ? "against" : "keep",
                 groups->against ? member->against : member->kept);
    ms_json_double(json, groups->metric, member->distance);
    ms_json_look(json, member->look);
    if (!(record->flags & MS_RECORD_NO_FILE)) {
        ms_json_count(json, "bytes", record->size);
        ms_json_double(json, "changed", (double)record->seconds + 1e-9 * record->nanoseconds);
        ms_json_count(json, "width", record->width);
        ms_json_count(json, "height", record->height);
    }
    ms_json_close(json, '}');
}

static void write_group(const struct ms_groups *groups, struct ms_json *json,
                        const struct ms_group *group) {
    ms_json_open(json, NULL, '{');
    ms_json_double(json, groups->dot ? "smallest" : "largest", group->largest);
    ms_json_open(json, "members", '[');
    for (size_t i = 0; i < group->count; i++)
        write_member(groups, json, &group->members[i]);
    ms_json_close(json, ']');
    ms_json_close(json, '}');
}

void ms_write_groups_json(const struct ms_groups *groups) {
    struct ms_json json = {.file = stdout};
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_name(&json, "catalogue", groups->catalogue);
    if (groups->against)
        ms_json_name(&json, "against", groups->against);
    else
        ms_json_text(&json, "linkage", groups->linkage);
    ms_json_count(&json, "records", groups->records);
    ms_json_text(&json, "metric", groups->metric);
    ms_json_double(&json, groups->dot ? "min_score" : "max_distance", groups->limit);
    ms_json_text(&json, "limit_from", groups->limit_from);
    ms_json_open(&json, "groups", '[');
    for (size_t i = 0; i < groups->count; i++)
        write_group(groups, &json, &groups->groups[i]);
    ms_json_close(&json, ']');
    ms_json_close(&json, '}');
    putchar('\n');
}

/* ---- a page ---- */

static void show_member(const struct ms_groups *groups, const struct ms_group *group, size_t k,
                        struct ms_page *page) {
    const struct ms_group_member *member = &group->members[k];
    bool is_file = !(member->record.flags & MS_RECORD_NO_FILE);
    char value[MS_SHOWN_DISTANCE], head[64], file[MS_FILE_NOTE] = "", note[2 * MS_FILE_NOTE];
    if (groups->against)
        snprintf(head, sizeof head, "%s", k ? ms_look_text(member->look) : "To compare");
    else if (k == 0)
        snprintf(head, sizeof head, "Keep: %s", group->kept_for);
    else
        snprintf(head, sizeof head, "%s", ms_look_text(member->look));
    if (is_file)
        ms_file_note(member->path, &member->record, file);
    if (k > 0)
        snprintf(note, sizeof note, "%s%s%s",
                 ms_shown_distance(member->distance, groups->dot, value), is_file ? "; " : "",
                 file);
    else
        snprintf(note, sizeof note, "%s", file);
    ms_page_card(page, &(struct ms_card){.name = member->path,
                                         .missing = is_file ? NULL : "an id, no file",
                                         .head = head,
                                         .note = *note ? note : NULL,
                                         .chosen = k == 0});
}

static void begin_groups(const struct ms_groups *groups, struct ms_page *page) {
    char about[256], count[MS_NUMBER_SIZE], records[MS_NUMBER_SIZE], limit[MS_NUMBER_SIZE];
    snprintf(about, sizeof about,
             "%s group%s among %s records: %s %s %s (%s). Nothing was deleted.",
             ms_count_text(groups->count, count), groups->count == 1 ? "" : "s",
             ms_count_text(groups->records, records), groups->metric,
             groups->dot ? "product at least" : "distance at most",
             ms_double_text(groups->limit, limit), groups->limit_from);
    ms_page_begin(page, groups->against ? "Duplicates in" : "Duplicates", groups->against, about);
    if (groups->count == 0)
        ms_page_section(page, "There are none", NULL, NULL);
}

void ms_show_groups(const struct ms_groups *groups, struct ms_page *page) {
    begin_groups(groups, page);
    for (size_t i = 0; i < groups->count && !ms_interrupted(); i++) {
        const struct ms_group *group = &groups->groups[i];
        char what[64], about[64], number[MS_NUMBER_SIZE];
        snprintf(what, sizeof what, "%zu pictures, group %s", group->count,
                 ms_count_text(i + 1, number));
        snprintf(about, sizeof about, "%s %s",
                 groups->dot ? "smallest product" : "largest distance",
                 ms_shown_value(group->largest, number));
        ms_page_section(page, what, NULL, about);
        ms_page_cards_begin(page);
        for (size_t k = 0; k < group->count && !ms_interrupted(); k++)
            show_member(groups, group, k, page);
        ms_page_cards_end(page);
    }
}

/* ---- what could go ---- */

/* Is the file as it was when its vector was made? Rows have none. */
static bool is_fresh(const struct ms_group_member *member) {
    if (member->record.flags & MS_RECORD_NO_FILE || ms_is_unchanged(member->path, &member->record))
        return true;
    ms_complain(member->path, "it changed or is gone since it was indexed: nothing is offered for "
                              "removal because of it");
    ms_note(MS_EXIT_SOME_FAILED);
    return false;
}

/* One that is kept has to be there. */
static bool is_kept_fresh(const struct ms_group *group) {
    for (size_t i = 0; i < group->count; i++)
        if (group->members[i].kept && is_fresh(&group->members[i]))
            return true;
    return false;
}

void ms_write_removable(const struct ms_groups *groups, bool null_ended) {
    for (size_t i = 0; i < groups->count; i++) {
        const struct ms_group *group = &groups->groups[i];
        bool kept = is_kept_fresh(group);
        for (size_t k = 0; kept && k < group->count; k++) {
            const struct ms_group_member *member = &group->members[k];
            if (member->kept || !is_fresh(member))
                continue;
            if (null_ended)
                fputs(member->path, stdout);
            else
                ms_write_name(stdout, member->path);
            putchar(null_ended ? '\0' : '\n');
        }
    }
}
