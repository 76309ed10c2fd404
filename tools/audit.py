#!/usr/bin/python3
"""Recomputes what minisim makes of a picture and holds the two against each other, step by step.

    tools/audit.py [--weights FILE] [--bits N] PICTURE [OTHER]

Written from src/NUMBERS.md and weights/FORMAT.md, not from the C code: NumPy computes, Pillow decodes,
tools/msw.py reads the weights; minisim's side comes from its `trace` and `compare`. Prints one row a
step; with OTHER, that picture's too and the distances of the two. Exit status 0, or 10 where something differs.

The network runs in double from the picture on. `difference` is the largest between its values and minisim's,
`bound` the largest that is allowed, `share` the largest difference as a share of the same value's bound: above
1, the row is `not ok`. A chain of n fused multiply-adds in f32 is off by at most gamma(n) times the sum of the
magnitudes of its terms, where gamma(n) = n u / (1 - n u) and u = 2^-24 (Higham, Accuracy and Stability of
Numerical Algorithms, section 3.1). What its inputs were off by adds to that, each times its |weight|; ReLU6
makes no difference larger. So the bound is proven, and holds as tightly in the last layer as in the first: it
starts in each layer from the differences found in the one before, each of which was held to its own bound. (With
bounds carried on in their place, f32 could be wrong by anything after a dozen layers.)

`--bits N` follows the page's order of arithmetic on N outputs a layer, from minisim's values of the layer
before, with a fused multiply-add made of exact steps: these must agree to the last bit, as the folded weights,
the table of input values and the distances must always.

From the top: bytes to pixels; pixels to embedding, in double and in the exact order; distances; the embedding
id; what minisim says; the rows.
"""

import argparse
import hashlib
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from PIL import Image
except ModuleNotFoundError as missing:
    package = {"numpy": "python3-numpy", "PIL": "python3-pil"}[missing.name]
    print(f"audit: needs {package}: apt-get install {package}", file=sys.stderr)
    sys.exit(4)

import msw

Image.MAX_IMAGE_PIXELS = None  # minisim, which reads each picture first, has a bound
DIFFERS = 10
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TAPS = list(itertools.product(range(3), range(3)))  # of 3x3: row by row, left to right


class Failed(Exception):
    """Nothing to go on with: an exit status and a line of text."""


# -- From bytes to pixels --------------------------------------------------------------------------


def decodes_alike(image: Image.Image) -> bool:
    """Whether Pillow decodes this file as NUMBERS.md says. Every JPEG decoder has roundings of its own; Pillow
    has others for 16 bits, a BMP's 5 or 6, and a PNM whose largest value is not 255, and sees no alpha in BMP."""
    decoder, _, _, arguments = image.tile[0]
    layout = arguments if isinstance(arguments, str) else arguments[0]
    if image.format == "PPM":
        return decoder == "raw"
    return image.format in ("PNG", "BMP") and not any(odd in layout for odd in ("15", "16", "BGRX"))


def over_white(pixels: np.ndarray) -> np.ndarray:
    """[h, w, 3] from 1 to 4 channels (grey, grey and alpha, RGB, RGBA): spread, and over white."""
    channels = pixels.shape[2]
    pixels = pixels.astype(int)
    colour = pixels[..., :3] if channels > 2 else pixels[..., [0, 0, 0]]
    alpha = pixels[..., -1:] if channels in (2, 4) else 255
    return (alpha * colour + (255 - alpha) * 255 + 127) // 255


