#!/usr/bin/python3
"""Files for engines that cannot run here, held against what their documentation says.

    check_export_formats.py BUILD           the checks, in TAP
    check_export_formats.py FORMAT PATH     whether that file or folder keeps the rules of FORMAT

Each rule has the title of the page that it comes from, as these pages stood in November 2026. First every rule is
tried on a file that breaks it alone, then all on what export writes. Engines that can run: check_engines.py.
"""
import json
import math
import os
import re
import sys
import tempfile

import numpy as np
from exported import Program, names_for, pictures_like, unquoted, uuid_of
from tap import Tap

RULES = {
    "pinecone": {
        "bytes": ("Data ingestion overview", "a request has at most 2 MB"),
        "records": ("Data ingestion overview", "a request has at most 1,000 records"),
        "metadata": ("Data ingestion overview", "a record has at most 40 KB of metadata"),
        "id": ("Data ingestion overview", "an id has at most 512 characters"),
        "dimension": ("Data ingestion overview", "a vector has at most 20,000 values"),
        "zero": ("Limits", "a vector has a value that is not zero"),
        "flat": ("Known limitations", "metadata are texts, numbers, truths or lists of texts: nothing nested, no null"),
        "form": ("Upsert records", "a body has vectors, each with id, values and metadata; or ids to delete"),
    },
    "qdrant": {
        "id": ("Points", "an id is a UUID or a number of 64 bits without sign"),
        "form": ("Batch update points", "a body has operations, each an upsert or a delete of points"),
        "dimension": ("Frequently Asked Questions: General Topics", "a vector has at most 65,535 values"),
        "bytes": ("Configuration (config.yaml: max_request_size_mb)", "a request has at most 32 MB"),
    },
    "milvus": {
        "rows": ("Insert Entities from Files", "the root key is rows, and holds a list"),
        "fields": ("Insert Entities from Files", "a row has all fields of the schema, and no others"),
        "types": ("Insert Entities from Files", "a field's values have the field's type"),
        "bytes": ("Insert Entities from Files (2.2)", "a file has at most 1 GB"),
        "text": ("Milvus Limits", "a text has at most 65,535 bytes"),
        "dimension": ("Milvus Limits", "a vector has at most 32,768 values"),
        "suffix": ("BulkFileType", "a file of JSON ends in .json"),
    },
    "vertex": {
        "place": ("Input data format and structure", "data files lie directly below the folder, and end in .json"),
        "folders": ("Input data format and structure", "there is no folder but delete"),
        "files": ("Input data format and structure", "there are at most 5,000 files"),
        "gzip": ("Input data format and structure", "no file is compressed"),
        "lines": ("Input data format and structure", "a line is a JSON object with id and embedding"),
        "once": ("Input data format and structure", "an id stands in one record of a batch"),
        "either": ("Input data format and structure", "an id is not both a record and deleted"),
        "delete": ("Input data format and structure", "files of delete have an id a line"),
        "restricts": ("Input data format and structure", "a restrict has a namespace and allow or deny, lists of texts"),
        "dimension": ("Input data format and structure", "all vectors have as many values"),
    },
    "scann": {
        "type": ("ScaNN Demo with GloVe Dataset", "the rows are an array of two dimensions of float32"),
        "unit": ("ScaNN Demo with GloVe Dataset", "rows have length 1: dot_product then is the cosine"),
    },
}


def is_vector(values):
    return isinstance(values, list) and values and all(type(x) in (int, float) and math.isfinite(x) for x in values)


# ---- a function a format: which of its rules are broken ----

def pinecone(path):
    broken = set()
    with open(path, "rb") as file:
        for line in file:
            if len(line) > 2_000_000:
                broken.add("bytes")
            broken |= pinecone_body(json.loads(line))
    return broken


def pinecone_body(body):
    if set(body) == {"ids"}:
        return {"records"} if len(body["ids"]) > 1000 else set()
    if set(body) != {"vectors"}:
        return {"form"}
    broken = {"records"} if len(body["vectors"]) > 1000 else set()
    for record in body["vectors"]:
        if set(record) != {"id", "values", "metadata"} or not is_vector(record["values"]):
            broken.add("form")
            continue
        tests = {
            "id": 0 < len(record["id"]) <= 512,
            "dimension": len(record["values"]) <= 20_000,
            "zero": any(record["values"]),
            "metadata": len(json.dumps(record["metadata"], ensure_ascii=False).encode()) <= 40_000,
            "flat": all(isinstance(value, (str, int, float)) or isinstance(value, list) and
                        all(isinstance(one, str) for one in value) for value in record["metadata"].values()),
        }
        broken |= {rule for rule, kept in tests.items() if not kept}
    return broken


