#!/usr/bin/python3
"""Reads, checks and writes weights files (.msw), as weights/FORMAT.md specifies them.

    tools/msw.py FILE            prints what is in it
    tools/msw.py --verify FILE   prints one line; exit status 3 where FILE is no valid file

As a module: read(path) and unpack(bytes) give a Model, write(path, model) and pack(model) are the
way back. Both ways pass through check(), which demands everything that FORMAT.md demands, so no
Model comes from an invalid file and no invalid file is written. layers(model) describes the network,
classifier(model) what may follow it, and fold(layer, epsilon) gives a layer's weights as the engine uses
them.

From the top: the types, checksum, tensors, the network, checks, reading, writing, the command.
"""

import argparse
import math
import os
import re
import stat
import struct
import sys
import unicodedata
from dataclasses import dataclass, field

try:
    import numpy as np
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    print("msw: needs python3-numpy: apt-get install python3-numpy", file=sys.stderr)
    sys.exit(4)

MAGIC = b"\x89MSW\r\n\x1a\n"
VERSION = 1
ALIGNMENT = 64
HEADER = struct.Struct("<8sIIQIIIIIIIId3d3d16s")
ENTRY = struct.Struct("<48sIII4IIQQ")
CRC_OFFSET = 12
MAX_FACTS = 65536
MAX_TENSORS = 4096
MIN_TENSORS = 5
MAX_CHANNELS = 4096
MAX_BLOCKS = 256
MAX_SUM = float(np.finfo(np.float32).max) / 2
MAX_FILE = 1 << 30

PADDINGS = ("symmetric", "same")
GEOMETRIES = ("squash", "crop", "pad")
RESAMPLINGS = ("bilinear", "bicubic", "stb")
TYPES = ("f32", "f16", "i8")
DTYPES = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2"), "i8": np.dtype("i1")}
BN_PARTS = ("gamma", "beta", "mean", "var")


class FormatError(Exception):
    """A file or a model that FORMAT.md does not allow; the text says where and why."""


@dataclass
class Tensor:
    """One tensor as stored; scales [shape[0]] f32 for type i8, else None."""

    name: str
    type: str
    stride: int
    stored: np.ndarray
    scales: "np.ndarray | None" = None

    @property
    def shape(self) -> tuple:
        return self.stored.shape

    @property
    def nbytes(self) -> int:
        return self.stored.nbytes + (0 if self.scales is None else self.scales.nbytes)

    def values(self) -> np.ndarray:
        """The values as f32, of the tensor's shape."""
        if self.scales is None:
            return self.stored.astype(np.float32)
        scales = self.scales.astype(np.float64).reshape((-1,) + (1,) * (self.stored.ndim - 1))
        with np.errstate(over="ignore"):
            return (scales * self.stored).astype(np.float32)


@dataclass
class Model:
    """A whole weights file: header, facts and tensors in the file's order."""

    input_size: int
    padding: str
    geometry: str
    resampling: str
    crop_side: int
    pad_colour: int
    epsilon: float
    mean: tuple
    std: tuple
    facts: dict = field(default_factory=dict)
    tensors: list = field(default_factory=list)


@dataclass
class Layer:
    """One convolution: weight as in FORMAT.md's table, bias and bn (a dict of BN_PARTS) or None."""

    name: str
    weight: Tensor
    bias: "Tensor | None"
    bn: "dict | None"
    residual: bool = False

    @property
    def stride(self) -> int:
        return max(1, self.weight.stride)


# -- Checksum ------------------------------------------------------------------------------------


