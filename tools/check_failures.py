#!/usr/bin/python3
"""Makes the program's calls fail one after the other: tools/check_failures.py BUILD [all].

Each command below runs undisturbed first, then once for each failure point: the first, second, ... allocation,
open, read, ... that it makes, which fails alone, or with all that follow it. tests/fail.c does that. Whatever
fails, the command ends in the result of the undisturbed run, or in an error: a message that names a cause, the
right status, nothing half-written under a final name, nothing left behind, nothing leaked; and a catalogue holds
what it held before, or after. Without `all`, what the suite has time for: a few commands, one error for each kind
of call. Behind `all`, words: the commands that have all of them alone.
"""

import collections
import concurrent.futures
import errno
import functools
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading

import msw
import numpy as np

from tap import Tap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
ALL = sys.argv[2:3] == ["all"]
CHOSEN = set(sys.argv[3:])
WORKERS = 2
SECONDS = 120
COLUMNS = 1280
REPORT = struct.Struct("QQqQ")  # tests/fail.c's struct report

# Kind of call: the errors that it fails with. The first one also for good; in the suite it stands for all.
KINDS = {
    "memory": ["ENOMEM"],
    "thread": ["EAGAIN"],
    "child": ["EAGAIN", "ENOMEM", "ENOENT"],
    "random": ["ENOSYS"],
    "open": ["EMFILE", "EACCES", "EINTR", "EIO", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT", "EROFS", "EAGAIN"],
    "read": ["EIO", "EINTR", "EAGAIN", "end", "short"],
    "write": ["ENOSPC", "EIO", "EINTR", "EAGAIN", "EDQUOT", "EFBIG", "EPIPE", "short"],
    "message": ["EIO", "short"],
    "close": ["EIO", "EINTR", "ENOSPC", "EDQUOT"],
    "stat": ["EIO", "EACCES", "ENOMEM", "EOVERFLOW"],
    "rename": ["EIO", "EACCES", "ENOSPC", "EDQUOT", "EXDEV", "EBUSY", "EROFS"],
    "mmap": ["ENOMEM"],
    "sync": ["EIO", "EINTR", "ENOSPC", "EDQUOT"],
    "seek": ["EINVAL"],
    "list": ["EIO", "ENOMEM"],
    "link": ["EIO", "EACCES", "ENOMEM"],
    "chmod": ["EPERM", "EIO", "EROFS"],
    "fcntl": ["EMFILE", "EINVAL"],
    "poll": ["ENOMEM", "EINTR"],
    "access": ["EIO", "EACCES"],
    "unlink": ["EIO", "EACCES"],
    "size": ["ENOSPC", "EIO", "EINTR", "EOPNOTSUPP", "EFBIG"],
    "hardlink": ["EPERM", "EIO", "EMLINK", "ENOSPC"],
    "folder": ["EACCES", "ENOSPC", "EROFS"],
    "pipe": ["EMFILE", "ENFILE"],
    "wait": ["ECHILD", "EINTR"],
}
BY_NAME = ("memory", "thread", "child", "random")
KINDS_OF_SYSTEM = [kind for kind in KINDS if kind not in BY_NAME]
TRACED = {"open": "open openat creat", "read": "read pread64 readv", "write": "write pwrite64 writev",
          "close": "close", "stat": "stat fstat lstat newfstatat statx",
          "rename": "rename renameat renameat2", "mmap": "mmap", "sync": "fsync fdatasync",
          "seek": "lseek", "list": "getdents64", "link": "readlink readlinkat", "chmod": "fchmod",
          "fcntl": "fcntl", "poll": "poll ppoll", "access": "access faccessat", "unlink": "unlink unlinkat rmdir",
          "size": "fallocate ftruncate", "hardlink": "link linkat", "folder": "mkdir mkdirat getcwd",
          "pipe": "pipe pipe2", "wait": "wait4 waitid"}

# input: the file of `in` that is standard input; given: those that the folder of a run gets copies of; quick: in
# the suite; report: what it prints is no result, but tells what it did; racing: counts change from run to run.
class Command(collections.namedtuple("Command", "words input given quick report racing",
                                     defaults=(None, (), False, False, False))):
    @property
    def statuses(self):
        """What it may end with when nothing fails."""
        return (3,) if "../in/hurt.msc" in self.words else (0, 1, 11)

    @property
    def looks(self):
        return self.words[0] in ("search", "check", "duplicates")

    @property
    def reads_list(self):
        return not {"--files-from", "--labels", "--not-duplicates"}.isdisjoint(self.words)


NEAR = ["--max-distance", "0.001"]
EMBED = ["embed", "--threads", "1", "-o", "rows", "--ids-out", "ids"]
COMMANDS = [
    Command([*EMBED, "../in/1.ppm", "../in/small.jpg"]),
    Command([*EMBED, "--format", "json", "../in/1.ppm", "../in/small.jpg"]),
    Command([*EMBED, "--format", "csv", "../in/1.ppm", "../in/small.jpg"]),
    Command([*EMBED, "--format", "npy", "../in/1.ppm", "../in/small.jpg"], quick=True),
    Command([*EMBED, "--format", "f32", "--normalize", "../in/1.ppm", "../in/small.jpg"]),
    Command(["embed", "--threads", "2", "-o", "old", "--ids-out", "-", "../in/deep.png", "../in/none.jpg"]),
    Command(["embed", "--threads", "1", "../in/1.ppm", "../in/small.jpg"]),
    Command(["embed", "--threads", "1", "--format", "npy", "../in/1.ppm", "../in/deep.png"]),
    Command(["embed", "--threads", "2", "--format", "npy", "-o", "rows", "../in/folder"]),
    Command(["embed", "--threads", "2", "../in/small.jpg"]),
    Command(["embed", "-"], "in/small.jpg"),
    Command(["embed", "--threads", "1", "--files-from", "../in/list", "../in/1.ppm"]),
    Command(["embed", "--threads", "1", "-0", "--files-from", "-", "-o", "rows"], "in/list0"),
    Command(["compare", "--threads", "1", "../in/1.ppm", "../in/small.jpg", "../in/deep.png"]),
    Command(["compare", "--threads", "1", "--matrix", "--json", "../in/folder"], quick=True),
    Command(["compare", "--vectors", "../in/rows.npy", "--ids", "../in/ids", "--query", "1"]),
    Command(["compare", "--vectors", "-", "--matrix", "--metric", "all"], "in/rows.npy"),
    Command(["export", "--to", "faiss", "--metric", "dot", "-o", "rows", "--ids-out", "old", "../in/c.msc"], quick=True),
    Command(["export", "--to", "vertex", "-o", "rows", "--ids-out", "old", "--previous", "../in/ids2", "../in/c.msc"]),
    Command(["export", "--to", "qdrant", "-o", "-", "../in/c.msc"]),
    Command(["search", "--vectors", "../in/rows.npy", "--html", "page", "../in/c.msc"], quick=True),
    Command(["export", "--to", "npy", "-o", "rows", "--ids-out", "old", "../in/c.msc"]),
    Command(["export", "--to", "csv", "-o", "old", "../in/c.msc"]),
    Command(["export", "--to", "fvecs", "-o", "rows", "--ids-out", "old", "../in/c.msc"]),
    Command(["export", "--to", "pgvector", "-o", "old", "../in/c.msc"]),
    Command(["export", "--to", "milvus", "-o", "rows", "../in/c.msc"]),
    Command(["export", "--to", "pinecone", "--normalize", "-o", "-", "../in/c.msc"]),
    Command(["import", "new.msc", "../in/rows.npy", "--ids", "../in/ids"], report=True),
    Command(["import", "old.msc", "-", "--ids", "../in/ids", "--json"], "in/rows.npy", ["old.msc"], report=True),
    Command(["import", "new.msc", "../in/faiss"], report=True),
    Command(["index", "--threads", "1", "new.msc", "../in/folder", "../in/pictures"], report=True),
    Command(["index", "--threads", "1", "--prune", "--labels", "../in/labels", "p.msc", "../in/pictures"],
            given=["p.msc"], quick=True, report=True),
    Command(["index", "--threads", "2", "--json", "p.msc", "../in/pictures", "../in/others"], given=["p.msc"],
            report=True, racing=True),
    Command(["search", "--threads", "1", "--explain", "../in/p.msc", "../in/1.ppm", "../in/small.jpg"]),
    Command(["search", "--threads", "1", "--json", "--vectors", "../in/rows.npy", "--ids", "../in/ids",
             "../in/c.msc"]),
    Command(["search", "--threads", "1", "--id", "1", "--label", "pictures", "../in/p.msc"]),
    Command(["check", "--threads", "1", *NEAR, "../in/p.msc", "../in/deep.png", "../in/1.ppm"]),
    Command(["check", "--threads", "1", *NEAR, "--json", "--only", "same", "../in/p.msc", "../in/deep.png"]),
    Command(["duplicates", "--threads", "1", *NEAR, "../in/p.msc"]),
    Command(["duplicates", "--threads", "1", *NEAR, "--removable", "../in/pictures"], report=True),
    Command(["duplicates", "--threads", "1", *NEAR, "--no-cache", "../in/pictures"], report=True),
    Command(["duplicates", "--threads", "1", *NEAR, "--not-duplicates", "../in/pairs", "--remember", "p.msc"],
            given=["p.msc"]),
    Command(["duplicates", "--threads", "1", *NEAR, "--against", "../in/q.msc", "../in/p.msc"]),
    Command(["list", "../in/p.msc"]),
    Command(["list", "--json", "--label", "pictures", "../in/p.msc"]),
    Command(["verify", "../in/p.msc"], report=True),
    Command(["verify", "--threads", "1", "--recompute", "2", "../in/q.msc"], report=True),
    Command(["remove", "p.msc", "../in/pictures/1.ppm"], given=["p.msc"], report=True),
    Command(["remove", "p.msc", "--files-from", "-"], "in/names", ["p.msc"], report=True),
    Command(["compact", "holes.msc"], given=["holes.msc"], report=True),
    Command(["merge", "p.msc", "../in/q.msc"], given=["p.msc"], report=True),
    Command(["merge", "new.msc", "../in/holes.msc", "../in/q.msc"], report=True),
    Command(["merge", "new.msc", "../in/hurt.msc", "../in/q.msc"], report=True),
    Command(["merge", "--dry-run", "new.msc", "../in/hurt.msc", "../in/q.msc"], report=True),
    Command(["verify", "../in/hurt.msc"], report=True),
    Command(["classify", "--threads", "1", "--weights", "../in/classes.msw", "../in/1.ppm", "../in/small.jpg"]),
    Command(["classify", "--threads", "1", "--weights", "../in/classes.msw", "--labels", "../in/ids2", "--json",
             "../in/folder"]),
    Command(["trace", "../in/1.ppm"]),
    Command(["trace", "-o", "old", "../in/deep.png"]),
    Command(["trace", "--dump", "block.0.project", "-o", "rows", "../in/small.jpg"]),
    Command(["trace", "--against", "../in/trace", "../in/small.jpg"]),
    Command(["compare", "--why", "-o", "old", "../in/1.ppm", "../in/small.jpg"]),
    Command(["selftest"]),
    Command(["embed", "--stream"], "in/stream"),
    Command(["embed", "--threads", "1", "--decoder", "odd=/bin/cat {}", "../in/small.odd", "../in/1.ppm"],
            racing=True),
    Command(["index", "--threads", "1", "--decoder", "odd=/bin/cat {}", "new.msc", "../in/small.odd"],
            report=True, racing=True),
    Command(["info"]),
    Command(["info", "--json"]),
    Command(["info", "../in/p.msc"]),
    Command(["--help"]),
]

Result = collections.namedtuple("Result", "status out err files mode_kept calls failed blocks open")


# ---- one run ----

class Runs:
    """Runs commands, each in an empty folder of the thread that asks; `in` beside it holds the inputs."""

    def __init__(self, folder, library):
        self.folder = folder
        self.library = library
        self.own = threading.local()
        self.environment = {"PATH": os.environ["PATH"], "MINISIM_WEIGHTS": "../in/weights.msw"}

    def fresh_folder(self, command):
        """With nothing in it but one output of an earlier run and what the command is given."""
        if not hasattr(self.own, "folder"):
            self.own.folder = tempfile.mkdtemp(prefix="run-", dir=self.folder)
            self.own.report = os.memfd_create("report")
        shutil.rmtree(self.own.folder)
        os.mkdir(self.own.folder)
        with open(os.path.join(self.own.folder, "old"), "w") as old:
            old.write("old")
            os.chmod(old.name, 0o640)
        for name in command.given:
            shutil.copy(os.path.join(self.folder, "in", name), self.own.folder)
        os.ftruncate(self.own.report, 0)
        os.ftruncate(self.own.report, REPORT.size)
        return self.own.folder, self.own.report

    def run(self, command, folder, before=(), **more):
        """Exit status, standard output, standard error."""
        with open(os.path.join(self.folder, command.input or os.devnull), "rb") as given:
            process = subprocess.Popen([*before, os.path.join(self.folder, "minisim"), *command.words],
                                       cwd=folder, stdin=given, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, **more)
        try:
            out, err = process.communicate(timeout=SECONDS)
            return process.returncode, out, err.decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return "it hangs", b"", ""

    def __call__(self, command, kind, first, result, forever):
        folder, report = self.fresh_folder(command)
        fields = (kind, first, getattr(errno, result, result), int(forever), report)
        environment = {**self.environment, "TMPDIR": folder, "XDG_CACHE_HOME": folder, "LD_PRELOAD": self.library,
                       "MINISIM_FAIL": ",".join(map(str, fields))}
        came = self.run(command, folder, env=environment, pass_fds=[report])
        files = {}
        for place, folders, names in os.walk(folder):
            for name in (os.path.join(place, name) for name in names):
                with open(name, "rb") as file:
                    files[os.path.relpath(name, folder)] = file.read()
            for name in folders:
                files[os.path.relpath(os.path.join(place, name), folder)] = b""
        kept = os.stat(os.path.join(folder, "old")).st_mode & 0o777 == 0o640
        return Result(*came, files, kept, *REPORT.unpack(os.pread(report, REPORT.size, 0)))

    def trace(self, command, calls):
        """strace's lines of these calls."""
        folder, _ = self.fresh_folder(command)
        lines = os.path.join(self.folder, "trace")
        self.run(command, folder, ["strace", "-f", "-qq", "-o", lines, "-e", "trace=" + ",".join(calls)],
                 env={**self.environment, "TMPDIR": folder, "XDG_CACHE_HOME": folder})
        with open(lines, encoding="utf-8", errors="replace") as file:
            return file.read()

    @functools.cache
    def read(self, name):
        with open(os.path.join(self.folder, "in", name), "rb") as file:
            return file.read()

    @functools.cache
    def records(self, catalogue):
        """What it holds, a line (without the id) a record or note; None where it is damaged."""
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".msc") as file:
            file.write(catalogue)
            file.flush()
            said = [subprocess.run([os.path.join(self.folder, "minisim"), *words, file.name], capture_output=True,
                                   check=False) for words in (["verify"], ["list", "--json"], ["info", "--json"])]
        if any(run.returncode for run in said):
            return None
        notes = json.loads(said[2].stdout)["notes"]
        rows = re.sub(rb'"id":\d+,', b"", said[1].stdout).splitlines()
        return set(rows) | {f"{key} {notes[key]}".encode() for key in notes}


