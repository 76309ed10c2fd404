/*
 * layers_tool WEIGHTS CPU < SQUARE: runs the network a layer at a time on size x size x 3 bytes and
 * writes, for each layer, a line "NAME SIDE CHANNELS" and its values as the machine's floats. For
 * tools/check_network.py.
 */
#include "net/run.h"

#include <stdio.h>
#include <stdlib.h>

static void write_layer(void *user, const char *name, const float *values, size_t side,
                        size_t channels) {
    (void)user;
    printf("%s %zu %zu\n", name, side, channels);
    fwrite(values, sizeof *values, side * side * channels, stdout);
}

int main(int argc, char **argv) {
    minisim_model *model;
    minisim_error error = {{0}};
    if (argc != 3)
        return 2;
    minisim_model_options options = {.size = sizeof options, .cpu = argv[2]};
    minisim_status status = minisim_model_open(argv[1], &options, &model, &error);
    if (!status) {
        size_t side = minisim_model_input_size(model), bytes = side * side * 3;
        uint8_t *square = malloc(bytes);
        status = MINISIM_BAD_FILE;
        if (square && fread(square, 1, bytes, stdin) == bytes)
            status = ms_run_layers(model, square, write_layer, NULL, &error);
        free(square);
        minisim_model_close(model);
    }
    if (status)
        fprintf(stderr, "layers_tool: %s\n", error.text);
    return fflush(stdout) != 0 || status != MINISIM_OK;
}
