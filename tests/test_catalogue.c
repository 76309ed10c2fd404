/*
 * catalogue: what is committed stays, whatever happens to the rest. The linker hands each change of
 * a file to the calls here (--wrap, in the Makefile), which record it, or let it fail. In the
 * environment, RECORDS says how many are appended while others search (20000), and EVERY_BIT that
 * all bits are flipped, not one a byte.
 */
#include "catalogue/compact.h"
#include "catalogue/distinct.h"
#include "catalogue/file.h"
#include "catalogue/known.h"
#include "catalogue/search.h"
#include "catalogue/state.h"

#include "base/bytes.h"
#include "base/crc.h"
#include "catalogue_support.h"
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the system's calls ---- */

enum kind { WRITE, SYNC, TRUNCATE, RESERVE, FINISHED };

/* One change of the file; FINISHED: a commit returned, `offset` is how many ids it has. */
struct change {
    enum kind kind;
    uint64_t offset;
    size_t size;
    uint8_t *bytes;
};

static struct change changes[4096];
static size_t change_count;
static bool recording;
static long fail_at = -1, calls; /* this call of those below fails */

static bool fails(void) {
    bool now = calls++ == fail_at;
    if (now)
        errno = ENOSPC;
    return now;
}

static void record(enum kind kind, uint64_t offset, size_t size, const void *bytes) {
    if (!recording)
        return;
    assert_true(change_count < sizeof changes / sizeof *changes);
    uint8_t *copy = bytes ? malloc(size) : NULL;
    if (bytes) {
        assert_non_null(copy);
        memcpy(copy, bytes, size);
    }
    changes[change_count++] = (struct change){kind, offset, size, copy};
}

static void forget_changes(void) {
    while (change_count > 0)
        free(changes[--change_count].bytes);
    recording = false;
}

ssize_t __real_pwrite64(int file, const void *bytes, size_t size, off_t offset);
int __real_fdatasync(int file);
int __real_fsync(int file);
int __real_ftruncate64(int file, off_t size);
int __real_posix_fallocate64(int file, off_t offset, off_t size);
int __real_link(const char *from, const char *to);
int __real_rename(const char *from, const char *to);
int __real_renameat2(int a, const char *from, int b, const char *to, unsigned flags);

ssize_t __wrap_pwrite64(int file, const void *bytes, size_t size, off_t offset);
int __wrap_fdatasync(int file);
int __wrap_fsync(int file);
int __wrap_ftruncate64(int file, off_t size);
int __wrap_posix_fallocate64(int file, off_t offset, off_t size);
int __wrap_link(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags);

ssize_t __wrap_pwrite64(int file, const void *bytes, size_t size, off_t offset) {
    if (fails())
        return -1;
    record(WRITE, (uint64_t)offset, size, bytes);
    return __real_pwrite64(file, bytes, size, offset);
}

/* What it is to the disk is recorded; the disk itself need not move in a test. */
int __wrap_fdatasync(int file) {
    (void)file;
    if (fails())
        return -1;
    record(SYNC, 0, 0, NULL);
    return 0;
}

int __wrap_fsync(int file) {
    return __wrap_fdatasync(file);
}

int __wrap_ftruncate64(int file, off_t size) {
    if (fails())
        return -1;
    record(TRUNCATE, (uint64_t)size, 0, NULL);
    return __real_ftruncate64(file, size);
}

int __wrap_posix_fallocate64(int file, off_t offset, off_t size) {
    if (fails())
        return ENOSPC;
    record(RESERVE, (uint64_t)offset, (size_t)size, NULL);
    return __real_posix_fallocate64(file, offset, size);
}

int __wrap_link(const char *from, const char *to) {
    return fails() ? -1 : __real_link(from, to);
}

int __wrap_rename(const char *from, const char *to) {
    return fails() ? -1 : __real_rename(from, to);
}

int __wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    return fails() ? -1 : __real_renameat2(a, from, b, to, flags);
}

/* ---- a catalogue whose content follows from the number of its ids ---- */

enum { DIMENSION = 9 };

static char folder[] = "/tmp/minisim-test-catalogue-XXXXXX", path[64];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.msc", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static struct ms_origin origin_of(enum ms_vector_type type) {
    struct ms_origin origin = {.dimension = DIMENSION, .type = type, .text = "made-by: a test\n"};
    memset(origin.embedding_id, 'a', 64);
    return origin;
}

static void make_vector(uint64_t id, float vector[DIMENSION]) {
    uint64_t seed = id * 7919 + 1;
    for (size_t i = 0; i < DIMENSION; i++)
        vector[i] = (float)(next_random(&seed) % 6000) / 1000;
}

static struct ms_record make_record(uint64_t id) {
    struct ms_record r = {.size = id * 3,
                          .seconds = -(int64_t)id,
                          .nanoseconds = (uint32_t)id,
                          .device = 7,
                          .inode = id,
                          .width = 640,
                          .height = (uint32_t)id};
    memset(r.content, (int)(id % 251), sizeof r.content);
    return r;
}

static void make_path(uint64_t id, char text[64]) {
    snprintf(text, 64, "/pictures/%llu \"\n\xff.jpg", (unsigned long long)id);
}

/* Every fifth id is noted. */
static uint64_t noted_id(uint64_t ids) {
    return (ids - 1) / 5 * 5;
}

static minisim_status note_id(struct ms_catalogue *c, uint64_t id) {
    char text[24];
    minisim_error error;
    snprintf(text, sizeof text, "%llu", (unsigned long long)id);
    return ms_catalogue_set_note(c, "threshold-cosine", text, strlen(text), &error);
}

/* Every seventh id removes the one that is three before it. */
static bool should_be_removed(uint64_t id, uint64_t ids) {
    return id % 7 == 4 && id + 3 < ids;
}

static minisim_status add(struct ms_catalogue *c, uint64_t id) {
    float vector[DIMENSION];
    char text[64];
    minisim_error error;
    make_vector(id, vector);
    make_path(id, text);
    struct ms_record r = make_record(id);
    minisim_status status = ms_catalogue_add(c, &r, text, id % 2 ? "label" : NULL, vector, &error);
    if (!status && id % 7 == 0 && id > 0)
        status = ms_catalogue_remove(c, id - 3, &error);
    return !status && id % 5 == 0 ? note_id(c, id) : status;
}

/* Adds records up to id `end`, with a commit after each `each`. */
static minisim_status extend(struct ms_catalogue *c, uint64_t end, uint64_t each) {
    minisim_error error;
    minisim_status status = MINISIM_OK;
    for (uint64_t id = ms_catalogue_ids(c); !status && id < end; id++) {
        status = add(c, id);
        if (!status && ((id + 1) % each == 0 || id + 1 == end)) {
            status = ms_catalogue_commit(c, &error);
            if (!status)
                record(FINISHED, id + 1, 0, NULL);
        }
    }
    return status;
}

