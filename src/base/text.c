/* Numbers, names and words as text: see text.h. */
#include "base/text.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The decimal that follows in its last digit; false: it would need a digit more. */
static bool raise_last_digit(char *text) {
    for (char *c = text + strcspn(text, "e"); c > text;) {
        c--;
        if (*c >= '0' && *c < '9') {
            ++*c;
            return true;
        }
        if (*c == '9')
            *c = '0';
    }
    return false;
}

/* Is it a power of two? Of subnormal numbers, which lie evenly, none counts. */
static bool float_is_power(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & ((UINT32_C(1) << (FLT_MANT_DIG - 1)) - 1)) == 0;
}

static bool double_is_power(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & ((UINT64_C(1) << (DBL_MANT_DIG - 1)) - 1)) == 0;
}

/*
 * Prints the nearest decimal with that many digits; false: none reads back the same. Below a power
 * of two numbers lie half as far apart as above it, so where the nearest decimal is below and will
 * not do, the next one above may.
 */
static bool try_float(float value, int digits, char text[MS_NUMBER_SIZE]) {
    snprintf(text, MS_NUMBER_SIZE, "%.*g", digits, (double)value);
    if (strtof(text, NULL) == value)
        return true;
    if (!float_is_power(value))
        return false;
    snprintf(text, MS_NUMBER_SIZE, "%#.*g", digits, (double)value); /* zeros at the end, too */
    return raise_last_digit(text) && strtof(text, NULL) == value;
}

static bool try_double(double value, int digits, char text[MS_NUMBER_SIZE]) {
    snprintf(text, MS_NUMBER_SIZE, "%.*g", digits, value);
    if (strtod(text, NULL) == value)
        return true;
    if (!double_is_power(value))
        return false;
    snprintf(text, MS_NUMBER_SIZE, "%#.*g", digits, value);
    return raise_last_digit(text) && strtod(text, NULL) == value;
}

/* Writes `digits` digits of m with the point behind the first `point` of them, as %g does. */
static void write_fixed(uint64_t m, int digits, int point, bool negative, char *text) {
    char figures[MS_NUMBER_SIZE] = "0";
    int n = digits;
    for (int i = digits; i-- > 0; m /= 10)
        figures[i] = (char)('0' + m % 10);
    while (n > 1 && n > point && figures[n - 1] == '0')
        n--;
    if (negative)
        *text++ = '-';
    if (point <= 0)
        *text++ = '0', *text++ = '.';
    for (int i = point; i < 0; i++)
        *text++ = '0';
    for (int i = 0; i < n; i++) {
        if (i > 0 && i == point)
            *text++ = '.';
        *text++ = figures[i];
    }
    *text = '\0';
}

/*
 * Most numbers, without printf and strtof, in a tenth of the time. v * 10^k and m / 10^k are
 * rounded once, to 53 bits: where that could decide the answer, and for all that is unusual, false.
 */
static bool float_text_quickly(float value, char text[MS_NUMBER_SIZE]) {
    static const double powers[] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5,  1e6,
                                    1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};
    double v = fabs((double)value);
    int point = -3; /* 10^(point-1) <= v < 10^point */
    if (!(v >= 1e-4 && v < 1e6) || float_is_power(value))
        return false;
    while (point < 6 && v >= (point < 0 ? 1 / powers[-point] : powers[point]))
        point++;
    for (int digits = FLT_DIG; digits <= FLT_DECIMAL_DIG; digits++) {
        double scale = powers[digits - point], scaled = v * scale;
        uint64_t m = (uint64_t)(scaled + 0.5), bits;
        double back = (double)m / scale;
        memcpy(&bits, &back, sizeof bits);
        bits &= (UINT64_C(1) << (DBL_MANT_DIG - FLT_MANT_DIG)) - 1; /* beyond a float's */
        bits -= UINT64_C(1) << (DBL_MANT_DIG - FLT_MANT_DIG - 1);   /* 0: between two floats */
        if (fabs(scaled + 0.5 - (double)m) < 1e-6 || fabs(scaled - 0.5 - (double)m) < 1e-6 ||
            bits + 2 <= 4)
            return false;
        if ((float)back == fabsf(value)) {
            bool carried = (double)m == powers[digits]; /* 9.999999 became 10.00000 */
            write_fixed(carried ? m / 10 : m, digits, point + carried, signbit(value), text);
            return true;
        }
    }
    return false;
}

/* Any decimal of FLT_DIG digits can be told from its neighbours, but for subnormal numbers. */
const char *ms_float_text(float value, char text[MS_NUMBER_SIZE]) {
    char shorter[MS_NUMBER_SIZE];
    if (value == 0) /* as many are, after ReLU6 */
        return strcpy(text, signbit(value) ? "-0" : "0");
    if (float_text_quickly(value, text))
        return text;
    int least = fabsf(value) < FLT_MIN ? 1 : FLT_DIG;
    /* Most numbers need 8 or 9 digits: starting there takes the fewest tries. */
    if (!try_float(value, 8, text))
        try_float(value, 9, text);
    else
        for (int digits = 7; digits >= least && try_float(value, digits, shorter); digits--)
            memcpy(text, shorter, sizeof shorter);
    return text;
}

const char *ms_double_text(double value, char text[MS_NUMBER_SIZE]) {
    int digits = value != 0 && fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    while (!try_double(value, digits, text) && digits < 17)
        digits++;
    return text;
}

