/* Other programs as decoders: how their commands are taken apart, and that none outlives its time,
 * its room or its welcome. */
#include "cli/decoder.h"
#include "cli/progress.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ms_decoder_limits usual = {1 << 20, "max-file-size", 20};

/* What it gives, as text. */
static void gives(const char *command, const char *path, const char *wanted) {
    minisim_error error = {""};
    uint8_t *bytes;
    size_t size;
    if (ms_run_decoder(command, path, &usual, &bytes, &size, &error))
        fail_msg("%s: %s", command, error.text);
    assert_int_equal(size, strlen(wanted));
    assert_memory_equal(bytes, wanted, size);
    free(bytes);
}

static void refuses(const char *command, const struct ms_decoder_limits *limits,
                    const char *wanted) {
    minisim_error error = {""};
    uint8_t *bytes;
    size_t size;
    assert_int_equal(ms_run_decoder(command, "a", limits, &bytes, &size, &error),
                     MINISIM_BAD_PICTURE);
    assert_string_equal(error.text, wanted);
    assert_null(bytes);
}

static void commands(void **state) {
    (void)state;
    gives("echo -n {}", "a b", "./a b");
    gives("echo -n {}[0] x:{}", "-n", "./-n[0] x:./-n");
    gives("  echo\t-n  {} ", "/a'b\"c {} $HOME `x`", "/a'b\"c {} $HOME `x`");
    gives("printf %s, 'a  b' \"c d\" e\" f\"'g' '' {}", "/p", "a  b,c d,e fg,,/p,");
}

/* What an emulator starts ends with status 127 instead. */
static bool hears_of_failures(void) {
    char *words[] = {(char *)"./no-such-program", NULL};
    pid_t child;
    int status;
    if (posix_spawn(&child, words[0], NULL, NULL, words, NULL) != 0)
        return true;
    assert_int_equal(waitpid(child, &status, 0), child);
    return false;
}

static void not_started(void **state) {
    (void)state;
    if (!hears_of_failures())
        skip();
    refuses("./no-such-program {}", &usual,
            "its decoder ./no-such-program is not there: install it, or say where it is");
    refuses("/ {}", &usual, "its decoder / cannot be started: Permission denied");
    /* Without a shell, nobody guesses that it is a script. */
    char file[] = "/tmp/minisim-decoder-XXXXXX", command[64], text[96];
    int descriptor = mkstemp(file);
    assert_true(descriptor >= 0 && write(descriptor, "cat\n", 4) == 4);
    assert_true(fchmod(descriptor, 0700) == 0 && close(descriptor) == 0);
    snprintf(command, sizeof command, "%s {}", file);
    snprintf(text, sizeof text, "its decoder %s cannot be started: Exec format error", file);
    refuses(command, &usual, text);
    unlink(file);
}

static void ends(void **state) {
    (void)state;
    refuses("false {}", &usual, "its decoder false ended with exit status 1");
    refuses("sh -c 'echo a; echo b >&2; printf \"c\\n\\n\" >&2; exit 3' {}", &usual,
            "its decoder sh ended with exit status 3: c");
    refuses("sh -c 'printf \"\\033[2J \\302\\233 \\377\" >&2; exit 1' {}", &usual,
            "its decoder sh ended with exit status 1: ?[2J ?? ?");
    refuses("sh -c 'kill -SEGV $$' {}", &usual, "its decoder sh was killed by signal 11");
    refuses("true {}", &usual, "its decoder true wrote nothing to its standard output");
    /* Much to say, and an output that is closed long before the end. */
    gives("sh -c 'seq 100000 >&2; echo x; exec >&-; sleep 0.1; seq 100000 >&2' {}", "a", "x\n");
}

/* One that is dead and waits to be collected by whoever inherited it is not. */
static bool is_alive(long number) {
    char name[40], state = 'Z';
    snprintf(name, sizeof name, "/proc/%ld/stat", number);
    FILE *file = fopen(name, "r");
    if (!file)
        return false;
    bool known = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    fclose(file);
    return known && state != 'Z';
}

/* Neither it nor what it started lives any more. */
static void is_gone(const char *file) {
    FILE *numbers = fopen(file, "r");
    long number;
    assert_non_null(numbers);
    while (fscanf(numbers, "%ld", &number) == 1) {
        const struct timespec pause = {.tv_nsec = 10000000};
        for (int i = 0; i < 500 && is_alive(number); i++)
            nanosleep(&pause, NULL);
        assert_false(is_alive(number));
    }
    fclose(numbers);
    unlink(file);
}

static void limits(void **state) {
    (void)state;
    struct ms_decoder_limits short_time = {1 << 20, "max-file-size", 0.3}, little = usual;
    char file[] = "/tmp/minisim-decoder-XXXXXX", command[200];
    int descriptor = mkstemp(file);
    assert_true(descriptor >= 0);
    close(descriptor);
    double begun = ms_now();
    snprintf(command, sizeof command,
             "sh -c 'trap \"\" TERM INT; sleep 50 & echo $$ $! >%s; while :; do sleep 1; done' {}",
             file);
    refuses(command, &short_time, "its decoder sh took more than 0.3 seconds and was stopped");
    is_gone(file);
    /* What stays behind in its group goes with it, whether it holds the output or not. */
    snprintf(command, sizeof command, "sh -c 'sleep 50 >/dev/null 2>&1 & echo $! >%s; echo x' {}",
             file);
    gives(command, "a", "x\n");
    is_gone(file);
    refuses("sh -c 'sleep 50 & echo x' {}", &short_time,
            "its decoder sh took more than 0.3 seconds and was stopped");
    refuses("sh -c 'exec >&-; sleep 50' {}", &short_time,
            "its decoder sh took more than 0.3 seconds and was stopped");
    little.bytes = 100000;
    refuses("cat /dev/zero {}", &little,
            "its decoder cat gives more than the limit of 100000 bytes (max-file-size)");
    refuses("head -c 100001 /dev/zero {}", &little,
            "its decoder head gives more than the limit of 100000 bytes (max-file-size)");
    assert_true(ms_now() - begun < 20);
}

static void extensions(void **state) {
    (void)state;
    struct ms_picture_settings settings = {.decoders = {"heic=a {}", "tif=b {}"},
                                           .decoder_count = 2};
    assert_string_equal(ms_find_decoder(&settings, "x/y.heic"), "a {}");
    assert_string_equal(ms_find_decoder(&settings, "x.tif/y.TIF"), "b {}");
    assert_null(ms_find_decoder(&settings, "x.tiff"));
    assert_null(ms_find_decoder(&settings, "x.ti"));
    assert_null(ms_find_decoder(&settings, "x.tif/y"));
    assert_null(ms_find_decoder(&settings, "tif"));
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands), cmocka_unit_test(not_started), cmocka_unit_test(ends),
        cmocka_unit_test(limits), cmocka_unit_test(extensions)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