/* At `at` stands the record that was added as `id`. */
static void check_record(const struct ms_catalogue *c, uint64_t at, uint64_t id) {
    struct ms_record r, wanted = make_record(id);
    char text[64], name[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
    float vector[DIMENSION], stored[DIMENSION];
    minisim_error error;
    struct ms_stored row;
    size_t count;
    make_path(id, text);
    make_vector(id, vector);
    assert_int_equal(ms_catalogue_records(c, at, 1, &r, &count, &error), MINISIM_OK);
    assert_int_equal(ms_catalogue_text(c, at, &r, name, label, &error), MINISIM_OK);
    assert_string_equal(name, text);
    assert_string_equal(label, id % 2 ? "label" : "");
    assert_true(r.size == wanted.size && r.seconds == wanted.seconds && r.inode == wanted.inode);
    assert_int_equal(r.nanoseconds, wanted.nanoseconds);
    assert_memory_equal(r.content, wanted.content, 32);
    assert_true(ms_stored_open(&row, ms_catalogue_origin(c)->type, DIMENSION, 1));
    assert_int_equal(ms_catalogue_vectors(c, at, 1, &row, &error), MINISIM_OK);
    ms_stored_get(&row, 0, stored);
    for (size_t i = 0; i < DIMENSION; i++)
        assert_true(fabsf(stored[i] - vector[i]) <= 6.0f / 254 + 1e-6f);
    ms_stored_close(&row);
}

static void check_note(const struct ms_catalogue *c, const char *key, const char *wanted) {
    minisim_error error;
    void *value;
    size_t size;
    assert_int_equal(ms_catalogue_get_note(c, key, &value, &size, &error), MINISIM_OK);
    if (wanted) {
        assert_string_equal(value, wanted);
        assert_int_equal(size, strlen(wanted));
    } else {
        assert_null(value);
    }
    free(value);
}

/* All of it is as its number of ids says. */
static void check_content(const struct ms_catalogue *c) {
    uint64_t ids = ms_catalogue_ids(c);
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)noted_id(ids));
    check_note(c, "threshold-cosine", ids > 0 ? text : NULL);
    for (uint64_t id = 0; id < ids; id++) {
        check_record(c, id, id);
        assert_int_equal(ms_catalogue_is_removed(c, id), should_be_removed(id, ids));
    }
}

static double cosine_distance(const float *a, const float *b) {
    double products = 0, squares_a = 0, squares_b = 0;
    for (size_t i = 0; i < DIMENSION; i++) {
        products += (double)a[i] * b[i];
        squares_a += (double)a[i] * a[i];
        squares_b += (double)b[i] * b[i];
    }
    return 1 - products / sqrt(squares_a * squares_b);
}

/* Whether these are the nearest to a vector, of what its number of ids says (f32). */
static bool are_nearest(const struct ms_top *top, const float *query, uint64_t ids) {
    const double tolerance = 1e-6;
    size_t seen = 0, nearer = 0, left = 0;
    for (uint64_t id = 0; id < ids; id++) {
        float vector[DIMENSION];
        if (should_be_removed(id, ids))
            continue;
        make_vector(id, vector);
        double distance = cosine_distance(query, vector);
        left++;
        for (size_t i = 0; i < top->count; i++)
            seen += top->hits[i].id == id && fabs(top->hits[i].distance - distance) < tolerance;
        nearer += top->count > 0 && distance < top->hits[top->count - 1].distance - tolerance;
    }
    return seen == (left < top->most ? left : top->most) && seen == top->count &&
           (nearer < seen || seen == 0);
}

/* Searches for the vector of some id. */
static bool search_is_right(const struct ms_catalogue *c, uint64_t asked) {
    minisim_hit hits[5];
    struct ms_top top = {.most = 5, .hits = hits};
    struct ms_stored query;
    float vector[DIMENSION];
    minisim_error error;
    make_vector(asked, vector);
    if (!ms_stored_open(&query, ms_catalogue_origin(c)->type, DIMENSION, 1))
        return false;
    query.count = 1;
    struct ms_search search = {c->kernels, MINISIM_COSINE, &query, 2, NULL, 1};
    bool right = ms_stored_put(c->kernels, &query, 0, vector) &&
                 !ms_catalogue_search(c, &search, &top, &error) &&
                 are_nearest(&top, vector, ms_catalogue_ids(c));
    ms_stored_close(&query);
    return right;
}

static void count_damage(void *user, const char *what, uint64_t first, uint64_t count) {
    (void)what;
    (void)first;
    (void)count;
    ++*(size_t *)user;
}

static void check_verified(const struct ms_catalogue *c) {
    minisim_error error = {""};
    size_t damage = 0;
    assert_int_equal(ms_catalogue_verify(c, count_damage, &damage, &error), MINISIM_OK);
    assert_int_equal(damage, 0);
}

static struct ms_catalogue *open_writer(const struct ms_origin *origin) {
    struct ms_catalogue *c;
    minisim_error error;
    if (ms_catalogue_open_writer(path, origin, &c, &error))
        fail_msg("%s", error.text);
    return c;
}

static void make(enum ms_vector_type type, uint64_t ids, uint64_t each) {
    struct ms_origin origin = origin_of(type);
    unlink(path);
    struct ms_catalogue *c = open_writer(&origin);
    assert_int_equal(extend(c, ids, each), MINISIM_OK);
    ms_catalogue_close(c);
}

/* ---- tests ---- */

static void what_is_written_is_read(void **state) {
    (void)state;
    for (int type = 0; type < MS_VECTOR_TYPES; type++) {
        struct ms_catalogue *c;
        minisim_error error;
        make((enum ms_vector_type)type, 3000, 10); /* several TABLEs */
        assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
        assert_int_equal(ms_catalogue_ids(c), 3000);
        assert_true(c->commit.table > 0);
        check_content(c);
        check_verified(c);
        ms_catalogue_close(c);
        make((enum ms_vector_type)type, 3000, 100000); /* segments that are full */
        assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
        assert_int_equal(c->commit.segments, 3);
        check_content(c);
        ms_catalogue_close(c);
    }
}

static void other_origins_are_refused(void **state) {
    (void)state;
    struct ms_origin origin = origin_of(MS_F16), other = origin;
    struct ms_catalogue *c;
    minisim_error error;
    make(MS_F16, 10, 10);
    ms_catalogue_close(open_writer(&origin));
    other.embedding_id[0] = 'b';
    assert_int_equal(ms_catalogue_open_writer(path, &other, &c, &error), MINISIM_BAD_CATALOGUE);
    assert_non_null(strstr(error.text, "other weights"));
    strcpy(other.text, "made-by: somebody\n");
    assert_int_equal(ms_catalogue_open_writer(path, &other, &c, &error), MINISIM_BAD_CATALOGUE);
    assert_non_null(strstr(error.text, "\"made-by: a test\", this is \"made-by: somebody\""));
    other = origin;
    other.dimension = 10;
    assert_int_equal(ms_catalogue_open_writer(path, &other, &c, &error), MINISIM_BAD_CATALOGUE);
    other = origin;
    other.type = MS_I8;
    assert_int_equal(ms_catalogue_open_writer(path, &other, &c, &error), MINISIM_BAD_CATALOGUE);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void one_writer(void **state) {
    (void)state;
    struct ms_origin origin = origin_of(MS_F32);
    struct ms_catalogue *c, *second;
    minisim_error error;
    unlink(path);
    c = open_writer(&origin);
    double start = now();
    assert_int_equal(ms_catalogue_open_writer(path, &origin, &second, &error), MINISIM_REFUSED);
    assert_true(now() - start < 0.1);
    assert_non_null(strstr(error.text, "another process"));
    assert_null(second);
    assert_int_equal(ms_catalogue_open(path, &second, &error), MINISIM_OK); /* readers may */
    ms_catalogue_close(second);
    ms_catalogue_close(c);
    ms_catalogue_close(open_writer(&origin));
    assert_int_equal(ms_catalogue_open_writer("/tmp/none/a.msc", &origin, &c, &error),
                     MINISIM_REFUSED);
    assert_int_equal(ms_catalogue_open_writer(folder, &origin, &c, &error), MINISIM_REFUSED);
}

static void set_note(struct ms_catalogue *c, const char *key, const char *value) {
    minisim_error error;
    assert_int_equal(ms_catalogue_set_note(c, key, value, strlen(value), &error), MINISIM_OK);
}

static struct ms_catalogue *open_reader(void) {
    struct ms_catalogue *c;
    minisim_error error;
    if (ms_catalogue_open(path, &c, &error))
        fail_msg("%s", error.text);
    return c;
}

static bool never(void *user, uint64_t done) {
    (void)user;
    (void)done;
    return false;
}

/* Two that make the same catalogue: one does. */
static void one_creator(void **state) {
    (void)state;
    char *beside;
    int descriptor;
    minisim_error error;
    make(MS_F16, 3, 3);
    assert_int_equal(ms_file_create_beside(path, &descriptor, &beside, &error), MINISIM_OK);
    assert_int_equal(ms_file_publish(descriptor, beside, path, false, &error), MINISIM_REFUSED);
    assert_string_equal(error.text, "another process has made it meanwhile: try again");
    assert_int_equal(unlink(beside), 0);
    close(descriptor);
    free(beside);
    struct ms_catalogue *c = open_reader();
    check_verified(c);
    ms_catalogue_close(c);
}

static void notes_are_kept(void **state) {
    (void)state;
    static const char *const bad_keys[] = {"", "A", "a b", "a\n", "\xff"};
    char long_key[MS_NOTE_KEY_MOST + 2];
    minisim_error error;
    make(MS_F16, 3, 10);
    struct ms_catalogue *c = open_writer(NULL), *reader = open_reader();
    set_note(c, "b", "new");
    set_note(c, "a", "first");
    set_note(c, "z-9", "last");
    set_note(c, "b", "newer");
    assert_int_equal(ms_catalogue_waiting(c), 1);
    check_note(c, "b", "newer");
    assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_OK);
    check_note(reader, "b", NULL);
    ms_catalogue_close(reader);
    set_note(c, "a", "");
    for (size_t i = 0; i < sizeof bad_keys / sizeof *bad_keys; i++)
        assert_int_equal(ms_catalogue_set_note(c, bad_keys[i], "", 0, &error),
                         MINISIM_BAD_ARGUMENT);
    memset(long_key, 'k', sizeof long_key);
    long_key[MS_NOTE_KEY_MOST + 1] = '\0';
    assert_int_equal(ms_catalogue_set_note(c, long_key, "", 0, &error), MINISIM_BAD_ARGUMENT);
    assert_int_equal(ms_catalogue_set_note(c, "c", "", MS_NOTES_MOST, &error),
                     MINISIM_BAD_ARGUMENT);
    check_note(c, "a", NULL);
    check_note(c, "threshold-cosine", "0");
    assert_int_equal(extend(c, 1200, 1), MINISIM_OK); /* past a few TABLEs */
    ms_catalogue_close(c);
    assert_int_equal(ms_catalogue_compact(path, never, NULL, &error), MINISIM_OK);
    c = open_reader();
    check_note(c, "a", NULL);
    check_note(c, "b", "newer");
    check_note(c, "z-9", "last");
    check_note(c, "threshold-cosine", "1195");
    check_verified(c);
    ms_catalogue_close(c);
}