def traced(runs, command):
    """{kind: how many system calls strace sees}, from the program's first one on, behind the loader's."""
    kind_of = {call: kind for kind, calls in TRACED.items() for call in calls.split()}
    seen, begun = dict.fromkeys(KINDS_OF_SYSTEM, 0), False
    for call, arguments in re.findall(r"^\d+ +(\w+)\((.*)", runs.trace(command, kind_of), re.M):
        begun = begun or (call, arguments[:10]) == ("fcntl", "0, F_GETFD")
        kind = kind_of[call]
        if begun:
            seen["message" if kind == "write" and arguments.startswith("2, ") else kind] += 1
    return seen


# ---- what may come of it ----

def rows_of(content):
    """Pieces that are whole or not there: rows of an array, of bare values, pairs of an object, lines."""
    size = 4 * COLUMNS
    if content.startswith(b"\x93NUMPY"):
        rows = int(re.search(rb"'shape': \((\d+),", content[:128]).group(1))
        content = content[128:]
        if len(content) != rows * size:
            return [content]
    elif content.startswith(b'{"schema":1,"closer"'):
        return json.loads(content)["distances"]
    elif b"\0" not in content:
        return content.splitlines(True)
    return [content[at:at + size] for at in range(0, len(content), size)]


def is_part(got, whole):
    """Rows of which some are missing."""
    rows = rows_of(whole)
    return all(row in rows for row in rows_of(got))


