#!/usr/bin/python3
"""export and import by themselves: the same bytes there and back, only what is new, nothing half-done, files that lie.

    check_exchange.py BUILD [KILLS]

An export to each format is killed at KILLS random instants, 6 unless told. What other engines make of the files,
check_engines.py and check_export_formats.py look at. Prints TAP.
"""
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
from exported import Program, names_for, number_of, pictures_like, unquoted, uuid_of
from tap import Tap

FILES = {"npy": [], "csv": [], "fvecs": [], "faiss": ["--metric", "euclidean"], "pgvector": [], "qdrant": [],
         "pinecone": []}
FOLDERS = ["milvus", "vertex"]
READ_AGAIN = ["npy", "fvecs", "faiss"]


def content(path):
    """Of a file or folder: {name: bytes}."""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return {"": file.read()}
    return {os.path.relpath(os.path.join(at, name), path): open(os.path.join(at, name), "rb").read()
            for at, _, names in os.walk(path) for name in names}


def export(run, catalogue, form, output, *more, ids="ids", **keywords):
    return run("export", catalogue, "--to", form, "-o", output, "--ids-out", ids, *FILES.get(form, []), *more, **keywords)


# ---- there and back ----

def check_round_trip(tap, run, values, names):
    for kind in "f32", "f16", "i8":
        run.catalogue(kind, values, names, "--type", kind)
        for form in READ_AGAIN:
            export(run, kind, form, "a", "-0")
            run("import", f"{kind}-{form}", "a", "--type", "f32", "-0", "--ids", "ids")
            export(run, f"{kind}-{form}", form, "b", "-0", ids="ids2")
            tap.check(run.read("a") == run.read("b") and run.read("ids") == run.read("ids2")
                      == b"".join(name + b"\0" for name in names), f"export, import, export: {form} of {kind}")
        if kind != "i8":
            tap.check(np.array_equal(np.load(run / "given.npy"), values), "what was given is what comes out")
    # An index brings names of its own, which are its ids.
    run("import", "numbers", "a", "--type", "f32")
    export(run, "numbers", "faiss", "b")
    listed = run("list", "numbers").stdout.split()
    tap.check(run.read("a") == run.read("b") and listed == [b"%d" % number_of(name) for name in names],
              "a Faiss index without a list keeps its ids")
    again = run("import", "numbers", "a").stdout
    tap.check(again == b"numbers: %d records, %d unchanged\n" % (len(names), len(names)), "imported again", again)
    said = run("import", "none", "given.npy", status=1).stderr
    tap.check(b"--ids FILE" in said and not os.path.exists(run / "none"), "rows without names are refused", said)
    run.write("short", b"one\n")
    run("import", "none", "given.npy", "--ids", "short", status=1)
    tap.check(not os.path.exists(run / "none"), "too few names are refused")


# ---- names and ids ----

def check_names(tap, run, names):
    export(run, "f32", "csv", "a", ids="listed")
    lines = run.read("listed").splitlines()
    tap.check([unquoted(line) for line in lines] == names, "a list holds any name")
    export(run, "f32", "pgvector", "a")
    rows = run.read("a").decode().split("\n")
    rows = [row.split("\t") for row in rows[rows.index("COPY minisim_new (id, path, label, embedding) FROM STDIN;") + 1:]]
    rows = rows[:rows.index(["\\."])]
    written = [unquoted(row[1].replace("\\\\", "\\").encode()) for row in rows]
    tap.check(written == names and [row[0] for row in rows] == [uuid_of(name) for name in names],
              "names and ids in SQL")


def check_normalize(tap, run, values):
    export(run, "f32", "npy", "a", "--normalize")
    lengths = np.linalg.norm(np.load(run / "a").astype(np.float64), axis=1)
    tap.check(abs(lengths - 1).max() < 1e-6, "--normalize", lengths)
    said = run("export", "f32", "--to", "faiss", "-o", "n", "--ids-out", "ids", status=1).stderr
    tap.check(b"add --normalize" in said and not os.path.exists(run / "n"), "Faiss: cosine wants length 1", said)
    run.catalogue("zero", np.vstack([values[:3], 0 * values[:1]]), [b"1", b"2", b"3", b"nothing"])
    for form, more in ("npy", ["--normalize"]), ("pinecone", []):
        said = export(run, "zero", form, "n", *more, status=1, ids="n.ids").stderr
        tap.check(b"minisim: nothing: " in said and not os.path.exists(run / "n") and not os.path.exists(run / "n.ids"),
                  f"a vector of zeros: {form}", said)


