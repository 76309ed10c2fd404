/* Whole catalogues: see compact.h. Both ways copy record by record, as they are stored, after all
 * of the source was verified: what is copied gets checksums of its own. */
#include "catalogue/compact.h"

#include "catalogue/distinct.h"
#include "catalogue/file.h"
#include "catalogue/known.h"
#include "catalogue/state.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A record on its way from one catalogue to another. */
struct carried {
    struct ms_record record;
    char path[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
    struct ms_stored row;
};

static minisim_status fetch(const struct ms_catalogue *from, uint64_t id, struct carried *carried,
                            minisim_error *error) {
    size_t count;
    minisim_status status = ms_catalogue_records(from, id, 1, &carried->record, &count, error);
    if (!status)
        status =
            ms_catalogue_text(from, id, &carried->record, carried->path, carried->label, error);
    return status ? status : ms_catalogue_vectors(from, id, 1, &carried->row, error);
}

static minisim_status put(struct ms_catalogue *to, const struct carried *carried,
                          minisim_error *error) {
    return ms_catalogue_add_stored(to, &carried->record, carried->path, carried->label,
                                   &carried->row, error);
}

/* All that follows takes one; NULL: no memory. */
static struct carried *allocate(const struct ms_catalogue *c) {
    struct carried *carried = calloc(1, sizeof *carried);
    const struct ms_origin *origin = &c->header.origin;
    if (carried && !ms_stored_open(&carried->row, origin->type, origin->dimension, 1)) {
        free(carried);
        carried = NULL;
    }
    return carried;
}

static void release(struct carried *carried) {
    if (carried)
        ms_stored_close(&carried->row);
    free(carried);
}

static minisim_status told_to_stop(minisim_error *error) {
    return ms_fail(error, MINISIM_CANCELLED, "stopped");
}

/* ---- compact ---- */

static minisim_status check_whole(const struct ms_catalogue *c, minisim_error *error) {
    minisim_status status = ms_catalogue_verify(c, NULL, NULL, error);
    if (status != MINISIM_BAD_CATALOGUE)
        return status;
    return ms_fail(error, status, "the catalogue is damaged; " MS_SALVAGE_ADVICE);
}

/* The new one takes no more room than the old one. */
static minisim_status check_room(const struct ms_catalogue *c, minisim_error *error) {
    struct statvfs about;
    if (fstatvfs(c->descriptor, &about) != 0)
        return MINISIM_OK; /* writing will tell */
    uint64_t ids = c->commit.ids, left = ids - c->commit.removed;
    uint64_t room = (uint64_t)about.f_bavail * about.f_frsize;
    /* In proportion, and one part in 16 for what is not. */
    uint64_t needed = ids ? c->commit.end / ids * left + c->commit.end / 16 : 0;
    needed = needed < c->commit.end ? needed : c->commit.end;
    if (room >= needed)
        return MINISIM_OK;
    return ms_fail(error, MINISIM_REFUSED,
                   "compacting needs room for about %llu bytes beside it, %llu are free",
                   (unsigned long long)needed, (unsigned long long)room);
}

static minisim_status copy_note(void *user, const char *key, const void *value, size_t size,
                                minisim_error *error) {
    return ms_catalogue_set_note(user, key, value, size, error);
}

static minisim_status copy_all(const struct ms_catalogue *from, struct ms_catalogue *to,
                               ms_stop_fn *stop, void *user, minisim_error *error) {
    struct carried *carried = allocate(from);
    minisim_status status =
        carried ? MINISIM_OK : ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    for (uint64_t id = 0; !status && id < from->commit.ids; id++) {
        if (ms_catalogue_is_removed(from, id))
            continue;
        status = fetch(from, id, carried, error);
        if (!status)
            status = put(to, carried, error);
        if (!status && stop(user, id))
            status = told_to_stop(error);
    }
    release(carried);
    if (!status)
        status = ms_catalogue_each_note(from, copy_note, to, error);
    return status ? status : ms_catalogue_commit(to, error);
}

/* With the rights of the old file. */
static minisim_status publish(const struct ms_catalogue *old, struct ms_catalogue *new,
                              const char *beside, const char *path, minisim_error *error) {
    struct stat about;
    if (fstat(old->descriptor, &about) != 0 || fchmod(new->descriptor, about.st_mode & 0777) != 0)
        return ms_fail(error, MINISIM_REFUSED, "the new file cannot get its rights: %s",
                       ms_errno_text(errno));
    return ms_file_publish(new->descriptor, beside, path, true, error);
}

minisim_status ms_catalogue_compact(const char *path, ms_stop_fn *stop, void *user,
                                    minisim_error *error) {
    struct ms_catalogue *old, *new = NULL;
    char *beside = NULL, *target = realpath(path, NULL); /* a link stays one */
    if (!target)
        return ms_fail(error, MINISIM_REFUSED, "cannot be opened: %s", ms_errno_text(errno));
    minisim_status status = ms_catalogue_open_writer(target, NULL, &old, error);
    if (!status)
        status = check_whole(old, error);
    if (!status)
        status = check_room(old, error);
    if (!status)
        status = ms_catalogue_create_beside(target, &old->header.origin, &new, &beside, error);
    if (!status)
        status = copy_all(old, new, stop, user, error);
    if (!status)
        status = publish(old, new, beside, target, error);
    if (status && new)
        unlink(beside); /* not there any more, if it has been moved */
    if (new)
        free(beside);
    ms_catalogue_close(new);
    ms_catalogue_close(old);
    free(target);
    return status;
}

/* ---- merge ---- */

static void mark_hurt(void *user, const char *what, uint64_t first, uint64_t count) {
    uint8_t *hurt = user;
    (void)what;
    for (uint64_t id = first; id < first + count; id++)
        hurt[id / 8] |= (uint8_t)(1 << id % 8);
}

/* A bit for each id whose record is damaged, to be freed; those that are lost are counted. */
static minisim_status find_hurt(const struct ms_catalogue *c, uint8_t **hurt,
                                struct ms_merged *merged, minisim_error *error) {
    minisim_error cause;
    uint64_t size = ms_catalogue_ids(c) / 8 + 1;
    *hurt = size <= SIZE_MAX / 2 ? calloc(1, (size_t)size) : NULL;
    if (!*hurt)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    merged->hurt += c->lost;
    minisim_status status = ms_catalogue_verify(c, mark_hurt, *hurt, &cause);
    return !status || status == MINISIM_BAD_CATALOGUE ? MINISIM_OK
                                                      : ms_fail(error, status, "%s", cause.text);
}

/* Whether a record is to be taken over; damaged ones are counted. */
static bool is_taken(const struct ms_catalogue *c, uint64_t id, const uint8_t *hurt,
                     struct ms_merged *merged) {
    if (ms_catalogue_is_removed(c, id))
        return false;
    bool whole = !(hurt[id / 8] >> id % 8 & 1);
    merged->hurt += !whole;
    return whole;
}

/* A record that `verify` did not name, since its segment is damaged elsewhere. */
static bool is_hurt(minisim_status *status, uint64_t id, uint8_t *hurt, struct ms_merged *merged) {
    if (*status != MINISIM_BAD_CATALOGUE)
        return false;
    mark_hurt(hurt, NULL, id, 1);
    merged->hurt++;
    *status = MINISIM_OK;
    return true;
}

static bool is_newer(const struct ms_record *a, const struct ms_record *b) {
    return a->seconds > b->seconds || (a->seconds == b->seconds && a->nanoseconds > b->nanoseconds);
}

/* Which counter a record belongs to; `old` is what is there of its path, or NULL. */
static uint64_t *judge(struct ms_merged *merged, const struct ms_record *old,
                       const struct ms_record *new) {
    return !old                                                           ? &merged->added
           : memcmp(old->content, new->content, sizeof old->content) == 0 ? &merged->same
           : is_newer(new, old)                                           ? &merged->replaced
                                                                          : &merged->older;
}

static minisim_status merge_one(struct ms_catalogue *c, struct ms_known *known,
                                const struct carried *carried, struct ms_merged *merged,
                                minisim_error *error) {
    struct ms_record record;
    bool found;
    uint64_t id, new = ms_catalogue_ids(c);
    minisim_status status = ms_known_path(known, carried->path, &found, &id, &record, error);
    if (status)
        return status;
    uint64_t *counter = judge(merged, found ? &record : NULL, &carried->record);
    ++*counter;
    if (counter == &merged->same || counter == &merged->older)
        return MINISIM_OK;
    if (found)
        status = ms_catalogue_remove(c, id, error);
    if (!status)
        status = put(c, carried, error);
    return status ? status : ms_known_add(known, new, error);
}

/* What was noted of ours stands; only what is not noted is taken over. */
static minisim_status merge_note(void *user, const char *key, const void *value, size_t size,
                                 minisim_error *error) {
    struct ms_catalogue *c = user;
    void *ours;
    size_t our_size;
    minisim_status status = ms_catalogue_get_note(c, key, &ours, &our_size, error);
    if (!status && !ours)
        status = ms_catalogue_set_note(c, key, value, size, error);
    free(ours);
    return status;
}

/* But a pair that either has judged is judged. */
static minisim_status merge_notes(struct ms_catalogue *c, const struct ms_catalogue *other,
                                  minisim_error *error) {
    struct ms_distinct distinct = {.count = 0};
    minisim_status status = ms_catalogue_each_note(other, merge_note, c, error);
    if (!status)
        status = ms_distinct_read(&distinct, c, error);
    size_t ours = distinct.count;
    if (!status)
        status = ms_distinct_read(&distinct, other, error);
    if (!status && distinct.count > ours)
        status = ms_distinct_write(&distinct, c, error);
    ms_distinct_close(&distinct);
    return status;
}

/* Looking for one, whichever it is, reads them all. */
static bool has_damaged_notes(const struct ms_catalogue *c) {
    void *value;
    size_t size;
    bool damaged = ms_catalogue_get_note(c, "", &value, &size, NULL) == MINISIM_BAD_CATALOGUE;
    free(value);
    return damaged;
}

minisim_status ms_catalogue_merge(struct ms_catalogue *c, const struct ms_catalogue *other,
                                  ms_stop_fn *stop, void *user, struct ms_merged *merged,
                                  minisim_error *error) {
    struct ms_known known = {.count = 0};
    struct carried *carried = NULL;
    uint8_t *hurt = NULL;
    minisim_status status = ms_check_reading(&c->header.origin, &other->header.origin, error);
    if (status)
        return MINISIM_BAD_ARGUMENT;
    status = ms_known_open(&known, c, error);
    if (!status)
        status = find_hurt(other, &hurt, merged, error);
    if (!status && !(carried = allocate(c)))
        status = ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    for (uint64_t id = 0; !status && id < ms_catalogue_ids(other); id++) {
        if (!is_taken(other, id, hurt, merged))
            continue;
        status = fetch(other, id, carried, error);
        if (is_hurt(&status, id, hurt, merged))
            continue;
        if (!status)
            status = merge_one(c, &known, carried, merged, error);
        if (!status && stop(user, id))
            status = told_to_stop(error);
    }
    release(carried);
    free(hurt);
    ms_known_close(&known);
    if (status || !has_damaged_notes(other))
        return status ? status : merge_notes(c, other, error);
    merged->hurt_notes++;
    return MINISIM_OK;
}

/* What merging the catalogues of `known`, in turn, would leave at that path. */
static minisim_status find_merged(const struct ms_known *known, size_t count, const char *path,
                                  bool *found, struct ms_record *merged, minisim_error *error) {
    *found = false;
    for (size_t i = 0; i < count; i++) {
        struct ms_merged none;
        struct ms_record record;
        bool here;
        uint64_t id;
        minisim_status status = ms_known_path(&known[i], path, &here, &id, &record, error);
        if (status)
            return status;
        if (here && (!*found || judge(&none, merged, &record) == &none.replaced))
            *merged = record;
        *found = *found || here;
    }
    return MINISIM_OK;
}

/* Its records that are taken come to be known[count]. */
static minisim_status foresee(struct ms_known *known, size_t count,
                              const struct ms_catalogue *other, ms_stop_fn *stop, void *user,
                              struct ms_merged *merged, minisim_error *error) {
    char path[MS_PATH_MOST + 1];
    struct ms_record record, old;
    uint8_t *hurt;
    minisim_status status = find_hurt(other, &hurt, merged, error);
    known[count].catalogue = other;
    for (uint64_t id = 0; !status && id < ms_catalogue_ids(other); id++) {
        size_t one;
        bool found;
        if (!is_taken(other, id, hurt, merged))
            continue;
        status = ms_catalogue_records(other, id, 1, &record, &one, error);
        if (!status)
            status = ms_catalogue_text(other, id, &record, path, NULL, error);
        if (is_hurt(&status, id, hurt, merged))
            continue;
        if (!status)
            status = find_merged(known, count, path, &found, &old, error);
        if (!status)
            ++*judge(merged, found ? &old : NULL, &record);
        if (!status)
            status = ms_known_add(&known[count], id, error);
        if (!status && stop(user, id))
            status = told_to_stop(error);
    }
    merged->hurt_notes += !status && has_damaged_notes(other);
    free(hurt);
    return status;
}

minisim_status ms_catalogue_foresee_merge(struct ms_catalogue *const *all, size_t count,
                                          bool into_new, ms_stop_fn *stop, void *user,
                                          struct ms_merged *merged, minisim_error *error) {
    struct ms_known *known = calloc(count, sizeof *known);
    if (!known)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    minisim_status status = MINISIM_OK;
    for (size_t i = 0; !status && i < count; i++) {
        if (i > 0 && ms_check_reading(&all[0]->header.origin, &all[i]->header.origin, error))
            status = MINISIM_BAD_ARGUMENT;
        else if (i > 0 || into_new)
            status = foresee(known, i, all[i], stop, user, merged, error);
        else
            status = ms_known_open(&known[i], all[i], error);
    }
    for (size_t i = 0; i < count; i++)
        ms_known_close(&known[i]);
    free(known);
    return status;
}
