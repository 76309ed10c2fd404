/*
 * weights_tool < FILES: reads weights files from standard input, each behind its size (u32,
 * little-endian), and writes a line for each: "ok" and the embedding id, or "no" and why the file
 * is refused. For tools/check_format.py, which has thousands of small ones.
 */
#include "base/bytes.h"
#include "minisim.h"

#include <stdio.h>
#include <stdlib.h>

static int told(const uint8_t *bytes, size_t size) {
    minisim_model *model;
    minisim_context *context = NULL;
    minisim_error error = {{0}};
    char id[65];
    minisim_status status = minisim_model_open_memory(bytes, size, NULL, &model, &error);
    if (status == MINISIM_BAD_WEIGHTS) {
        printf("no %s\n", error.text);
        return 1;
    }
    if (!status)
        status = minisim_context_open(model, NULL, &context, &error);
    if (!status)
        status = minisim_context_embedding_id(context, id);
    if (!status)
        printf("ok %s\n", id);
    else
        fprintf(stderr, "weights_tool: status %d: %s\n", (int)status, error.text);
    minisim_context_close(context);
    minisim_model_close(model);
    return !status;
}

int main(void) {
    uint8_t head[4];
    while (fread(head, sizeof head, 1, stdin) == 1) {
        /* Of its own size, so that the address sanitizer sees a read past the end. */
        size_t size = ms_load_u32(head);
        uint8_t *bytes = malloc(size ? size : 1);
        int good = bytes && fread(bytes, 1, size, stdin) == size && told(bytes, size);
        free(bytes);
        if (!good)
            return 1;
    }
    return fflush(stdout) != 0;
}
