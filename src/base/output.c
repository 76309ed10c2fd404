/* Outputs: see output.h. Finding the place, opening, flushing, settling, publishing come in this
 * order. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int last_error(void) {
    return errno ? errno : EIO;
}

static int give_up(struct ms_output *output) {
    int error = last_error();
    ms_output_discard(output);
    return error;
}

/* The link's own words, behind its folder where they are relative; to be freed. */
static char *read_link(const char *path) {
    char words[4096], *target;
    ssize_t length = readlink(path, words, sizeof words - 1);
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash + 1 - path) : 0;
    if (length < 0)
        return NULL;
    words[length] = '\0';
    if (words[0] == '/')
        return strdup(words);
    return asprintf(&target, "%.*s%s", folder, path, words) >= 0 ? target : NULL;
}

/* The path of a file that is not there, by its folder's real path. */
static char *real_place(const char *path) {
    const char *slash = strrchr(path, '/');
    char *target = NULL, *folder = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
    char *real = folder ? realpath(folder, NULL) : NULL;
    if (slash && !slash[1])
        errno = EISDIR;
    else if (real && asprintf(&target, "%s/%s", real, slash ? slash + 1 : path) < 0)
        target = NULL;
    free(folder);
    free(real);
    return target;
}

char *ms_output_target(const char *path) {
    char *target = realpath(path, NULL);
    if (target || errno != ENOENT)
        return target;
    char *link = read_link(path);
    if (!link)
        return real_place(path);
    /* A chain of links that leads nowhere has an end: circles are told by realpath. */
    target = ms_output_target(link);
    free(link);
    return target;
}

/* The file's own name replaced by one that no list of files shows, and that is free. */
static int open_beside(struct ms_output *output) {
    const char *slash = strrchr(output->target, '/');
    int folder = slash ? (int)(slash + 1 - output->target) : 0;
    for (unsigned i = 0; i < 100; i++) {
        if (asprintf(&output->temporary, "%.*s.minisim-%ld-%u", folder, output->target,
                     (long)getpid(), i) < 0) {
            output->temporary = NULL;
            errno = ENOMEM;
            return -1;
        }
        int descriptor = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0)
            return descriptor;
        free(output->temporary);
        output->temporary = NULL;
        if (errno != EEXIST)
            break;
    }
    return -1;
}

/* Is it what this standard stream is open on, for writing? */
static bool is_stream(int stream, const struct stat *about) {
    struct stat own;
    return fstat(stream, &own) == 0 && own.st_dev == about->st_dev && own.st_ino == about->st_ino &&
           (fcntl(stream, F_GETFL) & O_ACCMODE) != O_RDONLY;
}

bool ms_output_is_stdout(const char *path) {
    struct stat about;
    return !path || strcmp(path, "-") == 0 ||
           (stat(path, &about) == 0 && is_stream(STDOUT_FILENO, &about));
}

/* What is there and is written directly. Waits for no reader. */
static int open_special(const char *path, const struct stat *about) {
    if (is_stream(STDERR_FILENO, about))
        return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    bool fifo = S_ISFIFO(about->st_mode);
    int descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | (fifo ? O_NONBLOCK : 0));
    if (descriptor < 0 && fifo && errno == ENXIO)
        errno = EAGAIN;
    else if (descriptor >= 0 && fifo)
        fcntl(descriptor, F_SETFL, 0);
    return descriptor;
}

/* Replacing takes no more rights than a shell's redirection would ask for. */
static bool is_writable(const char *path) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    return descriptor >= 0 && close(descriptor) == 0;
}

int ms_output_open(struct ms_output *output, const char *path) {
    *output = (struct ms_output){.file = stdout, .name = "standard output"};
    if (ms_output_is_stdout(path))
        return 0;
    *output = (struct ms_output){.name = path};
    struct stat about;
    bool exists = stat(path, &about) == 0;
    int descriptor = -1;
    if (!exists && errno != ENOENT)
        return give_up(output);
    if (exists && (!S_ISREG(about.st_mode) || is_stream(STDERR_FILENO, &about))) {
        descriptor = open_special(path, &about);
    } else if (!exists || is_writable(path)) {
        output->target = ms_output_target(path);
        if (output->target)
            descriptor = open_beside(output);
        if (descriptor >= 0 && exists && fchmod(descriptor, about.st_mode & 0777) != 0) {
            close(descriptor);
            descriptor = -1;
        }
    }
    if (descriptor >= 0 && !(output->file = fdopen(descriptor, "wb"))) {
        int error = last_error();
        close(descriptor);
        errno = error;
    }
    return output->file ? 0 : give_up(output);
}

int ms_output_flush(struct ms_output *output) {
    return fflush(output->file) == 0 && !ferror(output->file) ? 0 : give_up(output);
}

int ms_output_settle(struct ms_output *output) {
    int error = ms_output_flush(output);
    if (error || output->file == stdout)
        return error;
    FILE *file = output->file;
    if (output->target && fsync(fileno(file)) != 0 && errno != EINVAL)
        return give_up(output);
    output->file = NULL;
    errno = 0;
    return fclose(file) == 0 ? 0 : give_up(output);
}

int ms_output_publish(struct ms_output *output) {
    if (output->target && rename(output->temporary, output->target) != 0)
        return give_up(output);
    free(output->temporary);
    output->temporary = NULL;
    ms_output_discard(output);
    return 0;
}

void ms_output_discard(struct ms_output *output) {
    if (output->file && output->file != stdout)
        fclose(output->file);
    if (output->temporary)
        unlink(output->temporary);
    free(output->temporary);
    free(output->target);
    *output = (struct ms_output){.name = output->name};
}

FILE *ms_open_spool(void) {
    const char *folder = getenv("TMPDIR");
    char *name;
    if (asprintf(&name, "%s/minisim-XXXXXX", folder && *folder ? folder : "/tmp") < 0)
        return NULL;
    int descriptor = mkostemp(name, O_CLOEXEC);
    if (descriptor >= 0)
        unlink(name);
    free(name);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w+b") : NULL;
    if (descriptor >= 0 && !file)
        close(descriptor);
    return file;
}

FILE *ms_open_memory(char **bytes, size_t *size) {
    *bytes = NULL;
    errno = 0;
    return open_memstream(bytes, size);
}

/* What failed in between has left its errno. */
bool ms_close_memory(FILE *stream, char *const *bytes) {
    bool good = stream && !ferror(stream) && errno != ENOMEM;
    return stream && fclose(stream) == 0 && good && *bytes;
}