def wrong_message(text):
    """A line of standard error that tells nothing, or None."""
    for line in text.splitlines():
        # Damage: the records that it hurts follow.
        if line.startswith("  record ") or (line.startswith("minisim: ") and line.endswith(", which hurts:")):
            continue
        if (not line.startswith("minisim: ") or line.rstrip().endswith(":") or ": :" in line
                or re.search(r"Success|\(null\)|an error of the system", line)):
            return line
    return None


def wrong_catalogue(runs, got, told, shorter, before, after):
    """Holds neither what it held before nor what it was to hold, nor, where that is told, a part of the way.
    A shorter list gives fewer of them a label."""
    held = runs.records(before) if before else set()
    wanted, holds = runs.records(after), runs.records(got)
    if holds is None:
        return "is damaged"
    if shorter:
        held, wanted, holds = ({re.sub(rb'"label":{[^}]*},', b"", row) for row in rows}
                               for rows in (held, wanted, holds))
    fine = holds in (held, wanted) or ((told or shorter) and held & wanted <= holds <= held | wanted)
    return None if fine else "holds what it should not, or lacks some"


def wrong_files(runs, command, kind, normal, got, shorter=False):
    """An output that is neither as it was before nor whole; a file that nobody asked for, or that is gone."""
    if not got.mode_kept:
        return "the permissions of an output have changed"
    before = {"old": b"old", **{name: runs.read(name) for name in command.given}}
    for name, content in got.files.items():
        if name not in normal.files:
            if kind != "unlink" and name != "minisim":  # the folder of caches
                return f"{name} is left behind"
        elif content in (before.get(name), normal.files[name]):
            continue
        elif name.endswith(".msc"):
            why = wrong_catalogue(runs, content, got.status, shorter, before.get(name), normal.files[name])
            if why:
                return f"{name} {why}"
        elif got.status not in (0, 1) or not is_part(content, normal.files[name]):
            return f"{name} is not whole"
    gone = [name for name in before if name not in got.files]
    return f"{gone[0]} is gone" if gone else None


