/* The verbs of the program, one file each. */
#ifndef MS_CLI_VERBS_H
#define MS_CLI_VERBS_H

#include "cli/options.h"

extern const struct ms_verb ms_verb_embed, ms_verb_compare, ms_verb_classify, ms_verb_info,
    ms_verb_bench, ms_verb_trace, ms_verb_selftest, ms_verb_index, ms_verb_search, ms_verb_list,
    ms_verb_verify, ms_verb_remove, ms_verb_compact, ms_verb_merge, ms_verb_duplicates,
    ms_verb_check, ms_verb_calibrate, ms_verb_export, ms_verb_import;

void ms_run_embed(const struct ms_verb *verb, int argc, char **argv);
void ms_run_compare(const struct ms_verb *verb, int argc, char **argv);
void ms_run_classify(const struct ms_verb *verb, int argc, char **argv);
void ms_run_info(const struct ms_verb *verb, int argc, char **argv);
void ms_run_bench(const struct ms_verb *verb, int argc, char **argv);
void ms_run_index(const struct ms_verb *verb, int argc, char **argv);
void ms_run_search(const struct ms_verb *verb, int argc, char **argv);
void ms_run_duplicates(const struct ms_verb *verb, int argc, char **argv);
void ms_run_calibrate(const struct ms_verb *verb, int argc, char **argv);
void ms_run_check(const struct ms_verb *verb, int argc, char **argv);
void ms_run_list(const struct ms_verb *verb, int argc, char **argv);
void ms_run_verify(const struct ms_verb *verb, int argc, char **argv);
void ms_run_remove(const struct ms_verb *verb, int argc, char **argv);
void ms_run_compact(const struct ms_verb *verb, int argc, char **argv);
void ms_run_merge(const struct ms_verb *verb, int argc, char **argv);
void ms_run_export(const struct ms_verb *verb, int argc, char **argv);
void ms_run_import(const struct ms_verb *verb, int argc, char **argv);
void ms_run_trace(const struct ms_verb *verb, int argc, char **argv);
void ms_run_selftest(const struct ms_verb *verb, int argc, char **argv);

#endif
