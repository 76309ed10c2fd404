/* minisim list: what a catalogue holds, a line each. */
#include "base/bytes.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/verbs.h"

#include <string.h>

static const struct ms_option list_options[] = {
    {MS_OPTION_LABEL, "label", 0, "LABEL", "list those with this label (\"\": without one)"},
    {MS_OPTION_NULL, "null", '0', NULL, "end names with NUL and quote none"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT",
     "text: names; behind one a tab and its label,\nbut not with --label or --null; json: "
     "JSON\nLines, all "
     "that is kept"},
    {MS_OPTION_JSON, "json", 0, NULL, "the same as --format json"},
    {0}};

const struct ms_verb ms_verb_list = {
    "list",
    "CATALOGUE",
    "list the pictures of a catalogue",
    "Lists the pictures of a catalogue, in the order in which they were added.\n"
    "\n"
    "  minisim list shop.msc",
    {list_options},
    ms_run_list};

struct list {
    int json;
    bool null_ended;
    const char *label; /* NULL: any */
};

static bool take_option(void *settings, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct list *list = settings;
    if (option->id == MS_OPTION_NULL)
        return list->null_ended = true;
    if (option->id == MS_OPTION_LABEL) {
        list->label = value;
        return true;
    }
    return ms_take_choice(option, value, formats, &list->json);
}

static void print_json(uint64_t id, const struct ms_record *record, const char *path,
                       const char *label) {
    struct ms_json json = {.file = stdout};
    char hash[65];
    ms_hex(record->content, sizeof record->content, hash);
    ms_json_open(&json, NULL, '{');
    ms_json_count(&json, "schema", 1);
    ms_json_count(&json, "id", id);
    ms_json_name(&json, "path", path);
    if (*label)
        ms_json_name(&json, "label", label);
    if (!(record->flags & MS_RECORD_NO_FILE)) {
        ms_json_count(&json, "bytes", record->size);
        ms_json_double(&json, "changed", (double)record->seconds + 1e-9 * record->nanoseconds);
        ms_json_count(&json, "width", record->width);
        ms_json_count(&json, "height", record->height);
    }
    ms_json_text(&json, "sha256", hash);
    ms_json_close(&json, '}');
    putchar('\n');
}

/* One record; false: it ends here. */
static bool print(void *user, uint64_t id, const struct ms_record *record, const char *path,
                  const char *label) {
    const struct list *list = user;
    if (list->label && strcmp(list->label, label) != 0)
        return true;
    if (list->json) {
        print_json(id, record, path, label);
    } else if (list->null_ended) {
        fputs(path, stdout);
        putchar('\0');
    } else {
        ms_write_name(stdout, path);
        if (*label && !list->label) {
            putchar('\t');
            ms_write_name(stdout, label);
        }
        putchar('\n');
    }
    return !ferror(stdout) && !ms_interrupted();
}

void ms_run_list(const struct ms_verb *verb, int argc, char **argv) {
    struct list list = {0};
    struct ms_catalogue *catalogue;
    size_t count;
    if (!ms_parse_options(verb, argc, argv, take_option, &list, &count))
        return;
    if (count != 1)
        ms_refuse_usage("list takes one CATALOGUE; see minisim list --help");
    else if (list.json && list.null_ended)
        ms_refuse_usage("--null is for names, --json has its own ends");
    else if (ms_open_catalogue(argv[0], &catalogue)) {
        ms_each_record(argv[0], catalogue, print, &list);
        ms_catalogue_close(catalogue);
    }
}