def without_look(rows):
    """Without what a look at the pixels tells, which is "not looked at" where that failed."""
    return [re.sub(rb'"look":[^,}]*|\t[^\t]*\n$', b"", row) for row in rows]


def wrong_output(command, shorter, normal, got):
    """Half of a row, or half of a report. A row may say what failed; a shorter list may give other rows."""
    if command.report or (shorter and command.reads_list):
        return got.out and not got.out.endswith(b"\n")
    rows = [row for row in got.out.splitlines(True) if b'"error":' not in row]
    if command.looks and set(without_look(rows)) <= set(without_look(normal.out.splitlines(True))):
        return False
    return not is_part(b"".join(rows), normal.out)


def wrong(runs, command, kind, result, normal, got):
    """What is not as it should be with a run, or None."""
    if got.status == -signal.SIGPIPE and result == "EPIPE" and normal.err.startswith(got.err):
        return wrong_files(runs, command, kind, normal, got)
    if got.status not in (0, 1, 3, 4, normal.status):
        return f"status {got.status}"
    same = (got.out == normal.out and got.status == normal.status
            and all(got.files.get(name) == content for name, content in normal.files.items()))
    # A list of names may be shorter.
    shorter = result == "end" and (is_part(got.out, normal.out) or command.reads_list)
    if got.status == 0 and not (same or shorter):
        return "status 0, but another result"
    if (kind == "message" or result == "short") and not same:
        return "another result"
    if kind != "message" and got.status != normal.status and not got.err:
        return f"status {got.status} without a message"
    if kind != "message" and wrong_message(got.err):
        return "the message " + wrong_message(got.err)
    if got.status in (1, normal.status) and wrong_output(command, shorter, normal, got):
        return "half of a row on standard output"
    if got.blocks > normal.blocks or got.open > normal.open:
        return f"{got.blocks - normal.blocks} blocks and {got.open - normal.open} files are leaked"
    return wrong_files(runs, command, kind, normal, got, shorter)


