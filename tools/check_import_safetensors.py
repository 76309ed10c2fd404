#!/usr/bin/python3
"""Imports .safetensors and .pth in every publisher's names: tools/check_import_safetensors.py BUILD.

The .safetensors files come from this script's own writer, from the published format; the .pth files from torch
where it is installed. Outputs are held against the network computed in double.
"""

import json
import os
import struct
import sys
import tempfile

import msw
import numpy as np
import sample_network as sample
from tap import Tap

FAMILIES = {"torchvision": (), "timm": (), "transformers": ("--padding", "symmetric", "--epsilon",
                                                           "1e-5")}


def write_safetensors(path, tensors, kinds=None, change=lambda entries: None):
    """The format: the header's length (u64), the header in JSON, the data."""
    entries, data = {"__metadata__": {"format": "pt"}}, b""
    for name, values in tensors.items():
        kind = {"f": "F32", "i": "I64"}[values.dtype.kind] if kinds is None else kinds
        raw = values.astype({"F32": "<f4", "F16": "<f2", "I64": "<i8", "BF16": "<f4"}[kind])
        if kind == "BF16":
            raw = (raw.view("<u4") >> 16).astype("<u2")
        raw = raw.tobytes()
        entries[name] = {"dtype": kind, "shape": list(values.shape),
                         "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    change(entries)
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + data)


def half(values):
    return values.astype(np.float16).astype(np.float32)


def brain(values):
    """bfloat16, cut off."""
    return (values.astype(np.float32).view(np.uint32) >> 16 << 16).view(np.float32)


def refused(tap, source, folder, what, text, options=()):
    output = os.path.join(folder, "refused.msw")
    run = sample.export(source, output, *options)
    tap.check(run.returncode == 3 and len(run.stderr.splitlines()) == 1 and text in run.stderr
              and not os.path.exists(output), what, run.stderr)


def check_lies(tap, folder, steps):
    path = os.path.join(folder, "lie.safetensors")
    tensors = sample.names_torch(steps, "torchvision")
    name = "features.3.conv.0.0.weight"
    lies = {
        "data past the end": (lambda e: e["classifier.1.bias"].update(data_offsets=[1 << 30, (1 << 30) + 40]),
                              "ends at byte"),
        "a huge shape": (lambda e: e[name].update(shape=[1 << 30, 1 << 30]), "has"),
        "a shape without end": (lambda e: e[name].update(shape=[1] * 100), "no shape"),
        "a negative offset": (lambda e: e[name].update(data_offsets=[-8, 0]), "no place"),
        "an unknown type": (lambda e: e[name].update(dtype="F4"), "F4"),
        "overlapping tensors": (lambda e: e["features.0.1.bias"].update(
            data_offsets=e["features.0.1.weight"]["data_offsets"]), "overlaps"),
        "an entry that is none": (lambda e: e.update({name: 7}), "no table"),
    }
    for what, (change, text) in lies.items():
        write_safetensors(path, tensors, change=change)
        refused(tap, path, folder, f"safetensors with {what}", text)
    for what, data in {"a header longer than the file": struct.pack("<Q", 1 << 40) + b"{}",
                       "a deep header": struct.pack("<Q", 200008) + b'{"a":' + b"[" * 100000
                                        + b"]" * 100000 + b"}  ",
                       "7 bytes": b"\0" * 7}.items():
        with open(path, "wb") as file:
            file.write(data)
        refused(tap, path, folder, f"safetensors with {what}", "")


