#!/usr/bin/python3
"""What the second look (src/pairs/look.h) says of copies and of other pictures: tools/check_pairs.py BUILD [all]

The bounds of its rule were set on the photographs of even number in ../shared/pictures and on pages of
other text: here are those of odd number, pages of their own, and pictures that are drawn. Prints how often
each kind has which label, and how long a comparison took; holds that to bars. `all` takes more pictures.
In order: pictures, what is done to them, the pairs, the table.
"""

import collections
import glob
import io
import math
import os
import random
import subprocess
import sys
import tempfile

from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from evaluation import copies
from tap import SHARED, Tap, left_out

FONTS = "/usr/share/fonts/truetype/dejavu/"
SAME = ("re-encoded", "same-pixels", "same-file")


# ---- pictures ------------------------------------------------------------------------------------


def font(name, size):
    """Debian's fonts-dejavu-core, or the one that Pillow brings, of one size."""
    try:
        return ImageFont.truetype(FONTS + name, size)
    except OSError:
        return ImageFont.load_default()


def words(rnd, count):
    return " ".join("".join(rnd.choices("etaoinshrdlucmfwy", k=rnd.randint(1, 9))) for _ in range(count))


def page(rnd, name, size):
    """A page of A4 at 100 dots an inch, full of text."""
    picture = Image.new("RGB", (827, 1169), "white")
    draw, face = ImageDraw.Draw(picture), font(name, size)
    for y in range(70, 1100, size * 4 // 3):
        draw.text((70, y), words(rnd, 30), font=face, fill=(20, 20, 20))
    draw.rectangle((757, 0, 827, 1169), fill="white")
    return picture


def form(rnd):
    """A form, the same each time, filled in by someone else."""
    picture = Image.new("RGB", (827, 1169), "white")
    draw, face = ImageDraw.Draw(picture), font("DejaVuSans.ttf", 14)
    draw.text((80, 60), "APPLICATION", font=font("DejaVuSans-Bold.ttf", 24), fill=(0, 0, 0))
    for i in range(20):
        y = 130 + 45 * i
        draw.text((80, y), ("Name", "Street", "City", "Date", "Number")[i % 5] + ":", font=face, fill=(0, 0, 0))
        draw.line((250, y + 20, 740, y + 20), fill=(120, 120, 120))
        draw.text((260, y), words(rnd, rnd.randint(1, 5)), font=face, fill=(0, 0, 120))
    return picture


def scene(rnd):
    """Shapes in random colours over a gradient."""
    side = 240
    picture = Image.linear_gradient("L").resize((side, side)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y, r = rnd.randint(0, side), rnd.randint(0, side), rnd.randint(4, 40)
        draw.ellipse((x - r, y - r, x + r, y + rnd.randint(2, r)), fill=tuple(rnd.choices(range(256), k=3)))
    return picture


# ---- what is done to them ------------------------------------------------------------------------


def scaled(x, y):
    return lambda picture: picture.resize((max(1, int(picture.width * x)), max(1, int(picture.height * y))),
                                          Image.BICUBIC)


def cut(share, right, down):
    def crop(picture):
        wide, high = (round(side * share) for side in picture.size)
        x, y = round((picture.width - wide) * right), round((picture.height - high) * down)
        return picture.crop((x, y, x + wide, y + high))
    return crop


def encoded(quality):
    def encode(picture):
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        return Image.open(stream).convert("RGB")
    return encode


def turned_colours(picture):
    hue, saturation, value = picture.convert("HSV").split()
    return Image.merge("HSV", (hue.point([(i + 42) % 256 for i in range(256)]), saturation, value)).convert("RGB")


# Kind: (what it does, labels that are right). Those of tools/evaluate first.
KINDS = {kind: (change, SAME) for kind, change in copies.KINDS.items()}
for cropped in ("crop to 90 %", "crop to 75 %", "border of 5 %"):
    KINDS[cropped] = (copies.KINDS[cropped], ("cropped",))
KINDS["mirrored"] = (ImageOps.mirror, ("mirrored",))
KINDS.update({
    "a third of the size": (scaled(1 / 3, 1 / 3), SAME),
    "enlarged 1.7 times": (scaled(1.7, 1.7), SAME),
    "squashed to 80 %": (scaled(0.8, 1), SAME),
    "JPEG quality 10": (encoded(10), SAME),
    "brightness 0.6": (lambda picture: ImageEnhance.Brightness(picture).enhance(0.6), SAME),
    "brightness 1.8": (lambda picture: ImageEnhance.Brightness(picture).enhance(1.8), SAME),
    "contrast 0.5": (lambda picture: ImageEnhance.Contrast(picture).enhance(0.5), SAME),
    "gamma 2": (lambda picture: picture.point([round(255 * (i / 255) ** 0.5) for i in range(256)] * 3), SAME),
    "crop to 50 %, aside": (cut(0.5, 0.3, 0.6), ("cropped",)),
    "crop to 75 %, halved": (lambda picture: scaled(0.5, 0.5)(cut(0.75, 0.1, 0.9)(picture)), ("cropped",)),
    "right fifth cut off": (lambda picture: picture.crop((0, 0, picture.width * 4 // 5, picture.height)),
                            ("cropped",)),
    "black bars of 20 %": (lambda picture: ImageOps.expand(picture, (0, picture.height // 5), "black"),
                           ("cropped",)),
    "upside down": (ImageOps.flip, ("mirrored",)),
    "turned by 90": (lambda picture: picture.transpose(Image.ROTATE_90), ("rotated",)),
    "turned by 180": (lambda picture: picture.transpose(Image.ROTATE_180), ("rotated",)),
    "turned by 270": (lambda picture: picture.transpose(Image.ROTATE_270), ("rotated",)),
    "mirrored, 0.7, JPEG": (lambda picture: encoded(50)(scaled(0.7, 0.7)(ImageOps.mirror(picture))), ("mirrored",)),
})
# What no page of text promises: strips of lines fit each other in too many places.
HARD_FOR_PAGES = {kind for kind, (_, right) in KINDS.items() if right == ("cropped",)}
# Clipped away, most of some pictures is gone: 15 of 100 photographs at brightness 1.8, 4 of 100 at quality 10 (`all`).
HARD = {"brightness 1.8", "JPEG quality 10"}


# ---- pairs ---------------------------------------------------------------------------------------


class Pairs:
    """Saved pictures in pairs: [(what, kind, labels that are right, path, path)]."""

    def __init__(self, folder):
        self.folder, self.saved, self.all = folder, 0, []

    def save(self, picture):
        self.saved += 1
        path = os.path.join(self.folder, f"{self.saved}.ppm")
        picture.save(path)
        return path

    def add_copies(self, what, picture):
        path = self.save(picture)
        for kind, (change, right) in KINDS.items():
            self.all.append((what, kind, right, path, self.save(change(picture))))

    def add_others(self, what, pictures, change):
        """Each with the next one, which was changed."""
        for i, picture in enumerate(pictures):
            other = self.save(change(pictures[(i + 1) % len(pictures)]))
            self.all.append((what, "another one", ("similar",), self.save(picture), other))


def photographs(count):
    paths = sorted(glob.glob(os.path.join(SHARED, "pictures", "*")))[1::2] if SHARED else []
    return [Image.open(path).convert("RGB") for path in random.Random(2026).sample(paths, min(count, len(paths)))]


def make_pairs(folder, many):
    pairs, rnd = Pairs(folder), random.Random(2026)
    photos = photographs(100 if many else 8)
    scenes = [scene(rnd) for _ in range(30 if many else 4)]
    pages = [[page(rnd, name, size) for _ in range(8 if many else 2)]
             for name, size in (("DejaVuSansMono.ttf", 15), ("DejaVuSerif.ttf", 13), ("DejaVuSans.ttf", 18))]
    forms = [form(rnd) for _ in range(8 if many else 2)]
    for what, pictures in (("photograph", photos), ("drawn", scenes), ("page of text", [page for kind in pages for page in kind[: 6 if many else 1]])):
        for picture in pictures:
            pairs.add_copies(what, picture)
    for change in (copies.KINDS["half size"], encoded(10), cut(0.9, 0.5, 0.5), lambda picture: picture):
        pairs.add_others("photograph", photos, change)
        pairs.add_others("drawn", scenes, change)
        pairs.add_others("form, same", forms, change)
        for kind in pages:
            pairs.add_others("page of text", kind, change)
    for picture in photos + scenes:
        colours = ImageOps.grayscale(picture).convert("RGB")
        if sum(abs(a - b) for a, b in zip(picture.resize((1, 1)).tobytes(), colours.resize((1, 1)).tobytes())) > 12:
            pairs.all.append(("colours turned", "another one", ("similar",), pairs.save(picture),
                              pairs.save(turned_colours(picture))))
    return pairs.all


# ---- the table -----------------------------------------------------------------------------------


def upper(wrong, count):
    """What the rate is at most, with 95 %: Wilson's interval (JASA 22, 1927)."""
    z, rate = 1.96, wrong / count
    middle, spread = rate + z * z / (2 * count), z * math.sqrt(rate * (1 - rate) / count + (z / (2 * count)) ** 2)
    return (middle + spread) / (1 + z * z / count)


def main():
    tap, many = Tap(), sys.argv[2:] == ["all"]
    if not SHARED:
        left_out("labels of photographs; drawn pictures and pages of text do")
    with tempfile.TemporaryDirectory() as folder:
        pairs = make_pairs(folder, many)
        lines = "".join(f"{a}\t{b}\n" for *_, a, b in pairs)
        run = subprocess.run([os.path.join(sys.argv[1], "look_tool"), "times"], input=lines, text=True,
                             capture_output=True, check=False)
    answers = [line.split("\t") for line in run.stdout.splitlines()]
    tap.check(run.returncode == 0 and len(answers) == len(pairs), "every pair has a label", run.stderr)
    labels, wrong = collections.defaultdict(collections.Counter), collections.Counter()
    for (what, kind, right, *_), (label, _) in zip(pairs, answers):
        labels[what, kind][label] += 1
        wrong[what, kind] += label not in right
    for (what, kind), counts in labels.items():
        count = sum(counts.values())
        shown = ", ".join(f"{label} {n}" for label, n in counts.most_common())
        print(f"# {what:15} {kind:22} wrong {wrong[what, kind]:3} of {count:3} "
              f"(at most {upper(wrong[what, kind], count):.3f}): {shown}")
    times = sorted(float(time) / 1000 for _, time in answers)
    print(f"# a comparison takes {times[len(times) // 2]:.1f} ms, 95 % at most {times[len(times) * 95 // 100]:.1f}")
    for (what, kind), counts in labels.items():
        count = sum(counts.values())
        if kind == "another one":
            tap.check(wrong[what, kind] <= count // 20 * (what == "colours turned"),
                      f"{what}: none is taken for a copy of another one", counts)
        elif not (what == "page of text" and kind in HARD_FOR_PAGES):
            tap.check(wrong[what, kind] <= count // (4 if kind in HARD else 50),
                      f"{what}, {kind}: has its label", counts)
    tap.finish()


if __name__ == "__main__":
    main()
