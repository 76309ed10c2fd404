/* minisim itself, for tools/bench-peers: minisim NETWORK PIXELS THREADS RUNS. */
#include "minisim.h"
#include "layers.h"

struct job {
    minisim_context *context;
    minisim_pixels pixels;
    float *embedding;
};

static void run(void *user) {
    struct job *job = user;
    if (minisim_embed_pixels(job->context, &job->pixels, job->embedding)) {
        fprintf(stderr, "%s\n", minisim_context_error(job->context));
        exit(4);
    }
}

int main(int argc, char **argv) {
    char weights[4096];
    minisim_error error;
    minisim_model *model;
    struct job job;
    if (argc != 5)
        return 2;
    snprintf(weights, sizeof weights, "%s.msw", argv[1]);
    minisim_model_options options = {.size = sizeof options};
    minisim_context_options preprocessed = {
        .size = sizeof preprocessed, .preprocessed = 1, .threads = (uint32_t)atoi(argv[3])};
    if (minisim_model_open(weights, &options, &model, &error) ||
        minisim_context_open(model, &preprocessed, &job.context, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 3;
    }
    size_t size = minisim_model_dimension(model);
    uint32_t side = minisim_model_input_size(model);
    job.embedding = calloc(size, sizeof *job.embedding);
    job.pixels = (minisim_pixels){
        .pixels = read_file(argv[2], ".u8"), .width = side, .height = side, .format = MINISIM_RGB};
    char version[64];
    snprintf(version, sizeof version, "%s/%s", MINISIM_VERSION, minisim_model_cpu(model));
    measure(run, &job, atoi(argv[4]), version, job.embedding, size);
    return 0;
}
