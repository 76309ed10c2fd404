/* The cache folder: see cache.h. */
#include "cli/cache.h"

#include "base/bytes.h"
#include "base/sha256.h"
#include "cli/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* $VARIABLE/REST, to be freed, where that is an absolute path (others are to be ignored, says the
 * XDG specification). */
static bool from_environment(const char *variable, const char *rest, char **path) {
    const char *value = getenv(variable);
    *path = NULL;
    if (!value || value[0] != '/')
        return true;
    return asprintf(path, "%s%s", value, rest) >= 0 || ms_out_of_memory();
}

/* Makes the folder and those above it; true: it is there. */
static bool make_folders(char *path) {
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        (void)mkdir(path, 0700); /* the last one tells */
        *slash = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool refuse(const char *path, const char *why) {
    ms_complain(path, "%s: --no-cache does without", why);
    ms_note(MS_EXIT_SYSTEM);
    return false;
}

static char *cache_folder(void) {
    char *folder;
    if (!from_environment("XDG_CACHE_HOME", "/minisim", &folder) ||
        (!folder && !from_environment("HOME", "/.cache/minisim", &folder)))
        return NULL;
    if (folder && make_folders(folder))
        return folder;
    refuse(folder, folder ? strerror(errno) : "there is no cache folder, HOME is not set");
    free(folder);
    return NULL;
}

/* What a run looks at, and with what: another of either is another catalogue. What is not there
 * will be said when it is looked at. */
static bool find_key(const struct ms_sources *sources, const char *embedding_id, char key[33]) {
    struct ms_sha256 hash;
    uint8_t digest[32];
    ms_sha256_start(&hash);
    ms_sha256_add(&hash, embedding_id, strlen(embedding_id) + 1);
    for (size_t i = 0; i <= sources->count; i++) {
        const char *name = i < sources->count ? sources->names[i] : sources->files_from;
        char *real = name ? realpath(name, NULL) : NULL;
        if (name && !real && errno != ENOENT && errno != ENOTDIR)
            return refuse(name, strerror(errno));
        const char *shown = real ? real : name ? name : "";
        ms_sha256_add(&hash, shown, strlen(shown) + 1);
        free(real);
    }
    ms_sha256_digest(&hash, digest);
    ms_hex(digest, 16, key);
    return true;
}

char *ms_cached_catalogue(const struct ms_sources *sources, const char *embedding_id) {
    char key[33], *path = NULL, *folder = cache_folder();
    if (!folder)
        return NULL;
    if (find_key(sources, embedding_id, key) && asprintf(&path, "%s/%s.msc", folder, key) < 0) {
        path = NULL;
        ms_out_of_memory();
    }
    free(folder);
    return path;
}

char *ms_temporary_catalogue(void) {
    char *folder, *path = NULL;
    if (!from_environment("TMPDIR", "/minisim-XXXXXX", &folder))
        return NULL;
    if (!folder && !(folder = strdup("/tmp/minisim-XXXXXX"))) {
        ms_out_of_memory();
        return NULL;
    }
    if (!mkdtemp(folder)) {
        ms_complain(folder, "%s", strerror(errno));
        ms_note(MS_EXIT_SYSTEM);
    } else if (asprintf(&path, "%s/pictures.msc", folder) < 0) {
        path = NULL;
        rmdir(folder);
        ms_out_of_memory();
    }
    free(folder);
    return path;
}

void ms_remove_temporary(char *path) {
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    free(path);
}