# ---- only what is new ----

def check_previous(tap, run, names):
    run.catalogue("p", pictures_like(len(names), 8), names)
    had, gone = names[:30], [b"\xfegone", b"it is\ngone"]
    run.write("had", b"".join(name + b"\0" for name in [*had, *had[:3], *gone]))
    for form in [*FILES, *FOLDERS]:
        said = export(run, "p", form, "new-" + form, "-0", "--previous", "had", ids="new").stdout
        new = run.read("new").split(b"\0")[:-1]
        tap.check(said == b"".join(name + b"\0" for name in gone) and new == names[30:],
                  f"--previous: {form}", (said, new[:3]))
        if form in ("pgvector", "qdrant", "pinecone", "vertex"):
            files = content(run / ("new-" + form))
            everything = b"".join(files.values()).decode()
            told = all(everything.count(uuid_of(name)) == 1 for name in [*gone, *names[30:]])
            tap.check(told and not any(uuid_of(name) in everything for name in had), f"what is gone is told: {form}")
    tap.check(np.load(run / "new-npy").shape[0] == len(names) - 30, "as many rows as it says")
    run.write("all", b"".join(name + b"\0" for name in names))
    for form in [*FILES, *FOLDERS]:
        export(run, "p", form, "none-" + form, "-0", "--previous", "all")
    tap.check(run.read("none-qdrant") == b"" and content(run / "none-vertex") == {}, "nothing is new")


# ---- nothing half-done ----

def left_behind(run):
    return [name for name in os.listdir(run.folder) if name.startswith(".minisim-")]


def check_usage(tap, run):
    for words in (["--to", "npy", "-o", "x"], ["--to", "csv"], ["-o", "x"], ["--to", "cvs", "-o", "x"],
                  ["--to", "csv", "-o", "p"], ["--to", "csv", "-o", "x", "--ids-out", "./x"],
                  ["--to", "csv", "-o", "x", "--metric", "dot"], ["--to", "milvus", "-o", "-"],
                  ["--to", "csv", "-o", "had", "--previous", "had"], ["--to", "csv", "-o", "-", "--previous", "had"],
                  ["--to", "csv", "-o", "x", "--null"]):
        run("export", "p", *words, status=2)
    os.mkdir(run / "there")
    run("export", "p", "--to", "milvus", "-o", "there", status=4)
    run("export", "nowhere", "--to", "csv", "-o", "x", status=3)
    run("export", "p", "--to", "csv", "-o", "nowhere/x", status=4)
    run("export", "p", "--to", "milvus", "-o", "nowhere/x", status=4)
    run("export", "p", "--to", "csv", "-o", "x", "--previous", "nowhere", status=1)
    tap.check(not os.path.exists(run / "x") and not os.listdir(run / "there") and not left_behind(run), "wrong usage")


def check_cut_off(tap, run):
    """Killed at any instant, or told to stop: the whole of it stands there, or nothing."""
    run.catalogue("large", pictures_like(6000, 32), names_for(6000))
    chance, kills = random.Random(3), int(sys.argv[2]) if sys.argv[2:] else 6
    for form in [*FILES, *FOLDERS]:
        output, wrong, cut = run / ("cut-" + form), [], 0
        started = time.monotonic()
        export(run, "large", form, "whole-" + form)
        took = time.monotonic() - started
        for number in [signal.SIGKILL, signal.SIGTERM] * (kills // 2):
            victim = subprocess.Popen([run.path, "export", "large", "--to", form, "-o", output, "--ids-out", output + ".ids",
                                       *FILES.get(form, [])], cwd=run.folder, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, took))
            victim.send_signal(number)
            status = victim.wait()
            cut += status != 0
            if os.path.exists(output):
                if content(output) != content(run / ("whole-" + form)):
                    wrong.append(status)
                run_over(output)
            elif status == 0 or status == 130 and left_behind(run):
                wrong.append(status)
            for name in left_behind(run):
                run_over(run / name)
        tap.check(not wrong and cut, f"cut off {cut} times: {form}", wrong)


def run_over(path):
    subprocess.run(["rm", "-rf", path], check=True)


