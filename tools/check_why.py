#!/usr/bin/python3
"""Holds `compare --why` against its promises: tools/check_why.py BUILD.

The parts add up to the cosine, they are what NumPy makes of the last map's cells, the half that two
pictures share adds more than the other, and the drawing, read by Pillow, shows that.
"""

import dataclasses
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

import msw
from check_network import layers_of
from tap import SHARED, Tap, left_out

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LEAST, GAP, BLACK = 384, 16, 0  # as src/report/why.c draws


def texture(seed, height=160, width=160, grain=8):
    """[height, width, 3]: blocks of random colours."""
    blocks = np.random.default_rng(seed).integers(
        0, 256, (height // grain, width // grain, 3), np.uint8)
    return blocks.repeat(grain, 0).repeat(grain, 1)


def write(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def shuffled(model, seed):
    """Random weights of a trained network's sizes."""
    random = np.random.default_rng(seed)
    return dataclasses.replace(model, tensors=[
        dataclasses.replace(t, stored=random.permutation(t.stored.ravel()).reshape(t.shape))
        if t.name.endswith(".weight") else t for t in model.tensors])


def without_direction(model):
    """A head that gives zeros alone."""
    return dataclasses.replace(model, tensors=[
        dataclasses.replace(t, stored=np.full_like(t.stored, -1e6)) if t.name == "head.bn.beta"
        else t for t in model.tensors])


def run(build, *words):
    return subprocess.run([f"{build}/minisim", "compare", *words], capture_output=True, text=True,
                          check=False)


def explain(build, weights, a, b, *words):
    """The report, and its two maps."""
    done = run(build, "--why", "--json", "--weights", weights, *words, a, b)
    report = json.loads(done.stdout or "{}")
    if done.returncode or done.stderr or report.get("schema") != 1:
        raise ValueError(f"status {done.returncode}: {done.stderr}")
    return report, np.array(report["maps"]["a"]), np.array(report["maps"]["b"])


def check_sums(tap, build, weights, what, pictures):
    worst, equal = 0, True
    for a, b in zip(pictures, pictures[1:] + pictures[:1]):
        report, *maps = explain(build, weights, a, b)
        plain = json.loads(run(build, "--json", "--weights", weights, a, b).stdout)
        equal = equal and report["cosine"] == plain["distances"][0]["cosine"]
        equal = equal and report["a"] == {"text": a} and report["b"] == {"text": b}
        equal = equal and all((m >= 0).all() for m in maps)
        worst = max(worst, *(abs(1 - m.sum() - report["cosine"]) for m in maps))
    print(f"# {what}: {len(pictures)} pairs, 1 - sum differs from the distance by at most {worst:.1g}")
    tap.check(equal and worst <= 1e-6, f"{what}: the parts add up to 1 - what compare says")
    report, a, b = explain(build, weights, pictures[0], pictures[0])
    tap.check(report["cosine"] == 0 and np.abs(a - b).max() < 1e-7,
              f"{what}: the maps of a picture and itself are equal")


def check_split(tap, build, weights, folder, size):
    """All of it once more, in double."""
    squares = [texture(seed, size, size) for seed in (1, 2)]
    paths = [write(f"{folder}/square-{i}.png", square) for i, square in enumerate(squares)]
    cells = [layers_of(build, weights, square, "reference")["head"].astype(float)
             for square in squares]
    side = len(cells[0])
    a, b = (c.reshape(side * side, -1) for c in cells)
    pairs = a @ b.T / len(a) ** 2 / np.linalg.norm(a.mean(0)) / np.linalg.norm(b.mean(0))
    report, map_a, map_b = explain(build, weights, *paths, "--preprocessed")
    good = (np.allclose(map_a.ravel(), pairs.sum(1), 1e-5, 1e-7)
            and np.allclose(map_b.ravel(), pairs.sum(0), 1e-5, 1e-7))
    tap.check(good, f"{size} x {size}: each cell's part is what NumPy makes of the last maps")
    told = [(np.dot(p["a"], (side, 1)), np.dot(p["b"], (side, 1)), p["part"])
            for p in report["pairs"]]
    good = len(told) == 5 and all(np.isclose(pairs[i, j], part, 1e-5) for i, j, part in told)
    good = good and np.allclose([part for *_, part in told], np.sort(pairs.ravel())[:-6:-1], 1e-5)
    tap.check(good, f"{size} x {size}: the pairs told are the largest", told)


def check_half(tap, build, weights, what, folder):
    """The left half is shared, the right one is not; then the other way round. The mean of both, since the places of
    some cells add more by themselves."""
    rows, columns = np.mgrid[:160, :160]
    shared = texture(4, grain=2)
    chequers = ((rows // 16 + columns // 16) % 2 * 255)[..., None].repeat(3, 2).astype(np.uint8)
    plain = np.full_like(shared, (20, 40, 200))
    drawing, shares = f"{folder}/why.png", []
    for step in (-1, 1):
        paths = []
        for name, right in (("a", chequers), ("b", plain)):
            pixels = np.where(columns[..., None] < 80, shared, right)[:, ::step]
            paths.append(write(f"{folder}/half-{name}.png", pixels))
        _, *maps = explain(build, weights, *paths, "-o", drawing)
        half = len(maps[0]) // 2
        shares.append([m[:, ::step][:, :half].sum() / m[:, ::step][:, -half:].sum() for m in maps])
    shares = np.sqrt(np.prod(shares, axis=0))
    print(f"# {what}: the half that is shared adds {min(shares):.2f} to {max(shares):.2f} times as much")
    tap.check(min(shares) > 1.2, f"{what}: the half that is shared adds more", shares)
    return drawing, maps


def check_drawing(tap, drawing, maps, size, what):
    """Its windows are as large as the parts."""
    with Image.open(drawing) as picture:
        picture.load()
        mode, pixels = picture.mode, np.asarray(picture.convert("RGB")).astype(int)
    factor = -(-LEAST // size)
    side = size * factor
    cell = side // len(maps[0])
    tap.check(mode == "RGB" and pixels.shape == (side, 2 * side + GAP, 3)
              and (pixels[:, side:side + GAP] == 255).all(),
              f"{what}: Pillow reads the drawing, both squares with a gap between", pixels.shape)
    worst, most = 0, max(m.max() for m in maps)
    for parts, left in zip(maps, (0, side + GAP)):
        for (row, column), part in np.ndenumerate(parts):
            # Along the middle of the cell, the veil ends at a frame on either side.
            line = pixels[row * cell + cell // 2, left + column * cell:left + (column + 1) * cell]
            frame = np.flatnonzero((line == BLACK).all(1))
            worst = max(worst, abs(frame[-1] - frame[0] + 1 - cell * np.sqrt(part / most)))
    tap.check(worst <= 2, f"{what}: windows have the parts' areas", f"off by {worst} pixels")


def check_photos(tap, build, weights):
    if not SHARED:
        left_out("the sums over photographs")
        return
    photos = sorted(glob.glob(os.path.join(SHARED, "photos", "*.JPEG")))[:4]
    check_sums(tap, build, weights, "photographs", photos)


def check_none(tap, build, weights, folder, pictures):
    done = run(build, "--why", "--weights", weights, "-o", f"{folder}/none.png", *pictures[:2])
    tap.check(done.returncode == 1 and "no cosine distance" in done.stderr
              and len(done.stdout.splitlines()) == 2 and not os.path.exists(f"{folder}/none.png"),
              "embeddings of zeros: there is nothing to explain", done.stdout + done.stderr)


def check_readme(tap, build, folder):
    """README's picture is what the program draws."""
    kept, drawn = f"{ROOT}/tests/pictures/why.png", f"{folder}/why.png"
    subprocess.run([f"{build}/draw", folder], check=True)
    done = run(build, "--why", "--weights", f"{ROOT}/weights/minisim-default.msw", "-o", drawn,
               f"{folder}/tree-red.ppm", f"{folder}/tree-blue.ppm")
    with open(kept, "rb") as one, open(drawn, "rb") as other:
        tap.check(one.read() == other.read(), "README's picture is what the program draws",
                  f"{done.stderr}with other default weights: build/draw . && "
                  f"build/minisim compare --why -o {kept} tree-red.ppm tree-blue.ppm")


def main():
    tap, build = Tap(), sys.argv[1]
    default = msw.read(f"{ROOT}/weights/minisim-default.msw")
    # Of each, how many cells a side: 4, 7, 2.
    kinds = {"default weights": default,
             "224, padding same": dataclasses.replace(default, input_size=224, padding="same"),
             "random weights, crop": dataclasses.replace(shuffled(default, 5), input_size=64,
                                                         geometry="crop", crop_side=80)}
    with tempfile.TemporaryDirectory() as folder:
        pictures = [write(f"{folder}/{seed}.png", texture(seed, 160 + 80 * (seed % 2), 200))
                    for seed in range(3)]
        pictures.append(write(f"{folder}/even.png", np.full((50, 90, 3), 128, np.uint8)))
        for i, (what, model) in enumerate(kinds.items()):
            weights = f"{folder}/{i}.msw"
            msw.write(weights, model)
            check_sums(tap, build, weights, what, pictures)
            check_split(tap, build, weights, folder, model.input_size)
            if "random" not in what:
                drawing, maps = check_half(tap, build, weights, what, folder)
                check_drawing(tap, drawing, maps, model.input_size, what)
        msw.write(f"{folder}/zeros.msw", without_direction(default))
        check_none(tap, build, f"{folder}/zeros.msw", folder, pictures)
        check_photos(tap, build, f"{folder}/1.msw")
        check_readme(tap, build, folder)
    tap.finish()


if __name__ == "__main__":
    main()
