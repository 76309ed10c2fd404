/* cli/machine: limits of control groups, found as the system lays them out. */
#include "cli/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char root[] = "/tmp/minisim-test-machine-XXXXXX";

static void write_text(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static int make_groups(void **state) {
    static const char *const folders[] = {"", "/box", "/box/job", "/memory", "/memory/box"};
    (void)state;
    if (!mkdtemp(root))
        return -1;
    for (size_t i = 1; i < sizeof folders / sizeof *folders; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", root, folders[i]);
        if (mkdir(path, 0700) != 0)
            return -1;
    }
    write_text("box/memory.max", "4096000\n");
    write_text("box/job/memory.max", "max\n");
    write_text("memory/memory.limit_in_bytes", "9223372036854771712\n");
    write_text("memory/box/memory.limit_in_bytes", "8192000\n");
    return 0;
}

static int remove_groups(void **state) {
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static uint64_t limit_of(const char *list) {
    char path[256];
    write_text("list", list);
    snprintf(path, sizeof path, "%s/list", root);
    return ms_group_memory(path, root);
}

static void least_limit_counts(void **state) {
    (void)state;
    assert_int_equal(limit_of("0::/box/job\n"), 4096000); /* the group above it */
    assert_int_equal(limit_of("0::/box\n"), 4096000);
    assert_int_equal(limit_of("0::/\n"), UINT64_MAX);
    assert_int_equal(limit_of("0::/elsewhere/far\n"), UINT64_MAX);
    assert_int_equal(limit_of("5:cpu:/box\n4:memory:/box\n"), 8192000);
    assert_int_equal(limit_of("4:memory:/unseen/group\n"), UINT64_C(9223372036854771712));
    assert_int_equal(limit_of("4:memory:/box\n0::/box\n"), 4096000);
    assert_int_equal(limit_of("5:cpu:/box\n"), UINT64_MAX);
    assert_int_equal(limit_of("nonsense\n:\n\n"), UINT64_MAX);
    assert_int_equal(ms_group_memory("/nowhere", root), UINT64_MAX);
}

static void machine_has_memory(void **state) {
    (void)state;
    assert_true(ms_machine_memory() >= 1 << 20);
    assert_true(ms_machine_memory() <= ms_group_memory("/proc/self/cgroup", "/sys/fs/cgroup"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(least_limit_counts),
                                       cmocka_unit_test(machine_has_memory)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_groups, remove_groups);
}
