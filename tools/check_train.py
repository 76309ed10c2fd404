#!/usr/bin/python3
"""Trains a tiny student for a few steps on drawn pictures, stops it, goes on: tools/check_train.py BUILD.

Only where torch is installed: it is too large to be installed for this.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait leave the cores to others
try:
    import torch
except ModuleNotFoundError:
    print("# left out: tools/train (python3-torch is not installed)")
    print("1..0 # SKIP")
    sys.exit(0)

from check_evaluate import WEIGHTS, draw
from tap import Tap

STEPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train")
sys.path.insert(0, STEPS)

import losses
import msw
import network
import train

TINY = ("--width", "0.35", "--batch", "9")


def step(name, *arguments):
    return subprocess.run([os.path.join(STEPS, f"{name}.py"), *arguments], capture_output=True,
                          text=True, check=False)


def check_losses(tap):
    random = torch.Generator().manual_seed(2)
    teacher, other = torch.rand(2, 8, 1280, generator=random)
    classifier = (torch.rand(10, 1280, generator=random) - 0.5, torch.rand(10, generator=random))
    loss = losses.Loss(teacher.mean(0), classifier)
    nearer = loss.mean + losses.SHARE * (teacher - loss.mean)
    same = {name: float(part) for name, part in loss(nearer, teacher).items()}
    tap.check(len(same) == 5 and all(abs(part) < 1e-5 for part in same.values()),
              "the losses are 0 where the student is what is asked for", same)
    unlike = {name: float(part) for name, part in loss(other, teacher).items()}
    tap.check(all(part > 1e-4 for part in unlike.values()), "and above it where they do not", unlike)


def check_learning(tap):
    """Ten steps on one batch."""
    torch.manual_seed(3)
    options = train.argparse.Namespace(width=0.35, start=None, bf16=False)
    state = train.State(options, "cpu")
    state.student.train()
    pixels = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    targets = 2 * torch.rand(8, 1280) ** 3
    loss = losses.Loss(targets.mean(0), None)
    told = [sum(train.step(state, loss, pixels, targets, 2e-3).values()) for _ in range(10)]
    tap.check(told[-1] < 0.8 * told[0], "ten steps on one batch lower the loss", told)
    tap.check(state.samples == 80 and state.steps == 10, "samples and steps are counted")


def check_counts(tap, place, folder):
    """Of nine pictures."""
    work = os.path.join(place, "few")
    packed = step("pack", work, folder, "--side", "32", "--views-of", "pictures=0.5", "--hold-out", "none")
    tap.check("packed 4 views of 4 pictures" in packed.stdout, "views of every second picture", packed)
    stranger = step("pack", work + "er", folder, "--views-of", "nobody=1")
    tap.check(stranger.returncode == 3 and "no FOLDER has this name" in stranger.stderr,
              "views of a folder that is not there", stranger)
    first = os.path.join(folder, "a_1.png")
    os.link(next(os.path.join(where, names[0]) for where, _, names in os.walk(folder) if names), first)
    packed = step("pack", work + "est", folder, "--side", "32", "--views", "1", "--hold-out", "a")
    tap.check("packed 9 views" in packed.stdout, "a file of a class held out", packed)
    os.unlink(first)


def check_teacher(tap, build, work):
    """A kill in the middle of a row: what comes after is the same."""
    arguments = (work, WEIGHTS, "--minisim", f"{build}/minisim")
    path = os.path.join(work, "teacher.f16")
    first = step("teach", *arguments)
    with open(path, "rb") as file:
        rows = file.read()
    os.truncate(path, 5 * 2560 + 999)
    second = step("teach", *arguments)
    with open(path, "rb") as file:
        again = file.read()
    tap.check(len(rows) == 18 * 2560 and again == rows, "the teacher goes on after a kill",
              (first, second, len(rows), len(again)))
    other = step("teach", work, os.path.join(work, "untrained.msw"), "--minisim", f"{build}/minisim")
    tap.check(other.returncode == 3, "another teacher is not mixed in", other)


def check_resuming(tap, work):
    first = step("train", work, *TINY, "--plan", "32:18:1e-3")
    tap.check(first.returncode == 0 and "18 samples: the plan is done" in first.stdout,
              "a few steps", first)
    run = subprocess.Popen([os.path.join(STEPS, "train.py"), work, *TINY, "--plan",
                            "32:18:1e-3,64:1000000:1e-3"], stdout=subprocess.PIPE, text=True)
    told = run.stdout.readline()
    time.sleep(0.5)
    run.send_signal(signal.SIGTERM)
    told += run.communicate()[0]
    state = torch.load(os.path.join(work, "checkpoint.pt"), weights_only=True)
    tap.check("goes on after 18 samples" in told and "stopped" in told and run.returncode == 130
              and state["samples"] >= 18, "it goes on with a longer plan until it is stopped", told)
    short = step("train", work, *TINY, "--plan", f"32:{state['samples'] + 9}:1e-3")
    tap.check(f"goes on after {state['samples']:,} samples" in short.stdout and short.returncode == 0,
              "and goes on from there", short)
    wide = step("train", work, "--width", "0.5")
    tap.check(wide.returncode == 3 and "has width 0.35" in wide.stderr, "another width is refused", wide)


def check_export(tap, build, work, folder):
    """The file computes what the averaged student computes, and tells where it comes from."""
    output = os.path.join(work, "student.msw")
    run = step("export", work, "-o", output, "--input-size", "64", "--held-out", folder,
               "--minisim", f"{build}/minisim")
    tap.check(run.returncode == 0, "export", run)
    told = json.loads(subprocess.run([f"{build}/minisim", "info", "--json", output],
                                     capture_output=True, check=True).stdout)["weights"]["facts"]
    tap.check("distilled from student.pth" in told["trained"] and "held out: tree" in told["data"]
              and "1-NN" in told["quality"],
              "facts of recipe, data and quality", told)
    side, picture = 64, os.path.join(work, "square.ppm")
    pixels = np.random.default_rng(4).integers(0, 256, (side, side, 3), np.uint8)
    with open(picture, "wb") as file:
        file.write(b"P6 64 64 255\n" + pixels.tobytes())
    row = np.frombuffer(subprocess.run(
        [f"{build}/minisim", "embed", "--weights", output, "--format", "f32", picture],
        capture_output=True, check=True).stdout, "<f4")
    student = network.Student(0.35).eval()
    student.load_state_dict(torch.load(os.path.join(work, "student.pth"), weights_only=True))
    with torch.no_grad():
        wanted = student(torch.from_numpy(pixels.transpose(2, 0, 1)[None] / 127.5 - 1).float())[0].numpy()
    worst = np.abs(row - wanted).max() / np.abs(wanted).max()
    print(f"# the exported student: largest difference {worst:.2g} of the largest value (f16)")
    tap.check(worst < 0.02, "the exported student computes the same", worst)


def check_blend(tap, work):
    """Values between the average and those of another student."""
    start, output = os.path.join(work, "start.pth"), os.path.join(work, "blended.msw")
    other = network.Student(0.35).state_dict()
    torch.save(other, start)
    run = step("export", work, "-o", output, "--blend", f"{start}=0.25")
    average = torch.load(os.path.join(work, "checkpoint.pt"), weights_only=True)["average"]
    student = torch.load(os.path.join(work, "student.pth"), weights_only=True)
    good = all(torch.allclose(student[name].double(), 0.75 * average[name].double() + 0.25 * other[name].double(), 1e-5, 1e-6)
               for name in student if student[name].is_floating_point())
    tap.check(run.returncode == 0 and good, "a quarter of another student's values", run)
    told = msw.read(output).facts["trained"]
    tap.check("0.25 of start.pth blended in" in told, "and the facts say so", told)
    torch.save(network.Student(0.5).state_dict(), start)
    run = step("export", work, "-o", output, "--blend", f"{start}=0.25")
    tap.check(run.returncode == 3 and "no student of this width" in run.stderr, "another width is not blended in", run)


def main():
    tap, build = Tap(), os.path.abspath(sys.argv[1])
    check_losses(tap)
    check_learning(tap)
    with tempfile.TemporaryDirectory() as place:
        folder, work = os.path.join(place, "pictures"), os.path.join(place, "work")
        os.mkdir(folder)
        draw(build, folder)
        early = step("train", work)
        tap.check(early.returncode == 3 and "no pictures are packed" in early.stderr,
                  "steps come in order", early)
        packed = step("pack", work, folder, "--side", "64", "--views", "3", "--hold-out", "tree")
        tap.check("packed 18 views of 6 pictures" in packed.stdout, "pictures are packed", packed)
        check_counts(tap, place, folder)
        subprocess.run([sys.executable, "-c", "import sys; from evaluation.rows import write_untrained; "
                        "write_untrained(sys.argv[1], 0.35, 32)", os.path.join(work, "untrained.msw")],
                       check=True, cwd=os.path.join(STEPS, ".."))
        check_teacher(tap, build, work)
        check_resuming(tap, work)
        check_export(tap, build, work, folder)
        check_blend(tap, work)
    tap.finish()


if __name__ == "__main__":
    main()
