/* What verbs that work on catalogues share: see catalogues.h. */
#include "cli/catalogues.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/console.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool ms_catalogue_failed(const char *path, minisim_status status, const minisim_error *error) {
    ms_complain(path, "%s", error->text);
    ms_note(status == MINISIM_BAD_CATALOGUE  ? MS_EXIT_WEIGHTS
            : status == MINISIM_BAD_ARGUMENT ? MS_EXIT_SOME_FAILED
                                             : MS_EXIT_SYSTEM);
    return false;
}

static bool open_reader(const char *path, bool even_damaged, struct ms_catalogue **catalogue) {
    minisim_error error;
    minisim_status status = even_damaged ? ms_catalogue_open_damaged(path, catalogue, &error)
                                         : ms_catalogue_open(path, catalogue, &error);
    if (status == MINISIM_OK)
        return true;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        snprintf(error.text, sizeof error.text, "there is no such file: minisim index makes one");
    /* Missing or unreadable is unusable. */
    return ms_catalogue_failed(path, status == MINISIM_REFUSED ? MINISIM_BAD_CATALOGUE : status,
                               &error);
}

bool ms_open_catalogue(const char *path, struct ms_catalogue **catalogue) {
    return open_reader(path, false, catalogue);
}

bool ms_open_damaged(const char *path, struct ms_catalogue **catalogue) {
    return open_reader(path, true, catalogue);
}

/* What is mapped, and what to say when it is gone: of the two catalogues that a verb compares. */
static struct map {
    const void *begin;
    size_t size, text_size;
    char *text;
} maps[2];

static void on_bus_error(int number, siginfo_t *info, void *context) {
    uintptr_t at = (uintptr_t)info->si_addr;
    (void)context;
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        if (at - (uintptr_t)maps[i].begin < maps[i].size) {
            (void)!write(STDERR_FILENO, maps[i].text, maps[i].text_size);
            _exit(MS_EXIT_WEIGHTS);
        }
    signal(number, SIG_DFL); /* it comes again at once */
}

static bool catch_bus_errors(const char *path, struct map *map) {
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    FILE *text = open_memstream(&map->text, &map->text_size);
    if (!text)
        return false;
    fputs("minisim: ", text);
    ms_write_name(text, path);
    fputs(": the catalogue was cut short, or its disk failed, while it was read\n", text);
    sigemptyset(&action.sa_mask);
    return fclose(text) == 0 && sigaction(SIGBUS, &action, NULL) == 0;
}

void ms_map_catalogue(const char *path, struct ms_catalogue *catalogue) {
    struct map *map = &maps[maps[0].size > 0];
    if (map->size == 0 && catch_bus_errors(path, map))
        (void)ms_catalogue_map(catalogue, &map->begin, &map->size);
}

bool ms_fits_catalogue(const char *path, const struct ms_catalogue *catalogue,
                       const struct ms_picture_settings *settings, const struct ms_engine *engine) {
    const struct ms_origin *ours = ms_catalogue_origin(catalogue);
    struct ms_origin origin;
    minisim_error error;
    ms_origin_of(engine->contexts[0], ms_region_of(settings), &origin);
    minisim_status status = ms_check_origin(ours, &origin, &error);
    return status == MINISIM_OK || ms_catalogue_failed(path, status, &error);
}

const char *ms_put_query(const struct ms_kernels *kernels, minisim_metric metric,
                         struct ms_stored *queries, size_t at, const char *name,
                         const float *vector) {
    double distance;
    const char *why = NULL;
    if (metric == MINISIM_COSINE &&
        minisim_distance(MINISIM_COSINE, vector, vector, queries->n, &distance))
        why = "its values are all zero or out of range: it has no cosine distance";
    else if (!ms_stored_put(kernels, queries, at, vector))
        why = "it has a value beyond 65504, which f16 cannot hold";
    else if (metric == MINISIM_COSINE && queries->norms[at] == 0)
        why = "its values round to zero in the catalogue's type: it has no cosine distance";
    if (why) {
        ms_complain(name, "%s", why);
        ms_note(MS_EXIT_SOME_FAILED);
    }
    return why;
}

bool ms_real_path(const char *name, char path[MS_PATH_MOST + 1]) {
    /* A walk stays in a folder for a while: its real path is kept. */
    static char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    size_t length = (size_t)(base - name);
    if (length >= sizeof folder || !*base || strcmp(base, "..") == 0) {
        errno = *base ? ENAMETOOLONG : EISDIR;
        return false;
    }
    if (!real[0] || strlen(folder) != length || memcmp(folder, name, length) != 0) {
        memcpy(folder, name, length);
        folder[length] = '\0';
        if (!realpath(length ? folder : ".", real)) {
            real[0] = '\0';
            return false;
        }
    }
    int size = snprintf(path, MS_PATH_MOST + 1, "%s%s%s", real, real[1] ? "/" : "", base);
    errno = ENAMETOOLONG;
    return size <= MS_PATH_MOST;
}

bool ms_is_below(const char *folder, const char *path) {
    size_t length = strlen(folder);
    return strncmp(folder, path, length) == 0 && (path[length] == '/' || strcmp(folder, "/") == 0);
}

bool ms_is_unchanged(const char *path, const struct ms_record *record) {
    struct stat about;
    return stat(path, &about) == 0 && (uint64_t)about.st_size == record->size &&
           about.st_mtim.tv_sec == record->seconds &&
           (uint32_t)about.st_mtim.tv_nsec == record->nanoseconds;
}