def _crc_table() -> np.ndarray:
    """[256] u32: what one byte does to CRC-32C's remainder."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(0x82F63B78), np.uint32(0))
    return table


_TABLE = _crc_table()
SMALL = 16384  # bytes that a plain loop is done with before lanes are joined


def _crc_steps(rows: np.ndarray, remainder: np.ndarray) -> np.ndarray:
    """Feeds rows [steps, lanes] of bytes into remainder [lanes]."""
    for row in rows:
        remainder = _TABLE[(remainder ^ row) & 0xFF] ^ (remainder >> 8)
    return remainder


def _apply(operator: np.ndarray, remainder: np.ndarray) -> np.ndarray:
    """A linear map of remainders, given by operator [32] = the images of the 32 single bits."""
    result = np.zeros_like(remainder)
    for bit in range(32):
        result ^= operator[bit] * ((remainder >> np.uint32(bit)) & 1)
    return result


def crc32c(data: bytes) -> int:
    """CRC-32C of data. Much data is cut into lanes that run side by side in NumPy; then neighbours
    are joined, the left one moved over as many zero bytes as the right one is long."""
    size = len(data)
    if size < SMALL:
        table, remainder = _TABLE.tolist(), 0xFFFFFFFF
        for byte in data:
            remainder = table[(remainder ^ byte) & 0xFF] ^ (remainder >> 8)
        return remainder ^ 0xFFFFFFFF
    lanes = 1 << min(12, size.bit_length() // 2)
    length = -(-size // lanes)
    padded = np.zeros(lanes * length, np.uint8)
    padded[padded.size - size:] = np.frombuffer(data, np.uint8)
    # Zeros in front change nothing when the remainder starts at 0; the start value 0xFFFFFFFF is
    # the same as inverting the first four bytes.
    padded[padded.size - size:][:4] ^= 0xFF
    rows = np.ascontiguousarray(padded.reshape(lanes, length).T)
    remainder = _crc_steps(rows, np.zeros(lanes, np.uint32))
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    operator = _crc_steps(np.zeros((length, 32), np.uint8), bits)
    while remainder.size > 1:
        remainder = _apply(operator, remainder[0::2]) ^ remainder[1::2]
        operator = _apply(operator, operator)
    return int(remainder[0]) ^ 0xFFFFFFFF


def seal(data: bytearray) -> None:
    """Writes the checksum that a whole file in data needs into its header."""
    data[CRC_OFFSET:CRC_OFFSET + 4] = bytes(4)
    struct.pack_into("<I", data, CRC_OFFSET, crc32c(data))


# -- Tensors -------------------------------------------------------------------------------------


def make_tensor(name: str, values: np.ndarray, kind: str, stride: int = 0) -> Tensor:
    """A tensor of the given type from f32 values; refuses what the type cannot hold."""
    values = np.ascontiguousarray(values, np.float32)
    if not np.isfinite(values).all():
        raise FormatError(f"{name}: holds a value that is not finite")
    if kind == "f32":
        return Tensor(name, kind, stride, values.astype(DTYPES[kind]))
    if kind == "f16":
        with np.errstate(over="ignore"):
            stored = values.astype(DTYPES[kind])
        if not np.isfinite(stored).all():
            raise FormatError(f"{name}: {np.abs(values).max():.6g} is too large for f16 (65504)")
        return Tensor(name, kind, stride, stored)
    rows = values.reshape(values.shape[0], -1).astype(np.float64)
    scales = (np.abs(rows).max(axis=1) / 127).astype("<f4")
    divisors = np.where(scales > 0, scales, 1).astype(np.float64)[:, None]
    stored = np.clip(np.rint(rows / divisors), -127, 127).astype(np.int8)
    return Tensor(name, kind, stride, stored.reshape(values.shape), scales)


def fold(layer: Layer, epsilon: float) -> tuple:
    """The layer's weight (its shape) and bias [output channels] as f32, BatchNorm folded in."""
    weight = layer.weight.values()
    outputs = weight.shape[0]
    bias = np.zeros(outputs, np.float32) if layer.bias is None else layer.bias.values()
    if layer.bn is None:
        return weight, bias
    gamma, beta, mean, var = (layer.bn[part].values().astype(np.float64) for part in BN_PARTS)
    if not (var + epsilon > 0).all():
        raise FormatError(f"{layer.name}.bn.var: variance + epsilon must be above 0")
    s = np.sqrt(var + epsilon)
    column = (-1,) + (1,) * (weight.ndim - 1)
    with np.errstate(over="ignore"):
        folded = weight.astype(np.float64) * gamma.reshape(column) / s.reshape(column)
        moved = beta + (bias.astype(np.float64) - mean) * gamma / s
        return folded.astype(np.float32), moved.astype(np.float32)


# -- The network ---------------------------------------------------------------------------------


def _expect(tensor: Tensor, shape: tuple) -> None:
    """Refuses another shape; None in shape stands for any number of channels."""
    fits = len(tensor.shape) == len(shape) and all(
        want is None or want == got for want, got in zip(shape, tensor.shape))
    if not fits:
        wanted = ", ".join("*" if want is None else str(want) for want in shape)
        raise FormatError(f"{tensor.name}: shape {list(tensor.shape)}, expected [{wanted}]")
    if tensor.shape[0] > MAX_CHANNELS:
        raise FormatError(f"{tensor.name}: {tensor.shape[0]} channels, at most {MAX_CHANNELS}")


