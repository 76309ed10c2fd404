"""A random MobileNetV2 for the checks of importers, and what it makes of a picture, in double.

The description is a list of Step in the order in which a picture passes them; writers of each format take
it from there. BatchNorm's statistics are those that the picture itself produces, a little moved, so values stay
in the range of a trained network. The network is computed here with NumPy alone, tap by tap.
"""

import os
import struct
import subprocess
import zlib
from dataclasses import dataclass, replace

import export_weights
import numpy as np

TOOLS = os.path.dirname(os.path.abspath(__file__))
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
          (6, 320, 1, 1))


@dataclass
class Step:
    """One convolution: weight [out, in, row, column], depthwise [channel, 1, row, column]."""

    block: int  # -1: the stem, -2: the head
    part: str  # stem, expand, depthwise, project, head
    weight: np.ndarray
    norm: tuple = None  # gamma, beta, mean, var
    stride: int = 1
    residual: bool = False

    def folded(self, epsilon):
        """(weight, bias) with BatchNorm folded in, in double."""
        gamma, beta, mean, var = (part.astype(np.float64) for part in self.norm)
        scale = gamma / np.sqrt(var + epsilon)
        return self.weight * scale[:, None, None, None], beta - mean * scale

    def cast(self, dtype):
        """The step as a file of less precision holds it."""
        return replace(self, weight=dtype(self.weight), norm=tuple(map(dtype, self.norm)))


