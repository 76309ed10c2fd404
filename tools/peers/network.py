"""Writes a network in the forms that other engines read.

write(model, NETWORK, PIXELS, weights) makes:
- NETWORK.msw: a link to the weights;
- NETWORK.onnx: NCHW, each convolution with its bias, Clip from 0 to 6 where ReLU6 follows, padding
  spelt out, GlobalAveragePool, Flatten; opset 10, which the oldest of the readers knows;
- NETWORK.layers: for the C harnesses, described in layers.h;
- PIXELS.u8 and PIXELS.f32: a square of RGB, channels last, as bytes and as input values.
"""

import os
import struct
from dataclasses import dataclass

import msw
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STEM, DEPTHWISE, POINTWISE = range(3)


@dataclass
class Step:
    """A layer as engines want it: side is the input's, before and after are rows of padding."""

    name: str
    kind: int
    weight: np.ndarray
    bias: np.ndarray
    stride: int
    side: int
    before: int
    after: int
    relu6: bool
    residual: bool


def padding(rule, side, stride):
    if rule == "symmetric":
        return 1, 1
    total = max((-(-side // stride) - 1) * stride + 3 - side, 0)
    return total // 2, total - total // 2


def steps_of(model):
    steps, side = [], model.input_size
    for layer in msw.layers(model):
        weight, bias = msw.fold(layer, model.epsilon)
        kind = {"stem": STEM, "depthwise": DEPTHWISE}.get(layer.name.rpartition(".")[2], POINTWISE)
        before, after = (0, 0) if kind == POINTWISE else padding(model.padding, side, layer.stride)
        steps.append(Step(layer.name, kind, weight, bias, layer.stride, side, before, after,
                          not layer.name.endswith(".project"), layer.residual))
        side = -(-side // layer.stride)
    return steps


def write_onnx(steps, size, path):
    nodes, tensors, value, block = [], [], "input", "input"
    for step in steps:
        weight = {STEM: lambda w: w.transpose(0, 3, 1, 2), DEPTHWISE: lambda w: w[:, None],
                  POINTWISE: lambda w: w[:, :, None, None]}[step.kind](step.weight)
        if step.name.endswith(".expand"):
            block = value
        tensors += [numpy_helper.from_array(np.ascontiguousarray(weight), step.name + ".weight"),
                    numpy_helper.from_array(step.bias, step.name + ".bias")]
        nodes.append(helper.make_node(
            "Conv", [value, step.name + ".weight", step.name + ".bias"], [step.name],
            kernel_shape=weight.shape[2:], strides=[step.stride] * 2,
            pads=[step.before] * 2 + [step.after] * 2,
            group=len(weight) if step.kind == DEPTHWISE else 1))
        value = step.name
        if step.relu6:
            nodes.append(helper.make_node("Clip", [value], [value + ".relu6"], min=0.0, max=6.0))
            value += ".relu6"
        if step.residual:
            nodes.append(helper.make_node("Add", [value, block], [value + ".sum"]))
            value += ".sum"
    nodes += [helper.make_node("GlobalAveragePool", [value], ["average"]),
              helper.make_node("Flatten", ["average"], ["embedding"])]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in
              (("input", [1, 3, size, size]), ("embedding", [1, len(steps[-1].bias)]))]
    graph = helper.make_graph(nodes, "mobilenet_v2", shapes[:1], shapes[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=5)
    onnx.save(model, path)


def write_layers(steps, size, path):
    with open(path, "wb") as file:
        file.write(struct.pack("<2i", len(steps), size))
        for step in steps:
            weight = step.weight.transpose(1, 2, 0) if step.kind == DEPTHWISE else step.weight
            inputs = step.weight.shape[0 if step.kind == DEPTHWISE else -1]
            file.write(struct.pack("<9i", step.kind, inputs, len(step.bias), step.stride, step.side,
                                   step.before, step.after, step.relu6, step.residual))
            file.write(np.ascontiguousarray(weight, "<f4").tobytes())
            file.write(step.bias.astype("<f4").tobytes())


def write(model, network, pixels, weights):
    steps, size = steps_of(model), model.input_size
    if os.path.lexists(network + ".msw"):
        os.unlink(network + ".msw")
    os.symlink(os.path.abspath(weights), network + ".msw")
    write_onnx(steps, size, network + ".onnx")
    write_layers(steps, size, network + ".layers")
    # Soft shapes: what a picture's values are like, and the same on every machine.
    y, x = np.mgrid[:size, :size] / size
    square = np.stack([127.5 + 127 * np.sin(a * x + b * y * y + a * b * x * y)
                       for a, b in ((5, 9), (11, 4), (8, 13))], axis=-1).astype(np.uint8)
    square.tofile(pixels + ".u8")
    ((square / 255.0 - model.mean) / model.std).astype("<f4").tofile(pixels + ".f32")