class _Queue:
    """The tensors in the file's order, taken layer by layer."""

    def __init__(self, tensors: list):
        self.tensors = tensors
        self.at = 0

    def next_name(self) -> str:
        return self.tensors[self.at].name if self.at < len(self.tensors) else ""

    def take(self, name: str) -> Tensor:
        if self.next_name() != name:
            raise FormatError(f"{name} expected, found {self.next_name() or 'no further tensor'}")
        self.at += 1
        return self.tensors[self.at - 1]

    def take_layer(self, name: str, shape: tuple) -> Layer:
        bn = None
        if self.next_name() == f"{name}.bn.gamma":
            bn = {part: self.take(f"{name}.bn.{part}") for part in BN_PARTS}
        bias = self.take(f"{name}.bias") if self.next_name() == f"{name}.bias" else None
        weight = self.take(f"{name}.weight")
        _expect(weight, shape)
        for vector in list((bn or {}).values()) + ([bias] if bias else []):
            _expect(vector, (weight.shape[0],))
            if vector.type != "f32":
                raise FormatError(f"{vector.name}: type {vector.type}, expected f32")
        strides = (1, 2) if name == "stem" or name.endswith(".depthwise") else (0,)
        for tensor in list((bn or {}).values()) + ([bias] if bias else []):
            if tensor.stride != 0:
                raise FormatError(f"{tensor.name}: stride {tensor.stride}, expected 0")
        if weight.stride not in strides:
            raise FormatError(f"{weight.name}: stride {weight.stride}, expected "
                              + " or ".join(map(str, strides)))
        return Layer(name, weight, bias, bn)


def _layers(model: Model) -> tuple:
    """The network's layers, and the classifier or None; refuses what is none."""
    queue = _Queue(model.tensors)
    found = [queue.take_layer("stem", (None, 3, 3, 3))]
    channels = found[0].weight.shape[0]
    index = 0
    while queue.next_name().startswith("block."):
        block = f"block.{index}"
        if index == MAX_BLOCKS:
            raise FormatError(f"{queue.next_name()}: at most {MAX_BLOCKS} blocks")
        expanded = channels
        if index > 0 or queue.next_name().startswith(f"{block}.expand."):
            found.append(queue.take_layer(f"{block}.expand", (None, channels)))
            expanded = found[-1].weight.shape[0]
        found.append(queue.take_layer(f"{block}.depthwise", (expanded, 3, 3)))
        stride = found[-1].stride
        found.append(queue.take_layer(f"{block}.project", (None, expanded)))
        outputs = found[-1].weight.shape[0]
        found[-1].residual = stride == 1 and outputs == channels
        channels = outputs
        index += 1
    if index == 0:
        queue.take("block.0.depthwise.weight")
    found.append(queue.take_layer("head", (None, channels)))
    follows = None
    if queue.next_name().startswith("classifier."):
        follows = queue.take_layer("classifier", (None, found[-1].weight.shape[0]))
    if queue.next_name():
        raise FormatError(f"{queue.next_name()}: no tensor may follow "
                          f"{(follows or found[-1]).weight.name}")
    return found, follows


def layers(model: Model) -> list:
    """The network's layers in the order in which a picture passes them, as far as the embedding."""
    return _layers(model)[0]


def classifier(model: Model) -> "Layer | None":
    """What makes classes of an embedding, where the file holds it."""
    return _layers(model)[1]


# -- Checks --------------------------------------------------------------------------------------


def _check_header(model: Model) -> None:
    size = model.input_size
    if size < 32 or size > 512 or size % 32:
        raise FormatError(f"input size {size} is no multiple of 32 from 32 to 512")
    if model.geometry == "crop":
        if not size <= model.crop_side <= 4096:
            raise FormatError(f"crop from {model.crop_side}, expected {size} to 4096")
    elif model.crop_side != 0:
        raise FormatError(f"crop side {model.crop_side} although the geometry is {model.geometry}")
    if model.pad_colour > (0xFFFFFF if model.geometry == "pad" else 0):
        raise FormatError(f"colour 0x{model.pad_colour:X} with the geometry {model.geometry}")
    if not (math.isfinite(model.epsilon) and model.epsilon >= 0):
        raise FormatError(f"epsilon {model.epsilon}, expected a finite number, 0 or more")
    if not all(math.isfinite(x) for x in model.mean):
        raise FormatError("a mean is not finite")
    if not all(math.isfinite(x) and x > 0 for x in model.std):
        raise FormatError("a std is not finite and above 0")


