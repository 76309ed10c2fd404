#include "base/file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISCHR(mode)  ? "a device"
           : S_ISBLK(mode)  ? "a device"
                            : "no regular file";
}

minisim_status ms_file_open(const char *path, int *descriptor, uint64_t *size,
                            minisim_error *error) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENXIO)
        return ms_fail(error, MINISIM_BAD_FILE, "this is a socket or a device, not a file");
    if (fd < 0)
        return ms_fail(error, MINISIM_BAD_FILE, "cannot be opened: %s", ms_errno_text(errno));
    struct stat status;
    if (fstat(fd, &status) != 0) {
        ms_fail(error, MINISIM_BAD_FILE, "cannot be examined: %s", ms_errno_text(errno));
        close(fd);
        return MINISIM_BAD_FILE;
    }
    if (!S_ISREG(status.st_mode)) {
        close(fd);
        return ms_fail(error, MINISIM_BAD_FILE, "this is %s, not a file", kind_of(status.st_mode));
    }
    *descriptor = fd;
    *size = (uint64_t)status.st_size;
    return MINISIM_OK;
}

minisim_status ms_file_read(int descriptor, void *to, size_t size, minisim_error *error) {
    for (size_t done = 0; done < size;) {
        ssize_t n = read(descriptor, (char *)to + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ms_fail(error, MINISIM_BAD_FILE, "cannot be read: %s", ms_errno_text(errno));
        if (n == 0)
            return ms_fail(error, MINISIM_BAD_FILE, "the file became shorter while it was read");
        done += (size_t)n;
    }
    return MINISIM_OK;
}
