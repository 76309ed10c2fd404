#!/usr/bin/python3
"""Holds the preparation of pictures against Pillow, byte for byte.

    check_resize.py BUILD

BUILD holds prepare_tool, built from tests/prepare_tool.c. Prints TAP.
"""
import os
import random
import subprocess
import sys

import numpy
from PIL import Image
from tap import SHARED

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
TRANSPOSES = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def random_picture(generator, width, height):
    """Noise with hard black and white blocks, so that bicubic sums leave 0 to 255."""
    values = generator.integers(0, 256, (height, width, 3), dtype=numpy.uint8)
    blocks = generator.integers(0, 3, (height // 5 + 1, width // 7 + 1, 1))
    blocks = blocks.repeat(5, 0).repeat(7, 1)[:height, :width]
    values = numpy.where(blocks == 1, 0, numpy.where(blocks == 2, 255, values))
    return Image.fromarray(values.astype(numpy.uint8))


def expected(picture, size, geometry, resample, orientation):
    """What Pillow makes of the picture, by whole-picture operations."""
    if TRANSPOSES[orientation] is not None:
        picture = picture.transpose(TRANSPOSES[orientation])
    kind, _, value = geometry.partition(":")
    shorter, longer = min(picture.size), max(picture.size)
    wide = picture.width > picture.height
    if kind == "squash":
        return picture.resize((size, size), FILTERS[resample])
    if kind == "crop":
        side = int(value)
        other = side * longer // shorter
        width, height = (other, side) if wide else (side, other)
        left, top = round((width - size) / 2), round((height - size) / 2)
        picture = picture.resize((width, height), FILTERS[resample])
        return picture.crop((left, top, left + size, top + size))
    other = max(1, (2 * shorter * size + longer) // (2 * longer))
    width, height = (size, other) if wide else (other, size)
    square = Image.new("RGB", (size, size), "#" + value)
    picture = picture.resize((width, height), FILTERS[resample])
    square.paste(picture, ((size - width) // 2, (size - height) // 2))
    return square


def prepared(tool, picture, size, geometry, resample, orientation):
    command = [tool, size, geometry, resample, picture.width, picture.height, orientation]
    run = subprocess.run(list(map(str, command)), input=picture.tobytes(), capture_output=True)
    if run.returncode:
        return run.stderr.decode().strip()
    return run.stdout


def difference(got, wanted):
    """None where they are equal, else one line that says how they differ."""
    if isinstance(got, str):
        return got
    if len(got) != len(wanted):
        return "%d bytes, not %d" % (len(got), len(wanted))
    a = numpy.frombuffer(got, numpy.uint8).astype(int)
    b = numpy.frombuffer(wanted, numpy.uint8).astype(int)
    if (a == b).all():
        return None
    return "%d of %d bytes differ, by %d at most" % ((a != b).sum(), len(a), abs(a - b).max())


def cases():
    """(name, list of (width, height, size, geometry, resample, orientation))"""
    dice = random.Random(1)
    for resample in FILTERS:
        for name, low, high, size in (("down", 60, 400, 48), ("up", 1, 40, 96)):
            yield "random sizes %s, %s" % (name, resample), [
                (dice.randint(low, high), dice.randint(low, high), dice.randint(size // 2, size),
                 "squash", resample, 1) for _ in range(60)]
        yield "one pixel wide or high, " + resample, [
            (width, height, 17, geometry, resample, 1)
            for width, height in ((1, 1), (1, 50), (50, 1), (1, 333), (333, 1), (2, 1))
            for geometry in ("squash", "crop:20", "pad:102030")]
        yield "crop, " + resample, [
            (dice.randint(20, 300), dice.randint(20, 300), 32, "crop:%d" % dice.randint(32, 80),
             resample, 1) for _ in range(60)]
        yield "pad, " + resample, [
            (dice.randint(1, 300), dice.randint(1, 300), dice.randint(1, 64), "pad:fe8001",
             resample, 1) for _ in range(60)]
        yield "all orientations, " + resample, [
            (dice.randint(1, 200), dice.randint(1, 200), 40, geometry, resample, orientation)
            for orientation in TRANSPOSES for geometry in ("squash", "crop:50", "pad:000000")
            for _ in range(3)]
        yield "same size, " + resample, [(64, 64, 64, "squash", resample, o) for o in TRANSPOSES]
        yield "long and thin, " + resample, [
            (100000, 2, 24, "squash", resample, 1), (2, 100000, 24, "pad:ffffff", resample, 6),
            (3000, 3, 24, "crop:28", resample, 5)]
        yield "4000x3000 to 96, " + resample, [
            (4000, 3000, 96, "squash", resample, 1), (4000, 3000, 96, "crop:110", resample, 6)]


def check_cases(tool, results):
    generator = numpy.random.default_rng(1)
    for name, parameters in cases():
        failures = []
        for width, height, *rest in parameters:
            picture = random_picture(generator, width, height)
            wanted = expected(picture, *rest).tobytes()
            wrong = difference(prepared(tool, picture, *rest), wanted)
            if wrong:
                failures.append("%dx%d %s: %s" % (width, height, rest, wrong))
        results.append(("%s (%d pictures)" % (name, len(parameters)), failures))


def check_photos(tool, shared, results):
    photos = os.path.join(shared, "photos")
    names = sorted(name for name in os.listdir(photos) if name.endswith(".png"))
    for size in (224, 128):
        failures = [] if names else ["there are no photos"]
        for name in names:
            picture = Image.open(os.path.join(photos, name)).convert("RGB")
            reference = os.path.join(shared, "reference", "pixels-%d" % size, name)
            wanted = Image.open(reference).convert("RGB").tobytes()
            wrong = difference(prepared(tool, picture, size, "squash", "bilinear", 1), wanted)
            if wrong:
                failures.append("%s: %s" % (name, wrong))
        results.append(("photos to %d (%d pictures)" % (size, len(names)), failures))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_resize.py BUILD")
    tool, results = os.path.join(sys.argv[1], "prepare_tool"), []
    check_cases(tool, results)
    if SHARED:
        check_photos(tool, SHARED, results)
    else:
        print("# left out: photos against their reference pixels (../shared is not here)")
    print("1..%d" % len(results))
    for number, (name, failures) in enumerate(results, 1):
        print("%sok %d - %s" % ("not " if failures else "", number, name))
        for line in failures[:5]:
            print("# " + line)
    sys.exit(1 if any(failures for _, failures in results) else 0)


main()