/* Of one note, the first catalogue's counts; pairs that either has are in both. */
static void notes_are_merged(void **state) {
    (void)state;
    struct ms_merged merged = {0};
    struct ms_distinct pairs = {.count = 0};
    minisim_error error;
    char other_path[80];
    make(MS_F16, 6, 10);
    struct ms_catalogue *c = open_writer(NULL);
    assert_true(ms_distinct_add(&pairs, "/b", "/a") && ms_distinct_add(&pairs, "/x", "/\n\xff"));
    assert_int_equal(ms_distinct_write(&pairs, c, &error), MINISIM_OK);
    set_note(c, "theirs", "yes");
    assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_OK);
    ms_catalogue_close(c);
    ms_distinct_close(&pairs);
    snprintf(other_path, sizeof other_path, "%s/other.msc", folder);
    assert_int_equal(rename(path, other_path), 0);
    make(MS_F16, 1, 10);
    c = open_writer(NULL);
    assert_true(ms_distinct_add(&pairs, "/a", "/b") && ms_distinct_add(&pairs, "/a", "/b") &&
                ms_distinct_add(&pairs, "/a", "/c") && ms_distinct_add(&pairs, "/a", "/a"));
    assert_int_equal(pairs.count, 2);
    assert_int_equal(ms_distinct_write(&pairs, c, &error), MINISIM_OK);
    ms_distinct_close(&pairs);
    struct ms_catalogue *other;
    assert_int_equal(ms_catalogue_open(other_path, &other, &error), MINISIM_OK);
    assert_int_equal(ms_catalogue_merge(c, other, never, NULL, &merged, &error), MINISIM_OK);
    assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_OK);
    ms_catalogue_close(other);
    ms_catalogue_close(c);
    c = open_reader();
    check_note(c, "threshold-cosine", "0"); /* theirs is 5 */
    check_note(c, "theirs", "yes");
    assert_int_equal(ms_distinct_read(&pairs, c, &error), MINISIM_OK);
    static const char *const wanted[][2] = {{"/\n\xff", "/x"}, {"/a", "/b"}, {"/a", "/c"}};
    assert_int_equal(pairs.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(pairs.pairs[i], wanted[i][0]);
        assert_string_equal(ms_distinct_other(pairs.pairs[i]), wanted[i][1]);
    }
    ms_distinct_close(&pairs);
    check_verified(c);
    ms_catalogue_close(c);
}

/* Notes that are no such are refused, though their checksums are right. */
static void bad_notes(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } columns[] = {{"\0\0\0\0\0\0\0\0", 8},
                   {"\1\0\0\0\1\0\0\0av\1\0\0\0\1\0\0\0av", 20},
                   {"\1\0\0\0\1\0\0\0bv\1\0\0\0\1\0\0\0av", 20},
                   {"\1\0\0\0\377\377\377\377av", 10},
                   {"\x41\0\0\0\1\0\0\0av", 10},
                   {"\1\0\0\0\1\0\0\0av\0\0x", 13},
                   {"\1\0\0\0\1\0\0\0Av", 10}};
    assert_true(ms_are_notes((const uint8_t *)columns[0].bytes, columns[0].size));
    for (size_t i = 1; i < sizeof columns / sizeof *columns; i++)
        assert_false(ms_are_notes((const uint8_t *)columns[i].bytes, columns[i].size));
    static const char *const halves[] = {"/a", "/a\0/b", "\0\0\0"};
    static const size_t sizes[] = {3, 5, 3};
    for (size_t i = 0; i < 3; i++) {
        struct ms_distinct pairs = {.count = 0};
        minisim_error error;
        make(MS_F16, 1, 1);
        struct ms_catalogue *c = open_writer(NULL);
        assert_int_equal(ms_catalogue_set_note(c, "not-duplicates", halves[i], sizes[i], &error),
                         MINISIM_OK);
        assert_int_equal(ms_distinct_read(&pairs, c, &error), MINISIM_BAD_CATALOGUE);
        ms_distinct_close(&pairs);
        ms_catalogue_close(c);
    }
}

/* Where a column of the first segment begins. */
static size_t first_column(const uint8_t *file, size_t column) {
    struct ms_segment segment = {.offset = MS_SEGMENTS_BEGIN};
    for (size_t i = 0; i < MS_ALL_COLUMNS; i++)
        segment.columns[i] = ms_load_u64(file + MS_SEGMENTS_BEGIN + 64 + 8 * i);
    return MS_SEGMENTS_BEGIN + (size_t)ms_column_begin(&segment, column);
}

/* Values that are no numbers, norms that are another's, though the checksums are right: verify
 * names the record, and merge leaves it out. */
