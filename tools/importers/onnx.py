"""ONNX models (.onnx): from PyTorch, tf2onnx, Gluon; with BatchNormalization or folded; QDQ in int8.

The file is read directly, as a Protocol Buffers message; python3-onnx is not needed. Values that stand outside
the file are read from beside it, and nowhere else. Weights may come through Identity, Transpose, Cast,
QuantizeLinear and DequantizeLinear; integers become float32.
In order: constants, the operators as nodes, the file.
"""

import math
import os

import numpy as np

from . import graph
from .network import Conv, SourceError, is_shape, read_source
from .protobuf import Message

DTYPES = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "u1", 10: "<f2",
          11: "<f8", 16: "<u2"}
BFLOAT16 = 16
ALIASES = ("Identity", "QuantizeLinear", "DequantizeLinear", "Transpose", "Cast", "Dropout")
POOLS = ("GlobalAveragePool", "ReduceMean", "AveragePool")
FLAT = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
PREPARATIONS = ("Mul", "Div", "Sub", "Add")
DEEPEST = 16


# ---- constants -----------------------------------------------------------------------------------


class _Attributes:
    def __init__(self, node):
        self.by_name = {a.text(1): a for a in node.messages(5)}

    def number(self, name, default=0):
        return self.by_name[name].signed(3) if name in self.by_name else default

    def real(self, name, default):
        return self.by_name[name].real(2) if name in self.by_name else default

    def numbers(self, name, default=()):
        return tuple(self.by_name[name].numbers(8)) if name in self.by_name else default

    def text(self, name):
        return self.by_name[name].text(4) if name in self.by_name else ""

    def tensor(self, name):
        return self.by_name[name].message(5) if name in self.by_name else None


def _outside(tensor, name, folder):
    """The bytes of a tensor that lies in a file beside the model."""
    entries = {entry.text(1): entry.text(2) for entry in tensor.messages(13)}
    place = entries.get("location", "")
    if not place or os.path.basename(place) != place or place in (".", ".."):
        raise SourceError(f"tensor {name} lies outside, at {place!r:.80}: only files beside the model "
                          "are read")
    data = read_source(os.path.join(folder, place))
    try:
        offset = int(entries.get("offset", "0")[:20])
        size = int(entries.get("length", str(len(data) - offset))[:20])
    except ValueError:
        raise SourceError(f"tensor {name} has no place in {place:.80}") from None
    if not 0 <= offset <= len(data) or not 0 <= size <= len(data) - offset:
        raise SourceError(f"tensor {name} ends at byte {offset + size} of {place:.80}, which has "
                          f"{len(data)}")
    return data[offset : offset + size]


def _values(tensor, name, folder):
    """A TensorProto's values as they stand, in its shape."""
    shape, kind = tensor.numbers(1), tensor.number(2)
    if not is_shape(shape) or kind not in DTYPES:
        raise SourceError(f"tensor {name} has no shape, or values of the unknown type {kind}")
    count, dtype = math.prod(shape), np.dtype(DTYPES[kind])
    raw = _outside(tensor, name, folder) if tensor.number(14) == 1 else tensor.data(9)
    if not len(raw) and count:
        real = {1: (4, "<f4"), 11: (10, "<f8")}.get(kind)
        if real:
            raw = b"".join(v if isinstance(v, memoryview) else v.to_bytes(np.dtype(real[1]).itemsize,
                                                                         "little")
                           for v in tensor.fields.get(real[0], ()))
        else:
            numbers = tensor.numbers(7 if kind == 7 else 5)
            if len(numbers) != count:
                raise SourceError(f"tensor {name} of shape {shape} has {len(numbers)} values")
            raw = np.array(numbers, np.int64).astype(
                "<u2" if kind in (10, BFLOAT16) else dtype).tobytes()
    if len(raw) != count * dtype.itemsize:
        raise SourceError(f"tensor {name} of shape {shape} has {len(raw)} bytes")
    values = np.frombuffer(raw, dtype).reshape(shape)
    if kind == BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values


