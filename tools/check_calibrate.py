#!/usr/bin/python3
"""Holds `calibrate` against copies that Pillow makes, NumPy's distances and SciPy's intervals, on drawn
pictures: tools/check_calibrate.py BUILD. With folders, tools/check_calibrate.py BUILD FOLDER..., shows what
the noted threshold is worth on a thousand pictures out of them: for each kind of copy, what `duplicates`
finds among those and the pictures, and what it takes for duplicates and is none.
"""

import json
import os
import random
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from check_pairs import KINDS, scene
from evaluation import copies
from tap import Tap

BUILD = sys.argv[1]
MANY = 1000
# The keys of the report, the same copies, and how many of sixteen may be counted otherwise: each rounds
# brightened pixels in its own way, and has a JPEG encoder of its own.
REPORTED = {"half": (KINDS["half size"][0], 0), "crop_90": (KINDS["crop to 90 %"][0], 0),
            "third": (lambda picture: picture.resize([side // 3 for side in picture.size], Image.BILINEAR), 0),
            "crop_75": (KINDS["crop to 75 %"][0], 0), "border": (KINDS["border of 5 %"][0], 0),
            "mirrored": (KINDS["mirrored"][0], 0), "turned": (KINDS["turned by 270"][0], 0),
            "brightness": (KINDS["brightness 1.3"][0], 1), "jpeg": (KINDS["JPEG quality 30"][0], 3)}
SHOWN = ["half size", "a third of the size", "enlarged 1.7 times", "squashed to 80 %", "JPEG quality 30",
         "JPEG quality 10", "brightness 0.6", "brightness 1.3", "grey", "crop to 90 %", "crop to 75 %",
         "crop to 50 %, aside", "border of 5 %", "mirrored", "upside down", "turned by 90", "turned by 180"]


def run(*words, names=None):
    done = subprocess.run([f"{BUILD}/minisim", *words], capture_output=True, check=False, text=True,
                          input=None if names is None else "\n".join(names))
    if done.returncode:
        raise RuntimeError(f"{words}: {done.returncode} {done.stderr}")
    return json.loads(done.stdout) if "--json" in words else done.stdout


def save_copies(change, paths, folder):
    """Paths of the copies, in the order of `paths`."""
    os.makedirs(folder)
    copied = [os.path.join(folder, f"{i}.ppm") for i in range(len(paths))]
    for path, copy in zip(paths, copied):
        change(copies.open_picture(path)).save(copy)
    return copied


# ---- the report ----------------------------------------------------------------------------------


def embed(paths, folder):
    name = os.path.join(folder, "rows.npy")
    run("embed", "--format", "npy", "-o", name, "--ids-out", os.path.join(folder, "ids"), *paths)
    rows = np.load(name).astype(np.float64)
    os.remove(name)
    return rows


def between(a, b):
    return 1 - a @ b.T / np.sqrt((a * a).sum(1)[:, None] * (b * b).sum(1))


def check_counts(tap, folder):
    """Every count of the report, made anew."""
    rnd = random.Random(15)
    paths = [os.path.join(folder, f"{i:02}.ppm") for i in range(16)]
    for path in paths:
        scene(rnd).save(path)
    catalogue = os.path.join(folder, "c.msc")
    run("index", "--type", "f32", catalogue, *paths)
    report = run("calibrate", "--dry-run", "--json", catalogue)
    points = report["thresholds"] + [report["recommended"]]
    rows = embed(paths, folder)
    unrelated = between(rows, rows)[np.triu_indices(16, 1)]
    for key, (change, slack) in REPORTED.items():
        distances = np.diag(between(rows, embed(save_copies(change, paths, os.path.join(folder, key)), folder)))
        wrong = [(point["cosine"], point["copies"][key]["found"]) for point in points
                 if abs(int((distances <= point["cosine"]).sum()) - point["copies"][key]["found"]) > slack]
        tap.check(not wrong, f"{key}: as many copies found as Pillow's and NumPy's", wrong)
    tap.check(all(point["unrelated_pairs"]["found"] == (unrelated <= point["cosine"]).sum() and
                  point["false_pairs"]["expected"] == point["unrelated_pairs"]["found"] for point in points),
              "unrelated pairs as NumPy counts them", points)
    tap.check(report["pairs"] == 120 and report["left_out"] == 0, "all pairs", report)
    return points


def check_intervals(tap, points):
    try:
        from scipy.stats import binomtest
    except ImportError:
        print("# left out: intervals against SciPy, which is not here")
        return
    shares = [share for point in points for share in
              [point["resized_or_re_encoded"], point["unrelated_pairs"], *point["copies"].values()]]
    wrong = []
    for share in shares:
        known = binomtest(share["found"], share["of"]).proportion_ci(method="wilson")
        if not np.allclose((share["low"], share["high"]), (known.low, known.high), rtol=1e-9, atol=1e-12):
            wrong.append((share, known))
    tap.check(len(shares) > 50 and not wrong, "intervals as SciPy's", wrong)


# ---- a thousand pictures -------------------------------------------------------------------------


def choose(folders):
    paths = sorted(os.path.join(parent, name) for folder in folders
                   for parent, _, names in os.walk(os.path.abspath(folder)) for name in names
                   if name.lower().endswith((".jpg", ".jpeg", ".png")))
    return random.Random(15).sample(paths, min(MANY, len(paths)))


def find(catalogue, originals, copied, *options):
    """What duplicates makes of them: how many copies are found, and pairs that are no copies."""
    number = {path: i for paths in (originals, copied) for i, path in enumerate(paths)}
    members = [[(number[member["path"]["text"]], member["path"]["text"]) for member in group["members"]]
               for group in run("duplicates", "--json", catalogue, *options)["groups"]]
    found, others = set(), []
    for group in members:
        for at, (a, path) in enumerate(group):
            for b, other in group[at + 1:]:
                if a == b:
                    found.add(a)
                else:
                    others.append((path, other))
    return len(found), others


def show_many(tap, folder, originals):
    catalogue = os.path.join(folder, "all.msc")
    run("index", "-q", "--files-from", "-", catalogue, names=originals)
    print("# " + run("calibrate", catalogue).replace("\n", "\n# "))
    wrong, plain = {}, [0, 0]
    print(f"# {'':22} {'found':>13} {'--only same':>13}  pairs of others")
    for kind in SHOWN:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            copied = save_copies(KINDS[kind][0], originals, os.path.join(place, "copies"))
            both = os.path.join(place, "both.msc")
            with open(catalogue, "rb") as source, open(both, "wb") as target:
                target.write(source.read())
            run("index", "-q", "--files-from", "-", both, names=copied)
            found, others = find(both, originals, copied)
            same, wrong[kind] = find(both, originals, copied, "--only", "same")
        count = len(originals)
        print(f"# {kind:22} {found:5} {100 * found / count:5.1f} % {same:5} {100 * same / count:5.1f} %  "
              f"{len(others)}, --only same {len(wrong[kind])}", flush=True)
        if kind in ("half size", "JPEG quality 30"):
            plain = [plain[0] + found, plain[1] + count]
    tap.check(plain[0] >= 0.99 * plain[1], "99 % of resized and re-encoded copies are found", plain)
    listed = sorted({tuple(sorted(pair)) for pairs in wrong.values() for pair in pairs})
    tap.check(not listed, "no other pair is labelled the same", "\n".join(map(" ".join, listed)))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[2:]:
            show_many(tap, folder, choose(sys.argv[2:]))
        else:
            check_intervals(tap, check_counts(tap, folder))
    tap.finish()


if __name__ == "__main__":
    main()
