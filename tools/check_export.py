#!/usr/bin/python3
"""Exports checkpoints that it writes itself, and wrong ones: tools/check_export.py BUILD.

The .pth files are written by this script in torch's format, without torch; whether real ones are read
rightly is what tools/check_network.py shows.
"""

import argparse
import collections
import io
import os
import pickle
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import types
import zipfile
from dataclasses import replace

import msw
import numpy as np
from importers import tflite

from tap import SHARED, Tap, left_out

EXPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "export_weights.py")
DEFAULT = os.path.join(os.path.dirname(EXPORT), "..", "weights", "minisim-default.msw")


# -- a .pth file as torch.save writes it ------------------------------------------------------------

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")


class FloatStorage:
    pass


def _rebuild_tensor_v2(*_):
    raise NotImplementedError


for module, member in ((torch, FloatStorage), (utils, _rebuild_tensor_v2)):
    member.__module__ = module.__name__
    setattr(module, member.__name__, member)
    sys.modules[module.__name__] = module


class Storage:
    def __init__(self, key, size):
        self.reference = ("storage", FloatStorage, key, "cpu", size)


class Tensor:
    def __init__(self, key, values):
        self.key, self.values = key, values

    def __reduce__(self):
        values = self.values
        strides = tuple(step // values.itemsize for step in values.strides)
        return _rebuild_tensor_v2, (Storage(self.key, values.size), 0, values.shape, strides,
                                    False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.reference if isinstance(obj, Storage) else None


def write_pth(path, tensors):
    stream = io.BytesIO()
    arrays = {name: np.ascontiguousarray(v, "<f4") for name, v in tensors.items()}
    Pickler(stream, 2).dump(pickled(arrays))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        for i, values in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{i}", values.tobytes())


def pickled(arrays, first=0):
    return collections.OrderedDict(
        (name, Tensor(str(first + i), v)) for i, (name, v) in enumerate(arrays.items()))


def write_legacy_pth(path, tensors, wrong_keys=False):
    """The row of pickles of before torch 1.6, with an optimizer's state beside the network's."""
    arrays = {name: np.ascontiguousarray(v, "<f4") for name, v in tensors.items()}
    moments = {"exp_avg": np.ones(7, "<f4"), "exp_avg_sq": np.ones((2, 3), "<f4")}
    values = list(moments.values()) + list(arrays.values())
    keys = [str(i) for i in range(len(values))]
    with open(path, "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, 2)
        pickle.dump(1001, file, 2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, file, 2)
        Pickler(file, 2).dump({
            "optimizer": {"state": {0: pickled(moments)}, "param_groups": [{"lr": 0.1}]},
            "args": argparse.Namespace(lr=0.1), "epoch": 3, "state_dict": pickled(arrays, len(moments))})
        pickle.dump(keys + ["other"] if wrong_keys else keys, file, 2)
        for array in values:
            file.write(struct.pack("<q", array.size) + array.tobytes())
        file.write(bytes(8))


def torchvision(width):
    """A state dict in torchvision's names with random values."""
    random = np.random.default_rng(3)
    tensors = {}

    def rounded(channels):
        down = max(8, int(channels * width + 4) // 8 * 8)
        return down + 8 if down < 0.9 * channels * width else down

    def conv(name, norm, *shape):
        tensors[name + ".weight"] = random.normal(0, 0.1, shape)
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{norm}.{part}"] = random.uniform(0.5, 1.5, shape[0])
        tensors[norm + ".num_batches_tracked"] = np.zeros(1)

    inputs, index = rounded(32), 1
    conv("features.0.0", "features.0.1", inputs, 3, 3, 3)
    for t, c, n, _ in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                       (6, 160, 3, 2), (6, 320, 1, 1)):
        for _ in range(n):
            name, wide, at = f"features.{index}.conv", inputs * t, 0
            if t > 1:
                conv(f"{name}.0.0", f"{name}.0.1", wide, inputs, 1, 1)
                at = 1
            conv(f"{name}.{at}.0", f"{name}.{at}.1", wide, 1, 3, 3)
            conv(f"{name}.{at + 1}", f"{name}.{at + 2}", rounded(c), wide, 1, 1)
            inputs, index = rounded(c), index + 1
    conv("features.18.0", "features.18.1", max(1280, rounded(1280)), inputs, 1, 1)
    tensors["classifier.1.weight"] = np.zeros((10, max(1280, rounded(1280))))
    tensors["classifier.1.bias"] = np.zeros(10)
    return tensors


# -- the checks -------------------------------------------------------------------------------------

def export(source, output, *options, before="", **settings):
    """Runs the exporter in a shell, behind the commands of `before`; stopped after a minute."""
    command = ["sh", "-c", f'{before}exec "$@"', "sh", EXPORT, source, "-o", output, *options]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60,
                              **settings)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "ran for more than a minute\n")


def refused(run, text, output):
    clean = run.returncode == 3 and len(run.stderr.splitlines()) == 1
    return clean and text in run.stderr and not os.path.exists(output)


def check_widths(tap, build, folder):
    source, output = os.path.join(folder, "model.pth"), os.path.join(folder, "model.msw")
    for width, kind in ((0.35, "f32"), (0.5, "f16"), (0.75, "i8"), (1.0, "f16"), (1.3, "i8"),
                        (1.4, "f32")):
        tensors = torchvision(width)
        write_pth(source, tensors)
        run = export(source, output, "--type", kind, "--input-size", "96")
        info = subprocess.run([f"{build}/minisim", "info", output, "--json"], capture_output=True,
                              text=True, check=False)
        good = f"width {width:g}" in run.stdout.replace("width 1.0", "width 1")
        if good:
            model = msw.read(output)
            stem = {t.name: t for t in model.tensors}["stem.weight"].values()
            wanted = tensors["features.0.0.weight"].transpose(0, 2, 3, 1)
            step = {"f32": 1e-7, "f16": 1e-3, "i8": 0.5 / 127}[kind]
            good = np.abs(stem - wanted).max() <= step * np.abs(wanted).max()
        tap.check(good and info.returncode == 0, f"width {width}, {kind}: exported, and read in C",
                  run.stdout + run.stderr + info.stderr)


def check_wrong_checkpoints(tap, folder):
    source, output = os.path.join(folder, "wrong.pth"), os.path.join(folder, "wrong.msw")
    tensors = torchvision(0.35)
    narrow = dict(tensors)
    narrow["features.4.conv.0.0.weight"] = narrow["features.4.conv.0.0.weight"][:, :-1]
    write_pth(source, narrow)
    tap.check(refused(export(source, output), "features.4.conv.0.0.weight", output),
              "a tensor of the wrong shape is named")
    missing = {k: v for k, v in tensors.items() if k != "features.7.conv.1.1.running_var"}
    write_pth(source, missing)
    tap.check(refused(export(source, output), "features.7.conv.1.1", output),
              "a missing tensor is named")
    write_pth(source, {"conv1.weight": np.zeros((64, 3, 7, 7)), "layer1.0.conv1.weight":
                       np.zeros((64, 64, 3, 3))})
    tap.check(refused(export(source, output), "", output), "a ResNet is refused")
    infinite = dict(tensors)
    infinite["features.18.0.weight"] = infinite["features.18.0.weight"] * np.inf
    write_pth(source, infinite)
    tap.check(refused(export(source, output), "finite", output), "infinity is refused")
    with open(source, "rb") as file:
        whole = file.read()
    with open(source, "wb") as file:
        file.write(whole[:-5000])
    tap.check(refused(export(source, output), "", output), "a cut zip is refused")


def check_malice(tap, folder):
    """Pickles that want to run something run nothing."""
    source, output = os.path.join(folder, "bad.pth"), os.path.join(folder, "bad.msw")
    trace = os.path.join(folder, "executed")
    attack = b"cos\nsystem\n(S'touch " + trace.encode() + b"'\ntR."
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("archive/data.pkl", attack)
    run = export(source, output)
    tap.check(refused(run, "system", output) and not os.path.exists(trace),
              "a pickle in a zip runs nothing", run.stderr)
    with open(source, "wb") as file:
        file.write(b"\x80\x02" + attack)
    run = export(source, output)
    tap.check(refused(run, "", output) and not os.path.exists(trace), "an old pickle runs nothing",
              run.stderr)


def check_pickle_bombs(tap, folder):
    """Values that take years to hash or to print are refused before they are hashed or printed."""
    source, output = os.path.join(folder, "bomb.pth"), os.path.join(folder, "bomb.msw")
    # Each level: two of the last one in a tuple, put back at memo 0.
    bomb = b")q\x000" + b"h\x00h\x00\x86q\x000" * 60 + b"h\x00"
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n%bX\x03\x00\x00\x00cpuK\x01tQ"
    plain = storage % b"X\x01\x00\x00\x000"
    tensor = b"}X\x01\x00\x00\x00tctorch._utils\n_rebuild_tensor_v2\n(%bK\x00%b%b\x89}tRs."
    cases = {
        "as a key": b"}" + bomb + b"Ns.",
        "as a key among many": b"}(" + bomb + b"Nu.",
        "as a key of DICT": b"(" + bomb + b"Nd.",
        "as an OrderedDict's key": b"ccollections\nOrderedDict\n](" + bomb + b"N\x86e\x85R.",
        "as a shape": tensor % (plain, bomb, b"K\x01\x85"),
        "as an extent": tensor % (plain, bomb + b"\x85", b"K\x01\x85"),
        "as a storage's key": tensor % (storage % bomb, b"K\x01\x85", b"K\x01\x85"),
        "as a storage's kind": b"(" + bomb + b"K\x00K\x00K\x00K\x00tQ.",
        "nested a million deep": b")" + b"\x85" * 1000000 + b".",
        "copied again and again": b"](" + b"NN\x86" * 30000 + b"eq\x000"
                                  + b"ccollections\nOrderedDict\nh\x00\x85R0" * 30000 + b"N.",
    }
    for what, code in cases.items():
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + code)
        run = export(source, output)
        tap.check(refused(run, "the pickle", output), f"a pickle's nested tuple {what}", run.stderr)
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    for what, code in {"as magic": b"", "as version": magic, "as list of keys":
                       magic + pickle.dumps(1001, 2) + pickle.dumps({}, 2) * 2}.items():
        with open(source, "wb") as file:
            file.write(code + (b"\x80\x02" + bomb + b".") * 4)
        run = export(source, output)
        tap.check(refused(run, "", output), f"an old file's nested tuple {what}", run.stderr)


