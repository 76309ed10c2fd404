/*
 * Writes JSON onto a stream, value by value, without spaces. Commas come by themselves; `key` is
 * NULL inside an array. What cannot be written shows as the stream's error.
 */
#ifndef MS_BASE_JSON_H
#define MS_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct ms_json {
    FILE *file;
    bool comma; /* the next value needs one before it */
};

/* `bracket` is '{' or '[' to open, '}' or ']' to close. */
void ms_json_open(struct ms_json *json, const char *key, char bracket);
void ms_json_close(struct ms_json *json, char bracket);

/* Bytes that are no UTF-8 become U+FFFD; NULL becomes null. */
void ms_json_text(struct ms_json *json, const char *key, const char *text);

/* A file's name: {"text":NAME}, or {"bytes":BASE64} where it is no UTF-8. */
void ms_json_name(struct ms_json *json, const char *key, const char *name);

/* Finite numbers, the shortest way that reads back the same. */
void ms_json_float(struct ms_json *json, const char *key, float value);
void ms_json_double(struct ms_json *json, const char *key, double value);
void ms_json_count(struct ms_json *json, const char *key, uint64_t value);

void ms_json_bool(struct ms_json *json, const char *key, bool value);

#endif
