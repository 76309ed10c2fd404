/* Outputs: see output.h. Opening, flushing, settling, publishing come in this order. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

int ms_output_open(struct ms_output *output, const char *path) {
    *output = (struct ms_output){.file = stdout, .name = "standard output"};
    if (!path || strcmp(path, "-") == 0)
        return 0;
    *output = (struct ms_output){.name = path};
    struct stat about;
    bool exists = stat(path, &about) == 0;
    int descriptor = -1;
    if (exists && !S_ISREG(about.st_mode)) {
        descriptor = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        /* A link's target is replaced, not the link. */
        output->target = exists ? realpath(path, NULL) : strdup(path);
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