def check_old_files(tap, folder):
    """The row of pickles of before torch 1.6, as training scripts saved it."""
    source, output = os.path.join(folder, "old.pth"), os.path.join(folder, "old.msw")
    new = os.path.join(folder, "new.msw")
    tensors = torchvision(0.35)
    write_pth(source, tensors)
    export(source, new, "--fact", "source=x", "--fact", "source-sha256=x")
    write_legacy_pth(source, tensors)
    run = export(source, output, "--fact", "source=x", "--fact", "source-sha256=x")
    same = run.returncode == 0
    if same:
        with open(output, "rb") as one, open(new, "rb") as other:
            same = one.read() == other.read()
    tap.check(same, "an old .pth with an optimizer gives what the new one gives", run.stderr)
    write_legacy_pth(source, tensors, wrong_keys=True)
    os.unlink(output)
    run = export(source, output)
    tap.check(refused(run, "belongs to nothing", output), "an old .pth with a storage too many",
              run.stderr)


def check_places(tap, folder):
    """Where a file comes from and goes to: little memory, pipes, links, missing packages."""
    source, output = os.path.join(folder, "small.pth"), os.path.join(folder, "small.msw")
    write_pth(source, torchvision(0.35))
    run = export(source, output, before="ulimit -v 1000000; ",
                 env=dict(os.environ, OPENBLAS_NUM_THREADS="1"))
    tap.check(run.returncode == 0, "exports within 1 GB of address space", run.stderr)
    with open(output, "rb") as file:
        expected = file.read()
    pipe, received = os.path.join(folder, "pipe"), []
    os.mkfifo(pipe)

    def read_pipe():
        with open(pipe, "rb") as file:
            received.append(file.read())

    reader = threading.Thread(target=read_pipe, daemon=True)
    reader.start()
    run = export(source, pipe)
    reader.join(10)
    tap.check(run.returncode == 0 and received == [expected] and stat.S_ISFIFO(os.stat(pipe).st_mode)
              and f"{len(expected):,} bytes" in run.stdout, "a pipe is written into and stays a pipe",
              run.stderr)
    link, real = os.path.join(folder, "link.msw"), os.path.join(folder, "real.msw")
    with open(real, "wb"):
        pass
    os.symlink(real, link)
    run = export(source, link)
    with open(real, "rb") as file:
        tap.check(run.returncode == 0 and os.path.islink(link) and file.read() == expected,
                  "a link keeps leading where it did", run.stderr)
    run = export(source, folder)
    tap.check(run.returncode == 4 and "Traceback" not in run.stderr, "a folder is no output",
              run.stderr)
    run = export(pipe, output)
    tap.check(run.returncode == 3, "a pipe is no source", run.stderr)
    blind = os.path.join(folder, "blind")
    os.mkdir(blind)
    with open(os.path.join(blind, "numpy.py"), "w") as file:
        file.write("raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n")
    for tool, *arguments in ((EXPORT, source, "-o", output), (msw.__file__, output)):
        run = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False,
                             env=dict(os.environ, PYTHONPATH=blind))
        tap.check(run.returncode == 4 and run.stderr.endswith(
            ": needs python3-numpy: apt-get install python3-numpy\n"),
            f"{os.path.basename(tool)} without NumPy says what to install", run.stderr)


