"""Pictures to rows of numbers: by weights, through minisim itself, and by what weights must beat.

A method takes paths of pictures and gives f32 [pictures, values], to be compared by cosine distance:
- by_weights: embeddings as `minisim embed` makes them.
- phash: signs of 64 low frequencies of the grey picture; cosine distance is Hamming distance / 32.
- histogram: roots of the shares of 8 x 8 x 8 colours, so that the cosine is Bhattacharyya's coefficient.
- write_untrained: a weights file of random values; its embeddings tell what the network's shape alone is worth.
"""

import os
import subprocess

import msw
import numpy as np
import sample_network
from PIL import Image, ImageOps


class Failure(Exception):
    """The text says what is wrong, with the exit status to end with; without text, that was said."""

    def __init__(self, text, status):
        super().__init__(text)
        self.status = status


def _embed(minisim, weights, options, names=b""):
    """Runs `minisim embed`; (whether every picture was read, what it wrote). It says itself what fails."""
    command = [minisim, "embed", "--weights", weights, "--format", "f32", "--null", *options]
    try:
        run = subprocess.run(command, input=names, stdout=subprocess.PIPE, check=False)
    except OSError as error:
        raise Failure(f"{minisim}: {error.strerror}; make builds it, --minisim says where it is",
                      4) from None
    if run.returncode not in (0, 1):
        raise Failure("", run.returncode if run.returncode > 0 else 4)
    return run.returncode == 0, run.stdout


def pictures_in(minisim, weights, folder, ids):
    """Paths of the pictures below folder that minisim can read. `ids` is a path for its list."""
    _embed(minisim, weights, ["--ids-out", ids, folder])
    if not os.path.exists(ids):
        raise Failure(f"{folder}: holds no picture that can be read", 1)
    with open(ids, "rb") as file:
        return [os.fsdecode(name) for name in file.read().split(b"\0")[:-1]]


def by_weights(minisim, weights):
    """The method of a weights file."""
    def method(paths):
        whole, raw = _embed(minisim, weights, ["--files-from", "-"],
                            b"".join(os.fsencode(path) + b"\0" for path in paths))
        if not whole:
            raise Failure("", 1)
        return np.frombuffer(raw, "<f4").reshape(len(paths), -1)
    return method


def open_picture(path):
    """The picture as minisim sees it: oriented, over white."""
    try:
        picture = ImageOps.exif_transpose(Image.open(path))
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Failure(f"{path}: minisim reads it, Pillow does not: {error!s:.100}", 1) from None


def _cosines(size):
    """The rows of the discrete cosine transform."""
    at = np.arange(size)
    return np.cos(np.pi / size * (at + 0.5) * at[:, None])


def phash(paths):
    rows, cosines = np.empty((len(paths), 64), np.float32), _cosines(32)[:8]
    for row, path in zip(rows, paths):
        grey = np.asarray(open_picture(path).convert("L").resize((32, 32), Image.BILINEAR), np.float64)
        low = (cosines @ grey @ cosines.T).ravel()
        row[:] = np.where(low > np.median(low[1:]), 1, -1)
    return rows


def histogram(paths):
    rows = np.empty((len(paths), 512), np.float32)
    for row, path in zip(rows, paths):
        level = np.asarray(open_picture(path).resize((128, 128), Image.BILINEAR)) // 32
        counts = np.bincount((level @ np.array([64, 8, 1])).ravel(), minlength=512)
        row[:] = np.sqrt(counts / counts.sum())
    return rows


def write_untrained(path, width=0.5, size=128):
    """Weights of random values, their BatchNorm fitted to a picture of smooth colours and noise."""
    tensors = []
    for step in sample_network.network(width, size=size):
        name = {"stem": "stem", "head": "head"}.get(step.part, f"block.{step.block}.{step.part}")
        weight = step.weight.transpose(0, 2, 3, 1)
        if step.part != "stem":
            weight = weight.reshape((len(weight), 3, 3) if step.part == "depthwise" else (len(weight), -1))
        stride = step.stride if step.part in ("stem", "depthwise") else 0
        tensors += [msw.make_tensor(f"{name}.bn.{part}", values, "f32")
                    for part, values in zip(msw.BN_PARTS, step.norm)]
        tensors.append(msw.make_tensor(f"{name}.weight", weight, "f32", stride))
    msw.write(path, msw.Model(
        input_size=size, padding="symmetric", geometry="squash", resampling="bilinear", crop_side=0,
        pad_colour=0, epsilon=1e-5, mean=(0.5,) * 3, std=(0.5,) * 3, tensors=tensors))
