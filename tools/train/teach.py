#!/usr/bin/python3
"""The teacher's embeddings of all packed views, by minisim: tools/train/teach.py WORK TEACHER.msw

Goes on where an earlier run was stopped.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import work

import msw

AT_ONCE = 512  # views: files for one run of minisim


def parse_options():
    parser = argparse.ArgumentParser(description="Lets the teacher embed all packed views.")
    parser.add_argument("work", metavar="WORK", help="the folder that the run lives in")
    parser.add_argument("teacher", metavar="TEACHER.msw")
    parser.add_argument("--minisim", metavar="PROGRAM", default=work.MINISIM)
    return parser.parse_args()


def run(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    except OSError as error:
        raise work.Refusal(f"{command[0]}: {error.strerror}; make builds it") from None
    except subprocess.CalledProcessError as error:
        raise work.Refusal(f"{command[0]} ended with status {error.returncode}") from None


def describe(options):
    """What teacher.json says. Another teacher's rows cannot stand in the same file."""
    told = json.loads(run([options.minisim, "info", "--json", options.teacher]))
    return {"name": told["weights"]["facts"].get("source", os.path.basename(options.teacher)),
            "embedding_id": told["embedding_id"], "values": told["network"]["embedding_size"]}


def embed(options, views):
    """[views, values] f32; the views become files, whose names are in order."""
    with tempfile.TemporaryDirectory(prefix="minisim-") as folder:
        for i, view in enumerate(views):
            with open(os.path.join(folder, f"{i:06}.ppm"), "wb") as file:
                file.write(b"P6 %d %d 255\n" % view.shape[1::-1] + view.tobytes())
        rows = run([options.minisim, "embed", "--weights", options.teacher, "--geometry", "squash",
                    "--format", "f32", "--progress", "never", folder])
    return np.frombuffer(rows, "<f4").reshape(len(views), -1)


def keep_classifier(options, place):
    """The teacher's classifier, where its file holds one, in a file that train.py reads."""
    tensors = {tensor.name: tensor.values() for tensor in msw.read(options.teacher).tensors}
    weight = tensors.get("classifier.weight")
    if weight is None:
        print(f"{options.teacher} holds no classifier: trained without the divergence of classes")
    else:
        bias = tensors.get("classifier.bias", np.zeros(len(weight), np.float32))
        np.savez(place.path("classifier.npz"), weight=weight, bias=bias)


def main():
    options = parse_options()
    place = work.Work(options.work)
    views, note = place.views(), describe(options)
    earlier = place.note("teacher")
    if earlier not in (None, note):
        raise work.Refusal(f"{options.work}: another teacher's embeddings are there "
                           f"({earlier['name']}); remove teacher.json and teacher.f16")
    if earlier is None:
        open(place.path("teacher.f16"), "wb").close()
        keep_classifier(options, place)
        place.set_note("teacher", note)
    with open(place.path("teacher.f16"), "r+b") as file:
        row = 2 * note["values"]
        first = done = file.seek(0, os.SEEK_END) // row
        file.truncate(done * row)  # a kill may have cut a row
        file.seek(done * row)
        began = time.monotonic()
        while done < len(views):
            file.write(embed(options, views[done : done + AT_ONCE]).astype("<f2").tobytes())
            file.flush()
            done = min(done + AT_ONCE, len(views))
            rate = (done - first) / (time.monotonic() - began)
            print(f"\r{done:,} of {len(views):,} views, {rate:.0f} a second", end="", flush=True)
    print(f"\nthe teacher, {note['name']}, has seen {len(views):,} views")
    return 0


if __name__ == "__main__":
    sys.exit(work.end("teach", main))
