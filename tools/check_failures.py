#!/usr/bin/python3
"""Makes the program's calls fail one after the other: tools/check_failures.py BUILD [all].

Each command below runs undisturbed first, then once for each failure point: the first, second, ... allocation,
open, read, ... that it makes, which fails alone, or with all that follow it. tests/fail.c does that. Whatever
fails, the command ends in the result of the undisturbed run, or in an error: a message that names a cause, the
right status, nothing half-written under a final name, nothing left behind, nothing leaked. Without `all`, what
the suite has time for: a few commands, one error for each kind of call.
"""

import collections
import concurrent.futures
import errno
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
ALL = sys.argv[2:] == ["all"]
WORKERS = 2
SECONDS = 120
COLUMNS = 1280
REPORT = struct.Struct("QQqQ")  # tests/fail.c's struct report

# Kind of call: the errors that it fails with. The first one also for good; in the suite it stands for all.
KINDS = {
    "memory": ["ENOMEM"],
    "thread": ["EAGAIN"],
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
}
BY_NAME = ("memory", "thread")
KINDS_OF_SYSTEM = [kind for kind in KINDS if kind not in BY_NAME]
TRACED = {"open": "open openat creat", "read": "read pread64 readv", "write": "write pwrite64 writev",
          "close": "close", "stat": "stat fstat lstat newfstatat statx",
          "rename": "rename renameat renameat2", "mmap": "mmap", "sync": "fsync fdatasync",
          "seek": "lseek", "list": "getdents64", "link": "readlink readlinkat", "chmod": "fchmod",
          "fcntl": "fcntl", "poll": "poll ppoll", "access": "access faccessat", "unlink": "unlink unlinkat"}

Command = collections.namedtuple("Command", "words input quick", defaults=(None, False))
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
    Command(["info"]),
    Command(["info", "--json"]),
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

    def fresh_folder(self):
        """With nothing but one output of an earlier run in it."""
        if not hasattr(self.own, "folder"):
            self.own.folder = tempfile.mkdtemp(prefix="run-", dir=self.folder)
            self.own.report = os.memfd_create("report")
        shutil.rmtree(self.own.folder)
        os.mkdir(self.own.folder)
        with open(os.path.join(self.own.folder, "old"), "w") as old:
            old.write("old")
            os.chmod(old.name, 0o640)
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
        folder, report = self.fresh_folder()
        fields = (kind, first, getattr(errno, result, result), int(forever), report)
        environment = {**self.environment, "TMPDIR": folder, "LD_PRELOAD": self.library,
                       "MINISIM_FAIL": ",".join(map(str, fields))}
        came = self.run(command, folder, env=environment, pass_fds=[report])
        files = {}
        for place, _, names in os.walk(folder):
            for name in (os.path.join(place, name) for name in names):
                with open(name, "rb") as file:
                    files[os.path.relpath(name, folder)] = file.read()
        kept = os.stat(os.path.join(folder, "old")).st_mode & 0o777 == 0o640
        return Result(*came, files, kept, *REPORT.unpack(os.pread(report, REPORT.size, 0)))

    def trace(self, command, calls):
        """strace's lines of these calls."""
        folder, _ = self.fresh_folder()
        lines = os.path.join(self.folder, "trace")
        self.run(command, folder, ["strace", "-f", "-qq", "-o", lines, "-e", "trace=" + ",".join(calls)],
                 env={**self.environment, "TMPDIR": folder})
        with open(lines, encoding="utf-8", errors="replace") as file:
            return file.read()


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
        if (not line.startswith("minisim: ") or line.rstrip().endswith(":") or ": :" in line
                or re.search(r"Success|\(null\)|an error of the system", line)):
            return line
    return None


def wrong_files(kind, normal, got):
    """An output that is neither as it was before nor whole; a file that nobody asked for."""
    if not got.mode_kept:
        return "the permissions of an output have changed"
    for name, content in got.files.items():
        before = b"old" if name == "old" else None
        if name not in normal.files:
            if kind != "unlink":
                return f"{name} is left behind"
        elif content not in (before, normal.files[name]):
            if got.status not in (0, 1) or not is_part(content, normal.files[name]):
                return f"{name} is not whole"
    return None


