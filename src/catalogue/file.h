/*
 * The file under a catalogue: opening, the writer's lock, reading and writing at offsets, making
 * changes last. All that a catalogue asks of the system for its file is in file.c.
 */
#ifndef MS_CATALOGUE_FILE_H
#define MS_CATALOGUE_FILE_H

#include "minisim.h"

#include <stdbool.h>

/* Opens it for reading. REFUSED; *missing (may be NULL): because there is no such file. */
minisim_status ms_file_open_reader(const char *path, int *descriptor, bool *missing,
                                   minisim_error *error);

/* Opens it for writing, as the only one who does: REFUSED at once where another process has it, or
 * where the file system has no locks. */
minisim_status ms_file_open_writer(const char *path, int *descriptor, bool *missing,
                                   minisim_error *error);

/* A new file in the folder of `path`, locked, under another name, *beside, to be freed. */
minisim_status ms_file_create_beside(const char *path, int *descriptor, char **beside,
                                     minisim_error *error);

/* Removes such files that processes left which were killed. The caller is the one writer: nobody
 * else can be making one that will be published. */
void ms_file_clear_beside(const char *path);

/* Makes it last and moves it to `path`, which `replace` says may exist. */
minisim_status ms_file_publish(int descriptor, const char *beside, const char *path, bool replace,
                               minisim_error *error);

minisim_status ms_file_size(int descriptor, uint64_t *size, minisim_error *error);

/* BAD_CATALOGUE where the file ends early. */
minisim_status ms_file_read_at(int descriptor, uint64_t offset, void *to, size_t size,
                               minisim_error *error);
minisim_status ms_file_write_at(int descriptor, uint64_t offset, const void *from, size_t size,
                                minisim_error *error);

/* The first `size` bytes in memory, for reading; NULL: they are better read, or have to be. Once
 * mapped, a file that is cut short raises SIGBUS where its end was. */
uint8_t *ms_file_map(int descriptor, uint64_t size);

/* Room up to there, so that writing will not find the disk full. */
minisim_status ms_file_reserve(int descriptor, uint64_t begin, uint64_t end, minisim_error *error);

/* What was written lasts. */
minisim_status ms_file_sync(int descriptor, minisim_error *error);

#endif
