#!/usr/bin/python3
"""Imports TFLite models: tools/check_import_tflite.py BUILD.

float32, float16 and dynamic-range files come from this script's own writer, from the published schema;
what other programs wrote (int8 a channel, uint8 a tensor) is held against PyTorch in check_network.py.
Outputs are held against the network computed in double.
"""

import os
import struct
import sys
import tempfile
from dataclasses import replace

import numpy as np
import sample_network as sample
from tap import Tap

CODES = {"ADD": 0, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEQUANTIZE": 6, "FULLY_CONNECTED": 9, "RELU6": 21, "RESHAPE": 22, "SOFTMAX": 25, "PAD": 34,
         "MEAN": 40, "MUL": 18, "HARD_SWISH": 117}
TYPES = {"float32": 0, "float16": 1, "int32": 2, "int8": 9}


class FlatBuffer:
    """Writes nested values: a dict {field: value} is a table, a list a vector of tables, an array a vector of
    numbers, bytes a string, (form, number) a number in place. Parents lie before their children."""

    def __init__(self, root, identifier):
        self.data = bytearray(8)
        self.data[4:8] = identifier
        self.patch(0, root)

    def put(self, form, *values):
        at = len(self.data)
        self.data += struct.pack("<" + form, *values)
        return at

    def align(self):
        self.data += bytes(-len(self.data) % 8)

    def patch(self, place, value):
        """Writes value at the end and its distance at `place`."""
        self.align()
        if isinstance(value, dict):
            target, later = self.table(value)
        else:
            target, later = len(self.data), []
            if isinstance(value, list):
                self.put("I", len(value))
                later = [(self.put("I", 0), item) for item in value]
            else:
                raw = value if isinstance(value, bytes) else value.tobytes()
                self.put("I", len(raw) if isinstance(value, bytes) else len(value))
                self.data += raw + b"\0"
        struct.pack_into("<I", self.data, place, target - place)
        for at, item in later:
            self.patch(at, item)

    def table(self, fields):
        """A vtable, then the table, each field in 4 bytes."""
        count = max(fields, default=-1) + 1
        vtable, order = len(self.data), sorted(fields)
        self.put(f"HH{count}H", 4 + 2 * count, 4 + 4 * len(order),
                 *(4 + 4 * order.index(i) if i in fields else 0 for i in range(count)))
        self.data += bytes(-len(self.data) % 4)
        start, later = len(self.data), []
        self.put("i", start - vtable)
        for field in order:
            value = fields[field]
            if isinstance(value, tuple):
                at = self.put(*value)
                self.data += bytes(4 - (len(self.data) - at))
            else:
                later.append((self.put("I", 0), value))
        return start, later


