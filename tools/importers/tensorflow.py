"""TensorFlow checkpoints and SavedModels (PREFIX.index and its data), in slim's and Keras's names.

The index is a table of sorted keys in blocks (LevelDB's format); each value says in which data file a
tensor lies, where, of which type and shape. Offsets, lengths and checksums are all checked. Newer
checkpoints name variables by their place among objects; a message in them tells the full names.
In order: finding the files, the table, tensors, names, the network.
"""

import contextlib
import math
import os
import re
import struct

import msw
import numpy as np

from . import names
from .network import LARGEST_FILE, SourceError, open_source, read_source
from .protobuf import Message, varint

MAGIC = 0xDB4775248B80FB57
LARGEST_INDEX = 64 << 20
MOST_SHARDS = 64
DTYPES = {1: "<f4", 2: "<f8", 14: "<u2", 19: "<f2"}
BFLOAT16, STRING = 14, 7
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
AVERAGE = "/ExponentialMovingAverage"
# What optimisers keep beside each variable.
SLOTS = (r"/(RMSProp|Momentum|Adam|Adagrad|RMSprop|SGD)(_\d+)?$|^(global_step|save_counter|beta[12]_power)"
         r"|\.OPTIMIZER_SLOT|^optimizer/|^_optimizer|^Adam/|^SGD/|^RMSprop/|^keras_api/metrics")


# ---- finding the files ---------------------------------------------------------------------------


def _prefix(path):
    """The checkpoint's PREFIX for a folder, one of its files, or the prefix itself; None for others."""
    if os.path.basename(path) == "saved_model.pb":
        path = os.path.dirname(path) or "."
    if os.path.isdir(path):
        variables = os.path.join(path, "variables", "variables")
        if os.path.exists(variables + ".index"):
            return variables
        found = sorted(n for n in os.listdir(path) if n.endswith(".index"))
        if len(found) != 1:
            raise SourceError(f"the folder holds {len(found)} checkpoints (.index): name one"
                              if found else "the folder holds no checkpoint (variables/variables.index "
                              "or one .index); a frozen graph is not read")
        return os.path.join(path, found[0].removesuffix(".index"))
    plain = re.sub(r"\.(index|data-\d{5}-of-\d{5}|meta)$", "", path)
    return plain if os.path.exists(plain + ".index") else None


def recognises(path, head):
    return os.path.isdir(path) or os.path.basename(path) == "saved_model.pb" \
        or _prefix(path) is not None


# ---- the table -----------------------------------------------------------------------------------


def _unmasked(value):
    value = (value - 0xA282EAD8) & 0xFFFFFFFF
    return (value >> 17 | value << 15) & 0xFFFFFFFF


def _block(data, offset, size):
    """{key: value} of the block there, behind it its kind and checksum."""
    if offset + size + 5 > len(data):
        raise SourceError(f"a block of {size} bytes at {offset} does not fit into the index")
    block, kind = data[offset : offset + size], data[offset + size]
    if kind != 0:
        raise SourceError("the index is compressed; TensorFlow writes it plain")
    if msw.crc32c(data[offset : offset + size + 1]) != _unmasked(
            struct.unpack_from("<I", data, offset + size + 1)[0]):
        raise SourceError("the index is damaged (a block's checksum)")
    restarts = struct.unpack_from("<I", block, size - 4)[0] if size >= 4 else size
    end, at, key, found = size - 4 - 4 * restarts, 0, b"", []
    if end < 0:
        raise SourceError("the index is damaged (a block without entries)")
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or own + length > end - at:
            raise SourceError("the index is damaged (an entry longer than its block)")
        key = key[:shared] + block[at : at + own]
        if len(key) > 4096:
            raise SourceError("the index holds a name of more than 4096 bytes")
        found.append((key, block[at + own : at + own + length]))
        at += own + length
    return found


def _handle(data, at):
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return offset, size


def _table(data):
    """{key: value} of the whole index."""
    if len(data) < 48 or struct.unpack_from("<Q", data, len(data) - 8)[0] != MAGIC:
        raise SourceError("this is no index of a TensorFlow checkpoint (its last 8 bytes)")
    footer = data[-48:]
    at = 0
    for _ in range(2):  # the place of the table of further blocks, which is not used
        _, at = varint(footer, at)
    found = {}
    for _, value in _block(data, *_handle(footer, at)):
        for key, entry in _block(data, *_handle(value, 0)):
            found[key.decode("utf-8", "replace")] = entry
        if len(found) > 1 << 16:
            raise SourceError("the index holds more than 65536 tensors")
    return found


# ---- tensors -------------------------------------------------------------------------------------


