#!/usr/bin/python3
"""Holds `duplicates` against SciPy and against brute force: tools/check_duplicates.py BUILD.

Distances come from `compare --matrix`, of the same f32 vectors: groups then have to agree exactly.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from scipy.cluster import hierarchy
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

from tap import Tap

BUILD = sys.argv[1]


def run(*words):
    done = subprocess.run([f"{BUILD}/minisim", *words], capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words}: {done.returncode} {done.stderr.decode()}")
    return json.loads(done.stdout) if "--json" in words else done.stdout


def index(folder, name, rows, kind="f32"):
    """A catalogue of rows, called by their numbers."""
    path = os.path.join(folder, name)
    np.save(path + ".npy", rows)
    with open(path + ".txt", "w", encoding="ascii") as names:
        names.writelines(f"{i}\n" for i in range(len(rows)))
    run("import", path, path + ".npy", "--type", kind, "--ids", path + ".txt")
    return path


def distances(folder, rows, metric):
    """The program's own, of all pairs."""
    np.save(os.path.join(folder, "all.npy"), rows)
    report = run("compare", "--matrix", "--json", "--metric", metric, "--vectors",
                 os.path.join(folder, "all.npy"))
    matrix = np.zeros((len(rows), len(rows)))
    for row in report["distances"]:
        a, b = row["a"]["row"], row["b"]["row"]
        matrix[a, b] = matrix[b, a] = row[metric]
    return matrix


def groups_of(report):
    return [sorted(member["id"] for member in group["members"]) for group in report["groups"]]


def listed(labels):
    """Groups of at least two, by their first member."""
    groups = {}
    for item, label in enumerate(labels):
        groups.setdefault(label, []).append(item)
    return sorted(group for group in groups.values() if len(group) > 1)


def complete_by_brute_force(matrix, limit):
    """Each time, the two groups whose farthest members are closest; of equals, the two whose last
    pair comes first in the order of (distance, a, b)."""
    pairs = sorted((matrix[a, b], a, b) for a, b in itertools.combinations(range(len(matrix)), 2))
    rank = {(a, b): place for place, (_, a, b) in enumerate(pairs)}
    groups = [[i] for i in range(len(matrix))]
    while True:
        best = None
        for x, y in itertools.combinations(range(len(groups)), 2):
            last = max(rank[min(a, b), max(a, b)] for a in groups[x] for b in groups[y])
            if pairs[last][0] <= limit and (best is None or last < best[0]):
                best = (last, x, y)
        if best is None:
            return sorted(sorted(group) for group in groups if len(group) > 1)
        groups[best[1]] += groups.pop(best[2])


