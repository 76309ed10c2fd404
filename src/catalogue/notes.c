/*
 * Notes of a catalogue (FORMAT.md, "Notes"): each segment that has any has all of them, so reading
 * is finding one column, and changing one writes the column anew with the next commit.
 */
#include "catalogue/state.h"

#include "base/bytes.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Of an entry, before its key and value. */
enum { SIZES = 8 };

/* A note where it stands in its column. */
struct note {
    const uint8_t *bytes;        /* the whole entry */
    size_t key_size, value_size; /* the key is behind the sizes, the value behind the key */
};

static minisim_status damaged(minisim_error *error) {
    return ms_fail(error, MINISIM_BAD_CATALOGUE, "the catalogue is damaged: its notes");
}

static bool is_key(const uint8_t *key, size_t size) {
    size_t good = 0;
    while (good < size && ((key[good] >= 'a' && key[good] <= 'z') ||
                           (key[good] >= '0' && key[good] <= '9') || key[good] == '-'))
        good++;
    return good == size && size >= 1 && size <= MS_NOTE_KEY_MOST;
}

static int compare_keys(const void *a, size_t a_size, const void *b, size_t b_size) {
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

/* The entry at the beginning of so many bytes; false: there is none, only fillers or damage. */
static bool read_note(const uint8_t *bytes, size_t left, struct note *note) {
    if (left < SIZES)
        return false;
    *note = (struct note){bytes, ms_load_u32(bytes), ms_load_u32(bytes + 4)};
    return note->key_size <= left - SIZES && is_key(bytes + SIZES, note->key_size) &&
           note->value_size <= left - SIZES - note->key_size;
}

static size_t size_of(const struct note *note) {
    return SIZES + note->key_size + note->value_size;
}

bool ms_are_notes(const uint8_t *bytes, size_t size) {
    struct note note, before = {NULL, 0, 0};
    size_t at = 0;
    for (; read_note(bytes + at, size - at, &note); at += size_of(&note)) {
        if (before.bytes && compare_keys(before.bytes + SIZES, before.key_size, note.bytes + SIZES,
                                         note.key_size) >= 0)
            return false;
        before = note;
    }
    while (at < size && bytes[at] == 0)
        at++;
    return at == size;
}

/* ---- reading ---- */

/* The committed column, to be freed; NULL: there is none. */
static minisim_status read_committed(const struct ms_catalogue *c, uint8_t **bytes, size_t *size,
                                     minisim_error *error) {
    struct ms_segment segment;
    *bytes = NULL;
    *size = 0;
    if (!c->commit.notes)
        return MINISIM_OK;
    const struct ms_part *part = c->parts, *end = part + c->commit.segments;
    while (part < end && part->offset != c->commit.notes)
        part++;
    if (part == end)
        return damaged(error);
    minisim_status status = ms_read_segment(c, part, &segment, error);
    if (!status && segment.columns[MS_NOTES] > MS_NOTES_MOST)
        status = damaged(error);
    if (!status)
        status = ms_read_column(c, &segment, MS_NOTES, bytes, error);
    if (status)
        return status;
    *size = (size_t)segment.columns[MS_NOTES];
    if (ms_are_notes(*bytes, *size))
        return MINISIM_OK;
    free(*bytes);
    *bytes = NULL;
    return damaged(error);
}

/* The column that counts, never NULL: a writer's that waits, or else the committed one; *own is to
 * be freed. */
static minisim_status read_notes(const struct ms_catalogue *c, const uint8_t **bytes, size_t *size,
                                 uint8_t **own, minisim_error *error) {
    const struct ms_bytes *waiting = &c->columns[MS_NOTES];
    *own = NULL;
    *bytes = waiting->bytes;
    *size = waiting->size;
    if (*size > 0)
        return MINISIM_OK;
    minisim_status status = read_committed(c, own, size, error);
    *bytes = *own ? *own : (const uint8_t *)"";
    return status;
}

minisim_status ms_catalogue_each_note(const struct ms_catalogue *c, ms_take_note *take, void *user,
                                      minisim_error *error) {
    const uint8_t *bytes;
    uint8_t *own;
    size_t size;
    struct note note;
    minisim_status status = read_notes(c, &bytes, &size, &own, error);
    for (size_t at = 0; !status && read_note(bytes + at, size - at, &note); at += size_of(&note)) {
        char key[MS_NOTE_KEY_MOST + 1];
        memcpy(key, note.bytes + SIZES, note.key_size);
        key[note.key_size] = '\0';
        if (note.value_size > 0)
            status = take(user, key, note.bytes + SIZES + note.key_size, note.value_size, error);
    }
    free(own);
    return status;
}

struct wanted {
    const char *key;
    void *value;
    size_t size;
};

static minisim_status keep_wanted(void *user, const char *key, const void *value, size_t size,
                                  minisim_error *error) {
    struct wanted *wanted = user;
    if (strcmp(key, wanted->key) != 0)
        return MINISIM_OK;
    char *copy = malloc(size + 1);
    if (!copy)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    memcpy(copy, value, size);
    copy[size] = '\0';
    wanted->value = copy;
    wanted->size = size;
    return MINISIM_OK;
}

minisim_status ms_catalogue_get_note(const struct ms_catalogue *c, const char *key, void **value,
                                     size_t *size, minisim_error *error) {
    struct wanted wanted = {.key = key};
    minisim_status status = ms_catalogue_each_note(c, keep_wanted, &wanted, error);
    *value = wanted.value;
    *size = wanted.size;
    return status;
}

/* ---- writing ---- */

static uint8_t *put_note(uint8_t *to, const char *key, const void *value, size_t size) {
    size_t key_size = strlen(key);
    ms_store_u32(to, (uint32_t)key_size);
    ms_store_u32(to + 4, (uint32_t)size);
    memcpy(to + SIZES, key, key_size);
    if (size > 0)
        memcpy(to + SIZES + key_size, value, size);
    return to + SIZES + key_size + size;
}

/* The column with one note put in its place; gives where it ends. */
static uint8_t *rewrite(uint8_t *to, const uint8_t *bytes, size_t size, const char *key,
                        const void *value, size_t value_size) {
    struct note note;
    bool done = false;
    for (size_t at = 0; read_note(bytes + at, size - at, &note); at += size_of(&note)) {
        int order = compare_keys(note.bytes + SIZES, note.key_size, key, strlen(key));
        if (order >= 0 && !done) {
            to = put_note(to, key, value, value_size);
            done = true;
        }
        if (order != 0) {
            memcpy(to, note.bytes, size_of(&note));
            to += size_of(&note);
        }
    }
    return done ? to : put_note(to, key, value, value_size);
}

minisim_status ms_catalogue_set_note(struct ms_catalogue *c, const char *key, const void *value,
                                     size_t size, minisim_error *error) {
    const uint8_t *bytes;
    uint8_t *own;
    size_t old_size;
    if (!is_key((const uint8_t *)key, strlen(key)))
        return ms_fail(error, MINISIM_BAD_ARGUMENT,
                       "a note's key has 1 to %d of a to z, 0 to 9 and -", MS_NOTE_KEY_MOST);
    minisim_status status = read_notes(c, &bytes, &old_size, &own, error);
    if (status)
        return status;
    uint8_t *column = NULL;
    if (size > MS_NOTES_MOST - old_size - SIZES - MS_NOTE_KEY_MOST)
        status = ms_fail(error, MINISIM_BAD_ARGUMENT,
                         "a catalogue's notes have room for %d bytes in all", MS_NOTES_MOST);
    else if (!(column = malloc(old_size + SIZES + strlen(key) + size)))
        status = ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    if (!status) {
        size_t new_size = (size_t)(rewrite(column, bytes, old_size, key, value, size) - column);
        free(c->columns[MS_NOTES].bytes);
        c->columns[MS_NOTES] = (struct ms_bytes){column, new_size, new_size};
    }
    free(own);
    return status;
}
