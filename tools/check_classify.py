#!/usr/bin/python3
"""minisim classify and weights with a classifier: tools/check_classify.py BUILD.

A random classifier is put behind the default weights; what the program says of pictures is held against NumPy,
computed in double from the program's own embeddings. Labels, options and failures as a user meets them; and that the
writer and both readers agree on which classifiers there can be.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace

import check_export
import msw
import numpy as np
import sample_network as sample
from tap import Tap

CLASSES = 11


def with_classifier(model, classes, kind="f32", twins=()):
    """The model and a random classifier; the classes of `twins` are alike."""
    random, values = np.random.default_rng(classes), msw.layers(model)[-1].weight.shape[0]
    weight = random.normal(0, 0.3, (classes, values)).astype(np.float32)
    bias = random.normal(0, 1, classes).astype(np.float32)
    for twin in twins:
        weight[twin], bias[twin] = weight[twins[0]], bias[twins[0]]
    return replace(model, tensors=model.tensors + [msw.make_tensor("classifier.bias", bias, "f32"),
                                                   msw.make_tensor("classifier.weight", weight, kind)])


class Program:
    def __init__(self, build, folder):
        self.path, self.folder = os.path.abspath(f"{build}/minisim"), folder

    def run(self, *arguments, given=None):
        return subprocess.run([self.path, *arguments], capture_output=True, text=True, check=False, input=given,
                              cwd=self.folder)

    def classify(self, *arguments, given=None):
        return self.run("classify", *arguments, given=given)


def rows_of(run):
    return [json.loads(line) for line in run.stdout.splitlines()]


def write_lines(folder, name, lines, end="\n"):
    with open(os.path.join(folder, name), "w", newline="") as file:
        file.write("".join(line + end for line in lines))


def check_numbers(tap, program, model, paths):
    """Logits are the chain's, probabilities their softmax, equal classes come by number."""
    vectors = sample.embed(os.path.dirname(program.path), os.path.join(program.folder, "w.msw"),
                           [os.path.join(program.folder, p) for p in paths]).astype(np.float64)
    layer = msw.classifier(model)
    logits = vectors @ layer.weight.values().astype(np.float64).T + layer.bias.values()
    odds = np.exp(logits - logits.max(1, keepdims=True))
    odds /= odds.sum(1, keepdims=True)
    run = program.classify("--json", "-k", "4096", "--preprocessed", "--weights", "w.msw", *paths)
    good = run.returncode == 0 and not run.stderr
    for path, row, wanted, shares in zip(paths, rows_of(run), logits, odds):
        classes = [c["class"] for c in row["classes"]]
        got = np.array([c["logit"] for c in row["classes"]])
        good = good and row["schema"] == 1 and row["path"] == {"text": path} and sorted(classes) == list(
            range(CLASSES)) and np.abs(got - wanted[classes]).max() < 1e-4 * np.abs(wanted).max()
        good = good and all(a > b or (a == b and i < j) for a, b, i, j in zip(
            got, got[1:], classes, classes[1:])) and classes.index(7) == classes.index(4) + 1
        good = good and all(abs(c["probability"] - shares[c["class"]]) < 1e-4 for c in row["classes"])
    tap.check(good and len(rows_of(run)) == len(paths), "logits, probabilities and order are NumPy's",
              run.stdout + run.stderr)
    for options in (["--cpu", "reference"], ["--threads", "1"], ["--threads", "3"]):
        other = program.classify("--json", "-k", "4096", "--preprocessed", "--weights", "w.msw", *options, *paths)
        tap.check(other.stdout == run.stdout, f"the same bytes with {' '.join(options)}", other.stderr)
    text = program.classify("--preprocessed", "--weights", "w.msw", *paths)
    lines = []
    for row in rows_of(run):
        lines += [row["path"]["text"]] + [f"  {c['probability']:.4f}  class {c['class']}"
                                          for c in row["classes"][:5]]
    tap.check(text.stdout.splitlines() == lines, "as text: the name, and the five likeliest", text.stdout)


def check_labels(tap, program, picture):
    """As many as classes, or ImageNet's two counts; else both numbers are named."""
    names = [f"thing {i}" for i in range(CLASSES)]
    write_lines(program.folder, "labels", names)
    write_lines(program.folder, "windows", names, "\r\n")
    write_lines(program.folder, "fewer", names[:-1])
    run = program.classify("--json", "--weights", "w.msw", "--labels", "labels", picture)
    tap.check(run.returncode == 0 and all(c["label"] == f"thing {c['class']}" for c in
                                          rows_of(run)[0]["classes"]), "labels", run.stdout + run.stderr)
    for options, given in ((["windows", picture], None), (["-", picture], "\n".join(names))):
        other = program.classify("--json", "--weights", "w.msw", "--labels", *options, given=given)
        tap.check(other.stdout == run.stdout, f"labels from {options[0]}", other.stdout + other.stderr)
    text = program.classify("--weights", "w.msw", "--labels", "labels", picture).stdout.splitlines()
    tap.check([line[10:] for line in text[1:]] == [c["label"] for c in rows_of(run)[0]["classes"]],
              "labels as text", text)
    run = program.classify("--weights", "w.msw", "--labels", "fewer", picture)
    tap.check(run.returncode == 1 and not run.stdout and run.stderr
              == "minisim: fewer: it has 10 labels, the weights have 11 classes\n", "too few labels", run.stderr)
    write_lines(program.folder, "wrong", ['"no quote', *names])
    run = program.classify("--weights", "w.msw", "--labels", "wrong", picture)
    tap.check(run.returncode == 1 and not run.stdout and run.stderr.startswith("minisim: wrong: name 1 opens"),
              "a label that cannot be read", run.stderr)
    run = program.classify("--weights", "w.msw", "--labels", "nowhere", picture)
    tap.check(run.returncode == 1 and run.stderr.startswith("minisim: nowhere: ") and not run.stdout,
              "no file of labels", run.stderr)
    run = program.classify("--weights", "w.msw", "--labels", "-", "-", given="")
    tap.check(run.returncode == 2 and "only once" in run.stderr, "standard input cannot be both", run.stderr)


