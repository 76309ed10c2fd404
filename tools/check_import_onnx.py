#!/usr/bin/python3
"""Imports ONNX models: tools/check_import_onnx.py BUILD.

Models are written by python3-onnx in the styles of PyTorch, Gluon, tf2onnx and ONNX Runtime's quantiser, and
by torch's own exporter where it is installed; outputs are held against the network computed in double. The
checkpoint in ../shared, written by tf2onnx, is held against ONNX Runtime's output.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace

import numpy as np
import sample_network as sample
from tap import SHARED, Tap, left_out

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ModuleNotFoundError:
    onnx = None


class Writer:
    """One model; the style says how the usual exporters write each thing."""

    def __init__(self, steps, padding="symmetric", epsilon=1e-5, folded=False, clip="input",
                 pads="conv", nhwc=False, quantised=False, size=64, branch=False, head="MatMul"):
        self.nodes, self.constants, self.count = [], [], 0
        self.padding, self.epsilon, self.folded, self.clip = padding, epsilon, folded, clip
        self.pads, self.quantised, self.branch = pads, quantised, branch
        self.size = size
        x = "input"
        if nhwc:
            x = self.op("Transpose", [x], perm=[0, 3, 1, 2])
        if quantised:
            x = self.qdq(x, 2 / 255, 128)
        for step in steps:
            x = self.step(step, x)
        if clip == "min":
            pooled = self.op("ReduceMean", [x], axes=[2, 3], keepdims=0)
        else:
            pooled = self.op("GlobalAveragePool", [x])
        self.head(head, pooled, *sample.classifier(steps, 5))
        shape = [1, size, size, 3] if nhwc else [1, 3, size, size]
        outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 5])]
        if branch:
            outputs.append(helper.make_tensor_value_info("boxes", TensorProto.FLOAT, None))
        self.model = helper.make_model(helper.make_graph(
            self.nodes, "test", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            outputs, self.constants), opset_imports=[helper.make_opsetid("", 13)])

    def op(self, kind, inputs, outputs=None, **attributes):
        self.count += 1
        outputs = outputs or [f"value_{self.count}"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, f"{kind}_{self.count}", **attributes))
        return outputs[0]

    def constant(self, values, name=None):
        self.count += 1
        name = name or f"constant_{self.count}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def head(self, kind, x, weight, bias):
        """The classifier: an exporter's usual ways, and some that are none."""
        if kind == "Conv":  # as Gluon does
            x = self.op("Conv", [x, self.weight(weight[:, :, None, None], "classes")], kernel_shape=[1, 1])
            self.op("Reshape", [x, self.constant(np.array([0, -1]))], outputs=["output"])
            return
        if kind == "shaped":  # flattened as older versions of torch do
            size = self.op("Gather", [self.op("Shape", [x]), self.constant(np.int64(0))], axis=0)
            size = self.op("Unsqueeze", [size, self.constant(np.array([0]))])
            flat = self.op("Concat", [size, self.constant(np.array([-1]))], axis=0)
            x = self.op("Reshape", [x, flat])
        else:
            x = self.op("Flatten", [x])
        if kind in ("Gemm", "shaped"):
            self.op("Gemm", [x, self.constant(weight), self.constant(bias)], outputs=["output"], transB=1)
            return
        x = self.op("MatMul", [x, self.constant(np.ascontiguousarray(weight.T))])
        if kind == "deep":
            x = self.op("MatMul", [self.op("Relu", [x]), self.constant(np.zeros((5, 5), np.float32))])
        if kind == "branch":
            self.op("Sigmoid", [x])
        x = self.op("Add", [x, self.constant(bias)])
        self.op("Softmax", [x], outputs=["output"])

    def qdq(self, x, scale, zero):
        scale, zero = self.constant(np.float32(scale)), self.constant(np.uint8(zero))
        return self.op("DequantizeLinear", [self.op("QuantizeLinear", [x, scale, zero]), scale, zero])

    def weight(self, values, name):
        if not self.quantised:
            return self.constant(values.astype(np.float32), name)
        scales, integers = quantised_weight(values)
        return self.op("DequantizeLinear", [self.constant(integers, name), self.constant(scales),
                                            self.constant(np.zeros(len(scales), np.int8))], axis=0)

    def relu6(self, x):
        if self.clip == "attribute":
            return self.op("Clip", [x], min=0.0, max=6.0)
        if self.clip == "min":
            return self.op("Min", [self.op("Relu", [x]), self.constant(np.float32(6))])
        if self.clip == "relu":
            return self.op("Relu", [x])
        low, high = (self.op("Constant", [], value=numpy_helper.from_array(np.float32(v)))
                     for v in (0, 6))
        return self.op("Clip", [x, low, high])

    def step(self, step, x):
        if step.part == "expand" or step.part == "depthwise" and step.block == 0:
            self.block_input = x
        name = f"layer.{step.block}.{step.part}"
        weight, bias = step.weight, None
        if self.folded or self.quantised:
            weight, bias = step.folded(self.epsilon)
        inputs = [x, self.weight(weight, name)]
        if bias is not None:
            inputs.append(self.constant(bias.astype(np.float32)))
        attributes = {"kernel_shape": list(weight.shape[2:]), "strides": [step.stride] * 2}
        if weight.shape[2] == 3:
            around = [0, 0, 1, 1] if self.padding == "same" and step.stride == 2 else [1, 1, 1, 1]
            if self.pads == "auto":
                attributes["auto_pad"] = "SAME_UPPER"
            elif self.pads == "node" and step.stride == 2:
                full = np.array([0, 0, *around[:2], 0, 0, *around[2:]], np.int64)
                inputs[0] = self.op("Pad", [x, self.constant(full)])
            else:
                attributes["pads"] = around
        if step.part == "depthwise":
            attributes["group"] = len(weight)
        y = self.op("Conv", inputs, **attributes)
        if bias is None:
            norm = [self.constant(part) for part in step.norm]
            y = self.op("BatchNormalization", [y, *norm], epsilon=self.epsilon)
        if step.part == "project":
            if step.residual:
                y = self.op("Add", [self.block_input, y])
        elif self.quantised:
            y = self.qdq(y, 6 / 255, 0)  # ONNX Runtime's quantiser drops the Clip where this ends at 6
        else:
            y = self.relu6(y)
        if self.branch and step.block == 13 and step.part == "expand":
            box = self.constant(np.zeros((8, len(weight), 3, 3), np.float32))
            self.op("Conv", [y, box], outputs=["boxes"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        return y

    def save(self, path, **options):
        onnx.save(self.model, path, **options)


def quantised_weight(values):
    scales = (np.abs(values).max((1, 2, 3)) / 127).astype(np.float32)
    return scales, np.rint(values / scales[:, None, None, None].astype(np.float64)).astype(np.int8)


def as_quantised(steps, epsilon):
    """The steps with the values that the quantised model's weights have."""
    found = []
    for step in steps:
        weight, bias = step.folded(epsilon)
        scales, integers = quantised_weight(weight)
        ones = np.ones(len(weight), np.float32)
        found.append(replace(step, weight=integers * scales[:, None, None, None].astype(np.float64), norm=(
            ones, bias.astype(np.float32), 0 * ones, ones - np.float32(epsilon))))
    return found


def refused(tap, source, folder, what, text, options=()):
    output = os.path.join(folder, "refused.msw")
    run = sample.export(source, output, *options)
    tap.check(run.returncode == 3 and len(run.stderr.splitlines()) == 1 and text in run.stderr
              and not os.path.exists(output), what, run.stderr)


def check_styles(tap, build, folder):
    path = os.path.join(folder, "model.onnx")
    steps, expanded = sample.network(), sample.network(expand_first=True)
    same = sample.network(padding="same", epsilon=1e-3)

    def check(what, steps, options=(), padding="symmetric", epsilon=1e-5, expected=None, **style):
        Writer(steps, padding=padding, epsilon=epsilon, **style).save(path)
        return sample.compare(tap, build, folder, what, path, expected or steps, options,
                              padding=padding, epsilon=epsilon)

    check("PyTorch's style, BatchNorm folded in", steps, folded=True)
    check("PyTorch's style, BatchNormalization nodes", steps)
    check("Gluon's style, an expansion at t = 1", expanded, clip="attribute")
    said = check("tf2onnx's style, Pad nodes, NHWC input", same, padding="same", epsilon=1e-3,
                 pads="node", nhwc=True, clip="min")
    tap.check("epsilon       0.001  (the source)" in said and "same  (the source)" in said,
              "padding and epsilon come from the graph", said)
    check("padding by SAME_UPPER", same, padding="same", epsilon=1e-3, pads="auto")
    check("int8 a channel, QuantizeLinear and DequantizeLinear", steps, quantised=True,
          expected=as_quantised(steps, 1e-5))
    weight, bias = sample.classifier(steps, 5)
    for head in ("MatMul", "Gemm", "shaped", "Conv"):
        Writer(steps, head=head).save(path)
        sample.check_classifier(tap, f"ONNX, {head}", path, weight, None if head == "Conv" else bias)
    for head in ("deep", "branch"):
        Writer(steps, head=head).save(path)
        sample.check_dropped(tap, f"ONNX, {head}", path, "no single linear layer")
    Writer(steps, branch=True).save(path)
    refused(tap, path, folder, "a detection model names the way out", "--backbone")
    sample.compare(tap, build, folder, "a detection model's backbone", path, steps, ("--backbone",))
    Writer(steps).save(path, save_as_external_data=True, location="values.bin", size_threshold=64)
    sample.compare(tap, build, folder, "values in a file beside the model", path, steps)
    Writer(steps, clip="relu").save(path)
    refused(tap, path, folder, "ReLU in ReLU6's place", "ReLU, a MobileNetV2 has ReLU6")
    wrong = [replace(s, residual=False) if s.block == 4 else s for s in steps]
    Writer(wrong).save(path)
    refused(tap, path, folder, "a missing residual", "layer.4.project")
    wrong = [replace(s, weight=s.weight[:-1], norm=tuple(n[:-1] for n in s.norm))
             if s.block == 4 and s.part == "expand" else s for s in steps]
    Writer(wrong).save(path)
    refused(tap, path, folder, "a pruned channel", "layer.4.expand")


def check_lies(tap, folder):
    path = os.path.join(folder, "lie.onnx")
    writer = Writer(sample.network())
    for what, location, text in (("../", "../../etc/passwd", "only files beside"),
                                 ("an absolute path", "/etc/passwd", "only files beside"),
                                 ("a file that is missing", "none.bin", "")):
        changed = onnx.ModelProto()
        changed.CopyFrom(writer.model)
        held = [t for t in changed.graph.initializer if t.name == "layer.3.expand"][0]
        held.ClearField("raw_data")
        held.data_location = TensorProto.EXTERNAL
        held.external_data.add(key="location", value=location)
        with open(path, "wb") as file:
            file.write(changed.SerializeToString())
        refused(tap, path, folder, f"values outside, at {what}", text)
    for what, dims in (("huge", [1 << 40, 1 << 40]), ("negative", [-1, 8, 1, 1]),
                       ("empty", [0, 8, 1, 1])):
        changed = onnx.ModelProto()
        changed.CopyFrom(writer.model)
        held = [t for t in changed.graph.initializer if t.name == "layer.3.expand"][0]
        del held.dims[:]
        held.dims.extend(dims)
        with open(path, "wb") as file:
            file.write(changed.SerializeToString())
        refused(tap, path, folder, f"a tensor of a {what} shape", "layer.3.expand")
    whole, random, bad = writer.model.SerializeToString(), np.random.default_rng(3), []
    names = [i for i in range(len(whole) - 8) if whole[i : i + 5] in (b"value", b"layer", b"const")]
    for i in range(100):
        changed = bytearray(whole[:random.integers(8, len(whole))] if i % 3 == 0 else whole)
        for at in random.choice(names, 10) if i % 3 else ():
            changed[int(at) + random.integers(-8, 8)] = random.integers(0, 256)
        with open(path, "wb") as file:
            file.write(changed)
        bad += filter(None, [sample.stumbles(path)])
    tap.check(not bad, "100 damaged models: an error in one line, or harmless", bad[:1])


def check_torch(tap, build, folder):
    """What torch's own exporter writes."""
    try:
        import torch
    except ModuleNotFoundError:
        print("# left out: models that torch exports (python3-torch is not installed)")
        return
    nn, steps = torch.nn, sample.network()

    class Block(nn.Module):
        def __init__(self, steps):
            super().__init__()
            layers = []
            for s in steps:
                depthwise = s.part == "depthwise"
                conv = nn.Conv2d(len(s.weight) if depthwise else s.weight.shape[1], len(s.weight),
                                 s.weight.shape[2], s.stride, s.weight.shape[2] // 2,
                                 groups=len(s.weight) if depthwise else 1, bias=False)
                norm = nn.BatchNorm2d(len(s.weight))
                conv.weight.data = torch.from_numpy(s.weight)
                norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var = map(
                    torch.from_numpy, s.norm)
                layers += [conv, norm] + ([] if s.part == "project" else [nn.ReLU6()])
            self.layers, self.residual = nn.Sequential(*layers), steps[-1].residual

        def forward(self, x):
            return x + self.layers(x) if self.residual else self.layers(x)

    blocks = [Block([s for s in steps if s.block == b])
              for b in dict.fromkeys(s.block for s in steps)]
    model = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 5)).eval()
    path = os.path.join(folder, "torch.onnx")
    for what, mode in (("folded", torch.onnx.TrainingMode.EVAL),
                       ("BatchNormalization", torch.onnx.TrainingMode.PRESERVE)):
        torch.onnx.export(model, torch.zeros(1, 3, 64, 64), path, training=mode,
                          do_constant_folding=what == "folded")
        sample.compare(tap, build, folder, f"torch {torch.__version__}'s exporter, {what}", path, steps)


