#!/usr/bin/python3
"""Imports Keras's files, TensorFlow checkpoints and SavedModels: tools/check_import_tensorflow.py BUILD.

HDF5 files are written by h5py, laid out as Keras does; checkpoints by this script's own writer, from
the published format. Outputs are held against the network computed in double.
"""

import io
import json
import os
import struct
import sys
import tempfile
import zipfile

import msw
import numpy as np
import sample_network as sample
from tap import Tap

try:
    import h5py
except ModuleNotFoundError:
    h5py = None

KERAS = {"padding": "same", "epsilon": 1e-3}


def refused(tap, source, folder, what, text, options=()):
    output = os.path.join(folder, "refused.msw")
    run = sample.export(source, output, *options)
    tap.check(run.returncode == 3 and len(run.stderr.splitlines()) == 1 and text in run.stderr
              and not os.path.exists(output), what, run.stderr)


# ---- HDF5 ----------------------------------------------------------------------------------------


def write_h5(path, tensors, front="", **options):
    """As Keras 2 saves: LAYER/LAYER/kernel:0, a whole model's weights under model_weights."""
    with h5py.File(path, "w") as file:
        for name, values in tensors.items():
            layer, part = name.split("/")
            file.create_dataset(f"{front}{layer}/{layer}/{part}:0", data=values, **options)
        if front:
            file.create_dataset("optimizer_weights/iterations:0", data=np.float32([3]))


def write_counted(target, steps, front="layers/"):
    """As Keras 3 saves: each class of layers counted, variables numbered."""
    counts = {}

    def put(file, kind, values):
        number = counts[kind] = counts.get(kind, -1) + 1
        for i, value in enumerate(values):
            file[f"{front}{kind}{f'_{number}' if number else ''}/vars/{i}"] = value

    with h5py.File(target, "w") as file:
        for step in steps:
            depthwise = step.part == "depthwise"
            weight = step.weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            put(file, "depthwise_conv2d" if depthwise else "conv2d", [weight])
            put(file, "batch_normalization", step.norm)
        weight, bias = sample.classifier(steps, 5)
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = weight.T, bias
        file["optimizer/vars/0"] = np.zeros(3, np.float32)


