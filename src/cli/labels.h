/*
 * Labels of a catalogue's records: from a list (--labels), which has a label, a tab and a path or
 * id a line, or from the names of the folders that pictures lie in (--label-by folder).
 */
#ifndef MS_CLI_LABELS_H
#define MS_CLI_LABELS_H

#include "catalogue/catalogue.h"

struct ms_labels {
    bool by_folder;
    struct ms_label {
        char *path;
        char *label;
        bool met;
    } * labels; /* [count], by their paths */
    size_t count, capacity;
};

/*
 * Reads a list; `path` may be "-". Lines may be in quotes, as lists of
 * names are. With `files`, what is labelled are files, which are known by their real paths. false:
 * this was said and noted; *labels must be freed all the same.
 */
bool ms_labels_read(struct ms_labels *labels, const char *path, bool null_ended, bool files);

/* The label of a record of that path, perhaps in `room`; NULL: nothing is said of it. */
const char *ms_label_of(struct ms_labels *labels, const char *path, char room[MS_PATH_MOST + 1]);

/* Says what the list labels and nobody asked for. */
void ms_labels_report(const struct ms_labels *labels);

void ms_labels_free(struct ms_labels *labels);

#endif
