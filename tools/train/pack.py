#!/usr/bin/python3
"""Packs views of pictures small: tools/train/pack.py WORK FOLDER... (see README.md here)

The first view of a picture is the whole of it, the others are crops; each is squashed to a square, as
minisim does it, and appended to one file. What is no picture is counted.
"""

import argparse
import math
import multiprocessing
import os
import sys
import zlib

import numpy as np
import work

from PIL import Image

from evaluation.rows import Failure, open_picture

LEAST_AREA = 0.25  # of the picture, that a crop keeps


def parse_options():
    parser = argparse.ArgumentParser(description="Packs views of pictures into one file.")
    add = parser.add_argument
    add("work", metavar="WORK", help="the folder that the run lives in")
    add("folders", metavar="FOLDER", nargs="+")
    add("--side", type=int, default=128, help="of the squares (128)")
    add("--views", type=float, default=8, help="of each picture (8); 0.25: one of each fourth")
    add("--views-of", action="append", default=[], type=count_of, metavar="NAME=VIEWS",
        help="as --views, for a FOLDER of this name")
    add("--hold-out", action="append", default=[], metavar="NAME",
        help="leave out folders of this name, and files named NAME_*: classes to judge by")
    return parser.parse_args()


def count_of(text):
    name, _, count = text.rpartition("=")
    return name, float(count)


def base(folder):
    return os.path.basename(os.path.normpath(folder))


def pictures(folder, held_out):
    for place, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if name not in held_out)
        yield from (os.path.join(place, name) for name in sorted(names)
                    if not any(name.startswith(held + "_") for held in held_out))


def jobs_of(options, counts):
    """(path, side, how many views) of each picture that gets one."""
    for folder in options.folders:
        views = counts.get(base(folder), options.views)
        for i, path in enumerate(pictures(folder, options.hold_out)):
            if count := math.floor((i + 1) * views) - math.floor(i * views):
                yield path, options.side, count


def crop(random, wide, high):
    """A box of at least LEAST_AREA, its shape up to 4:3 off the picture's."""
    area = random.uniform(LEAST_AREA, 1)
    shape = np.exp(random.uniform(-1, 1) * np.log(4 / 3))
    width, height = (min(1, np.sqrt(area * shape)) * wide, min(1, np.sqrt(area / shape)) * high)
    left, top = random.uniform(0, wide - width), random.uniform(0, high - height)
    return left, top, left + width, top + height


def views_of(job):
    """Bytes of the picture's views, or None: it is no picture."""
    path, side, count = job
    try:
        picture = open_picture(path)
    except Failure:
        return None
    random = np.random.default_rng(zlib.crc32(os.fsencode(path)))
    boxes = [None] + [crop(random, *picture.size) for _ in range(count - 1)]
    return b"".join(np.asarray(picture.resize((side, side), Image.BILINEAR, box)).tobytes()
                    for box in boxes)


def main():
    options = parse_options()
    place = work.Work(options.work)
    if place.note("views"):
        print(f"{options.work}: pictures are packed there already")
        return 0
    counts = dict(options.views_of)
    if not 32 <= options.side <= 512 or not all(0 < n < 1e3 for n in (options.views, *counts.values())):
        raise work.Refusal("--side takes 32 to 512, --views and --views-of more than 0")
    if strangers := counts.keys() - {base(folder) for folder in options.folders}:
        raise work.Refusal(f"--views-of {min(strangers)}: no FOLDER has this name")
    packed = other = written = 0
    with open(place.path("views.u8"), "wb") as file, multiprocessing.Pool() as pool:
        for views in pool.imap(views_of, jobs_of(options, counts), 16):
            packed, other = packed + (views is not None), other + (views is None)
            written += file.write(views or b"")
    if not packed:
        raise work.Refusal(f"no picture in {', '.join(options.folders)}")
    total = written // (3 * options.side**2)
    place.set_note("views", {
        "side": options.side, "views": total, "pictures": packed,
        "folders": {base(folder): counts.get(base(folder), options.views)
                    for folder in options.folders},
        "held_out": options.hold_out})
    print(f"packed {total:,} views of {packed:,} pictures; {other:,} files are no pictures")
    return 0


if __name__ == "__main__":
    sys.exit(work.end("pack", main))