def check_full(tap, run):
    """A disk that fills up (/dev/full is none, so a small one is mounted), where that may be done."""
    disk = run / "disk"
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], stderr=subprocess.DEVNULL).returncode:
        print("# left out: a disk that fills up (no file system can be mounted here)")
        return
    try:
        for form in [*FILES, *FOLDERS]:
            said = export(run, "large", form, "disk/x", ids="full.ids", status=4).stderr
            tap.check(said == b"minisim: disk/x: No space left on device\n" and not os.listdir(disk)
                      and not os.path.exists(run / "full.ids"), f"a full disk: {form}", (said, os.listdir(disk)))
        if "thread" in os.environ.get("SANITIZE", ""):
            print("# left out: a full disk of temporary files (ThreadSanitizer wants one itself)")
            return
        environment = {**os.environ, "TMPDIR": disk}
        open(os.path.join(disk, "filler"), "wb").write(bytes(280000))
        said = export(run, "large", "faiss", "x", env=environment, status=4).stderr
        tap.check(b"a temporary file failed: No space left on device" in said and not os.path.exists(run / "x"),
                  "a full disk of temporary files", said)
    finally:
        subprocess.run(["umount", disk], check=True)


# ---- files that lie ----

def check_hostile(tap, run):
    values = pictures_like(20, 8)
    run.catalogue("h", values, names_for(20))
    chance, wrong = random.Random(5), []
    run.write("names", b"".join(b"%d\0" % i for i in range(20)))
    for form in "fvecs", "faiss":
        export(run, "h", form, "whole")
        whole = run.read("whole")
        lies = [whole[:size] for size in (0, 1, 4, 8, 50, len(whole) - 1, len(whole) - 8)]
        lies += [whole + bytes(4), whole[:4] + struct.pack("<i", -1) + whole[8:], struct.pack("<i", -36) + whole[4:],
                 whole[:4] + struct.pack("<iq", 1 << 30, 1 << 60) + whole[16:]]
        for _ in range(100):
            at = chance.randrange(100)
            lies.append(whole[:at] + bytes([chance.randrange(256)]) + whole[at + 1:])
        for lie in lies:
            run.write("lie", lie)
            run_over(run / "lie.msc")
            done = subprocess.run([run.path, "import", "lie.msc", "lie", "-0", "--ids", "names"], cwd=run.folder,
                                  capture_output=True, timeout=20)
            if done.returncode not in (0, 1, 4) or (done.returncode and not done.stderr.startswith(b"minisim: ")):
                wrong.append((lie[:64], done.returncode, done.stderr[-2000:]))
            if done.returncode == 4 and b"no memory" not in done.stderr:
                wrong.append((lie[:64], done.stderr))
        tap.check(not wrong, f"a damaged {form} is read as it stands, or refused", wrong)
    run.write("lie", np.array([8], "<i4").tobytes() + np.array([np.nan] * 8, "<f4").tobytes())
    run.write("one", b"x\n")
    said = run("import", "lie.msc", "lie", "--ids", "one", status=1).stderr
    tap.check(b"row 0 (from 0): column 0 (from 0) is no finite number" in said, "a value that is none", said)
    run.write("lie", np.array([1, 0, 2, 0], "<i4").tobytes())
    run.write("two", b"x\ny\n")
    said = run("import", "lie.msc", "lie", "--ids", "two", status=1).stderr
    tap.check(b"row 1 (from 0): it does not begin as the first one does" in said, "fvecs of several lengths", said)
    run.write("lie", b"neither of them")
    said = run("import", "lie.msc", "lie", "--ids", "two", status=1).stderr
    tap.check(b"neither a NumPy file (.npy), nor fvecs, nor a Faiss index" in said, "any other file", said)


def check_magic(tap, run):
    """fvecs of 147 values begin as NumPy's files do."""
    run.write("rows", np.c_[np.full(3, 147, "<i4").view("<f4"), pictures_like(3, 147)].astype("<f4").tobytes())
    run.write("three", b"x\ny\nz\n")
    run("import", "magic", "rows", "--ids", "three", "--type", "f32")
    export(run, "magic", "fvecs", "again")
    tap.check(run.read("again") == run.read("rows"), "fvecs of 147 values")


def main():
    tap = Tap()
    names = names_for(40)
    values = pictures_like(40, 24)
    with tempfile.TemporaryDirectory(prefix="minisim-exchange-") as folder:
        run = Program(sys.argv[1], folder)
        check_round_trip(tap, run, values, names)
        check_names(tap, run, names)
        check_normalize(tap, run, values)
        check_previous(tap, run, names)
        check_usage(tap, run)
        check_cut_off(tap, run)
        check_full(tap, run)
        check_hostile(tap, run)
        check_magic(tap, run)
    tap.finish()


if __name__ == "__main__":
    main()
