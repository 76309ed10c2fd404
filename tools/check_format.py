#!/usr/bin/python3
"""Holds the two readers of weights/FORMAT.md to each other: tools/check_format.py BUILD.

One is C, one is msw.py. Networks of many kinds that msw.py writes are read by C with the same header, facts and
folded weights (the embedding id, which audit.py computes by src/NUMBERS.md, tells). Files with one field or
value changed are read by both, with equal ids, or refused by both, and both name the tensor or the field.
"""

import itertools
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from unittest import mock

import msw
import numpy as np
from audit import embedding_id
from sample_network import STAGES, rounded

from tap import Tap

FULL = (0.35, 1.4)


# -- networks of many kinds ------------------------------------------------------------------------


class Dice:
    """Draws networks: any block list, channels, types, with and without BatchNorm and biases."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def one_of(self, *values):
        return values[self.random.integers(len(values))]

    def layer(self, name, shape, stride=0):
        """The tensors of a layer, in their order."""
        outputs = shape[0]
        draw = self.random.uniform
        tensors = []
        if self.one_of(True, False):
            ranges = {"gamma": (-1, 2), "beta": (-1, 1), "mean": (-1, 1), "var": (0.01, 2)}
            tensors = [msw.make_tensor(f"{name}.bn.{part}", draw(*ends, outputs), "f32")
                       for part, ends in ranges.items()]
        if self.one_of(True, False):
            tensors.append(msw.make_tensor(f"{name}.bias", draw(-1, 1, outputs), "f32"))
        weight = self.random.normal(0, 0.3, shape)
        return tensors + [msw.make_tensor(f"{name}.weight", weight, self.one_of(*msw.TYPES), stride)]

    def network(self, stem, blocks, head):
        """blocks: (expanded channels or 0, stride, outputs) each."""
        tensors, inputs = self.layer("stem", (stem, 3, 3, 3), 2), stem
        for i, (expanded, stride, outputs) in enumerate(blocks):
            if expanded:
                tensors += self.layer(f"block.{i}.expand", (expanded, inputs))
            tensors += self.layer(f"block.{i}.depthwise", (expanded or inputs, 3, 3), stride)
            tensors += self.layer(f"block.{i}.project", (outputs, expanded or inputs))
            inputs = outputs
        return tensors + self.layer("head", (head, inputs))

    def channels(self):
        return int(self.one_of(1, 3, 8, 15, 16, 17, 24, 33))

    def model(self, tensors, facts, **header):
        size, geometry = int(self.random.integers(1, 17)) * 32, self.one_of(*msw.GEOMETRIES)
        drawn = {
            "input_size": size, "padding": self.one_of(*msw.PADDINGS), "geometry": geometry,
            "resampling": self.one_of(*msw.RESAMPLINGS),
            "crop_side": size + int(self.random.integers(0, 50)) if geometry == "crop" else 0,
            "pad_colour": int(self.random.integers(1 << 24)) if geometry == "pad" else 0,
            "epsilon": self.one_of(0.0, 1e-5, 1e-3, 0.1),
            "mean": tuple(self.random.uniform(0, 1, 3)), "std": tuple(self.random.uniform(0.1, 1, 3))}
        return msw.Model(**{**drawn, **header}, facts=facts, tensors=tensors)

    def any_model(self):
        blocks = []
        for i in range(int(self.one_of(1, 2, 5))):
            expanded = self.channels() if i or self.one_of(True, False) else 0
            stride = int(self.one_of(1, 1, 2)) if i < 4 else 1  # with the stem's, at most 32 together
            blocks.append((expanded, stride, self.channels()))
        facts = self.one_of({}, {"source": "a.pth", "x-unknown.1": "kept: as it is "},
                            {"note": "käse 画像 \U0001f5bc \u2028", "width": ""})
        return self.model(self.network(self.channels(), blocks, self.channels()), facts)


def small_model(seed):
    """One block in a file of some 5 KB: what is read thousands of times."""
    dice = Dice(seed)
    return dice.model(dice.network(3, ((4, 2, 3),), 5), {"note": "x"}, input_size=64)


def full_model(width):
    """The paper's network."""
    dice, blocks, inputs = Dice(int(100 * width)), [], rounded(32 * width)
    stem = inputs
    for expansion, outputs, repeats, stride in STAGES:
        for repeat in range(repeats):
            blocks.append((expansion * inputs if expansion > 1 else 0, 1 if repeat else stride,
                           rounded(outputs * width)))
            inputs = rounded(outputs * width)
    return dice.model(dice.network(stem, blocks, max(1280, rounded(1280 * width))), {}, input_size=96)


# -- what the readers say --------------------------------------------------------------------------


def python_says(data):
    try:
        model = msw.unpack(bytes(data))
    except msw.FormatError as error:
        return f"no {error}"
    network = [(layer, *msw.fold(layer, model.epsilon)) for layer in msw.layers(model)]
    return f"ok {embedding_id(model, network)}"