def _check_facts(facts: dict) -> None:
    for key, value in facts.items():
        if not re.fullmatch(r"[a-z0-9.-]{1,64}", key):
            raise FormatError(f"fact {key!r}: a key is 1 to 64 of a-z 0-9 - .")
        if any(unicodedata.category(c) == "Cc" for c in value):
            raise FormatError(f"fact {key}: the value holds a control character")
    size = len(_facts_bytes(facts))
    if size > MAX_FACTS:
        raise FormatError(f"{size} bytes of facts, at most {MAX_FACTS}")


def _check_values(model: Model) -> None:
    for tensor in model.tensors:
        scales = np.zeros(1) if tensor.scales is None else tensor.scales
        if not (np.isfinite(scales).all() and np.isfinite(tensor.values()).all()):
            raise FormatError(f"{tensor.name}: holds a value that is not finite")


def _largest_input(model: Model) -> float:
    """The largest magnitude of an input value, f32((v/255 - mean) / std)."""
    table = np.arange(256)[:, None] / 255
    with np.errstate(over="ignore"):
        values = ((table - np.array(model.mean)) / np.array(model.std)).astype(np.float32)
    if not np.isfinite(values).all():
        raise FormatError("mean and std give input values that are not finite")
    return float(np.abs(values).max())


def _largest_sum(layer: Layer, epsilon: float, bound: float) -> float:
    """The largest magnitude that an output of the layer can reach where no input exceeds bound."""
    weight, bias = fold(layer, epsilon)
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise FormatError(f"{layer.name}: not finite after folding BatchNorm")
    rows = np.abs(weight.reshape(len(weight), -1).astype(np.float64))
    sums = np.add.accumulate(rows, axis=1)[:, -1]  # in the order of the row
    return float((np.abs(bias.astype(np.float64)) + sums * bound).max())


def _check_sums(model: Model, found: list) -> None:
    """No picture can make a sum overflow: FORMAT.md, "No overflow"."""
    bound, block_input, current = _largest_input(model), 0.0, ""
    for layer in found:
        block, _, part = layer.name.rpartition(".")
        if block != current:
            current, block_input = block, bound
        reach = _largest_sum(layer, model.epsilon, bound)
        if not reach < MAX_SUM:
            raise FormatError(f"{layer.weight.name}: a sum could overflow")
        bound = reach if part == "project" else 6.0
        if layer.residual:
            bound += block_input
            if not bound < MAX_SUM:
                raise FormatError(f"{layer.weight.name}: with the block's input added, a sum could "
                                  "overflow")


def check(model: Model) -> None:
    """Refuses a model that FORMAT.md does not allow."""
    _check_header(model)
    _check_facts(model.facts)
    if not MIN_TENSORS <= len(model.tensors) <= MAX_TENSORS:
        raise FormatError(f"{len(model.tensors)} tensors, expected {MIN_TENSORS} to {MAX_TENSORS}")
    found, follows = _layers(model)
    product = math.prod(layer.stride for layer in found)
    if model.input_size % product:
        raise FormatError(f"input size {model.input_size} is no multiple of {product}, "
                          "the product of all strides")
    _check_values(model)
    _check_sums(model, found + [follows] if follows else found)


# -- Reading -------------------------------------------------------------------------------------