def check_crop(tap, folder):
    """A preset's crop follows the input size, and the report says so."""
    source, output = os.path.join(folder, "small.pth"), os.path.join(folder, "crop.msw")
    for size, crop in ((64, 73), (224, 256), (512, 585)):
        run = export(source, output, "--preset", "torchvision-v1", "--input-size", str(size))
        good = run.returncode == 0 and msw.read(output).crop_side == crop
        said = "scaled to" in run.stdout or size == 224
        tap.check(good and said, f"input size {size}: crop from {crop}", run.stdout + run.stderr)
    run = export(source, output, "--input-size", "64", "--geometry", "crop:100")
    tap.check(run.returncode == 0 and msw.read(output).crop_side == 100, "a given crop stays",
              run.stderr)


def both_refuse(build, path, model):
    """Whether the writer and, given the bytes all the same, both readers refuse the model."""
    try:
        msw.pack(model)
        return False
    except msw.FormatError:
        pass
    check, msw.check = msw.check, lambda _: None
    try:
        data = msw.pack(model)
    finally:
        msw.check = check
    with open(path, "wb") as file:
        file.write(data)
    try:
        msw.read(path)
        return False
    except msw.FormatError:
        return subprocess.run([f"{build}/minisim", "info", path], capture_output=True,
                              check=False).returncode == 3


