"""PyTorch state dicts (.pth) with torchvision's names, read without torch.

Both of torch's files are read: the zip of today and the row of pickles of before 1.6. Nothing in
the pickle is executed: only the opcodes and the few globals that a state dict needs are known, and
what they build are plain records here; anything else is refused by its name. A storage's size is
checked against the bytes that are there before any array is made.
In order: the pickle, the two files, tensors from storages, torchvision's names.
"""

import collections
import io
import pickle
import re
import struct
import zipfile
from dataclasses import dataclass

import numpy as np

from .network import Conv, SourceError, assemble, shaped

ZIP = b"PK\x03\x04"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LARGEST_PICKLE = 16 << 20
LARGEST_FILE = 1 << 31
STORAGES = {
    "FloatStorage": "f4", "HalfStorage": "f2", "DoubleStorage": "f8", "BFloat16Storage": "bfloat16",
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "u1",
}
OPCODES = """MARK STOP POP POP_MARK BINFLOAT INT BININT BININT1 BININT2 LONG LONG1 LONG4 NONE NEWTRUE
NEWFALSE BINUNICODE SHORT_BINUNICODE BINSTRING SHORT_BINSTRING UNICODE EMPTY_DICT EMPTY_LIST
EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 DICT LIST APPEND APPENDS SETITEM SETITEMS PUT BINPUT
LONG_BINPUT GET BINGET LONG_BINGET MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID PROTO
FRAME""".split()


# ---- the pickle ----------------------------------------------------------------------------------


@dataclass
class _Global:
    name: str


@dataclass
class _Storage:
    kind: str
    key: str
    count: int


@dataclass
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


def _tensor(storage, offset, shape, strides, *_):
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or len(shape) != len(strides) or len(shape) > 8:
        raise SourceError("the pickle builds a tensor that is none")
    if not all(isinstance(n, int) and 0 <= n < 1 << 40 for n in numbers):
        raise SourceError(f"the pickle builds a tensor of shape {shape}, strides {strides}")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_CALLS = {
    "collections.OrderedDict": lambda pairs=(): collections.OrderedDict(pairs),
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
}


def _refuse_opcode(_):
    raise SourceError("the pickle holds an opcode that no state dict needs")


class _Unpickler(pickle._Unpickler):
    """The interpreter in Python, whose table of opcodes can be cut down to the needed ones."""

    dispatch = dict.fromkeys(range(256), _refuse_opcode)
    dispatch |= {getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
                 for name in OPCODES}

    def find_class(self, module, name):
        full = f"{module}.{name}"
        if full in _CALLS or (module == "torch" and name in STORAGES):
            return _Global(full)
        raise SourceError(f"the pickle asks for {full!r:.120}, which no state dict needs")

    def persistent_load(self, pid):
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise SourceError("the pickle names something outside that is no storage")
        kind = pid[1].name.removeprefix("torch.") if isinstance(pid[1], _Global) else ""
        if kind not in STORAGES or not isinstance(pid[4], int) or (len(pid) > 5 and pid[5]):
            raise SourceError("the pickle names a storage of an unknown kind")
        return _Storage(kind, str(pid[2]), pid[4])

    def load_reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Global) or function.name not in _CALLS:
            raise SourceError("the pickle calls something that no state dict needs")
        self.append(_CALLS[function.name](*arguments))

    def load_build(self):
        """An OrderedDict's own attributes (`_metadata`) say nothing about the network."""
        self.stack.pop()

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build


def _unpickle(stream):
    try:
        return _Unpickler(stream).load()
    except SourceError:
        raise
    except Exception as error:  # a damaged pickle may trip the interpreter anywhere
        raise SourceError(f"the pickle is damaged ({type(error).__name__}: {error})") from None


# ---- the two files -------------------------------------------------------------------------------


def _itemsize(kind):
    return 2 if kind == "BFloat16Storage" else np.dtype(STORAGES[kind]).itemsize


