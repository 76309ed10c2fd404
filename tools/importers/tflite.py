"""TFLite models: float32, float16, dynamic range, int8 a channel, uint8 a tensor; all become float32.

A .tflite file is a FlatBuffer. The small reader here follows only the offsets that are needed and
checks each one against the file's length. What graph.py then follows are the operators as nodes.
In order: the FlatBuffer, tensors and their values, the operators as nodes.
"""

import functools
import struct

import numpy as np

from . import graph
from .network import Conv, SourceError, read_source

IDENTIFIER = b"TFL3"
LARGEST_COUNT = 65536
DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "<u1", 4: "<i8", 7: "<i2", 9: "<i1"}
NUMBERS = {"ADD": 0, "AVERAGE_POOL_2D": 1, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEQUANTIZE": 6,
           "FULLY_CONNECTED": 9, "MUL": 18, "RELU6": 21, "RESHAPE": 22, "SOFTMAX": 25, "PAD": 34,
           "MEAN": 40, "SUB": 41, "DIV": 42, "SQUEEZE": 43, "QUANTIZE": 114, "HARD_SWISH": 117}
OPERATORS = {number: name for name, number in NUMBERS.items()}
ACTIVATIONS = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH", 5: "SIGN_BIT"}
PAD_SAME, PAD_VALID = 0, 1


# ---- the FlatBuffer ------------------------------------------------------------------------------


class _Table:
    """A table of the FlatBuffer: its fields by number."""

    def __init__(self, data, at):
        self.data, self.at = data, at
        self.fields = at - self._number("<i", at)
        self.size = self._number("<H", self.fields)

    @staticmethod
    def root(data):
        return struct.unpack_from("<I", data)[0]

    def _number(self, form, at):
        if not 0 <= at <= len(self.data) - struct.calcsize(form):
            raise SourceError(f"an offset leads to {at}, the file has {len(self.data)} bytes")
        return struct.unpack_from(form, self.data, at)[0]

    def _place(self, field):
        entry = 4 + 2 * field
        if entry + 2 > self.size:
            return 0
        offset = self._number("<H", self.fields + entry)
        return self.at + offset if offset else 0

    def number(self, field, form, default=0):
        at = self._place(field)
        return self._number("<" + form, at) if at else default

    def _target(self, at):
        return at + self._number("<I", at)

    def table(self, field):
        at = self._place(field)
        return _Table(self.data, self._target(at)) if at else None

    def vector(self, field, itemsize):
        """Where the items lie and how many there are; all of them lie inside the file."""
        at = self._place(field)
        if not at:
            return 0, 0
        start = self._target(at)
        count = self._number("<I", start)
        if count > (len(self.data) - start - 4) // itemsize:
            raise SourceError(f"a list of {count} items at {start} does not fit into the file")
        return start + 4, count

    def array(self, field, dtype):
        start, count = self.vector(field, np.dtype(dtype).itemsize)
        return np.frombuffer(self.data, dtype, count, start)

    def tables(self, field):
        start, count = self.vector(field, 4)
        if count > LARGEST_COUNT:
            raise SourceError(f"a list of {count} tables, at most {LARGEST_COUNT}")
        return [_Table(self.data, self._target(start + 4 * i)) for i in range(count)]

    def text(self, field):
        return self.array(field, "u1").tobytes().decode("utf-8", "replace")


# ---- tensors and their values --------------------------------------------------------------------


