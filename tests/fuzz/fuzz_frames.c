/*
 * The splitter of streams. However few bytes a read gives, the frames are the same, none is beyond
 * the limit, none asks for a byte behind its end, and memory stays bounded. The first byte chooses
 * the limit and how much reads give.
 */
#include "cli/frames.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void require(int holds) {
    if (!holds)
        abort();
}

struct source {
    const uint8_t *bytes;
    size_t size, given, each;
};

static long give(void *user, void *to, unsigned long room) {
    struct source *source = user;
    size_t left = source->size - source->given, size = source->each;
    size = size < left ? size : left;
    size = size < room ? size : room;
    memcpy(to, source->bytes + source->given, size);
    source->given += size;
    return (long)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ms_frames fast, slow;
    const uint8_t *bytes, *same;
    size_t length, same_length;
    minisim_error error, other;
    if (size == 0)
        return 0;
    uint64_t most = data[0] & 128 ? 1 << 20 : 100;
    struct source all = {data + 1, size - 1, 0, size}, few = all;
    few.each = 1 + data[0] % 128 / 8;
    ms_frames_open(&fast, give, &all, most, "limit");
    ms_frames_open(&slow, give, &few, most, "limit");
    for (;;) {
        minisim_status status = ms_frames_next(&fast, &bytes, &length, &error);
        require(ms_frames_next(&slow, &same, &same_length, &other) == status);
        require(slow.capacity <= most + 65536 && fast.capacity <= most + 65536);
        if (status) {
            require(strcmp(error.text, other.text) == 0);
            if (status != MINISIM_BAD_PICTURE)
                break;
            continue;
        }
        require(!bytes == !same);
        if (!bytes)
            break;
        require(length > 0 && length <= most && length == same_length);
        require(memcmp(bytes, same, length) == 0);
        /* What came behind the frame's end came with its last byte; or, of a JPEG that was cut
         * short, with the marker of the next. */
        require(slow.size - length < few.each + 2);
    }
    ms_frames_close(&fast);
    ms_frames_close(&slow);
    return 0;
}
