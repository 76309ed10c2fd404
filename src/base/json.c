/* A JSON writer: see json.h. */
#include "base/json.h"

#include "base/text.h"

#include <string.h>

static void write_string(FILE *file, const char *text) {
    putc('"', file);
    while (*text) {
        size_t size = ms_utf8_size(text);
        unsigned char c = (unsigned char)*text;
        if (size == 0)
            fputs("\\ufffd", file);
        else if (c < 0x20 || c == 0x7f)
            fprintf(file, "\\u%04x", c);
        else {
            if (c == '"' || c == '\\')
                putc('\\', file);
            fwrite(text, 1, size, file);
        }
        text += size ? size : 1;
    }
    putc('"', file);
}

static void write_key(struct ms_json *json, const char *key) {
    if (json->comma)
        putc(',', json->file);
    json->comma = true;
    if (!key)
        return;
    write_string(json->file, key);
    putc(':', json->file);
}

void ms_json_open(struct ms_json *json, const char *key, char bracket) {
    write_key(json, key);
    putc(bracket, json->file);
    json->comma = false;
}

void ms_json_close(struct ms_json *json, char bracket) {
    putc(bracket, json->file);
    json->comma = true;
}

void ms_json_text(struct ms_json *json, const char *key, const char *text) {
    write_key(json, key);
    if (text)
        write_string(json->file, text);
    else
        fputs("null", json->file);
}

void ms_json_name(struct ms_json *json, const char *key, const char *name) {
    ms_json_open(json, key, '{');
    if (ms_is_utf8(name)) {
        ms_json_text(json, "text", name);
    } else {
        write_key(json, "bytes");
        putc('"', json->file);
        ms_write_base64(json->file, name, strlen(name));
        putc('"', json->file);
    }
    ms_json_close(json, '}');
}

void ms_json_float(struct ms_json *json, const char *key, float value) {
    char text[MS_NUMBER_SIZE];
    write_key(json, key);
    fputs(ms_float_text(value, text), json->file);
}

void ms_json_double(struct ms_json *json, const char *key, double value) {
    char text[MS_NUMBER_SIZE];
    write_key(json, key);
    fputs(ms_double_text(value, text), json->file);
}

void ms_json_count(struct ms_json *json, const char *key, uint64_t value) {
    write_key(json, key);
    fprintf(json->file, "%llu", (unsigned long long)value);
}

void ms_json_bool(struct ms_json *json, const char *key, bool value) {
    write_key(json, key);
    fputs(value ? "true" : "false", json->file);
}