# ---- the sweep ----

def points(kind, calls):
    """(number of the first call that fails, how, for good)"""
    results = KINDS[kind] if ALL else KINDS[kind][:1]
    for first in range(1, calls + 1):
        for result in results:
            yield first, result, False
        if ALL:
            yield first, results[0], True


def sweep(runs, pool, command, kind):
    """How many calls there are, how many runs, and what was wrong with some."""
    normal = runs(command, kind, 0, "EIO", False)
    asked = list(points(kind, normal.calls))
    done = pool.map(lambda point: runs(command, kind, *point), asked)
    faults = []
    for point, got in zip(asked, done):
        why = wrong(runs, command, kind, point[1], normal, got)
        if why:
            how = "and all that follow" if point[2] else "alone"
            faults.append(f"{kind} {point[0]} {how}, {point[1]}: {why}\n{got.err[-300:]}")
    return normal.calls, len(asked), faults


def small_network(classes=0):
    """The smallest one that there is, so that a run takes little time; a row fills a stream's buffer."""
    generator = np.random.default_rng(1)
    model = msw.Model(32, "same", "squash", "bilinear", 0, 0, 0.0, (0.5,) * 3, (0.5,) * 3,
                      {"licence": "MIT"})
    tensors = [("stem.bias", (8,), 0), ("stem.weight", (8, 3, 3, 3), 2), ("block.0.depthwise.weight", (8, 3, 3), 1),
               ("block.0.project.weight", (8, 8), 0), ("head.weight", (COLUMNS, 8), 0)]
    if classes:
        tensors.append(("classifier.weight", (classes, COLUMNS), 0))
    for name, shape, stride in tensors:
        model.tensors.append(msw.make_tensor(name, generator.normal(0, 0.5, shape), "f32", stride))
    return model


