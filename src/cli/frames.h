/*
 * Pictures one behind the other on a stream, told apart by their structure alone: JPEG, PNG and raw
 * PNM, in any mixture, with white space or zeros between them. A frame is given when its last byte
 * has come: nothing waits for what is behind it. Memory is bounded by the largest frame that is
 * allowed; a larger one is passed over. What is inside a frame, its decoder will judge.
 */
#ifndef MS_CLI_FRAMES_H
#define MS_CLI_FRAMES_H

#include "minisim.h"

#include <stdbool.h>

/* Gives at least one byte, as soon as there are some; 0 at the end, -1 with errno. */
typedef long ms_read_stream(void *user, void *bytes, unsigned long size);

/* How far a frame's structure was followed. Offsets count from its first byte. */
struct ms_frame {
    enum { MS_FRAME_UNKNOWN, MS_FRAME_JPEG, MS_FRAME_PNG, MS_FRAME_PNM } kind;
    uint64_t at;      /* what is looked at next */
    bool ends;        /* at `at` */
    bool in_scan;     /* of a JPEG: within its data */
    struct {          /* of a PNM */
        uint8_t kind; /* '4' to '6' */
        bool in_comment, in_number;
        uint32_t numbers[3], known; /* width, height, largest value */
    } header;
};

struct ms_frames {
    ms_read_stream *read;
    void *user;
    uint64_t most; /* bytes of a frame */
    const char *limit;
    uint8_t *bytes; /* [size] that were read, first those of the frame, without `dropped` ones */
    size_t size, capacity, given;
    uint64_t begin, dropped; /* where the frame begins in the stream; what was passed over of it */
    bool ended;
    struct ms_frame frame;
};

/* No frame has more than `most` bytes, which the option `limit` says. */
void ms_frames_open(struct ms_frames *frames, ms_read_stream *read, void *user, uint64_t most,
                    const char *limit);
void ms_frames_close(struct ms_frames *frames);

/*
 * The next frame, which stays until the next call; *bytes is NULL at the end. What the end cut off
 * is a frame. BAD_PICTURE: it is too large, was passed over, and others may follow. Nothing follows
 * NO_PICTURE, where the next frame begins cannot be told; BAD_FILE, reading failed;
 * OUT_OF_MEMORY.
 */
minisim_status ms_frames_next(struct ms_frames *frames, const uint8_t **bytes, size_t *size,
                              minisim_error *error);

#endif
