/* Files that are read: opened without ever waiting, and only where they are regular files. */
#ifndef MS_BASE_FILE_H
#define MS_BASE_FILE_H

#include "minisim.h"

/*
 * Opens a regular file for reading: a FIFO, a device, a socket or a folder is refused at once, by
 * name of its kind. The caller closes *descriptor. BAD_FILE.
 */
minisim_status ms_file_open(const char *path, int *descriptor, uint64_t *size,
                            minisim_error *error);

/* Reads `size` bytes, or fails: BAD_FILE, also where the file ends early. */
minisim_status ms_file_read(int descriptor, void *to, size_t size, minisim_error *error);

#endif