static void bad_vectors(void **state) {
    (void)state;
    static const struct {
        enum ms_vector_type type;
        size_t column;
        uint32_t bits;
    } cases[] = {{MS_F32, MS_VECTORS, 0x7fc00000},
                 {MS_F32, MS_VECTORS, 0xff800000},
                 {MS_F32, MS_NORMS, 0x3f800000},
                 {MS_F32, MS_NORMS, 0x7fc00000},
                 {MS_F16, MS_VECTORS, 0x7e00},
                 {MS_F16, MS_VECTORS, 0x7c000000},
                 {MS_F16, MS_NORMS, 0},
                 {MS_I8, MS_VECTORS, 0x80},
                 {MS_I8, MS_SCALES, 0x7f800000},
                 {MS_I8, MS_SCALES, 0xbf800000},
                 {MS_I8, MS_NORMS, 0xffffffff}};
    static uint8_t file[1 << 16];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ms_catalogue *c;
        struct ms_merged merged = {0};
        minisim_error error;
        size_t damage = 0;
        make(cases[i].type, 3, 3);
        FILE *stream = fopen(path, "r+b");
        assert_non_null(stream);
        size_t size = fread(file, 1, sizeof file, stream);
        ms_store_u32(file + first_column(file, cases[i].column), cases[i].bits);
        mend_catalogue(file, size);
        rewind(stream);
        assert_int_equal(fwrite(file, 1, size, stream), size);
        fclose(stream);
        assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
        assert_int_equal(ms_catalogue_verify(c, count_damage, &damage, &error),
                         MINISIM_BAD_CATALOGUE);
        assert_int_equal(damage, 1);
        assert_int_equal(ms_catalogue_foresee_merge(&c, 1, true, never, NULL, &merged, &error),
                         MINISIM_OK);
        assert_int_equal(merged.hurt, 1);
        ms_catalogue_close(c);
    }
}

/* A newer version's file, with what one may not know to write, or to read. */
static void newer_files(void **state) {
    (void)state;
    enum { READS = 20, REFUSES = 24 };
    static uint8_t file[1 << 16];
    for (size_t at = READS; at <= REFUSES; at += REFUSES - READS) {
        struct ms_catalogue *c;
        minisim_error error;
        make(MS_F16, 2, 2);
        FILE *stream = fopen(path, "r+b");
        assert_non_null(stream);
        size_t size = fread(file, 1, sizeof file, stream);
        file[at] = 1;
        mend_catalogue(file, size);
        rewind(stream);
        assert_int_equal(fwrite(file, 1, size, stream), size);
        fclose(stream);
        assert_int_equal(ms_catalogue_open_writer(path, NULL, &c, &error), MINISIM_BAD_CATALOGUE);
        assert_non_null(strstr(error.text, "newer"));
        minisim_status status = ms_catalogue_open(path, &c, &error);
        assert_int_equal(status, at == READS ? MINISIM_OK : MINISIM_BAD_CATALOGUE);
        if (!status)
            check_content(c);
        ms_catalogue_close(status ? NULL : c);
    }
}

/* Names, ids and vectors that cannot be; a writer after an error. */
static void wrong_arguments(void **state) {
    (void)state;
    static char name[MS_PATH_MOST + 2];
    float vector[DIMENSION] = {1};
    struct ms_record record = make_record(0);
    minisim_error error;
    size_t count;
    make(MS_F16, 2, 2);
    struct ms_catalogue *c = open_writer(NULL);
    assert_int_equal(ms_catalogue_add(c, &record, name, NULL, vector, &error),
                     MINISIM_BAD_ARGUMENT);
    memset(name, 'x', sizeof name - 1);
    assert_int_equal(ms_catalogue_add(c, &record, name, NULL, vector, &error),
                     MINISIM_BAD_ARGUMENT);
    assert_int_equal(ms_catalogue_remove(c, 2, &error), MINISIM_BAD_ARGUMENT);
    assert_int_equal(ms_catalogue_records(c, 2, 1, &record, &count, &error), MINISIM_BAD_ARGUMENT);
    vector[1] = 1e6f;
    assert_int_equal(ms_catalogue_add(c, &record, "/x", NULL, vector, &error),
                     MINISIM_BAD_ARGUMENT);
    assert_int_equal(ms_catalogue_waiting(c), 0);
    assert_int_equal(add(c, 2), MINISIM_OK);
    calls = 0;
    fail_at = 0;
    assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_REFUSED);
    fail_at = -1;
    assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_REFUSED);
    assert_non_null(strstr(error.text, "an earlier write failed"));
    ms_catalogue_close(c);
    assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
    assert_int_equal(ms_catalogue_ids(c), 2);
    ms_catalogue_close(c);
}

/* The numbers that f16 rounds to are those of the hardware's rule: to nearest, ties to even. */
static void f16_is_rounded(void **state) {
    (void)state;
    const struct ms_kernels *kernels = ms_kernels_choose(NULL);
    struct ms_stored row;
    float value;
    assert_true(ms_stored_open(&row, MS_F16, 1, 1));
    for (uint32_t half = 0; half < 0x7bff; half++) {
        uint8_t low[2] = {(uint8_t)half, (uint8_t)(half >> 8)};
        uint8_t high[2] = {(uint8_t)(half + 1), (uint8_t)((half + 1) >> 8)};
        float a = ms_load_f16(low), b = ms_load_f16(high), middle = a + (b - a) / 2;
        float inputs[] = {a, nextafterf(middle, a), middle, nextafterf(middle, b), -middle};
        float wanted[] = {a, a, half % 2 ? b : a, b, half % 2 ? -b : -a};
        for (size_t i = 0; i < 5; i++) {
            assert_true(ms_stored_put(kernels, &row, 0, &inputs[i]));
            ms_stored_get(&row, 0, &value);
            assert_true(value == wanted[i]);
        }
    }
    value = 65519.99f;
    assert_true(ms_stored_put(kernels, &row, 0, &value));
    value = 65520;
    assert_false(ms_stored_put(kernels, &row, 0, &value));
    value = -1e30f;
    assert_false(ms_stored_put(kernels, &row, 0, &value));
    ms_stored_close(&row);
}

/* Rounded vectors are at distance 0 of themselves; distances are those of the library. */
static void distances(void **state) {
    (void)state;
    const struct ms_kernels *kernels = ms_kernels_choose(NULL);
    static const minisim_metric metrics[] = {MINISIM_COSINE, MINISIM_EUCLIDEAN, MINISIM_DOT};
    enum { ROWS = 30 };
    for (int type = 0; type < MS_VECTOR_TYPES; type++) {
        struct ms_stored rows;
        float vectors[ROWS][DIMENSION];
        double found[ROWS * ROWS], wanted;
        assert_true(ms_stored_open(&rows, (enum ms_vector_type)type, DIMENSION, ROWS));
        for (size_t i = 0; i < ROWS; i++) {
            make_vector(i, vectors[i]);
            for (size_t k = 0; i == 3 && k < DIMENSION; k++)
                vectors[i][k] = 0;
            assert_true(ms_stored_put(kernels, &rows, i, vectors[i]));
            ms_stored_get(&rows, i, vectors[i]);
        }
        float *room = malloc(ms_distance_room(&rows, &rows) * sizeof *room + 1);
        for (size_t m = 0; m < 3; m++) {
            ms_stored_distances(kernels, metrics[m], &rows, &rows, NULL, room, found, NULL);
            for (size_t i = 0; i < ROWS * ROWS; i++) {
                size_t q = i / ROWS, r = i % ROWS;
                if (minisim_distance(metrics[m], vectors[q], vectors[r], DIMENSION, &wanted))
                    assert_true(isinf(found[i]));
                else if (type != MS_I8)
                    assert_true(found[i] == wanted);
                else
                    assert_true(fabs(found[i] - wanted) < 1e-4);
                if (q == r && q != 3 && metrics[m] != MINISIM_DOT)
                    assert_true(found[i] == 0);
            }
        }
        free(room);
        ms_stored_close(&rows);
    }
}

/* ---- losing power ---- */

struct image {
    uint8_t *bytes;
    size_t size, capacity;
};

static void image_resize(struct image *image, size_t size) {
    assert_true(size <= image->capacity);
    if (size > image->size)
        memset(image->bytes + image->size, 0, size - image->size);
    image->size = size;
}

