/* Files to embeddings: see decoder.h. The command's words, running it, and what it gave. */
#include "cli/decoder.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "net/batch.h"
#include "picture/scan.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the command ---- */

enum { MOST_WORDS = 64, MOST_TEXT = 32768 };

struct words {
    char *words[MOST_WORDS + 1]; /* NULL behind the last one */
    char text[MOST_TEXT];
    size_t count, size;
    size_t paths, first_path; /* how often {} stood there, first in which word */
};

static bool add(struct words *w, const char *text, size_t size) {
    if (size >= sizeof w->text - w->size)
        return false;
    memcpy(w->text + w->size, text, size);
    w->size += size;
    return true;
}

/* Blanks split words, but within quotes; {} becomes the path. NULL, or what is wrong. */
static const char *split(const char *command, const char *path, struct words *w) {
    char quote = '\0';
    bool inside = false;
    w->count = w->size = w->paths = 0;
    for (const char *c = command; *c; c++) {
        bool good = true, is_blank = !quote && (*c == ' ' || *c == '\t');
        if (!is_blank && !inside) {
            if (w->count == MOST_WORDS)
                return "it has too many words";
            w->words[w->count++] = w->text + w->size;
        }
        if (is_blank) {
            good = !inside || add(w, "", 1);
        } else if (quote ? *c == quote : *c == '\'' || *c == '"') {
            quote = quote ? '\0' : *c;
        } else if (c[0] == '{' && c[1] == '}') {
            w->first_path = w->paths++ ? w->first_path : w->count;
            good = add(w, path, strlen(path));
            c++;
        } else {
            good = add(w, c, 1);
        }
        if (!good)
            return "it is too long";
        inside = !is_blank;
    }
    w->words[w->count] = NULL;
    return quote ? "a quote is not closed" : add(w, "", 1) ? NULL : "it is too long";
}

static size_t extension_length(const char *value) {
    size_t length = 0;
    while (isalnum((unsigned char)value[length]))
        length++;
    return length;
}

bool ms_take_decoder(struct ms_picture_settings *settings, const struct ms_option *option,
                     const char *value) {
    enum { MOST = sizeof settings->decoders / sizeof *settings->decoders };
    struct words w;
    size_t length = extension_length(value);
    if (length == 0 || value[length] != '=')
        return ms_refuse_value(option, value, "EXT='COMMAND {}', as in heic='convert {} ppm:-'");
    const char *wrong = split(value + length + 1, "", &w);
    if (!wrong && (w.paths == 0 || w.first_path < 2))
        wrong = "{}, the file's name, must stand behind the program's";
    if (wrong)
        return ms_refuse_usage("--decoder \"%.60s\": %s", value, wrong);
    if (settings->decoder_count == MOST)
        return ms_refuse_usage("there are more than %d --decoder", (int)MOST);
    settings->decoders[settings->decoder_count++] = value;
    return true;
}

const char *ms_find_decoder(const struct ms_picture_settings *settings, const char *path) {
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < settings->decoder_count; i++) {
        const char *decoder = settings->decoders[i];
        size_t length = extension_length(decoder);
        if (strncasecmp(dot + 1, decoder, length) == 0 && !dot[1 + length])
            return decoder + length + 1;
    }
    return NULL;
}

/* ---- running it ---- */

struct run {
    const char *name; /* the program's */
    pid_t child;
    int output, messages; /* pipes that we read; -1: closed */
    uint8_t *bytes;
    size_t size, capacity;
    char said[512]; /* the end of what it said */
    size_t said_size;
};

/* With /dev/null, `output` and `messages` as its standard streams. Gives errno. */
static int spawn(char **words, int output, int messages, pid_t *child) {
    posix_spawn_file_actions_t streams;
    posix_spawnattr_t how;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    int failed = posix_spawn_file_actions_init(&streams);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&how);
    if (!failed) {
        failed = posix_spawn_file_actions_addopen(&streams, 0, "/dev/null", O_RDONLY, 0);
        if (!failed)
            failed = posix_spawn_file_actions_adddup2(&streams, output, 1);
        if (!failed)
            failed = posix_spawn_file_actions_adddup2(&streams, messages, 2);
        posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                           POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setpgroup(&how, 0);
        posix_spawnattr_setsigmask(&how, &none);
        posix_spawnattr_setsigdefault(&how, &usual);
        if (!failed)
            failed = posix_spawnp(child, words[0], &streams, &how, words, environ);
        posix_spawnattr_destroy(&how);
    }
    posix_spawn_file_actions_destroy(&streams);
    return failed;
}

static void close_pipe(int ends[2]) {
    close(ends[0]);
    close(ends[1]);
}