def check_others(tap, build, folder, steps):
    """Networks that are no MobileNetV2, or more than one."""
    path = os.path.join(folder, "other.safetensors")
    ours = sample.names_torch(steps, "torchvision")
    zeros = np.zeros
    others = {
        "ResNet": {"conv1.weight": zeros((64, 3, 7, 7)), "layer1.0.conv1.weight": zeros((64, 64, 1, 1))},
        "MobileNetV3": {"features.0.0.weight": zeros((16, 3, 3, 3)),
                        "features.1.block.0.0.weight": zeros((16, 1, 3, 3)),
                        "features.1.block.1.fc1.weight": zeros((8, 16, 1, 1))},
        "MobileNetV1": {"conv1/kernel": zeros((3, 3, 3, 8)), "conv_dw_1/depthwise_kernel":
                        zeros((3, 3, 8, 1))},
    }
    for what, tensors in others.items():
        write_safetensors(path, tensors)
        refused(tap, path, folder, f"a {what} is told apart", f"looks like a {what}")
    pruned = {name: values[:-3] if name.startswith("features.5.conv.0") and values.ndim else values
              for name, values in ours.items()}
    write_safetensors(path, pruned)
    refused(tap, path, folder, "channels pruned in one layer", "features.5.conv.")
    for name in list(pruned):
        if name.startswith("features.5.conv.1") and pruned[name].ndim:
            pruned[name] = pruned[name][:-3]
    pruned["features.5.conv.2.weight"] = pruned["features.5.conv.2.weight"][:, :-3]
    write_safetensors(path, pruned)
    refused(tap, path, folder, "channels pruned consistently", "features.5.conv.0.0.weight")
    wrapped = {"backbone." + name: values for name, values in ours.items() if "classifier" not in name}
    detection = wrapped | {"head.conv.weight": zeros((256, 1280, 3, 3), np.float32),
                           "rpn.head.bias": zeros(3, np.float32)}
    write_safetensors(path, detection)
    refused(tap, path, folder, "a detection model names the way out", "--backbone")
    sample.compare(tap, build, folder, "a detection model's backbone", path, steps, ("--backbone",))
    finetuned = wrapped | {"fc.weight": zeros((5, 1280), np.float32), "fc.bias": zeros(5, np.float32)}
    write_safetensors(path, finetuned)
    said = sample.compare(tap, build, folder, "a fine-tuned head is dropped", path, steps)
    tap.check("left out: fc.weight [5, 1280]" in said, "and that is said", said)
    write_safetensors(path, ours | {"ema." + name: values for name, values in ours.items()})
    refused(tap, path, folder, "two networks in one file", "2 networks")
    write_safetensors(path, {name: v for name, v in ours.items() if name != "features.9.conv.1.0.weight"})
    refused(tap, path, folder, "a missing tensor is named", "features.9.conv.1.0.weight")


def check_heads(tap, folder, steps):
    """The classifier is kept where it is one linear layer and that is wanted, else dropped, and said."""
    path, (weight, bias) = os.path.join(folder, "head.safetensors"), sample.classifier(steps)
    for family in FAMILIES:
        write_safetensors(path, sample.names_torch(steps, family))
        sample.check_classifier(tap, f"{family}'s names", path, weight, bias)
    bare = {n: v for n, v in sample.names_torch(steps, "torchvision").items() if "classifier" not in n}
    write_safetensors(path, bare | {"head.weight": weight[:, :, None, None]})
    sample.check_classifier(tap, "a 1 x 1 convolution without a bias", path, weight, None)
    for what, head, text in (
            ("nothing there", {}, ""),
            ("two layers", {"fc1.weight": weight, "fc1.bias": bias, "fc2.weight": weight[:, :10]},
             "and 1 more: no single linear layer"),
            ("a weight and another's bias", {"fc.weight": weight, "act.bias": bias}, "no single linear layer"),
            ("of other values", {"fc.weight": weight[:, 1:], "fc.bias": bias}, "does not take the 1280 values"),
            ("too many classes", {"fc.weight": np.zeros((4097, 1280), np.float32)}, "more than 4096 classes")):
        write_safetensors(path, bare | head)
        sample.check_dropped(tap, what, path, text)
    write_safetensors(path, bare | {"head.weight": np.zeros((5, 1280, 3, 3), np.float32)})
    sample.check_dropped(tap, "a 3 x 3 convolution", path, "no single linear layer", backbone=True)
    output = os.path.join(folder, "head.msw")
    for what, head, options, text in (
            ("kept", {"fc.weight": weight, "fc.bias": bias}, ("--keep-classifier",),
             "classifier    kept, 10 classes: fc.weight [10, 1280]"),
            ("kept in i8", {"fc.weight": weight}, ("--keep-classifier", "--type", "i8"), "kept, 10 classes"),
            ("not wanted", {"fc.weight": weight, "fc.bias": bias}, (), "(--keep-classifier keeps it)"),
            ("two layers", {"a.weight": weight, "b.weight": weight}, ("--keep-classifier",), "no single linear"),
            ("none", {}, ("--keep-classifier",), "classifier    none in the source")):
        write_safetensors(path, bare | head)
        run = sample.export(path, output, *options)
        good = run.returncode == 0 and text in run.stdout
        kept = msw.classifier(msw.read(output)) if good else None
        tap.check(good and (kept is not None) == what.startswith("kept"), f"a classifier: {what}",
                  run.stdout + run.stderr)


