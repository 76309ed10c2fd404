/*
 * peak_memory COMMAND...: runs it and prints, in the last line of standard output, its exit status,
 * the most memory it had resident, in KiB, and the processor time it took, in seconds. The system
 * counts what a process had resident before it became another program, so whoever measures must
 * itself be small.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
    struct rusage usage;
    int status;
    pid_t child = argc > 1 ? fork() : -1;
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 1;
    printf("%d %ld %.3f\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
           usage.ru_maxrss, seconds(usage.ru_utime) + seconds(usage.ru_stime));
    return 0;
}
