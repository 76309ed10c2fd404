"""Networks in files that hold tensors by name, without a graph: the publishers' naming conventions.

Takes {name: array} as a file gives it; finds the convention and what stands before the names (`module.`,
`backbone.`), takes each convolution with its bias and BatchNorm, checks the shapes, and says what is left
over: a classifier, or what stands in its place; anything else is refused by its name.
In order: the two layouts, the conventions, other networks' marks, picking the tensors.
"""

import re
from collections import namedtuple

import numpy as np

from .network import Conv, SourceError, add_classifier, assemble, shaped

LARGEST_INDEX = 9999

# Where a convolution's tensors are: its kind, the names before their last part, the stride if known.
Slot = namedtuple("Slot", "kind conv norm stride", defaults=(None,))

# ---- the two layouts: names' last parts, and how a weight becomes the .msw file's ----------------


class _Torch:
    """[out, in, row, column]; `running_mean` and its like."""

    norm = (".weight", ".bias", ".running_mean", ".running_var")
    shapes = {"stem": (None, 3, 3, 3), "depthwise": (None, 1, 3, 3), "pointwise": (None, None, 1, 1)}

    @staticmethod
    def parts(slot):
        return f"{slot.conv}.weight", f"{slot.conv}.bias"

    @staticmethod
    def turned(kind, weight):
        if kind == "stem":
            return weight.transpose(0, 2, 3, 1)
        return weight[:, 0] if kind == "depthwise" else weight[:, :, 0, 0]


class _Keras:
    """[row, column, in, out], depthwise [row, column, channel, 1]."""

    norm = ("/gamma", "/beta", "/moving_mean", "/moving_variance")
    shapes = {"stem": (3, 3, 3, None), "depthwise": (3, 3, None, 1), "pointwise": (1, 1, None, None)}

    @staticmethod
    def parts(slot):
        kernel = "depthwise_kernel" if slot.kind == "depthwise" else "kernel"
        return f"{slot.conv}/{kernel}", f"{slot.conv}/bias"

    @staticmethod
    def turned(kind, weight):
        if kind == "stem":
            return weight.transpose(3, 0, 1, 2)
        return weight[..., 0].transpose(2, 0, 1) if kind == "depthwise" else weight[0, 0].T


class _Slim(_Keras):
    @staticmethod
    def parts(slot):
        kernel = "depthwise_weights" if slot.kind == "depthwise" else "weights"
        return f"{slot.conv}/{kernel}", f"{slot.conv}/biases"


# ---- the conventions: where the layers are -------------------------------------------------------


def _indices(names, pattern):
    """The numbers that `pattern` finds at the start of the names, ascending."""
    found = {tuple(map(int, m.groups())) for m in map(re.compile(pattern).match, names) if m}
    return sorted(index for index in found if max(index) <= LARGEST_INDEX)


def _torchvision(tensors, at):
    """0 is the stem, 1 and on are the blocks, the last one is the head."""
    indices = _indices(tensors, re.escape(at) + r"(\d{1,4})\.")
    last = indices[-1][0]
    yield Slot("stem", f"{at}0.0", f"{at}0.1")
    for index in range(1, last):
        block, step = f"{at}{index}.conv", 0
        # The first block has no expansion, except in variants that keep one at t = 1.
        if index > 1 or getattr(tensors.get(f"{block}.2.weight"), "ndim", 0) == 4:
            yield Slot("pointwise", f"{block}.0.0", f"{block}.0.1")
            step = 1
        yield Slot("depthwise", f"{block}.{step}.0", f"{block}.{step}.1")
        yield Slot("pointwise", f"{block}.{step + 1}", f"{block}.{step + 2}")
    yield Slot("pointwise", f"{at}{last}.0", f"{at}{last}.1")


