#include "cli/stream.h"

#include "base/error.h"
#include "cli/console.h"
#include "cli/frames.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static long read_input(void *user, void *bytes, unsigned long size) {
    (void)user;
    return ms_read_patiently(STDIN_FILENO, bytes, size);
}

void ms_embed_stream(const struct ms_picture_settings *settings, const struct ms_engine *engine,
                     ms_take_frame *take, void *user) {
    minisim_context *context = engine->contexts[0];
    float *embedding = malloc(minisim_model_dimension(engine->model) * sizeof *embedding);
    struct ms_frames frames;
    minisim_error error;
    const char *limit;
    const uint8_t *bytes;
    size_t size;
    uint64_t most = ms_most_bytes(settings, &limit);
    bool going = embedding || ms_out_of_memory();
    ms_frames_open(&frames, read_input, NULL, most, limit);
    for (uint64_t frame = 0; going; frame++) {
        minisim_status status = ms_frames_next(&frames, &bytes, &size, &error);
        bool ends = !status && !bytes, is_last = status && status != MINISIM_BAD_PICTURE;
        if (ends && frame == 0) {
            ms_complain("standard input", "no pictures found");
            ms_note(MS_EXIT_SOME_FAILED);
        }
        if (ends || ms_interrupted())
            break;
        if (!status) {
            status = minisim_embed_memory(context, bytes, size, ms_region_of(settings), embedding);
            ms_fail(&error, status, "%s", minisim_context_error(context));
        }
        if (status) {
            ms_complain("standard input", "frame %" PRIu64 ": %s", frame, error.text);
            ms_note(status == MINISIM_OUT_OF_MEMORY ? MS_EXIT_SYSTEM : MS_EXIT_SOME_FAILED);
        }
        going = take(user, frame, status ? NULL : embedding, error.text) && !is_last;
    }
    ms_frames_close(&frames);
    free(embedding);
}
