/*
 * A catalogue: vectors, and the pictures that they were made of, in one file that grows at its end
 * (FORMAT.md). Any number of processes read it, each what was committed when it opened it, while
 * one writes. Records have ids 0, 1, 2, ... for as long as the file lives.
 *
 * Functions give a status and, in *error, why: BAD_ARGUMENT; BAD_CATALOGUE, it is damaged, none, or
 * of another origin; REFUSED, the system does not let us read or write; OUT_OF_MEMORY. Whatever a
 * file holds, nothing is read or written out of bounds. One catalogue is used by one thread at a
 * time, but several may read from it (below), where none writes.
 */
#ifndef MS_CATALOGUE_CATALOGUE_H
#define MS_CATALOGUE_CATALOGUE_H

#include "minisim.h"
#include "vectors/stored.h"

#include <stdbool.h>

enum {
    MS_ORIGIN_SIZE = 2048,
    MS_PATH_MOST = 4096,
    MS_DIMENSION_MOST = 65536,
    MS_NOTE_KEY_MOST = 64,
    MS_NOTES_MOST = 64 << 20 /* bytes of all notes */
};

/* What all vectors of a catalogue have in common. */
struct ms_origin {
    uint32_t dimension;
    enum ms_vector_type type;
    bool any_type;             /* of what is asked for: `type` is for a new catalogue alone */
    char embedding_id[65];     /* "": vectors of another model */
    char text[MS_ORIGIN_SIZE]; /* lines `key: value`: what the id stands for */
};

/* Flags of a record. */
enum {
    MS_RECORD_DOUBTFUL = 1, /* the file may have changed unseen in the second it was read in */
    MS_RECORD_NO_FILE = 2   /* the path is an id that the caller gave */
};

struct ms_record {
    uint64_t text; /* where its path is, for the catalogue alone */
    uint32_t path_size, label_size;
    uint64_t size;
    int64_t seconds; /* of the last change */
    uint32_t nanoseconds;
    uint32_t flags;
    uint64_t device, inode;
    uint32_t width, height;
    uint64_t path_key; /* ms_path_key */
    uint8_t content[32];
};

struct ms_catalogue;

/* A snapshot of what is committed now, for reading. */
minisim_status ms_catalogue_open(const char *path, struct ms_catalogue **catalogue,
                                 minisim_error *error);

/* The same of one that is damaged, as far as it can be read, for ms_catalogue_verify and for
 * joining it to another (compact.h). */
minisim_status ms_catalogue_open_damaged(const char *path, struct ms_catalogue **catalogue,
                                         minisim_error *error);

/*
 * From now on, vectors are looked at where the system keeps the file, which spares copying them: it
 * pays from the second pass over them on. Whoever cuts the file short then kills us with a SIGBUS
 * for an address within the bytes given here. false: nothing changes (32 bits, another byte order,
 * a file system of another machine, no memory).
 */
bool ms_catalogue_map(struct ms_catalogue *catalogue, const void **begin, size_t *size);

/*
 * For adding, as the one writer: REFUSED at once where another process is. With `origin`, a
 * catalogue that does not exist is created, and one that does must be of that origin
 * (ms_check_reading).
 */
minisim_status ms_catalogue_open_writer(const char *path, const struct ms_origin *origin,
                                        struct ms_catalogue **catalogue, minisim_error *error);

/* Gives up what is not committed; NULL is allowed. */
void ms_catalogue_close(struct ms_catalogue *catalogue);

/* That of embeddings by this context, in f16 or any type, of pictures cut to `roi` (NULL: not). */
void ms_origin_of(minisim_context *context, const minisim_region *roi, struct ms_origin *origin);

/* Compares origins: BAD_CATALOGUE says what differs. */
minisim_status ms_check_origin(const struct ms_origin *ours, const struct ms_origin *given,
                               minisim_error *error);

/* The same, and that pictures were read alike: the lines `roi`, `orientation` and `background` of
 * the texts agree, too. Such vectors can be compared whatever they say, but only like ones make a
 * catalogue. */
minisim_status ms_check_reading(const struct ms_origin *ours, const struct ms_origin *given,
                                minisim_error *error);

/* ---- reading: several threads may ---- */

const struct ms_origin *ms_catalogue_origin(const struct ms_catalogue *catalogue);

/* Ids are below this; those of records that were removed stay empty. A writer's own records count
 * from the moment they are added. */