def _timm(tensors, at):
    """blocks.STAGE.I; the stage tells the stride, so deeper variants (mobilenetv2_110d) work too."""
    yield Slot("stem", f"{at}conv_stem", f"{at}bn1")
    for stage, index in _indices(tensors, re.escape(at) + r"blocks\.(\d{1,4})\.(\d{1,4})\."):
        block = f"{at}blocks.{stage}.{index}"
        stride = 2 if index == 0 and stage in (1, 2, 3, 5) else 1
        if f"{block}.conv_pwl.weight" in tensors:
            yield Slot("pointwise", f"{block}.conv_pw", f"{block}.bn1")
            yield Slot("depthwise", f"{block}.conv_dw", f"{block}.bn2", stride)
            yield Slot("pointwise", f"{block}.conv_pwl", f"{block}.bn3")
        else:
            yield Slot("depthwise", f"{block}.conv_dw", f"{block}.bn1", stride)
            yield Slot("pointwise", f"{block}.conv_pw", f"{block}.bn2")
    yield Slot("pointwise", f"{at}conv_head", f"{at}bn2")


def _transformers(tensors, at):
    def slot(kind, name):
        return Slot(kind, f"{at}{name}.convolution", f"{at}{name}.normalization")

    yield slot("stem", "conv_stem.first_conv")
    if f"{at}conv_stem.expand_1x1.convolution.weight" in tensors:
        yield slot("pointwise", "conv_stem.expand_1x1")
    yield slot("depthwise", "conv_stem.conv_3x3")
    yield slot("pointwise", "conv_stem.reduce_1x1")
    for (index,) in _indices(tensors, re.escape(at) + r"layer\.(\d{1,4})\."):
        yield slot("pointwise", f"layer.{index}.expand_1x1")
        yield slot("depthwise", f"layer.{index}.conv_3x3")
        yield slot("pointwise", f"layer.{index}.reduce_1x1")
    yield slot("pointwise", "conv_1x1")


def _keras(tensors, at):
    yield Slot("stem", f"{at}Conv1", f"{at}bn_Conv1")
    blocks = [f"{at}expanded_conv_"]
    blocks += [f"{at}block_{i}_" for (i,) in _indices(tensors, re.escape(at) + r"block_(\d{1,4})_")]
    for block in blocks:
        if block != blocks[0] or f"{block}expand/kernel" in tensors:
            yield Slot("pointwise", f"{block}expand", f"{block}expand_BN")
        yield Slot("depthwise", f"{block}depthwise", f"{block}depthwise_BN")
        yield Slot("pointwise", f"{block}project", f"{block}project_BN")
    yield Slot("pointwise", f"{at}Conv_1", f"{at}Conv_1_bn")


def _keras_3(tensors, at):
    """Keras 3 counts the layers of each class in the order in which a picture passes them."""
    counts = {"conv2d": 0, "depthwise_conv2d": 0, "batch_normalization": 0}

    def counted(name):
        counts[name] += 1
        return f"{at}{name}" + (f"_{counts[name] - 1}" if counts[name] > 1 else "")

    def slot(kind):
        conv = counted("depthwise_conv2d" if kind == "depthwise" else "conv2d")
        return Slot(kind, conv, counted("batch_normalization"))

    blocks = len({n.rpartition("/")[0] for n in tensors if n.startswith(f"{at}depthwise_conv2d")})
    convs = len({n.rpartition("/")[0] for n in tensors if n.startswith(f"{at}conv2d")})
    yield slot("stem")
    for block in range(blocks):
        if block or convs == 2 * blocks + 2:
            yield slot("pointwise")
        yield slot("depthwise")
        yield slot("pointwise")
    yield slot("pointwise")


