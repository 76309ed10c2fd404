/* Standard input as a stream of pictures (--stream): a camera, a film, a program that waits for its
 * answers. */
#ifndef MS_CLI_STREAM_H
#define MS_CLI_STREAM_H

#include "cli/pictures.h"

/* Gets each frame, counted from 0, when it is embedded, and before another is read: its embedding,
 * or NULL and why there is none. false: stop. */
typedef bool ms_take_frame(void *user, uint64_t frame, const float *embedding, const char *error);

/*
 * Embeds them on the engine's first context. Those that fail, and where the stream cannot be told
 * apart any more, are said and noted, too; it is an error if there is none.
 */
void ms_embed_stream(const struct ms_picture_settings *settings, const struct ms_engine *engine,
                     ms_take_frame *take, void *user);

#endif