/* Writes all of a change, or some of its sectors. */
static void image_apply(struct image *image, const struct change *change, bool torn,
                        uint64_t *seed) {
    enum { SECTOR = 512 };
    size_t end = (size_t)change->offset + change->size;
    if (change->kind == TRUNCATE)
        image_resize(image, (size_t)change->offset);
    if (change->kind != WRITE && change->kind != RESERVE)
        return;
    if (end > image->size)
        image_resize(image, end);
    for (size_t at = 0; change->kind == WRITE && at < change->size; at += SECTOR) {
        size_t part = change->size - at < SECTOR ? change->size - at : SECTOR;
        if (!torn || next_random(seed) % 2)
            memcpy(image->bytes + change->offset + at, change->bytes + at, part);
    }
}

/* What the disk may hold after the first `count` changes; gives how many ids were finished. */
static uint64_t lose_power(struct image *image, size_t count, uint64_t *seed) {
    uint64_t finished = 0;
    size_t synced = 0;
    image->size = 0;
    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind == SYNC)
            synced = i;
        if (changes[i].kind == FINISHED)
            finished = changes[i].offset;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t fate = i < synced ? 0 : next_random(seed) % 3;
        if (fate < 2)
            image_apply(image, &changes[i], fate == 1, seed);
    }
    return finished;
}

static void write_whole(const uint8_t *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Records a run, in which the catalogue is opened twice. */
static void record_run(uint64_t middle, uint64_t end) {
    recording = true;
    make(MS_F16, middle, 5);
    struct ms_catalogue *c = open_writer(NULL);
    assert_int_equal(extend(c, end, 3), MINISIM_OK);
    ms_catalogue_close(c);
    recording = false;
}

static void power_loss(void **state) {
    enum { TIMES = 1000, END = 40 };
    struct image image = {.bytes = malloc(1 << 20), .capacity = 1 << 20};
    uint64_t seed = 11;
    size_t created = 0;
    (void)state;
    assert_non_null(image.bytes);
    record_run(20, END);
    while (changes[created].kind != FINISHED)
        created++;
    for (size_t i = 0; i < created; i++) /* before it has its name, nothing is promised */
        if (changes[i].kind == SYNC) {
            created = i;
            break;
        }
    for (int i = 0; i < TIMES; i++) {
        size_t count = created + 1 + next_random(&seed) % (change_count - created);
        uint64_t finished = lose_power(&image, count, &seed);
        struct ms_catalogue *c;
        minisim_error error;
        write_whole(image.bytes, image.size);
        assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
        assert_true(ms_catalogue_ids(c) >= finished);
        check_content(c);
        ms_catalogue_close(c);
        c = open_writer(NULL);
        check_verified(c);
        assert_int_equal(extend(c, END, 7), MINISIM_OK);
        assert_int_equal(ms_catalogue_ids(c), END);
        check_content(c);
        check_verified(c);
        ms_catalogue_close(c);
    }
    forget_changes();
    free(image.bytes);
}

/* A slot that is torn, byte by byte, gives way to the other, and the segment behind it counts. */
static void torn_slots(void **state) {
    (void)state;
    for (uint64_t ids = 5; ids <= 10; ids += 5)
        for (int slot = 0; slot < 2; slot++) {
            struct ms_catalogue *c;
            minisim_error error;
            size_t damage = 0;
            make(MS_F16, ids, 5);
            int file = open(path, O_RDWR);
            assert_int_equal(__real_pwrite64(file, "torn", 4, MS_PAGE * (1 + slot) + 16), 4);
            close(file);
            assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
            assert_int_equal(ms_catalogue_ids(c), ids);
            check_content(c);
            assert_int_equal(ms_catalogue_verify(c, count_damage, &damage, &error),
                             MINISIM_BAD_CATALOGUE);
            assert_int_equal(damage, 1);
            ms_catalogue_close(c);
            c = open_writer(NULL);
            check_verified(c);
            assert_int_equal(extend(c, 20, 5), MINISIM_OK);
            ms_catalogue_close(c);
            assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_OK);
            assert_int_equal(ms_catalogue_ids(c), 20);
            check_content(c);
            check_verified(c);
            ms_catalogue_close(c);
        }
}