def scaled(model, factors):
    """The model with each named tensor of f32 multiplied."""
    return replace(model, tensors=[replace(t, stored=t.stored * np.float32(factors.get(t.name, 1)))
                                   for t in model.tensors])


def check_bounds(tap, build, folder):
    """FORMAT.md's rules on sums, input values and blocks: the writer and both readers agree."""
    path = os.path.join(folder, "bounds.msw")
    model = msw.read(os.path.join(folder, "small.msw"))
    tap.check(both_refuse(build, path, scaled(model, {"head.weight": 1e37})),
              "a sum that could overflow: refused by all")
    tap.check(both_refuse(build, path, replace(model, mean=(1e300, 0.0, 0.0), std=(1e-3,) * 3)),
              "input values that are not finite: refused by all")
    stage = [t for t in model.tensors if t.name.startswith("block.2.")]
    head = [t for t in model.tensors if t.name.startswith("head.")]
    start = [t for t in model.tensors if t.name.startswith(("stem.", "block.0.", "block.1."))]
    def blocks(count):
        more = [replace(t, name=t.name.replace("block.2.", f"block.{i}."))
                for i in range(2, count) for t in stage if ".bn." not in t.name]
        weight = [t for t in head if ".bn." not in t.name][0]
        narrow = replace(weight, stored=weight.stored[:, :stage[-1].shape[0]])
        return replace(model, tensors=start + more + [narrow])
    small = scaled(blocks(256), {f"block.{i}.project.weight": 1e-6 for i in range(256)})
    with open(path, "wb") as file:
        file.write(msw.pack(small))
    run = subprocess.run([f"{build}/minisim", "info", path], capture_output=True, check=False)
    tap.check(run.returncode == 0, "256 blocks: valid for all", run.stderr)
    tap.check(both_refuse(build, path, blocks(257)), "257 blocks: refused by all")


