#include <minisim.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char *path, const char *why, int status) {
    fprintf(stderr, "%s: %s\n", path, why);
    return status;
}

/* How far apart are two pictures? */
int main(int argc, char **argv) {
    minisim_error error;
    minisim_model *model;
    minisim_context *context;
    float *vectors[2];
    double distance;

    if (argc != 4)
        return failed("usage", "example WEIGHTS A B", 2);
    if (minisim_model_open(argv[1], NULL, &model, &error) ||
        minisim_context_open(model, NULL, &context, &error))
        return failed(argv[1], error.text, 3);
    size_t n = minisim_model_dimension(model);
    for (int i = 0; i < 2; i++) {
        vectors[i] = malloc(n * sizeof(float));
        if (!vectors[i])
            return failed(argv[0], "out of memory", 4);
        if (minisim_embed_file(context, argv[2 + i], NULL, vectors[i]))
            return failed(argv[2 + i], minisim_context_error(context), 1);
    }
    if (minisim_distance(MINISIM_COSINE, vectors[0], vectors[1], n, &distance))
        return failed(argv[2], "no cosine: one of them is all zeros", 1);
    printf("%.4f\n", distance);
    free(vectors[0]);
    free(vectors[1]);
    minisim_context_close(context);
    minisim_model_close(model);
    return 0;
}