def clustered(random, count, dimension, spread):
    """Clumps of all sizes, with bridges between them."""
    centres = random.normal(size=(count // 6 + 1, dimension))
    return (centres[random.integers(0, len(centres), count)] +
            spread * random.normal(size=(count, dimension))).astype(np.float32)


def check_scipy(tap, folder, random):
    for metric, count, dimension, spread in (("cosine", 500, 24, .25), ("euclidean", 600, 6, .4),
                                             ("cosine", 40, 1280, .5), ("euclidean", 700, 3, .3)):
        rows = clustered(random, count, dimension, spread)
        matrix = distances(folder, rows, metric)
        path = index(folder, f"{metric}{count}.msc", rows)
        for linkage, quantile in itertools.product(("complete", "single"), (.002, .02, .2)):
            limit = float(np.quantile(squareform(matrix), quantile))
            if linkage == "complete":
                tree = hierarchy.linkage(squareform(matrix), "complete")
                wanted = listed(hierarchy.fcluster(tree, limit, "distance"))
            else:
                wanted = listed(connected_components(matrix <= limit, directed=False)[1])
            report = run("duplicates", path, "--json", "--linkage", linkage, "--metric", metric,
                         "--max-distance", repr(limit))
            largest = [matrix[np.ix_(group, group)].max() for group in groups_of(report)]
            good = (groups_of(report) == wanted and
                    largest == [group["largest"] for group in report["groups"]])
            tap.check(good, f"{count} rows, {metric}, {linkage} linkage, quantile {quantile}: "
                            f"{len(wanted)} groups are SciPy's")


def check_ties(tap, folder, random):
    """Points on a grid: most distances are equal to others."""
    for trial in range(12):
        rows = random.integers(0, 4, size=(24, 2)).astype(np.float32)
        matrix = distances(folder, rows, "euclidean")
        path = index(folder, f"ties{trial}.msc", rows)
        for limit in (0, 1, 1.5, 2.5):
            wanted = complete_by_brute_force(matrix, limit)
            answers = [run("duplicates", path, "--json", "--metric", "euclidean", "--max-distance",
                           str(limit), "--threads", threads) for threads in ("1", "3")]
            tap.check(groups_of(answers[0]) == wanted and answers[0] == answers[1],
                      f"ties, grid {trial}, distance {limit}", f"{groups_of(answers[0])}\n{wanted}")


def check_against(tap, folder, random):
    for kind in ("f32", "f16", "i8"):
        rows = clustered(random, 1200, 20, .1)
        one = index(folder, f"one-{kind}.msc", rows[:700], kind)
        two = index(folder, f"two-{kind}.msc", rows[700:], kind)
        whole = index(folder, f"whole-{kind}.msc", rows, kind)
        limit = .02
        report = run("duplicates", one, "--against", two, "--json", "--max-distance", str(limit))
        found = {(group["members"][0]["id"], member["id"] + 700)
                 for group in report["groups"] for member in group["members"][1:]}
        close = set()
        searched = subprocess.run(
            [f"{BUILD}/minisim", "search", whole, "-k", "1200", "--max-distance", str(limit),
             "--json", "--vectors", one + ".npy"], capture_output=True, check=True).stdout
        for query, line in enumerate(searched.splitlines()):
            close |= {(query, hit["id"]) for hit in json.loads(line)["hits"] if hit["id"] >= 700}
        tap.check(found == close and len(close) > 50, f"against, {kind}: {len(close)} leaks are "
                                                      "what search finds")


def check_dot(tap, folder, random):
    rows = clustered(random, 300, 8, .2)
    path = index(folder, "dot.msc", rows)
    products = rows.astype(float) @ rows.astype(float).T
    limit = float(np.quantile(products, .99))
    wanted = listed(connected_components(products >= limit, directed=False)[1])
    report = run("duplicates", path, "--json", "--linkage", "single", "--metric", "dot",
                 "--min-score", repr(limit))
    smallest = [products[np.ix_(group, group)][np.triu_indices(len(group), 1)].min()
                for group in groups_of(report)]
    tap.check(groups_of(report) == wanted and
              np.allclose(smallest, [group["smallest"] for group in report["groups"]], 1e-5),
              f"dot products: {len(wanted)} groups, the smallest product of each")


def check_sketches(tap, folder, random):
    """Many rows, whose sketches meet first by cosine, and never by euclidean distance: of rows of length 1 the groups
    are the same, where no distance is near the limit."""
    few = random.normal(size=(40, 256))
    rows, others = (random.normal(size=(8500, 40)) @ few for _ in range(2))
    for near, far in (rows[:8496:9], rows[4:8500:9]), (others[:8496:9], rows[:8496:9]):
        near[:] = far + .3 * random.normal(size=near.shape)
    rows, others = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (rows, others))
    one, two = index(folder, "many.msc", rows, "i8"), index(folder, "others.msc", others, "i8")
    for words, count in ([one], 944), ([one, "--against", two], 944):
        near, same = (groups_of(run("duplicates", *words, "--json", "--metric", metric, "--max-distance", limit))
                      for metric, limit in (("cosine", ".08"), ("euclidean", ".4")))
        tap.check(near == same and len(near) >= count, f"8500 rows, {len(words)} words: {len(near)} groups, with "
                                                       "sketches and without")


def main():
    tap = Tap()
    random = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        check_scipy(tap, folder, random)
        check_ties(tap, folder, random)
        check_against(tap, folder, random)
        check_dot(tap, folder, random)
        check_sketches(tap, folder, random)
    tap.finish()


if __name__ == "__main__":
    main()
