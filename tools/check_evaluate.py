#!/usr/bin/python3
"""Holds tools/evaluate against its own definitions, computed the long way: tools/check_evaluate.py BUILD."""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from evaluation import copies, likeness
from tap import Tap

TOOLS = os.path.dirname(os.path.abspath(__file__))
WEIGHTS = os.path.join(TOOLS, "..", "weights", "minisim-default.msw")


def check_likeness(tap):
    """Four pictures on a circle, at 0, 10, 30 and 100 degrees: their orders are plain to see."""
    angle = np.radians([0, 10, 30, 100])
    found = likeness.measure(np.stack([np.cos(angle), np.sin(angle)], 1), ["a", "b", "a", "b"])
    wanted = (1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4
    tap.check(abs(found["mean_average_precision"] - wanted) < 1e-12, "mean average precision", found)
    tap.check(found["recall"] == {1: 0.0, 5: 1.0, 10: 1.0}, "recall", found)
    alone = likeness.measure(np.stack([np.cos(angle), np.sin(angle)], 1), ["a", "b", "a", "c"])
    tap.check(alone["mean_average_precision"] == 1 / 2, "a picture without its like is no query", alone)


def apart(metric, a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    if metric == "euclidean":
        return np.linalg.norm(a - b)
    product = (a * b).sum()
    return -product if metric == "dot" else 1 - product / np.linalg.norm(a) / np.linalg.norm(b)


def check_unrelated(tap):
    random = np.random.default_rng(5)
    rows = random.uniform(0, 3, (3 * copies.ROWS_AT_ONCE // 2, 6)).astype(np.float32)
    classes = random.integers(0, 40, len(rows))
    for metric in copies.METRICS:
        found = copies.unrelated(rows, classes, metric)
        wanted = np.sort([apart(metric, rows[i], rows[j]) for i in range(len(rows)) for j in range(i)
                          if classes[i] != classes[j]])
        place = int(len(wanted) * 1e-3)
        good = (found.pairs == len(wanted) and found.below(1e-3) == place
                and abs(found.distance(1e-3) - wanted[place]) < 4e-6
                and abs(found.median - np.median(wanted)) < 4e-6)
        tap.check(good, f"distances of unrelated pairs, {metric}", (found, wanted[place]))


def evaluate(build, *arguments):
    return subprocess.run([os.path.join(TOOLS, "evaluate"), "--minisim", f"{build}/minisim", *arguments],
                          capture_output=True, text=True, check=False)


def rows_of(build, paths):
    run = subprocess.run([f"{build}/minisim", "embed", "--weights", WEIGHTS, "--format", "f32", *paths],
                         capture_output=True, check=True)
    return np.frombuffer(run.stdout, "<f4").reshape(len(paths), -1)


def draw(build, folder):
    """The drawn pictures, a folder a class; their paths."""
    subprocess.run([f"{build}/draw", folder], check=True)
    paths = []
    for name in sorted(os.listdir(folder)):
        place = os.path.join(folder, name.split("-")[0])
        os.makedirs(place, exist_ok=True)
        paths.append(os.path.join(place, name))
        os.rename(os.path.join(folder, name), paths[-1])
    return paths


def check_pictures(tap, build, folder, paths):
    rows, classes = rows_of(build, paths), [os.path.dirname(path) for path in paths]
    pairs = np.array([[apart("cosine", a, b) for b in rows] for a in rows])
    np.fill_diagonal(pairs, 9)
    nearest = np.mean([classes[i] == classes[pairs[i].argmin()] for i in range(len(rows))])

    run = evaluate(build, "--json", WEIGHTS, folder)
    report = json.loads(run.stdout or "{}")
    tap.check(report.get("pictures") == 9 and report["classes"] == 3
              and [m["name"] for m in report["methods"]]
              == ["minisim-default", "pHash", "colours", "untrained"], "likeness of pictures", run)
    tap.check(abs(report["methods"][0]["recall"]["1"] - nearest) < 1e-12,
              "the nearest neighbour is that of minisim's embeddings", report)

    run = evaluate(build, "--json", "--teacher", WEIGHTS, WEIGHTS, folder)
    near = {m["name"]: m["cosine_to_teacher"] for m in json.loads(run.stdout)["methods"]}
    tap.check(abs(near["minisim-default"] - 1) < 1e-6 and near["pHash"] is None
              and 0 < near["untrained"] < 0.99, "the mean cosine to a teacher", run)

    run = evaluate(build, "--json", "--copies", WEIGHTS, folder)
    report = json.loads(run.stdout or "{}")
    unlike = [pairs[i, j] for i in range(9) for j in range(i) if classes[i] != classes[j]]
    first = report["methods"][0]
    tap.check(report["unrelated_pairs"] == 27 and abs(
        float(first["facts"]["unrelated-cosine"]) - np.median(unlike)) < 1e-3,
        "distances of unrelated pictures as facts", first["facts"])
    closest = first["rates"][0]
    tap.check(abs(closest["distance"] - min(unlike)) < 1e-5 and closest["pairs_below"] == 0
              and "duplicates-cosine" not in first["facts"],
              "no fact of a rate that the pairs are too few for", first)
    found = {m["name"]: m["rates"][0]["found"] for m in report["methods"]}
    tap.check(found["minisim-default"]["JPEG quality 30"] == 1 and found["pHash"]["grey"] == 1
              and found["colours"]["mirrored"] == 1 and found["colours"]["grey"] < 1,
              "copies are found by what a change leaves alone", found)

    run = evaluate(build, "--copies", WEIGHTS, folder)
    tap.check(run.stdout.count(": not to be told from 27 unrelated pairs") == 2
              and "half size" not in run.stdout and "--fact 'unrelated-cosine=" in run.stdout,
              "no table of a rate that the pairs are too few for", run)


def check_errors(tap, build, folder, paths):
    for what, arguments, status, text in (
            ("no folder", (WEIGHTS, "nowhere"), 1, "nowhere: no such"),
            ("no weights", ("nothing.msw", folder), 3, "nothing.msw: no such"),
            ("weights that are none", (__file__, folder), 3, "minisim: "),
            ("a file for the folder", (folder, WEIGHTS), 2, "FOLDER last"),
            ("a teacher that is not measured", ("--teacher", "x.msw", WEIGHTS, folder), 2, "none of WEIGHTS"),
            ("one class", (WEIGHTS, os.path.dirname(paths[0])), 2, "two classes"),
            ("no program", ("--minisim", "no/minisim", WEIGHTS, folder), 4, "make builds it")):
        run = evaluate(build, *arguments)
        tap.check(run.returncode == status and text in run.stderr and not run.stdout
                  and len(run.stderr.splitlines()) == 1, f"{what}: said in one line", run)


def main():
    tap, build = Tap(), sys.argv[1]
    check_likeness(tap)
    check_unrelated(tap)
    with tempfile.TemporaryDirectory() as folder:
        paths = draw(build, folder)
        check_pictures(tap, build, folder, paths)
        check_errors(tap, build, folder, paths)
    tap.finish()


if __name__ == "__main__":
    main()