def _slim(tensors, at):
    def slot(kind, name):
        return Slot(kind, f"{at}{name}", f"{at}{name}/BatchNorm")

    yield slot("stem", "Conv")
    blocks = ["expanded_conv"] + [f"expanded_conv_{i}" for (i,) in _indices(
        tensors, re.escape(at) + r"expanded_conv_(\d{1,4})/")]
    for block in blocks:
        if f"{at}{block}/expand/weights" in tensors:
            yield slot("pointwise", f"{block}/expand")
        yield slot("depthwise", f"{block}/depthwise")
        yield slot("pointwise", f"{block}/project")
    yield slot("pointwise", "Conv_1")


# `anchor` is the stem's weight, `trunk` what only the network's own names begin with.
Convention = namedtuple("Convention", "name preset layout anchor second slots trunk")
CONVENTIONS = (
    Convention("torchvision", "torchvision-v1", _Torch, "0.0.weight", "1.conv.0.0.weight",
               _torchvision, r"\d+\."),
    Convention("timm", "timm", _Torch, "conv_stem.weight", "blocks.0.0.conv_dw.weight", _timm,
               r"blocks\.|conv_stem|bn[12]\."),
    Convention("transformers", "transformers", _Torch, "conv_stem.first_conv.convolution.weight",
               "conv_stem.conv_3x3.convolution.weight", _transformers, r"conv_stem\.|layer\."),
    Convention("Keras", "keras", _Keras, "Conv1/kernel", "expanded_conv_depthwise/depthwise_kernel",
               _keras, r"block_|expanded_conv|bn_Conv1"),
    Convention("Keras 3", "keras", _Keras, "conv2d/kernel",
               "depthwise_conv2d/depthwise_kernel", _keras_3, r"depthwise_conv2d|conv2d|batch_norm"),
    Convention("TF-slim", "tfhub", _Slim, "MobilenetV2/Conv/weights",
               "MobilenetV2/expanded_conv/depthwise/depthwise_weights", _slim, r"expanded_conv"),
)

# ---- other networks' marks -----------------------------------------------------------------------

MARKS = (
    ("a MobileNetV1", r"MobilenetV1/|conv_dw_\d|conv_pw_\d|Conv2d_\d+_depthwise|mobilenet_v1"),
    ("a MobileNetV3 or EfficientNet", r"MobilenetV3|squeeze|[._]se[._/]|\.block\.\d|efficientnet"
                                      r"|block1a_|mobilenet_v3"),
    ("a ResNet", r"layer1\.0\.conv|conv2_block1|resnet|res2a|\.bottleneck"),
    ("a VGG", r"block1_conv1|^features\.0\.weight$"),
)
DETECTION = re.compile(r"rpn|roi_heads|box|Box|anchor|fpn|FeatureExtractor/|decode|segment|yolo|neck")


def resembles(names):
    """`: this looks like ...` where the names tell what the network is, else nothing."""
    names = list(names)
    for what, pattern in MARKS:
        if any(re.search(pattern, name) for name in names):
            return f"; this looks like {what}"
    if any(DETECTION.search(name) for name in names):
        return "; this looks like a detection model"
    return ""


# ---- picking the tensors -------------------------------------------------------------------------


def _find(tensors):
    """The convention, and what stands before its names."""
    if not tensors:
        raise SourceError("the file holds no tensors of a network")
    found = []
    for convention in CONVENTIONS:
        for name in tensors:
            if not name.endswith(convention.anchor):
                continue
            at = name[:len(name) - len(convention.anchor)]
            if (not at or at[-1] in "./") and any(at + second in tensors for second in (
                    convention.second, convention.second.replace("depthwise_kernel", "kernel"))):
                found.append((convention, at))
    if not found:
        raise SourceError(f"tensor {min(tensors)} does not fit: no MobileNetV2 in "
                          f"torchvision's, timm's, transformers', Keras's or slim's names"
                          f"{resembles(tensors)}")
    if len(found) > 1:
        raise SourceError(f"the file holds {len(found)} networks, one at {found[0][1]!r}, one at "
                          f"{found[1][1]!r}: keep one of them")
    convention, at = found[0]
    return convention, at + ("MobilenetV2/" if convention.name == "TF-slim" else "")