class _Model:
    def __init__(self, model, folder):
        self.folder = folder
        graph_message = model.message(7)
        self.tensors = {t.text(8): t for t in graph_message.messages(5)}
        self.nodes = graph_message.messages(1)
        self.inputs = graph_message.messages(11)
        self.makers = {out: node for node in self.nodes for out in node.texts(2)}
        self.known = {}

    def is_constant(self, name, depth=0):
        """Whether a value follows from initializers alone."""
        if name in self.known:
            return self.known[name]
        node = self.makers.get(name)
        found = name in self.tensors or (node is not None and depth < DEEPEST and (
            node.text(4) == "Constant" or (node.text(4) in ALIASES + ("Reshape", "Unsqueeze")
                                           and node.texts(1)
                                           and self.is_constant(node.texts(1)[0], depth + 1))))
        self.known[name] = found
        return found

    def constant(self, name, depth=0):
        """A constant's values; float64 where integers were scaled."""
        if name in self.tensors:
            return _values(self.tensors[name], name, self.folder)
        node = self.makers.get(name)
        if node is None or depth > DEEPEST:
            raise SourceError(f"tensor {name} is no constant")
        kind, inputs, attributes = node.text(4), node.texts(1), _Attributes(node)
        if kind == "Constant":
            if attributes.tensor("value") is not None:
                return _values(attributes.tensor("value"), name, self.folder)
            return np.float32(attributes.real("value_float", 0) if "value_float" in attributes.by_name
                              else attributes.number("value_int"))
        if kind not in ALIASES or not inputs:
            raise SourceError(f"tensor {name} is made by {kind}: only constants can be weights")
        values = self.constant(inputs[0], depth + 1)
        if kind == "Transpose":
            order = attributes.numbers("perm", tuple(range(values.ndim))[::-1])
            if sorted(order) != list(range(values.ndim)):
                raise SourceError(f"tensor {name}: a Transpose by {order}")
            return values.transpose(order)
        if kind in ("QuantizeLinear", "DequantizeLinear"):
            return self._scaled(kind, name, values, inputs, attributes.number("axis", 1), depth)
        return values

    def _scaled(self, kind, name, values, inputs, axis, depth):
        scale = self.constant(inputs[1], depth + 1).astype(np.float64)
        zero = self.constant(inputs[2], depth + 1) if len(inputs) > 2 and inputs[2] else np.uint8(0)
        if scale.size > 1:
            if scale.ndim != 1 or not -values.ndim <= axis < values.ndim \
                    or values.shape[axis] != scale.size or zero.size not in (1, scale.size):
                raise SourceError(f"tensor {name}: {scale.size} scales for {list(values.shape)}")
            along = [1] * values.ndim
            along[axis] = scale.size
            scale, zero = scale.reshape(along), zero.reshape(along if zero.size > 1 else [])
        else:
            scale, zero = scale.reshape([]), zero.reshape([])
        with np.errstate(all="ignore"):
            if kind == "DequantizeLinear":
                return scale * (values.astype(np.float64) - zero)
            limits = np.iinfo(zero.dtype) if zero.dtype.kind in "iu" else np.iinfo(np.uint8)
            return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(zero.dtype)

    def real(self, name):
        with np.errstate(over="ignore"):
            return self.constant(name).astype(np.float32)


# ---- the operators as nodes ----------------------------------------------------------------------


def _pads(attributes, kernel, name):
    """(before, after), or graph.SAME."""
    auto = attributes.text("auto_pad")
    if auto == "SAME_UPPER" and kernel == 3:
        return graph.SAME
    if auto not in ("", "NOTSET", "VALID") and kernel != 1:
        raise SourceError(f"tensor {name}: auto_pad {auto:.20}")
    top, left, bottom, right = pads = (attributes.numbers("pads") + (0, 0, 0, 0))[:4]
    if top != left or bottom != right or (auto == "VALID" and any(pads)):
        raise SourceError(f"tensor {name}: pads {pads}")
    return (top, bottom)