class _Data:
    """The data files, each open, with its size."""

    def __init__(self, prefix, shards, stack):
        if not 1 <= shards <= MOST_SHARDS:
            raise SourceError(f"the checkpoint has {shards} data files, at most {MOST_SHARDS}")
        self.paths = [f"{prefix}.data-{i:05d}-of-{shards:05d}" for i in range(shards)]
        self.files = []
        for path in self.paths:
            try:
                self.files.append(stack.enter_context(open_source(path)))
            except FileNotFoundError:
                raise SourceError(f"{os.path.basename(path)} is missing beside the index") from None
        self.sizes = [os.fstat(file.fileno()).st_size for file in self.files]

    def bytes_of(self, name, entry):
        shard, offset, size = entry.number(3), entry.number(4), entry.number(5)
        if shard >= len(self.files) or offset + size > self.sizes[shard]:
            raise SourceError(f"tensor {name:.120} ends at byte {offset + size} of data file {shard}, "
                              f"which has {self.sizes[shard] if shard < len(self.sizes) else 'none'}")
        self.files[shard].seek(offset)
        return self.files[shard].read(size)

    def values(self, name, entry):
        """float32, or None where the tensor holds no real numbers."""
        kind = entry.number(1)
        if kind not in DTYPES:
            return None
        shape = [d.signed(1) for d in entry.message(2).messages(2)]
        if len(shape) > 8 or any(not 0 <= n <= LARGEST_FILE for n in shape) \
                or math.prod(shape) * np.dtype(DTYPES[kind]).itemsize != entry.number(5):
            raise SourceError(f"tensor {name:.120} of shape {shape[:9]} has {entry.number(5)} bytes")
        raw = self.bytes_of(name, entry)
        if msw.crc32c(raw) != _unmasked(entry.number(6)):
            raise SourceError(f"tensor {name:.120} is damaged (its checksum)")
        values = np.frombuffer(raw, DTYPES[kind]).reshape(shape)
        if kind == BFLOAT16:
            values = (values.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(over="ignore"):
            return values.astype(np.float32)


# ---- names ---------------------------------------------------------------------------------------


def _full_names(data, entry):
    """{key: full name} that the message on the checkpoint's objects tells."""
    raw = data.bytes_of(OBJECTS, entry)
    size, at = varint(raw, 0)
    at += 4  # a checksum of the length
    if entry.number(1) != STRING or size > len(raw) - at:
        raise SourceError("the message on the checkpoint's objects does not fit")
    found = {}
    for node in Message(raw[at : at + size]).messages(1):
        for attribute in node.messages(2):
            if attribute.text(2):
                found[attribute.text(3)] = attribute.text(2)
    return found


def _counted(tensors):
    """`layer_with_weights-7/kernel` as Keras 3 counts layers, for checkpoints without full names."""
    layers = {}
    for name, values in tensors.items():
        numbers = re.findall(r"layer_with_weights-(\d{1,6})(?=/)", name)
        if numbers:
            layers.setdefault(tuple(map(int, numbers)), {})[name.rpartition("/")[2]] = values
    counts, found = {}, {}
    for _, parts in sorted(layers.items()):
        kind = "depthwise_conv2d" if "depthwise_kernel" in parts else \
            "batch_normalization" if "moving_mean" in parts else \
            "conv2d" if getattr(parts.get("kernel"), "ndim", 0) == 4 else "dense"
        number = counts[kind] = counts.get(kind, -1) + 1
        for part, values in parts.items():
            found[f"{kind}_{number}/{part}" if number else f"{kind}/{part}"] = values
    return found


def _averaged(tensors):
    """Moving averages in the place of what they average, as slim's evaluation takes them."""
    plain = {name: v for name, v in tensors.items() if not name.endswith(AVERAGE)}
    averages = {name.removesuffix(AVERAGE): v for name, v in tensors.items() if name.endswith(AVERAGE)}
    notes = [f"{len(averages)} moving averages (ExponentialMovingAverage) taken instead of the "
             "variables themselves"] if averages else []
    return plain | averages, notes


# ---- the network ---------------------------------------------------------------------------------


def load(path, backbone):
    prefix = _prefix(path)
    if prefix is None:
        raise SourceError("there is no .index beside it: this is no TensorFlow checkpoint")
    if os.path.getsize(prefix + ".index") > LARGEST_INDEX:
        raise SourceError(f"an index of more than {LARGEST_INDEX} bytes")
    table = _table(read_source(prefix + ".index"))
    header = Message(table.pop("", b""))
    if header.number(2):
        raise SourceError("the checkpoint was written on a big-endian machine")
    with contextlib.ExitStack() as stack:
        data = _Data(prefix, header.number(1), stack)
        full = _full_names(data, Message(table.pop(OBJECTS))) if OBJECTS in table else {}
        tensors = {}
        for key, value in table.items():
            name = full.get(key, key.removesuffix(VALUE))
            if re.search(SLOTS, key) or re.search(SLOTS, name):
                continue
            values = data.values(name, Message(value))
            if values is not None and values.ndim:
                if name in tensors:
                    raise SourceError(f"tensor {name:.120}: the checkpoint holds two of this name")
                tensors[name] = values
    if any(name.startswith("layer_with_weights-") for name in tensors):
        tensors = _counted(tensors)
    tensors, notes = _averaged(tensors)
    found = names.network(tensors, backbone)
    found.notes += notes
    found.files = [prefix + ".index", *data.paths]
    return found