const char *ms_count_text(uint64_t value, char text[MS_NUMBER_SIZE]) {
    char digits[MS_NUMBER_SIZE];
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *end = text;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            *end++ = ',';
        *end++ = digits[i];
    }
    *end = '\0';
    return text;
}

const char *ms_rough_text(double value, char text[MS_NUMBER_SIZE]) {
    snprintf(text, MS_NUMBER_SIZE, "%.3g", value);
    double rounded = strtod(text, NULL);
    return rounded >= 1000 && rounded < 1e6 ? ms_count_text((uint64_t)rounded, text) : text;
}

double ms_to_three_digits(double value) {
    double power = 1, size = fabs(value);
    while (size * power < 100 && power < 1e300)
        power *= 10;
    while (size * power >= 1000)
        power /= 10;
    return power;
}

bool ms_parse_count(const char *text, uint64_t most, uint64_t *value) {
    uint64_t sum = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return sum <= most;
}

bool ms_parse_number(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return *text && !text[strspn(text, "+-.0123456789eE")] && !*end && isfinite(*value);
}

static bool needs_quotes(const char *name) {
    if (!*name || *name == '"' || !ms_is_utf8(name))
        return true;
    for (; *name; name++)
        if (ms_is_control(name))
            return true;
    return false;
}

static void write_escaped(FILE *file, unsigned char c) {
    static const char named[] = "\a\b\t\n\v\f\r";
    if (c >= '\a' && c <= '\r')
        fprintf(file, "\\%c", "abtnvfr"[strchr(named, c) - named]);
    else
        fprintf(file, "\\%03o", c);
}

void ms_write_name(FILE *file, const char *name) {
    if (!needs_quotes(name)) {
        fputs(name, file);
        return;
    }
    putc('"', file);
    while (*name) {
        size_t size = ms_utf8_size(name);
        bool plain = size > 0 && !ms_is_control(name);
        if (plain && (*name == '"' || *name == '\\'))
            putc('\\', file);
        if (plain)
            fwrite(name, 1, size, file);
        for (size_t i = 0; !plain && i < (size ? size : 1); i++)
            write_escaped(file, (unsigned char)name[i]);
        name += size ? size : 1;
    }
    putc('"', file);
}

void ms_write_base64(FILE *file, const void *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)at[i] << 16;
        if (i + 1 < size)
            group |= (uint32_t)at[i + 1] << 8;
        if (i + 2 < size)
            group |= at[i + 2];
        putc(digits[group >> 18], file);
        putc(digits[group >> 12 & 63], file);
        putc(i + 1 < size ? digits[group >> 6 & 63] : '=', file);
        putc(i + 2 < size ? digits[group & 63] : '=', file);
    }
}

/* Reads what follows a backslash and gives the byte that is meant; 0: nothing is. */
static char read_escaped(const char **at) {
    static const char letters[] = "abtnvfr\"\\", bytes[] = "\a\b\t\n\v\f\r\"\\";
    const char *letter = **at ? strchr(letters, **at) : NULL;
    if (letter) {
        ++*at;
        return bytes[letter - letters];
    }
    unsigned value = 0;
    for (int i = 0; i < 3; i++, ++*at) {
        if (**at < '0' || **at > '7')
            return 0;
        value = 8 * value + (unsigned)(**at - '0');
    }
    return value <= 255 ? (char)value : '\0';
}

bool ms_read_name(char *text) {
    if (*text != '"')
        return true;
    char *to = text;
    const char *at = text + 1;
    while (*at && *at != '"') {
        char c = *at++;
        if (c == '\\' && !(c = read_escaped(&at)))
            return false;
        *to++ = c;
    }
    bool whole = *at == '"' && !at[1];
    *to = '\0';
    return whole;
}

enum { LONGEST_WORD = 31 };

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many letters must be changed, added, left out or swapped with their neighbour; capital or
 * not, they are the same. */
static size_t edit_distance(const char *a, const char *b) {
    size_t rows[LONGEST_WORD + 1][LONGEST_WORD + 1];
    size_t n = strlen(a), m = strlen(b);
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = i + j;
                continue;
            }
            size_t best = rows[i - 1][j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            if (rows[i - 1][j] + 1 < best)
                best = rows[i - 1][j] + 1;
            if (rows[i][j - 1] + 1 < best)
                best = rows[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                rows[i - 2][j - 2] + 1 < best)
                best = rows[i - 2][j - 2] + 1;
            rows[i][j] = best;
        }
    return rows[n][m];
}

/* The only one of `words` that begins so, or NULL. */
static const char *word_beginning(const char *start, const char *const *words) {
    const char *found = NULL;
    for (; *words; words++)
        if (strncmp(*words, start, strlen(start)) == 0) {
            if (found)
                return NULL;
            found = *words;
        }
    return found;
}

const char *ms_nearest_word(const char *word, const char *const *words) {
    const char *nearest = *word ? word_beginning(word, words) : NULL;
    if (nearest)
        return nearest;
    size_t length = strlen(word);
    size_t least = 1 + (length + 1) / 3; /* that many changes make another word */
    for (; length <= LONGEST_WORD && *words; words++) {
        if (strlen(*words) > LONGEST_WORD)
            continue;
        size_t distance = edit_distance(word, *words);
        if (distance < least) {
            least = distance;
            nearest = *words;
        }
    }
    return nearest;
}
