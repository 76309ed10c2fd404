/* See utf8.h. */
#include "base/utf8.h"

size_t ms_utf8_size(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x80)
        return c[0] != 0;
    size_t size = c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < size; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xf0 && c[1] < 0x90);
    bool surrogate = c[0] == 0xed && c[1] >= 0xa0;
    bool beyond = c[0] == 0xf4 && c[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : size;
}

bool ms_is_utf8(const char *text) {
    for (size_t size; *text; text += size)
        if ((size = ms_utf8_size(text)) == 0)
            return false;
    return true;
}

bool ms_is_control(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0);
}

void ms_make_plain(char *text) {
    while (*text) {
        size_t size = ms_is_control(text) ? 0 : ms_utf8_size(text);
        if (size == 0)
            *text = '?';
        text += size ? size : 1;
    }
}
