/* The file under a catalogue: see file.h. */
#include "catalogue/file.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static minisim_status refuse(const char *what, minisim_error *error) {
    return ms_fail(error, MINISIM_REFUSED, "cannot be %s: %s", what, ms_errno_text(errno));
}

static minisim_status open_regular(const char *path, int flags, int *descriptor, bool *missing,
                                   minisim_error *error) {
    struct stat about;
    int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (missing)
        *missing = fd < 0 && errno == ENOENT;
    if (fd < 0)
        return refuse("opened", error);
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return ms_fail(error, MINISIM_BAD_CATALOGUE, "this is no regular file, so no catalogue");
    }
    *descriptor = fd;
    return MINISIM_OK;
}

minisim_status ms_file_open_reader(const char *path, int *descriptor, bool *missing,
                                   minisim_error *error) {
    return open_regular(path, O_RDONLY, descriptor, missing, error);
}

/* The lock belongs to the open file: it ends with it, whatever kills us. */
static minisim_status lock(int descriptor, minisim_error *error) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_OFD_SETLK, &all) == 0)
        return MINISIM_OK;
    if (errno == EAGAIN || errno == EACCES)
        return ms_fail(error, MINISIM_REFUSED,
                       "another process is writing to it: wait until that is done");
    return ms_fail(error, MINISIM_REFUSED,
                   "its file system does not lock files (%s), so two writers could destroy it: put "
                   "it on another",
                   ms_errno_text(errno));
}

