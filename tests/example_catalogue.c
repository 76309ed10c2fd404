#include <minisim.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *path, const char *why, int status) {
    fprintf(stderr, "%s: %s\n", path, why);
    return status;
}

/* Which of these pictures are new to a catalogue? They become part of it. */
int main(int argc, char **argv) {
    minisim_error error;
    minisim_model *model;
    minisim_context *context;
    minisim_catalogue *catalogue;
    minisim_catalogue_options options = {sizeof options};
    minisim_search_options search = {sizeof search};
    minisim_hit nearest;
    char name[MINISIM_NAME_SIZE];
    size_t found;

    if (argc < 4)
        return failed("usage", "example WEIGHTS CATALOGUE PICTURE...", 2);
    if (minisim_model_open(argv[1], NULL, &model, &error) ||
        minisim_context_open(model, NULL, &context, &error))
        return failed(argv[1], error.text, 3);
    options.writes = 1;
    options.context = context;
    if (minisim_catalogue_open(argv[2], &options, &catalogue, &error))
        return failed(argv[2], error.text, 3);
    float *vector = (float *)malloc(minisim_model_dimension(model) * sizeof *vector);
    if (!vector)
        return failed(argv[0], "out of memory", 4);
    search.limit_set = 1;
    search.limit = 0.05;
    for (int i = 3; i < argc; i++) {
        if (minisim_embed_file(context, argv[i], NULL, vector))
            return failed(argv[i], minisim_context_error(context), 1);
        if (minisim_catalogue_search(catalogue, vector, 1, 1, &search, &nearest, &found, &error) ||
            (found ? minisim_catalogue_record(catalogue, nearest.id, name, NULL, NULL, &error)
                   : minisim_catalogue_add(catalogue, argv[i], NULL, vector, NULL, &error)))
            return failed(argv[2], error.text, 4);
        if (found)
            printf("%s: %.4f from %s\n", argv[i], nearest.distance, name);
        else
            printf("%s: new\n", argv[i]);
    }
    if (minisim_catalogue_commit(catalogue, &error))
        return failed(argv[2], error.text, 4);
    free(vector);
    minisim_catalogue_close(catalogue);
    minisim_context_close(context);
    minisim_model_close(model);
    return 0;
}