class _Tensor:
    def __init__(self, table, buffers):
        self.shape = tuple(int(extent) for extent in table.array(0, "<i4"))
        self.type = table.number(1, "b")
        self.name = "".join(c if c.isprintable() else "?" for c in table.text(3))[:120]
        self.quantization = table.table(4)
        buffer = table.number(2, "I")
        if buffer >= len(buffers):
            raise SourceError(f"tensor {self.name} has buffer {buffer} of {len(buffers)}")
        self.buffer = buffers[buffer]

    def integers_or_floats(self):
        """The values as they stand in the file, in the tensor's shape."""
        if self.type not in DTYPES:
            raise SourceError(f"tensor {self.name} has values of the unknown type {self.type}")
        raw = self.buffer.array(0, "u1")
        count = 1
        for extent in self.shape:
            count *= extent
        dtype = np.dtype(DTYPES[self.type])
        if any(extent < 1 for extent in self.shape) or len(raw) != count * dtype.itemsize:
            raise SourceError(f"tensor {self.name} of shape {list(self.shape)} has {len(raw)} bytes")
        return np.frombuffer(raw.tobytes(), dtype).reshape(self.shape)

    def values(self):
        """float32; integers as scale * (q - zero point), in double until the last rounding."""
        stored = self.integers_or_floats()
        if stored.dtype.kind == "f":
            return stored.astype(np.float32)
        if self.quantization is None:
            raise SourceError(f"tensor {self.name} holds integers without a scale")
        scales = self.quantization.array(2, "<f4").astype(np.float64)
        zeros = self.quantization.array(3, "<i8").astype(np.float64)
        axis = self.quantization.number(6, "i")
        if len(zeros) == 0:
            zeros = np.zeros(len(scales))
        if len(scales) != len(zeros) or len(scales) == 0 or not np.all(np.isfinite(scales)):
            raise SourceError(f"tensor {self.name} has {len(scales)} scales, {len(zeros)} zero points")
        if len(scales) > 1:
            if not 0 <= axis < len(self.shape) or self.shape[axis] != len(scales):
                raise SourceError(f"tensor {self.name} has {len(scales)} scales for axis {axis} of "
                                  f"{list(self.shape)}")
            along = [-1 if i == axis else 1 for i in range(len(self.shape))]
            scales, zeros = scales.reshape(along), zeros.reshape(along)
        with np.errstate(over="ignore", invalid="ignore"):
            return (scales * (stored - zeros)).astype(np.float32)


# ---- the operators as nodes ----------------------------------------------------------------------


class _Model:
    def __init__(self, data):
        model = _Table(data, _Table.root(data))
        graphs, buffers = model.tables(2), model.tables(4)
        if not graphs:
            raise SourceError("the model holds no graph")
        self.codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
        self.tensors = [_Tensor(table, buffers) for table in graphs[0].tables(0)]
        self.operators = graphs[0].tables(3)
        inputs = graphs[0].array(1, "<i4")
        if len(inputs) != 1:
            raise SourceError(f"the model has {len(inputs)} inputs, a MobileNetV2 has one")
        self.input = int(inputs[0])
        self.constants = {}  # what DEQUANTIZE makes of a stored tensor

    def tensor(self, index):
        if not 0 <= index < len(self.tensors):
            raise SourceError(f"an operator names tensor {index} of {len(self.tensors)}")
        return self.tensors[index]

    def is_stored(self, index):
        return index >= 0 and len(self.tensor(index).buffer.array(0, "u1")) > 0

    def constant(self, index):
        return self.tensor(self.constants.get(index, index))

    def kind(self, operator):
        code = operator.number(0, "I")
        if code >= len(self.codes):
            raise SourceError(f"an operator has code {code} of {len(self.codes)}")
        return OPERATORS.get(self.codes[code], f"operator {self.codes[code]}")

    def input_size(self):
        shape = self.tensor(self.input).shape
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
            raise SourceError(f"tensor {self.tensor(self.input).name} has shape {list(shape)}, "
                              "the input of a MobileNetV2 has [1, S, S, 3]")
        return shape[1] if shape[1] > 1 else None


def _fused(options, field, wanted, name):
    """Whether ReLU6 is fused; refuses another activation."""
    found = options.number(field, "b") if options else 0
    if found not in wanted:
        raise SourceError(f"behind tensor {name}: activation {ACTIVATIONS.get(found, found)}, a "
                          "MobileNetV2 has RELU6 or none")
    return found == 3


def _bias(model, inputs, outputs):
    if len(inputs) < 3 or inputs[2] < 0:
        return None
    held = model.constant(inputs[2])
    bias = held.values()
    if bias.shape != (outputs,):
        raise SourceError(f"tensor {held.name} has shape {list(bias.shape)}, not [{outputs}]")
    return bias


