#!/usr/bin/python3
"""The engines that people run find in an exported file what minisim finds in the catalogue.

    check_engines.py BUILD [full]

Ten nearest neighbours of 100 queries: of engines that search exactly the same ones at the same distances, of the
others the share that they find. Faiss and hnswlib are Debian's python3-faiss and python3-hnswlib; annoy, sqlite-vec,
@lancedb/lancedb, and @electric-sql/pglite with @electric-sql/pglite-pgvector (PostgreSQL with pgvector) are npm's,
wherever NODE_PATH names a folder that has them (tools/install_engines makes one). What is not there is left out, and
said. "full" takes vectors of 1280 values, and more of them: what recall it prints is worth something. Prints TAP.
"""
import base64
import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import numpy as np
from exported import Program, names_for, number_of, pictures_like, unquoted, uuid_of
from tap import Tap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODULES = [folder for folder in os.environ.get("NODE_PATH", "").split(":") if folder]
ROWS, COLUMNS = (20000, 1280) if sys.argv[2:] == ["full"] else (2000, 64)
QUERIES = 100
METRICS = "cosine", "euclidean", "dot"


def own(run, metric):
    """What minisim finds: for each query ten of (name, distance or product)."""
    found = []
    for line in run("search", "c.msc", "-k", "10", "--json", "--metric", metric, "--vectors", "q.npy", "--ids",
                    "queries").stdout.splitlines():
        hits = json.loads(line)["hits"]
        found.append([(numbered(hit["path"]), hit[metric]) for hit in hits])
    return found


def numbered(path):
    return path["text"].encode() if "text" in path else base64.b64decode(path["bytes"])


def difference(found, wanted):
    """What is not the same, or None: names may change places where distances are equal but for rounding."""
    for query, (hits, ours) in enumerate(zip(found, wanted, strict=True)):
        if len(hits) != 10:
            return f"query {query}: {len(hits)} hits"
        for (name, distance), (our_name, our_distance) in zip(hits, ours):
            near = abs(distance - our_distance) <= 2e-5 * max(1, abs(our_distance))
            tie = name == our_name or any(other == name and abs(far - our_distance) <= 2e-5 * max(1, abs(far))
                                          for other, far in ours + [(name, distance)])
            if not near or not tie:
                return f"query {query}: {name} at {distance}, not {our_name} at {our_distance}"
    return None


def recall(found, wanted):
    """At 10: of all neighbours, how many are found."""
    same = sum(len({name for name, _ in hits} & {name for name, _ in ours}) for hits, ours in zip(found, wanted))
    return same / sum(len(ours) for ours in wanted)


class Check:
    def __init__(self, tap, run, names, wanted):
        self.tap, self.run, self.names, self.wanted = tap, run, names, wanted
        self.rows = np.load(run / "v.npy")
        self.queries = np.load(run / "q.npy")

    def exact(self, engine, metric, found):
        why = difference(found, self.wanted[metric])
        self.tap.check(why is None, f"{engine}: {metric}, ten of {QUERIES} queries the same", why)

    def nearly(self, engine, parameters, found, least):
        share = recall(found, self.wanted["cosine"])
        print(f"# {engine} ({parameters}): recall at 10 is {share:.3f}")
        self.tap.check(share >= least, f"{engine}: recall at 10", share)

    def of_rows(self, found):
        return [[(self.names[row], distance) for row, distance, *_ in hits] for hits in found]


# ---- engines of Python ----

def faiss(check):
    engine = importlib.import_module("faiss")
    name_of = {number_of(name): name for name in check.names}
    for metric in METRICS:
        unit = ["--normalize"] if metric == "cosine" else []
        check.run("export", "c.msc", "--to", "faiss", "--metric", metric, *unit, "-o", "v.faiss", "--ids-out", "v.ids")
        index = engine.read_index(check.run / "v.faiss")
        queries = check.queries / (np.linalg.norm(check.queries, axis=1, keepdims=True) if unit else 1)
        distances, ids = index.search(queries.astype(np.float32), 10)
        ours = {"cosine": lambda x: 1 - x, "euclidean": np.sqrt, "dot": lambda x: x}[metric](distances.astype(float))
        check.exact("Faiss", metric, [[(name_of[i], d) for i, d in zip(*hits)] for hits in zip(ids, ours)])
        # What Faiss writes of the same rows, byte for byte; and what it has read, it writes again.
        flat = engine.IndexFlatL2(COLUMNS) if metric == "euclidean" else engine.IndexFlatIP(COLUMNS)
        own_index = engine.IndexIDMap(flat)
        check.run("export", "c.msc", "--to", "npy", *unit, "-o", "rows.npy", "--ids-out", "v.ids")
        own_index.add_with_ids(np.load(check.run / "rows.npy"), np.array([number_of(name) for name in check.names]))
        for what, written in ("writes", own_index), ("writes again", index):
            engine.write_index(written, check.run / "own.faiss")
            check.tap.check(check.run.read("own.faiss") == check.run.read("v.faiss"), f"Faiss: {what} the same: {metric}")


