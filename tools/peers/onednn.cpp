/* Debian's oneDNN (2), for tools/bench-peers: onednn NETWORK PIXELS THREADS RUNS. Formats are the
 * library's choice; ReLU6 and the residual are done by the convolutions. OMP_NUM_THREADS counts. */
#include "layers.h"

#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

using dnnl::memory;
using tag = memory::format_tag;
constexpr auto f32 = memory::data_type::f32;

struct job {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::vector<dnnl::primitive> primitives;
    std::vector<std::unordered_map<int, memory>> arguments;

    void add(const dnnl::primitive &primitive, const std::unordered_map<int, memory> &argument) {
        primitives.push_back(primitive);
        arguments.push_back(argument);
    }
};

static memory reordered(job &job, const memory::desc &from, float *values, const memory::desc &to) {
    memory given(from, job.engine, values), taken(to, job.engine);
    dnnl::reorder(given, taken).execute(job.stream, given, taken);
    job.stream.wait();
    return taken;
}

static memory add_layer(job &job, const layer &l, memory in, const memory &block) {
    int kernel = l.kind == POINTWISE ? 1 : 3, out_side = (l.side + l.stride - 1) / l.stride;
    bool depthwise = l.kind == DEPTHWISE;
    memory::dims shape = depthwise ? memory::dims{l.outputs, 1, 1, 3, 3}
                                   : memory::dims{l.outputs, l.inputs, kernel, kernel};
    memory::desc in_desc({1, l.inputs, l.side, l.side}, f32, tag::any);
    memory::desc out_desc({1, l.outputs, out_side, out_side}, f32, tag::any);
    dnnl::post_ops post;
    dnnl::primitive_attr attributes;
    if (l.residual)
        post.append_sum(1.f);
    if (l.relu6)
        post.append_eltwise(1.f, dnnl::algorithm::eltwise_clip, 0.f, 6.f);
    attributes.set_post_ops(post);
    dnnl::convolution_forward::primitive_desc convolution({dnnl::prop_kind::forward_inference,
                                                           dnnl::algorithm::convolution_direct,
                                                           l.kind == STEM ? in.get_desc() : in_desc,
                                                           memory::desc(shape, f32, tag::any),
                                                           memory::desc({l.outputs}, f32, tag::x),
                                                           l.residual ? block.get_desc() : out_desc,
                                                           {l.stride, l.stride},
                                                           {l.before, l.before},
                                                           {l.after, l.after}},
                                                          attributes, job.engine);
    if (in.get_desc() != convolution.src_desc()) {
        memory moved(convolution.src_desc(), job.engine);
        job.add(dnnl::reorder(in, moved), {{DNNL_ARG_FROM, in}, {DNNL_ARG_TO, moved}});
        in = moved;
    }
    memory weights = reordered(job, {shape, f32, depthwise ? tag::hwigo : tag::ohwi}, l.weights,
                               convolution.weights_desc());
    memory bias({{l.outputs}, f32, tag::x}, job.engine, l.bias);
    /* The residual is added in place: nothing reads the block's input after it. */
    memory out = l.residual ? block : memory(convolution.dst_desc(), job.engine);
    job.add(dnnl::convolution_forward(convolution), {{DNNL_ARG_SRC, in},
                                                     {DNNL_ARG_WEIGHTS, weights},
                                                     {DNNL_ARG_BIAS, bias},
                                                     {DNNL_ARG_DST, out}});
    return out;
}

static void run(void *user) {
    job &job = *static_cast<struct job *>(user);
    for (size_t i = 0; i < job.primitives.size(); i++)
        job.primitives[i].execute(job.stream, job.arguments[i]);
    job.stream.wait();
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    const network &network = *read_network(argv[1]);
    job job;
    memory at({{1, 3, network.side, network.side}, f32, tag::nhwc}, job.engine,
              read_file(argv[2], ".f32"));
    memory block = at;
    int side = network.side;
    for (int i = 0; i < network.count; i++) {
        const layer &l = network.layers[i];
        block = l.kind == POINTWISE && l.relu6 ? at : block; /* before expand */
        at = add_layer(job, l, at, block);
        side = (side + l.stride - 1) / l.stride;
    }
    int size = network.layers[network.count - 1].outputs;
    dnnl::pooling_forward::primitive_desc average({dnnl::prop_kind::forward_inference,
                                                   dnnl::algorithm::pooling_avg_exclude_padding,
                                                   at.get_desc(),
                                                   memory::desc({1, size, 1, 1}, f32, tag::any),
                                                   {1, 1},
                                                   {side, side},
                                                   {0, 0},
                                                   {0, 0}},
                                                  job.engine);
    memory out(average.dst_desc(), job.engine);
    job.add(dnnl::pooling_forward(average), {{DNNL_ARG_SRC, at}, {DNNL_ARG_DST, out}});
    const dnnl_version_t *v = dnnl_version();
    std::string version =
        std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
    measure(run, &job, atoi(argv[4]), version.c_str(),
            static_cast<const float *>(out.get_data_handle()), (size_t)size);
    return 0;
}
