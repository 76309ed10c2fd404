#!/usr/bin/python3
"""Exports checkpoints that it writes itself, and wrong ones: tools/check_export.py BUILD.

The .pth files are written by this script in torch's format, without torch; whether real ones are read
rightly is what tools/check_network.py shows.
"""

import collections
import io
import os
import pickle
import subprocess
import sys
import tempfile
import types
import zipfile

import msw
import numpy as np

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
    Pickler(stream, 2).dump(collections.OrderedDict(
        (name, Tensor(str(i), v)) for i, (name, v) in enumerate(arrays.items())))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", stream.getvalue())
        for i, values in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{i}", values.tobytes())


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

def export(source, output, *options):
    return subprocess.run([EXPORT, source, "-o", output, *options], capture_output=True, text=True,
                          check=False)


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


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        check_widths(tap, sys.argv[1], folder)
        check_wrong_checkpoints(tap, folder)
        check_malice(tap, folder)
        check_damage(tap, sys.argv[1], folder)
        if SHARED:
            check_tflite_damage(tap, folder)
        else:
            left_out("damaged .tflite files")
    tap.finish()


if __name__ == "__main__":
    main()