/* Starts it; gives errno. */
static int start(struct run *run, char **words) {
    int output[2], messages[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return errno;
    if (pipe2(messages, O_CLOEXEC) != 0) {
        int failed = errno;
        close_pipe(output);
        return failed;
    }
    int failed = spawn(words, output[1], messages[1], &run->child);
    if (failed) {
        close_pipe(output);
        close_pipe(messages);
        return failed;
    }
    close(output[1]);
    close(messages[1]);
    run->output = output[0];
    run->messages = messages[0];
    return 0;
}

/* Kills all that is left of its group and gives its wait status. */
static int end(struct run *run) {
    int status = 0;
    kill(-run->child, SIGKILL);
    while (waitpid(run->child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (run->output >= 0)
        close(run->output);
    if (run->messages >= 0)
        close(run->messages);
    return status;
}

/* It ended by itself, or nothing can be told of it; it is not waited for yet, so that its number
 * stays its own. */
static bool has_ended(const struct run *run) {
    siginfo_t about = {.si_pid = 0};
    return waitid(P_PID, (id_t)run->child, &about, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           about.si_pid == run->child;
}

/* Reads what is there; at the end closes. */
static size_t read_some(int *descriptor, void *to, size_t room) {
    ssize_t count = read(*descriptor, to, room);
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) {
        close(*descriptor);
        *descriptor = -1;
    }
    return count > 0 ? (size_t)count : 0;
}

/* false: no memory. One byte beyond `most` is read, which tells that there are more. */
static bool read_output(struct run *run, uint64_t most) {
    if (run->size == run->capacity) {
        size_t capacity = run->capacity ? 2 * run->capacity : 65536;
        if (capacity > most)
            capacity = (size_t)most + 1;
        uint8_t *grown = capacity <= SIZE_MAX / 2 ? realloc(run->bytes, capacity) : NULL;
        if (!grown)
            return false;
        run->bytes = grown;
        run->capacity = capacity;
    }
    run->size += read_some(&run->output, run->bytes + run->size, run->capacity - run->size);
    return true;
}

static void read_messages(struct run *run) {
    enum { HALF = sizeof run->said / 2 };
    if (run->said_size > HALF) {
        memmove(run->said, run->said + run->said_size - HALF, HALF);
        run->said_size = HALF;
    }
    run->said_size += read_some(&run->messages, run->said + run->said_size,
                                sizeof run->said - 1 - run->said_size);
}

/* Reads all that it gives, until it has ended. */
static minisim_status follow(struct run *run, const struct ms_decoder_limits *limits,
                             minisim_error *error) {
    double begun = ms_now();
    while (run->output >= 0 || !has_ended(run)) {
        struct pollfd pipes[] = {{run->output, POLLIN, 0}, {run->messages, POLLIN, 0}};
        if (poll(pipes, 2, run->output >= 0 ? 50 : 1) < 0)
            pipes[0].revents = pipes[1].revents = 0; /* a signal */
        if (pipes[1].revents)
            read_messages(run);
        if (pipes[0].revents && !read_output(run, limits->bytes))
            return ms_fail(error, MINISIM_OUT_OF_MEMORY, "out of memory");
        if (run->size > limits->bytes)
            return ms_fail(error, MINISIM_BAD_PICTURE,
                           "its decoder %s gives more than the limit of %llu bytes (%s)", run->name,
                           (unsigned long long)limits->bytes, limits->name);
        if (ms_interrupted())
            return ms_fail(error, MINISIM_CANCELLED, "interrupted");
        if (ms_now() - begun > limits->seconds)
            return ms_fail(error, MINISIM_BAD_PICTURE,
                           "its decoder %s took more than %.3g seconds and was stopped", run->name,
                           limits->seconds);
    }
    if (run->messages >= 0)
        read_messages(run);
    return MINISIM_OK;
}

/* The last line that it said, behind a colon; "" where it said nothing. */
static const char *last_words(struct run *run) {
    size_t size = run->said_size;
    while (size > 0 && isspace((unsigned char)run->said[size - 1]))
        size--;
    run->said[size] = '\0';
    char *line = strrchr(run->said, '\n');
    return line ? line + 1 : run->said;
}

/* How it ended, where that was not well. */
static minisim_status judge(struct run *run, int status, minisim_error *error) {
    const char *said = last_words(run), *colon = *said ? ": " : "";
    if (WIFSIGNALED(status))
        return ms_fail(error, MINISIM_BAD_PICTURE, "its decoder %s was killed by signal %d%s%s",
                       run->name, WTERMSIG(status), colon, said);
    if (WEXITSTATUS(status) != 0)
        return ms_fail(error, MINISIM_BAD_PICTURE, "its decoder %s ended with exit status %d%s%s",
                       run->name, WEXITSTATUS(status), colon, said);
    if (run->size == 0)
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "its decoder %s wrote nothing to its standard output%s%s", run->name, colon,
                       said);
    return MINISIM_OK;
}

static minisim_status refuse_start(const char *name, int failed, minisim_error *error) {
    if (failed == ENOENT)
        return ms_fail(error, MINISIM_BAD_PICTURE,
                       "its decoder %s is not there: install it, or say where it is", name);
    return ms_fail(error, MINISIM_BAD_PICTURE, "its decoder %s cannot be started: %s", name,
                   ms_errno_text(failed));
}

/* A name that is neither an option nor, as some programs read "xy:name", more than a name. */
static bool plain_name(const char *path, char *plain, size_t size) {
    return (size_t)snprintf(plain, size, "%s%s", *path == '/' ? "" : "./", path) < size;
}

minisim_status ms_run_decoder(const char *command, const char *path,
                              const struct ms_decoder_limits *limits, uint8_t **bytes, size_t *size,
                              minisim_error *error) {
    struct run run = {.size = 0};
    struct words w;
    char plain[MOST_TEXT / 4];
    *bytes = NULL;
    if (!plain_name(path, plain, sizeof plain) || split(command, plain, &w))
        return ms_fail(error, MINISIM_BAD_FILE, "the name is too long for its decoder");
    run.name = w.words[0];
    int failed = start(&run, w.words);
    if (failed)
        return refuse_start(run.name, failed, error);
    minisim_status status = follow(&run, limits, error);
    int ended = end(&run);
    if (!status)
        status = judge(&run, ended, error);
    if (status) {
        free(run.bytes);
        return status;
    }
    *bytes = run.bytes;
    *size = run.size;
    return MINISIM_OK;
}

/* ---- embedding ---- */

struct looker {
    ms_see_content *see;
    void *user;
};

static bool see_bytes(void *user, const uint8_t *bytes, size_t size, uint32_t width,
                      uint32_t height) {
    const struct looker *looker = user;
    uint8_t content[32];
    ms_sha256_of(bytes, size, content);
    return looker->see(looker->user, content, width, height);
}

/* Of the file, a block at a time: a film may be larger than any picture. */
static minisim_status hash_file(int descriptor, uint64_t size, uint8_t content[32],
                                minisim_error *error) {
    uint8_t block[16384];
    struct ms_sha256 hash;
    minisim_status status = MINISIM_OK;
    ms_sha256_start(&hash);
    while (!status && size > 0) {
        size_t part = size < sizeof block ? (size_t)size : sizeof block;
        status = ms_file_read(descriptor, block, part, error);
        ms_sha256_add(&hash, block, status ? 0 : part);
        size -= part;
    }
    ms_sha256_digest(&hash, content);
    return status;
}

/* Before the decoder runs. What is no regular file is refused, as everywhere. */
static minisim_status look_at_file(const char *path, const struct looker *looker,
                                   uint8_t content[32], minisim_error *error) {
    uint64_t size;
    int descriptor;
    minisim_status status = ms_file_open(path, &descriptor, &size, error);
    if (status)
        return status;
    if (looker->see)
        status = hash_file(descriptor, size, content, error);
    close(descriptor);
    if (!status && looker->see && looker->see(looker->user, content, 0, 0))
        return ms_fail(error, MINISIM_CANCELLED, "that was enough");
    return status;
}

/* What a decoder gave, seen and embedded. */
static minisim_status embed_output(const struct ms_picture_settings *settings,
                                   minisim_context *context, const uint8_t *bytes, size_t size,
                                   const struct looker *looker, const uint8_t content[32],
                                   float *embedding) {
    struct ms_scan scan;
    minisim_error error;
    if (looker->see && !ms_scan_picture(bytes, size, UINT64_MAX, &scan, NULL) &&
        looker->see(looker->user, content, scan.width, scan.height))
        return MINISIM_CANCELLED;
    minisim_status status =
        minisim_embed_memory(context, bytes, size, ms_region_of(settings), embedding);
    if (status != MINISIM_NO_PICTURE && status != MINISIM_BAD_PICTURE)
        return status;
    ms_fail(&error, status, "what its decoder gave: %s", minisim_context_error(context));
    return ms_context_fail(context, MINISIM_BAD_PICTURE, error.text);
}

static minisim_status embed_decoded(const struct ms_picture_settings *settings,
                                    minisim_context *context, const char *command, const char *path,
                                    const struct looker *looker, float *embedding) {
    struct ms_decoder_limits limits = {.seconds = MS_DECODER_SECONDS};
    minisim_error error;
    uint8_t content[32], *bytes;
    size_t size;
    limits.bytes = ms_most_bytes(settings, &limits.name);
    minisim_status status = look_at_file(path, looker, content, &error);
    if (!status)
        status = ms_run_decoder(command, path, &limits, &bytes, &size, &error);
    if (status)
        return ms_context_fail(context, status, error.text);
    status = embed_output(settings, context, bytes, size, looker, content, embedding);
    free(bytes);
    return status;
}

minisim_status ms_embed_path(const struct ms_picture_settings *settings, minisim_context *context,
                             const char *path, ms_see_content *see, void *user, float *embedding) {
    const char *command = ms_find_decoder(settings, path);
    struct looker looker = {see, user};
    if (command)
        return embed_decoded(settings, context, command, path, &looker, embedding);
    return ms_embed_seen(context, path, ms_region_of(settings), see ? see_bytes : NULL, &looker,
                         embedding);
}