def check_residual_bound(tap, folder):
    """The bound holds behind each residual sum too: two halves of the range make too much."""
    model = msw.read(os.path.join(folder, "small.msw"))
    names = [layer.weight.name for layer in msw.layers(model)]

    def reach(factor, name):
        """Scales the weight of `name` (BatchNorm's gamma with it stays), all zeros but one."""
        tensors = []
        for t in model.tensors:
            if t.name == name:
                stored = np.zeros_like(t.stored)
                stored[0, 0] = factor
                t = replace(t, stored=stored)
            if t.name in (name.replace("weight", "bn.mean"), name.replace("weight", "bn.beta")):
                t = replace(t, stored=np.zeros_like(t.stored))
            if t.name in (name.replace("weight", "bn.gamma"), name.replace("weight", "bn.var")):
                t = replace(t, stored=np.ones_like(t.stored))
            tensors.append(t)
        return replace(model, tensors=tensors)

    assert "block.2.project.weight" in names
    half = msw.MAX_SUM * 0.6 / 6
    model = reach(half, "block.1.project.weight")
    first = scaled(model, {"block.2.expand.weight": 1e-6})
    try:
        msw.check(first)
        good = True
    except msw.FormatError as error:
        good = False
        print(f"# {error}")
    model = reach(half, "block.2.project.weight")
    try:
        msw.check(scaled(model, {"block.2.expand.weight": 1e-6}))
        both = ""
    except msw.FormatError as error:
        both = str(error)
    tap.check(good and "block's input added" in both, "0.6 of the range: valid; 0.6 and 0.6 added: not",
              both)


def check_damage(tap, build, folder):
    """Bits flipped in a weights file: both readers refuse it."""
    random = np.random.default_rng(5)
    with open(DEFAULT, "rb") as file:
        whole = bytearray(file.read())
    missed = []
    path = os.path.join(folder, "flipped.msw")
    for bit in random.integers(0, 8 * len(whole), 40):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        with open(path, "wb") as file:
            file.write(changed)
        try:
            msw.read(path)
            missed.append(bit)
        except msw.FormatError:
            pass
        if subprocess.run([f"{build}/minisim", "info", path], capture_output=True,
                          check=False).returncode != 3:
            missed.append(bit)
    tap.check(not missed, "40 flipped bits: refused by both readers", missed)
    tap.check(msw.pack(msw.read(DEFAULT)) == bytes(whole), "reading and writing gives the same bytes")


def check_tflite_damage(tap, folder):
    random = np.random.default_rng(6)
    with open(os.path.join(SHARED, "checkpoints", "mobilenet_v2_1.0_224_quant.tflite"), "rb") as file:
        whole = file.read()
    source, output = os.path.join(folder, "bad.tflite"), os.path.join(folder, "bad-tflite.msw")
    bad = []
    for i in range(40):
        changed = bytearray(whole)
        start = 0 if i % 2 else len(whole) - 60000
        for at in random.integers(start + 8, start + 60000, 20):
            changed[at] = random.integers(0, 256)
        with open(source, "wb") as file:
            file.write(changed if i % 3 else changed[:random.integers(8, len(whole))])
        run = export(source, output)
        if run.returncode not in (0, 3) or "Traceback" in run.stderr:
            bad.append(run.stderr[-300:])
    tap.check(not bad, "40 damaged .tflite files: an error in one line, or harmless", bad[:1])


def check_activations(tap, folder):
    """A .tflite file whose ReLU6 was taken away, or changed, at one operator."""
    name = "tf2_mobilenet_v2_1.0_224_ptq.tflite"
    with open(os.path.join(SHARED, "checkpoints", name), "rb") as file:
        whole = bytearray(file.read())
    source, output = os.path.join(folder, "relu.tflite"), os.path.join(folder, "relu.msw")
    table = tflite._Table(whole, struct.unpack_from("<I", whole)[0])
    operators = [o.table(4) for o in table.tables(2)[0].tables(3)]
    # Of a convolution's options, the activation is field 3 (CONV_2D) or 4 (DEPTHWISE_CONV_2D).
    fused = [options._place(field) for options in operators if options for field in (3, 4)
             if options.number(field, "b") == 3]
    for at, kind in ((fused[0], 0), (fused[-1], 0), (fused[5], 0), (fused[3], 1)):
        changed = bytearray(whole)
        changed[at] = kind
        with open(source, "wb") as file:
            file.write(changed)
        run = export(source, output)
        tap.check(refused(run, "behind tensor", output), f"activation {kind} in ReLU6's place",
                  run.stderr)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        check_widths(tap, sys.argv[1], folder)
        check_wrong_checkpoints(tap, folder)
        check_malice(tap, folder)
        check_pickle_bombs(tap, folder)
        check_old_files(tap, folder)
        check_places(tap, folder)
        check_crop(tap, folder)
        check_bounds(tap, sys.argv[1], folder)
        check_residual_bound(tap, folder)
        check_damage(tap, sys.argv[1], folder)
        if SHARED:
            check_tflite_damage(tap, folder)
            check_activations(tap, folder)
        else:
            left_out("damaged and changed .tflite files")
    tap.finish()


if __name__ == "__main__":
    main()