def is_point_id(one):
    return type(one) is int and 0 <= one < 1 << 64 or isinstance(one, str) and re.fullmatch(
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one)


def qdrant(path):
    broken = set()
    with open(path, "rb") as file:
        for line in file:
            if len(line) > 32 << 20:
                broken.add("bytes")
            body = json.loads(line)
            if set(body) != {"operations"}:
                broken.add("form")
                continue
            for operation in body["operations"]:
                broken |= qdrant_operation(operation)
    return broken


def qdrant_operation(operation):
    (kind, content), = operation.items()
    if kind not in ("upsert", "delete") or set(content) != {"points"}:
        return {"form"}
    if kind == "delete":
        return set() if all(map(is_point_id, content["points"])) else {"id"}
    broken = set()
    for point in content["points"]:
        if not {"id", "vector"} <= set(point) <= {"id", "vector", "payload"} or not is_vector(point["vector"]):
            broken.add("form")
        elif not is_point_id(point["id"]):
            broken.add("id")
        elif len(point["vector"]) > 65_535:
            broken.add("dimension")
    return broken


def milvus(path):
    broken = set()
    for name in os.listdir(path):
        if not name.endswith(".json"):
            broken.add("suffix")
        if os.path.getsize(os.path.join(path, name)) > 1_000_000_000:
            broken.add("bytes")
            continue
        with open(os.path.join(path, name), encoding="utf-8") as file:
            content = json.load(file)
        if not isinstance(content, dict) or set(content) != {"rows"} or not isinstance(content["rows"], list):
            broken.add("rows")
            continue
        for row in content["rows"]:
            broken |= milvus_row(row)
    return broken


def milvus_row(row):
    if set(row) != {"id", "path", "label", "vector"}:
        return {"fields"}
    texts = row["id"], row["path"], row["label"]
    if not is_vector(row["vector"]) or not all(isinstance(text, str) for text in texts):
        return {"types"}
    tests = {"text": all(len(text.encode()) <= 65_535 for text in texts), "dimension": len(row["vector"]) <= 32_768}
    return {rule for rule, kept in tests.items() if not kept}


def vertex(path):
    broken, seen, sizes = set(), [], set()
    entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    files = [entry for entry in entries if entry.is_file()]
    if any(entry.is_dir() and entry.name != "delete" for entry in entries):
        broken.add("folders")
    if len(files) > 5000:
        broken.add("files")
    for entry in files:
        if not entry.name.endswith(".json"):
            broken.add("place")
            continue
        with open(entry, "rb") as file:
            content = file.read()
        if content.startswith(b"\x1f\x8b"):
            broken.add("gzip")
            continue
        for line in content.decode().splitlines():
            broken |= vertex_record(line, seen, sizes)
    deleted = []
    for name in os.listdir(os.path.join(path, "delete")) if os.path.isdir(os.path.join(path, "delete")) else []:
        with open(os.path.join(path, "delete", name), encoding="utf-8") as file:
            deleted += file.read().splitlines()
    if any(not one or one != one.strip() or one.startswith("{") for one in deleted):
        broken.add("delete")
    if len(set(seen)) < len(seen):
        broken.add("once")
    if set(seen) & set(deleted):
        broken.add("either")
    if len(sizes) > 1:
        broken.add("dimension")
    return broken


def vertex_record(line, seen, sizes):
    try:
        record = json.loads(line)
    except ValueError:
        return {"lines"}
    if not isinstance(record, dict) or not isinstance(record.get("id"), str) or not is_vector(record.get("embedding")):
        return {"lines"}
    seen.append(record["id"])
    sizes.add(len(record["embedding"]))
    for restrict in record.get("restricts", []):
        lists = [restrict[key] for key in ("allow", "deny") if key in restrict]
        if (not isinstance(restrict.get("namespace"), str) or not lists or
                not all(isinstance(one, str) for texts in lists for one in texts)):
            return {"restricts"}
    return set()


def scann(path):
    rows = np.load(path)
    if rows.ndim != 2 or rows.dtype != np.float32:
        return {"type"}
    return {"unit"} if abs(np.linalg.norm(rows.astype(float), axis=1) - 1).max() > 1e-5 else set()


