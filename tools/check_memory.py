#!/usr/bin/python3
"""The budget is a promise: with --max-memory 16M no picture takes more than that above the program's own.

    check_memory.py BUILD [--table]

Runs the program of BUILD over the hostile pictures, those of the tests, and large ones of each kind just below and
just above the limit, each alone, then together, and from standard input; BUILD holds peak_memory, built from
tests/peak_memory.c. Each ends within a second of processor time, in success or in one line that says why. Prints
TAP; with --table instead a line for each hostile picture: what happens, its time, its memory.
"""
import glob
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

from PIL import Image
from tap import Tap, peak_memory

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fuzz"))
from make_corpus import bmp, chunk, png  # noqa: E402

LIMIT = 16 << 20
# The system counts a process's pages in lots of 64, and malloc's own pages come and go.
SLACK = 512
REFUSED = re.compile(r"takes (\d+) bytes of memory, more than the limit of 16777216 \(max-memory\)$")


def measure(build, paths, stdin=None):
    """What peak_memory tells of embed."""
    return peak_memory(build, "embed", "-q", "--threads", "1", "--max-memory", "16M", "-o", "/dev/null", *paths,
                       stdin=stdin)


# ---- pictures of one colour, of any size --------------------------------------------------------------


def jpeg(mode, **options):
    def write(path, side):
        Image.new(mode, (side, side), 99).save(path, "JPEG", **options)
    return write


def passes(side):
    """(width, height) of the seven pictures that interlacing makes of one."""
    for x, y, across, down in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
                               (0, 1, 1, 2)):
        yield (side + across - 1 - x) // across, (side + down - 1 - y) // down


