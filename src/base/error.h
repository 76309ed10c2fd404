/* Errors: a status and one line of text. Every function that can fail ends in `return
 * ms_fail(...)`. */
#ifndef MS_BASE_ERROR_H
#define MS_BASE_ERROR_H

#include "minisim.h"

/* Writes the text (cut to its size, control characters made '?') where `error` is not NULL; gives
 * `status`. */
__attribute__((format(printf, 3, 4))) minisim_status
ms_fail(minisim_error *error, minisim_status status, const char *format, ...);

/* What an errno is called, in English whatever the locale, which strerror would heed. */
const char *ms_errno_text(int number);

#endif
