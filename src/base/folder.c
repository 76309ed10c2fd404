/* Folders of results: see folder.h. */
#include "base/folder.h"

#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int last_error(void) {
    return errno ? errno : EIO;
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

FILE *ms_folder_file(const struct ms_folder *folder, const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", folder->temporary, name) < 0)
        return NULL;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    bool there = mkdir(path, 0777) == 0 || errno == EEXIST;
    *slash = '/';
    int descriptor = there ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
    if (descriptor >= 0 && !file)
        close(descriptor);
    free(path);
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

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place) {
    (void)about;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

void ms_folder_discard(struct ms_folder *folder) {
    if (folder->temporary)
        nftw(folder->temporary, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(folder->temporary);
    free(folder->target);
    *folder = (struct ms_folder){.name = folder->name};
}
