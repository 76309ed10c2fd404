"""Whether copies of a picture lie closer to it than unrelated pictures do.

Unrelated are two pictures of different classes. The distance for a rate is the one that at most this
share of the unrelated pairs falls below; how well it is known depends on how many pairs those are.
In order: how copies are made, distances of unrelated pairs, distances of copies.
"""

import io
import os
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from .rows import open_picture

RATES = (1e-3, 1e-6)
ROWS_AT_ONCE = 256
PICTURES_AT_ONCE = 256
MOST_COPIED = 500  # pictures; their shares are known to 0.02 then
MEDIAN_OF = 1000000  # pairs, where there are more


# ---- copies: RGB picture to RGB picture ----------------------------------------------------------


def _half(picture):
    return picture.resize([max(1, side // 2) for side in picture.size], Image.BILINEAR)


def _jpeg(picture):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=30)
    return Image.open(stream).convert("RGB")


def _crop(share):
    def crop(picture):
        wide, high = picture.size
        left, top = (round(side * (1 - share) / 2) for side in picture.size)
        return picture.crop((left, top, max(wide - left, left + 1), max(high - top, top + 1)))
    return crop


def _border(picture):
    return ImageOps.expand(picture, max(1, round(min(picture.size) * 0.05)), "white")


KINDS = {
    "half size": _half,
    "JPEG quality 30": _jpeg,
    "crop to 90 %": _crop(0.9),
    "crop to 75 %": _crop(0.75),
    "mirrored": ImageOps.mirror,
    "brightness 1.3": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "border of 5 %": _border,
    "grey": lambda picture: picture.convert("L").convert("RGB"),
}


def make(kind, paths, folder):
    """Writes a copy of each picture into folder; their paths."""
    copies = []
    for i, path in enumerate(paths):
        copies.append(os.path.join(folder, f"{i}.ppm"))
        KINDS[kind](open_picture(path)).save(copies[-1])
    return copies


# ---- unrelated pairs -----------------------------------------------------------------------------

# Distances of queries [Q, values] to rows [N, values], smaller is closer: f32 [Q, N].
# Dot is the product with its sign changed.


def _dot(queries, rows):
    return -(queries @ rows.T)


def _euclidean(queries, rows):
    squares = (queries * queries).sum(1)[:, None] + (rows * rows).sum(1) - 2 * (queries @ rows.T)
    return np.sqrt(np.maximum(squares, 0))


def _cosine(queries, rows):
    lengths = np.sqrt((queries * queries).sum(1)[:, None] * (rows * rows).sum(1))
    return np.clip(1 - (queries @ rows.T) / np.maximum(lengths, 1e-30), 0, 2)


METRICS = {"cosine": _cosine, "euclidean": _euclidean, "dot": _dot}


@dataclass
class Unrelated:
    """The unrelated pairs' closest ones, their median, and how many there are."""

    pairs: int
    closest: np.ndarray  # ascending; enough for the largest of RATES
    median: float

    def below(self, rate):
        """How many pairs are the share `rate` of them, rounded down."""
        return int(self.pairs * rate)

    def distance(self, rate):
        """What at most that many of the pairs fall below."""
        return float(self.closest[self.below(rate)])


def unrelated(rows, classes, metric):
    """Unrelated of all pairs of different classes; there must be one. rows [N, values], classes [N]."""
    rows, classes = rows.astype(np.float32), np.asarray(classes)
    _, counts = np.unique(classes, return_counts=True)
    pairs = (len(rows) ** 2 - int((counts.astype(np.int64) ** 2).sum())) // 2
    wanted, step = int(pairs * max(RATES)) + 1, 1 + pairs // MEDIAN_OF
    closest, sample = np.empty(0, np.float32), []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        queries = np.arange(start, min(start + ROWS_AT_ONCE, len(rows)))
        others = (classes[queries, None] != classes) & (queries[:, None] < np.arange(len(rows)))
        distances = METRICS[metric](rows[queries], rows)[others]
        closest = np.concatenate([closest, distances])
        sample.append(distances[::step])
        if len(closest) > wanted:
            closest = np.partition(closest, wanted - 1)[:wanted]
    return Unrelated(pairs, np.sort(closest), float(np.median(np.concatenate(sample))))


# ---- copies of pictures --------------------------------------------------------------------------


def distances(rows, copies):
    """Cosine distance of each row to the copy's: [N]."""
    products = (rows * copies).sum(1)
    lengths = np.sqrt((rows * rows).sum(1) * (copies * copies).sum(1))
    return 1 - products / np.maximum(lengths, 1e-30)