def _conv(tensors, used, slot, layout):
    """A convolution with whatever stands beside its weight: a bias, a BatchNorm."""
    name, bias_name = layout.parts(slot)
    if name not in tensors and slot.kind == "depthwise" and f"{slot.conv}/kernel" in tensors:
        name = f"{slot.conv}/kernel"  # Keras 3
    weight = layout.turned(slot.kind, shaped(tensors, name, layout.shapes[slot.kind]))
    used.add(name)
    outputs = (weight.shape[0],)
    bias = bn = None
    if bias_name in tensors:
        bias = shaped(tensors, bias_name, outputs)
        used.add(bias_name)
    parts = [slot.norm + part for part in layout.norm]
    if any(part in tensors for part in parts):
        if parts[0] not in tensors and layout is not _Torch:
            tensors[parts[0]] = np.ones(outputs, np.float32)  # BatchNorm with scale=False
        bn = tuple(shaped(tensors, part, outputs) for part in parts)
        used.update(parts)
    return Conv(name, np.ascontiguousarray(weight), bn, bias, slot.stride)


def _rest(tensors, used, at, convention, backbone):
    """The names that are left; refuses what is no classifier's, unless the backbone is asked for."""
    left = [name for name in tensors if name not in used]
    trunk = re.compile(re.escape(at) + f"(?:{convention.trunk})")
    for name in left:
        shape = tensors[name].shape
        linear = len(shape) <= 2 or (len(shape) == 4 and 1 in (shape[0] * shape[1],
                                                               shape[2] * shape[3]))
        inside = trunk.match(name)
        if inside or (not backbone and (not linear or DETECTION.search(name))):
            hint = "" if inside else "; --backbone takes the MobileNetV2 alone"
            raise SourceError(f"tensor {name} does not fit: a MobileNetV2 has none of this name"
                              f"{resembles(tensors)}{hint}")
    return left


def _linear(tensors, left, layout):
    """(weight, bias) where these tensors are one linear layer, else None."""
    weights = [name for name in left if tensors[name].ndim in (2, 4)]
    biases = [name for name in left if tensors[name].ndim == 1]
    parents = {re.sub(r"[./][^./]*$", "", name) for name in left}
    if len(weights) != 1 or len(biases) > 1 or len(weights + biases) < len(left) or len(parents) > 1:
        return None
    weight = tensors[weights[0]]
    if weight.ndim == 4 and any(n not in (None, has) for n, has in zip(layout.shapes["pointwise"], weight.shape)):
        return None
    if weight.ndim == 4:
        weight = layout.turned("pointwise", weight)
    elif layout is not _Torch:
        weight = weight.T
    return weight, tensors[biases[0]] if biases else None


def _classifier(tensors, left, layout, found):
    """Adds to the network what follows it."""
    shown = ", ".join(f"{name} {list(tensors[name].shape)}" for name in left[:2])
    found.rest = shown + (f" and {len(left) - 2} more" if len(left) > 2 else "")
    if left:
        add_classifier(found, _linear(tensors, left, layout))


def network(tensors, backbone=False, ignored=""):
    """The Network of named tensors; names that match `ignored` count as not there."""
    tensors = {name: values for name, values in tensors.items()
               if not (ignored and re.search(ignored, name))}
    convention, at = _find(tensors)
    used = set()
    try:
        convs = [_conv(tensors, used, slot, convention.layout)
                 for slot in convention.slots(tensors, at)]
        left = _rest(tensors, used, at, convention, backbone)
        found = assemble(convs)
    except SourceError as error:
        hint = resembles(tensors)
        raise SourceError(f"{error}{'' if hint in str(error) else hint}") from None
    _classifier(tensors, left, convention.layout, found)
    found.preset = convention.preset
    found.notes = [f"names of {convention.name}" + (f", behind {at!r}" if at else "")]
    return found
