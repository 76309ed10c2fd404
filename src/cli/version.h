/* What the program says of itself. */
#ifndef MS_CLI_VERSION_H
#define MS_CLI_VERSION_H

/* A line for people. */
void ms_print_version(void);

/* An object of JSON: also from which commit, with what, and with which default weights it was
 * built. */
void ms_print_build(void);

#endif
