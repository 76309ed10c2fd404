#!/usr/bin/python3
"""Reads the pages of --html as a browser would: tools/check_report.py BUILD.

Each page is whole and its tags are balanced; it has no script, asks for nothing from elsewhere and says that to
the browser; names are text, whatever they hold; its thumbnails, read by Pillow, show the pictures; its SVG has
the counts that it was made of. Memory does not grow with the number of pictures.
"""

import base64
import html.parser
import io
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

from tap import Tap, peak_memory

VOID = {"meta", "img", "wbr"}
KNOWN = VOID | set("html head title style body header main section footer h1 h2 p ul li figure figcaption strong "
                   "small bdi div table caption tr th td svg path text".split())
LOADING = {"src", "href", "srcset", "data", "poster", "action", "background", "xlink:href", "style"}
NAMES = [b"<script>alert(1)<script>.png", b"a\"b'c&amp;&lt;<img src=x onerror=alert(1)>.png", b"<bdi><li>--><!--.png",
         b"bad\xff\xfe.png", b"new\nline\ttab\x1b[31m.png", "\u202egnp.\u043f\u0440\u0438.png".encode(), b"\"quoted\".png",
         b"x" * 250 + b".png"]


class Page(html.parser.HTMLParser):
    """What is wrong with a page, its cards and its images."""

    def __init__(self, path):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.cards, self.images, self.texts = [], [], [], [], []
        with open(path, encoding="utf-8") as file:  # strictly
            text = file.read()
        self.text = text
        self.feed(text)
        self.close()
        if self.open or not text.startswith("<!DOCTYPE html>") or not text.endswith("</html>\n"):
            self.faults.append(f"not whole: {self.open}")
        if re.search(r"[\0-\x09\x0b-\x1f\x7f-\x9f]", text):
            self.faults.append("a control character")
        if "url(" in text or "@import" in text:
            self.faults.append("a reference in the style")
        if "default-src 'none'; img-src data:; style-src 'unsafe-inline'\"" not in text:
            self.faults.append("no policy")

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        if tag not in KNOWN:
            self.faults.append(f"a tag {tag}")
        if len(set(names)) < len(names) or any(name.startswith("on") for name in names):
            self.faults.append(f"attributes of {tag}: {names}")
        for name, value in attrs:
            if name in LOADING and not (tag == "img" and name == "src" and value.startswith("data:image/")):
                self.faults.append(f"a reference: {name}={value[:40]}")
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "li":
            self.cards.append({"chosen": dict(attrs).get("class") == "on", "images": len(self.images), "name": ""})
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.texts.append(data)
        if "bdi" in self.open and "li" in self.open:
            self.cards[-1]["name"] += data

    def handle_comment(self, data):
        self.faults.append(f"a comment {data}")

    unknown_decl = handle_pi = handle_comment

    def handle_decl(self, decl):
        if decl != "DOCTYPE html":
            self.handle_comment(decl)