class Writer:
    """A model; kind is float32, float16 (constants pass a DEQUANTIZE) or int8 (dynamic range)."""

    def __init__(self, steps, padding="same", epsilon=1e-3, kind="float32", fused=True, size=64,
                 activation="RELU6", branch=False, prepared=False, head=None):
        self.tensors, self.buffers, self.operators = [], [{}], []
        self.codes, self.kind, self.fused, self.activation = [], kind, fused, activation
        self.padding, self.epsilon = padding, epsilon
        self.input = x = self.tensor([1, size, size, 3], "float32", "input")
        if prepared:
            half = self.stored(np.float32([2]).reshape(1), "scale")
            x = self.operator("MUL", [x, half], {0: ("b", 0)})
        for step in steps:
            x = self.step(step, x, branch)
        axes = self.stored(np.array([1, 2], np.int32), "axes")
        output = self.operator("MEAN", [x, axes], {0: ("b", 0)})
        if head:
            output = self.head(head, output, *sample.classifier(steps, 5))
        self.data = FlatBuffer({
            0: ("I", 3), 1: [{0: ("b", min(CODES[c], 127)), 3: ("i", CODES[c])} for c in self.codes],
            2: [{0: self.tensors, 1: np.array([self.input], "<i4"), 2: np.array([output], "<i4"),
                 3: self.operators}], 4: self.buffers}, b"TFL3").data

    def head(self, kind, x, weight, bias):
        """The classifier, in the two ways that there are; or one with an activation, which is none."""
        bias, active = self.constant(bias, "bias"), 3 if kind == "active" else 0
        if kind == "CONV_2D":
            weight = self.constant(weight[:, None, None], "weight", 0)
            x = self.operator(kind, [x, weight, bias], {0: ("b", 0), 1: ("i", 1), 2: ("i", 1)})
            x = self.operator("RESHAPE", [x, self.stored(np.array([1, 5], np.int32), "flat")])
        else:
            x = self.operator("FULLY_CONNECTED", [x, self.constant(weight, "weight"), bias], {0: ("b", active)})
        return self.operator("SOFTMAX", [x])

    def tensor(self, shape, kind, name, values=None, quantization=None):
        entry = {0: np.array(shape, "<i4"), 1: ("b", TYPES[kind]), 2: ("I", 0), 3: name.encode()}
        if values is not None:
            entry[2] = ("I", len(self.buffers))
            self.buffers.append({0: np.frombuffer(values.tobytes(), np.uint8)})
        if quantization is not None:
            scales, axis = quantization
            entry[4] = {2: scales, 3: np.zeros(len(scales), "<i8"), 6: ("i", axis)}
        self.tensors.append(entry)
        return len(self.tensors) - 1

    def stored(self, values, name):
        return self.tensor(values.shape, str(values.dtype), name, values)

    def operator(self, kind, inputs, options=None):
        if kind not in self.codes:
            self.codes.append(kind)
        output = self.tensor([1], "float32", f"{kind}_{len(self.operators)}")
        entry = {0: ("I", self.codes.index(kind)), 1: np.array(inputs, "<i4"),
                 2: np.array([output], "<i4")}
        if options is not None:
            entry |= {3: ("B", 1), 4: options}
        self.operators.append(entry)
        return output

    def constant(self, values, name, axis=None):
        if self.kind == "float16":
            return self.operator("DEQUANTIZE", [self.stored(values.astype(np.float16), name)])
        if self.kind == "int8" and axis is not None:
            scales, integers = quantised(values, axis)
            return self.tensor(values.shape, "int8", name, integers, (scales.astype("<f4"), axis))
        return self.stored(values.astype(np.float32), name)

    def step(self, step, x, branch):
        if step.part == "expand" or step.part == "depthwise" and step.block == 0:
            self.block_input = x
        weight, bias = step.folded(self.epsilon)
        depthwise, name = step.part == "depthwise", f"layer.{step.block}.{step.part}"
        weight = weight.transpose(1, 2, 3, 0) if depthwise else weight.transpose(0, 2, 3, 1)
        rule = 0
        if weight.shape[1] == 3 and self.padding == "symmetric":
            pads = np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
            x, rule = self.operator("PAD", [x, self.stored(pads, name + ".pads")]), 1
        inputs = [x, self.constant(weight, name, 3 if depthwise else 0), self.constant(bias, name + ".bias")]
        active = 3 if self.fused and step.part != "project" else 0
        options = {0: ("b", rule), 1: ("i", step.stride), 2: ("i", step.stride)}
        options |= {3: ("i", 1), 4: ("b", active)} if depthwise else {3: ("b", active)}
        x = self.operator("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, options)
        if not self.fused and step.part != "project":
            x = self.operator(self.activation, [x])
        if step.residual:
            x = self.operator("ADD", [self.block_input, x], {0: ("b", 0)})
        if branch and step.block == 13 and step.part == "expand":
            box = self.constant(np.zeros((8, 1, 1, len(step.weight))), "box", 0)
            self.operator("CONV_2D", [x, box], {0: ("b", 0), 1: ("i", 1), 2: ("i", 1)})
        return x


def quantised(values, axis):
    others = tuple(i for i in range(4) if i != axis)
    scales = (np.abs(values).max(others, keepdims=True) / 127).astype(np.float32)
    return scales.ravel(), np.rint(values / scales.astype(np.float64)).astype(np.int8)


def as_stored(steps, epsilon, kind):
    """The steps with the values that the file's tensors have."""
    found = []
    for step in steps:
        weight, bias = step.folded(epsilon)
        if kind == "float16":
            weight, bias = weight.astype(np.float16), bias.astype(np.float16)
        elif kind == "int8":
            scales, integers = quantised(weight, 0)
            weight = integers * scales[:, None, None, None].astype(np.float64)
        ones = np.ones(len(weight), np.float64)
        norm = (ones, bias.astype(np.float32), 0 * ones, ones - epsilon)
        found.append(replace(step, weight=weight.astype(np.float64), norm=norm))
    return found


def refused(tap, source, folder, what, text):
    output = os.path.join(folder, "refused.msw")
    run = sample.export(source, output)
    tap.check(run.returncode == 3 and len(run.stderr.splitlines()) == 1 and text in run.stderr
              and not os.path.exists(output), what, run.stderr)


def main():
    tap = Tap()
    build = sys.argv[1]
    print("# .tflite: this script's own writer, from the published schema")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.tflite")

        def write(*arguments, **options):
            with open(path, "wb") as file:
                file.write(Writer(*arguments, **options).data)

        same, symmetric = sample.network(padding="same", epsilon=1e-3), sample.network(epsilon=1e-3)
        for kind in ("float32", "float16", "int8"):
            write(same, kind=kind)
            sample.compare(tap, build, folder, {"int8": "dynamic range"}.get(kind, kind), path,
                           as_stored(same, 1e-3, kind), padding="same", epsilon=1e-3)
        weight, bias = sample.classifier(same, 5)
        for head, kind, limit in (("CONV_2D", "int8", 0.5 / 127), ("FULLY_CONNECTED", "float32", 0),
                                  ("FULLY_CONNECTED", "float16", 5e-4)):
            write(same, head=head, kind=kind)
            sample.check_classifier(tap, f"{head}, {kind}", path, weight, bias, limit)
        write(same, head="active")
        sample.check_dropped(tap, "with an activation", path, "no single linear layer")
        write(same, fused=False)
        sample.compare(tap, build, folder, "RELU6 as an operator", path, same, padding="same",
                       epsilon=1e-3)
        write(symmetric, padding="symmetric")
        said = sample.compare(tap, build, folder, "padding by PAD", path, symmetric, epsilon=1e-3)
        tap.check("symmetric  (the source)" in said, "and its rule is found", said)
        write(same, prepared=True)
        said = sample.compare(tap, build, folder, "MUL in front", path, same, padding="same",
                              epsilon=1e-3)
        tap.check("begins with MUL" in said, "and that is said", said)
        write(same, branch=True)
        refused(tap, path, folder, "a detection model names the way out", "--backbone")
        sample.compare(tap, build, folder, "a detection model's backbone", path, same, ("--backbone",),
                       padding="same", epsilon=1e-3)
        write(same, fused=False, activation="HARD_SWISH")
        refused(tap, path, folder, "HARD_SWISH, as MobileNetV3 has", "HARD_SWISH")
        random, bad, whole = np.random.default_rng(5), [], Writer(same).data
        for i in range(100):
            changed = bytearray(whole[:random.integers(8, len(whole))] if i % 3 == 0 else whole)
            for at in random.integers(8, 9000, 8) if i % 3 else ():
                changed[at] = random.integers(0, 256)
            with open(path, "wb") as file:
                file.write(changed)
            bad += filter(None, [sample.stumbles(path)])
        tap.check(not bad, "100 damaged files: an error in one line, or harmless", bad[:1])
        write([replace(s, residual=s.block in (2, 5)) if s.part == "project" else s for s in same])
        refused(tap, path, folder, "a residual is missing", "layer.4.project")
    tap.finish()


if __name__ == "__main__":
    main()