def c_says(build, files):
    stream = b"".join(struct.pack("<I", len(data)) + data for data in files)
    run = subprocess.run([f"{build}/weights_tool"], input=stream, capture_output=True, check=True)
    return run.stdout.decode("utf-8", "replace").splitlines()


def layer_in(text):
    found = re.search(r"stem|head|block\.\d+\.[a-z]+", text)
    return found and found[0]


def check_alike(tap, build, what, cases):
    """cases: (what was changed, bytes, words of which each refusal holds one; None: the same layer's name)."""
    files, bad, refused = [data for _, data, _ in cases], [], 0
    lines = c_says(build, files)
    for (change, data, words), line in itertools.zip_longest(cases, lines, fillvalue=""):
        other = python_says(data)
        alike = line == other or line[:3] == other[:3] == "no "
        if words is None:
            named = line[:3] == "ok " or layer_in(line) == layer_in(other) is not None
        else:
            named = not words or line[:3] == "ok " or all(
                any(word in said for word in words) for said in (line, other))
        refused += line[:3] == "no "
        if not (alike and named):
            bad.append(f"{change}: C {line!r}, Python {other!r}")
    print(f"# {what}: {len(cases)} files, {refused} refused")
    tap.check(not bad and refused not in (0, len(cases)), f"{what}: read or refused by both",
              "\n".join([f"{len(bad)} of them"] + bad[:12]))


# -- the checks ------------------------------------------------------------------------------------


def check_checksum(tap):
    """msw.py's two ways give the published value, and the same where they meet."""
    data = np.random.default_rng(1).bytes(40000)
    with mock.patch.object(msw, "SMALL", len(data) + 1):
        plain = msw.crc32c(data)
    tap.check(msw.crc32c(b"123456789") == 0xE3069283 and msw.crc32c(data) == plain, "CRC-32C, both ways")


def check_kinds(tap, build, folder):
    models = [Dice(seed).any_model() for seed in range(70)]
    models += [full_model(width) for width in FULL]
    files = [msw.pack(model) for model in models]
    bad = [(seed, line) for seed, (line, data) in enumerate(zip(c_says(build, files), files))
           if line != python_says(data) or not line.startswith("ok ")]
    tap.check(not bad, f"{len(files)} kinds of networks: C reads what msw.py wrote, with equal ids", bad[:5])
    path, bad = os.path.join(folder, "kind.msw"), []
    for model, data in zip(models[:24], files):
        with open(path, "wb") as file:
            file.write(data)
        run = subprocess.run([f"{build}/minisim", "info", "--json", path], capture_output=True, check=True)
        info = json.loads(run.stdout)
        network, preparation = info["network"], info["preprocessing"]
        geometry = {"crop": {"crop_size": model.crop_side}, "pad": {"pad_colour": f"{model.pad_colour:06x}"}}
        parameters = sum(weight.size + bias.size for weight, bias in (
            msw.fold(layer, model.epsilon) for layer in msw.layers(model)))
        wanted = {"geometry": model.geometry, "resample": model.resampling, "mean": list(model.mean),
                  "std": list(model.std)}
        if ({key: preparation[key] for key in wanted} != wanted or network["epsilon"] != model.epsilon
                or network["padding"] != model.padding or network["input_size"] != model.input_size
                or network["parameters"] != parameters or info["weights"]["facts"] != model.facts):
            bad.append((geometry, info))
    tap.check(not bad, "24 of them: minisim info tells the same header and facts", bad[:1])


def words_changed(data, at, values):
    """The file with the u32 at byte `at` replaced by each value, sealed again."""
    old = struct.unpack_from("<I", data, at)[0]
    for value in sorted({v & 0xFFFFFFFF for v in values(old)} - {old}):
        changed = bytearray(data)
        struct.pack_into("<I", changed, at, value)
        msw.seal(changed)
        yield value, bytes(changed)


def limits(old):
    """What a field of the header may hold by mistake: a neighbour, a limit, part of a double."""
    return (0, 1, 2, 3, 4, 32, 33, 64, 512, 544, 4096, 4097, old + 1, old - 1, old ^ 1 << 31, 0xFFFFFF, 1 << 24,
            0xFFFFFFFF, 0x7FF00000, 0x7FF80000, 0xBFF00000)


def neighbours(old):
    return 0, 1, 2, 5, old + 1, old * 2, old ^ 1 << 31


# Byte of the header: what both readers call it. The sizes at 16 to 31 move everything behind them.
FIELDS = {0: ["no weights file"], 4: ["no weights file"], 8: ["version"], 16: ["header says"],
          20: ["header says"], 24: [], 28: [], 32: ["input size", "crop"], 36: ["padding"], 40: ["geometry", "crop"],
          44: ["resampling"], 48: ["crop"], 52: ["colour"], 56: ["epsilon"], 60: ["epsilon"],
          **{at: ["mean"] for at in range(64, 88, 4)}, **{at: ["std"] for at in range(88, 112, 4)},
          **{at: ["zero"] for at in range(112, 128, 4)}}


