/* The command line of a verb: see options.h. Parsing first, then values, then help. */
#include "cli/options.h"

#include "base/text.h"
#include "cli/console.h"
#include "cli/version.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct ms_option common_options[] = {
    {MS_OPTION_HELP, "help", 'h', NULL, "show this help"},
    {MS_OPTION_VERSION, "version", 'V', NULL, "show the version"},
    {0}};

enum { MOST_TABLES = 5 };

/* The verb's tables, then the common one; gives how many. */
static size_t tables_of(const struct ms_verb *verb, const struct ms_option *tables[MOST_TABLES]) {
    size_t count = 0;
    while (count < MOST_TABLES - 1 && verb->tables[count]) {
        tables[count] = verb->tables[count];
        count++;
    }
    tables[count] = common_options;
    return count + 1;
}

/* By name (its first `length` characters), or by letter where name is NULL. */
static const struct ms_option *find_option(const struct ms_verb *verb, const char *name,
                                           size_t length, char letter) {
    const struct ms_option *tables[MOST_TABLES];
    size_t count = tables_of(verb, tables);
    for (size_t i = 0; i < count; i++)
        for (const struct ms_option *o = tables[i]; o->name; o++)
            if (name ? strlen(o->name) == length && memcmp(o->name, name, length) == 0
                     : o->letter == letter)
                return o;
    return NULL;
}

bool ms_is_option_of(const struct ms_option *table, const struct ms_option *option) {
    while (table->name && table != option)
        table++;
    return table == option;
}

bool ms_refuse_usage(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ms_make_plain(text);
    ms_complain(NULL, "%s", text);
    ms_note(MS_EXIT_USAGE);
    return false;
}

/* For `word`, which is no option: perhaps a file. */
static bool refuse_dash(const char *word) {
    return ms_refuse_usage("unknown option %s; for the file of that name, say ./%s or -- before it",
                           word, word);
}

static bool refuse_name(const struct ms_verb *verb, const char *name, size_t length) {
    const struct ms_option *tables[MOST_TABLES];
    const char *words[64];
    size_t count = tables_of(verb, tables), n = 0;
    for (size_t i = 0; i < count; i++)
        for (const struct ms_option *o = tables[i]; o->name && n < 63; o++)
            words[n++] = o->name;
    words[n] = NULL;
    char word[40];
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word), name);
    const char *nearest = ms_nearest_word(word, words);
    if (nearest)
        return ms_refuse_usage("unknown option --%s; did you mean --%s?", word, nearest);
    return ms_refuse_usage("unknown option --%s; see minisim %s --help", word, verb->name);
}

/* Where a parse stands. */
struct parse {
    const struct ms_verb *verb;
    int argc, next; /* argv[next] was not looked at yet */
    char **argv;
    ms_take_option take;
    void *settings;
    const char *values[MS_OPTIONS]; /* that were given already */
};

/* Which of two values would count is nothing to guess. */
static bool check_value(struct parse *p, const struct ms_option *option, const char *value) {
    const char *earlier = p->values[option->id];
    p->values[option->id] = value;
    if (!*value && strcmp(option->argument, "FILE") == 0)
        return ms_refuse_usage("--%s needs the name of a file", option->name);
    bool several = option->id == MS_OPTION_EXCLUDE || option->id == MS_OPTION_DECODER;
    if (!earlier || several || strcmp(earlier, value) == 0)
        return true;
    return ms_refuse_usage("--%s is given twice, as \"%s\" and as \"%s\"", option->name, earlier,
                           value);
}

/* Gives an option to its owner; `value` is the one that is glued to it, or NULL. */
static bool apply(struct parse *p, const struct ms_option *option, const char *value) {
    if (option->id == MS_OPTION_HELP) {
        ms_print_verb_help(stdout, p->verb);
        return false;
    }
    if (option->id == MS_OPTION_VERSION) {
        ms_print_version();
        return false;
    }
    if (option->argument && !value) {
        if (p->next == p->argc)
            return ms_refuse_usage("--%s needs a value: --%s %s", option->name, option->name,
                                   option->argument);
        value = p->argv[p->next++];
    }
    if (option->id == MS_OPTION_JSON) {
        option = find_option(p->verb, "format", 6, 0);
        value = "json";
    }
    if (option->argument && !check_value(p, option, value))
        return false;
    return p->take(p->settings, option, value);
}

static bool parse_long(struct parse *p, const char *name) {
    const char *equals = strchr(name, '=');
    const char *value = equals ? equals + 1 : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct ms_option *option = find_option(p->verb, name, length, 0);
    if (!option)
        return access(name - 2, F_OK) == 0 ? refuse_dash(name - 2)
                                           : refuse_name(p->verb, name, length);
    if (value && !option->argument)
        return ms_refuse_usage("--%s takes no value", option->name);
    return apply(p, option, value);
}

