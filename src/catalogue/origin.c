/* Origins: what the embeddings of a context have in common, and whether two are the same. */
#include "catalogue/catalogue.h"

#include "base/error.h"
#include "net/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- of a context ---- */

/* A line more, where all of it has room. */
__attribute__((format(printf, 2, 3))) static void add_line(struct ms_origin *origin,
                                                           const char *format, ...) {
    char *end = strchr(origin->text, '\0');
    size_t room = sizeof origin->text - (size_t)(end - origin->text);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(end, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        *end = '\0';
}

void ms_origin_of(minisim_context *context, const minisim_region *roi, struct ms_origin *origin) {
    const minisim_model *model = minisim_context_model(context);
    const struct ms_preparation *p = ms_context_preparation(context);
    char detail[32] = "";
    *origin = (struct ms_origin){.type = MS_F16, .any_type = true};
    origin->dimension = (uint32_t)minisim_model_dimension(model);
    minisim_context_embedding_id(context, origin->embedding_id);
    if (p->geometry == MINISIM_CROP)
        snprintf(detail, sizeof detail, " %u", (unsigned)p->crop_size);
    else if (p->geometry == MINISIM_PAD)
        snprintf(detail, sizeof detail, " %06x", (unsigned)p->pad_colour);
    add_line(origin, "numerics: %d\ninput: %u\ngeometry: %s%s\nresample: %s\n", MINISIM_NUMERICS,
             (unsigned)p->size, ms_geometry_name(p->geometry), detail,
             ms_resample_name(p->resample));
    /* What is not usual of how pictures are read: see ms_check_reading. */
    if (roi)
        add_line(origin, "roi: %u,%u,%u,%u\n", (unsigned)roi->x, (unsigned)roi->y,
                 (unsigned)roi->width, (unsigned)roi->height);
    if (p->ignore_orientation)
        add_line(origin, "orientation: ignored\n");
    if (p->background != 0xffffff)
        add_line(origin, "background: %06x\n", (unsigned)p->background);
    const char *key, *value;
    for (size_t i = 0; minisim_model_fact(model, i, &key, &value), key; i++)
        if (strcmp(key, "source") == 0 || strcmp(key, "date") == 0)
            add_line(origin, "%s: %s\n", key, value);
}

/* ---- the same? ---- */

static const char *line_end(const char *text) {
    return text + strcspn(text, "\n");
}

/* The first line of `ours` that the other text does not have, and its line of the same key. */
static void find_difference(const char *ours, const char *given, const char **line,
                            const char **other) {
    for (*line = ours; **line; *line = line_end(*line) + (*line_end(*line) != '\0')) {
        size_t length = (size_t)(line_end(*line) - *line), key = strcspn(*line, ":");
        *other = NULL;
        for (const char *at = given; *at; at = line_end(at) + (*line_end(at) != '\0'))
            if (key < length && strncmp(at, *line, key + 1) == 0)
                *other = at;
        if (*other &&
            ((size_t)(line_end(*other) - *other) != length || memcmp(*other, *line, length) != 0))
            return;
    }
    *line = *other = NULL;
}

static minisim_status refuse_lines(const char *ours, const char *given, minisim_error *error) {
    return ms_fail(error, MINISIM_BAD_CATALOGUE,
                   "the catalogue was made with \"%.*s\", this is \"%.*s\": such vectors do not "
                   "belong together",
                   (int)(line_end(ours) - ours), ours, (int)(line_end(given) - given), given);
}

minisim_status ms_check_origin(const struct ms_origin *ours, const struct ms_origin *given,
                               minisim_error *error) {
    const char *line, *other;
    if (ours->dimension != given->dimension)
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "the catalogue holds vectors of %u values, these have %u",
                       (unsigned)ours->dimension, (unsigned)given->dimension);
    if (ours->type != given->type && !given->any_type)
        return ms_fail(error, MINISIM_BAD_CATALOGUE, "the catalogue's vectors are %s, not %s",
                       ms_vector_type_names[ours->type], ms_vector_type_names[given->type]);
    if (strcmp(ours->embedding_id, given->embedding_id) == 0)
        return MINISIM_OK;
    if (!ours->embedding_id[0] || !given->embedding_id[0])
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "the catalogue holds %s, these are %s: they cannot be compared",
                       ours->embedding_id[0] ? "embeddings" : "vectors of another model",
                       ours->embedding_id[0] ? "vectors of another model" : "embeddings");
    find_difference(ours->text, given->text, &line, &other);
    if (!line)
        return ms_fail(error, MINISIM_BAD_CATALOGUE,
                       "the catalogue was made with other weights (embedding id %.12s..., these "
                       "give %.12s...)",
                       ours->embedding_id, given->embedding_id);
    return refuse_lines(line, other, error);
}

/* The line of the same key as `usual`, which it is where there is none. */
static const char *find_line(const char *text, const char *usual) {
    size_t size = strcspn(usual, ":") + 1;
    while (*text && strncmp(text, usual, size) != 0)
        text = line_end(text) + (*line_end(text) != '\0');
    return *text ? text : usual;
}

minisim_status ms_check_reading(const struct ms_origin *ours, const struct ms_origin *given,
                                minisim_error *error) {
    static const char *const usual[] = {"roi: all", "orientation: heeded", "background: ffffff"};
    minisim_status status = ms_check_origin(ours, given, error);
    for (size_t i = 0; !status && i < sizeof usual / sizeof *usual; i++) {
        const char *line = find_line(ours->text, usual[i]);
        const char *other = find_line(given->text, usual[i]);
        size_t length = (size_t)(line_end(line) - line);
        if ((size_t)(line_end(other) - other) != length || memcmp(line, other, length) != 0)
            status = refuse_lines(line, other, error);
    }
    return status;
}
