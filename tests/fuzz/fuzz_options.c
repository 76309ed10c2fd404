/* The command line: words are ended by NUL, for a verb with an option of each kind.
 * (libFuzzer: -close_fd_mask=3 for the messages.) */
#include "cli/options.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { words_max = 64 };

static bool take(void *settings, const struct ms_option *option, const char *value) {
    static const char *const names[] = {"one", "two", "three", NULL};
    uint64_t number;
    uint32_t colour;
    int index;
    (void)settings;
    if (!value)
        return true;
    return ms_take_count(option, value, 1, 1000, &number) ||
           ms_take_size(option, value, 1024, &number) || ms_parse_colour(value, &colour) ||
           ms_take_choice(option, value, names, &index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct ms_option options[] = {{MS_OPTION_THREADS, "threads", 't', "N", "a number"},
                                               {MS_OPTION_QUIET, "quiet", 'q', NULL, "nothing"},
                                               {MS_OPTION_FORMAT, "format", 0, "NAME", "a choice"},
                                               {0}};
    static const struct ms_verb verb = {
        .name = "fuzz", .arguments = "", .summary = "", .help = "", .tables = {options}};
    char *argv[words_max + 2], *text = malloc(size + 1);
    int argc = 0;
    size_t count = 0;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    argv[argc++] = (char *)"fuzz";
    for (size_t at = 0; at < size && argc <= words_max; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    argv[argc] = NULL;
    if (ms_parse_options(&verb, argc, argv, take, NULL, &count) && count > (size_t)argc)
        abort();
    free(text);
    return 0;
}
