"""Keras models and weights: .h5, .weights.h5 and .keras, with Keras's names or Keras 3's counted ones.

HDF5 is read by h5py (python3-h5py). A file may point elsewhere in many ways, all of which are refused:
only hard links are followed, and only datasets whose values lie in the file itself, plain or compressed
with gzip. A .keras file is a zip with the weights in one entry.
In order: HDF5, the zip, layers' names, the network.
"""

import collections
import io
import json
import zipfile

import numpy as np

from . import names
from .network import MissingPackage, SourceError, open_source, read_source

HDF5 = b"\x89HDF\r\n\x1a\n"
MOST_OBJECTS = 20000
DEEPEST = 24
LARGEST_VALUES = 1 << 29
FILTERS = {1, 2, 3}  # gzip, shuffle, checksum


# ---- HDF5 ----------------------------------------------------------------------------------------


def _h5py():
    try:
        import h5py
    except ModuleNotFoundError:
        raise MissingPackage("python3-h5py") from None
    return h5py


class _Walk:
    """All datasets of floats, as {path: float32 array}."""

    def __init__(self, h5py):
        self.h5py, self.seen, self.found, self.bytes = h5py, set(), {}, 0

    def group(self, group, at, depth):
        if depth > DEEPEST:
            raise SourceError(f"group {at:.120} lies too deep")
        for key in group:
            path = f"{at}/{key}" if at else key
            link = group.get(key, getlink=True)
            if not isinstance(link, self.h5py.HardLink):
                raise SourceError(f"{path:.120} is a link to elsewhere, no part of this file")
            item = group.get(key)
            if item is None:
                raise SourceError(f"{path:.120} cannot be read: the HDF5 file is damaged")
            address = self.h5py.h5o.get_info(item.id).addr
            if address in self.seen or len(self.seen) > MOST_OBJECTS:
                raise SourceError(f"{path:.120} stands in the file twice, or the file holds too much")
            self.seen.add(address)
            if isinstance(item, self.h5py.Group):
                self.group(item, path, depth + 1)
            elif isinstance(item, self.h5py.Dataset) and item.dtype.kind == "f" and item.shape:
                self.found[path] = self.values(item, path)

    def values(self, item, path):
        if item.is_virtual or item.external:
            raise SourceError(f"tensor {path:.120} takes its values from other files")
        self.bytes += item.size * item.dtype.itemsize
        if self.bytes > LARGEST_VALUES or item.ndim > 8 or not item.size:
            raise SourceError(f"tensor {path:.120} of shape {list(item.shape)[:9]} is too large, or empty")
        plist = item.id.get_create_plist()
        filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
        if filters - FILTERS:
            raise SourceError(f"tensor {path:.120} is compressed in a way that Keras does not use")
        if not filters and item.id.get_storage_size() < item.size * item.dtype.itemsize:
            raise SourceError(f"tensor {path:.120} of shape {list(item.shape)} has "
                              f"{item.id.get_storage_size()} bytes")
        with np.errstate(over="ignore"):
            return item[()].astype(np.float32)


def _tensors(source):
    h5py = _h5py()
    try:
        with h5py.File(source, "r") as file:
            walk = _Walk(h5py)
            walk.group(file["/"], "", 0)
            return walk.found
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(f"the HDF5 file is damaged ({error!s:.100})") from None


# ---- the zip -------------------------------------------------------------------------------------


def _entry(archive, name, limit):
    info = archive.getinfo(name)
    if info.file_size > limit:
        raise SourceError(f"zip entry {name} of {info.file_size} bytes is too large")
    with archive.open(info) as file:
        data = file.read(info.file_size)
    if len(data) != info.file_size:
        raise SourceError(f"zip entry {name} is cut off")
    return data


def _unzipped(path):
    """The weights' bytes, and the layers' order in the configuration."""
    try:
        with open_source(path) as file, zipfile.ZipFile(file) as archive:
            config = json.loads(_entry(archive, "config.json", 1 << 26))
            if "model.weights.h5" not in archive.namelist():
                raise SourceError("the zip holds no model.weights.h5: it is no .keras file")
            return io.BytesIO(_entry(archive, "model.weights.h5", LARGEST_VALUES)), config
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError,
            RecursionError, OSError) as error:
        raise SourceError(f"the zip is no .keras file, or damaged ({error!s:.100})") from None


# ---- layers' names -------------------------------------------------------------------------------

# What `vars/0` and on are, by a layer's class.
VARS = {"conv2d": ("kernel", "bias"), "depthwise_conv2d": ("depthwise_kernel", "bias"),
        "dense": ("kernel", "bias")}


def _norm_vars(group):
    """BatchNorm's variables: four, or three where it has no scale."""
    parts = ("gamma", "beta", "moving_mean", "moving_variance")
    return parts if len(group) != 3 else parts[1:]


def _counted(tensors):
    """Keras 3's `.../layers/conv2d_7/vars/0` as `.../conv2d_7/kernel`."""
    groups = {}
    for path in tensors:
        layer, _, last = path.rpartition("/vars/")
        if layer:
            groups.setdefault(layer, []).append(int(last) if last.isdecimal() else -1)
    found = {}
    for path, values in tensors.items():
        layer, _, last = path.rpartition("/vars/")
        kind = layer.rpartition("/")[2].rstrip("0123456789").rstrip("_")
        parts = _norm_vars(groups.get(layer, ())) if kind == "batch_normalization" else \
            VARS.get(kind, ())
        if not layer:
            found[path] = values
        elif last.isdecimal() and int(last) < len(parts):
            found[f"{layer}/{parts[int(last)]}"] = values
        elif kind not in ("seed_generator", "random_seed"):
            found[path] = values
    return found


def _named(tensors):
    """The old `model_weights/LAYER/LAYER/kernel:0`, however deep, as `LAYER/kernel`."""
    found = {}
    for path, values in tensors.items():
        parts = path.split("/")
        name = "/".join(parts[-2:]).removesuffix(":0")
        if name in found:
            raise SourceError(f"tensor {path:.120}: the file holds two layers of this name")
        found[name] = values
    return found


# ---- the network ---------------------------------------------------------------------------------


def recognises(path, head):
    return head.startswith(HDF5) or path.endswith((".h5", ".hdf5", ".keras"))


def load(path, backbone):
    config = None
    with open_source(path) as file:
        zipped = file.read(4) == b"PK\x03\x04"
    if zipped:
        source, config = _unzipped(path)
    else:
        source = io.BytesIO(read_source(path))
        if not source.getvalue().startswith(HDF5):
            raise SourceError("this is no HDF5 file (its first bytes are not those of one)")
    tensors = {name: values for name, values in _tensors(source).items()
               if not name.startswith(("optimizer/", "optimizer_weights/", "metrics/"))
               and "/optimizer/" not in name}
    counted = any("/vars/" in name for name in tensors)
    tensors = _counted(tensors) if counted else _named(tensors)
    found = names.network(tensors, backbone)
    if config is not None:
        found.input_size = _input_size(config)
    return found


def _input_size(config):
    """The side of the picture in a model's configuration, where it says one."""
    pending = collections.deque([config])
    while pending:
        item = pending.popleft()
        if isinstance(item, dict):
            shape = item.get("batch_shape", item.get("batch_input_shape"))
            if isinstance(shape, list) and len(shape) == 4 and shape[3] == 3 \
                    and type(shape[1]) is int and shape[1] == shape[2] and 0 < shape[1] <= 4096:
                return shape[1]
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return None
