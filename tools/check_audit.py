#!/usr/bin/python3
"""Holds audit.py against minisim, and against a minisim that is wrong: tools/check_audit.py BUILD.

Pictures are drawn here; JPEGs are the project's. That the audit notices what it is for is shown with a minisim
whose weights are not those that the audit reads: by one unit in the last place, or by a tap moved.
"""

import contextlib
import fractions
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace

import audit
import msw
import numpy as np
from PIL import Image
from sample_network import pixels

from tap import Tap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEFAULT = os.path.join(ROOT, "weights", "minisim-default.msw")


def quietly(function, *arguments):
    """What the function gives, and what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        return function(*arguments), printed.getvalue()


def shortened(model):
    """The first four blocks, and a head for them: a network with fewer layers to dump."""
    kept = [tensor for tensor in model.tensors if re.match(r"stem|block\.[0-3]\.|head\.(bn|bias)", tensor.name)]
    head = model.tensors[-1]
    channels, = (tensor.shape[0] for tensor in kept if tensor.name == "block.3.project.weight")
    return replace(model, tensors=[*kept, msw.make_tensor(head.name, head.values()[:, :channels], "f32")])


# -- the parts -------------------------------------------------------------------------------------


def nearest_f32(exact):
    """The f32 nearest to a fraction, ties to even, by comparing alone."""
    near = np.float32(float(exact))
    around = [near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))]
    return min(around, key=lambda x: (abs(fractions.Fraction(float(x)) - exact), x.view(np.uint32) & 1))


def check_fma(tap):
    """Sums that lie at, or a hair beside, the middle between two f32; subnormal ones; any."""
    random = np.random.default_rng(1)
    a, b = (np.float32(1 + random.integers(0, 1 << 12, 3000) * 2.0**-12) for _ in range(2))
    c = np.float32(random.choice([-1, 1], 3000) * 2.0**random.integers(-60, 30, 3000))
    a[2000:], b[2000:2500] = random.normal(0, 1, 1000), random.normal(0, 1e-38, 500)
    c[2000:2500] = random.normal(0, 1e-39, 500)
    got = audit.fma(a, b, c)
    wrong = [(x, y, z, g) for x, y, z, g in zip(a, b, c, got) if g != nearest_f32(
        fractions.Fraction(float(x)) * fractions.Fraction(float(y)) + fractions.Fraction(float(z)))]
    simple = np.count_nonzero(np.float32(a.astype(float) * b + c) != got)
    tap.check(not wrong and simple, f"fma rounds 3,000 sums once, of which double gets {simple} wrong", wrong[:3])


def check_pixels(tap, build, folder):
    """Every kind of file that Pillow decodes alike, each geometry, each orientation."""
    square = np.dstack([pixels(47, 3).transpose(1, 2, 0), pixels(47, 4)[0]])
    rgba = Image.fromarray(np.ascontiguousarray(square[:, :31]))
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    model = shortened(msw.read(DEFAULT))
    ways = [replace(model, geometry="crop", crop_side=151, resampling="bicubic"),
            replace(model, geometry="pad", pad_colour=0x10FE80, resampling="bicubic"),
            replace(model, geometry="pad", pad_colour=0x10FE80)]
    files = {"rgba.png": rgba, "la.png": rgba.convert("LA"), "palette.png": rgba.quantize(40),
             "1.png": grey.convert("1"), "palette.bmp": rgb.quantize(13), "rgb.bmp": rgb, "grey.pgm": grey}
    cases = [(name, picture, {}, model) for name, picture in files.items()]
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        name = f"turned.{'jpg' if orientation % 2 else 'png'}"
        cases.append((f"{orientation}-{name}", rgb, {"exif": exif}, ways[orientation % len(ways)]))
    wrong, taken = [], 0
    for name, picture, options, way in cases:
        path, weights = os.path.join(folder, name), os.path.join(folder, "way.msw")
        picture.save(path, **options)
        msw.write(weights, way)
        table, _ = quietly(audit.Table, 0)
        minisim = audit.Minisim(f"{build}/minisim", weights)
        _, printed = quietly(audit.audit_pixels, table, audit.Trace(minisim, path), way)
        taken += "taken from trace" in printed
        if table.failed or table.rows != 3:
            wrong.append(f"{name}, {way.geometry}, {way.resampling}:\n{printed}")
    tap.check(not wrong and taken == 4, f"{len(cases)} pictures: the same pixels, decoded and resized",
              "".join(wrong))


# -- the whole -------------------------------------------------------------------------------------


class Other(audit.Minisim):
    """A minisim that runs with other weights than the audit is told."""

    def __init__(self, program, weights, others):
        super().__init__(program, weights)
        self.others = others

    def say(self, verb, *arguments):
        return audit.Minisim(self.program, self.others).say(verb, *arguments)


def changed(model, name, change):
    """The model with one tensor's values changed in a copy."""
    tensors = []
    for tensor in model.tensors:
        if tensor.name == name:
            values = tensor.values().copy()
            change(values)
            tensor = msw.make_tensor(name, values, "f32", tensor.stride)
        tensors.append(tensor)
    return replace(model, tensors=tensors)


