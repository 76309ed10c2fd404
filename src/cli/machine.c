/* The machine's memory: see machine.h. */
#include "cli/machine.h"

#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The next line, without its end. */
static bool read_line(char *line, size_t size, FILE *file) {
    if (!fgets(line, (int)size, file))
        return false;
    char *end = strchr(line, '\n');
    if (end)
        *end = '\0';
    return true;
}

/* The number that a file holds; UINT64_MAX: there is no file, or "max" in it. */
static uint64_t read_limit(const char *path) {
    char line[32];
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (!file)
        return limit;
    if (read_line(line, sizeof line, file) && !ms_parse_count(line, UINT64_MAX, &limit))
        limit = UINT64_MAX;
    fclose(file);
    return limit;
}

/* The least limit of a group and those above it; `group` is cut on the way up. */
static uint64_t least_limit(const char *root, const char *folder, char *group, const char *file) {
    char path[PATH_MAX];
    uint64_t least = UINT64_MAX;
    for (;;) {
        int length = snprintf(path, sizeof path, "%s%s%s/%s", root, folder, group, file);
        uint64_t limit = length < (int)sizeof path ? read_limit(path) : UINT64_MAX;
        least = limit < least ? limit : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

uint64_t ms_group_memory(const char *list, const char *root) {
    char line[PATH_MAX + 256]; /* NUMBER:CONTROLLERS:GROUP; version 2 names no controllers */
    uint64_t least = UINT64_MAX;
    FILE *file = fopen(list, "re");
    while (file && read_line(line, sizeof line, file)) {
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        uint64_t limit = UINT64_MAX;
        if (!group)
            continue;
        *group++ = '\0';
        if (!controllers[1])
            limit = least_limit(root, "", group, "memory.max");
        else if (strstr(controllers, "memory"))
            limit = least_limit(root, "/memory", group, "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    if (file)
        fclose(file);
    return least;
}

uint64_t ms_machine_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t group = ms_group_memory("/proc/self/cgroup", "/sys/fs/cgroup");
    uint64_t all = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    return group < all ? group : all;
}
