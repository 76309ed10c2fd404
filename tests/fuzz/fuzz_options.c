/*
 * The command line: words are ended by NUL, for a verb with all options that verbs share, and one
 * of its own. What is taken lies where its help says. (libFuzzer: -close_fd_mask=3 for the
 * messages.)
 */
#include "cli/pictures.h"
#include "cli/sources.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { words_max = 64 };

struct settings {
    struct ms_picture_settings pictures;
    struct ms_sources sources;
    int format;
};

static const struct ms_option own_options[] = {{MS_OPTION_FORMAT, "format", 0, "NAME", "a choice"},
                                               {MS_OPTION_JSON, "json", 0, NULL, "--format json"},
                                               {0}};

static bool take(void *user, const struct ms_option *option, const char *value) {
    static const char *const formats[] = {"text", "json", NULL};
    struct settings *settings = user;
    if (option->id == MS_OPTION_FORMAT)
        return ms_take_choice(option, value, formats, &settings->format);
    return ms_take_input_option(&settings->sources, &settings->pictures, option, value);
}

static bool is_sound(const struct settings *settings, size_t words) {
    const minisim_context_options *o = &settings->pictures.context;
    const minisim_region *r = &settings->pictures.region;
    return settings->sources.count + settings->sources.exclude_count <= words &&
           settings->pictures.threads <= 64 && o->background <= 0xffffff &&
           o->pad_colour <= 0xffffff && o->crop_size <= 4096 && !r->width == !r->height;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct ms_verb verb = {
        .name = "fuzz",
        .arguments = "",
        .summary = "",
        .help = "",
        .tables = {own_options, ms_source_options, ms_network_options, ms_picture_options}};
    char *argv[words_max + 2], *text = malloc(size + 1);
    int argc = 0;
    struct settings settings = {0};
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    argv[argc++] = (char *)"fuzz";
    for (size_t at = 0; at < size && argc <= words_max; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    argv[argc] = NULL;
    if (ms_open_sources(&settings.sources, argc) &&
        ms_parse_options(&verb, argc, argv, take, &settings, &settings.sources.count) &&
        ms_check_source_options(&settings.sources, "ids-out", NULL) &&
        !is_sound(&settings, (size_t)argc))
        abort();
    ms_close_sources(&settings.sources);
    free(text);
    return 0;
}
