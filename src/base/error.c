#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

minisim_status ms_fail(minisim_error *error, minisim_status status, const char *format, ...) {
    if (!error)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    for (char *c = error->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return status;
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
