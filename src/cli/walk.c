/*
 * A walk: see walk.h. One level for each folder on the way down, with its entries' paths, sorted;
 * a folder's path ends in a slash, so that sorting puts all files into the byte order of paths.
 */
#include "cli/walk.h"

#include "cli/console.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct level {
    char **paths; /* those before `next` are NULL */
    size_t count, capacity, next;
    dev_t device;
    ino_t inode;
};

struct ms_walk {
    const struct ms_walk_options *options;
    struct level *levels;
    size_t depth, capacity;
};

static void *grow(void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return items;
    size_t wanted = *capacity ? 2 * *capacity : 16;
    void *grown = wanted <= SIZE_MAX / 2 / size ? realloc(items, wanted * size) : NULL;
    if (grown)
        *capacity = wanted;
    return grown;
}

static void say_failed(const char *path) {
    ms_complain(path, "%s", strerror(errno));
    ms_note(MS_EXIT_SOME_FAILED);
}

static bool is_excluded(const struct ms_walk *walk, const char *name) {
    for (size_t i = 0; i < walk->options->exclude_count; i++)
        if (fnmatch(walk->options->exclude[i], name, 0) == 0)
            return true;
    return name[0] == '.';
}

static const char *kind_of(mode_t mode) {
    return S_ISLNK(mode) ? "link" : S_ISFIFO(mode) ? "FIFO" : S_ISSOCK(mode) ? "socket" : "device";
}

/* Puts an entry into its level, or counts it. false: no memory. */
static bool add_entry(struct ms_walk *walk, struct level *level, int folder, const char *prefix,
                      const char *name) {
    char *path;
    struct stat about;
    /* Room for the slash that a folder gets. */
    if (asprintf(&path, "%s%s/", prefix, name) < 0)
        return ms_out_of_memory();
    char *slash = path + strlen(path) - 1;
    *slash = '\0';
    int flags = walk->options->follow ? 0 : AT_SYMLINK_NOFOLLOW;
    bool keep = false;
    if (fstatat(folder, name, &about, flags) != 0)
        say_failed(path);
    else if (!(keep = S_ISDIR(about.st_mode) || S_ISREG(about.st_mode)))
        ms_left_out_count(walk->options->left_out, kind_of(about.st_mode), path);
    if (!keep) {
        free(path);
        return true;
    }
    if (S_ISDIR(about.st_mode))
        *slash = '/';
    char **grown = grow(level->paths, level->count, &level->capacity, sizeof *level->paths);
    if (!grown) {
        free(path);
        return ms_out_of_memory();
    }
    level->paths = grown;
    level->paths[level->count++] = path;
    return true;
}

static bool read_entries(struct ms_walk *walk, struct level *level, DIR *folder,
                         const char *prefix) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            if (errno)
                say_failed(prefix);
            return true;
        }
        if (!is_excluded(walk, entry->d_name) &&
            !add_entry(walk, level, dirfd(folder), prefix, entry->d_name))
            return false;
    }
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_above(const struct ms_walk *walk, const struct stat *about) {
    for (size_t i = 0; i < walk->depth; i++)
        if (walk->levels[i].device == about->st_dev && walk->levels[i].inode == about->st_ino)
            return true;
    return false;
}

/* Reads a folder, whose path ends in a slash, into a new level. false: no memory. */
static bool enter(struct ms_walk *walk, const char *path) {
    struct stat about;
    DIR *folder = opendir(path);
    if (!folder || fstat(dirfd(folder), &about) != 0) {
        say_failed(path);
        if (folder)
            closedir(folder);
        return true;
    }
    bool good = true;
    if (is_above(walk, &about)) {
        ms_left_out_count(walk->options->left_out, "link to a folder above it", path);
    } else {
        struct level *grown =
            grow(walk->levels, walk->depth, &walk->capacity, sizeof *walk->levels);
        if (grown) {
            walk->levels = grown;
            struct level *level = &walk->levels[walk->depth++];
            *level = (struct level){.device = about.st_dev, .inode = about.st_ino};
            good = read_entries(walk, level, folder, path);
            if (level->count > 0)
                qsort(level->paths, level->count, sizeof *level->paths, compare_paths);
        } else {
            good = ms_out_of_memory();
        }
    }
    closedir(folder);
    return good;
}

struct ms_walk *ms_walk_open(const char *folder, const struct ms_walk_options *options) {
    struct ms_walk *walk = calloc(1, sizeof *walk);
    char *path = NULL;
    size_t length = strlen(folder);
    bool slash = length > 0 && folder[length - 1] == '/';
    if (!walk || asprintf(&path, "%s%s", folder, slash ? "" : "/") < 0) {
        free(walk);
        ms_out_of_memory();
        return NULL;
    }
    walk->options = options;
    bool good = enter(walk, path);
    free(path);
    if (good)
        return walk;
    ms_walk_close(walk);
    return NULL;
}

static void leave(struct ms_walk *walk) {
    struct level *level = &walk->levels[--walk->depth];
    while (level->next < level->count)
        free(level->paths[level->next++]);
    free(level->paths);
}

char *ms_walk_next(struct ms_walk *walk) {
    while (walk->depth > 0 && !ms_interrupted()) {
        struct level *level = &walk->levels[walk->depth - 1];
        if (level->next == level->count) {
            leave(walk);
            continue;
        }
        char *path = level->paths[level->next++];
        if (path[strlen(path) - 1] != '/')
            return path;
        bool good = enter(walk, path);
        free(path);
        if (!good)
            break;
    }
    return NULL;
}

void ms_walk_close(struct ms_walk *walk) {
    while (walk->depth > 0)
        leave(walk);
    free(walk->levels);
    free(walk);
}
