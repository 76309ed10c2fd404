#!/usr/bin/python3
"""Makes a weights file of a run: tools/train/export.py WORK -o FILE.msw (see README.md here)

The averaged student, with the recipe as facts; with --held-out and --unrelated also how good it is, which
tools/evaluate finds out on the file as it will be.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys

import torch
import work


def parse_options():
    parser = argparse.ArgumentParser(description="Makes a weights file of a run.")
    add = parser.add_argument
    add("work", metavar="WORK", help="the folder that the run lives in")
    add("-o", "--output", metavar="FILE.msw", required=True)
    add("--input-size", type=int, default=128, help="the side that was trained last (128)")
    add("--held-out", metavar="FOLDER", help="folders, one a class, that training never saw")
    add("--unrelated", metavar="FOLDER", help="the same, for the distances of unrelated pictures")
    add("--blend", type=blend_of, metavar="FILE.pth=SHARE",
        help="take SHARE of each value from there, where the run began: it keeps what that knew of other pictures")
    add("--fact", action="append", default=[], metavar="KEY=VALUE", help="to say more; any number of times")
    add("--minisim", metavar="PROGRAM", default=work.MINISIM)
    return parser.parse_args()


def blend_of(text):
    path, _, share = text.rpartition("=")
    if not path or not 0 < float(share) < 1:
        raise ValueError
    return path, float(share)


def student(options, state):
    """The run's average, or a line's point between this and the values of --blend (Wortsman et al. 2022, Robust
    fine-tuning of zero-shot models)."""
    if not options.blend:
        return state["average"]
    path, share = options.blend
    other = torch.load(path, "cpu", weights_only=True)
    if {name: value.shape for name, value in other.items()} != {
            name: value.shape for name, value in state["average"].items()}:
        raise work.Refusal(f"--blend {path}: is no student of this width")
    return {name: value.lerp(other[name], share) if value.is_floating_point() else value
            for name, value in state["average"].items()}


def tool(name, *options):
    command = [os.path.join(work.TOOLS, name), *options]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise work.Refusal(f"{name} ended with status {run.returncode}")
    return run.stdout


def recipe(place, state, blend):
    views, teacher, train = (place.note(name) for name in ("views", "teacher", "train"))
    return {"licence": "MIT", "date": datetime.date.today().isoformat(),
            "trained": f"distilled from {teacher['name']}, {state['samples']:,} samples "
                       f"(tools/train, plan {train['plan']})"
                       + (f", begun with {train['start']}" if train["start"] else "")
                       + (f", {blend[1]:g} of {os.path.basename(blend[0])} blended in" if blend else ""),
            "data": f"{views['views']:,} views of {views['pictures']:,} pictures: "
                    + ", ".join(f"{name} ({count:g} each)" for name, count in views["folders"].items())
                    + (f"; held out: {', '.join(views['held_out'])}" if views["held_out"] else "")}


def quality(options):
    """Facts of how good the file is that stands there."""
    facts, ask = {}, ("--json", "--minisim", options.minisim)
    if options.held_out:
        found = json.loads(tool("evaluate", *ask, options.output, options.held_out))
        best = found["methods"][0]
        facts["quality"] = (f"mAP {best['mean_average_precision']:.3f} and 1-NN {best['recall']['1']:.3f} "
                            f"on {found['pictures']:,} pictures of {found['classes']} classes never seen")
    if options.unrelated:
        found = json.loads(tool("evaluate", *ask, "--copies", options.output, options.unrelated))
        facts.update(found["methods"][0]["facts"])
    return facts


def main():
    options = parse_options()
    place = work.Work(options.work)
    if not os.path.exists(place.path("checkpoint.pt")):
        raise work.Refusal(f"{options.work}: nothing was trained there; tools/train/train.py does it")
    state = torch.load(place.path("checkpoint.pt"), "cpu", weights_only=True)
    torch.save(student(options, state), place.path("student.pth"))

    def export(facts):
        return tool("export_weights.py", place.path("student.pth"), "-o", options.output,
                    "--type", "f16", "--input-size", str(options.input_size), "--geometry", "squash",
                    "--mean", ".5,.5,.5", "--std", ".5,.5,.5",
                    *(word for key, value in facts.items() for word in ("--fact", f"{key}={value}")))
    facts = {**recipe(place, state, options.blend), **dict(fact.split("=", 1) for fact in options.fact)}
    told = export(facts)
    if found := quality(options):
        told = export({**facts, **found})
    print(told, end="")
    return 0


if __name__ == "__main__":
    sys.exit(work.end("export", main))