def wrong(kind, result, normal, got):
    """What is not as it should be with a run, or None."""
    if got.status == -signal.SIGPIPE and result == "EPIPE" and got.err in ("", normal.err):
        return wrong_files(kind, normal, got)
    if got.status not in (0, 1, 3, 4):
        return f"status {got.status}"
    same = (got.out == normal.out and got.status == normal.status
            and all(got.files.get(name) == content for name, content in normal.files.items()))
    shorter = result == "end" and is_part(got.out, normal.out)  # a list of names may be
    if got.status == 0 and not (same or shorter):
        return "status 0, but another result"
    if (kind == "message" or result == "short") and not same:
        return "another result"
    if kind != "message" and got.status and not got.err:
        return f"status {got.status} without a message"
    if kind != "message" and wrong_message(got.err):
        return "the message " + wrong_message(got.err)
    if got.status == 1 and not is_part(got.out, normal.out):
        return "half of a row on standard output"
    if got.blocks > normal.blocks or got.open > normal.open:
        return f"{got.blocks - normal.blocks} blocks and {got.open - normal.open} files are leaked"
    return wrong_files(kind, normal, got)


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
        why = wrong(kind, point[1], normal, got)
        if why:
            how = "and all that follow" if point[2] else "alone"
            faults.append(f"{kind} {point[0]} {how}, {point[1]}: {why}\n{got.err[-300:]}")
    return normal.calls, len(asked), faults


def small_network():
    """The smallest one that there is, so that a run takes little time; a row fills a stream's buffer."""
    generator = np.random.default_rng(1)
    model = msw.Model(32, "same", "squash", "bilinear", 0, 0, 0.0, (0.5,) * 3, (0.5,) * 3,
                      {"licence": "MIT"})
    for name, shape, stride in (("stem.bias", (8,), 0), ("stem.weight", (8, 3, 3, 3), 2),
                                ("block.0.depthwise.weight", (8, 3, 3), 1),
                                ("block.0.project.weight", (8, 8), 0), ("head.weight", (COLUMNS, 8), 0)):
        model.tensors.append(msw.make_tensor(name, generator.normal(0, 0.5, shape), "f32", stride))
    return model


def make_inputs(folder):
    """What the commands read."""
    pictures = os.path.join(ROOT, "tests")
    os.makedirs(os.path.join(folder, "in", "folder", "inner"))
    shutil.copy(os.path.join(BUILD, "minisim"), folder)

    def write(name, content):
        with open(os.path.join(folder, "in", name), "wb") as file:
            file.write(content)
    ppm = b"P6 8 8 255\n" + bytes(i * 37 % 251 for i in range(192))
    write("1.ppm", ppm)
    write("folder/1.ppm", ppm)
    write("folder/text", b"this is no picture\n")
    write("list", b"../in/small.jpg\n")
    write("list0", b"../in/small.jpg\0../in/1.ppm\0")
    write("ids", b"one\ntwo\nthree\n")
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 700), }".ljust(117) + "\n"
    write("rows.npy", b"\x93NUMPY\x01\0v\0" + header.encode()
          + struct.pack("<2100f", *(1 + i * 29 % 17 for i in range(2100))))
    for source, name in (("pictures/cli-small.jpg", "small.jpg"),
                         ("pictures/cli-small.jpg", "folder/inner/small.jpg"),
                         ("fuzz/corpus/hostile/l-16-bit.png", "deep.png")):
        shutil.copy(os.path.join(pictures, source), os.path.join(folder, "in", name))
    write("weights.msw", msw.pack(small_network()))
    write("ids2", b"one\ngone\n")
    subprocess.run([os.path.join(folder, "minisim"), "import", "c.msc", "rows.npy", "--ids", "ids"], check=True,
                   cwd=os.path.join(folder, "in"), stdout=subprocess.DEVNULL)


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
            if not (ALL or command.quick):
                continue
            count, asked, faults = {}, 0, []
            for kind in KINDS:
                count[kind], more, found = sweep(runs, pool, command, kind)
                asked += more
                faults += found
            words = " ".join(command.words)
            points = ", ".join(f"{kind} {calls}" for kind, calls in count.items() if calls)
            print(f"# {words}: {points}: {asked} runs", flush=True)
            tap.check(not faults and asked, f"whatever fails: {words}", "\n".join(faults))
            total.update(count)
            # Threads take turns as they like.
            if ALL and shutil.which("strace") and "2" not in command.words:
                seen = traced(runs, command)
                caught = {kind: calls for kind, calls in count.items() if kind not in BY_NAME}
                tap.check(caught == seen, f"strace sees the same calls: {words}", f"{seen}, not {caught}")
        print("# together:", ", ".join(f"{kind} {calls}" for kind, calls in total.items()))
    tap.finish()


if __name__ == "__main__":
    main()