def pixels_of(image):
    """A thumbnail, [height, width, 3]."""
    kind, _, data = image["src"].partition(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
        picture.load()
        good = (kind == "data:image/" + picture.format.lower() and picture.mode == "RGB"
                and (picture.width, picture.height) == (int(image["width"]), int(image["height"])))
        return np.asarray(picture).astype(float) if good else None


def run(build, *words, page=None):
    done = subprocess.run([f"{build}/minisim", *words, *(["--html", page] if page else [])],
                          capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"status {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def scene(seed, width=300, height=200):
    """Something smooth, so that it is the same when it is small."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.BICUBIC)


def check_names(tap, build, folder):
    """The page has the names as standard output has them."""
    inner = os.fsencode(folder) + b"/<b>&amp;</li>"
    os.makedirs(inner)
    for i, name in enumerate(NAMES):
        scene(i // 2).save(os.path.join(os.fsdecode(inner), "plain.png"))
        os.rename(inner + b"/plain.png", inner + b"/" + name)
    catalogue, page = f"{folder}/c.msc", f"{folder}/page.html"
    run(build, "index", "-q", catalogue, inner)
    first = inner + b"/" + NAMES[1]
    for words, column, lead in ((("search", catalogue, first, "-k", "100"), 1, 1), (("duplicates", catalogue), 2, 0),
                                (("compare", inner), 1, 1), (("compare", "--matrix", inner), 1, 0),
                                (("compare", "--why", first, inner + b"/" + NAMES[3]), None, 0)):
        out = run(build, *words, page=page).decode()
        got = Page(page)
        what = " ".join(map(str, words[:2])).replace(catalogue, "").replace(os.fsdecode(inner), "")
        tap.check(not got.faults, f"{what}: a whole page that is one file and has no script", got.faults)
        names = sorted(card["name"] for card in got.cards[lead:])
        lines = [line.split("\t") for line in out.splitlines() if not line.startswith("#")]
        if column is not None and words[1] != "--matrix":
            told = sorted(line[column] for line in lines if len(line) > column)
            tap.check(names == told and len(names) > 3, f"{what}: names are text, as they are printed", (names, told))
        else:
            tap.check(len(names) == (len(NAMES) if column is not None else 2)
                      and all(name.strip('"').startswith(os.fsdecode(inner) + "/") for name in names),
                      f"{what}: names are text", names)
        alts = [image["alt"] for image in got.images]
        tap.check(all(pixels_of(image) is not None for image in got.images if "width" in image)
                  and all(alts) and len(alts) >= len(names), f"{what}: Pillow reads each thumbnail", alts)


def check_thumbnails(tap, build, folder):
    """They show the pictures as they are seen: turned by EXIF, on white where nothing is, never enlarged."""
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(50, 300, 200).save(f"{folder}/turned.jpg", quality=95, exif=exif)
    clear = scene(51, 400, 90).convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.where(np.arange(400) < 200, 0, 255).astype(np.uint8), (90, 1))))
    clear.save(f"{folder}/clear.png")
    scene(52, 60, 40).save(f"{folder}/small.png")
    scene(53, 2000, 3).save(f"{folder}/line.png")
    scene(54, 900, 800).convert("L").save(f"{folder}/grey.jpg", quality=95)
    names, page = ["turned.jpg", "clear.png", "small.png", "line.png", "grey.jpg"], f"{folder}/thumbnails.html"
    run(build, "compare", *(f"{folder}/{name}" for name in names), page=page)
    sizes, off = [], []
    for name, image in zip(names, Page(page).images):
        got = pixels_of(image)
        with Image.open(f"{folder}/{name}") as picture:
            seen = picture.transpose(Image.ROTATE_270) if name == "turned.jpg" else picture
            white = Image.new("RGB", seen.size, "white")
            white.paste(seen.convert("RGB"), mask=seen.getchannel("A") if seen.mode == "RGBA" else None)
        sizes.append(got.shape[1::-1])
        wanted = np.asarray(white.resize(sizes[-1], Image.BILINEAR)).astype(float)
        off.append(round(np.abs(got - wanted).mean(), 1))
    tap.check(sizes == [(149, 224), (224, 50), (60, 40), (224, 1), (224, 199)], "thumbnails have the pictures' shapes", sizes)
    tap.check(max(off) < 6, "thumbnails show the pictures", off)


def check_chart(tap, build, folder):
    for i in range(30):
        scene(100 + i, 120, 100).save(f"{folder}/chart-{i}.png")
    catalogue, page = f"{folder}/chart.msc", f"{folder}/chart.html"
    run(build, "index", "-q", catalogue, *(f"{folder}/chart-{i}.png" for i in range(30)))
    for metric in ("cosine", "euclidean", "dot"):
        out = json.loads(run(build, "calibrate", "-n", "--json", "--metric", metric, catalogue, page=page))
        got = Page(page)
        drawn = re.findall(r'<path class="(\w+)" d="M(\S+) (\S+?)[VvHh]', got.text)
        tap.check(not got.faults and [kind for kind, *_ in drawn] == ["area", "outline", "axis", "mark"],
                  f"calibrate, {metric}: a whole page with a drawing", got.faults)
        # Where the mark is: as far along the axis as its value between two of the axis's numbers.
        texts = [(float(x), float(y), float(value)) for x, y, value in
                 re.findall(r'<text x="(\S+)" y="(\S+)" text-anchor="\w+">([^<]+)</text>', got.text)]
        numbers = [(x, value) for x, y, value in texts if y > 100]
        (x0, v0), (x1, v1) = numbers[0], numbers[-1]
        mark, threshold = float(drawn[3][1]), out["recommended"][metric]
        tap.check(abs(x0 + (threshold - v0) / (v1 - v0) * (x1 - x0) - mark) < 0.3 and v0 != v1,
                  f"calibrate, {metric}: the threshold is drawn where it is", (numbers, mark, threshold))
        # Of the pairs' bins, how much lies before the mark is what the threshold takes for copies.
        bins = re.search(r'<path class="outline" d="M\S+ \d+((?:V\S+?H[0-9.]+)+)', got.text).group(1)
        steps = [(float(x), 180 - float(y)) for y, x in re.findall(r"V([0-9.]+)H([0-9.]+)", bins)]
        width = steps[1][0] - steps[0][0]
        whole = sum(height for _, height in steps)
        before = [sum(height for x, height in steps if x <= mark + more) / whole for more in (-width, width)]
        share = out["recommended"]["unrelated_pairs"]
        tap.check(before[0] - 0.02 <= share["found"] / share["of"] <= before[1] + 0.02,
                  f"calibrate, {metric}: as many pairs lie before it as are told", (before, share))


def check_memory(tap, build, folder):
    """100 thumbnails that no JPEG makes small: 4 MB of them."""
    noise = np.random.default_rng(9).integers(0, 256, (224, 224, 3), np.uint8)
    Image.fromarray(noise).save(f"{folder}/noise.png")
    peaks = {}
    for page in ("", f"{folder}/many.html"):
        for count in (2, 100):
            status, peaks[bool(page), count], _, said = peak_memory(
                build, "compare", "--threads", "1", *([f"{folder}/noise.png"] * count), *(["--html", page] if page else []))
            if status:
                raise ValueError(said)
    more = [peaks[page, 100] - peaks[page, 2] for page in (False, True)]
    size = os.path.getsize(page) / 1024
    print(f"# 98 thumbnails more: {more[1] - more[0]} KiB more than without a page; a page of {size:.0f} KiB")
    tap.check(size > 3000 and more[1] - more[0] < 1024, "memory does not grow with the page", (peaks, size))


def main():
    tap, build = Tap(), sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        check_names(tap, build, folder)
        check_thumbnails(tap, build, folder)
        check_chart(tap, build, folder)
        check_memory(tap, build, folder)
    tap.finish()


if __name__ == "__main__":
    main()