def check_background(tap, program, default, picture):
    counts = {1000: "n", 1001: "b"}
    write_lines(program.folder, "1000", [f"class {i}" for i in range(1000)])
    write_lines(program.folder, "1001", ["background"] + [f"class {i}" for i in range(1000)])
    write_lines(program.folder, "1002", [f"class {i}" for i in range(1002)])
    for classes, name in counts.items():
        with open(os.path.join(program.folder, name), "wb") as file:
            file.write(msw.pack(with_classifier(default, classes, "i8")))
        shift = classes - 1000
        for labels in ("1000", "1001"):
            run = program.classify("--json", "-k", "1001", "--weights", name, "--labels", labels, picture)
            good = run.returncode == 0 and all(
                c["label"] == (f"class {c['class'] - shift}" if c["class"] >= shift else "background")
                for c in rows_of(run)[0]["classes"])
            tap.check(good, f"{labels} labels for {classes} classes", run.stderr)
        run = program.classify("--weights", name, "--labels", "1002", picture)
        tap.check(run.returncode == 1 and "1,002 labels" in run.stderr, f"1002 labels for {classes} classes",
                  run.stderr)


def check_usage(tap, program, picture):
    weights = ("--weights", "w.msw")
    run = program.classify(picture)
    tap.check(run.returncode == 3 and "--keep-classifier" in run.stderr and len(run.stderr.splitlines()) == 1,
              "weights without a classifier: status 3, and how to make some", run.stderr)
    for arguments in ([*weights], [*weights, "-k", "0", picture], [*weights, "--null", picture],
                      [*weights, "--format", "npy", picture]):
        run = program.classify(*arguments)
        tap.check(run.returncode == 2 and not run.stdout, f"wrong usage: {' '.join(arguments)}", run.stderr)
    write_lines(program.folder, "broken.png", ["this is no picture"])
    run = program.classify(*weights, "-k", "1", picture, "broken.png", picture)
    tap.check(run.returncode == 1 and run.stdout.count(f"{picture}\n  ") == 2 and len(run.stdout.splitlines()) == 4
              and run.stderr.startswith("minisim: broken.png: "), "one picture fails, the others are done",
              run.stdout + run.stderr)
    os.mkdir(os.path.join(program.folder, "deep"))
    os.link(os.path.join(program.folder, picture), os.path.join(program.folder, "deep", "a.png"))
    run = program.classify(*weights, "-k1", "deep", "--files-from", "-", given=f"{picture}\n")
    tap.check(run.returncode == 0 and run.stdout.splitlines()[::2] == ["deep/a.png", picture],
              "folders and lists of names", run.stdout + run.stderr)
    run = program.run("info", "--json", "w.msw")
    tap.check(json.loads(run.stdout)["network"]["classes"] == CLASSES, "info tells how many classes", run.stdout)


def check_readers(tap, program, model):
    """A valid file comes back as it was; the writer and both readers refuse the same others."""
    build, path = os.path.dirname(program.path), os.path.join(program.folder, "lie.msw")
    with open(os.path.join(program.folder, "w.msw"), "rb") as file:
        whole = file.read()
    tap.check(msw.pack(msw.unpack(whole)) == whole and msw.classifier(msw.unpack(whole)).weight.shape[0] == CLASSES,
              "reading and writing gives the same bytes")
    bias, weight = model.tensors[-2:]

    def other(*tensors):
        return replace(model, tensors=model.tensors[:-2] + list(tensors))

    lies = {"one value fewer": other(bias, replace(weight, stored=weight.stored[:, 1:])),
            "a bias of another length": other(replace(bias, stored=bias.stored[1:]), weight),
            "a stride": other(bias, replace(weight, stride=1)),
            "no weight": other(bias),
            "a second one": other(bias, weight, bias, weight),
            "more than 4,096 classes": other(replace(weight, stored=np.zeros((4097, weight.shape[1]), "<f4"))),
            "a logit that could overflow": other(bias, replace(weight, stored=weight.stored * np.float32(1e37)))}
    for what, lie in lies.items():
        tap.check(check_export.both_refuse(build, path, lie), f"a classifier with {what}: refused by all")


def main():
    tap = Tap()
    os.environ.pop("MINISIM_WEIGHTS", None)
    with tempfile.TemporaryDirectory() as folder:
        program, default = Program(sys.argv[1], folder), msw.read(check_export.DEFAULT)
        model = with_classifier(default, CLASSES, twins=(4, 7))
        with open(os.path.join(folder, "w.msw"), "wb") as file:
            file.write(msw.pack(model))
        paths = [f"{seed}.png" for seed in range(3)]
        for seed, path in enumerate(paths):
            sample.write_png(os.path.join(folder, path), sample.pixels(default.input_size, seed))
        check_numbers(tap, program, model, paths)
        check_labels(tap, program, paths[0])
        check_background(tap, program, default, paths[0])
        check_usage(tap, program, paths[0])
        check_readers(tap, program, model)
    tap.finish()


if __name__ == "__main__":
    main()