def rounded(channels):
    down = max(8, int(channels + 4) // 8 * 8)
    return down + 8 if down < 0.9 * channels else down


def convolve(x, weight, stride, padding):
    """x [channels, side, side]; weight as in Step."""
    if weight.shape[2] == 1:
        return np.tensordot(weight[:, :, 0, 0], x, 1)
    side = -(-x.shape[1] // stride)
    before = 1 if padding == "symmetric" else max((side - 1) * stride + 3 - x.shape[1], 0) // 2
    x = np.pad(x, ((0, 0), (before, 2), (before, 2)))
    total = 0
    for row in range(3):
        for column in range(3):
            part = x[:, row : row + stride * side : stride, column : column + stride * side : stride]
            tap = weight[:, :, row, column]
            total = total + (tap[:, :, None] * part if weight.shape[1] == 1 and len(x) == len(weight) else
                             np.tensordot(tap, part, 1))
    return total


def network(width=0.35, padding="symmetric", epsilon=1e-5, size=64, expand_first=False, seed=7):
    """The steps of a random MobileNetV2 that values of a usual size pass."""
    random = np.random.default_rng(seed)
    steps, channels, x = [], 3, pixels(size, seed).astype(np.float64) / 127.5 - 1

    def add(block, part, outputs, stride=1):
        nonlocal x, channels
        depthwise = part == "depthwise"
        kernel = 3 if part in ("stem", "depthwise") else 1
        shape = (outputs, 1 if depthwise else channels, kernel, kernel)
        weight = random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        y = convolve(x, weight.astype(np.float64), stride, padding)
        # Most values between the two ends of ReLU6, as in a trained network; a chain that cuts off half
        # of them at each layer would blow up every rounding.
        norm = (random.uniform(0.6, 1.0, outputs),
                random.uniform(*((-0.3, 0.3) if part == "project" else (0.3, 2.0)), outputs),
                y.mean((1, 2)) + random.normal(0, 0.1, outputs) * y.std(),
                (0.5 * y.var((1, 2)) + 0.5 * y.var()) * random.uniform(0.8, 1.3, outputs))
        step = Step(block, part, weight, tuple(v.astype(np.float32) for v in norm), stride)
        x = after(step, x, epsilon, padding)
        channels = outputs
        steps.append(step)

    add(-1, "stem", rounded(32 * width), 2)
    block = 0
    for expansion, outputs, repeats, stride in STAGES:
        for repeat in range(repeats):
            before, held = x, channels
            if expansion > 1 or expand_first:
                add(block, "expand", channels * expansion)
            add(block, "depthwise", channels, stride if repeat == 0 else 1)
            add(block, "project", rounded(outputs * width))
            if steps[-2].stride == 1 and held == channels:
                steps[-1].residual = True
                x = x + before
            block += 1
    add(-2, "head", max(1280, rounded(1280 * width)))
    return steps


def after(step, x, epsilon, padding):
    weight, bias = step.folded(epsilon)
    y = convolve(x, weight, step.stride, padding) + bias[:, None, None]
    return y if step.part == "project" else np.clip(y, 0, 6)


def embedding(steps, picture, padding, epsilon, mean=0.5, std=0.5):
    """What the network makes of a picture [3, S, S] of bytes."""
    x = (picture.astype(np.float64) / 255 - mean) / std
    block_input = x
    for step in steps:
        if step.part == "expand" or (step.part == "depthwise" and held != step.block):
            block_input = x
        held = step.block
        x = after(step, x, epsilon, padding)
        if step.residual:
            x = x + block_input
    return x.mean((1, 2))


def pixels(size, seed):
    """[3, size, size] of bytes: smooth colours and some noise."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 255, (3, 5, 5))
    at = np.linspace(0, 3.999, size)
    low, part = at.astype(int), at % 1
    rows = coarse[:, low] * (1 - part)[None, :, None] + coarse[:, low + 1] * part[None, :, None]
    smooth = rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part
    return np.clip(smooth + random.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


def write_png(path, picture):
    rows = np.pad(picture.transpose(1, 2, 0).reshape(picture.shape[1], -1), ((0, 0), (1, 0)))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
            ">IIBBBBB", picture.shape[2], picture.shape[1], 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows.astype(np.uint8).tobytes())) + chunk(b"IEND", b""))


def export(source, output, *options):
    return subprocess.run([os.path.join(TOOLS, "export_weights.py"), source, "-o", output, *options],
                          capture_output=True, text=True, check=False)


def stumbles(path):
    """What is wrong with how the importers take a damaged file: they load it or raise SourceError."""
    try:
        export_weights.load(path, False)
    except export_weights.SourceError as error:
        return "" if "\n" not in str(error) else f"several lines: {error}"
    except Exception as error:  # whatever else comes is the finding
        return f"{type(error).__name__}: {error}"
    return ""


def embed(build, weights, paths, *options):
    """[pictures, values] of the program's own embed."""
    run = subprocess.run([f"{build}/minisim", "embed", "--weights", weights, "--format", "f32",
                          "--preprocessed", *options, *paths], capture_output=True, check=True)
    return np.frombuffer(run.stdout, "<f4").reshape(len(paths), -1)


def difference(got, expected):
    """The largest difference as a share of the largest value."""
    return np.abs(got.astype(np.float64) - expected).max() / np.abs(expected).max()


def compare(tap, build, folder, what, source, steps, options=(), size=64, padding="symmetric",
            epsilon=1e-5, limit=1e-4, expected=None):
    """Exports source, embeds two pictures and holds them against the double computation (or against
    expected). Gives the export's report."""
    output = os.path.join(folder, "compared.msw")
    if os.path.exists(output):
        os.unlink(output)
    run = export(source, output, "--input-size", str(size), "--geometry", "squash", "--mean",
                 ".5,.5,.5", "--std", ".5,.5,.5", *options)
    if run.returncode:
        tap.check(False, what, run.stderr)
        return run.stderr
    paths, wanted = [], []
    for seed in (7, 11):
        picture = pixels(size, seed)
        paths.append(os.path.join(folder, f"picture-{seed}.png"))
        write_png(paths[-1], picture)
        wanted.append(embedding(steps, picture, padding, epsilon))
    worst = difference(embed(build, output, paths), np.array(wanted if expected is None else expected))
    print(f"# {what}: largest difference {worst:.2g} of the largest value")
    tap.check(worst <= limit, what, run.stdout)
    return run.stdout


# ---- the classifier ------------------------------------------------------------------------------


def classifier(steps, classes=10):
    """(weight [classes, values], bias) of what may follow the network."""
    random = np.random.default_rng(classes)
    return (random.normal(0, 0.1, (classes, len(steps[-1].weight))).astype(np.float32),
            random.normal(0, 1, classes).astype(np.float32))


def check_classifier(tap, what, source, weight, bias, limit=0):
    """The importer finds this classifier, to `limit` of the largest value; bias None: it has none."""
    found = export_weights.load(source, False)
    layer = found.classifier
    good = layer is not None and layer.weight.shape == weight.shape and (layer.bias is None) == (bias is None)
    good = good and np.abs(layer.weight - weight).max() <= limit * np.abs(weight).max()
    good = good and (bias is None or np.abs(layer.bias - bias).max() <= limit * np.abs(bias).max())
    tap.check(good, f"the classifier of {what}", found.rest)


def check_dropped(tap, what, source, text, backbone=False):
    """What follows is no classifier that can be kept, which is said."""
    found = export_weights.load(source, backbone)
    tap.check(found.classifier is None and text in found.rest, f"no classifier: {what}", found.rest)


# ---- names ---------------------------------------------------------------------------------------


def names_torch(steps, family):
    """{name: array} in torchvision's, timm's or transformers' names, with a classifier of 10 classes."""
    tensors, stage, inside, last = {}, -1, 0, 0
    first = {0, 1, 3, 6, 10, 13, 16}  # the blocks that open a stage
    expanded = {step.block for step in steps if step.part == "expand"}
    for step in steps:
        block, has = step.block, step.block in expanded
        if family == "torchvision":
            number = {"stem": 0, "head": 18}.get(step.part, block + 1)
            at = {"expand": "conv.0.0", "depthwise": f"conv.{int(has)}.0",
                  "project": f"conv.{int(has) + 1}"}.get(step.part, "0")
            conv = f"features.{number}.{at}"
            front, _, tail = conv.rpartition(".")
            norm = f"{front}.{int(tail) + 1}"
        elif family == "timm":
            if block in first and block != last or stage < 0:
                stage, inside = stage + (block >= 0), 0 if block in first else inside
            elif block != last:
                inside += 1
            last = block
            part = ({"expand": ("conv_pw", "bn1"), "depthwise": ("conv_dw", "bn2"),
                     "project": ("conv_pwl", "bn3")} if has else
                    {"depthwise": ("conv_dw", "bn1"), "project": ("conv_pw", "bn2")}).get(step.part)
            conv, norm = {"stem": ("conv_stem", "bn1"), "head": ("conv_head", "bn2")}.get(
                step.part) or tuple(f"blocks.{stage}.{inside}.{p}" for p in part)
        else:
            inner = {"expand": "expand_1x1", "depthwise": "conv_3x3", "project": "reduce_1x1"}
            base = {"stem": "conv_stem.first_conv", "head": "conv_1x1"}.get(step.part) or (
                f"layer.{block - 1}.{inner[step.part]}" if block else f"conv_stem.{inner[step.part]}")
            conv, norm = (f"mobilenet_v2.{base}.{p}" for p in ("convolution", "normalization"))
        tensors[f"{conv}.weight"] = step.weight
        for part, values in zip(("weight", "bias", "running_mean", "running_var"), step.norm):
            tensors[f"{norm}.{part}"] = values
        tensors[f"{norm}.num_batches_tracked"] = np.array(1000, np.int64)
    head = "classifier.1" if family == "torchvision" else "classifier"
    tensors[f"{head}.weight"], tensors[f"{head}.bias"] = classifier(steps)
    return tensors


def names_tensorflow(steps, family):
    """{name: array} in Keras's or slim's names."""
    tensors = {}
    for step in steps:
        weight = step.weight.transpose(2, 3, 1, 0)
        if step.part == "depthwise":
            weight = step.weight.transpose(2, 3, 0, 1)
        if family == "keras":
            block = "expanded_conv_" if step.block == 0 else f"block_{step.block}_"
            conv = {"stem": "Conv1", "head": "Conv_1"}.get(step.part, block + step.part)
            norm = {"stem": "bn_Conv1", "head": "Conv_1_bn"}.get(step.part, f"{conv}_BN")
            kernel = "depthwise_kernel" if step.part == "depthwise" else "kernel"
        else:
            block = "expanded_conv" + (f"_{step.block}" if step.block else "")
            conv = "MobilenetV2/" + {"stem": "Conv", "head": "Conv_1"}.get(step.part,
                                                                          f"{block}/{step.part}")
            norm = f"{conv}/BatchNorm"
            kernel = "depthwise_weights" if step.part == "depthwise" else "weights"
        tensors[f"{conv}/{kernel}"] = np.ascontiguousarray(weight)
        for part, values in zip(("gamma", "beta", "moving_mean", "moving_variance"), step.norm):
            tensors[f"{norm}/{part}"] = values
    return tensors
