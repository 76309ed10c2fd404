/*
 * A library for LD_PRELOAD that makes chosen calls of a program fail; tools/check_failures.py
 * drives it by one variable, MINISIM_FAIL=KIND,FIRST,RESULT,FOREVER,FD:
 *
 *     KIND     which calls: "memory", "thread", "child", "random", or a kind of system call below
 *     FIRST    the number, from 1, of the first one that fails; 0: none, they are only counted
 *     RESULT   the errno it fails with; "short": it reads or writes half; "end": it reads nothing
 *     FOREVER  1: all from FIRST on fail; 0: that one alone
 *     FD       an open file for `struct report`, which is kept up to date
 *
 * Allocations, threads, child processes and random numbers (which are always the same ones) are
 * caught by name; libc, which lets malloc be replaced, calls it for itself by that name, too.
 * System calls are caught in the kernel, which sends SIGSYS for each that comes from this process's
 * libc (seccomp). Child processes, which inherit that, are not disturbed: they have their libc
 * elsewhere. Linux on x86-64.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* What the driver reads, also of a program that a signal has ended. */
struct report {
    _Atomic uint64_t calls, failed;
    _Atomic int64_t blocks; /* allocated and not freed */
    _Atomic uint64_t files; /* still open when the program ended by itself, but for 0 to 2 and FD */
};

enum { SHORT = -1, END = -2, MOST_CALLS = 6 };

static const struct kind {
    const char *name;
    int calls[MOST_CALLS + 1]; /* ended by -1 */
} kinds[] = {{"open", {SYS_open, SYS_openat, SYS_creat, -1}},
             {"read", {SYS_read, SYS_pread64, SYS_readv, -1}},
             {"write", {SYS_write, SYS_pwrite64, SYS_writev, -1}}, /* but for standard error */
             {"message", {SYS_write, SYS_writev, -1}},             /* on standard error */
             {"close", {SYS_close, -1}},
             {"stat", {SYS_stat, SYS_fstat, SYS_lstat, SYS_newfstatat, SYS_statx, -1}},
             {"rename", {SYS_rename, SYS_renameat, SYS_renameat2, -1}},
             {"mmap", {SYS_mmap, -1}},
             {"sync", {SYS_fsync, SYS_fdatasync, -1}},
             {"seek", {SYS_lseek, -1}},
             {"list", {SYS_getdents64, -1}},
             {"link", {SYS_readlink, SYS_readlinkat, -1}},
             {"chmod", {SYS_fchmod, -1}},
             {"fcntl", {SYS_fcntl, -1}},
             {"poll", {SYS_poll, SYS_ppoll, -1}},
             {"access", {SYS_access, SYS_faccessat, -1}},
             {"unlink", {SYS_unlink, SYS_unlinkat, SYS_rmdir, -1}},
             {"size", {SYS_fallocate, SYS_ftruncate, -1}},
             {"hardlink", {SYS_link, SYS_linkat, -1}},
             {"folder", {SYS_mkdir, SYS_mkdirat, SYS_getcwd, -1}},
             {"pipe", {SYS_pipe, SYS_pipe2, -1}},
             {"wait", {SYS_wait4, SYS_waitid, -1}}};

static struct report nowhere, *report = &nowhere;
static const char *kind = "";
static uint64_t first;
static int result, report_file;
static bool forever;

/* Counts a call; true: it fails. */
static bool fails(void) {
    uint64_t number = atomic_fetch_add(&report->calls, 1) + 1;
    bool failing = first && (number == first || (forever && number > first));
    if (failing)
        atomic_fetch_add(&report->failed, 1);
    return failing;
}

/* ---- allocations, threads, child processes and random numbers, by name ---- */

static bool memory_fails(void) {
    if (strcmp(kind, "memory") != 0 || !fails())
        return false;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block) {
    if (block)
        atomic_fetch_add(&report->blocks, 1);
    return block;
}

/* Those that would be called without this library. */
static struct {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    void (*free)(void *block);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                        const posix_spawnattr_t *, char *const[], char *const[]);
} next;

static void find(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

/* Before the first of them is called, when there is one thread; dlsym allocates nothing. */
static void find_next(void) {
    if (next.malloc)
        return;
    find(&next.malloc, "malloc");
    find(&next.calloc, "calloc");
    find(&next.realloc, "realloc");
    find(&next.aligned_alloc, "aligned_alloc");
    find(&next.free, "free");
    find(&next.pthread_create, "pthread_create");
}

void *malloc(size_t size) {
    find_next();
    return memory_fails() ? NULL : counted(next.malloc(size));
}

void *calloc(size_t count, size_t size) {
    find_next();
    return memory_fails() ? NULL : counted(next.calloc(count, size));
}

void *realloc(void *block, size_t size) {
    find_next();
    if (memory_fails())
        return NULL;
    void *grown = next.realloc(block, size);
    return block ? grown : counted(grown);
}

void *aligned_alloc(size_t alignment, size_t size) {
    find_next();
    return memory_fails() ? NULL : counted(next.aligned_alloc(alignment, size));
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *got = aligned_alloc(alignment, size);
    if (got)
        *block = got;
    return got ? 0 : ENOMEM;
}

void free(void *block) {
    find_next();
    if (block)
        atomic_fetch_sub(&report->blocks, 1);
    next.free(block);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
    find_next();
    return strcmp(kind, "thread") == 0 && fails()
               ? result
               : next.pthread_create(thread, attributes, run, argument);
}

/* What a child does before it is another program, it does in this memory, with traps blocked: so in
 * another copy of libc. */
static bool find_spawn(void) {
    const char *wanted = kind;
    kind = ""; /* the copy is none of the program's doings */
    void *copy = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    void *found = copy ? dlsym(copy, "posix_spawnp") : NULL;
    kind = wanted;
    memcpy(&next.posix_spawnp, &found, sizeof found);
    return found;
}

int posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const *words, char *const *variables) {
    if (strcmp(kind, "child") == 0 && fails())
        return result;
    if (!next.posix_spawnp && !find_spawn())
        _exit(125);
    return next.posix_spawnp(child, file, actions, attributes, words, variables);
}