def _read_zip(data):
    """The pickled object and a function that gives a storage's bytes."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        pickles = [n for n in archive.namelist() if n == "data.pkl" or n.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise SourceError("the zip holds no data.pkl: it is no file of torch.save")
        folder = pickles[0].removesuffix("data.pkl")

        def entry(name):
            info = archive.getinfo(name)
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > len(data):
                raise SourceError(f"zip entry {name} is compressed; torch.save stores them plain")
            return archive.read(info)

        if archive.getinfo(pickles[0]).file_size > LARGEST_PICKLE:
            raise SourceError(f"data.pkl has more than {LARGEST_PICKLE} bytes")
        order = ">" if f"{folder}byteorder" in archive.namelist() \
            and entry(f"{folder}byteorder") == b"big" else "<"
        found = _unpickle(io.BytesIO(entry(pickles[0])))
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError, NotImplementedError,
            RuntimeError, struct.error) as error:
        raise SourceError(f"the zip is damaged ({error})") from None

    def bytes_of(storage):
        try:
            return entry(f"{folder}data/{storage.key}")
        except SourceError:
            raise
        except Exception as error:  # zipfile's errors are of many kinds
            raise SourceError(f"storage {storage.key}: {error}") from None

    return found, bytes_of, order


def _read_legacy(data):
    stream = io.BytesIO(data)
    if _unpickle(stream) != LEGACY_MAGIC:
        raise SourceError("this is no file of torch.save (zip or pickle)")
    version, system, found, keys = (_unpickle(stream) for _ in range(4))
    if version != 1001 or not isinstance(system, dict) or not isinstance(keys, list):
        raise SourceError(f"a file of torch.save of protocol {version!r:.40}, known is 1001")
    order = "<" if system.get("little_endian", True) else ">"
    at, places = stream.tell(), {}
    sizes = {x.storage.key: _itemsize(x.storage.kind) for x in _unwrapped(found).values()
             if isinstance(x, _Tensor)}
    for key in map(str, keys):
        if len(data) - at < 8:
            raise SourceError(f"the file ends before storage {key[:40]}")
        count = struct.unpack_from(order + "q", data, at)[0]
        at += 8
        # A storage that no tensor uses has an unknown size: nothing behind it can be found.
        if key not in sizes or not 0 <= count <= (len(data) - at) // sizes[key]:
            raise SourceError(f"storage {key[:40]} of {count} values does not fit into the file")
        places[key] = data[at : at + count * sizes[key]]
        at += count * sizes[key]

    def bytes_of(storage):
        if storage.key not in places:
            raise SourceError(f"storage {storage.key[:40]} is missing")
        return places[storage.key]

    return found, bytes_of, order


# ---- tensors from storages -----------------------------------------------------------------------


def _array(name, tensor, bytes_of, order):
    storage = tensor.storage
    raw = bytes_of(storage)
    if len(raw) != storage.count * _itemsize(storage.kind):
        raise SourceError(f"tensor {name}: its storage has {len(raw)} bytes, not those of "
                          f"{storage.count} values")
    if STORAGES[storage.kind] == "bfloat16":
        values = (np.frombuffer(raw, order + "u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(raw, order + STORAGES[storage.kind])
    count, last = 1, tensor.offset
    for extent, stride in zip(tensor.shape, tensor.strides):
        count *= extent
        last += (extent - 1) * stride
    if count == 0 or count > len(values) or last >= len(values):
        raise SourceError(f"tensor {name} of shape {list(tensor.shape)} does not fit into its "
                          f"storage of {len(values)} values")
    steps = [stride * values.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps)
    with np.errstate(over="ignore"):
        return view.astype(np.float32)


def _unwrapped(found):
    """The state dict inside what training scripts put around it."""
    for _ in range(4):
        inner = [found[key] for key in ("state_dict", "model", "model_state_dict", "net")
                 if isinstance(found, dict) and isinstance(found.get(key), dict)]
        if not inner:
            break
        found = inner[0]
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise SourceError("the pickle holds no state dict (names and their tensors)")
    while found and all(key.startswith(("module.", "model.")) for key in found):
        found = {key.partition(".")[2]: value for key, value in found.items()}
    return found


# ---- torchvision's names -------------------------------------------------------------------------


def _conv(tensors, used, name, shape, bn_name):
    """A convolution with whatever stands beside its weight: a bias, a BatchNorm."""
    weight = shaped(tensors, f"{name}.weight", shape)
    outputs = (weight.shape[0],)
    used.add(f"{name}.weight")
    bias = bn = None
    if f"{name}.bias" in tensors:
        bias = shaped(tensors, f"{name}.bias", outputs)
        used.add(f"{name}.bias")
    parts = [f"{bn_name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    if any(part in tensors for part in parts):
        bn = tuple(shaped(tensors, part, outputs) for part in parts)
        used.update(parts)
    if len(shape) == 4 and shape[1:] == (3, 3, 3):
        weight = weight.transpose(0, 2, 3, 1)
    else:
        weight = weight[:, 0] if shape[2] == 3 else weight[:, :, 0, 0]
    return Conv(f"{name}.weight", np.ascontiguousarray(weight), bn, bias)


def _convs(tensors, used):
    """features.0 is the stem, features.1 and on are the blocks, the last one is the head."""
    numbers = {int(m[1]) for m in (re.match(r"features\.(\d{1,4})\.", n) for n in tensors) if m}
    last = max(numbers, default=0)
    convs = [_conv(tensors, used, "features.0.0", (None, 3, 3, 3), "features.0.1")]
    for index in range(1, last):
        channels, at = convs[-1].weight.shape[0], f"features.{index}.conv"
        # The first block has no expansion, except in variants that keep one at t = 1.
        expands = index > 1 or f"{at}.2.weight" in tensors and tensors[f"{at}.2.weight"].ndim == 4
        if expands:
            convs.append(_conv(tensors, used, f"{at}.0.0", (None, channels, 1, 1), f"{at}.0.1"))
            channels = convs[-1].weight.shape[0]
        step = 1 if expands else 0
        convs.append(_conv(tensors, used, f"{at}.{step}.0", (channels, 1, 3, 3), f"{at}.{step}.1"))
        convs.append(_conv(tensors, used, f"{at}.{step + 1}", (None, channels, 1, 1),
                           f"{at}.{step + 2}"))
    channels = convs[-1].weight.shape[0]
    name = f"features.{last}"
    convs.append(_conv(tensors, used, f"{name}.0", (None, channels, 1, 1), f"{name}.1"))
    return convs


def recognises(path, head):
    return head.startswith(ZIP) or head[:1] == b"\x80" or path.endswith((".pth", ".pt"))


def load(path):
    with open(path, "rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise SourceError(f"the file has more than {LARGEST_FILE} bytes")
    found, bytes_of, order = (_read_zip if data.startswith(ZIP) else _read_legacy)(data)
    tensors = {}
    for name, tensor in _unwrapped(found).items():
        if name.startswith("classifier.") or name.endswith(".num_batches_tracked"):
            continue
        if not name.startswith("features.") or not isinstance(tensor, _Tensor):
            raise SourceError(f"tensor {name:.120} does not fit: torchvision's MobileNetV2 has "
                              "features.* and classifier.* only")
        tensors[name] = _array(name, tensor, bytes_of, order)
    used = set()
    convs = _convs(tensors, used)
    for name in tensors:
        if name not in used:
            raise SourceError(f"tensor {name:.120} does not fit: a MobileNetV2 has none of this name")
    return assemble(convs)