def check_shared(tap, build, folder):
    output = os.path.join(folder, "shared.msw")
    run = sample.export(os.path.join(SHARED, "checkpoints", "mobilenet_v2_0.35_128.onnx"), output)
    with open(os.path.join(SHARED, "reference", "order.json")) as file:
        names = [os.path.splitext(name)[0] for name in json.load(file)]
    paths = [os.path.join(SHARED, "reference", "pixels-128", name + ".png") for name in names]
    expected = np.load(os.path.join(SHARED, "reference", "onnx-035-128.embeddings.npy"))
    got = sample.embed(build, output, paths)
    worst = max(sample.difference(a, b) for a, b in zip(got, expected))
    print(f"# tf2onnx's file against ONNX Runtime: largest difference {worst:.2g} of the largest value")
    tap.check(worst <= 1e-4, "24 embeddings are ONNX Runtime's", run.stderr)
    if onnx:
        check_flowers(tap, build, output, got, paths)


def check_flowers(tap, build, weights, embeddings, paths):
    """What the program's classifier says of tf2onnx's file, against the layer as python3-onnx reads it."""
    source = os.path.join(SHARED, "checkpoints", "mobilenet_v2_0.35_128.onnx")
    run = sample.export(source, weights, "--keep-classifier")
    graph = onnx.load(source).graph
    held = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in graph.initializer}
    matmul = [n for n in graph.node if n.op_type == "MatMul"][-1]
    add = [n for n in graph.node if matmul.output[0] in n.input][0]
    expected = embeddings.astype(np.float64) @ held[matmul.input[1]] + sum(held[i] for i in add.input if i in held)
    rows = subprocess.run([f"{build}/minisim", "classify", "--json", "--preprocessed", "--weights", weights,
                           *paths], capture_output=True, check=True).stdout.splitlines()
    got = np.array([[c["logit"] for c in sorted(json.loads(row)["classes"], key=lambda c: c["class"])]
                    for row in rows])
    tap.check(got.shape == (24, 5) and sample.difference(got, expected) <= 1e-5,
              "24 classifications are python3-onnx's and NumPy's", run.stdout + run.stderr)


def main():
    tap = Tap()
    build = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        if onnx:
            check_styles(tap, build, folder)
            check_lies(tap, folder)
            check_torch(tap, build, folder)
        else:
            print("# left out: models written by python3-onnx (it is not installed)")
        if SHARED:
            check_shared(tap, build, folder)
        else:
            left_out("an ONNX file against ONNX Runtime")
    tap.finish()


if __name__ == "__main__":
    main()
