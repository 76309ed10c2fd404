/* Debian's XNNPACK (2022), for tools/bench-peers: xnnpack NETWORK PIXELS THREADS RUNS. */
#include "layers.h"

#include <math.h>
#include <pthreadpool.h>
#include <xnnpack.h>

static void must(enum xnn_status status, const char *what) {
    if (status != xnn_status_success) {
        fprintf(stderr, "%s: status %d\n", what, (int)status);
        exit(4);
    }
}

/* A tensor of NHWC activations, or of constants where there are values. */
static uint32_t tensor(xnn_subgraph_t graph, size_t rank, const size_t *shape, const float *values,
                       uint32_t external, uint32_t flags) {
    uint32_t id;
    must(xnn_define_tensor_value(graph, xnn_datatype_fp32, rank, shape, values, external, flags,
                                 &id),
         "a tensor");
    return id;
}

static uint32_t activations(xnn_subgraph_t graph, size_t side, size_t channels) {
    size_t shape[] = {1, side, side, channels};
    return tensor(graph, 4, shape, NULL, XNN_INVALID_VALUE_ID, 0);
}

static uint32_t add_layer(xnn_subgraph_t graph, const struct layer *l, uint32_t in, size_t side) {
    size_t inputs = (size_t)l->inputs, outputs = (size_t)l->outputs;
    uint32_t kernel = l->kind == POINTWISE ? 1 : 3, before = (uint32_t)l->before,
             after = (uint32_t)l->after, stride = (uint32_t)l->stride;
    float low = l->relu6 ? 0.0f : -INFINITY, high = l->relu6 ? 6.0f : INFINITY;
    size_t across[] = {1, 3, 3, outputs}, full[] = {outputs, kernel, kernel, inputs};
    uint32_t weights =
        tensor(graph, 4, l->kind == DEPTHWISE ? across : full, l->weights, XNN_INVALID_VALUE_ID, 0);
    uint32_t bias = tensor(graph, 1, &outputs, l->bias, XNN_INVALID_VALUE_ID, 0);
    uint32_t out = activations(graph, side, outputs);
    if (l->kind == DEPTHWISE)
        must(xnn_define_depthwise_convolution_2d(graph, before, after, after, before, 3, 3, stride,
                                                 stride, 1, 1, 1, outputs, low, high, in, weights,
                                                 bias, out, 0),
             "a depthwise convolution");
    else
        must(xnn_define_convolution_2d(graph, before, after, after, before, kernel, kernel, stride,
                                       stride, 1, 1, 1, inputs, outputs, low, high, in, weights,
                                       bias, out, 0),
             "a convolution");
    return out;
}

static void run(void *runtime) {
    must(xnn_invoke_runtime(runtime), "the network");
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    struct network *network = read_network(argv[1]);
    size_t side = (size_t)network->side, threads = (size_t)atoi(argv[3]);
    size_t in_shape[] = {1, side, side, 3};
    xnn_subgraph_t graph;
    xnn_runtime_t runtime;
    must(xnn_initialize(NULL), "XNNPACK");
    must(xnn_create_subgraph(2, 0, &graph), "a graph");
    uint32_t at = tensor(graph, 4, in_shape, NULL, 0, XNN_VALUE_FLAG_EXTERNAL_INPUT), block = at;
    for (int i = 0; i < network->count; i++) {
        const struct layer *l = &network->layers[i];
        side = (side + (size_t)l->stride - 1) / (size_t)l->stride;
        block = l->kind == POINTWISE && l->relu6 ? at : block; /* before expand */
        at = add_layer(graph, l, at, side);
        if (l->residual) {
            uint32_t sum = activations(graph, side, (size_t)l->outputs);
            must(xnn_define_add2(graph, -INFINITY, INFINITY, block, at, sum, 0), "a sum");
            at = sum;
        }
    }
    size_t size = (size_t)network->layers[network->count - 1].outputs;
    size_t out_shape[] = {1, 1, 1, size};
    uint32_t out = tensor(graph, 4, out_shape, NULL, 1, XNN_VALUE_FLAG_EXTERNAL_OUTPUT);
    must(xnn_define_global_average_pooling_2d(graph, -INFINITY, INFINITY, at, out, 0), "average");
    pthreadpool_t pool = threads > 1 ? pthreadpool_create(threads) : NULL;
    must(xnn_create_runtime_v2(graph, pool, 0, &runtime), "a runtime");
    float *embedding = calloc(size + 256, sizeof *embedding);
    struct xnn_external_value values[] = {{0, read_file(argv[2], ".f32")}, {1, embedding}};
    must(xnn_setup_runtime(runtime, 2, values), "the runtime");
    measure(run, runtime, atoi(argv[4]), "2022-02", embedding, size);
    return 0;
}