def check_torch(tap, build, folder, steps):
    """What torch itself saves, in both of its formats, with the wrappers of training scripts."""
    try:
        import torch
    except ModuleNotFoundError:
        print("# left out: files that torch writes (python3-torch is not installed)")
        return
    tensors = {name: torch.from_numpy(np.array(values)) for name, values in
               sample.names_torch(steps, "torchvision").items()}
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(3))])
    optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
    optimizer.step()
    prefixed = {"module." + name: values for name, values in tensors.items()}
    for what, found, new in (
            ("a state dict", tensors, True), ("an old state dict", tensors, False),
            ("module. and an optimizer", {"state_dict": prefixed, "epoch": 3, "optimizer":
                                          optimizer.state_dict()}, True),
            ("module. and an optimizer, old", {"optimizer": optimizer.state_dict(), "model": prefixed},
             False),
            ("parameters", {n: torch.nn.Parameter(v, False) for n, v in tensors.items()}, True),
            ("half precision", {n: v.half() for n, v in tensors.items()}, True)):
        path = os.path.join(folder, "torch.pth")
        torch.save(found, path, _use_new_zipfile_serialization=new)
        sample.compare(tap, build, folder, f"torch {torch.__version__}, {what}", path,
                       [s.cast(half) for s in steps] if "half" in what else steps)


def check_running(tap, folder, steps):
    """--check runs the source itself, or says what is missing."""
    output, picture = os.path.join(folder, "run.msw"), os.path.join(folder, "picture.png")
    sample.write_png(picture, sample.pixels(100, 3))
    path = os.path.join(folder, "run.safetensors")
    write_safetensors(path, sample.names_torch(steps, "torchvision"))
    run = sample.export(path, output, "--check", picture)
    tap.check(run.returncode == 4 and "no runner" in run.stderr, "--check without a runner says so",
              run.stderr)
    try:
        import torch
    except ModuleNotFoundError:
        print("# left out: --check against torch (python3-torch is not installed)")
        return
    path = os.path.join(folder, "run.pth")
    torch.save({n: torch.from_numpy(np.array(v)) for n, v in sample.names_torch(
        steps, "torchvision").items()}, path)
    for geometry in ("crop:74", "pad:808080", "squash"):
        run = sample.export(path, output, "--input-size", "64", "--geometry", geometry, "--check", picture,
                            picture)
        tap.check(run.returncode == 0 and run.stdout.count("cosine 1.00000") == 2,
                  f"--check against torch, {geometry}", run.stdout + run.stderr)
    run = sample.export(path, output, "--epsilon", "0.5", "--input-size", "64", "--check", picture)
    tap.check(run.returncode == 0, "--check follows the options", run.stdout + run.stderr)
    run = sample.export(path, output, "--padding", "same", "--input-size", "64", "--check", picture)
    tap.check(run.returncode == 10 and "differs" in run.stderr, "a wrong assumption differs",
              run.stdout + run.stderr)


def main():
    tap = Tap()
    build = sys.argv[1]
    steps = sample.network()
    print("# .safetensors: this script's own writer, from the published format")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        for family, options in FAMILIES.items():
            write_safetensors(path, sample.names_torch(steps, family))
            sample.compare(tap, build, folder, f"{family}'s names", path, steps, options)
        for kind, dtype in (("F16", half), ("BF16", brain)):
            write_safetensors(path, {name: v for name, v in sample.names_torch(
                steps, "torchvision").items() if v.ndim}, kind)
            sample.compare(tap, build, folder, kind, path, [s.cast(dtype) for s in steps])
        expanded = sample.network(expand_first=True)
        write_safetensors(path, sample.names_torch(expanded, "torchvision"))
        sample.compare(tap, build, folder, "with an expansion at t = 1", path, expanded)
        check_lies(tap, folder, steps)
        check_others(tap, build, folder, steps)
        check_heads(tap, folder, steps)
        check_torch(tap, build, folder, steps)
        os.environ["MINISIM"] = os.path.join(build, "minisim")
        check_running(tap, folder, steps)
    tap.finish()


if __name__ == "__main__":
    main()
