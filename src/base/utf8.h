/* UTF-8, the one encoding that is heeded: of names, and of a weights file's facts. */
#ifndef MS_BASE_UTF8_H
#define MS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes the UTF-8 character at `text` has; 0: it is none, or the end. */
size_t ms_utf8_size(const char *text);
bool ms_is_utf8(const char *text);

/* Whether a control character stands at `text`: C0, DEL, or C1, which terminals obey as well. */
bool ms_is_control(const char *text);

/* What is no UTF-8, or a control character, becomes question marks, so that any terminal may show
 * it. */
void ms_make_plain(char *text);

#endif