CHECKERS = {"pinecone": pinecone, "qdrant": qdrant, "milvus": milvus, "vertex": vertex, "scann": scann}


# ---- a file for each rule that breaks it, and no other ----

UUID = "0123abcd-0000-8000-8000-0123456789ab"


def pinecone_record(**changes):
    return {"id": UUID, "values": [1, 0.5], "metadata": {"path": "/a.jpg"}, **changes}


def qdrant_point(**changes):
    return {"operations": [{"upsert": {"points": [{"id": UUID, "vector": [1, 0.5], "payload": {"path": "/a"}, **changes}]}}]}


def milvus_file(**changes):
    row = {"id": UUID, "path": "/a.jpg", "label": "", "vector": [1, 0.5], **changes}
    return {"1.json": json.dumps({"rows": [{key: value for key, value in row.items() if value is not None}]})}


def vertex_line(**changes):
    return json.dumps({"id": UUID, "embedding": [1, 0.5], **changes}) + "\n"


def sparse(size):
    """A file of so many bytes, of which the disk holds none: for a check that looks at sizes."""
    return lambda path: os.truncate(os.open(path, os.O_WRONLY | os.O_CREAT), size)


GOOD = {
    "pinecone": [{"vectors": [pinecone_record()]}, {"ids": [UUID]}],
    "qdrant": [qdrant_point(), {"operations": [{"delete": {"points": [UUID, 7]}}]}],
    "milvus": milvus_file(),
    "vertex": {"1.json": vertex_line(restricts=[{"namespace": "label", "allow": ["cat"]}]), "delete/ids.txt": "other\n"},
    "scann": np.eye(3, dtype=np.float32),
}
BAD = {
    "pinecone": {
        "bytes": [{"vectors": [pinecone_record(id=str(i), values=[0.123456] * 300) for i in range(900)]}],
        "records": [{"ids": ["x"] * 1001}],
        "metadata": [{"vectors": [pinecone_record(metadata={"path": "x" * 40000})]}],
        "id": [{"vectors": [pinecone_record(id="x" * 513)]}],
        "dimension": [{"vectors": [pinecone_record(values=[1] * 20001)]}],
        "zero": [{"vectors": [pinecone_record(values=[0, 0])]}],
        "flat": [{"vectors": [pinecone_record(metadata={"path": {"text": "/a.jpg"}})]}],
        "form": [{"vectors": [{"id": UUID, "vector": [1]}]}],
    },
    "qdrant": {
        "id": [qdrant_point(id="/a.jpg")],
        "form": [{"operations": [{"insert": {"points": []}}]}],
        "dimension": [qdrant_point(vector=[1] * 65536)],
        "bytes": [qdrant_point(payload={"path": "x" * (32 << 20)})],
    },
    "milvus": {
        "rows": {"1.json": "[]"},
        "fields": milvus_file(label=None),
        "types": milvus_file(vector="[1, 0.5]"),
        "bytes": {"1.json": sparse(1_000_000_001)},
        "text": milvus_file(path="x" * 65536),
        "dimension": milvus_file(vector=[1] * 32769),
        "suffix": {"rows.txt": milvus_file()["1.json"]},
    },
    "vertex": {
        "place": {"1.jsonl": vertex_line()},
        "folders": {"1.json": vertex_line(), "more/1.json": vertex_line()},
        "files": {f"{i}.json": "" for i in range(5001)},
        "gzip": {"1.json": b"\x1f\x8b\x08\0"},
        "lines": {"1.json": "[" + vertex_line() + "]"},
        "once": {"1.json": vertex_line(), "2.json": vertex_line()},
        "either": {"1.json": vertex_line(), "delete/ids.txt": UUID + "\n"},
        "delete": {"1.json": vertex_line(), "delete/ids.json": '{"id":"x"}\n'},
        "restricts": {"1.json": vertex_line(restricts=[{"label": ["cat"]}])},
        "dimension": {"1.json": vertex_line() + vertex_line(id="x", embedding=[1])},
    },
    "scann": {"type": np.eye(3), "unit": 2 * np.eye(3, dtype=np.float32)},
}


