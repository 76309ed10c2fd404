/* look_tool: for each line "A<tab>B" of standard input, the name of what the second look says of
 * these two files, or "error"; for tools/check_pairs.py. With an argument, also microseconds that
 * the comparison took, without reading. */
#include "pairs/look.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
    static char line[8200];
    (void)argv;
    while (fgets(line, sizeof line, stdin)) {
        char *tab = strchr(line, '\t');
        struct ms_view *a = NULL, *b = NULL;
        enum ms_look look = MS_SIMILAR;
        const char *failed;
        minisim_error error = {""};
        line[strcspn(line, "\n")] = '\0';
        if (!tab)
            return 2;
        *tab = '\0';
        minisim_status status = ms_view_open(line, NULL, &a, &error);
        if (!status)
            status = ms_view_open(tab + 1, NULL, &b, &error);
        double begin = now();
        if (!status)
            status = ms_view_compare(a, b, &look, &failed, &error);
        printf("%s", status ? "error" : ms_look_names[look]);
        if (argc > 1)
            printf("\t%.0f", now() - begin);
        putchar('\n');
        ms_view_close(a);
        ms_view_close(b);
    }
    return 0;
}
