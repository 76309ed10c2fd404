/* Labels: see labels.h. */
#include "cli/labels.h"

#include "base/text.h"
#include "cli/catalogues.h"
#include "cli/console.h"
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(const char *line, const char *why) {
    ms_complain(line, "%s", why);
    ms_note(MS_EXIT_SOME_FAILED);
    return false;
}

/* Takes a line over. false: it is none, or there is no memory, which was said. */
static bool add_line(struct ms_labels *labels, char *line, bool files) {
    char *tab = strchr(line, '\t'), real[MS_PATH_MOST + 1];
    if (!tab || !tab[1]) {
        refuse(line, "a line of labels is a label, a tab and a name");
        free(line);
        return false;
    }
    *tab = '\0';
    if (labels->count == labels->capacity) {
        size_t capacity = labels->capacity ? 2 * labels->capacity : 64;
        struct ms_label *grown = realloc(labels->labels, capacity * sizeof *grown);
        if (!grown) {
            free(line);
            return ms_out_of_memory();
        }
        labels->labels = grown;
        labels->capacity = capacity;
    }
    /* One that is not there will not be met. */
    bool found = files && ms_real_path(tab + 1, real);
    if (files && !found && errno != ENOENT && errno != ENOTDIR) {
        refuse(tab + 1, strerror(errno));
        free(line);
        return false;
    }
    char *path = strdup(found ? real : tab + 1);
    labels->labels[labels->count++] = (struct ms_label){.path = path, .label = line};
    return path || ms_out_of_memory();
}

static int compare(const void *a, const void *b) {
    const struct ms_label *first = a, *second = b;
    return strcmp(first->path, second->path);
}

bool ms_labels_read(struct ms_labels *labels, const char *path, bool null_ended, bool files) {
    struct ms_names list;
    bool good = true;
    if (!ms_names_open(&list, path, null_ended))
        return false;
    for (char *line; good && (line = ms_names_next(&list));)
        good = add_line(labels, line, files);
    ms_names_close(&list);
    if (!good || list.failed || ms_interrupted())
        return false;
    if (labels->count > 0)
        qsort(labels->labels, labels->count, sizeof *labels->labels, compare);
    for (size_t i = 1; i < labels->count; i++)
        if (compare(&labels->labels[i - 1], &labels->labels[i]) == 0)
            return refuse(labels->labels[i].path, "it stands twice in the list of labels");
    return true;
}

const char *ms_label_of(struct ms_labels *labels, const char *path, char room[MS_PATH_MOST + 1]) {
    if (labels->by_folder) {
        const char *end = strrchr(path, '/'), *begin = end ? end : path;
        while (begin > path && begin[-1] != '/')
            begin--;
        snprintf(room, MS_PATH_MOST + 1, "%.*s", end ? (int)(end - begin) : 0, begin);
        return room;
    }
    const struct ms_label wanted = {.path = (char *)path};
    struct ms_label *found = labels->count ? bsearch(&wanted, labels->labels, labels->count,
                                                     sizeof *labels->labels, compare)
                                           : NULL;
    if (!found)
        return NULL;
    found->met = true;
    return found->label;
}

void ms_labels_report(const struct ms_labels *labels) {
    char text[MS_NUMBER_SIZE];
    const char *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < labels->count; i++)
        if (!labels->labels[i].met)
            first = count++ ? first : labels->labels[i].path;
    if (count == 0)
        return;
    ms_complain(first, "it has a label and was not met (%s in all)", ms_count_text(count, text));
}

void ms_labels_free(struct ms_labels *labels) {
    for (size_t i = 0; i < labels->count; i++) {
        free(labels->labels[i].path);
        free(labels->labels[i].label);
    }
    free(labels->labels);
    *labels = (struct ms_labels){.count = 0};
}