static bool parse_letters(struct parse *p, const char *word) {
    for (const char *letters = word + 1; *letters;) {
        char letter = *letters++;
        const struct ms_option *option = find_option(p->verb, NULL, 0, letter);
        if (!option && access(word, F_OK) == 0)
            return refuse_dash(word);
        if (!option)
            return ms_refuse_usage("unknown option -%c; see minisim %s --help", letter,
                                   p->verb->name);
        const char *value = option->argument && *letters ? letters : NULL;
        if (!apply(p, option, value))
            return false;
        if (value)
            break;
    }
    return true;
}

bool ms_parse_options(const struct ms_verb *verb, int argc, char **argv, ms_take_option take,
                      void *settings, size_t *count) {
    struct parse p = {verb, argc, 1, argv, take, settings, {0}};
    bool options_ended = false;
    *count = 0;
    while (p.next < argc) {
        char *word = argv[p.next++];
        bool good = true;
        if (options_ended || word[0] != '-' || !word[1])
            argv[(*count)++] = word;
        else if (strcmp(word, "--") == 0)
            options_ended = true;
        else if (word[1] == '-')
            good = parse_long(&p, word + 2);
        else
            good = parse_letters(&p, word);
        if (!good)
            return false;
    }
    return true;
}

bool ms_refuse_value(const struct ms_option *option, const char *value, const char *what) {
    return ms_refuse_usage("--%s takes %s, not \"%.60s\"", option->name, what, value);
}

bool ms_take_count(const struct ms_option *option, const char *value, uint64_t least, uint64_t most,
                   uint64_t *count) {
    char what[96], low[MS_NUMBER_SIZE], high[MS_NUMBER_SIZE];
    if (ms_parse_count(value, most, count) && *count >= least)
        return true;
    snprintf(what, sizeof what, "a number from %s to %s", ms_count_text(least, low),
             ms_count_text(most, high));
    return ms_refuse_value(option, value, what);
}

bool ms_take_size(const struct ms_option *option, const char *value, uint64_t unit,
                  uint64_t *size) {
    static const char suffixes[] = "KMG";
    char digits[MS_NUMBER_SIZE];
    size_t length = strspn(value, "0123456789");
    const char *suffix = value[length] ? strchr(suffixes, value[length]) : NULL;
    const char *rest = value + length + (suffix != NULL);
    uint64_t factor = 1;
    if (suffix && *rest) {
        unit = strcmp(rest, "iB") == 0 ? 1024 : 1000;
        rest += strcmp(rest, "iB") == 0 ? 2 : strcmp(rest, "B") == 0 ? 1 : 0;
    }
    for (const char *s = suffixes; suffix && s <= suffix; s++)
        factor *= unit;
    if (!*rest && length < sizeof digits) {
        memcpy(digits, value, length);
        digits[length] = '\0';
        if (ms_parse_count(digits, UINT64_MAX / factor, size) && *size > 0) {
            *size *= factor;
            return true;
        }
    }
    return ms_refuse_value(option, value,
                           "a number above 0, with K, M, G, KB, KiB, ... behind it if you like");
}

bool ms_take_choice(const struct ms_option *option, const char *value, const char *const *names,
                    int *index) {
    char what[160] = "";
    for (int i = 0; names[i]; i++) {
        if (strcmp(value, names[i]) == 0) {
            *index = i;
            return true;
        }
        size_t length = strlen(what);
        snprintf(what + length, sizeof what - length, "%s%s",
                 i == 0         ? ""
                 : names[i + 1] ? ", "
                                : " or ",
                 names[i]);
    }
    return ms_refuse_value(option, value, what);
}

bool ms_parse_colour(const char *text, uint32_t *colour) {
    text += *text == '#';
    if (strlen(text) != 6 || strspn(text, "0123456789abcdefABCDEF") != 6)
        return false;
    *colour = (uint32_t)strtoul(text, NULL, 16);
    return true;
}

/* "  -o, --output FILE     first line", the next lines below it. */
static void print_option(FILE *file, const struct ms_option *option) {
    enum { COLUMN = 30 };
    int column = option->letter ? fprintf(file, "  -%c, --%s", option->letter, option->name)
                                : fprintf(file, "      --%s", option->name);
    if (option->argument)
        column += fprintf(file, " %s", option->argument);
    for (const char *line = option->help; *line;) {
        size_t length = strcspn(line, "\n");
        if (column > COLUMN - 2) {
            putc('\n', file);
            column = 0;
        }
        fprintf(file, "%*s%.*s\n", COLUMN - column, "", (int)length, line);
        column = 0;
        line += length + (line[length] == '\n');
    }
}

void ms_print_verb_help(FILE *file, const struct ms_verb *verb) {
    const struct ms_option *tables[MOST_TABLES];
    size_t count = tables_of(verb, tables);
    fprintf(file, "Usage: minisim %s [options]%s%s\n\n%s\n", verb->name,
            *verb->arguments ? " " : "", verb->arguments, verb->help);
    for (size_t i = 0; i < count; i++) {
        putc('\n', file);
        for (const struct ms_option *o = tables[i]; o->name; o++)
            print_option(file, o);
    }
    fputs("      --                      what follows is no option, but a name\n", file);
}
