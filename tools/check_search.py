#!/usr/bin/python3
"""Holds `search` against Faiss's flat index, ties aside: tools/check_search.py BUILD [full|speed].

Without python3-faiss (Debian's) the nearest come from NumPy in float64. "full" takes vectors of 1280 values, as
embeddings have; "speed" lets both search the same vectors in turn, one thread each, and says how many times as fast
minisim was: with its catalogue mapped, since Faiss has the vectors in memory, too; and, for information, reading it
anew from the page cache each time.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

for threads in "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS":  # heeded when the libraries are loaded
    os.environ[threads] = "1"

import numpy as np
from tap import Tap

try:
    import faiss
except ImportError:
    faiss = None

BUILD = sys.argv[1]
MODE = sys.argv[2] if len(sys.argv) > 2 else "suite"
ROWS, QUERIES, NEAREST = 20000, 200, 10
BAR = 1.2
ENGINE = f"Faiss {faiss.__version__}" if faiss else "NumPy"


def make(random, dimension):
    """Rows, every eighth of them there twice, and queries, half of them close to a row."""
    rows = random.normal(size=(ROWS, dimension)).astype(np.float32)
    rows[ROWS // 8:ROWS // 4] = rows[:ROWS // 8]
    queries = random.normal(size=(QUERIES, dimension)).astype(np.float32)
    queries[::2] = rows[::ROWS // QUERIES * 2] + .3 * queries[::2]
    return rows, queries


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def index(folder, rows, queries):
    for name, vectors in ("rows", rows), ("queries", queries):
        np.save(f"{folder}/{name}.npy", vectors)
    with open(f"{folder}/rows.txt", "w", encoding="ascii") as names:
        names.writelines(f"{i}\n" for i in range(len(rows)))
    subprocess.run([f"{BUILD}/minisim", "import", f"{folder}/f32.msc", f"{folder}/rows.npy", "--type", "f32", "--ids",
                    f"{folder}/rows.txt"], check=True, stdout=subprocess.DEVNULL)


def search(folder, metric):
    """Ids and values as minisim tells them."""
    lines = subprocess.run([f"{BUILD}/minisim", "search", f"{folder}/f32.msc", "-k", str(NEAREST), "--metric", metric,
                            "--json", "--vectors", f"{folder}/queries.npy"], check=True, capture_output=True).stdout
    hits = [json.loads(line)["hits"] for line in lines.splitlines()]
    return (np.array([[hit["id"] for hit in of_one] for of_one in hits]),
            np.array([[hit[metric] for hit in of_one] for of_one in hits]))


def flat(metric, rows):
    """Faiss's index of these rows."""
    found = (faiss.IndexFlatL2 if metric == "euclidean" else faiss.IndexFlatIP)(rows.shape[1])
    found.add(np.ascontiguousarray(unit(rows) if metric == "cosine" else rows))
    return found


def exact(metric, rows, queries):
    """All values in float64: [queries][rows]."""
    rows, queries = rows.astype(float), queries.astype(float)
    if metric == "euclidean":
        squares = (queries ** 2).sum(1)[:, None] + (rows ** 2).sum(1) - 2 * queries @ rows.T
        return np.sqrt(np.maximum(squares, 0))
    return 1 - unit(queries) @ unit(rows).T if metric == "cosine" else queries @ rows.T


def check(tap, folder, rows, queries):
    for metric in "dot", "euclidean", "cosine":
        values = exact(metric, rows, queries)
        ids, told = search(folder, metric)
        if faiss:
            asked = unit(queries) if metric == "cosine" else queries
            wanted = flat(metric, rows).search(np.ascontiguousarray(asked), NEAREST)[1]
        else:
            wanted = np.argsort(-values if metric == "dot" else values, axis=1, kind="stable")[:, :NEAREST]
        # What float32 cannot tell apart is a tie.
        near = 1e-5 * np.abs(values).max()
        ours, theirs = (np.take_along_axis(values, which, axis=1) for which in (ids, wanted))
        good = (ids.shape == wanted.shape and all(len(set(of_one)) == NEAREST for of_one in ids.tolist()) and
                np.all((ids == wanted) | (np.abs(ours - theirs) <= near)) and np.all(np.abs(told - ours) <= near))
        tap.check(good, f"{metric}: the {NEAREST} nearest of {QUERIES} queries over {ROWS} vectors of "
                        f"{rows.shape[1]} are {ENGINE}'s ({(ids != wanted).sum()} tie)")


class Searcher:
    """search_tool, which stays open, so that nothing but searching is timed."""

    def __init__(self, folder, how):
        self.tool = subprocess.Popen([f"{BUILD}/search_tool", f"{folder}/f32.msc", f"{folder}/queries.npy", how],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self, metric, count):
        print({"euclidean": 2, "dot": 3}[metric], count, 1, file=self.tool.stdin, flush=True)
        return float(self.tool.stdout.readline())


def seconds_of(index_of_all, queries):
    start = time.perf_counter()
    index_of_all.search(queries, NEAREST)
    return time.perf_counter() - start


def compare_speed(tap, folder, rows, queries):
    maps, reads = Searcher(folder, "map"), Searcher(folder, "read")
    for metric in "dot", "euclidean":
        theirs = flat(metric, rows)
        for count in 1, 64:
            turns = [(maps.seconds(metric, count), seconds_of(theirs, queries[:count]), reads.seconds(metric, count))
                     for _ in range(15)]
            ours, other, read = np.median(turns, axis=0) * 1e3
            times = np.median([turn[1] / turn[0] for turn in turns])
            tap.check(times >= BAR, f"{metric}, {count} at once: minisim {ours:.2f} ms, {ENGINE} {other:.2f} ms, "
                                    f"{times:.2f} times as fast; reading, {read:.2f} ms")


def main():
    tap = Tap()
    if not faiss:
        print("# left out: Faiss (python3-faiss is not here); NumPy's float64 instead")
    with tempfile.TemporaryDirectory() as folder:
        rows, queries = make(np.random.default_rng(14), 96 if MODE == "suite" else 1280)
        index(folder, rows, queries)
        if MODE != "speed":
            check(tap, folder, rows, queries)
        elif faiss:
            compare_speed(tap, folder, rows, queries)
    tap.finish()


if __name__ == "__main__":
    main()
