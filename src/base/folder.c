/* Folders of results: see folder.h. */
#include "base/folder.h"

#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ms_folder_entry {
    struct ms_folder_entry *next;
    char path[];
};

static int last_error(void) {
    return errno ? errno : EIO;
}

/* Notes the first `length` bytes of a path, before it is made; NULL: no memory. */
static const char *note(struct ms_folder *folder, const char *path, size_t length) {
    struct ms_folder_entry *entry = malloc(sizeof *entry + length + 1);
    if (!entry)
        return NULL;
    memcpy(entry->path, path, length);
    entry->path[length] = '\0';
    entry->next = folder->entries;
    folder->entries = entry;
    return entry->path;
}

/* A folder's name may end in slashes. */
static char *without_slashes(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return strndup(path, length);
}

int ms_folder_open(struct ms_folder *folder, const char *path) {
    struct stat about;
    *folder = (struct ms_folder){.name = path};
    char *bare = without_slashes(path);
    if (bare && lstat(bare, &about) == 0)
        errno = EEXIST;
    else if (bare && errno == ENOENT)
        folder->target = ms_output_target(bare);
    free(bare);
    if (!folder->target)
        return last_error();
    const char *slash = strrchr(folder->target, '/');
    if (asprintf(&folder->temporary, "%.*s.minisim-%ld", (int)(slash + 1 - folder->target),
                 folder->target, (long)getpid()) < 0)
        folder->temporary = NULL;
    if (folder->temporary && mkdir(folder->temporary, 0777) == 0)
        return 0;
    int error = last_error();
    free(folder->temporary); /* it is another's */
    folder->temporary = NULL;
    return error;
}

FILE *ms_folder_file(struct ms_folder *folder, const char *name) {
    char path[4096];
    const char *slash = strchr(name, '/'), *inner;
    size_t start = strlen(folder->temporary) + 1;
    int length = snprintf(path, sizeof path, "%s/%s", folder->temporary, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    if (slash) {
        inner = note(folder, path, start + (size_t)(slash - name));
        if (!inner || (mkdir(inner, 0777) != 0 && errno != EEXIST))
            return NULL;
    }
    if (!note(folder, path, (size_t)length))
        return NULL;
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
    if (descriptor >= 0 && !file) {
        int error = last_error();
        close(descriptor);
        errno = error;
    }
    return file;
}

int ms_folder_close_file(FILE *file) {
    bool good = fflush(file) == 0 && !ferror(file) && (fsync(fileno(file)) == 0 || errno == EINVAL);
    int error = good ? 0 : last_error();
    errno = 0;
    if (fclose(file) != 0 && good)
        error = last_error();
    return error;
}

int ms_folder_publish(struct ms_folder *folder) {
    /* No second look: a file or a full folder that has come meanwhile makes this fail. */
    if (rename(folder->temporary, folder->target) != 0)
        return last_error();
    free(folder->temporary);
    folder->temporary = NULL;
    return 0;
}

void ms_folder_discard(struct ms_folder *folder) {
    while (folder->entries) {
        struct ms_folder_entry *entry = folder->entries;
        folder->entries = entry->next;
        if (folder->temporary)
            (void)remove(entry->path);
        free(entry);
    }
    if (folder->temporary)
        rmdir(folder->temporary);
    free(folder->temporary);
    free(folder->target);
    *folder = (struct ms_folder){.name = folder->name};
}