def oriented(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The picture as it is seen; orientation is EXIF's."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def bilinear(x: float) -> float:
    return max(1 - abs(x), 0.0)


def bicubic(x: float, a: float = -0.5) -> float:
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


FILTERS = {"bilinear": (1, bilinear), "bicubic": (2, bicubic)}


def samples(n: int, m: int, resampling: str):
    """For each of m samples made of n: its first tap and its weights, integers of 2^-22."""
    radius, weigh = FILTERS[resampling]
    scale = n / m
    support = radius * max(scale, 1)
    for x in range(m):
        center = (x + 0.5) * scale
        first, end = max(int(center - support + 0.5), 0), min(int(center + support + 0.5), n)
        weights = [weigh((i - center + 0.5) * (1 / max(scale, 1))) for i in range(first, end)]
        *_, total = itertools.accumulate(weights)
        scaled = [weight / total * 2**22 for weight in weights]
        yield first, np.array([math.copysign(math.floor(abs(w) + 0.5), w) for w in scaled], int)


def resized_rows(pixels: np.ndarray, m: int, resampling: str) -> np.ndarray:
    """One pass: [h, n, 3] to [h, m, 3]."""
    result = np.empty((pixels.shape[0], m, 3), int)
    for x, (first, weights) in enumerate(samples(pixels.shape[1], m, resampling)):
        part = pixels[:, first:first + len(weights)]
        result[:, x] = np.clip((2**21 + (part * weights[:, None]).sum(axis=1)) >> 22, 0, 255)
    return result


def resized(pixels: np.ndarray, height: int, width: int, resampling: str) -> np.ndarray:
    pixels = resized_rows(pixels, width, resampling)
    return resized_rows(pixels.swapaxes(0, 1), height, resampling).swapaxes(0, 1)


def squared(pixels: np.ndarray, model: msw.Model) -> np.ndarray:
    """[S, S, 3]: the square that the network takes, by the weights' geometry."""
    size, (height, width) = model.input_size, pixels.shape[:2]
    shorter, longer = min(height, width), max(height, width)
    if model.geometry == "squash":
        return resized(pixels, size, size, model.resampling)
    if model.geometry == "crop":
        other = model.crop_side * longer // shorter
        height, width = (model.crop_side if n == shorter else other for n in (height, width))
        top, left = round((height - size) / 2), round((width - size) / 2)
        return resized(pixels, height, width, model.resampling)[top:top + size, left:left + size]
    other = max(1, (2 * shorter * size + longer) // (2 * longer))
    height, width = (size if n == longer else other for n in (height, width))
    top, left = (size - height) // 2, (size - width) // 2
    square = np.empty((size, size, 3), int)
    square[:] = list(model.pad_colour.to_bytes(3, "big"))
    square[top:top + height, left:left + width] = resized(pixels, height, width, model.resampling)
    return square


# -- From pixels to the embedding ------------------------------------------------------------------


def input_table(model: msw.Model) -> np.ndarray:
    """[256, 3] f32: the input value of each byte, a channel."""
    values = np.arange(256)[:, None] / 255
    return ((values - np.array(model.mean)) / np.array(model.std)).astype(np.float32)


def padded(x: np.ndarray, stride: int, padding: str) -> tuple:
    """x [n, n, channels] with the zeros that a 3x3 convolution needs, and the side of its output."""
    side, before = -(-len(x) // stride), 1
    if padding == "same":
        before = max((side - 1) * stride + 3 - len(x), 0) // 2
    return np.pad(x, ((before, 2), (before, 2), (0, 0))), side


def convolved(layer: msw.Layer, weight: np.ndarray, x: np.ndarray, padding: str) -> np.ndarray:
    """The layer's sums over x, without bias, in double. weight: of the shape in FORMAT.md's table."""
    if weight.ndim == 2:
        return x @ weight.T
    stride = layer.stride
    x, side = padded(x, stride, padding)
    total = 0.0
    for row, column in TAPS:
        part = x[row:row + stride * side:stride, column:column + stride * side:stride]
        tap = weight[:, row, column]
        total = total + (part * tap if tap.ndim == 1 else part @ tap.T)
    return total


def gamma(n: int) -> float:
    """What n roundings to f32 can do to a term; and one more, for those of double (2^-53 each)."""
    return (n + 1) * 2**-24 / (1 - (n + 1) * 2**-24)


def fma(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a * b + c of f32, rounded once. The product is exact in double. The sum is rounded to odd: what was
    lost is known exactly (Knuth), and of the two doubles around the sum the one whose last bit is 1 is taken.
    From that, rounding to f32 goes the way that it would have gone from the sum."""
    product, c = a.astype(float) * b.astype(float), c.astype(float)
    total = product + c
    part = total - product
    lost = (product - (total - part)) + (c - part)
    inexact_and_even = (lost != 0) & (total.view(np.int64) & 1 == 0)
    neighbour = np.nextafter(total, np.copysign(np.inf, lost))
    return np.where(inexact_and_even, neighbour, total).astype(np.float32)


def chained(layer: msw.Layer, weight: np.ndarray, bias: np.ndarray, x: np.ndarray, padding: str,
            at: tuple) -> np.ndarray:
    """The layer's outputs at (rows, columns, channels), each by its chain of fma from the bias."""
    rows, columns, channels = at
    if weight.ndim == 2:
        inputs = x[rows, columns]
    else:
        x, _ = padded(x, layer.stride, padding)
        places = [(rows * layer.stride + row, columns * layer.stride + column) for row, column in TAPS]
        if weight.ndim == 3:
            inputs = np.stack([x[place + (channels,)] for place in places], axis=1)
        else:
            inputs = np.concatenate([x[place] for place in places], axis=1)
    weights = weight.reshape(len(weight), -1)[channels]
    total = bias[channels]
    for i in range(weights.shape[1]):
        total = fma(inputs[:, i], weights[:, i], total)
    return total


def relu6(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, np.where(x < 6, x, x.dtype.type(6)), x.dtype.type(0))


def averaged(x: np.ndarray) -> np.ndarray:
    """[channels] f32: the mean of each channel, summed in row order."""
    cells = x.reshape(-1, x.shape[-1])
    total = np.zeros_like(cells[0])
    for cell in cells:
        total = total + cell
    return total * (np.float32(1) / np.float32(len(cells)))


# -- Distances -------------------------------------------------------------------------------------


def summed(a: np.ndarray, b: np.ndarray) -> float:
    """The sum of a[i] * b[i] in the 16 partial sums' order."""
    sums = np.zeros(16, np.float32)
    for i in range(0, len(a), 16):
        part = a[i:i + 16]
        sums[:len(part)] = fma(part, b[i:i + 16], sums[:len(part)])
    while len(sums) > 1:
        sums = sums[:len(sums) // 2] + sums[len(sums) // 2:]
    return float(sums[0])


def distances(a: np.ndarray, b: np.ndarray) -> dict:
    """Cosine, euclidean and dot of two vectors that have all three."""
    if (a == b).all():
        return {"cosine": 0.0, "euclidean": 0.0, "dot": summed(a, b)}
    cosine = 1 - summed(a, b) / math.sqrt(summed(a, a) * summed(b, b))
    return {"cosine": min(max(cosine, 0.0), 2.0), "euclidean": math.sqrt(summed(a - b, a - b)),
            "dot": summed(a, b)}


# -- Embedding id ----------------------------------------------------------------------------------


def embedding_id(model: msw.Model, network: list) -> str:
    """network: (layer, folded weight, folded bias) in the file's order."""
    lines = [("minisim numerics", 1), ("input", model.input_size),
             ("padding", msw.PADDINGS.index(model.padding)),
             ("geometry", msw.GEOMETRIES.index(model.geometry) + 1), ("crop", model.crop_side),
             ("pad", model.pad_colour), ("resample", msw.RESAMPLINGS.index(model.resampling) + 1)]
    expand = 0
    for layer, weight, _ in network:
        part = layer.name.split(".")[-1]
        if part == "stem":
            lines += [("stem", len(weight)), ("stride", layer.stride)]
        elif part == "expand":
            expand = len(weight)
        elif part == "depthwise":
            lines += [("expand", expand), ("stride", layer.stride)]
            expand = 0
        elif part == "project":
            lines.append(("project", len(weight)))
    digest = hashlib.sha256("".join(f"{name} {value}\n" for name, value in lines).encode())
    digest.update(input_table(model).astype("<f4").tobytes())
    for _, weight, bias in network:
        digest.update(weight.astype("<f4").tobytes() + bias.astype("<f4").tobytes())
    return digest.hexdigest()


# -- What minisim says -----------------------------------------------------------------------------


class Minisim:
    """The program with the weights that it is to use."""

    def __init__(self, program: str, weights: str):
        self.program, self.weights = program, weights

    def say(self, verb: str, *arguments) -> str:
        command = [self.program, verb, "--weights", self.weights, *arguments]
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise Failed(4, f"{self.program}: {error.strerror}") from error
        if run.returncode:
            raise Failed(run.returncode, run.stderr.strip())
        return run.stdout


class Trace:
    """The way of one picture through minisim: a line a layer, and its values."""

    def __init__(self, minisim: Minisim, picture: str):
        self.minisim, self.picture = minisim, picture
        lines = map(json.loads, minisim.say("trace", "--", picture).splitlines())
        self.lines = {line["layer"]: line for line in lines}

    def values(self, layer: str) -> np.ndarray:
        """The layer's values, dumped; they must be those of its line."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "layer.npy")
            self.minisim.say("trace", "--dump", layer, "-o", path, "--", self.picture)
            values = np.load(path)
        if not self.tells(layer, values):
            raise Failed(DIFFERS, f"trace: {layer}: the values dumped are not those of its line")
        return values

    def tells(self, layer: str, values: np.ndarray) -> bool:
        """Whether the layer's line is that of these values."""
        line = self.lines[layer]
        *_, total = np.add.accumulate(values.ravel(), dtype=float)  # one after the other
        return (line["type"] == {"uint8": "u8", "float32": "f32"}[values.dtype.name]
                and line["shape"] == list(values.shape)
                and values.dtype.type(line["min"]) == values.min()
                and values.dtype.type(line["max"]) == values.max()
                and line["mean"] == total / values.size
                and line["sha256"] == hashlib.sha256(values.tobytes()).hexdigest())


# -- The rows --------------------------------------------------------------------------------------


class Table:
    """Prints rows as they are found and counts those that are not ok."""

    def __init__(self, bits: int):
        self.bits, self.rows, self.failed = bits, 0, 0
        print(f"{'step':<20} {'shape':<14} {'difference':>10} {'bound':>8} {'share':>6} "
              + (f"{'bits':>12}" if bits else ""))

    def row(self, name: str, shape, good: bool, difference="", bound="", share="", bits="", note=""):
        self.rows += 1
        self.failed += not good
        shape = " x ".join(map(str, shape))
        numbers = f"{difference:>10} {bound:>8} {share:>6} " + (f"{bits:>12} " if self.bits else "")
        print(f"{name:<20} {shape:<14} {numbers}{'ok' if good else 'not ok'}{'  ' + note if note else ''}")

    def equal(self, name: str, got: np.ndarray, expected: np.ndarray, note: str = "") -> None:
        """A row of values that must be the same."""
        good = got.shape == expected.shape
        difference = f"{np.abs(got - expected).max():.2g}" if good else "shape"
        self.row(name, got.shape, good and (got == expected).all(), difference, "0", note=note)

    def near(self, name: str, got: np.ndarray, exact: np.ndarray, bound: np.ndarray, in_order) -> None:
        """A row of values that may be off by `bound` each; in_order(places) gives f32's bits at some."""
        difference = np.abs(got - exact)
        bound = bound + 2**-126  # subnormal numbers round to a fixed place
        share = (difference / bound).max()
        good, bits = share <= 1, ""
        if self.bits:
            flat = np.unique(np.linspace(0, got.size - 1, min(self.bits, got.size)).astype(int))
            at = np.unravel_index(flat, got.shape)
            wrong = np.count_nonzero(in_order(at).view(np.uint32) != got[at].view(np.uint32))
            bits = f"{wrong} differ" if wrong else f"{len(flat)} equal"
            good = good and not wrong
        self.row(name, got.shape, good, f"{difference.max():.1e}", f"{bound.max():.1e}", f"{share:.2f}", bits)


def audit_pixels(table: Table, trace: Trace, model: msw.Model) -> np.ndarray:
    """From the file to the square; gives the square."""
    data = np.fromfile(trace.picture, np.uint8)
    table.row("file", data.shape, trace.tells("file", data), note="SHA-256 of its bytes")
    decoded = trace.values("decoded")
    with Image.open(trace.picture) as image:
        alike, kind = decodes_alike(image), image.format  # before getexif, which may decode
        orientation = image.getexif().get(0x0112, 1)
        if alike:
            expected = over_white(np.asarray(image.convert("RGBA")))
            table.equal("decoded", over_white(decoded), expected, "over white")
    if not alike:
        table.row("decoded", decoded.shape, True, note=f"taken from trace: {kind} decoders differ")
    square = trace.values("resized").astype(int)
    if model.resampling in FILTERS:
        table.equal("resized", square, squared(oriented(over_white(decoded), orientation), model))
    else:
        table.row("resized", square.shape, True, note="taken from trace: stb_image_resize's")
    return square


def audit_network(table: Table, trace: Trace, model: msw.Model, network: list, square: np.ndarray) -> None:
    """From the square to the embedding. `ours` runs in double, `theirs` is minisim's f32."""
    theirs = trace.values("input")
    table.equal("input", theirs, input_table(model)[square, range(3)])
    ours, block = theirs.astype(float), ""
    for layer, weight, bias in network:
        name, _, part = layer.name.rpartition(".")
        if name != block:
            block, block_ours, block_theirs = name, ours, theirs
        given, wide = theirs, weight.astype(float)
        theirs = trace.values(layer.name)
        rounding = gamma(weight[0].size + layer.residual)
        bound = convolved(layer, np.abs(wide), rounding * np.abs(given) + np.abs(given - ours),
                          model.padding) + rounding * np.abs(bias.astype(float))
        ours = convolved(layer, wide, ours, model.padding) + bias
        if layer.residual:
            ours += block_ours
            bound += rounding * np.abs(block_theirs) + np.abs(block_theirs - block_ours)
        if part != "project":
            ours = relu6(ours)

        def in_order(at):
            values = chained(layer, weight, bias, given, model.padding, at)
            values = values + block_theirs[at] if layer.residual else values
            return values if part == "project" else relu6(values)

        table.near(layer.name, theirs, ours, bound, in_order)
    embedding, places = trace.values("embedding").ravel(), theirs.shape[0] * theirs.shape[1]
    bound = (gamma(places + 1) * np.abs(theirs) + np.abs(theirs - ours)).mean(axis=(0, 1))
    table.near("embedding", embedding, ours.mean(axis=(0, 1)), bound, lambda at: averaged(theirs)[at])
    return embedding


def audit(minisim: Minisim, pictures: list, bits: int) -> int:
    model = msw.read(minisim.weights)
    network = [(layer, *msw.fold(layer, model.epsilon)) for layer in msw.layers(model)]
    table, embeddings = Table(bits), []
    parameters, known = sum(w.size + b.size for _, w, b in network), embedding_id(model, network)
    steps = ["file", "decoded", "resized", "input", *(layer.name for layer, *_ in network), "embedding"]
    for picture in pictures:
        print(f"# {picture}")
        trace = Trace(minisim, picture)
        if list(trace.lines) != steps:
            raise Failed(DIFFERS, f"trace: layers {list(trace.lines)}, expected {steps}")
        table.row("weights", [parameters], trace.lines["file"]["embedding_id"] == known,
                  note="folded, and the table of input values: embedding id")
        square = audit_pixels(table, trace, model)
        embeddings.append(audit_network(table, trace, model, network, square))
    if len(pictures) == 2:
        report = json.loads(minisim.say("compare", "--metric", "all", "--json", "--", *pictures))
        for metric, distance in distances(*embeddings).items():
            got = report["distances"][0][metric]
            table.row(metric, [], got == distance, f"{abs(got - distance):.2g}", "0", note=repr(got))
    print(f"{table.rows - table.failed} rows ok, {table.failed} not")
    return DIFFERS if table.failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Recomputes what minisim makes of a picture, step by step.")
    parser.add_argument("pictures", metavar="PICTURE", nargs="+", help="one, or two and their distances")
    parser.add_argument("--weights", metavar="FILE", help="instead of the default's",
                        default=os.path.join(ROOT, "weights", "minisim-default.msw"))
    parser.add_argument("--bits", metavar="N", type=int, default=0,
                        help="follow the exact order of arithmetic on N outputs a layer")
    parser.add_argument("--minisim", metavar="PROGRAM", default=os.path.join(ROOT, "build", "minisim"))
    arguments = parser.parse_args()
    if len(arguments.pictures) > 2 or arguments.bits < 0:
        parser.error("one picture or two, and N is 0 or more")
    try:
        return audit(Minisim(arguments.minisim, arguments.weights), arguments.pictures, arguments.bits)
    except Failed as failed:
        status, text = failed.args
    except msw.FormatError as error:
        status, text = 3, f"{arguments.weights}: {error}"
    except OSError as error:
        status, text = 1, str(error)
    print(f"audit: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
