#include "base/error.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

minisim_status ms_fail(minisim_error *error, minisim_status status, const char *format, ...) {
    if (!error)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    ms_make_plain(error->text);
    return status;
}

minisim_status ms_take_options(const void *given, void *options, size_t size,
                               minisim_error *error) {
    size_t given_size = sizeof given_size;
    memset(options, 0, size);
    if (given)
        memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size)
        return ms_fail(error, MINISIM_BAD_ARGUMENT, "the options' size is not set");
    if (given)
        memcpy(options, given, given_size < size ? given_size : size);
    return MINISIM_OK;
}

const char *ms_errno_text(int number) {
    static const struct {
        int number;
        const char *text;
    } causes[] = {{EACCES, "Permission denied"},
                  {EPERM, "Operation not permitted"},
                  {ENOENT, "No such file or directory"},
                  {ENOTDIR, "Not a directory"},
                  {ELOOP, "Too many levels of symbolic links"},
                  {ENAMETOOLONG, "File name too long"},
                  {EMFILE, "Too many open files"},
                  {ENFILE, "Too many open files in system"},
                  {ENOMEM, "Cannot allocate memory"},
                  {EIO, "Input/output error"},
                  {EOVERFLOW, "Value too large for defined data type"},
                  {EINVAL, "Invalid argument"},
                  {EISDIR, "Is a directory"},
                  {ENOSPC, "No space left on device"},
                  {EFBIG, "File too large"},
                  {ENXIO, "No such device or address"},
                  {ESTALE, "Stale file handle"},
                  {EBADF, "Bad file descriptor"},
                  {EROFS, "Read-only file system"},
                  {EDQUOT, "Disk quota exceeded"},
                  {ENOEXEC, "Exec format error"},
                  {E2BIG, "Argument list too long"},
                  {ETXTBSY, "Text file busy"},
                  {ENODEV, "No such device"},
                  {EBUSY, "Device or resource busy"},
                  {EINTR, "Interrupted system call"},
                  {EAGAIN, "Resource temporarily unavailable"}};
    static _Thread_local char other[32];
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (causes[i].number == number)
            return causes[i].text;
    snprintf(other, sizeof other, "error %d of the system", number);
    return other;
}