def check_whole(tap, build, folder):
    drawn, short = os.path.join(folder, "drawn.png"), os.path.join(folder, "short.msw")
    jpeg = os.path.join(ROOT, "tests", "pictures", "progressive.jpg")
    Image.fromarray(pixels(150, 5).transpose(1, 2, 0)[:, :90]).save(drawn)
    msw.write(short, shortened(msw.read(DEFAULT)))
    for what, weights, pictures, layers in (("the default weights", DEFAULT, [jpeg], 53),
                                            ("four blocks, and distances", short, [drawn, jpeg], 2 * 14)):
        status, printed = quietly(audit.audit, audit.Minisim(f"{build}/minisim", weights), pictures, 10)
        tap.check(status == 0 and "not ok" not in printed and printed.count("10 equal") == layers,
                  f"{what}: every step within its bound, bits equal", printed)


def check_wrong(tap, build, folder):
    drawn, model = os.path.join(folder, "drawn.png"), shortened(msw.read(DEFAULT))

    def add_an_ulp(values):
        values[:] = np.nextafter(values, np.float32(np.inf))

    def swap_taps(values):
        values[3, 0, 0], values[3, 0, 1] = values[3, 0, 1], values[3, 0, 0]

    right, wrong = os.path.join(folder, "right.msw"), os.path.join(folder, "wrong.msw")
    msw.write(right, model)
    for what, layer, change, bits in (
            ("a unit in the last place", "block.2.project", add_an_ulp, 100),
            ("two taps of a channel swapped", "block.3.depthwise", swap_taps, 0)):
        msw.write(wrong, changed(model, f"{layer}.weight", change))
        status, printed = quietly(audit.audit, Other(f"{build}/minisim", right, wrong), [drawn], bits)
        failed = [line.split()[0] for line in printed.splitlines() if "not ok" in line]
        tap.check(status == 10 and failed == ["weights", layer], f"{what}: found, in its layer alone", printed)


def check_page(tap, build, folder):
    """AUDIT.md's commands, but for two builds and what check_whole has shown, run as they stand."""
    for name in ("tests", "tools", "weights"):
        os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    os.symlink(os.path.abspath(build), os.path.join(folder, "build"))
    with open(os.path.join(ROOT, "AUDIT.md"), encoding="utf-8") as file:
        commands = re.findall(r"^    (.*)$", file.read(), re.MULTILINE)
    cheap = [command for command in commands if not re.match("tools/(check_|audit)", command)]
    printed, wrong = {}, []
    for command in cheap:
        run = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False,
                             env=dict(os.environ, MINISIM_WEIGHTS=DEFAULT))
        printed[command] = run.stdout
        if run.returncode:
            wrong.append(f"{command}: {run.returncode} {run.stderr}")
    with open(os.path.join(folder, "trace.jsonl"), encoding="utf-8") as file:
        lines = {line["layer"]: line["sha256"] for line in map(json.loads, file)}
    hashes = [text.split()[0] for command, text in printed.items() if "sha256sum" in command]
    about = json.loads(printed["build/minisim --version --json"])
    told = [about["default_weights_sha256"], lines["file"], lines["block.3.project"], lines["embedding"]]
    tap.check(not wrong and hashes == told,
              f"AUDIT.md: {len(cheap)} of its {len(commands)} commands run, and the hashes are those told",
              f"{wrong} {hashes} {told}")


def main():
    tap, build = Tap(), sys.argv[1]
    check_fma(tap)
    with tempfile.TemporaryDirectory() as folder:
        check_pixels(tap, build, folder)
        check_whole(tap, build, folder)
        check_wrong(tap, build, folder)
        check_page(tap, build, folder)
    tap.finish()


if __name__ == "__main__":
    main()