/* The file in memory, to be freed. */
static uint8_t *read_whole(size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    uint8_t *bytes = malloc(*size);
    assert_non_null(bytes);
    rewind(file);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* A catalogue whose last segment has a TABLE and no records. */
static struct ms_catalogue *make_table(void) {
    minisim_error error;
    make(MS_F16, 3, 10);
    struct ms_catalogue *c = open_writer(NULL);
    for (bool other = false; c->commit.table == 0; other = !other) {
        set_note(c, "a", other ? "b" : "c");
        assert_int_equal(ms_catalogue_commit(c, &error), MINISIM_OK);
    }
    return c;
}

/* A TABLE that reads well and lacks a segment without records: the headers are followed. */
static void table_without_a_segment(void **state) {
    (void)state;
    struct ms_segment segment;
    minisim_error error;
    struct ms_catalogue *c = make_table();
    uint64_t count = c->commit.segments;
    assert_int_equal(ms_read_segment(c, &c->parts[count - 1], &segment, &error), MINISIM_OK);
    ms_catalogue_close(c);
    size_t size;
    uint8_t *bytes = read_whole(&size);
    uint8_t *table = bytes + segment.offset + ms_column_begin(&segment, MS_TABLE);
    memset(table + MS_TABLE_ENTRY * (count - 2), 0, MS_TABLE_ENTRY);
    mend_catalogue(bytes, size);
    write_whole(bytes, size);
    free(bytes);
    c = open_writer(NULL);
    assert_int_equal(c->commit.segments, count);
    check_content(c);
    assert_int_equal(extend(c, 10, 5), MINISIM_OK);
    ms_catalogue_close(c);
    c = open_reader();
    check_content(c);
    check_verified(c);
    ms_catalogue_close(c);
}

/* Where the end is lost, a writer would make zeros of it. */
static void cut_files_are_not_written(void **state) {
    (void)state;
    for (int lost = 1; lost <= 1001; lost += 1000) {
        struct ms_catalogue *c;
        struct stat before, after;
        minisim_error error;
        make(MS_F16, 20, 10);
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(truncate(path, before.st_size - lost), 0);
        assert_int_equal(ms_catalogue_open_writer(path, NULL, &c, &error), MINISIM_BAD_CATALOGUE);
        assert_non_null(strstr(error.text, "cut short"));
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(after.st_size, before.st_size - lost);
        ms_catalogue_close(open_reader());
    }
}

/* ---- salvage ---- */

/* Records `first` to `end` - 1. */
struct range {
    uint64_t first, end;
};

static bool is_in(struct range range, uint64_t id) {
    return id >= range.first && id < range.end;
}

/* Whether id is removed where the removals of these segments cannot be read. */
static bool is_known_removed(uint64_t id, uint64_t ids, struct range silent) {
    return should_be_removed(id, ids) && !is_in(silent, id + 3);
}

static void note_damage(void *user, const char *what, uint64_t first, uint64_t count) {
    struct range *hurt = user;
    (void)what;
    if (count > 0 && hurt->end == 0)
        hurt->first = first;
    hurt->end = count > 0 ? first + count : hurt->end;
}

/* A new catalogue, of what of `c` can be joined to it; to be closed. */
static struct ms_catalogue *join(const struct ms_catalogue *c, struct ms_merged *merged) {
    minisim_error error;
    char new_path[80];
    struct ms_catalogue *new;
    *merged = (struct ms_merged){0};
    snprintf(new_path, sizeof new_path, "%s/new.msc", folder);
    unlink(new_path);
    assert_int_equal(ms_catalogue_open_writer(new_path, ms_catalogue_origin(c), &new, &error), 0);
    assert_int_equal(ms_catalogue_merge(new, c, never, NULL, merged, &error), MINISIM_OK);
    assert_int_equal(ms_catalogue_commit(new, &error), MINISIM_OK);
    return new;
}

/* That is all but `hurt`. */
static void check_joined(const struct ms_catalogue *c, uint64_t ids, struct range hurt,
                         struct range silent) {
    struct ms_merged foreseen = {0}, merged;
    struct ms_known known;
    minisim_error error;
    struct ms_catalogue *new = join(c, &merged), *other;
    assert_int_equal(ms_known_open(&known, new, &error), MINISIM_OK);
    for (uint64_t id = 0; id < ids; id++) {
        char text[64];
        bool found;
        uint64_t at;
        struct ms_record record;
        make_path(id, text);
        assert_int_equal(ms_known_path(&known, text, &found, &at, &record, &error), MINISIM_OK);
        assert_int_equal(found, !is_in(hurt, id) && !is_known_removed(id, ids, silent));
        if (found)
            check_record(new, at, id);
    }
    ms_known_close(&known);
    check_verified(new);
    ms_catalogue_close(new);
    assert_int_equal(ms_catalogue_open_damaged(path, &other, &error), MINISIM_OK);
    assert_int_equal(ms_catalogue_foresee_merge(&other, 1, true, never, NULL, &foreseen, &error),
                     MINISIM_OK);
    assert_memory_equal(&foreseen, &merged, sizeof merged);
    ms_catalogue_close(other);
}

/* Of `ids` records in the file at `path`, `hurt` cannot be read, and nothing else is lost. */
static void check_salvage(uint64_t ids, struct range hurt, struct range silent) {
    struct ms_catalogue *c;
    minisim_error error;
    struct range told = {0, 0};
    assert_int_equal(ms_catalogue_open(path, &c, &error), MINISIM_BAD_CATALOGUE);
    assert_non_null(strstr(error.text, "minisim merge"));
    assert_int_equal(ms_catalogue_open_writer(path, NULL, &c, &error), MINISIM_BAD_CATALOGUE);
    assert_int_equal(ms_catalogue_open_damaged(path, &c, &error), MINISIM_OK);
    uint64_t kept = hurt.end == ids ? hurt.first : ids;
    assert_int_equal(ms_catalogue_ids(c), kept);
    assert_int_equal(ms_catalogue_verify(c, note_damage, &told, &error), MINISIM_BAD_CATALOGUE);
    if (hurt.end < ids) {
        assert_int_equal(told.first, hurt.first);
        assert_int_equal(told.end, hurt.end);
    }
    uint64_t removed = 0;
    for (uint64_t id = 0; id < kept; id++) {
        if (!is_in(hurt, id))
            check_record(c, id, id);
        removed += ms_catalogue_is_removed(c, id);
        assert_int_equal(ms_catalogue_is_removed(c, id), is_known_removed(id, ids, silent));
    }
    assert_int_equal(ms_catalogue_removed(c), removed);
    check_joined(c, ids, hurt, silent);
    ms_catalogue_close(c);
}

/* The headers of segments, or the file from one of them on: the others' records stand. */
static void what_stands_is_salvaged(void **state) {
    (void)state;
    enum { EACH = 10, SEGMENTS = 6, IDS = EACH * SEGMENTS };
    struct ms_segment segments[SEGMENTS];
    minisim_error error;
    make(MS_F16, IDS, EACH);
    struct ms_catalogue *c = open_reader();
    assert_int_equal(c->commit.segments, SEGMENTS);
    for (size_t i = 0; i < SEGMENTS; i++)
        assert_int_equal(ms_read_segment(c, &c->parts[i], &segments[i], &error), MINISIM_OK);
    ms_catalogue_close(c);
    size_t size;
    uint8_t *bytes = read_whole(&size);
    for (uint64_t count = 1; count <= 2; count++)
        for (uint64_t i = 0; i + count <= SEGMENTS; i++) {
            struct range hurt = {i * EACH, (i + count) * EACH};
            for (uint64_t k = i; k < i + count; k++)
                bytes[segments[k].offset + 100] ^= 1;
            write_whole(bytes, size);
            check_salvage(IDS, hurt, hurt);
            for (uint64_t k = i; k < i + count; k++)
                bytes[segments[k].offset + 100] ^= 1;
        }
    for (uint64_t i = 0; i < SEGMENTS; i++) {
        struct range hurt = {i * EACH, IDS};
        write_whole(bytes, (size_t)segments[i].offset);
        check_salvage(IDS, hurt, hurt);
    }
    struct range silent = {EACH, 2 * EACH};
    bytes[segments[1].offset + ms_column_begin(&segments[1], MS_REMOVED)] ^= 1;
    write_whole(bytes, size);
    check_salvage(IDS, (struct range){IDS + 1, IDS + 1}, silent);
    free(bytes);
}

/* Notes that are damaged are left out, and records are taken over. */
static void damaged_notes_are_left_out(void **state) {
    (void)state;
    struct ms_segment segment;
    minisim_error error;
    make(MS_F16, 6, 10); /* a note is in the only segment */
    struct ms_catalogue *c = open_reader();
    assert_int_equal(ms_read_segment(c, &c->parts[0], &segment, &error), MINISIM_OK);
    ms_catalogue_close(c);
    size_t size;
    uint8_t *bytes = read_whole(&size);
    bytes[segment.offset + ms_column_begin(&segment, MS_NOTES)] ^= 1;
    write_whole(bytes, size);
    free(bytes);
    struct ms_merged merged;
    c = open_reader();
    struct ms_catalogue *new = join(c, &merged);
    assert_true(merged.added == 6 && merged.hurt == 0 && merged.hurt_notes == 1);
    ms_catalogue_close(new);
    ms_catalogue_close(c);
}

/* Generations do not wrap: one that may not be gives way to the other slot, and behind one that
 * cannot be nothing is written. */
static void large_generations(void **state) {
    (void)state;
    static const struct {
        uint64_t generation;
        minisim_status writing;
    } cases[] = {
        {UINT64_MAX, MINISIM_OK}, {INT64_MAX, MINISIM_BAD_CATALOGUE}, {INT64_MAX / 2, MINISIM_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ms_catalogue *c;
        minisim_error error;
        size_t size;
        make(MS_F16, 5, 5);
        uint8_t *bytes = read_whole(&size);
        ms_store_u64(bytes + MS_PAGE * 2 + 8, cases[i].generation);
        mend_catalogue(bytes, size);
        write_whole(bytes, size);
        free(bytes);
        c = open_reader();
        check_content(c);
        assert_int_equal(ms_catalogue_ids(c), 5);
        ms_catalogue_close(c);
        assert_int_equal(ms_catalogue_open_writer(path, NULL, &c, &error), cases[i].writing);
        if (!c)
            continue;
        assert_int_equal(extend(c, 10, 5), MINISIM_OK);
        ms_catalogue_close(c);
        c = open_reader();
        assert_int_equal(ms_catalogue_ids(c), 10);
        check_content(c);
        ms_catalogue_close(c);
    }
}

/* Each call that changes something fails once, with no room left: what was finished stays. */
static void failing_calls(void **state) {
    (void)state;
    struct ms_origin origin = origin_of(MS_I8);
    bool any = true;
    for (long at = 0; any; at++) {
        struct ms_catalogue *c = NULL;
        minisim_error error = {""};
        uint64_t finished = 0;
        unlink(path);
        calls = 0;
        fail_at = at;
        minisim_status status = ms_catalogue_open_writer(path, &origin, &c, &error);
        for (uint64_t end = 4; !status && end <= 20; end += 4)
            if (!(status = extend(c, end, 4)))
                finished = end;
        ms_catalogue_close(c);
        fail_at = -1;
        any = calls > at;
        assert_true(status == MINISIM_OK || status == MINISIM_REFUSED);
        c = open_writer(&origin);
        assert_true(ms_catalogue_ids(c) >= finished);
        check_content(c);
        check_verified(c);
        assert_int_equal(extend(c, 20, 4), MINISIM_OK);
        check_content(c);
        ms_catalogue_close(c);
    }
}

static size_t count_left_beside(void) {
    size_t count = 0;
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries));)
        count += strncmp(entry->d_name, ".minisim-", 9) == 0;
    closedir(entries);
    return count;
}

