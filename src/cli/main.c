/* The program: finds the verb and runs it. */
#include "base/text.h"
#include "cli/console.h"
#include "cli/pictures.h"
#include "cli/verbs.h"
#include "cli/version.h"

#include <string.h>
#include <unistd.h>

static const struct ms_verb *const verbs[] = {
    &ms_verb_embed,      &ms_verb_compare, &ms_verb_classify,  &ms_verb_index,   &ms_verb_search,
    &ms_verb_duplicates, &ms_verb_check,   &ms_verb_calibrate, &ms_verb_list,    &ms_verb_remove,
    &ms_verb_verify,     &ms_verb_compact, &ms_verb_merge,     &ms_verb_export,  &ms_verb_import,
    &ms_verb_info,       &ms_verb_bench,   &ms_verb_trace,     &ms_verb_selftest};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void print_help(FILE *file) {
    fputs("Usage: minisim VERB [options] ARGS\n\n", file);
    for (size_t i = 0; i < VERBS; i++)
        fprintf(file, "  %-10s  %s\n", verbs[i]->name, verbs[i]->summary);
    fputs("  help        show this help, or that of a verb\n"
          "\n"
          "  -h, --help     show this help; behind a verb, that of the verb\n"
          "  -V, --version  show the version; with --json behind it, the whole build\n"
          "\n"
          "Weights are the first of --weights FILE, MINISIM_WEIGHTS, ../share/minisim/ beside the\n"
          "program, " MINISIM_DATADIR "/, weights/ beside the program or up to three\n"
          "folders above, and those that were built in (make EMBED_WEIGHTS=1).\n"
          "\n"
          "Exit status: 0 all good; 1 some pictures failed or none were found, the others are\n"
          "done; 2 wrong usage; 3 weights or catalogue unusable; 4 the system refused (no\n"
          "memory, no room, cannot write); 10 differs (trace --against, selftest); 11 a\n"
          "duplicate (check); 130 interrupted.\n"
          "\n"
          "Examples\n"
          "  minisim embed photo.jpg                     its embedding, as text\n"
          "  minisim embed --format npy -o all.npy Pics  a folder's, for NumPy\n"
          "  minisim compare cat.jpg dog.jpg table.jpg   how far apart they are\n",
          file);
}

static const struct ms_verb *find_verb(const char *name) {
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static void refuse_verb(const char *word) {
    const char *names[VERBS + 4] = {"help", "--help", "--version"};
    for (size_t i = 0; i < VERBS; i++)
        names[i + 3] = verbs[i]->name;
    const char *nearest = ms_nearest_word(word, names);
    if (word[0] == '-' && word[1] && nearest && nearest[0] == '-')
        ms_refuse_usage("unknown option %s; did you mean %s?", word, nearest);
    else if (word[0] == '-' && word[1])
        ms_refuse_usage("unknown option %s; options stand behind a verb, see minisim --help", word);
    else if (access(word, F_OK) == 0 || strcmp(word, "-") == 0)
        ms_refuse_usage("%s is no verb; did you mean minisim embed %s?", word, word);
    else if (nearest)
        ms_refuse_usage("unknown verb %s; did you mean %s?", word, nearest);
    else
        ms_refuse_usage("unknown verb %s; see minisim --help", word);
}

static void help(int argc, char **argv) {
    const struct ms_verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
    if (argc > 2)
        ms_refuse_usage("help takes one verb");
    else if (verb)
        ms_print_verb_help(stdout, verb);
    else if (argc > 1 && argv[1][0] != '-' && strcmp(argv[1], "help") != 0)
        refuse_verb(argv[1]);
    else
        print_help(stdout);
}

static void version(int argc, char **argv) {
    bool whole = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !whole)
        ms_refuse_usage("%s takes nothing but --json", argv[0]);
    else if (whole)
        ms_print_build();
    else
        ms_print_version();
}

static void run(int argc, char **argv) {
    const char *word = argv[1];
    const struct ms_verb *verb = find_verb(word);
    if (verb)
        verb->run(verb, argc - 1, argv + 1);
    else if (strcmp(word, "help") == 0)
        help(argc - 1, argv + 1);
    else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        print_help(stdout);
    else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        version(argc - 1, argv + 1);
    else
        refuse_verb(word);
}

int main(int argc, char **argv) {
    ms_console_start();
    if (argc > 1) {
        run(argc, argv);
    } else {
        print_help(stderr);
        ms_note(MS_EXIT_USAGE);
    }
    return ms_console_end();
}