def make_inputs(folder):
    """What the commands read."""
    pictures = os.path.join(ROOT, "tests")
    for name in ("in/folder/inner", "in/pictures", "in/others"):
        os.makedirs(os.path.join(folder, name))
    shutil.copy(os.path.join(BUILD, "minisim"), folder)

    def write(name, content):
        with open(os.path.join(folder, "in", name), "wb") as file:
            file.write(content)
    ppm = b"P6 8 8 255\n" + bytes(i * 37 % 251 for i in range(192))
    for name in ("1.ppm", "folder/1.ppm", "pictures/1.ppm", "pictures/gone.ppm", "pictures/twin.ppm"):
        write(name, ppm)
    write("others/1.ppm", ppm[:11] + ppm[:10:-1])
    write("folder/text", b"this is no picture\n")
    write("list", b"../in/small.jpg\n")
    write("list0", b"../in/small.jpg\0../in/1.ppm\0")
    write("names", b"../in/pictures/1.ppm\n../in/pictures/gone.ppm\n")
    write("pairs", b"../in/pictures/1.ppm\n../in/pictures/twin.ppm\n")
    write("labels", b"red\t../in/pictures/1.ppm\nblue\t../in/pictures/new.png\n")
    write("ids", b"one\ntwo\nthree\n")
    write("ids2", b"one\ngone\n")
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 700), }".ljust(117) + "\n"
    write("rows.npy", b"\x93NUMPY\x01\0v\0" + header.encode()
          + struct.pack("<2100f", *(1 + i * 29 % 17 for i in range(2100))))
    for source, name in (("pictures/cli-small.jpg", "small.jpg"),
                         ("pictures/cli-small.jpg", "small.odd"),
                         ("pictures/cli-small.jpg", "folder/inner/small.jpg"),
                         ("fuzz/corpus/hostile/l-16-bit.png", "pictures/new.png"),
                         ("fuzz/corpus/hostile/l-16-bit.png", "deep.png")):
        shutil.copy(os.path.join(pictures, source), os.path.join(folder, "in", name))
    with open(os.path.join(folder, "in", "small.jpg"), "rb") as file:
        write("stream", ppm + file.read() + ppm)
    write("weights.msw", msw.pack(small_network()))
    write("classes.msw", msw.pack(small_network(2)))
    make_catalogues(folder)