/* Is it still what that path names? `compact` may have replaced it before the lock was ours. */
static bool is_still(int descriptor, const char *path) {
    struct stat ours, named;
    return fstat(descriptor, &ours) == 0 && stat(path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

minisim_status ms_file_open_writer(const char *path, int *descriptor, bool *missing,
                                   minisim_error *error) {
    enum { TRIES = 10 };
    for (int i = 0; i < TRIES; i++) {
        minisim_status status = open_regular(path, O_RDWR, descriptor, missing, error);
        if (!status && (status = lock(*descriptor, error)))
            close(*descriptor);
        if (status || is_still(*descriptor, path))
            return status;
        close(*descriptor);
    }
    return ms_fail(error, MINISIM_REFUSED, "it is being replaced again and again");
}

static const char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* With a slash at its end, to be freed; NULL: no memory. */
static char *folder_of(const char *path) {
    size_t length = (size_t)(name_of(path) - path), size = length + sizeof "./";
    char *folder = malloc(size);
    if (folder && length > 0)
        snprintf(folder, size, "%.*s", (int)length, path);
    else if (folder)
        memcpy(folder, "./", sizeof "./");
    return folder;
}

/* How a file that is not published yet is called; behind it stand the name it will have, the
 * process and a number. */
#define BESIDE ".minisim-"

minisim_status ms_file_create_beside(const char *path, int *descriptor, char **beside,
                                     minisim_error *error) {
    enum { TRIES = 100, NUMBERS = 40 };
    int folder = (int)(name_of(path) - path), fd = -1;
    size_t size = strlen(path) + sizeof BESIDE + NUMBERS;
    *beside = malloc(size);
    if (!*beside)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    errno = EEXIST;
    for (unsigned i = 0; fd < 0 && errno == EEXIST && i < TRIES; i++) {
        snprintf(*beside, size, "%.*s" BESIDE "%s-%ld-%u", folder, path, path + folder,
                 (long)getpid(), i);
        fd = open(*beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (fd < 0) {
        minisim_status failed = refuse("created", error);
        free(*beside);
        return failed;
    }
    minisim_status status = lock(fd, error);
    *descriptor = fd;
    if (status) {
        unlink(*beside);
        free(*beside);
        close(fd);
    }
    return status;
}

/* ".minisim-NAME-PID-N", as above? */
static bool is_beside(const char *entry, const char *name) {
    static const char digits[] = "0123456789";
    size_t start = sizeof BESIDE - 1, length = strlen(name);
    if (strncmp(entry, BESIDE, start) != 0 || strncmp(entry + start, name, length) != 0)
        return false;
    for (size_t at = start + length, i = 0; i < 2; i++) {
        size_t count = entry[at] == '-' ? strspn(entry + at + 1, digits) : 0;
        at += 1 + count;
        if (count == 0 || (i == 1 && entry[at]))
            return false;
    }
    return true;
}

void ms_file_clear_beside(const char *path) {
    char *folder = folder_of(path);
    DIR *entries = folder ? opendir(folder) : NULL;
    const struct dirent *entry;
    while (entries && (entry = readdir(entries)))
        if (is_beside(entry->d_name, name_of(path)))
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries)
        closedir(entries);
    free(folder);
}

/* An entry of a folder lasts when the folder does. */
static minisim_status sync_folder(const char *path, minisim_error *error) {
    char *folder = folder_of(path);
    if (!folder)
        return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    /* Some file systems do not sync folders, and say EINVAL. */
    bool good = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    minisim_status status = good ? MINISIM_OK : refuse("made to last in its folder", error);
    if (fd >= 0)
        close(fd);
    return status;
}

/* To a name that must be free: by a link or, where there are none, by a rename that takes care. */
static bool move_to_free(const char *beside, const char *path) {
    if (link(beside, path) == 0)
        return unlink(beside) == 0;
    return errno != EEXIST && renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE) == 0;
}

minisim_status ms_file_publish(int descriptor, const char *beside, const char *path, bool replace,
                               minisim_error *error) {
    if (fsync(descriptor) != 0)
        return refuse("written", error);
    if (replace ? rename(beside, path) != 0 : !move_to_free(beside, path))
        return errno == EEXIST ? ms_fail(error, MINISIM_REFUSED,
                                         "another process has made it meanwhile: try again")
                               : refuse("created", error);
    return sync_folder(path, error);
}

minisim_status ms_file_size(int descriptor, uint64_t *size, minisim_error *error) {
    struct stat about;
    if (fstat(descriptor, &about) != 0)
        return ms_fail(error, MINISIM_REFUSED, "cannot be read: %s", ms_errno_text(errno));
    *size = (uint64_t)about.st_size;
    return MINISIM_OK;
}

minisim_status ms_file_read_at(int descriptor, uint64_t offset, void *to, size_t size,
                               minisim_error *error) {
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(descriptor, (char *)to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse("read", error);
        if (n == 0)
            return ms_fail(error, MINISIM_BAD_CATALOGUE,
                           "the catalogue is cut short: it ends before byte %llu",
                           (unsigned long long)(offset + size));
        done += (size_t)n;
    }
    return MINISIM_OK;
}

/* Where another machine may cut the file, or a process answer for it. */
static bool is_remote(int descriptor) {
    static const uint32_t types[] = {0x6969 /* NFS */,
                                     0x517b /* SMB */,
                                     0xff534d42 /* CIFS */,
                                     0xfe534d42 /* SMB2 */,
                                     0x65735546 /* FUSE */,
                                     0x01021997 /* 9P */,
                                     0x00c36400 /* Ceph */,
                                     0x5346414f /* AFS */,
                                     0x01161970 /* GFS2 */,
                                     0x7461636f /* OCFS2 */,
                                     0x0bd00bd0 /* Lustre */};
    struct statfs about;
    if (fstatfs(descriptor, &about) != 0)
        return true;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if ((uint32_t)about.f_type == types[i])
            return true;
    return false;
}

uint8_t *ms_file_map(int descriptor, uint64_t size) {
    struct stat about;
    if (sizeof(void *) < 8 || fstat(descriptor, &about) != 0 || (uint64_t)about.st_size < size ||
        is_remote(descriptor))
        return NULL;
    void *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, descriptor, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

minisim_status ms_file_write_at(int descriptor, uint64_t offset, const void *from, size_t size,
                                minisim_error *error) {
    for (size_t done = 0; done < size;) {
        ssize_t n =
            pwrite(descriptor, (const char *)from + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return refuse("written", error);
        done += (size_t)n;
    }
    return MINISIM_OK;
}

minisim_status ms_file_reserve(int descriptor, uint64_t begin, uint64_t end, minisim_error *error) {
    int number = posix_fallocate(descriptor, (off_t)begin, (off_t)(end - begin));
    /* Where room cannot be reserved, writing will tell. */
    if (number == 0 || number == EOPNOTSUPP || number == EINVAL)
        return MINISIM_OK;
    errno = number;
    return refuse("extended", error);
}

minisim_status ms_file_sync(int descriptor, minisim_error *error) {
    return fdatasync(descriptor) == 0 ? MINISIM_OK : refuse("written", error);
}