def make(path, content):
    """A file of rows or of lines of JSON, or a folder of files."""
    if isinstance(content, np.ndarray):
        with open(path, "wb") as file:
            np.save(file, content)
    elif isinstance(content, list):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(body) + "\n" for body in content)
    else:
        for name, inside in content.items():
            os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
            if callable(inside):
                inside(os.path.join(path, name))
                continue
            with open(os.path.join(path, name), "wb") as file:
                file.write(inside if isinstance(inside, bytes) else inside.encode())


def check_rules(tap, folder):
    for form, checker in CHECKERS.items():
        make(path := os.path.join(folder, form), GOOD[form])
        tap.check(checker(path) == set(), f"{form}: what is right is")
        tap.check(set(BAD[form]) == set(RULES[form]), f"{form}: every rule is tried")
        for rule, content in BAD[form].items():
            make(path := os.path.join(folder, f"{form}-{rule}"), content)
            tap.check(checker(path) == {rule}, f"{form}: {RULES[form][rule][1]}", checker(path))


# ---- what export writes ----

def rows_of(form, path):
    """{id: (name, values)} of all rows."""
    if form in ("pinecone", "qdrant"):
        bodies = [json.loads(line) for line in open(path, encoding="utf-8")]
        if form == "pinecone":
            return {r["id"]: (r["metadata"]["path"], r["values"]) for body in bodies for r in body.get("vectors", [])}
        points = [p for body in bodies for o in body["operations"] for p in o.get("upsert", {"points": []})["points"]]
        return {p["id"]: (p["payload"]["path"], p["vector"]) for p in points}
    files = [os.path.join(path, name) for name in os.listdir(path) if name.endswith(".json")]
    if form == "milvus":
        return {r["id"]: (r["path"], r["vector"]) for f in files for r in json.load(open(f, encoding="utf-8"))["rows"]}
    return {r["id"]: (None, r["embedding"]) for f in files for r in map(json.loads, open(f, encoding="utf-8"))}


def check_exports(tap, run):
    # Names as long as they may be, and each of their bytes as long as it can get in JSON.
    names = [*names_for(2500), b"/" + b"\xff" * 4095, b"/" + b"\x01" * 4095]
    values = pictures_like(len(names), 48)
    run.catalogue("c", values, names, "--type", "f16")
    run.write("had", b"".join(name + b"\0" for name in [*names[:5], *(b"gone%d" % i for i in range(2100))]))
    for form in "pinecone", "qdrant", "milvus", "vertex":
        run("export", "c", "--to", form, "-o", form, "--ids-out", "ids")
        run("export", "c", "--to", form, "-o", form + "-new", "-0", "--previous", "had", "--ids-out", "ids")
        for path in form, form + "-new":
            tap.check(CHECKERS[form](run / path) == set(), f"export keeps the rules: {path}", CHECKERS[form](run / path))
        rows = rows_of(form, run / form)
        good = len(rows) == len(names)
        for name, wanted in zip(names, values):
            text, found = rows[uuid_of(name)]
            good = good and np.array_equal(np.array(found, np.float32), wanted)
            good = good and (text is None or unquoted(text.encode()) == name)
        tap.check(good, f"every row, name and value: {form}")
    run("export", "c", "--to", "npy", "--normalize", "-o", "scann", "--ids-out", "ids")
    tap.check(scann(run / "scann") == set(), "export keeps the rules: ScaNN's array")
    # Vectors so long that bytes cut, not records.
    run.catalogue("long", pictures_like(200, 5000), names_for(200), "--type", "f16")
    for form, most in ("pinecone", 2_000_000), ("qdrant", 32 << 20):
        run("export", "long", "--to", form, "-o", "long-" + form)
        sizes = [len(line) for line in open(run / ("long-" + form), "rb")]
        tap.check(CHECKERS[form](run / ("long-" + form)) == set() and max(sizes) <= most, f"cut by bytes: {form}", sizes)
        tap.check(form == "qdrant" or 2 < len(sizes) < 10 and min(sizes[:-1]) > 1_900_000, f"requests are full: {form}", sizes)


def main():
    if len(sys.argv) == 3:
        form, path = sys.argv[1:]
        broken = CHECKERS[form](path)
        for rule in sorted(broken):
            title, says = RULES[form][rule]
            print(f"{path}: not so: {says} ({title})")
        sys.exit(bool(broken))
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="minisim-formats-") as folder:
        check_rules(tap, folder)
        os.mkdir(own := os.path.join(folder, "exports"))
        check_exports(tap, Program(sys.argv[1], own))
    tap.finish()


if __name__ == "__main__":
    main()
