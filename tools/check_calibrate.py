#!/usr/bin/python3
"""Holds `calibrate` against copies that Pillow makes, NumPy's distances and SciPy's intervals, on drawn
pictures: tools/check_calibrate.py BUILD. With folders, tools/check_calibrate.py BUILD FOLDER..., shows what
the noted threshold is worth on a thousand pictures out of them: for each kind of copy, what `duplicates`
finds among those and the pictures, and what it takes for duplicates and is none.
"""

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import msw
import numpy as np
from PIL import Image, ImageOps

from check_pairs import KINDS, scene
from evaluation import copies
from tap import Tap

BUILD = sys.argv[1]
DEFAULT = os.path.join(os.path.dirname(__file__), "../weights/minisim-default.msw")
MANY = 1000
# The keys of the report, the same copies, and how many of sixteen may be counted otherwise: each rounds
# brightened pixels in its own way, and has a JPEG encoder of its own.
REPORTED = {"half": ("half size", 0), "third": ("third", 0), "crop_90": ("crop to 90 %", 0),
            "crop_75": ("crop to 75 %", 0), "border": ("border of 5 %", 0), "mirrored": ("mirrored", 0),
            "turned": ("turned by 270", 0), "brightness": ("brightness 1.3", 1), "jpeg": ("JPEG quality 30", 3)}


