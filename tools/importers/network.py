"""The neutral description of a MobileNetV2 checkpoint, whatever file it came from.

Takes the convolutions in the order in which a picture passes them, with the names that their
tensors have in the source; gives Layer objects. In order: the description, a source's bytes, grouping
into stem, blocks and head with all shapes checked, what follows from the shapes (width) or from the
number of blocks (strides, where the source does not hold them).
"""

import os
import stat
from dataclasses import dataclass, field

import numpy as np

LARGEST_CHANNELS = 4096  # weights/FORMAT.md
LARGEST_FILE = 1 << 31

# Output channels of the 17 blocks at width 1.0, and which of them have stride 2.
BLOCK_CHANNELS = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
BLOCKS_WITH_STRIDE_2 = (1, 3, 6, 13)
WIDTHS = (1.0, 0.5, 0.35, 0.75, 1.3, 1.4)


class MissingPackage(Exception):
    """A Debian package is needed, whose name is the text."""


class SourceError(Exception):
    """The source cannot be used; the text says what is wrong with it."""


@dataclass
class Conv:
    """A convolution as the source holds it, its weight already in the .msw file's layout.

    `name` is the weight's name in the source. Stride, source, added and relu6 are None where the
    source does not say.
    """

    name: str
    weight: np.ndarray
    bn: tuple = None
    bias: np.ndarray = None
    stride: int = None
    source: object = None  # identifies what goes in
    added: object = None  # identifies what is added to the output
    relu6: bool = None  # whether ReLU6 follows


@dataclass
class Layer:
    """A layer of the .msw file: weight in its layout, stride 0 for 1 x 1; bn is gamma, beta, mean, var."""

    name: str
    weight: np.ndarray
    stride: int = 0
    bn: tuple = None
    bias: np.ndarray = None


@dataclass
class Network:
    layers: list
    padding: str = None
    input_size: int = None
    has_graph: bool = False  # whether strides and additions stood in the source
    epsilon: float = None
    preset: str = None  # whose conventions the source seems to follow
    input: object = None  # where the source has a graph: the picture's tensor,
    output: object = None  # the one that is pooled,
    input_layout: str = None  # and NCHW or NHWC
    files: list = None  # the files it came from, where that is not just the source
    notes: list = field(default_factory=list)  # what the user should know, a line each
    rest: str = ""  # what follows the embedding, in words, with what makes it no classifier
    classifier: "Layer | None" = None  # [classes, values of an embedding], if one linear layer follows

    @property
    def blocks(self):
        return sum(layer.name.endswith(".depthwise") for layer in self.layers)