def _conv(model, inputs, options, depthwise):
    weight = model.constant(inputs[1])
    name = weight.name
    if options is None:
        raise SourceError(f"tensor {name}: its operator has no options")
    strides = (options.number(1, "i"), options.number(2, "i"))
    at = 5 if depthwise else 4
    dilations = (options.number(at, "i", 1), options.number(at + 1, "i", 1))
    if strides[0] != strides[1] or dilations != (1, 1):
        raise SourceError(f"tensor {name}: strides {strides}, dilations {dilations}")
    values = weight.values()
    kernel = values.shape[1:3]
    if values.ndim != 4 or (depthwise and values.shape[0] != 1) \
            or kernel not in (((3, 3),) if depthwise else ((1, 1), (3, 3))):
        raise SourceError(f"tensor {name} does not fit: it has shape {list(values.shape)}")
    padding = options.number(0, "b")
    if padding not in (PAD_SAME, PAD_VALID):
        raise SourceError(f"tensor {name}: a padding that a MobileNetV2 does not have")
    if depthwise:
        values = values[0].transpose(2, 0, 1)
    elif kernel == (1, 1):
        values = values[:, 0, 0, :]
    relu6 = _fused(options, at - 1, (0, 3), name)
    bias = _bias(model, inputs, values.shape[0])
    conv = Conv(name, np.ascontiguousarray(values), None, bias, strides[0])
    return conv, graph.SAME if padding == PAD_SAME else (0, 0), relu6


def _linear(model, inputs, options):
    """FULLY_CONNECTED, as a 1 x 1 convolution."""
    weight = model.constant(inputs[1])
    values = weight.values()
    if values.ndim != 2:
        raise SourceError(f"tensor {weight.name} of shape {list(values.shape)} makes no linear layer")
    relu6 = _fused(options, 0, (0, 3), weight.name)
    return Conv(weight.name, values, None, _bias(model, inputs, values.shape[0])), (0, 0), relu6


def _pad(model, inputs):
    pads = model.constant(inputs[1]).integers_or_floats()
    if pads.shape != (4, 2) or pads[[0, 3]].any() or (pads[1] != pads[2]).any():
        raise SourceError(f"tensor {model.tensor(inputs[1]).name}: a padding that a MobileNetV2 "
                          "does not have")
    return (int(pads[1][0]), int(pads[1][1]))


def _node(model, operator):
    """The neutral form of an operator on values; None for one that makes a constant."""
    kind = model.kind(operator)
    inputs = [int(index) for index in operator.array(1, "<i4")]
    outputs = [int(index) for index in operator.array(2, "<i4")]
    if not inputs or not outputs:
        raise SourceError(f"{kind} has {len(inputs)} inputs and {len(outputs)} outputs")
    if kind == "DEQUANTIZE" and model.is_stored(inputs[0]):
        model.constants[outputs[0]] = inputs[0]
        return None
    values = [i for i in inputs if i >= 0 and not model.is_stored(i) and i not in model.constants]
    shown, options = f"{kind} to {model.tensor(outputs[0]).name}", operator.table(4)
    neutral, make = {"MEAN": "pool", "AVERAGE_POOL_2D": "pool", "QUANTIZE": "alias",
                     "DEQUANTIZE": "alias", "RELU6": "relu6", "RESHAPE": "flat", "SQUEEZE": "flat",
                     "SOFTMAX": "softmax"}.get(kind, shown), None
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D") and len(inputs) > 1:
        neutral = "conv"
        make = functools.partial(_conv, model, inputs, options, kind == "DEPTHWISE_CONV_2D")
    elif kind == "FULLY_CONNECTED" and len(inputs) > 1:
        neutral, make = "linear", functools.partial(_linear, model, inputs, options)
    elif kind == "PAD" and len(inputs) == 2:
        neutral, make = "pad", functools.partial(_pad, model, inputs)
    elif kind == "ADD" and len(values) == 2:
        neutral = "add" if options is None or options.number(0, "b") == 0 else f"activated {shown}"
    elif kind in ("MUL", "SUB", "ADD", "DIV") and len(values) == 1:
        neutral = "prepare"
    if neutral == "alias" and not values:
        neutral = shown
    return graph.Node(neutral, values, outputs, shown, make)


def recognises(path, head):
    return head[4:8] == IDENTIFIER or path.endswith(".tflite")


def load(path, backbone):
    data = read_source(path)
    if data[4:8] != IDENTIFIER:
        raise SourceError("this is no TFLite model (bytes 4 to 7 are not TFL3)")
    model = _Model(data)
    side = model.input_size()
    nodes = [node for operator in model.operators if (node := _node(model, operator))]
    found = graph.Graph(nodes, model.input, backbone).network(side)
    found.preset = "tfhub"
    return found
