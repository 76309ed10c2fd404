#include <minisim.h>
#include <stdio.h>
#include <stdlib.h>

/* How alike are two pictures? example WEIGHTS A B */
int main(int argc, char **argv) {
    minisim_error error;
    minisim_model *model;
    minisim_context *context;
    double distance;

    if (argc != 4)
        return 2;
    if (minisim_model_open(argv[1], NULL, &model, &error) ||
        minisim_context_open(model, NULL, &context, &error)) {
        fprintf(stderr, "%s: %s\n", argv[1], error.text);
        return 3;
    }
    size_t n = minisim_model_dimension(model);
    float *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    if (!a || !b)
        return 4;
    if (minisim_embed_file(context, argv[2], NULL, a) ||
        minisim_embed_file(context, argv[3], NULL, b)) {
        fprintf(stderr, "%s\n", minisim_context_error(context));
        return 1;
    }
    minisim_distance(MINISIM_COSINE, a, b, n, &distance);
    printf("%.4f\n", distance);
    free(a);
    free(b);
    minisim_context_close(context);
    minisim_model_close(model);
    return 0;
}
