"""The folder that a training run lives in; what each step leaves there for the next.

    views.u8         [views, side, side, 3] bytes; views.json says the side and what they are of
    teacher.f16      [views, 1280] little-endian; teacher.json says whose; classifier.npz is the teacher's
    checkpoint.pt    the student, its average, the optimizer; log.txt tells how it went
    train.json       the plan and what the student began with
    student.pth      the averaged student as export.py found it, in torchvision's names

A .json file is written when its step is complete, teacher.json when it begins.
"""

import json
import os
import sys

import numpy as np

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
MINISIM = os.path.join(TOOLS, "..", "build", "minisim")
sys.path.insert(0, TOOLS)  # msw, evaluation, importers


class Refusal(Exception):
    """A step cannot go on; the text says why."""


def replace(path, write):
    """Lets write(path) make a new file, then puts it in the place of the old one."""
    write(path + ".new")
    os.replace(path + ".new", path)


class Work:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def note(self, name):
        """What NAME.json says, or None where its step was not done."""
        try:
            with open(self.path(name + ".json"), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def set_note(self, name, note):
        def write(path):
            with open(path, "w", encoding="utf-8") as file:
                json.dump(note, file, indent=1)
        replace(self.path(name + ".json"), write)

    def views(self):
        """[views, side, side, 3] u8, left on the disk."""
        note = self.note("views")
        if note is None:
            raise Refusal(f"{self.folder}: no pictures are packed there; tools/train/pack.py does it")
        side = note["side"]
        return np.memmap(self.path("views.u8"), np.uint8, "r").reshape(-1, side, side, 3)

    def targets(self):
        """[views, values] f16, left on the disk: the teacher's embeddings, all of them there."""
        note = self.note("teacher")
        rows = np.empty((0, 1)) if note is None else np.memmap(
            self.path("teacher.f16"), "<f2", "r").reshape(-1, note["values"])
        if len(rows) != len(self.views()):
            raise Refusal(f"{self.folder}: the teacher has not seen all views; tools/train/teach.py "
                          "goes on with it")
        return rows


def end(name, main):
    """Runs a step's main; its exit status."""
    try:
        return main()
    except Refusal as refusal:
        print(f"{name}: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"{name}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 4