def _align(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _expect_zeros(data: bytes, start: int, end: int) -> None:
    if data[start:end].strip(b"\0"):
        raise FormatError(f"bytes {start} to {end} must be zero")


def _name_of(names: tuple, code: int, what: str) -> str:
    if code >= len(names):
        raise FormatError(f"{what} {code}, expected at most {len(names) - 1}")
    return names[code]


def _parse_facts(data: bytes) -> dict:
    if not data:
        return {}
    if not data.endswith(b"\n"):
        raise FormatError("the facts do not end with a newline")
    try:
        lines = data[:-1].decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError("the facts are not UTF-8") from error
    facts = {}
    for line in lines:
        key, colon, value = line.partition(": ")
        if not colon:
            raise FormatError(f"fact {line!r} is no 'key: value'")
        if key in facts:
            raise FormatError(f"fact {key} stands twice")
        facts[key] = value
    return facts


def _parse_tensor(data: bytes, entry: int, expected: int) -> tuple:
    """The tensor whose table entry is at `entry` and whose data must be at `expected`;
    gives it and where its data ends."""
    raw, code, stride, rank, *rest = ENTRY.unpack_from(data, entry)
    shape, zero, offset, size = rest[:4], rest[4], rest[5], rest[6]
    name = raw.rstrip(b"\0")
    if not name or len(name) > 47 or not all(32 < c < 127 for c in name):
        raise FormatError(f"tensor table, byte {entry}: no valid name")
    name = name.decode("ascii")
    kind = _name_of(TYPES, code, f"{name}: type")
    if not 1 <= rank <= 4 or 0 in shape[:rank] or any(shape[rank:]) or zero:
        raise FormatError(f"{name}: rank {rank}, shape {shape}")
    shape = tuple(shape[:rank])
    count = math.prod(shape)
    scale_bytes = 4 * shape[0] if kind == "i8" else 0
    if size != scale_bytes + count * DTYPES[kind].itemsize:
        raise FormatError(f"{name}: {size} bytes, expected "
                          f"{scale_bytes + count * DTYPES[kind].itemsize} of {list(shape)} {kind}")
    if offset != expected:
        raise FormatError(f"{name}: at byte {offset}, expected at {expected}")
    if size > len(data) - offset:
        raise FormatError(f"{name}: ends at byte {offset + size} of {len(data)}")
    scales = np.frombuffer(data, "<f4", shape[0], offset) if kind == "i8" else None
    stored = np.frombuffer(data, DTYPES[kind], count, offset + scale_bytes).reshape(shape)
    return Tensor(name, kind, stride, stored, scales), offset + size


def _parse_tensors(data: bytes, table: int, count: int) -> list:
    if ENTRY.size * count > len(data) - table:
        raise FormatError(f"the table of {count} tensors does not fit into {len(data)} bytes")
    end = table + ENTRY.size * count
    tensors = []
    for index in range(count):
        start = _align(end)
        tensor, after = _parse_tensor(data, table + ENTRY.size * index, start)
        _expect_zeros(data, end, start)
        tensors.append(tensor)
        end = after
    if end != len(data):
        raise FormatError(f"the last tensor ends at byte {end} of {len(data)}")
    return tensors


def unpack(data: bytes) -> Model:
    """The model in the bytes of a whole file."""
    if len(data) < HEADER.size:
        raise FormatError(f"{len(data)} bytes, the header alone takes {HEADER.size}")
    (magic, version, crc, size, facts_size, count, input_size, padding, geometry, resampling,
     crop_side, colour, epsilon, *rest) = HEADER.unpack_from(data)
    mean, std, zero = tuple(rest[:3]), tuple(rest[3:6]), rest[6]
    if magic != MAGIC:
        raise FormatError("no weights file (magic)")
    if version != VERSION:
        raise FormatError(f"version {version}, only {VERSION} is known")
    if size != len(data):
        raise FormatError(f"{len(data)} bytes, the header says {size}")
    body = bytearray(data)
    seal(body)
    if body[CRC_OFFSET:CRC_OFFSET + 4] != data[CRC_OFFSET:CRC_OFFSET + 4]:
        raise FormatError(f"damaged (CRC-32C is {body[15]:02x}{body[14]:02x}{body[13]:02x}"
                          f"{body[12]:02x}, the header says {crc:08x})")
    if zero.strip(b"\0"):
        raise FormatError("bytes 112 to 128 must be zero")
    if not MIN_TENSORS <= count <= MAX_TENSORS:
        raise FormatError(f"{count} tensors, expected {MIN_TENSORS} to {MAX_TENSORS}")
    if facts_size > min(MAX_FACTS, len(data) - HEADER.size):
        raise FormatError(f"{facts_size} bytes of facts in a file of {len(data)}")
    facts_end = HEADER.size + facts_size
    _expect_zeros(data, facts_end, _align(facts_end))
    model = Model(input_size, _name_of(PADDINGS, padding, "padding rule"),
                  _name_of(GEOMETRIES, geometry, "geometry"),
                  _name_of(RESAMPLINGS, resampling, "resampling"), crop_side, colour, epsilon,
                  mean, std, _parse_facts(data[HEADER.size:facts_end]),
                  _parse_tensors(data, _align(facts_end), count))
    check(model)
    return model


def read(path: str) -> Model:
    """The model in the file at path; FormatError or OSError where there is none."""
    with open(path, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise FormatError("no regular file")
        if found.st_size > MAX_FILE:
            raise FormatError(f"more than {MAX_FILE} bytes")
        data = file.read(found.st_size)
    return unpack(data)


# -- Writing -------------------------------------------------------------------------------------


def _facts_bytes(facts: dict) -> bytes:
    try:
        return "".join(f"{key}: {value}\n" for key, value in facts.items()).encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError("a fact is not UTF-8") from error


def pack(model: Model) -> bytes:
    """The bytes of the model's file."""
    check(model)
    facts = _facts_bytes(model.facts)
    table = _align(HEADER.size + len(facts))
    offset = _align(table + ENTRY.size * len(model.tensors))
    entries, parts = [], []
    for tensor in model.tensors:
        shape = tensor.shape + (0,) * (4 - len(tensor.shape))
        entries.append(ENTRY.pack(tensor.name.encode("ascii"), TYPES.index(tensor.type),
                                  tensor.stride, len(tensor.shape), *shape, 0, offset,
                                  tensor.nbytes))
        scales = b"" if tensor.scales is None else tensor.scales.astype("<f4").tobytes()
        parts.append((offset, scales + tensor.stored.astype(DTYPES[tensor.type]).tobytes()))
        end = offset + tensor.nbytes
        offset = _align(end)
    data = bytearray(end)
    HEADER.pack_into(data, 0, MAGIC, VERSION, 0, end, len(facts), len(model.tensors),
                     model.input_size, PADDINGS.index(model.padding),
                     GEOMETRIES.index(model.geometry), RESAMPLINGS.index(model.resampling),
                     model.crop_side, model.pad_colour, model.epsilon, *model.mean, *model.std,
                     bytes(16))
    data[HEADER.size:HEADER.size + len(facts)] = facts
    data[table:table + ENTRY.size * len(entries)] = b"".join(entries)
    for offset, part in parts:
        data[offset:offset + len(part)] = part
    seal(data)
    return bytes(data)


def _is_regular_or_new(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True


def write(path: str, model: Model) -> int:
    """Writes the model's file and gives its size: beside path first, then renamed, so that path is
    never half a file. A pipe or a device is written into as it is, a link keeps leading where it
    did. FormatError where the model is not valid, OSError where it cannot be written."""
    data = pack(model)
    if not _is_regular_or_new(path):
        with open(path, "wb", buffering=0) as file:
            left = memoryview(data)
            while left:
                left = left[file.write(left):]
        return len(data)
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    return len(data)


# -- The command ---------------------------------------------------------------------------------


def _geometry_text(model: Model) -> str:
    if model.geometry == "crop":
        return f"crop (shorter side to {model.crop_side})"
    return f"pad (colour {model.pad_colour:06x})" if model.geometry == "pad" else model.geometry


def show(model: Model) -> None:
    """Prints the header, the facts and the table of tensors."""
    print(f"input       {model.input_size} x {model.input_size}")
    print(f"padding     {model.padding}")
    print(f"geometry    {_geometry_text(model)}")
    print(f"resampling  {model.resampling}")
    print(f"epsilon     {model.epsilon!r}")
    print(f"mean        {', '.join(map(repr, model.mean))}")
    print(f"std         {', '.join(map(repr, model.std))}")
    for key, value in model.facts.items():
        print(f"fact        {key}: {value}")
    print(f"{'tensor':<28} {'type':<4} {'shape':<16} stride  smallest    largest")
    for tensor in model.tensors:
        values = tensor.values()
        print(f"{tensor.name:<28} {tensor.type:<4} {str(list(tensor.shape)):<16} "
              f"{tensor.stride or '-':^6}  {values.min():<10.5g}  {values.max():.5g}")
    print(f"{len(model.tensors)} tensors, {sum(t.stored.size for t in model.tensors)} values")


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints or verifies a weights file (.msw).")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--verify", action="store_true",
                        help="print one line only: whether the file is all that FORMAT.md demands")
    arguments = parser.parse_args()
    try:
        model = read(arguments.file)
    except (FormatError, OSError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        print(f"msw: {arguments.file}: {cause}", file=sys.stderr)
        return 3
    if arguments.verify:
        print(f"{arguments.file}: valid, {len(model.tensors)} tensors")
    else:
        show(model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