def hnswlib(check):
    engine = importlib.import_module("hnswlib")
    index = engine.Index(space="cosine", dim=COLUMNS)
    index.init_index(max_elements=ROWS, M=16, ef_construction=200, random_seed=1)
    index.add_items(check.rows, np.arange(ROWS), num_threads=1)
    index.set_ef(50)
    rows, distances = index.knn_query(check.queries, 10, num_threads=1)
    check.nearly("hnswlib", "M 16, ef_construction 200, ef 50", check.of_rows([zip(*hits) for hits in zip(rows, distances)]),
                 0.95)


def sqlite_vec(check, library):
    database = sqlite3.connect(":memory:")
    database.enable_load_extension(True)
    database.load_extension(library)
    for metric, distance in ("cosine", "vec_distance_cosine"), ("euclidean", "vec_distance_l2"):
        database.execute(f"CREATE VIRTUAL TABLE {metric} USING vec0(vector float[{COLUMNS}] "
                         f"distance_metric={'cosine' if metric == 'cosine' else 'l2'})")
        database.executemany(f"INSERT INTO {metric} (rowid, vector) VALUES (?, ?)",
                             ((row, vector.tobytes()) for row, vector in enumerate(check.rows)))
        found = [database.execute(f"SELECT rowid, distance FROM {metric} WHERE vector MATCH ? AND k = 10 ORDER BY distance",
                                  (query.tobytes(),)).fetchall() for query in check.queries]
        check.exact("sqlite-vec", metric, check.of_rows(found))


# ---- engines of npm ----

def node(check, engine):
    done = subprocess.run(["node", os.path.join(ROOT, "tools", "engines.cjs"), engine, check.run.folder],
                          capture_output=True, timeout=3000)
    if done.returncode:
        check.tap.check(False, f"{engine} runs", done.stderr.decode(errors="replace")[-2000:])
        return {}
    return json.loads(done.stdout)


def annoy(check):
    found = node(check, "annoy")
    if found:
        check.nearly("Annoy", "20 trees, search_k 1,000", check.of_rows(found["cosine"]), 0.95)


def lancedb(check):
    for metric, found in node(check, "lancedb").items():
        found = check.of_rows(found)
        ours = {"cosine": lambda x: x, "euclidean": np.sqrt, "dot": lambda x: 1 - x}[metric]  # it squares, and turns
        found = [[(name, ours(distance)) for name, distance in hits] for hits in found]
        check.exact("LanceDB", metric, found)


def pgvector(check):
    check.run("export", "c.msc", "--to", "pgvector", "-o", "v.sql")
    name_of = {uuid_of(name): name for name in check.names}
    answers = node(check, "pgvector")
    for how, found in answers.items():
        sign = -1 if how == "dot" else 1
        named = [[(name_of[hit[0]], sign * hit[1]) for hit in hits] for hits in found]
        if how == "hnsw":
            check.nearly("pgvector", "HNSW as export makes it: m 16, ef_construction 64; ef_search 40", named, 0.95)
        else:
            check.exact("pgvector", how, named)
    if answers:
        paths = all(unquoted(hit[2].encode()) == name_of[hit[0]] for hits in answers["cosine"] for hit in hits)
        check.tap.check(paths, "pgvector: paths come back")


def in_modules(name):
    """Where npm has put it, or None."""
    return next((os.path.join(folder, name) for folder in MODULES if os.path.exists(os.path.join(folder, name))), None)


def run_engines(check):
    for engine, package, ask in ("faiss", "python3-faiss", faiss), ("hnswlib", "python3-hnswlib", hnswlib):
        if importlib.util.find_spec(engine):
            ask(check)
        else:
            print(f"# left out: {engine} (Debian's {package} is not here)")
    library = in_modules("sqlite-vec-linux-x64/vec0.so")
    if library and hasattr(sqlite3.Connection, "load_extension"):
        sqlite_vec(check, library)
    else:
        print("# left out: sqlite-vec (not in NODE_PATH)")
    for engine, packages, ask in (("annoy", ["annoy"], annoy), ("LanceDB", ["@lancedb/lancedb"], lancedb),
                                  ("pgvector", ["@electric-sql/pglite", "@electric-sql/pglite-pgvector"], pgvector)):
        if shutil.which("node") and all(map(in_modules, packages)):
            ask(check)
        else:
            print(f"# left out: {engine} ({' and '.join(packages)} not in NODE_PATH)")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="minisim-engines-") as folder:
        run = Program(sys.argv[1], folder)
        names, values = names_for(ROWS), pictures_like(ROWS + QUERIES, COLUMNS)
        run.catalogue("c.msc", values[:ROWS], names, "--type", "f16")
        np.save(run / "q.npy", values[ROWS:])
        run.write("queries", b"".join(b"%d\n" % i for i in range(QUERIES)))
        run("export", "c.msc", "--to", "npy", "-o", "v.npy", "--ids-out", "v.ids")
        run_engines(Check(tap, run, names, {metric: own(run, metric) for metric in METRICS}))
    tap.finish()


if __name__ == "__main__":
    main()
