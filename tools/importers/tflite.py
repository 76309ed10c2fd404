"""TFLite models: float32, float16, int8 a channel, uint8 a tensor; integers become float32.

A .tflite file is a FlatBuffer. The small reader here follows only the offsets that are needed and
checks each one against the file's length. The operators are walked from the input to the pooling
behind the last convolution; strides, padding and the residual additions are read from them.
In order: the FlatBuffer, tensors and their values, the operators' walk.
"""

import struct

import numpy as np

from .network import Conv, SourceError, assemble, read_source

IDENTIFIER = b"TFL3"
LARGEST_COUNT = 65536
DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "<u1", 4: "<i8", 7: "<i2", 9: "<i1"}
NUMBERS = {"ADD": 0, "AVERAGE_POOL_2D": 1, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEQUANTIZE": 6,
           "RELU6": 21, "PAD": 34, "MEAN": 40, "QUANTIZE": 114}
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


# ---- the operators' walk -------------------------------------------------------------------------


class _Walk:
    """Follows the picture through the operators and collects the convolutions."""

    def __init__(self, data):
        model = _Table(data, struct.unpack_from("<I", data)[0])
        graphs, buffers = model.tables(2), model.tables(4)
        if not graphs:
            raise SourceError("the model holds no graph")
        self.codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
        self.tensors = [_Tensor(table, buffers) for table in graphs[0].tables(0)]
        self.operators = graphs[0].tables(3)
        inputs = graphs[0].array(1, "<i4")
        if len(inputs) != 1:
            raise SourceError(f"the model has {len(inputs)} inputs, a MobileNetV2 has one")
        self.current = int(inputs[0])
        shape = self._tensor(self.current).shape
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
            raise SourceError(f"tensor {self._tensor(self.current).name} has shape {list(shape)}, "
                              "the input of a MobileNetV2 has [1, S, S, 3]")
        self.input_size = shape[1]
        self.side = shape[1]
        self.constants = {}  # what DEQUANTIZE makes of a stored tensor
        self.pads = None  # what PAD has put around the current tensor
        self.padding = None
        self.convs = []

    def _tensor(self, index):
        if not 0 <= index < len(self.tensors):
            raise SourceError(f"an operator names tensor {index} of {len(self.tensors)}")
        return self.tensors[index]

    def _constant(self, inputs, place):
        index = inputs[place]
        return self._tensor(self.constants.get(index, index))

    def _activation(self, options, field, wanted, name):
        found = options.number(field, "b") if options else 0
        if found not in wanted:
            raise SourceError(f"behind tensor {name}: activation "
                              f"{ACTIVATIONS.get(found, found)}, a MobileNetV2 has RELU6 or none")

    def _rule(self, options, stride, name):
        """The padding rule as far as this 3 x 3 convolution shows it; only stride 2 can."""
        padding, pads = options.number(0, "b"), self.pads
        self.pads = None
        same = (1, 1) if stride == 1 or self.side % 2 else (0, 1)
        around = same if padding == PAD_SAME and pads is None else pads or (0, 0)
        if padding not in (PAD_SAME, PAD_VALID) or (padding == PAD_SAME and pads):
            raise SourceError(f"tensor {name}: a padding that a MobileNetV2 does not have")
        if around not in (same, (1, 1)):
            raise SourceError(f"tensor {name}: {around[0]} and {around[1]} zeros around")
        if same != (1, 1):
            rule = "same" if around == same else "symmetric"
            if self.padding not in (None, rule):
                raise SourceError(f"tensor {name}: padding {rule}, {self.padding} before it")
            self.padding = rule
        self.side = -(-self.side // stride)

    def _convolution(self, inputs, options, depthwise):
        weight = self._constant(inputs, 1)
        name = weight.name
        if options is None:
            raise SourceError(f"tensor {name}: its operator has no options")
        strides = (options.number(1, "i"), options.number(2, "i"))
        at = 5 if depthwise else 4
        dilations = (options.number(at, "i", 1), options.number(at + 1, "i", 1))
        if strides[0] != strides[1] or strides[0] not in (1, 2) or dilations != (1, 1):
            raise SourceError(f"tensor {name}: strides {strides}, dilations {dilations}")
        values = weight.values()
        shape = values.shape
        if len(shape) != 4 or (depthwise and shape[0] != 1):
            raise SourceError(f"tensor {name} does not fit: it has shape {list(shape)}")
        kernel = shape[1:3]
        if depthwise:
            values = values[0].transpose(2, 0, 1)
        elif kernel == (1, 1):
            values = values[:, 0, 0, :]
        if kernel == (3, 3):
            self._rule(options, strides[0], name)
        elif kernel != (1, 1) or depthwise or self.pads:
            raise SourceError(f"tensor {name} does not fit: a kernel of {kernel[0]} x {kernel[1]}")
        self._activation(options, at - 1, (0, 3), name)
        relu6 = options.number(at - 1, "b") == 3
        bias = None
        if len(inputs) > 2 and inputs[2] >= 0:
            held = self._constant(inputs, 2)
            bias = held.values()
            if bias.shape != values.shape[:1]:
                raise SourceError(f"tensor {held.name} has shape {list(bias.shape)}, "
                                  f"not [{values.shape[0]}]")
        self.convs.append(Conv(name, np.ascontiguousarray(values), None, bias, strides[0],
                               self.current, relu6=relu6))

    def _pad(self, inputs):
        pads = self._constant(inputs, 1).integers_or_floats()
        if pads.shape != (4, 2) or pads[[0, 3]].any() or (pads[1] != pads[2]).any() or self.pads:
            raise SourceError(f"tensor {self._tensor(inputs[1]).name}: a padding that a MobileNetV2 "
                              "does not have")
        self.pads = (int(pads[1][0]), int(pads[1][1]))

    def _add(self, inputs, options):
        others = [index for index in inputs if index != self.current]
        if len(inputs) != 2 or len(others) != 1 or not self.convs or self.convs[-1].added is not None:
            raise SourceError(f"ADD of {self._tensor(self.current).name}: no residual of a block")
        self._activation(options, 0, (0,), self.convs[-1].name)
        self.convs[-1].added = others[0]

    def _relu6(self):
        if not self.convs or self.convs[-1].relu6 or self.convs[-1].added is not None:
            raise SourceError(f"RELU6 behind {self._tensor(self.current).name}: a MobileNetV2 has "
                              "none there")
        self.convs[-1].relu6 = True

    def _step(self, operator):
        """One operator; true where the pooling is reached."""
        code = operator.number(0, "I")
        if code >= len(self.codes):
            raise SourceError(f"an operator has code {code} of {len(self.codes)}")
        kind = OPERATORS.get(self.codes[code], f"operator {self.codes[code]}")
        inputs = [int(index) for index in operator.array(1, "<i4")]
        outputs = [int(index) for index in operator.array(2, "<i4")]
        if not inputs or len(outputs) != 1:
            raise SourceError(f"{kind} has {len(inputs)} inputs and {len(outputs)} outputs")
        if kind == "DEQUANTIZE" and inputs[0] != self.current:
            self.constants[outputs[0]] = inputs[0]
            return False
        if self.current not in inputs or (kind != "ADD" and inputs[0] != self.current):
            raise SourceError(f"{kind} does not follow {self._tensor(self.current).name}")
        options = operator.table(4)
        if kind in ("MEAN", "AVERAGE_POOL_2D"):
            return True
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            if len(inputs) < 2:
                raise SourceError(f"{kind} without a weight")
            self._convolution(inputs, options, kind == "DEPTHWISE_CONV_2D")
        elif kind == "PAD" and len(inputs) == 2:
            self._pad(inputs)
        elif kind == "ADD":
            self._add(inputs, options)
        elif kind == "RELU6":
            self._relu6()
        elif kind not in ("QUANTIZE", "DEQUANTIZE"):
            raise SourceError(f"{kind} behind {self._tensor(self.current).name}: a MobileNetV2 has "
                              "none there")
        self.current = outputs[0]
        return False

    def run(self):
        for operator in self.operators:
            if self._step(operator):
                found = assemble(self.convs, self.padding, self.input_size, has_graph=True)
                found.preset = "tfhub"
                return found
        raise SourceError("there is no pooling behind the last convolution")


def recognises(path, head):
    return head[4:8] == IDENTIFIER or path.endswith(".tflite")


def load(path, backbone):
    data = read_source(path)
    if data[4:8] != IDENTIFIER:
        raise SourceError("this is no TFLite model (bytes 4 to 7 are not TFL3)")
    return _Walk(data).run()