ssize_t getrandom(void *bytes, size_t size, unsigned flags) {
    (void)flags;
    if (strcmp(kind, "random") == 0 && fails()) {
        errno = result;
        return -1;
    }
    memset(bytes, 7, size);
    return (ssize_t)size;
}

/* A trap that is blocked would kill. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
    sigset_t open;
    if (set) {
        open = *set;
        sigdelset(&open, SIGSYS);
    }
    return sigprocmask(how, set ? &open : NULL, old) == 0 ? 0 : errno;
}

/* ---- system calls ---- */

/* The call itself, which is not libc's and so not caught. */
long make_call(const int64_t arguments[6], long number);
__asm__(".text\n"
        "make_call:\n"
        "    mov %rsi, %rax\n"
        "    mov %rdi, %r11\n"
        "    mov 8(%r11), %rsi\n"
        "    mov 16(%r11), %rdx\n"
        "    mov 24(%r11), %r10\n"
        "    mov 32(%r11), %r8\n"
        "    mov 40(%r11), %r9\n"
        "    mov (%r11), %rdi\n"
        "    syscall\n"
        "    ret\n");

static bool is_message(long number, int64_t file) {
    return (number == SYS_write || number == SYS_writev) && file == STDERR_FILENO;
}

static void on_trap(int signal_number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int64_t arguments[6] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                            registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
    long number = info->si_syscall;
    (void)signal_number;
    bool other = (strcmp(kind, "write") == 0 && is_message(number, arguments[0])) ||
                 (strcmp(kind, "message") == 0 && !is_message(number, arguments[0]));
    bool failing = !other && fails();
    if (failing && result == SHORT && arguments[2] > 1)
        arguments[2] /= 2;
    /* A file is closed even where close() fails. */
    bool made = !failing || result == SHORT || number == SYS_close;
    long got = made ? make_call(arguments, number) : 0;
    registers[REG_RAX] = failing && result > 0 ? -result : got;
}

struct range {
    uint64_t begin, end;
};

/* The code of libc, which holds that function. */
static int find_code(struct dl_phdr_info *object, size_t size, void *user) {
    uint64_t inside = (uint64_t)(uintptr_t)dlsym(RTLD_NEXT, "write");
    struct range *code = user;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        code->begin = object->dlpi_addr + part->p_vaddr;
        code->end = code->begin + part->p_memsz;
        if (part->p_type == PT_LOAD && inside >= code->begin && inside < code->end)
            return 1;
    }
    return 0;
}

/* The calls are caught where the instruction behind them lies in libc: its address has the upper
 * half of one of both ends, and in the lower one the distance from the beginning. */
static void trap(const int *calls) {
    enum { BEFORE = 7, LOWER = offsetof(struct seccomp_data, instruction_pointer) };
    struct range code;
    if (!dl_iterate_phdr(find_code, &code))
        _exit(125);
    struct sock_filter filter[BEFORE + 2 * MOST_CALLS + 1] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(code.begin >> 32), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(code.end >> 32), 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOWER),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, (uint32_t)code.begin),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(code.end - code.begin), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short length = BEFORE + 1;
    for (; *calls >= 0; calls++) {
        filter[length++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*calls, 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, filter};
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(125);
}

/* ---- from the first instruction to the last ---- */

static int parse_result(const char *text) {
    return strcmp(text, "short") == 0 ? SHORT : strcmp(text, "end") == 0 ? END : atoi(text);
}

__attribute__((constructor)) static void begin(void) {
    static char settings[128];
    char *fields[5], *rest = settings;
    const char *given = getenv("MINISIM_FAIL");
    if (!given || strlen(given) >= sizeof settings)
        return;
    strcpy(settings, given);
    for (size_t i = 0; i < 5; i++)
        if (!(fields[i] = strsep(&rest, ",")))
            return;
    first = strtoull(fields[1], NULL, 10);
    result = parse_result(fields[2]);
    forever = fields[3][0] == '1';
    report_file = atoi(fields[4]);
    unsetenv("MINISIM_FAIL"); /* child processes are as they would be without */
    unsetenv("LD_PRELOAD");
    void *shared = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, report_file, 0);
    if (shared == MAP_FAILED)
        _exit(125);
    report = shared;
    kind = fields[0];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, kind) == 0)
            trap(kinds[i].calls);
}

__attribute__((destructor)) static void end(void) {
    enum { MOST_FILES = 256 };
    kind = "";                        /* what follows is no failure of the program's */
    setvbuf(stderr, NULL, _IONBF, 0); /* gives its buffer back */
    for (int file = STDERR_FILENO + 1; file < MOST_FILES; file++)
        if (file != report_file)
            report->files += make_call((int64_t[6]){file, F_GETFD}, SYS_fcntl) >= 0;
}
