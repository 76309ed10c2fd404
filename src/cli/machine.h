/* What the machine has to give: memory, by the system's and the control groups' word. */
#ifndef MS_CLI_MACHINE_H
#define MS_CLI_MACHINE_H

#include <stdint.h>

/* Bytes of memory: the machine's, or less where the process is allowed less. */
uint64_t ms_machine_memory(void);

/*
 * The least memory that a control group of the process (version 2 or 1), or one above it, may take:
 * `list` names the groups as /proc/self/cgroup does, their folders lie in `root`. UINT64_MAX: there
 * is no limit, or none to be found.
 */
uint64_t ms_group_memory(const char *list, const char *root);

#endif