def open_source(path):
    """The file, opened; a pipe, which would block here, is none."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise SourceError("this is no regular file")
    return open(path, "rb")


def read_source(path):
    """The file's bytes; memory is taken for what is there, not for what might be."""
    with open_source(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_FILE:
            raise SourceError(f"the file has more than {LARGEST_FILE} bytes")
        return file.read(size)


def is_shape(value):
    """A short list of extents, each at least 1, whose product cannot be huge."""
    return type(value) in (list, tuple) and len(value) <= 8 and all(
        type(n) is int and 0 <= n <= LARGEST_FILE for n in value)


def shaped(tensors, name, shape):
    """The tensor of this name, which must have this shape (None: any extent)."""
    if name not in tensors:
        raise SourceError(f"tensor {name} is missing")
    got = tensors[name].shape
    if len(got) != len(shape) or any(w not in (None, g) for w, g in zip(shape, got)):
        wanted = ", ".join("any" if extent is None else str(extent) for extent in shape)
        raise SourceError(f"tensor {name} has shape {list(got)}, a MobileNetV2's has [{wanted}]")
    return tensors[name]


def _fit(conv, kind, channels, relu6=True):
    """The convolution is of this kind and takes this many channels; says which tensor does not fit."""
    rank, wanted = {"stem": (4, "any, 3, 3, 3"), "depthwise": (3, f"{channels}, 3, 3"),
                    "pointwise": (2, f"any, {channels}")}[kind]
    got = conv.weight.shape
    fits = len(got) == rank and min(got) >= 1 and max(got) <= LARGEST_CHANNELS
    if fits and kind == "stem":
        fits = got[1:] == (3, 3, 3)
    elif fits and kind == "depthwise":
        fits = got == (channels, 3, 3)
    elif fits:
        fits = got[1] == channels
    if not fits:
        raise SourceError(f"tensor {conv.name} does not fit: [{wanted}] should stand here, it has "
                          f"{list(got)}")
    if conv.relu6 not in (None, relu6):
        raise SourceError(f"behind tensor {conv.name}: {'no ReLU6' if relu6 else 'ReLU6'}, a "
                          f"MobileNetV2 has {'one' if relu6 else 'none'} there")
    if kind == "pointwise" and conv.stride not in (None, 1):
        raise SourceError(f"tensor {conv.name}: a 1 x 1 convolution with stride {conv.stride}")
    parts = (conv.weight, *(conv.bn or ()), *(() if conv.bias is None else (conv.bias,)))
    if not all(np.all(np.isfinite(part)) for part in parts):
        raise SourceError(f"tensor {conv.name}, or its bias or BatchNorm, has a value that is not "
                          "finite")
    return got[0]


def _stride(conv, default):
    stride = default if conv.stride is None else conv.stride
    if stride not in (1, 2):
        raise SourceError(f"tensor {conv.name}: stride {stride}, a MobileNetV2 has 1 or 2")
    return stride


def _layer(name, conv, stride=0):
    return Layer(name, conv.weight, stride, conv.bn, conv.bias)


def _check_addition(first, project, stride, channels, has_graph):
    """The graph adds the block's input exactly where a MobileNetV2 does."""
    if not has_graph:
        return
    wanted = stride == 1 and channels == project.weight.shape[0]
    if (project.added is not None) != wanted or (wanted and project.added != first.source):
        raise SourceError(f"behind tensor {project.name}: the block's input "
                          f"{'is not' if wanted else 'must not be'} added here")


def _is_pointwise(conv):
    return conv.weight.ndim == 2


def _cut(convs):
    """The convolutions up to the head: the 1 x 1 behind a block that no depthwise one follows."""
    at = 1
    while at + 1 < len(convs):
        if convs[at].weight.ndim == 3:
            at += 2
        elif convs[at + 1].weight.ndim == 3:
            at += 3
        else:
            break
    return convs[:at + 1]


def assemble(convs, padding=None, input_size=None, has_graph=False, backbone=False):
    """Groups the convolutions into a Network, or names the first tensor that does not fit. With backbone,
    what follows the head is left out."""
    rest = _cut(convs) if backbone else list(convs)

    def take(kind, channels=0, relu6=True):
        if not rest:
            raise SourceError(f"the source ends where a {kind} convolution should follow")
        conv = rest.pop(0)
        return conv, _fit(conv, kind, channels, relu6)

    strides_known = all(c.stride for c in convs if c.weight.ndim == 3)
    stem, channels = take("stem")
    layers = [_layer("stem", stem, _stride(stem, 2))]
    block = 0
    while len(rest) > 1:
        first, expanded = rest[0], channels
        if block or _is_pointwise(first):
            conv, expanded = take("pointwise", channels)
            if block == 0 and expanded != channels:
                raise SourceError(f"tensor {conv.name} expands {channels} channels to {expanded}; "
                                  "the first block of a MobileNetV2 does not")
            if expanded % channels:
                raise SourceError(f"tensor {conv.name} expands {channels} channels to {expanded}, "
                                  "no multiple: channels were pruned")
            layers.append(_layer(f"block.{block}.expand", conv))
        conv, _ = take("depthwise", expanded)
        stride = _stride(conv, 2 if block in BLOCKS_WITH_STRIDE_2 else 1)
        layers.append(_layer(f"block.{block}.depthwise", conv, stride))
        project, outputs = take("pointwise", expanded, relu6=False)
        _check_addition(first, project, stride, channels, has_graph)
        layers.append(_layer(f"block.{block}.project", project))
        channels = outputs
        block += 1
    head, _ = take("pointwise", channels)
    layers.append(_layer("head", head))
    if not has_graph and block != len(BLOCK_CHANNELS) and not strides_known:
        raise SourceError(f"{block} blocks: the strides are known for {len(BLOCK_CHANNELS)} only, "
                          "and this kind of file does not hold them")
    return Network(layers, padding, input_size, has_graph)


def add_classifier(network, linear):
    """Takes (weight, bias) of what follows the network as its classifier; None, or what does not fit, only
    makes `rest` say so."""
    values = network.layers[-1].weight.shape[0]
    if linear is None:
        network.rest += ": no single linear layer"
        return
    weight, bias = linear
    if weight.shape[1] != values or (bias is not None and bias.shape != weight.shape[:1]):
        network.rest += f": it does not take the {values} values of an embedding"
    elif weight.shape[0] > LARGEST_CHANNELS:
        network.rest += f": more than {LARGEST_CHANNELS} classes"
    else:
        network.classifier = Layer("classifier", np.ascontiguousarray(weight), bias=bias)


def _rounded(channels):
    """TensorFlow's rounding to a multiple of 8, never down by more than a tenth."""
    down = max(8, int(channels + 4) // 8 * 8)
    return down + 8 if down < 0.9 * channels else down


def width(network):
    """The width multiplier that gives these channels; None where none does."""
    outputs = [network.layers[0].weight.shape[0]]
    outputs += [x.weight.shape[0] for x in network.layers if x.name.endswith(".project")]
    standard = (32, *BLOCK_CHANNELS)
    for candidate in (*WIDTHS, *(step / 100 for step in range(5, 401))):
        if outputs == [_rounded(candidate * channels) for channels in standard]:
            return candidate
    return None
