#!/usr/bin/python3
"""Runs minisim and other engines in turn and prints a table: called by tools/bench-peers.

Every engine is a command `ENGINE NETWORK PIXELS THREADS RUNS`; network.py says which files those
are.
It prints its version, the median and the fastest run in milliseconds, and its embedding, one after
another on a line.
"""

import argparse
import os
import statistics
import subprocess
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.dirname(HERE)
sys.path[:0] = [TOOLS]
import msw  # noqa: E402
import network  # noqa: E402

LEAST_COSINE = 0.99999
# The script's name is what the table says; minisim comes first, the ratios are to it.
ENGINES = ("minisim", "xnnpack", "onnxruntime", "onednn", "opencv")


class Left(Exception):
    """An engine that does not run; the text says why."""


def command_of(name, folder):
    missing = os.path.join(folder, name + ".missing")
    if os.path.exists(missing):
        with open(missing) as file:
            raise Left(file.read().strip())
    if name == "onnxruntime":
        return ["node", os.path.join(HERE, "onnxruntime.js")]
    if name == "opencv":
        return ["/usr/bin/python3", os.path.join(HERE, "opencv.py")]
    return [os.path.join(folder, name)]


def run(name, folder, paths, threads, runs):
    """(version, median ms, fastest ms, embedding) of one engine; one thread stays on one core."""
    core = ["taskset", "-c", str(max(os.sched_getaffinity(0)))] if threads == 1 else []
    done = subprocess.run([*core, *command_of(name, folder), *paths, str(threads), str(runs)],
                          capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": str(threads)})
    if done.returncode:
        raise Left((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1])
    version, median, fastest, *embedding = done.stdout.split()
    return version, float(median), float(fastest), np.array(embedding, np.float64)


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def measure(folder, paths, rounds, runs):
    """{(threads, name): [(version, median, fastest)]} and {(threads, name): why it is left out}."""
    results, left, expected = {}, {}, None
    for _ in range(rounds):
        for threads in (1, 2):
            for name in ENGINES:
                if (threads, name) in left:
                    continue
                try:
                    version, median, fastest, embedding = run(name, folder, paths, threads, runs)
                    expected = embedding if expected is None else expected
                    if not cosine(embedding, expected) >= LEAST_COSINE:
                        raise Left(f"another embedding: cosine {cosine(embedding, expected):.6f}")
                    results.setdefault((threads, name), []).append((version, median, fastest))
                except Left as why:
                    left[threads, name] = str(why)
    return results, left


def cpu():
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return f"{names[0] if names else 'unknown'}, {os.cpu_count()} cores"


def report(results, left):
    print(f"{'engine':<14}{'version':<12}{'threads':>7}{'median ms':>12}{'fastest':>10}"
          f"{'ratio':>8}")
    for threads in (1, 2):
        base = results.get((threads, "minisim"))
        for name in ENGINES:
            rows = results.get((threads, name))
            if rows is None:
                continue
            median = statistics.median(row[1] for row in rows)
            ratio = f"{median / statistics.median(row[1] for row in base):.3f}" if base else "-"
            print(f"{name:<14}{rows[0][0]:<12}{threads:>7}{median:>12.3f}"
                  f"{min(row[2] for row in rows):>10.3f}{ratio:>8}")
    for (threads, name), why in left.items():
        if threads == 1:
            print(f"left out: {name}: {why}")
        elif left.get((1, name)) != why:
            print(f"left out: {name} with {threads} threads: {why}")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench-peers")
    parser.add_argument("folder", help=argparse.SUPPRESS)
    parser.add_argument("weights", nargs="?",
                        default=os.path.join(os.path.dirname(TOOLS), "weights",
                                             "minisim-default.msw"))
    parser.add_argument("--rounds", type=int, default=5, help="of every engine in turn (5)")
    parser.add_argument("--runs", type=int, default=60, help="a round (60)")
    options = parser.parse_args()
    try:
        model = msw.read(options.weights)
    except (msw.FormatError, OSError) as error:
        print(f"bench-peers: {options.weights}: {error}", file=sys.stderr)
        return 3
    paths = [os.path.join(options.folder, name) for name in ("network", "pixels")]
    network.write(model, *paths, options.weights)
    results, left = measure(options.folder, paths, options.rounds, options.runs)
    print(f"{options.weights}, {model.input_size}x{model.input_size}, f32; {cpu()}; "
          f"{options.rounds} rounds of {options.runs} runs")
    report(results, left)
    return 0


if __name__ == "__main__":
    sys.exit(main())
