#!/usr/bin/python3
"""Holds the engine against PyTorch and Pillow: tools/check_network.py BUILD.

Exports the three checkpoints of ../shared, then compares every embedding with PyTorch's, every layer of two
photos with PyTorch's, and the program's own ways (tables, threads, batches, resizing) with each other.
Needs MINISIM_SHARED; says so where it is missing.
"""

import bisect
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from tap import SHARED, Tap, left_out

TOOLS = os.path.dirname(os.path.abspath(__file__))
LIMIT = 1e-4  # of the largest value

# checkpoint, its reference, input size, options of the export
NETWORKS = {
    "tfhub-ptq": ("checkpoints/tf2_mobilenet_v2_1.0_224_ptq.tflite", 224, ["--keep-classifier"]),
    "tf1-qat": ("checkpoints/mobilenet_v2_1.0_224_quant.tflite", 224, []),
    "student": ("training/student.pth", 128,
                ["--input-size", "128", "--geometry", "squash", "--mean", ".5,.5,.5", "--std",
                 ".5,.5,.5"]),
}


def shared(*parts):
    return os.path.join(SHARED, *parts)


def export(folder, name, source, options):
    """The path of the weights file that is made of a checkpoint."""
    weights = os.path.join(folder, name + ".msw")
    subprocess.run([os.path.join(TOOLS, "export_weights.py"), shared(source), "-o", weights, *options],
                   check=True, stdout=subprocess.DEVNULL)
    return weights


def layers_of(build, weights, square, cpu):
    """{layer: its values [side, side, channels]} of the engine, a layer at a time."""
    run = subprocess.run([f"{build}/layers_tool", weights, cpu], input=square.tobytes(),
                         capture_output=True, check=True)
    data, at, layers = run.stdout, 0, {}
    while at < len(data):
        end = data.index(b"\n", at)
        name, side, channels = data[at:end].decode().split()
        count = int(side) ** 2 * int(channels)
        values = np.frombuffer(data, np.float32, count, end + 1)
        layers[name] = values.reshape(int(side), int(side), int(channels))
        at = end + 1 + 4 * count
    return layers


def embed(build, weights, paths, *options):
    """[pictures, dimension] of the program's own embed."""
    run = subprocess.run([f"{build}/minisim", "embed", "--weights", weights, "--format", "f32",
                          *options, *paths], capture_output=True, check=True)
    return np.frombuffer(run.stdout, "<f4").reshape(len(paths), -1)


def worst_of(got, expected):
    """(largest difference as a share of the largest value, smallest cosine) over the rows."""
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    difference = np.abs(got - expected).max(axis=1) / np.abs(expected).max(axis=1)
    lengths = np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1)
    return difference.max(), ((got * expected).sum(axis=1) / lengths).min()


def check_layers(tap, build, weights, name, photo, size):
    with open(shared("reference", f"{name}.layers.{photo}.json")) as file:
        expected = json.load(file)
    square = np.asarray(Image.open(shared("reference", f"pixels-{size}", photo + ".png")))
    got = layers_of(build, weights, square, "reference")
    worst, where = 0, ""
    for layer in expected:
        values = got[layer["layer"]]
        if list(values.shape) != list(layer["shape"]):
            tap.check(False, f"{name}: {layer['layer']}", f"{values.shape} != {layer['shape']}")
            return
        mine = [values.min(), values.max(), values.mean(dtype=np.float64),
                *values.ravel()[layer["at"]]]
        theirs = [layer["min"], layer["max"], layer["mean"], *layer["values"]]
        scale = max(abs(layer["min"]), abs(layer["max"]))
        difference = np.abs(np.subtract(mine, theirs)).max() / scale
        if difference > worst:
            worst, where = difference, layer["layer"]
    print(f"# {name}, {photo}: worst of {len(expected)} layers {worst:.2g} of its largest value "
          f"({where})")
    tap.check(worst <= LIMIT, f"{name}: every layer of {photo} is PyTorch's")


def check_embeddings(tap, build, weights, name, order, size):
    paths = [shared("reference", f"pixels-{size}", photo + ".png") for photo in order]
    expected = np.load(shared("reference", f"{name}.embeddings.npy"))
    got = embed(build, weights, paths, "--preprocessed")
    difference, cosine = worst_of(got, expected)
    print(f"# {name}: largest difference {difference:.2g} of the largest value, smallest cosine "
          f"1 - {1 - cosine:.2g}")
    tap.check(difference <= LIMIT and cosine >= 0.999999, f"{name}: 24 embeddings are PyTorch's")
    return got