def third(picture):
    return picture.resize([side // 3 for side in picture.size], Image.BILINEAR)


CHANGES = {"third": third, **{kind: change for kind, (change, _) in KINDS.items()}}
PLAIN = ("half size", "JPEG quality 30")
OTHERS = ("a third of the size", "JPEG quality 10", "crop to 90 %", "crop to 75 %", "mirrored", "turned by 90",
          "turned by 180", "brightness 0.6", "brightness 1.3", "border of 5 %", "grey")


def run(*words, names=None):
    done = subprocess.run([f"{BUILD}/minisim", *words], capture_output=True, check=False, text=True,
                          input=None if names is None else "\n".join(names))
    if done.returncode:
        raise RuntimeError(f"{words}: {done.returncode} {done.stderr}")
    return json.loads(done.stdout) if "--json" in words else done.stdout


def save_copies(kinds, paths, folder):
    """Paths of the copies, one of each picture, in the order of `paths`."""
    os.makedirs(folder)
    copied = [os.path.join(folder, f"{i}.ppm") for i in range(len(paths))]
    for kind, path, copy in zip(kinds, paths, copied):
        CHANGES[kind](copies.open_picture(path)).save(copy)
    return copied


def find(catalogue, originals, copied, *options):
    """What `duplicates --only same` makes of them: which copies are found, and pairs that are no copies."""
    number = {path: i for paths in (originals, copied) for i, path in enumerate(paths)}
    found, others = set(), []
    for group in run("duplicates", "--json", "--only", "same", catalogue, *options)["groups"]:
        for path, other in itertools.combinations([member["path"]["text"] for member in group["members"]], 2):
            if number[path] == number[other]:
                found.add(number[path])
            else:
                others.append((path, other))
    return found, others


# ---- the report ----------------------------------------------------------------------------------


def embed(paths, folder):
    name = os.path.join(folder, "rows.npy")
    run("embed", "--format", "npy", "-o", name, "--ids-out", os.path.join(folder, "ids"), *paths)
    rows = np.load(name).astype(np.float64)
    os.remove(name)
    return rows


# Smaller is closer: of dot the negative product.
DISTANCES = {
    "cosine": lambda a, b: 1 - a @ b.T / np.sqrt((a * a).sum(1)[:, None] * (b * b).sum(1)),
    "euclidean": lambda a, b: np.sqrt(((a[:, None] - b) ** 2).sum(2)),
    "dot": lambda a, b: -(a @ b.T)}


def threshold(point, metric):
    return -point[metric] if metric == "dot" else point[metric]


def check_report(tap, metric, report, rows, copied):
    points, between = report["thresholds"] + [report["recommended"]], DISTANCES[metric]
    unrelated = between(rows, rows)[np.triu_indices(16, 1)]
    for key, (_, slack) in REPORTED.items():
        distances = np.diag(between(rows, copied[key]))
        wrong = [(point[metric], point["copies"][key]["found"]) for point in points
                 if abs(int((distances <= threshold(point, metric)).sum()) - point["copies"][key]["found"]) > slack]
        tap.check(not wrong, f"{metric}, {key}: as many copies found as Pillow's and NumPy's", wrong)
    tap.check(all(point["unrelated_pairs"]["found"] == (unrelated <= threshold(point, metric)).sum() and
                  point["false_pairs"]["expected"] == point["unrelated_pairs"]["found"] for point in points),
              f"{metric}: unrelated pairs as NumPy counts them", points)
    tap.check(report["pairs"] == 120 and report["left_out"] == 0, f"{metric}: all pairs", report)


def check_counts(tap, folder):
    """Every count of the report, made anew."""
    rnd = random.Random(15)
    paths = [os.path.join(folder, f"{i:02}.ppm") for i in range(16)]
    for path in paths:
        scene(rnd).save(path)
    catalogue = os.path.join(folder, "c.msc")
    run("index", "--type", "f32", catalogue, *paths)
    rows = embed(paths, folder)
    copied = {key: embed(save_copies([kind] * 16, paths, os.path.join(folder, key)), folder)
              for key, (kind, _) in REPORTED.items()}
    points = []
    for metric in DISTANCES:
        report = run("calibrate", "--dry-run", "--json", "--metric", metric, catalogue)
        check_report(tap, metric, report, rows, copied)
        points += report["thresholds"] + [report["recommended"]]
    # These scenes are closer to each other than such copies are to them.
    copied = [os.path.join(folder, "crop_75", f"{i}.ppm") for i in range(16)]
    run("index", catalogue, *copied)
    found, others = find(catalogue, paths, copied, "--max-distance", "0.2")
    tap.check(len(found) == 16 and not others, "--only same finds copies among what is alike", (found, others))
    return points


def check_zeros(tap, folder):
    """Weights that give every picture zeros: no cosine, and nothing that reads like a number."""
    weights, catalogue = os.path.join(folder, "zeros.msw"), os.path.join(folder, "zeros.msc")
    model = msw.read(DEFAULT)
    for tensor in model.tensors:
        if tensor.name == "head.bn.beta":
            tensor.stored = np.full_like(tensor.stored, -1000)
    msw.write(weights, model)
    pictures = [os.path.join(folder, f"{i:02}.ppm") for i in range(4)]
    run("index", "--weights", weights, catalogue, *pictures)
    done = subprocess.run([f"{BUILD}/minisim", "calibrate", "--json", "--weights", weights, catalogue],
                          capture_output=True, check=False, text=True)
    tap.check(done.returncode == 1 and not done.stdout and done.stderr.count("\n") == 5
              and "00.ppm: it has no cosine distance to a copy; no copies were made of it" in done.stderr
              and "zeros.msc: it has too few different pictures" in done.stderr, "zeros have no cosine", done)
    tap.check(run("info", "--json", catalogue)["notes"] == {}, "nothing is noted of them")


def check_intervals(tap, points):
    try:
        from scipy.stats import binomtest
    except ImportError:
        print("# left out: intervals against SciPy, which is not here")
        return
    shares = [share for point in points for share in
              [point["half_or_jpeg"], point["unrelated_pairs"], *point["copies"].values()]]
    wrong = []
    for share in shares:
        known = binomtest(share["found"], share["of"]).proportion_ci(method="wilson")
        if not np.allclose((share["low"], share["high"]), (known.low, known.high), rtol=1e-9, atol=1e-12):
            wrong.append((share, known))
    tap.check(len(shares) > 50 and not wrong, "intervals as SciPy's", wrong)


# ---- a thousand pictures -------------------------------------------------------------------------


def choose(folders, place):
    """A thousand pictures, one of each name; drawn ones for those that lack."""
    paths = {os.path.splitext(name)[0]: os.path.join(parent, name) for folder in folders
             for parent, _, names in os.walk(os.path.realpath(folder)) for name in sorted(names)
             if name.lower().endswith((".jpg", ".jpeg", ".png"))}
    chosen = random.Random(15).sample(sorted(paths.values()), min(MANY, len(paths)))
    print(f"# {len(chosen)} pictures of {', '.join(folders)}, {MANY - len(chosen)} drawn")
    for i in range(MANY - len(chosen)):
        chosen.append(os.path.join(os.path.realpath(place), f"{i}.ppm"))
        drawing(random.Random(i)).save(chosen[-1])
    return chosen


def drawing(rnd):
    """A scene of colours of its own, turned and cut out anyhow."""
    left, top, wide, high = rnd.randint(0, 60), rnd.randint(0, 60), rnd.randint(100, 180), rnd.randint(100, 180)
    picture = scene(rnd).crop((left, top, left + wide, top + high)).transpose(rnd.randint(0, 6))
    lightness = ImageOps.grayscale(picture.resize((wide * 2, high * 2), Image.BICUBIC))
    dark, light = (tuple(rnd.choices(range(lowest, lowest + 128), k=3)) for lowest in (0, 128))
    return Image.blend(picture.resize(lightness.size), ImageOps.colorize(lightness, dark, light), rnd.random())


def enough(originals, copied, folder):
    """The distance up to which 99 % of copies are found."""
    distances = np.diag(DISTANCES["cosine"](embed(originals, folder), embed(copied, folder)))
    return f"{np.quantile(distances, 0.99):.3g}"


def show_found(catalogue, originals, copied, kind_of, *options):
    """What find() gives, and prints it, kind by kind."""
    started = time.monotonic()
    found, others = find(catalogue, originals, copied, *options)
    print("#", " ".join(("duplicates --only same", *options)), f"took {time.monotonic() - started:.1f} s")
    for kind in dict.fromkeys(kind_of):
        right, count = sum(kind_of[i] == kind for i in found), kind_of.count(kind)
        print(f"# {kind:22} {right:4} of {count:4} are found, {100 * right / count:5.1f} %", flush=True)
    print(f"# pairs of other pictures that have such a label: {len(others)}", flush=True)
    return found, others


def show_many(tap, folder, originals):
    """A copy of each picture: all of one kind, and then of the next one for each. At last those of a third of the
    size, which are often less than the network sees, at the distance that finds 99 % of them."""
    catalogue = os.path.join(folder, "all.msc")
    run("index", "-q", "--files-from", "-", catalogue, names=originals)
    print("# " + run("calibrate", catalogue).rstrip().replace("\n", "\n# "))
    wrong, plain = [], 0
    for kinds in PLAIN[:1], PLAIN[1:], OTHERS, OTHERS[:1]:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            kind_of = [kinds[i % len(kinds)] for i in range(len(originals))]
            copied = save_copies(kind_of, originals, os.path.join(os.path.realpath(place), "copies"))
            both = os.path.join(place, "both.msc")
            shutil.copy(catalogue, both)
            run("index", "-q", "--files-from", "-", both, names=copied)
            found, others = show_found(both, originals, copied, kind_of)
            if kinds == OTHERS[:1]:
                others += show_found(both, originals, copied, kind_of, "--max-distance", enough(originals, copied, place))[1]
        plain += len(found) * (kinds[0] in PLAIN)
        wrong += others
    tap.check(plain >= 0.99 * 2 * len(originals), "99 % of copies at half size or JPEG quality 30 are found", plain)
    tap.check(not wrong, "no other pair is labelled the same", "\n".join(map(" ".join, wrong)))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[2:]:
            show_many(tap, folder, choose(sys.argv[2:], folder))
        else:
            check_intervals(tap, check_counts(tap, folder))
            check_zeros(tap, folder)
    tap.finish()


if __name__ == "__main__":
    main()