def check_header(tap, build):
    cases, places = [], FIELDS
    for geometry in msw.GEOMETRIES:
        model = small_model(3)
        model.geometry, model.pad_colour = geometry, 77 if geometry == "pad" else 0
        model.crop_side = model.input_size + 40 if geometry == "crop" else 0
        data = msw.pack(model)
        cases += [(f"{geometry}, byte {at}: {value}", changed, FIELDS[at]) for at in places
                  for value, changed in words_changed(data, at, limits)]
        places = (32, 40, 48, 52)  # for the others, what the geometry has to do with
    check_alike(tap, build, "every field of the header", cases)


def table_of(model):
    return msw._align(msw.HEADER.size + len(msw._facts_bytes(model.facts)))


def check_table(tap, build):
    with mock.patch.object(Dice, "one_of", lambda self, *values: values[0]):  # BatchNorm, bias, f32
        model = small_model(8)
    data, cases = msw.pack(model), []
    for index, name in enumerate(tensor.name for tensor in model.tensors):
        if not re.match(r".*weight|block.0.expand", name):
            continue
        entry = table_of(model) + msw.ENTRY.size * index
        cases += [(f"{name}, byte {at}: {value}", changed, [name, "strides"])
                  for at in range(48, msw.ENTRY.size, 4)
                  for value, changed in words_changed(data, entry + at, neighbours)]
        cases += [(f"{name}, byte {at} of the name: {value:x}", changed, []) for at in (0, 8, 44)
                  for value, changed in words_changed(data, entry + at, lambda old: (
                      0, old ^ 1, old ^ 0x80, old & 0xFFFFFF))]
    check_alike(tap, build, "every field of the table of tensors", cases)


def check_values(tap, build):
    """NaN, infinities, what overflows, what is not above 0: in each tensor of three files."""
    cases = []
    for seed in (5, 6, 7):
        model = small_model(seed)
        data = msw.pack(model)
        for index, tensor in enumerate(model.tensors):
            offset = struct.unpack_from("<Q", data, table_of(model) + msw.ENTRY.size * index + 80)[0]
            cases += [(f"seed {seed}, {tensor.name}: {value:x}", changed, None)
                      for value, changed in words_changed(data, offset, lambda old: (
                          0x7FC00000, 0xFF800000, 0x7F7FFFFF, 0xBF800000, 0x7C007C00))]
    check_alike(tap, build, "values of every tensor", cases)


def check_facts(tap, build):
    model = small_model(3)
    values = [b"", b"a: b\n", b"a: b", b"a:b\n", b": b\n", b"a: \n", b"a:  b \n", b"A: b\n", b"a b: c\n", b"a: b: c\n",
              b"\n", b"a: b\n\n", b"a: b\na: c\n", b"a: b\nb: c\n", b"a.1-z: b\n", b"a_: b\n",
              b"k" * 64 + b": v\n", b"k" * 65 + b": v\n", "é: b\n".encode(), "a: é\n".encode(),
              b"\xef\xbb\xbfa: b\n", "a: \ufeff\u2028\ufffe\U0010ffff\n".encode(), b"a: \t\n", b"a: \r\n",
              b"a: \0\n", b"a\0: b\n", b"a: \x7f\n", b"a: \xc2\x85\n", b"a: \xc2\xa0\n", b"a: \xff\n",
              b"a: \xc0\x80\n", b"a: \xe0\x80\xaf\n", b"a: \xed\xa0\x80\n", b"a: \xf4\x90\x80\x80\n",
              b"a: \xe2\x82\n", b"a: \x80\n", b"a: \xf8\x88\x80\x80\x80\n", b"a: " + b"x" * 65532 + b"\n",
              b"a: " + b"x" * 65533 + b"\n"]
    cases = []
    for raw in values:
        with mock.patch.object(msw, "_facts_bytes", lambda _, raw=raw: raw), \
                mock.patch.object(msw, "check", lambda _: None):
            cases.append((repr(raw[:40]), msw.pack(model), ["fact"]))
    check_alike(tap, build, "facts", cases)


def check_lengths(tap, build):
    model = small_model(4)
    data = msw.pack(model)
    cases = [("whole", data, [])]
    for size in (*range(0, 200, 17), *range(200, len(data) + 130, len(data) // 31), len(data) - 1):
        changed = bytearray((data + bytes(256))[:size])
        cases.append((f"{size} bytes", bytes(changed), []))
        if size >= msw.HEADER.size:
            struct.pack_into("<Q", changed, 16, size)
            msw.seal(changed)
            cases.append((f"{size} bytes, and says so", bytes(changed), []))
    check_alike(tap, build, "cut and lengthened files", cases)


def main():
    tap, build = Tap(), sys.argv[1]
    check_checksum(tap)
    with tempfile.TemporaryDirectory() as folder:
        check_kinds(tap, build, folder)
    check_header(tap, build)
    check_table(tap, build)
    check_values(tap, build)
    check_facts(tap, build)
    check_lengths(tap, build)
    tap.finish()


if __name__ == "__main__":
    main()