def make_catalogues(folder):
    """c: vectors; old: some of them; p: pictures, of which one is gone and one is new; q: others; holes: p without
    one; hurt: that, damaged."""
    here = os.path.join(folder, "in")

    def run(*words):
        return subprocess.run([os.path.join(folder, "minisim"), *words], check=True, cwd=here, capture_output=True,
                              env={**os.environ, "MINISIM_WEIGHTS": "weights.msw"}).stdout

    for place, _, names in os.walk(here):
        for name in names:
            os.utime(os.path.join(place, name), (1.6e9, 1.6e9))
    run("import", "c.msc", "rows.npy", "--ids", "ids")
    shutil.copy(os.path.join(here, "c.msc"), os.path.join(here, "old.msc"))
    run("remove", "old.msc", "two")
    run("export", "--to", "faiss", "--metric", "dot", "-o", "faiss", "--ids-out", "faiss.ids", "c.msc")
    new = os.path.join(here, "pictures", "new.png")
    os.rename(new, new + ".later")
    run("index", "p.msc", "pictures", "--label-by", "folder", "--exclude", "*.later")
    run("index", "q.msc", "others", "folder/inner")
    shutil.copy(os.path.join(here, "p.msc"), os.path.join(here, "holes.msc"))
    run("remove", "holes.msc", "pictures/twin.ppm")
    with open(os.path.join(here, "holes.msc"), "rb") as whole, open(os.path.join(here, "hurt.msc"), "wb") as file:
        hurt = bytearray(whole.read())
        hurt[12400] ^= 1  # the header of its first segment
        file.write(hurt)
    os.rename(new + ".later", new)
    os.unlink(os.path.join(here, "pictures", "gone.ppm"))
    with open(os.path.join(here, "trace"), "wb") as file:
        file.write(run("trace", "small.jpg"))


def main():
    tap = Tap()
    library = os.path.join(BUILD, "fail.so")
    with open(os.path.join(BUILD, "minisim"), "rb") as file:
        program = file.read()
    if not os.path.exists(library) or b"san_init" in program:
        print("# left out: calls that fail (x86-64 alone, and without a sanitizer, whose own would fail)")
        tap.finish()
    with tempfile.TemporaryDirectory(prefix="minisim-failures-") as folder, \
            concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        make_inputs(folder)
        runs, total = Runs(folder, library), collections.Counter()
        for command in COMMANDS:
            if not (ALL or command.quick) or not CHOSEN <= set(command.words):
                continue
            count, asked, faults = {}, 0, []
            for kind in KINDS:
                count[kind], more, found = sweep(runs, pool, command, kind)
                asked += more
                faults += found
            words = " ".join(command.words)
            points = ", ".join(f"{kind} {calls}" for kind, calls in count.items() if calls)
            print(f"# {words}: {points}: {asked} runs", flush=True)
            fine = not faults and runs(command, "", 0, "EIO", False).status in command.statuses
            tap.check(fine, f"whatever fails: {words}", "\n".join(faults))
            total.update(count)
            # Threads take turns as they like, and so do child processes.
            if ALL and shutil.which("strace") and "2" not in command.words and not command.racing:
                seen = traced(runs, command)
                caught = {kind: calls for kind, calls in count.items() if kind not in BY_NAME}
                tap.check(caught == seen, f"strace sees the same calls: {words}", f"{seen}, not {caught}")
        print("# together:", ", ".join(f"{kind} {calls}" for kind, calls in total.items()))
    tap.finish()


if __name__ == "__main__":
    main()
