/*
 * Text for people and programs: numbers, names of files, words that were nearly right. Takes and
 * gives C strings; heeds no encoding but UTF-8. Numbers are printed and read as in the C locale,
 * which the program never leaves.
 */
#ifndef MS_BASE_TEXT_H
#define MS_BASE_TEXT_H

#include "base/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { MS_NUMBER_SIZE = 32 };

/* The shortest decimal that reads back the same number; gives `text`. */
const char *ms_float_text(float value, char text[MS_NUMBER_SIZE]);
const char *ms_double_text(double value, char text[MS_NUMBER_SIZE]);

/* A whole number with a comma after every third digit; gives `text`. */
const char *ms_count_text(uint64_t value, char text[MS_NUMBER_SIZE]);

/* Three digits of what is only estimated: 0.0123, 4.29, 7,880, 2.5e+07; gives `text`. */
const char *ms_rough_text(double value, char text[MS_NUMBER_SIZE]);

/* The power of ten that brings a finite number other than 0 to 100 or more, and below 1000; of less
 * than 1e-297, as far as doubles go. */
double ms_to_three_digits(double value);

/* Reads decimal digits and nothing else; false: something else, or more than `most`. */
bool ms_parse_count(const char *text, uint64_t most, uint64_t *value);

/* Reads a finite number and nothing else. */
bool ms_parse_number(const char *text, double *value);

/*
 * Writes a file's name so that it fills one line and cannot drive a terminal: as it is or, where it
 * holds control characters or is no UTF-8 or opens with a quote or is empty, in quotes with C's
 * escapes.
 */
void ms_write_name(FILE *file, const char *name);

/* Turns what ms_write_name wrote back into the name, in place; false: its quotes or escapes are
 * not such. */
bool ms_read_name(char *text);

/* Writes bytes in base64 (RFC 4648), on one line. */
void ms_write_base64(FILE *file, const void *bytes, size_t size);

/* The one of `words` (ended by NULL) that was probably meant, or NULL. */
const char *ms_nearest_word(const char *word, const char *const *words);

#endif
