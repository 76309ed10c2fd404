"""safetensors files (.safetensors), with torchvision's, timm's or transformers' names.

The file is the length of a JSON text (u64), the text, and the data that it describes. Each tensor lies where
its offsets say, inside the data, of just the size that its shape and type need, and none overlap.
"""

import json
import math
import struct

import numpy as np

from . import names
from .network import LARGEST_FILE, SourceError, is_shape, read_source

LARGEST_HEADER = 16 << 20
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
          "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "u1"}


def _header(data):
    """{name: entry} and where the data begins."""
    if len(data) < 8:
        raise SourceError("the file ends within its first 8 bytes")
    size = struct.unpack_from("<Q", data)[0]
    if size > min(LARGEST_HEADER, len(data) - 8):
        raise SourceError(f"a header of {size} bytes in a file of {len(data)}")
    try:
        entries = json.loads(data[8 : 8 + size].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"the header is no JSON ({error!s:.80})") from None
    if type(entries) is not dict or not all(type(entry) is dict for entry in entries.values()):
        raise SourceError("the header is no table of tensors")
    entries.pop("__metadata__", None)
    return entries, 8 + size


def _place(name, entry, available):
    """(begin, end, dtype, shape) of a tensor, once they agree."""
    kind, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if type(kind) is not str or kind not in DTYPES:
        raise SourceError(f"tensor {name:.120} has values of the unknown type {kind!s:.20}"
                          if type(kind) is str else f"tensor {name:.120} has no type")
    if not is_shape(shape) or type(offsets) is not list or len(offsets) != 2 \
            or not all(type(n) is int and 0 <= n <= LARGEST_FILE for n in offsets):
        raise SourceError(f"tensor {name:.120} has no shape, or no place in the file")
    begin, end = offsets
    if end > available:
        raise SourceError(f"tensor {name:.120} ends at byte {end} of {available}")
    if end - begin != math.prod(shape) * np.dtype(DTYPES[kind]).itemsize:
        raise SourceError(f"tensor {name:.120} of shape {shape} has {end - begin} bytes of {kind}")
    return begin, end, kind, shape


def tensors(data):
    """{name: float32 array}."""
    entries, start = _header(data)
    places = {name: _place(name, entry, len(data) - start) for name, entry in entries.items()}
    at, found = 0, {}
    for name, (begin, end, kind, shape) in sorted(places.items(), key=lambda item: item[1][:2]):
        if begin < at:
            raise SourceError(f"tensor {name:.120} overlaps the one before it")
        at = end
        values = np.frombuffer(data, DTYPES[kind], math.prod(shape), start + begin)
        if kind == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(over="ignore"):
            found[name] = values.astype(np.float32).reshape(shape)
    return found


def recognises(path, head):
    return path.endswith(".safetensors") or (head[8:9] == b"{" and not any(head[4:8]))


def load(path, backbone):
    return names.network(tensors(read_source(path)), backbone, r"\.num_batches_tracked$")