def _conv(model, node):
    attributes, inputs = _Attributes(node), node.texts(1)
    name = inputs[1]
    weight, group = model.real(name), attributes.number("group", 1)
    if weight.ndim != 4 or weight.shape[2:] not in ((1, 1), (3, 3)):
        raise SourceError(f"tensor {name} does not fit: it has shape {list(weight.shape)}")
    strides = attributes.numbers("strides") or (1, 1)
    if len(set(strides)) != 1 or any(d != 1 for d in attributes.numbers("dilations")):
        raise SourceError(f"tensor {name}: strides {strides[:4]}, dilations "
                          f"{attributes.numbers('dilations')[:4]}")
    kernel = weight.shape[2]
    pads = _pads(attributes, kernel, name)
    if group == 1 and kernel == 3:
        weight = weight.transpose(0, 2, 3, 1)
    elif group == 1:
        weight = weight[:, :, 0, 0]
    elif group == weight.shape[0] and weight.shape[1] == 1 and kernel == 3:
        weight = weight[:, 0]
    else:
        raise SourceError(f"tensor {name} does not fit: {group} groups, shape {list(weight.shape)}")
    bias = model.real(inputs[2]) if len(inputs) > 2 and inputs[2] else None
    if bias is not None and bias.shape != weight.shape[:1]:
        raise SourceError(f"tensor {inputs[2]} has shape {list(bias.shape)}")
    return Conv(name, np.ascontiguousarray(weight), None, bias, strides[0]), pads, False


def _linear(model, node):
    """Gemm or MatMul, as a 1 x 1 convolution."""
    attributes, inputs = _Attributes(node), node.texts(1)
    weight = model.real(inputs[1])
    if weight.ndim != 2 or attributes.number("transA") \
            or any(attributes.real(factor, 1) != 1 for factor in ("alpha", "beta")):
        raise SourceError(f"tensor {inputs[1]} of shape {list(weight.shape)} makes no linear layer")
    weight = weight if attributes.number("transB") else weight.T
    bias = model.real(inputs[2]).reshape(-1) if len(inputs) > 2 and inputs[2] else None
    return Conv(inputs[1], weight, None, bias), (0, 0), False


def _norm(model, node):
    attributes, inputs = _Attributes(node), node.texts(1)
    if len(inputs) < 5:
        raise SourceError(f"{node.text(3)}: BatchNormalization with {len(inputs)} inputs")
    # The file holds epsilon as f32; 1e-5 is meant where the nearest f32 stands.
    epsilon = float(f"{attributes.real('epsilon', 1e-5):.7g}")
    return (*(model.real(name) for name in inputs[1:5]), epsilon)


def _limits(model, node):
    """(low, high) of a Clip, None where it has none."""
    attributes, inputs = _Attributes(node), node.texts(1)
    found = []
    for place, name in ((1, "min"), (2, "max")):
        if len(inputs) > place and inputs[place]:
            value = float(model.constant(inputs[place]).reshape(-1)[:1].sum())
        else:
            value = attributes.real(name, None)
        found.append(value)
    return tuple(found)


def _pad(model, node):
    attributes, inputs = _Attributes(node), node.texts(1)
    pads, value = attributes.numbers("pads"), attributes.real("value", 0)
    if len(inputs) > 1:
        pads = tuple(int(n) for n in model.constant(inputs[1]).reshape(-1)[:16])
    if len(inputs) > 2 and inputs[2]:
        value = float(model.constant(inputs[2]).reshape(-1)[:1].sum())
    around = [(pads[i], pads[i + 4]) for i in range(4)] if len(pads) == 8 else []
    spatial = [pair for pair in around if pair != (0, 0)]
    if len(spatial) != 2 or spatial[0] != spatial[1] or around[0] != (0, 0) or value != 0 \
            or attributes.text("mode") not in ("", "constant"):
        raise SourceError(f"{node.text(3)}: a Pad that a MobileNetV2 does not have")
    return spatial[0]


