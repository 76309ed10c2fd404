"""PyTorch state dicts (.pth) with torchvision's, timm's or transformers' names, read without torch.

Both of torch's files are read: the zip of today and the row of pickles of before 1.6. Nothing in
the pickle is executed: only the opcodes and the few globals that a state dict needs are known, and
what they build are plain records here; anything else is refused by its name. A pickle of 300 bytes can
build a value that takes years to hash or to print, so keys are short text or numbers, and no value is
hashed, compared or put into a message before its type is known. A storage's size is checked against the
bytes that are there before any array is made.
In order: the pickle, the two files, tensors from storages, the network.
"""

import io
import pickle
import struct
import zipfile
from dataclasses import dataclass

import numpy as np

from . import names
from .network import SourceError, read_source

ZIP = b"PK\x03\x04"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LARGEST_PICKLE = 16 << 20
LARGEST_KEY = 512  # characters of a name
LARGEST_RANK = 8
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


def _is_text(value):
    return type(value) is str and len(value) <= LARGEST_KEY


def _is_size(value):
    return type(value) is int and 0 <= value < 1 << 40


def _is_sizes(value):
    return type(value) is tuple and len(value) <= LARGEST_RANK and all(map(_is_size, value))


def _key(value):
    """A dictionary's key, once it is known to be quick to hash."""
    if _is_text(value) or (type(value) is int and value.bit_length() <= 64):
        return value
    raise SourceError("the pickle holds a dictionary whose keys are neither names nor numbers")


def _tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, _Storage) or not _is_size(offset) or not _is_sizes(shape) \
            or not _is_sizes(strides) or len(shape) != len(strides):
        raise SourceError("the pickle builds a tensor that is none")
    return _Tensor(storage, offset, shape, strides)


def _tensor_v1(storage, offset, shape, strides):
    """What torch before 0.4 wrote."""
    return _tensor(storage, offset, shape, strides)


def _dictionary(pairs=()):
    """An OrderedDict; Python 2 pickled its pairs as a list of lists."""
    if type(pairs) not in (list, tuple) or not all(type(p) in (list, tuple) and len(p) == 2
                                                   for p in pairs):
        raise SourceError("the pickle builds a dictionary that is none")
    return {_key(key): value for key, value in pairs}


_CALLS = {
    "collections.OrderedDict": _dictionary,
    "torch._utils._rebuild_tensor": _tensor_v1,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "argparse.Namespace": lambda *_: None,  # a training script's options, which are not looked at
}


def _refuse_opcode(_):
    raise SourceError("the pickle holds an opcode that no state dict needs")


class _Unpickler(pickle._Unpickler):
    """The interpreter in Python, whose table of opcodes can be cut down to the needed ones."""

    dispatch = dict.fromkeys(range(256), _refuse_opcode)
    dispatch |= {getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
                 for name in OPCODES}

    def find_class(self, module, name):
        full = f"{module:.60}.{name:.60}"
        if full in _CALLS or (module == "torch" and name in STORAGES):
            return _Global(full)
        hint = ""
        if module.startswith(("torchvision.", "__main__", "timm.", "torch.nn", "__torch__")):
            hint = ": this is a whole model; save model.state_dict() instead"
        raise SourceError(f"the pickle asks for {full!r}, which no state dict needs{hint}")

    def persistent_load(self, pid):
        if type(pid) is not tuple or len(pid) < 5 or not _is_text(pid[0]) or pid[0] != "storage":
            raise SourceError("the pickle names something outside that is no storage")
        kind = pid[1].name.removeprefix("torch.") if isinstance(pid[1], _Global) else ""
        if kind not in STORAGES or not _is_text(pid[2]) or not _is_size(pid[4]) \
                or (len(pid) > 5 and pid[5] is not None):
            raise SourceError("the pickle names a storage of an unknown kind")
        self.kinds[pid[2]] = kind
        return _Storage(kind, pid[2], pid[4])

    def load_reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Global) or function.name not in _CALLS \
                or type(arguments) is not tuple:
            raise SourceError("the pickle calls something that no state dict needs")
        self.append(self._paid(_CALLS[function.name], arguments))

    def _paid(self, function, arguments):
        """The call, unless the pickle copies more pairs than any honest one holds."""
        self.copied += sum(len(a) for a in arguments if type(a) is list)
        if self.copied > LARGEST_PICKLE:
            raise SourceError("the pickle copies one list again and again")
        return function(*arguments)

    def load_build(self):
        """An OrderedDict's own attributes (`_metadata`) say nothing about the network."""
        self.stack.pop()

    def _set(self, items):
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise SourceError("the pickle fills something that is no dictionary")
        for key, value in zip(items[::2], items[1::2]):
            target[_key(key)] = value

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def load_setitems(self):
        self._set(self.pop_mark())

    def load_dict(self):
        items = self.pop_mark()
        self.append({})
        self._set(items)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict


def _unpickle(stream, kinds=None):
    """The object; `kinds` receives the kind of every storage that the pickle names, by its key."""
    try:
        reader = _Unpickler(stream)
        reader.kinds, reader.copied = {} if kinds is None else kinds, 0
        return reader.load()
    except SourceError:
        raise
    except Exception as error:  # a damaged pickle may trip the interpreter anywhere
        raise SourceError(f"the pickle is damaged ({type(error).__name__}: {error!s:.100})") from None


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
    magic = _unpickle(stream)
    if type(magic) is not int or magic != LEGACY_MAGIC:
        raise SourceError("this is no file of torch.save (zip or pickle)")
    version, system, kinds = _unpickle(stream), _unpickle(stream), {}
    found, keys = _unpickle(stream, kinds), _unpickle(stream)
    if type(version) is not int or version != 1001 or type(system) is not dict:
        raise SourceError("a file of torch.save of another protocol than 1001")
    if type(keys) is not list or not all(map(_is_text, keys)):
        raise SourceError("the pickle's list of storages is none")
    order = ">" if system.get("little_endian", True) is False else "<"
    at, places = stream.tell(), {}
    for key in keys:
        if len(data) - at < 8:
            raise SourceError(f"the file ends before storage {key:.40}")
        count = struct.unpack_from(order + "q", data, at)[0]
        at += 8
        # A storage that the pickle does not name has an unknown size: nothing behind it can be found.
        if key not in kinds:
            raise SourceError(f"storage {key:.40} belongs to nothing in the file")
        size = _itemsize(kinds[key])
        if not 0 <= count <= (len(data) - at) // size:
            raise SourceError(f"storage {key:.40} of {count} values does not fit into the file")
        places[key] = memoryview(data)[at : at + count * size]
        at += count * size

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
        inner = [found[key] for key in ("state_dict", "model", "model_state_dict", "net", "network",
                                       "backbone")
                 if type(found) is dict and type(found.get(key)) is dict]
        if not inner:
            break
        found = inner[0]
    if type(found) is not dict or not all(type(key) is str for key in found):
        raise SourceError("the pickle holds no state dict (names and their tensors)")
    return found


# ---- the network ---------------------------------------------------------------------------------


def recognises(path, head):
    return head.startswith(ZIP) or head[:1] == b"\x80" or path.endswith((".pth", ".pt"))


def load(path, backbone):
    data = read_source(path)
    found, bytes_of, order = (_read_zip if data.startswith(ZIP) else _read_legacy)(data)
    tensors = {name: _array(name, tensor, bytes_of, order)
               for name, tensor in _unwrapped(found).items()
               if isinstance(tensor, _Tensor) and not name.endswith(".num_batches_tracked")}
    return names.network(tensors, backbone)