def check_equal_ways(tap, build, weights, order, size, name):
    """Bits do not depend on table, threads or company; Pillow's pixels are ours."""
    photos = [shared("photos", photo + ".JPEG") for photo in order]
    first = embed(build, weights, photos, "--threads", "1", "--cpu", "reference")
    for options in (["--cpu", "reference", "--threads", "2"], ["--threads", "1"],
                    ["--threads", "2"]):
        tap.check(embed(build, weights, photos, *options).tobytes() == first.tobytes(),
                  f"{name}: equal bytes with {' '.join(options)}")
    alone = np.vstack([embed(build, weights, [photo]) for photo in photos])
    tap.check(alone.tobytes() == first.tobytes(), f"{name}: equal bytes one at a time")
    pixels = [shared("reference", f"pixels-{size}", photo + ".png") for photo in order]
    prepared = embed(build, weights, pixels, "--preprocessed")
    _, cosine = worst_of(first, prepared)
    print(f"# {name}: from JPEG against Pillow's pixels: smallest cosine {cosine:.6f}")
    tap.check(cosine >= 0.999, f"{name}: JPEG photos are near what Pillow's pixels give")
    pngs = sorted(glob.glob(shared("photos", "*.png")))
    ours = embed(build, weights, pngs, "--geometry", "squash", "--resample", "bilinear")
    theirs = embed(build, weights,
                   [shared("reference", f"pixels-{size}", os.path.basename(p)) for p in pngs],
                   "--preprocessed")
    tap.check(len(pngs) == 4 and ours.tobytes() == theirs.tobytes(),
              f"{name}: PNG photos give the bytes that Pillow's pixels give")


def check_classes(tap, build, weights):
    """ImageNet's classes stand in the order of WordNet's numbers, with which the pictures' names begin: so where the
    first guesses are right, they ascend with the names. Of guesses without sense, 28 in 196 would (2 sqrt n)."""
    paths = sorted(glob.glob(shared("pictures", "*.jpg")))[::4]
    run = subprocess.run([f"{build}/minisim", "classify", "--json", "-k", "1", "--weights", weights, *paths],
                         capture_output=True, check=True)
    ends = []  # the smallest last guess of an ascending row of each length
    for row in run.stdout.splitlines():
        guess = json.loads(row)["classes"][0]["class"]
        at = bisect.bisect_left(ends, guess)
        ends[at : at + 1] = [guess]
    print(f"# classes of {len(paths)} photographs: {len(ends)} first guesses ascend as their names do")
    tap.check(len(paths) == 196 and len(ends) >= 0.75 * len(paths), "photographs are of the class in their name")


def main():
    tap = Tap()
    if not SHARED:
        left_out("the engine against PyTorch and Pillow on photographs")
        tap.finish()
    build = sys.argv[1]
    with open(shared("reference", "order.json")) as file:
        order = [os.path.splitext(name)[0] for name in json.load(file)]
    with tempfile.TemporaryDirectory() as folder:
        for name, (source, size, options) in NETWORKS.items():
            weights = export(folder, name, source, options)
            check_embeddings(tap, build, weights, name, order, size)
            for photo in order[:2] if size == 224 else ():
                check_layers(tap, build, weights, name, photo, size)
            if "--keep-classifier" in options:
                check_classes(tap, build, weights)
            if name != "tf1-qat":
                check_equal_ways(tap, build, weights, order, size, name)
        source, size, options = NETWORKS["student"]
        weights = export(folder, "student-f16", source, [*options, "--type", "f16"])
        paths = [shared("reference", f"pixels-{size}", photo + ".png") for photo in order]
        difference, cosine = worst_of(embed(build, weights, paths, "--preprocessed"),
                                      np.load(shared("reference", "student.embeddings.npy")))
        print(f"# student in f16: largest difference {difference:.2g}, smallest cosine {cosine:.7f}")
        tap.check(cosine >= 0.9999, "weights in f16 are near PyTorch's in f32")
    tap.finish()


if __name__ == "__main__":
    main()