def _node(model, message):
    """The neutral form of an operator on values; None for one that makes a constant."""
    kind, name = message.text(4), message.text(3)
    shown = f"{kind} {name}" if name else kind
    outputs, inputs = message.texts(2), message.texts(1)
    if not outputs or kind == "Constant" or model.is_constant(outputs[0]):
        return None
    values = [i for i in inputs if i and not model.is_constant(i)]
    if message.text(7) not in ("", "ai.onnx"):
        return graph.Node(shown, values, outputs, shown)
    make, neutral = None, shown
    if kind == "Conv" and len(inputs) > 1:
        neutral, make = "conv", lambda: _conv(model, message)
    elif kind == "BatchNormalization":
        neutral, make = "norm", lambda: _norm(model, message)
    elif kind == "Clip":
        low, high = _limits(model, message)
        neutral = {(0, 6): "relu6", (None, 6): "min6"}.get((low, high), f"{shown} ({low}, {high})")
    elif kind == "Relu":
        neutral = "relu"
    elif kind == "Min" and len(values) == 1 and len(inputs) == 2:
        limit = model.constant([i for i in inputs if i not in values][0])
        neutral = "min6" if limit.size == 1 and float(limit.reshape(-1)[0]) == 6 else shown
    elif kind == "Pad":
        neutral, make = "pad", lambda: _pad(model, message)
    elif kind == "Add" and len(values) == 2:
        neutral = "add"
    elif kind in POOLS:
        axes = _Attributes(message).numbers("axes") if kind == "ReduceMean" else ()
        neutral = "pool" if axes in ((), (1, 2), (2, 3), (-2, -1)) else shown
    elif kind in PREPARATIONS and len(values) == 1:
        neutral = "prepare"
        if kind == "Add" and len(inputs) == 2:
            make = lambda: model.real([i for i in inputs if i not in values][0])
    elif kind in ("Gemm", "MatMul") and len(inputs) > 1 and values == inputs[:1]:
        neutral, make = "linear", lambda: _linear(model, message)
    elif kind in FLAT or kind in ("Shape", "Softmax", "LogSoftmax"):
        neutral = {"Shape": "shape"}.get(kind, "flat" if kind in FLAT else "softmax")
    elif kind in ALIASES and values:
        turned = _Attributes(message).numbers("perm") if kind == "Transpose" else ()
        neutral = "alias" if turned in ((), (0, 2, 3, 1), (0, 3, 1, 2)) else shown
        values = values[:1]
    return graph.Node(neutral, values, outputs, shown, make)


def _relu6_by_range(model, nodes):
    """Quantised models may lack a ReLU6 where the following QuantizeLinear ends at 0 and 6 anyway:
    the nodes with it put in."""
    for message in model.nodes:
        inputs = message.texts(1)
        if message.text(4) != "QuantizeLinear" or len(inputs) < 3 or not inputs[2] \
                or model.is_constant(inputs[0]) or not all(map(model.is_constant, inputs[1:3])):
            continue
        scale, zero = model.constant(inputs[1]), model.constant(inputs[2])
        maker = model.makers.get(inputs[0])
        if scale.size != 1 or zero.size != 1 or zero.dtype.kind not in "iu" or maker is None \
                or maker.text(4) not in ("Conv", "BatchNormalization"):
            continue
        limits = np.iinfo(zero.dtype)
        high = float(scale.reshape(())) * (limits.max - int(zero.reshape(())))
        if int(zero.reshape(())) == limits.min and high < 6.05:
            for node in nodes:
                if node.kind == "alias" and node.outputs == message.texts(2):
                    node.kind, node.name = "relu6", f"{node.name} (from 0 to {high:.4g})"
    return nodes


# ---- the file ------------------------------------------------------------------------------------


def _input(model):
    """The picture's tensor, its layout and its side, None where the file leaves it open."""
    inputs = [i for i in model.inputs if i.text(1) not in model.tensors]
    if len(inputs) != 1:
        raise SourceError(f"the model has {len(inputs)} inputs, a MobileNetV2 has one")
    dims = inputs[0].message(2).message(1).message(2).messages(1)
    shape = [d.signed(1) for d in dims]
    if len(shape) == 4 and 3 in shape[1::2]:
        sides = shape[2:] if shape[1] == 3 else shape[1:3]
        if sides[0] == sides[1]:
            layout = "NCHW" if shape[1] == 3 else "NHWC"
            return inputs[0].text(1), layout, sides[0] if sides[0] > 0 else None
    raise SourceError(f"tensor {inputs[0].text(1)} has shape {shape[:8]}, the input of a MobileNetV2 "
                      "has [1, 3, S, S] or [1, S, S, 3]")


def recognises(path, head):
    return path.endswith(".onnx")


def load(path, backbone):
    model = _Model(Message(read_source(path)), os.path.dirname(path))
    if not model.nodes:
        raise SourceError("this is no ONNX model: it holds no operators")
    name, layout, side = _input(model)
    nodes = [node for message in model.nodes if (node := _node(model, message))]
    nodes = _relu6_by_range(model, nodes)
    found = graph.Graph(nodes, name, backbone).network(side)
    found.input_layout = layout
    found.preset = "keras" if found.padding == "same" else "torchvision-v1"
    if found.padding is None:
        found.notes.append("nothing in the graph tells the padding rule")
    return found
