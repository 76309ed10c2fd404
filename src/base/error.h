/* Errors: a status and one line of text. Every function that can fail ends in `return
 * ms_fail(...)`. And what all public functions check of their callers' options. */
#ifndef MS_BASE_ERROR_H
#define MS_BASE_ERROR_H

#include "minisim.h"

/* Writes the text (cut to its size, control characters made '?') where `error` is not NULL; gives
 * `status`. */
__attribute__((format(printf, 3, 4))) minisim_status
ms_fail(minisim_error *error, minisim_status status, const char *format, ...);

/* Options of any version of a struct that begins with its size: what the caller's does not have,
 * or all of it where `given` is NULL, is zero. BAD_ARGUMENT: its size is not set. */
minisim_status ms_take_options(const void *given, void *options, size_t size, minisim_error *error);

/* What an errno is called, in English whatever the locale, which strerror would heed. */
const char *ms_errno_text(int number);

#endif