bool ms_each_record(const char *path, const struct ms_catalogue *catalogue, ms_take_record *take,
                    void *user) {
    enum { AT_ONCE = 64 };
    char name[MS_PATH_MOST + 1], label[MS_PATH_MOST + 1];
    struct ms_record records[AT_ONCE];
    minisim_error error;
    for (uint64_t id = 0, ids = ms_catalogue_ids(catalogue); id < ids;) {
        size_t count;
        minisim_status status =
            ms_catalogue_records(catalogue, id, AT_ONCE, records, &count, &error);
        if (status)
            return ms_catalogue_failed(path, status, &error);
        for (size_t i = 0; i < count; i++, id++) {
            if (ms_catalogue_is_removed(catalogue, id))
                continue;
            status = ms_catalogue_text(catalogue, id, &records[i], name, label, &error);
            if (status)
                return ms_catalogue_failed(path, status, &error);
            if (!take(user, id, &records[i], name, label))
                return false;
        }
    }
    return true;
}

bool ms_is_catalogue(const char *path) {
    uint8_t start[4];
    int descriptor;
    uint64_t size;
    struct stat about;
    size_t length = strlen(path);
    bool named = length > 4 && strcmp(path + length - 4, ".msc") == 0;
    if (ms_file_open(path, &descriptor, &size, NULL))
        return named && (stat(path, &about) == 0 ? !S_ISDIR(about.st_mode) : errno != ENOENT);
    minisim_status status = ms_file_read(descriptor, start, sizeof start, NULL);
    close(descriptor);
    return status ? named && size >= sizeof start : memcmp(start, "\x89MSC", sizeof start) == 0;
}

/* The origin's lines `key: value`. */
static void print_origin(const char *text, struct ms_json *json) {
    while (*text) {
        char line[MS_ORIGIN_SIZE];
        size_t length = strcspn(text, "\n");
        memcpy(line, text, length);
        line[length] = '\0';
        char *value = strstr(line, ": ");
        if (value) {
            *value = '\0';
            value += 2;
        }
        if (value && json)
            ms_json_text(json, line, value);
        else if (value && ms_is_utf8(line) && ms_is_utf8(value) && !strpbrk(value, "\033\r"))
            printf("  %-14s %s\n", line, value);
        text += length + (text[length] == '\n');
    }
}

/* A number as it is; of pairs their count, of what else there is its size. */
static minisim_status print_note(void *user, const char *key, const void *value, size_t size,
                                 minisim_error *error) {
    bool are_pairs = strcmp(key, "not-duplicates") == 0;
    struct ms_json *json = user;
    char text[MS_NUMBER_SIZE] = "";
    uint64_t count = are_pairs ? 0 : size;
    double number;
    (void)error;
    for (size_t i = 0; are_pairs && i < size; i++)
        count += ((const char *)value)[i] == '\0';
    count /= are_pairs ? 2 : 1;
    if (size < sizeof text)
        memcpy(text, value, size);
    bool is_number = ms_parse_number(text, &number);
    if (json && is_number)
        ms_json_double(json, key, number);
    else if (json)
        ms_json_count(json, key, count);
    else if (is_number)
        printf("  %-14s %s\n", key, ms_double_text(number, text));
    else
        printf("  %-14s %s %s\n", key, ms_count_text(count, text), are_pairs ? "pairs" : "bytes");
    return MINISIM_OK;
}

/* What cannot be read of them is said and noted. */
static void print_notes(const char *path, const struct ms_catalogue *c, struct ms_json *json) {
    minisim_error error;
    minisim_status status = ms_catalogue_each_note(c, print_note, json, &error);
    if (status)
        ms_catalogue_failed(path, status, &error);
}

void ms_print_catalogue(const char *path, bool as_json) {
    struct ms_json json = {.file = stdout};
    struct ms_catalogue *c;
    struct ms_catalogue_facts facts;
    char uuid[33], text[4][MS_NUMBER_SIZE];
    if (!ms_open_catalogue(path, &c))
        return;
    const struct ms_origin *origin = ms_catalogue_origin(c);
    const char *id = origin->embedding_id[0] ? origin->embedding_id : NULL;
    uint64_t removed = ms_catalogue_removed(c), records = ms_catalogue_count(c);
    ms_catalogue_describe(c, &facts);
    ms_hex(facts.uuid, sizeof facts.uuid, uuid);
    if (as_json) {
        ms_json_open(&json, NULL, '{');
        ms_json_count(&json, "schema", 1);
        ms_json_name(&json, "catalogue", path);
        ms_json_count(&json, "records", records);
        ms_json_count(&json, "removed", removed);
        ms_json_count(&json, "bytes", facts.file_bytes);
        ms_json_count(&json, "segments", facts.segments);
        ms_json_count(&json, "commits", facts.generation);
        ms_json_count(&json, "dimension", origin->dimension);
        ms_json_text(&json, "type", ms_vector_type_names[origin->type]);
        ms_json_text(&json, "uuid", uuid);
        ms_json_text(&json, "embedding_id", id);
        ms_json_open(&json, "origin", '{');
        print_origin(origin->text, &json);
        ms_json_close(&json, '}');
        ms_json_open(&json, "notes", '{');
        print_notes(path, c, &json);
        ms_json_close(&json, '}');
        ms_json_close(&json, '}');
        putchar('\n');
    } else {
        printf(
            "Catalogue\n  records        %s\n  removed        %s (minisim compact gives their room "
            "back)\n  size           %s bytes, in %s segments\n",
            ms_count_text(records, text[0]), ms_count_text(removed, text[1]),
            ms_count_text(facts.file_bytes, text[2]), ms_count_text(facts.segments, text[3]));
        printf("  vectors        %u values of %s\n  uuid           %s\n  embedding id   %s\n",
               (unsigned)origin->dimension, ms_vector_type_names[origin->type], uuid,
               id ? id : "none: vectors of another model");
        print_origin(origin->text, NULL);
        print_notes(path, c, NULL);
    }
    ms_catalogue_close(c);
}