def png_of(depth, colour, samples, interlaced=0, between=b""):
    def write(path, side):
        parts = passes(side) if interlaced else [(side, side)]
        size = sum(height * (1 + (width * samples * depth + 7) // 8) for width, height in parts if width)
        with open(path, "wb") as file:
            file.write(png(side, side, depth, colour, zlib.compress(bytes(size), 1), between, interlaced))
    return write


def raw(header, each):
    def write(path, side):
        with open(path, "wb") as file:
            file.write(header % (side, side) + bytes(side * side * each))
    return write


def bmp_of(bits):
    def write(path, side):
        with open(path, "wb") as file:
            file.write(bmp(side, side, bits, bytes((side * bits + 31) // 32 * 4 * side)))
    return write


KINDS = {
    "baseline JPEG, 4:2:0": jpeg("RGB"),
    "baseline JPEG, grey": jpeg("L"),
    "JPEG, CMYK": jpeg("CMYK"),
    "progressive JPEG, 4:4:4": jpeg("RGB", progressive=True, subsampling=0),
    "progressive JPEG, grey": jpeg("L", progressive=True),
    "PNG, RGB": png_of(8, 2, 3),
    "PNG, 16-bit RGBA": png_of(16, 6, 4),
    "PNG, interlaced RGBA": png_of(8, 6, 4, 1),
    "PNG, interlaced 16-bit grey": png_of(16, 0, 1, 1),
    "PNG, grey of one bit": png_of(1, 0, 1),
    "PNG, palette with alpha": png_of(8, 3, 1, 0, chunk(b"PLTE", b"abc") + chunk(b"tRNS", b"\x80")),
    "PNG, 16-bit RGB with a key": png_of(16, 2, 3, 0, chunk(b"tRNS", b"\0\1" * 3)),
    "BMP, 24 bit": bmp_of(24),
    "BMP, 32 bit": bmp_of(32),
    "PPM": raw(b"P6 %d %d 255\n", 3),
    "PGM, 16 bit": raw(b"P5 %d %d 65535\n", 2),
}


def below_limit(build, path, write):
    """The side of the largest picture of that kind that is let in, which then lies there, or nearly."""
    side = 3600
    write(path, side)
    while said := REFUSED.search(measure(build, [path])[3]):
        side = int(side * (LIMIT / int(said[1])) ** 0.5 * 0.99)
        write(path, side)
    return side


# ---- the check ----------------------------------------------------------------------------------------


def own_memory(build):
    """KiB that the program takes for next to nothing, of each format."""
    small = ["tests/pictures/grey.jpg", "tests/fuzz/corpus/hostile/y-exif.jpg", "tests/fuzz/corpus/hostile/y-key-16.png"]
    with tempfile.TemporaryDirectory() as folder:
        for name, write in (("1.bmp", bmp_of(24)), ("1.ppm", raw(b"P6 %d %d 255\n", 3)), ("1.png", png_of(8, 2, 3))):
            small.append(os.path.join(folder, name))
            write(small[-1], 1)
        return max(measure(build, [path])[1] for path in small[1:])


def print_table(build, own):
    print("| row | file | what happens now | CPU time | peak memory above the program's own |\n|---|---|---|---|---|")
    for path in sorted(glob.glob("tests/fuzz/corpus/hostile/*")):
        status, peak, seconds, said = measure(build, [path])
        name = os.path.basename(path)
        cause = said.replace(f"minisim: {path}: ", "") if status else "embedded"
        print(f"| {name[0]} | {name} | {cause} | {seconds * 1000:.0f} ms | {max(0, peak - own)} KiB |")


def within(own, result):
    status, peak, seconds, said = result
    return (peak <= own + LIMIT // 1024 + SLACK and seconds < 1 and (status == 0) == (said == "") and status in (0, 1)
            and "\n" not in said)


def check_corpus(tap, build, own):
    wrong, most = [], 0
    for path in sorted(glob.glob("tests/fuzz/corpus/hostile/*") + glob.glob("tests/pictures/*")):
        result = measure(build, [path])
        most = max(most, result[1] - own)
        if not within(own, result):
            wrong.append(f"{path}: {result}")
    print(f"# at most {most} KiB above the program's own {own}")
    tap.check(not wrong, "hostile pictures, one at a time", "\n".join(wrong))


def check_kinds(tap, build, own, folder):
    kept = []
    for number, (kind, write) in enumerate(KINDS.items()):
        path, larger = os.path.join(folder, f"{number}-below"), os.path.join(folder, f"{number}-above")
        side = below_limit(build, path, write)
        write(larger, side + side // 50)
        below, above = measure(build, [path]), measure(build, [larger])
        print(f"# {kind}: {below[1] - own} KiB in {below[2]:.2f} s at {side} x {side}")
        good = within(own, below) and within(own, above) and below[0] == 0 and above[0] == 1
        tap.check(good and REFUSED.search(above[3]), kind, f"{below}\n{above}")
        os.unlink(larger)
        kept.append(path)
    return kept


def check_together(tap, build, own, paths):
    status, peak, _, said = measure(build, paths + paths[::-1])
    print(f"# together: {peak - own} KiB")
    tap.check(status == 0 and peak <= own + LIMIT // 1024 + SLACK, "one after the other", f"{peak - own} {said}")
    with open(paths[-2], "rb") as file:
        tap.check(within(own, result := measure(build, ["-"], file)) and result[0] == 0, "standard input", result)
    with open("/dev/zero", "rb") as file:
        result = measure(build, ["-"], file)
    tap.check(within(own, result) and "no picture" in result[3], "endless standard input", result)
    with tempfile.TemporaryFile() as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(2 * LIMIT)
        file.seek(0)
        result = measure(build, ["-"], file)
    tap.check(within(own, result) and "16777216 bytes (max-memory)" in result[3], "large standard input", result)


def main():
    build = sys.argv[1]
    if os.environ.get("SANITIZE"):
        print("# left out: memory (the sanitizers take their own)\n1..0 # SKIP")
        return
    own = own_memory(build)
    if sys.argv[2:] == ["--table"]:
        print_table(build, own)
        return
    tap = Tap()
    check_corpus(tap, build, own)
    with tempfile.TemporaryDirectory() as folder:
        check_together(tap, build, own, check_kinds(tap, build, own, folder))
    tap.finish()


if __name__ == "__main__":
    main()