def check_keras(tap, build, folder, steps):
    path = os.path.join(folder, "model.h5")
    tensors = sample.names_tensorflow(steps, "keras")
    write_h5(path, tensors)
    sample.compare(tap, build, folder, "Keras .h5 of weights", path, steps, **KERAS)
    weight, bias = sample.classifier(steps, 9)
    write_h5(path, tensors | {"predictions/kernel": weight.T, "predictions/bias": bias},
             "model_weights/mobilenetv2_0.35/", compression="gzip")
    said = sample.compare(tap, build, folder, "Keras .h5 of a model, nested, with gzip", path, steps,
                          **KERAS)
    tap.check("left out: predictions/bias [9], predictions/kernel [1280, 9]" in said, "its classifier is said", said)
    sample.check_classifier(tap, "a Keras .h5", path, weight, bias)
    path = os.path.join(folder, "model.weights.h5")
    write_counted(path, steps)
    sample.compare(tap, build, folder, "Keras 3 .weights.h5", path, steps, **KERAS)
    sample.check_classifier(tap, "a Keras 3 .weights.h5", path, *sample.classifier(steps, 5))
    write_counted(path, steps, "layers/functional/layers/")
    sample.compare(tap, build, folder, "Keras 3 .weights.h5, nested", path, steps, **KERAS)
    weights = io.BytesIO()
    write_counted(weights, steps, "_layer_checkpoint_dependencies/")
    path = os.path.join(folder, "model.keras")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps({"config": {"layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 64, 64, 3]}}]}}))
        archive.writestr("model.weights.h5", weights.getvalue())
    said = sample.compare(tap, build, folder, ".keras", path, steps, **KERAS)
    output = os.path.join(folder, "size.msw")
    run = sample.export(path, output)
    tap.check("64  (the source)" in run.stdout, "its input size comes from the configuration",
              run.stdout + run.stderr)


def check_hdf5_lies(tap, folder, steps):
    path, other = os.path.join(folder, "lie.h5"), os.path.join(folder, "other.h5")
    tensors = sample.names_tensorflow(steps, "keras")
    write_h5(other, tensors)
    name = "Conv1/Conv1/kernel:0"

    def lie(what, text, change, **options):
        write_h5(path, tensors, **options)
        with h5py.File(path, "a") as file:
            change(file)
        refused(tap, path, folder, f"HDF5 with {what}", text)

    def replaced(file, make):
        del file[name]
        make(file)

    def virtual(file):
        layout = h5py.VirtualLayout((3, 3, 3, 16), "f4")
        layout[:] = h5py.VirtualSource(other, name, (3, 3, 3, 16))
        file.create_virtual_dataset(name, layout)

    def outside(file):
        file.create_dataset(name, (3, 3, 3, 16), "f4", external=[("/etc/passwd", 0, 1728)])

    def circle(file):
        file["Conv1/again"] = file["Conv1"]

    lie("an external link", "link to elsewhere",
        lambda f: replaced(f, lambda f: f.__setitem__(name, h5py.ExternalLink(other, name))))
    lie("a soft link", "link to elsewhere",
        lambda f: replaced(f, lambda f: f.__setitem__(name, h5py.SoftLink("/bn_Conv1"))))
    lie("a virtual dataset", "other files", lambda f: replaced(f, virtual))
    lie("values in another file", "other files", lambda f: replaced(f, outside))
    lie("a group that holds itself", "twice", circle)
    lie("a huge shape", "too large", lambda f: replaced(f, lambda f: f.create_dataset(
        name, (1 << 20, 1 << 20), "f4", chunks=(64, 64), compression="gzip")))
    lie("a shape without values", "bytes", lambda f: replaced(f, lambda f: f.create_dataset(
        name, (3, 3, 3, 16), "f4")))
    with open(other, "rb") as file:
        whole = file.read()
    random, bad = np.random.default_rng(4), []
    for i in range(100):
        changed = bytearray(whole[:random.integers(8, len(whole))] if i % 3 == 0 else whole)
        for at in random.integers(8, 40000, 12) if i % 3 else ():
            changed[at] = random.integers(0, 256)
        with open(path, "wb") as file:
            file.write(changed)
        bad += filter(None, [sample.stumbles(path)])
    tap.check(not bad, "100 damaged HDF5 files: an error in one line, or harmless", bad[:1])
    refused(tap, __file__, folder, "a Python script is no model", "none of the files")


# ---- checkpoints ---------------------------------------------------------------------------------


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    """A field of a message: an integer or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def masked(data):
    crc = msw.crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def block(entries):
    """Entries that share what their keys begin with, a restart each sixteen, kind and checksum."""
    out, restarts, last = b"", [], b""
    for i, (key, value) in enumerate(entries):
        shared = len(os.path.commonprefix([last, key])) if i % 16 else 0
        if not i % 16:
            restarts.append(len(out))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    out += struct.pack(f"<{len(restarts)}II", *restarts, len(restarts)) + b"\0"
    return out + struct.pack("<I", masked(out))


def write_checkpoint(prefix, tensors, objects=None, shards=1, change=lambda name, entry: entry):
    """The index and its data files. objects: {key: full name} as newer checkpoints tell them."""
    data, entries = [b""] * shards, {"": field(1, shards) + field(3, field(1, 1))}
    for i, (name, values) in enumerate(sorted(tensors.items())):
        raw, shard = values.astype("<f4").tobytes(), i % shards
        shape = b"".join(field(2, field(1, n)) for n in values.shape)
        entry = {1: 1, 2: shape, 3: shard, 4: len(data[shard]), 5: len(raw)}
        entry = change(name, entry)
        entries[name] = b"".join(field(k, v) for k, v in entry.items() if v != 0) + b"\x35" \
            + struct.pack("<I", masked(raw))
        data[shard] += raw
    if objects is not None:
        graph = b"".join(field(1, field(2, field(1, b"VARIABLE_VALUE") + field(2, full.encode())
                                        + field(3, key.encode()))) for key, full in objects.items())
        raw = varint(len(graph)) + struct.pack("<I", masked(struct.pack("<I", len(graph)))) + graph
        entries["_CHECKPOINTABLE_OBJECT_GRAPH"] = field(1, 7) + field(4, len(data[0])) + field(5, len(raw))
        data[0] += raw
    out, index, held = b"", [], sorted((k.encode(), v) for k, v in entries.items())
    for start in range(0, len(held), 40):
        part = block(held[start : start + 40])
        index.append((held[start : start + 40][-1][0], varint(len(out)) + varint(len(part) - 5)))
        out += part
    places = []
    for part in (block([]), block(index)):
        places.append(varint(len(out)) + varint(len(part) - 5))
        out += part
    footer = b"".join(places)
    out += footer + bytes(40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57)
    with open(prefix + ".index", "wb") as file:
        file.write(out)
    for i, part in enumerate(data):
        with open(f"{prefix}.data-{i:05d}-of-{shards:05d}", "wb") as file:
            file.write(part)


def check_checkpoints(tap, build, folder, steps):
    slim, keras = (sample.names_tensorflow(steps, family) for family in ("slim", "keras"))
    prefix = os.path.join(folder, "mobilenet.ckpt-10")
    other = sample.names_tensorflow(sample.network(seed=9, **KERAS), "slim")
    averaged = other | {f"{name}/ExponentialMovingAverage": v for name, v in slim.items()}
    weight, bias = sample.classifier(steps, 7)
    averaged |= {"global_step": np.zeros(1), "MobilenetV2/Conv/weights/RMSProp": np.zeros((3, 3, 3, 16)),
                 "MobilenetV2/Logits/Conv2d_1c_1x1/weights": weight.T[None, None],
                 "MobilenetV2/Logits/Conv2d_1c_1x1/biases": bias}
    write_checkpoint(prefix, averaged, shards=3)
    said = sample.compare(tap, build, folder, "slim's checkpoint, moving averages, three data files",
                          prefix, steps, **KERAS)
    tap.check("moving averages" in said and "Logits" in said, "averages and classifier are said", said)
    sample.check_classifier(tap, "slim's checkpoint", prefix, weight, bias)
    detection = {"FeatureExtractor/" + name: v for name, v in slim.items()} | {
        "BoxPredictor_0/BoxEncodingPredictor/weights": np.zeros((3, 3, 576, 12), np.float32)}
    write_checkpoint(prefix, detection)
    refused(tap, prefix + ".index", folder, "slim's detection model names the way out", "--backbone")
    sample.compare(tap, build, folder, "slim's detection model", prefix + ".index", steps,
                   ("--backbone",), **KERAS)
    saved = os.path.join(folder, "saved_model")
    os.makedirs(os.path.join(saved, "variables"))
    variables = os.path.join(saved, "variables", "variables")
    value = "/.ATTRIBUTES/VARIABLE_VALUE"
    for what, names in (("TensorFlow Hub's, slim's names", slim), ("Keras's names", keras)):
        objects = {f"variables/{i}{value}": name for i, name in enumerate(names)}
        write_checkpoint(variables, {key: names[name] for key, name in objects.items()}, objects)
        sample.compare(tap, build, folder, f"SavedModel, {what}", saved, steps, **KERAS)
    layers = list(dict.fromkeys(name.split("/")[0] for name in keras))
    nameless = {f"layer_with_weights-{layers.index(n.split('/')[0])}/{n.split('/')[1]}{value}": v
                for n, v in keras.items()}
    write_checkpoint(variables, nameless, {})
    sample.compare(tap, build, folder, "SavedModel without full names", saved, steps, **KERAS)


def check_checkpoint_lies(tap, folder, steps):
    tensors, prefix = sample.names_tensorflow(steps, "slim"), os.path.join(folder, "lie.ckpt")
    name = "MobilenetV2/Conv/weights"
    for what, change, text in (("an offset past the end", {4: 1 << 40}, "ends at byte"),
                               ("a size past the end", {5: 1 << 33}, "has"),
                               ("a huge shape", {2: field(2, field(1, 1 << 62))}, "shape"),
                               ("a data file that is none", {3: 9}, "data file")):
        write_checkpoint(prefix, tensors, change=lambda n, e, c=change: e | (c if n == name else {}))
        refused(tap, prefix, folder, f"a checkpoint with {what}", text)
    write_checkpoint(prefix, tensors)
    data = prefix + ".data-00000-of-00001"
    with open(data, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 4]))
    refused(tap, prefix, folder, "a flipped bit in the data", "checksum")
    write_checkpoint(prefix, tensors)
    with open(prefix + ".index", "rb") as file:
        whole = file.read()
    random, bad = np.random.default_rng(4), []
    for i in range(100):
        changed = bytearray(whole[:random.integers(0, len(whole))] if i % 3 == 0 else whole)
        for at in random.integers(0, len(whole), 2) if i % 3 else ():
            changed[at] ^= 1 << random.integers(0, 8)
        with open(prefix + ".index", "wb") as file:
            file.write(changed)
        bad += filter(None, [sample.stumbles(prefix)])
    tap.check(not bad, "100 damaged indices: an error in one line, or harmless", bad[:1])
    os.unlink(data)
    with open(prefix + ".index", "wb") as file:
        file.write(whole)
    refused(tap, prefix, folder, "a missing data file", "is missing beside")
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    refused(tap, empty, folder, "an empty folder", "no checkpoint")


def main():
    tap = Tap()
    build = sys.argv[1]
    steps = sample.network(**KERAS)
    print("# checkpoints: this script's own writer, from the published format")
    with tempfile.TemporaryDirectory() as folder:
        check_checkpoints(tap, build, folder, steps)
        check_checkpoint_lies(tap, folder, steps)
        if h5py:
            print(f"# HDF5: written by h5py {h5py.__version__}, laid out as Keras does")
            check_keras(tap, build, folder, steps)
            check_hdf5_lies(tap, folder, steps)
        else:
            print("# left out: Keras's HDF5 files (python3-h5py is not installed)")
    tap.finish()


if __name__ == "__main__":
    main()
