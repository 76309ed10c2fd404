/*
 * compare --why: two pictures, their cosine distance, what each cell of them adds to its opposite,
 * the cosine, and a drawing of that. Takes the pictures' names and gives text or JSON.
 */
#ifndef MS_CLI_WHY_H
#define MS_CLI_WHY_H

#include "cli/batch.h"

/* The sources are two pictures. `path` is that of the drawing, `html_path` that of a page with it;
 * either may be NULL. What fails is said and noted. */
void ms_explain(const struct ms_sources *sources, const struct ms_picture_settings *settings,
                const char *path, const char *html_path, bool json);

#endif