/* The same of a compact: the old catalogue stands, or the new one, and nothing else. */
static void failing_compacts(void **state) {
    enum { END = 40 };
    uint64_t left = 0;
    bool any = true;
    (void)state;
    for (uint64_t id = 0; id < END; id++)
        left += !should_be_removed(id, END);
    for (long at = 0; any; at++) {
        minisim_error error = {""};
        make(MS_I8, END, 10);
        calls = 0;
        fail_at = at;
        minisim_status status = ms_catalogue_compact(path, never, NULL, &error);
        fail_at = -1;
        any = calls > at;
        assert_true(status == MINISIM_OK || (status == MINISIM_REFUSED && any));
        struct ms_catalogue *c = open_reader();
        check_verified(c);
        assert_int_equal(count_left_beside(), 0);
        assert_int_equal(ms_catalogue_count(c), left);
        if (ms_catalogue_removed(c) > 0)
            check_content(c);
        else
            for (uint64_t id = 0, place = 0; id < END; id++)
                if (!should_be_removed(id, END))
                    check_record(c, place++, id);
        assert_true(status == MINISIM_REFUSED || ms_catalogue_removed(c) == 0);
        ms_catalogue_close(c);
    }
}

/* ---- large files ---- */

/* The checksums of a segment's columns, the first bytes of `wide` being that many zeros. */
static void sum_up(const struct ms_segment *segment, uint8_t *const *columns, size_t wide,
                   uint64_t zeros, uint8_t *sums) {
    static const uint8_t nothing[MS_CHECKED];
    uint32_t zero_sum = ms_crc32c(0, nothing, sizeof nothing);
    for (size_t i = 0; i < MS_COLUMNS; i++) {
        uint64_t skipped = i == wide ? zeros : 0, size = segment->columns[i];
        for (uint64_t at = 0; at < size; at += MS_CHECKED, sums += 4) {
            size_t part = size - at < MS_CHECKED ? (size_t)(size - at) : MS_CHECKED;
            ms_store_u32(sums,
                         at < skipped ? zero_sum : ms_crc32c(0, columns[i] + at - skipped, part));
        }
    }
}

/* A segment with a column that is written behind zeros, which the file need not hold. */
static void write_wide(int file, struct ms_segment *segment, const uint8_t uuid[16],
                       uint8_t *const *columns, size_t wide, uint64_t zeros) {
    minisim_error error;
    size_t head_size = (size_t)ms_column_begin(segment, 0);
    uint8_t *head = calloc(1, head_size);
    assert_non_null(head);
    size_t sums = 4 * (size_t)ms_checksums_before(segment->columns, MS_ALL_COLUMNS);
    sum_up(segment, columns, wide, zeros, head + MS_SEGMENT_HEADER);
    segment->checksums_crc = ms_crc32c(0, head + MS_SEGMENT_HEADER, sums);
    ms_encode_segment(segment, uuid, head);
    assert_int_equal(ftruncate(file, (off_t)segment->offset), 0);
    assert_int_equal(ftruncate(file, (off_t)(segment->offset + segment->size)), 0);
    assert_int_equal(ms_file_write_at(file, segment->offset, head, head_size, &error), MINISIM_OK);
    free(head);
    for (size_t i = 0; i < MS_COLUMNS; i++) {
        uint64_t skipped = i == wide ? zeros : 0;
        uint64_t at = segment->offset + ms_column_begin(segment, i) + skipped;
        size_t size = (size_t)(segment->columns[i] - skipped);
        assert_int_equal(ms_file_write_at(file, at, columns[i], size, &error), MINISIM_OK);
    }
}

/* A column of the last segment, TEXT or TABLE, moves behind that many zeros. */
static void widen(size_t wide, uint64_t zeros) {
    struct ms_catalogue *c = open_reader();
    struct ms_commit commit = c->commit;
    struct ms_segment segment;
    minisim_error error;
    uint8_t *columns[MS_COLUMNS], page[MS_PAGE];
    assert_int_equal(ms_read_segment(c, &c->parts[commit.segments - 1], &segment, &error),
                     MINISIM_OK);
    for (size_t i = 0; i < MS_COLUMNS; i++)
        assert_int_equal(ms_read_column(c, &segment, i, &columns[i], &error), MINISIM_OK);
    for (size_t i = 0; wide == MS_TEXT && i < segment.count; i++) {
        uint8_t *text = columns[MS_RECORDS] + i * MS_RECORD_SIZE;
        ms_store_u64(text, ms_load_u64(text) + zeros);
    }
    segment.columns[wide] += zeros;
    segment.size = ms_segment_size(segment.columns);
    commit.end = segment.offset + segment.size;
    int file = open(path, O_RDWR);
    write_wide(file, &segment, c->header.uuid, columns, wide, zeros);
    ms_encode_commit(&commit, c->header.uuid, page);
    assert_int_equal(
        ms_file_write_at(file, MS_PAGE * (1 + commit.generation % 2), page, sizeof page, &error),
        MINISIM_OK);
    close(file);
    for (size_t i = 0; i < MS_COLUMNS; i++)
        free(columns[i]);
    ms_catalogue_close(c);
}

/* Names beyond 4 GiB in a segment, and more segments behind it. */
static void more_than_4_gib(void **state) {
    (void)state;
    make(MS_F32, 20, 10);
    widen(MS_TEXT, (UINT64_C(4) << 30) + MS_CHECKED);
    struct ms_catalogue *c = open_writer(NULL);
    check_content(c);
    assert_int_equal(extend(c, 60, 10), MINISIM_OK);
    ms_catalogue_close(c);
    c = open_reader();
    assert_true(c->commit.end > UINT64_C(4) << 30);
    check_content(c);
    for (uint64_t id = 0; id < 60; id++)
        assert_true(search_is_right(c, id));
    /* It takes seconds, and tells most where a pointer cannot count so far. */
    if (sizeof(size_t) < 8)
        check_verified(c);
    ms_catalogue_close(c);
    unlink(path);
}

