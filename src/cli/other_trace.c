/*
 * The reader of traces: see other_trace.h. It reads what minisim trace writes and no other JSON, so
 * a line is taken apart by its keys, which nothing else in it can look like: within a text, quotes
 * stand behind a backslash.
 */
#include "cli/other_trace.h"

#include "cli/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Several times what the largest network gives. */
enum { LARGEST = 1 << 20 };

__attribute__((format(printf, 2, 3))) static bool refuse(struct ms_other_trace *other,
                                                         const char *format, ...) {
    char why[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    ms_complain(other->source, "%s", why);
    ms_note(MS_EXIT_SOME_FAILED);
    other->broken = true;
    return false;
}

static bool read_text(struct ms_other_trace *other, int descriptor) {
    size_t size = 0;
    long count = 1;
    while (count > 0 && size <= LARGEST) {
        count = ms_read_patiently(descriptor, other->text + size, LARGEST + 1 - size);
        size += count > 0 ? (size_t)count : 0;
    }
    if (ms_interrupted())
        return false;
    if (count < 0)
        return refuse(other, "cannot be read: %s", strerror(errno));
    other->text[size] = '\0';
    if (size > LARGEST)
        return refuse(other, "this is no trace: it has more than %d bytes", LARGEST);
    if (strlen(other->text) < size)
        return refuse(other, "this is no trace: it holds a zero byte");
    return true;
}

bool ms_other_trace_open(struct ms_other_trace *other, const char *path) {
    bool is_input = strcmp(path, "-") == 0;
    *other = (struct ms_other_trace){.source = is_input ? "standard input" : path,
                                     .text = malloc(LARGEST + 2)};
    other->next = other->text;
    if (!other->text)
        return ms_out_of_memory();
    int descriptor =
        is_input ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return refuse(other, "cannot be opened: %s", strerror(errno));
    bool good = read_text(other, descriptor);
    if (!is_input)
        close(descriptor);
    return good;
}

/* The next line, without its newline; NULL behind the last one. */
static const char *next_line(struct ms_other_trace *other) {
    char *line = other->next, *end = line + strcspn(line, "\n");
    if (!*line)
        return NULL;
    other->next = *end ? end + 1 : end;
    *end = '\0';
    other->line++;
    return line;
}

/* What stands behind `key`, up to `end`; false: nothing does, or more than has room. */
static bool take_field(const char *line, const char *key, char end, char *to, size_t room) {
    const char *from = strstr(line, key);
    const char *stop = from ? strchr(from + strlen(key), end) : NULL;
    size_t length = stop ? (size_t)(stop - from) - strlen(key) : room;
    if (length >= room)
        return false;
    memcpy(to, stop - length, length);
    to[length] = '\0';
    return true;
}

/* What is shown to people holds nothing but these. */
static bool holds_only(const char *text, const char *these) {
    return strspn(text, these) == strlen(text);
}

static bool is_hash(const char *text) {
    return strlen(text) == 64 && holds_only(text, "0123456789abcdef");
}

struct fields {
    char layer[32], shape[64], sha256[65], id[65]; /* id: of the first line */
};

static bool read_line(struct ms_other_trace *other, const char *line, struct fields *f) {
    static const char start[] = "{\"schema\":", known[] = "{\"schema\":1,";
    bool has_schema = strncmp(line, start, sizeof start - 1) == 0;
    if (has_schema && strspn(line + sizeof start - 1, "0123456789") > 0 &&
        strncmp(line, known, sizeof known - 1) != 0)
        return refuse(other, "line %zu is of a schema that this minisim does not read",
                      other->line);
    if (strncmp(line, known, sizeof known - 1) != 0 || line[strlen(line) - 1] != '}' ||
        !take_field(line, "\"layer\":\"", '"', f->layer, sizeof f->layer) ||
        !take_field(line, "\"shape\":[", ']', f->shape, sizeof f->shape) ||
        !take_field(line, "\"sha256\":\"", '"', f->sha256, sizeof f->sha256) ||
        !is_hash(f->sha256) || !holds_only(f->shape, "0123456789,") ||
        !holds_only(f->layer, "abcdefghijklmnopqrstuvwxyz0123456789.") ||
        (other->line == 1 &&
         (!take_field(line, "\"embedding_id\":\"", '"', f->id, sizeof f->id) || !is_hash(f->id))))
        return refuse(other, "line %zu is not as minisim trace writes it", other->line);
    return true;
}

/* What it means that this layer is the first that differs. */
static const char *meaning_of(const char *layer) {
    static const char *const meanings[][2] = {
        {"file", "these are two files"},
        {"decoded", "the same file is decoded in two ways: the decoder differs"},
        {"resized",
         "the same pixels are prepared in two ways: orientation, background, region, crop "
         "or resizing differs, in the program or in its options"},
        {"input", "the same pixels become other values: the table of input values differs"},
        {"embedding", "the global average differs"}};
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (strcmp(layer, meanings[i][0]) == 0)
            return meanings[i][1];
    return "all before it is equal: its own arithmetic differs, or its weights do in memory";
}

void ms_other_trace_compare(struct ms_other_trace *other, const struct ms_watched *value,
                            const char *id) {
    struct fields f;
    char shape[64] = "", hash[65];
    if (other->broken || *other->verdict)
        return;
    const char *line = next_line(other);
    if (!line) {
        refuse(other, "it ends before the layer %s: it is empty or cut", value->name);
        return;
    }
    if (!read_line(other, line, &f))
        return;
    for (size_t i = 0, length = 0; i < value->rank; i++)
        length += (size_t)snprintf(shape + length, sizeof shape - length, "%s%llu", i ? "," : "",
                                   (unsigned long long)value->shape[i]);
    ms_watched_hash(value, hash);
    if (other->line == 1 && strcmp(f.id, id) != 0)
        snprintf(other->verdict, sizeof other->verdict,
                 "differs: the weights, their preprocessing or the numerics version; the same are "
                 "needed to compare layers\n  embedding id here   %s\n  embedding id there  %s\n",
                 id, f.id);
    else if (strcmp(f.layer, value->name) != 0)
        refuse(other, "line %zu is layer %s, where %s is expected", other->line, f.layer,
               value->name);
    else if (strcmp(f.sha256, hash) != 0 || strcmp(f.shape, shape) != 0)
        snprintf(other->verdict, sizeof other->verdict,
                 "differs: %s first; %s\n  here   %s [%s]\n  there  %s [%s]\n", value->name,
                 meaning_of(value->name), hash, shape, f.sha256, f.shape);
}

bool ms_other_trace_end(struct ms_other_trace *other, FILE *file) {
    if (other->broken)
        return false;
    if (*other->verdict) {
        fputs(other->verdict, file);
        ms_note(MS_EXIT_DIFFERS);
        return true;
    }
    if (next_line(other))
        return refuse(other, "it goes on behind the embedding: line %zu", other->line);
    fprintf(file, "equal: all %zu lines, from the file to the embedding\n", other->line);
    return true;
}

void ms_other_trace_close(struct ms_other_trace *other) {
    free(other->text);
}
