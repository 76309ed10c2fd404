#!/usr/bin/python3
"""A catalogue is brought up to date at the cost of what changed.

    check_index.py BUILD [PICTURES]

Makes small pictures (1,000, or PICTURES), indexes them with the program of BUILD, and again: files that are as they
were are not read, and take less than a second of processor time for 10,000. With PICTURES given, which wants a
machine that does nothing else, this holds for the clock, too, and two threads index at least 1.8 times as many
pictures a second as one: the median of five runs each, in turn. Prints TAP.
"""
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from tap import Tap

SANITIZED = bool(os.environ.get("SANITIZE"))
LONG_AGO = 1577836800 * 10**9


def index(build, catalogue, folder, *options):
    """(what became of the pictures, seconds by the clock, seconds of processor time)."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run = subprocess.run([f"{build}/minisim", "index", "-q", *options, catalogue, folder], capture_output=True, check=True,
                         text=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    counts = re.sub("^.*?: |,(?=[0-9]{3})", "", run.stdout.strip())
    return counts, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write(path, source):
    """A picture of the same size in bytes each time, as old as each time."""
    with open(path, "r+b" if os.path.exists(path) else "wb") as file:
        file.write(b"P6 8 8 255\n" + source.randbytes(192))
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


def check_again(tap, build, folder, paths, source, by_clock):
    count = len(paths)
    counts, _, _ = index(build, f"{folder}/a.msc", f"{folder}/p")
    tap.check(counts == f"{count} records, {count} new", f"{count} pictures are indexed", counts)
    # Whatever the files hold now: nothing looks at it.
    for path in paths:
        write(path, source)
    runs = [index(build, f"{folder}/a.msc", f"{folder}/p") for _ in range(3)]
    tap.check(all(run[0] == f"{count} records, {count} unchanged" for run in runs),
              "what is as it was is not read again", runs)
    _, wall, used = (min(values) for values in zip(*runs))
    start = min(index(build, f"{folder}/a.msc", paths[0])[2] for _ in range(3))
    print(f"# {count} unchanged pictures: {wall:.3f} s, of them {used:.3f} s of processor time")
    if not SANITIZED:
        tap.check(used - start < count / 10000, "that takes less than a second of processor time for 10,000", used)
    if by_clock:
        tap.check(wall < count / 10000, "and by the clock", wall)
    os.utime(paths[0])
    counts, _, _ = index(build, f"{folder}/a.msc", f"{folder}/p")
    tap.check(counts == f"{count} records, 1 changed, {count - 1} unchanged", "what changed is", counts)


def check_threads(tap, build, folder, count):
    walls = {1: [], 2: []}
    for _ in range(5):
        for threads, seconds in walls.items():
            seconds.append(index(build, f"{folder}/b.msc", f"{folder}/p", "--threads", str(threads))[1])
            os.remove(f"{folder}/b.msc")
    one, two = (statistics.median(seconds) for seconds in walls.values())
    print(f"# pictures a second: {count / one:.0f} with one thread, {count / two:.0f} with two")
    tap.check(one / two >= 1.8, "two threads index 1.8 times as fast as one", f"{one / two:.2f} times")


def main():
    tap = Tap()
    build = os.path.abspath(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    source = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="minisim-index-") as folder:
        paths = [f"{folder}/p/{i // 500}/{i}.ppm" for i in range(count)]
        for path in paths:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            write(path, source)
        check_again(tap, build, folder, paths, source, len(sys.argv) > 2)
        if len(sys.argv) > 2:
            check_threads(tap, build, folder, count)
    tap.finish()


main()