static long resident_most(void) {
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* A small file may announce a TABLE of a gigabyte, which is not taken into memory. */
static void a_table_of_zeros(void **state) {
    (void)state;
    ms_catalogue_close(make_table());
    long before = resident_most();
    widen(MS_TABLE, UINT64_C(1) << 30);
    struct ms_catalogue *c = open_reader();
    assert_true(resident_most() - before < 64 << 10);
    check_content(c);
    ms_catalogue_close(c);
    unlink(path);
}

/* ---- hostile files ---- */

/* Everything that a reader can do with it; gives whether it was told to be damaged. */
static bool use(const char *file) {
    struct ms_catalogue *c;
    minisim_error error = {""};
    size_t damage = 0;
    bool opens = ms_catalogue_open(file, &c, &error) == MINISIM_OK;
    assert_true(opens == (error.text[0] == '\0'));
    if (!opens && ms_catalogue_open_damaged(file, &c, &error))
        return true;
    const struct ms_origin *origin = ms_catalogue_origin(c);
    uint64_t ids = ms_catalogue_ids(c);
    struct ms_stored rows;
    bool room = ms_stored_open(&rows, origin->type, origin->dimension, 4);
    for (uint64_t id = 0; id < ids && id < 16 && room; id++) {
        struct ms_record records[4];
        char name[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
        size_t count;
        if (!ms_catalogue_records(c, id, 4, records, &count, &error))
            for (size_t i = 0; i < count; i++)
                (void)ms_catalogue_text(c, id + i, &records[i], name, label, &error);
        double found[16];
        if (ms_catalogue_vectors(c, id, 4, &rows, &error))
            continue;
        float *space = malloc(ms_distance_room(&rows, &rows) * sizeof *space + 1);
        if (space)
            ms_stored_distances(ms_kernels_choose(NULL), MINISIM_COSINE, &rows, &rows, NULL, space,
                                found, NULL);
        free(space);
    }
    if (room)
        ms_stored_close(&rows);
    void *note;
    size_t note_size;
    if (!ms_catalogue_get_note(c, "threshold-cosine", &note, &note_size, &error))
        free(note);
    minisim_status status = ms_catalogue_verify(c, count_damage, &damage, &error);
    assert_true((status == MINISIM_OK) == (damage == 0) || status != MINISIM_BAD_CATALOGUE);
    assert_true(opens || status != MINISIM_OK);
    struct ms_merged merged = {0};
    (void)ms_catalogue_foresee_merge(&c, 1, true, never, NULL, &merged, &error);
    ms_catalogue_close(c);
    return status != MINISIM_OK;
}

/* The file in memory, under a name of its own. */
static int open_copy(uint8_t **bytes, size_t *size, char name[32]) {
    struct stat about;
    int from = open(path, O_RDONLY), to = memfd_create("catalogue", 0);
    assert_true(from >= 0 && to >= 0 && fstat(from, &about) == 0);
    *size = (size_t)about.st_size;
    *bytes = malloc(*size);
    assert_non_null(*bytes);
    assert_int_equal(read(from, *bytes, *size), *size);
    assert_int_equal(write(to, *bytes, *size), *size);
    close(from);
    snprintf(name, 32, "/proc/self/fd/%d", to);
    return to;
}

static void each_flipped_bit_is_named(void **state) {
    (void)state;
    uint8_t *bytes;
    char name[32];
    uint64_t seed = 5;
    size_t size;
    bool all = getenv("EVERY_BIT");
    size_t flips = 0;
    make(MS_I8, 20, 10);
    int file = open_copy(&bytes, &size, name);
    assert_false(use(name));
    for (size_t at = 0; at < size; at++)
        for (uint32_t bit = 0; bit < 8; bit++) {
            /* One of a byte, and of fillers' bytes some. */
            if (!all && next_random(&seed) % (bytes[at] ? 8 : 128))
                continue;
            uint8_t flipped = bytes[at] ^ (uint8_t)(1 << bit);
            assert_int_equal(__real_pwrite64(file, &flipped, 1, (off_t)at), 1);
            if (!use(name))
                fail_msg("a flipped bit %u of byte %zu is not told", bit, at);
            assert_int_equal(__real_pwrite64(file, bytes + at, 1, (off_t)at), 1);
            flips++;
        }
    print_message("# %zu bits flipped of %zu\n", flips, 8 * size);
    close(file);
    free(bytes);
}

/* Whoever makes such a file can make its checksums, too. */
static void hostile_files(void **state) {
    (void)state;
    static const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 4096, 64, 65536};
    uint8_t *bytes, *changed;
    char name[32];
    uint64_t seed = 3;
    size_t size;
    make(MS_F16, 700, 10); /* with a TABLE */
    int file = open_copy(&bytes, &size, name);
    changed = malloc(size);
    assert_non_null(changed);
    for (int i = 0; i < 300; i++) {
        memcpy(changed, bytes, size);
        for (uint32_t n = 1 + next_random(&seed) % 3; n > 0; n--) {
            size_t page = next_random(&seed) % (size / MS_PAGE) * MS_PAGE;
            size_t at = page + next_random(&seed) % 64 * 4 + next_random(&seed) % 2 * 512;
            if (next_random(&seed) % 4 == 0)
                at = page + next_random(&seed) % (MS_PAGE - 4);
            if (next_random(&seed) % 2)
                ms_store_u32(changed + at, values[next_random(&seed) % 8]);
            else
                ms_store_u32(changed + at, ms_load_u32(changed + at) + next_random(&seed) % 5 - 2);
        }
        mend_catalogue(changed, size);
        size_t left = next_random(&seed) % 8 ? size : next_random(&seed) % size;
        assert_int_equal(__real_ftruncate64(file, (off_t)left), 0);
        assert_int_equal(__real_pwrite64(file, changed, left, 0), left);
        (void)use(name);
    }
    close(file);
    free(changed);
    free(bytes);
}

/* ---- readers beside a writer ---- */

/* What a reader finds is right for some number of ids; gives 0, and counts its searches. */
static int read_on(uint64_t end, uint64_t *searches) {
    uint64_t ids = 0, seed = (uint64_t)getpid();
    while (ids < end) {
        struct ms_catalogue *c;
        minisim_error error;
        if (ms_catalogue_open(path, &c, &error) || ms_catalogue_ids(c) < ids)
            return 1;
        ids = ms_catalogue_ids(c);
        for (int i = 0; i < 20 && ids > 0; i++) {
            uint64_t id = next_random(&seed) % ids;
            char wanted[64], name[MS_PATH_MOST + 1];
            struct ms_record r;
            size_t count;
            make_path(id, wanted);
            if (ms_catalogue_records(c, id, 1, &r, &count, &error) ||
                ms_catalogue_text(c, id, &r, name, NULL, &error) || strcmp(name, wanted) != 0 ||
                ms_catalogue_is_removed(c, id) != should_be_removed(id, ids))
                return 2;
        }
        if (ids > 0 && !search_is_right(c, next_random(&seed) % ids))
            return 3;
        ++*searches;
        ms_catalogue_close(c);
    }
    return 0;
}

static void readers_beside_a_writer(void **state) {
    enum { READERS = 8 };
    const char *given = getenv("RECORDS");
    uint64_t end = given ? strtoull(given, NULL, 10) : 20000;
    pid_t readers[READERS];
    uint64_t *searches = mmap(NULL, READERS * sizeof *searches, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;
    uint64_t all = 0;
    assert_ptr_not_equal(searches, MAP_FAILED);
    struct ms_origin origin = origin_of(MS_F32);
    unlink(path);
    struct ms_catalogue *c = open_writer(&origin);
    for (int i = 0; i < READERS; i++) {
        readers[i] = fork();
        if (readers[i] == 0)
            _exit(read_on(end, &searches[i]));
    }
    assert_int_equal(extend(c, end, 100), MINISIM_OK);
    for (int i = 0; i < READERS; i++) {
        int status;
        assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
        assert_int_equal(status, 0);
        assert_true(searches[i] > 0);
        all += searches[i];
    }
    print_message("# %d readers searched %llu times\n", READERS, (unsigned long long)all);
    munmap(searches, READERS * sizeof *searches);
    ms_catalogue_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_written_is_read),
                                       cmocka_unit_test(other_origins_are_refused),
                                       cmocka_unit_test(one_writer),
                                       cmocka_unit_test(one_creator),
                                       cmocka_unit_test(notes_are_kept),
                                       cmocka_unit_test(notes_are_merged),
                                       cmocka_unit_test(bad_notes),
                                       cmocka_unit_test(bad_vectors),
                                       cmocka_unit_test(newer_files),
                                       cmocka_unit_test(wrong_arguments),
                                       cmocka_unit_test(f16_is_rounded),
                                       cmocka_unit_test(distances),
                                       cmocka_unit_test(power_loss),
                                       cmocka_unit_test(torn_slots),
                                       cmocka_unit_test(table_without_a_segment),
                                       cmocka_unit_test(cut_files_are_not_written),
                                       cmocka_unit_test(what_stands_is_salvaged),
                                       cmocka_unit_test(damaged_notes_are_left_out),
                                       cmocka_unit_test(large_generations),
                                       cmocka_unit_test(failing_calls),
                                       cmocka_unit_test(failing_compacts),
                                       cmocka_unit_test(more_than_4_gib),
                                       cmocka_unit_test(a_table_of_zeros),
                                       cmocka_unit_test(each_flipped_bit_is_named),
                                       cmocka_unit_test(hostile_files),
                                       cmocka_unit_test(readers_beside_a_writer)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
