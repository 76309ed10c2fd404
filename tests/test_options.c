/* cli/options: parsing by table, values, and what is said about wrong ones. */
#include "cli/options.h"

#include "cli/console.h"
#include "cli/pictures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ms_option own_options[] = {
    {MS_OPTION_QUIET, "quiet", 'q', NULL, "say less"},
    {MS_OPTION_OUTPUT, "output", 'o', "FILE", "where to\nin two lines"},
    {MS_OPTION_METRIC, "metric", 0, "METRIC", "a choice"},
    {MS_OPTION_FORMAT, "format", 0, "FORMAT", "another"},
    {MS_OPTION_JSON, "json", 0, NULL, "json"},
    {MS_OPTION_EXCLUDE, "exclude", 0, "GLOB", "many"},
    {0}};

static const struct ms_verb verb = {"try", "PATH...", "", "Tries.", {own_options}, NULL};

struct taken {
    int quiet, excluded;
    const char *output, *format;
    int metric;
};

static bool take(void *settings, const struct ms_option *option, const char *value) {
    static const char *const metrics[] = {"cosine", "dot", "all", NULL};
    struct taken *taken = settings;
    if (option->id == MS_OPTION_QUIET)
        return ++taken->quiet > 0;
    if (option->id == MS_OPTION_METRIC)
        return ms_take_choice(option, value, metrics, &taken->metric);
    if (option->id == MS_OPTION_EXCLUDE)
        return ++taken->excluded > 0;
    *(option->id == MS_OPTION_FORMAT ? &taken->format : &taken->output) = value;
    return true;
}

/* Standard output and error of what runs in between. */
static int saved[2];
static FILE *caught;

static void catch_streams(void) {
    fflush(NULL);
    caught = tmpfile();
    assert_non_null(caught);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(i + 1);
        dup2(fileno(caught), i + 1);
    }
}

static const char *release_streams(void) {
    static char text[8192];
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i + 1);
        close(saved[i]);
    }
    rewind(caught);
    text[fread(text, 1, sizeof text - 1, caught)] = '\0';
    fclose(caught);
    return text;
}

enum { MOST_WORDS = 12 };