uint64_t ms_catalogue_ids(const struct ms_catalogue *catalogue);
uint64_t ms_catalogue_removed(const struct ms_catalogue *catalogue);
/* Records that are there: those ids but the removed ones. */
uint64_t ms_catalogue_count(const struct ms_catalogue *catalogue);
bool ms_catalogue_is_removed(const struct ms_catalogue *catalogue, uint64_t id);

/* Numbers for people. */
struct ms_catalogue_facts {
    uint8_t uuid[16];
    uint64_t generation, segments, file_bytes;
};
void ms_catalogue_describe(const struct ms_catalogue *catalogue, struct ms_catalogue_facts *facts);

/* Records from `id` on, at least one and at most `most`: as many as lie together. */
minisim_status ms_catalogue_records(const struct ms_catalogue *catalogue, uint64_t id, size_t most,
                                    struct ms_record *records, size_t *count, minisim_error *error);

/* The path of a record, and its label; `label` may be NULL. */
minisim_status ms_catalogue_text(const struct ms_catalogue *catalogue, uint64_t id,
                                 const struct ms_record *record, char path[MS_PATH_MOST + 1],
                                 char label[MS_PATH_MOST + 1], minisim_error *error);

/* Vectors from `id` on, at least one and at most `most`, into memory that `rows` points to:
 * values[most][stride], scales[most], norms[most]; rows->count becomes how many. */
minisim_status ms_catalogue_vectors(const struct ms_catalogue *catalogue, uint64_t id, size_t most,
                                    struct ms_stored *rows, minisim_error *error);

/* The same, but where the file is mapped, the pointers of `rows` become places there. */
minisim_status ms_catalogue_view(const struct ms_catalogue *catalogue, uint64_t id, size_t most,
                                 struct ms_stored *rows, minisim_error *error);

/*
 * What was noted of the collection under a key (FORMAT.md, "Notes"), with a NUL behind it, to be
 * freed; NULL: there is none. A writer's own notes count from the moment they are set.
 */
minisim_status ms_catalogue_get_note(const struct ms_catalogue *catalogue, const char *key,
                                     void **value, size_t *size, minisim_error *error);

/* Gets the notes, keys ascending; another status than OK ends it. */
typedef minisim_status ms_take_note(void *user, const char *key, const void *value, size_t size,
                                    minisim_error *error);
minisim_status ms_catalogue_each_note(const struct ms_catalogue *catalogue, ms_take_note *take,
                                      void *user, minisim_error *error);

/* The record of a vector that was made of no file. */
struct ms_record ms_record_of(const float *vector, size_t n);

/* The first 8 bytes of the path's SHA-256. */
uint64_t ms_path_key(const char *path);

/* ---- writing ---- */

/*
 * Adds a record with its path, label (NULL: none) and vector of finite values. What is added is
 * committed now and then, when it is 1,024 records, and by ms_catalogue_commit. BAD_ARGUMENT: the
 * vector has no place in the type (beyond f16), or the path is too long.
 */
minisim_status ms_catalogue_add(struct ms_catalogue *catalogue, const struct ms_record *record,
                                const char *path, const char *label, const float *vector,
                                minisim_error *error);

/* The same with a vector as a catalogue of the same origin stores it. */
minisim_status ms_catalogue_add_stored(struct ms_catalogue *catalogue,
                                       const struct ms_record *record, const char *path,
                                       const char *label, const struct ms_stored *row,
                                       minisim_error *error);

/* Removes a committed record, or one that was just added; nothing if it is removed already. */
minisim_status ms_catalogue_remove(struct ms_catalogue *catalogue, uint64_t id,
                                   minisim_error *error);

/* Notes something; no bytes: nothing any more. Like an addition it waits for the next commit.
 * BAD_ARGUMENT: no such key may be, or the value is too long. */
minisim_status ms_catalogue_set_note(struct ms_catalogue *catalogue, const char *key,
                                     const void *value, size_t size, minisim_error *error);

/* How many additions, removals and notes wait to be committed. */
size_t ms_catalogue_waiting(const struct ms_catalogue *catalogue);

/* Makes them last; nothing where none wait. After a failure the catalogue can only be closed. */
minisim_status ms_catalogue_commit(struct ms_catalogue *catalogue, minisim_error *error);

/* ---- the whole ---- */

/* Damage, told as it is found: what it is, and which records it hurts (none: count is 0). */
typedef void ms_say_damage(void *user, const char *what, uint64_t first, uint64_t count);

/* Reads every committed byte. BAD_CATALOGUE: there was damage, which was told (`say` may be NULL).
 */
minisim_status ms_catalogue_verify(const struct ms_catalogue *catalogue, ms_say_damage *say,
                                   void *user, minisim_error *error);

#endif
