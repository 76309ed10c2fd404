#!/usr/bin/python3
"""Holds `compare --vectors` against SciPy: tools/check_distance.py BUILD."""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from scipy.spatial import distance

from tap import Tap

THEIRS = {"cosine": distance.cosine, "euclidean": distance.euclidean, "dot": np.dot}


def main():
    tap = Tap()
    random = np.random.default_rng(7)
    cases = {"classic": np.array([[.1, .1, .2], [.2, .12, .2], [.8, .6, .6]], np.float32)}
    for dimension in (1, 2, 15, 16, 17, 1280, 1792):
        cases[f"random, {dimension} values"] = random.random((4, dimension), np.float32) * 6
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "vectors.npy")
        for what, rows in cases.items():
            np.save(path, rows)
            for metric, theirs in THEIRS.items():
                run = subprocess.run([f"{sys.argv[1]}/minisim", "compare", "--vectors", path,
                                      "--metric", metric, "--json"], capture_output=True,
                                     check=False)
                report = json.loads(run.stdout or "{}")
                got = [row[metric] for row in report.get("distances", [])]
                expected = [float(theirs(rows[0].astype(float), row.astype(float)))
                            for row in rows[1:]]
                good = len(got) == len(expected) and np.allclose(got, expected, 2e-6, 2e-7)
                tap.check(good, f"{what}: {metric} is SciPy's", f"{got} {expected} {run.stderr}")
    tap.finish()


if __name__ == "__main__":
    main()