static size_t split(const char *line, char *words, char **argv) {
    size_t count = 0;
    strcpy(words, line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[count++] = word;
    return count;
}

static void options_are_taken(void **state) {
    static const char *const lines[] = {"try a -q -o x b",
                                        "try -qo x a b",
                                        "try -qox a b",
                                        "try --output=x a --quiet b",
                                        "try a b --output x -q --",
                                        "try --quiet --output x -- a b"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char words[128], *argv[MOST_WORDS];
        struct taken taken = {0};
        size_t count, argc = split(lines[i], words, argv);
        assert_true(ms_parse_options(&verb, (int)argc, argv, take, &taken, &count));
        assert_int_equal(taken.quiet, 1);
        assert_string_equal(taken.output, "x");
        assert_int_equal(count, 2);
        assert_string_equal(argv[0], "a");
        assert_string_equal(argv[1], "b");
    }
}

static void dashes_are_told_apart(void **state) {
    char words[128], *argv[MOST_WORDS];
    struct taken taken = {0};
    size_t count, argc = split("try - --output=-q -- -q --", words, argv);
    (void)state;
    assert_true(ms_parse_options(&verb, (int)argc, argv, take, &taken, &count));
    assert_int_equal(taken.quiet, 0);
    assert_string_equal(taken.output, "-q");
    assert_int_equal(count, 3);
    assert_string_equal(argv[0], "-");
    assert_string_equal(argv[1], "-q");
    assert_string_equal(argv[2], "--");
}

static void options_are_repeated(void **state) {
    char words[128], *argv[MOST_WORDS];
    struct taken taken = {0};
    size_t count,
        argc = split("try -o x -qq --output=x --json --format json --exclude a --exclude b", words,
                     argv);
    (void)state;
    assert_true(ms_parse_options(&verb, (int)argc, argv, take, &taken, &count));
    assert_int_equal(taken.quiet, 2);
    assert_int_equal(taken.excluded, 2);
    assert_string_equal(taken.output, "x");
    assert_string_equal(taken.format, "json");
}

static void wrong_usage_is_told(void **state) {
    static const char *const cases[][2] = {
        {"try --ouptut x", "minisim: unknown option --ouptut; did you mean --output?\n"},
        {"try --qiet=1", "minisim: unknown option --qiet; did you mean --quiet?\n"},
        {"try --zzzzzz", "minisim: unknown option --zzzzzz; see minisim try --help\n"},
        {"try -qz", "minisim: unknown option -z; see minisim try --help\n"},
        {"try --quiet=yes", "minisim: --quiet takes no value\n"},
        {"try -o", "minisim: --output needs a value: --output FILE\n"},
        {"try --metric cos", "minisim: --metric takes cosine, dot or all, not \"cos\"\n"},
        {"try --metric=", "minisim: --metric takes cosine, dot or all, not \"\"\n"},
        {"try --out x -qq", "minisim: unknown option --out; did you mean --output?\n"},
        {"try --QUIET", "minisim: unknown option --QUIET; did you mean --quiet?\n"},
        {"try --output=", "minisim: --output needs the name of a file\n"},
        {"try -o a -o b", "minisim: --output is given twice, as \"a\" and as \"b\"\n"},
        {"try --json --format text",
         "minisim: --format is given twice, as \"json\" and as \"text\"\n"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[128], *argv[MOST_WORDS];
        struct taken taken = {0};
        size_t count, argc = split(cases[i][0], words, argv);
        catch_streams();
        bool good = ms_parse_options(&verb, (int)argc, argv, take, &taken, &count);
        const char *said = release_streams();
        assert_string_equal(said, cases[i][1]);
        assert_false(good);
    }
    assert_int_equal(ms_noted_status(), MS_EXIT_USAGE);
}

static void help_shows_each_option(void **state) {
    char words[128], *argv[MOST_WORDS];
    struct taken taken = {0};
    size_t count, argc = split("try a -h --wrong", words, argv);
    (void)state;
    catch_streams();
    bool good = ms_parse_options(&verb, (int)argc, argv, take, &taken, &count);
    const char *said = release_streams();
    assert_false(good);
    assert_string_equal(said,
                        "Usage: minisim try [options] PATH...\n\nTries.\n\n"
                        "  -q, --quiet                 say less\n"
                        "  -o, --output FILE           where to\n"
                        "                              in two lines\n"
                        "      --metric METRIC         a choice\n"
                        "      --format FORMAT         another\n"
                        "      --json                  json\n"
                        "      --exclude GLOB          many\n\n"
                        "  -h, --help                  show this help\n"
                        "  -V, --version               show the version\n"
                        "      --                      what follows is no option, but a name\n");
}

static void values_are_strict(void **state) {
    static const char *const sizes[][2] = {
        {"1", "1"},          {"2K", "2048"},
        {"2KiB", "2048"},    {"2KB", "2000"},
        {"1MiB", "1048576"}, {"3GB", "3000000000"},
        {"3M", "3145728"},   {"17179869183G", "18446744072635809792"}};
    static const char *const wrong[] = {"",     "0",  "0K",    "K",   "1k",           "-1", "1.5G",
                                        "1KBi", "1B", "1KiBs", "1iB", "17179869184G", "1 K"};
    const struct ms_option *option = &own_options[1];
    uint64_t size, count;
    uint32_t colour;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(ms_take_size(option, sizes[i][0], 1024, &size));
        assert_true(size == strtoull(sizes[i][1], NULL, 10));
    }
    assert_true(ms_take_size(option, "200M", 1000, &size) && size == 200000000);
    catch_streams();
    bool any = false;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        any |= ms_take_size(option, wrong[i], 1024, &size);
    any |=
        ms_take_count(option, "0", 1, 256, &count) || ms_take_count(option, "257", 1, 256, &count);
    release_streams();
    assert_false(any);
    assert_true(ms_take_count(option, "256", 1, 256, &count) && count == 256);
    assert_true(ms_parse_colour("fF8000", &colour) && colour == 0xff8000);
    assert_true(ms_parse_colour("#ff8001", &colour) && colour == 0xff8001);
    assert_false(ms_parse_colour("##f8000", &colour));
    assert_false(ms_parse_colour("ff800", &colour));
    assert_false(ms_parse_colour("0x8000", &colour));
}

static const struct ms_option *picture_option(enum ms_option_id id) {
    const struct ms_option *option = ms_picture_options;
    while (option->name && option->id != id)
        option++;
    if (option->name)
        return option;
    for (option = ms_network_options; option->id != id; option++)
        assert_non_null(option->name);
    return option;
}

static void pictures_options_are_taken(void **state) {
    static const struct {
        enum ms_option_id id;
        const char *value;
    } wrong[] = {{MS_OPTION_GEOMETRY, "crop:"},    {MS_OPTION_GEOMETRY, "crop:0"},
                 {MS_OPTION_GEOMETRY, "squash:1"}, {MS_OPTION_GEOMETRY, "pad:red"},
                 {MS_OPTION_GEOMETRY, ""},         {MS_OPTION_RESAMPLE, "nearest"},
                 {MS_OPTION_ROI, "1,2,3"},         {MS_OPTION_ROI, "1,2,3,4,5"},
                 {MS_OPTION_ROI, "1,2,0,4"},       {MS_OPTION_ROI, "1,2,3,4294967296"},
                 {MS_OPTION_BACKGROUND, "white"},  {MS_OPTION_THREADS, "many"},
                 {MS_OPTION_CPU, "8086"}};
    struct ms_picture_settings s = {0};
    (void)state;
    assert_true(ms_take_picture_option(&s, picture_option(MS_OPTION_GEOMETRY), "crop:256"));
    assert_int_equal(s.context.geometry, MINISIM_CROP);
    assert_int_equal(s.context.crop_size, 256);
    assert_true(ms_take_picture_option(&s, picture_option(MS_OPTION_GEOMETRY), "pad:102030"));
    assert_int_equal(s.context.geometry, MINISIM_PAD);
    assert_int_equal(s.context.pad_colour, 0x102030);
    assert_int_equal(s.context.crop_size, 0);
    assert_true(ms_take_picture_option(&s, picture_option(MS_OPTION_GEOMETRY), "pad:#102031"));
    assert_int_equal(s.context.pad_colour, 0x102031);
    assert_true(ms_take_picture_option(&s, picture_option(MS_OPTION_CPU), "reference"));
    assert_true(ms_take_picture_option(&s, picture_option(MS_OPTION_RESAMPLE), "stb"));
    assert_int_equal(s.context.resample, MINISIM_STB);
    assert_true(ms_take_picture_option(&s, picture_option(MS_OPTION_ROI), "1,2,3,4294967295"));
    assert_true(s.region.x == 1 && s.region.y == 2 && s.region.width == 3);
    assert_true(s.region.height == UINT32_MAX);
    assert_true(ms_take_picture_option(&s, picture_option(MS_OPTION_BACKGROUND), "000000"));
    assert_true(s.context.background_set && s.context.background == 0);
    catch_streams();
    bool any = false;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        any |= ms_take_picture_option(&s, picture_option(wrong[i].id), wrong[i].value);
    release_streams();
    assert_false(any);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_taken),         cmocka_unit_test(options_are_repeated),
        cmocka_unit_test(dashes_are_told_apart),     cmocka_unit_test(wrong_usage_is_told),
        cmocka_unit_test(help_shows_each_option),    cmocka_unit_test(values_are_strict),
        cmocka_unit_test(pictures_options_are_taken)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
