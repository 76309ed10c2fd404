#!/usr/bin/python3
"""Trains the student on packed views: tools/train/train.py WORK (see README.md here)

On a GPU where torch sees one, else on the CPU. It saves its state every few minutes and when it is told
to stop (SIGINT, SIGTERM), and goes on from there when started again; a plan that has become longer is
gone on with, too. In order: options, samples, the state, one step, the loop.
"""

import argparse
import math
import os
import signal
import sys
import time

import numpy as np
import torch
import work
from torch.utils.data import DataLoader, Dataset

from damage import damage
from losses import Loss
from network import Student

PLAN = "96:1600000:2e-3,128:1600000:1e-3"
WARM_UP = 0.03  # of a phase, in which the rate rises
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
CORES = len(os.sched_getaffinity(0))
SAVE_SECONDS, TELL_SECONDS = 180, 20


def phases(text):
    """[(side, samples, rate)]"""
    plan = [(int(side), int(samples), float(rate))
            for side, samples, rate in (phase.split(":") for phase in text.split(","))]
    if any(side % 32 or not 32 <= side <= 512 or samples < 1 or not 0 < rate < 1
           for side, samples, rate in plan):
        raise ValueError
    return plan


def plan_text(plan):
    return ",".join(f"{side}:{samples}:{rate:g}" for side, samples, rate in plan)


def parse_options():
    parser = argparse.ArgumentParser(description="Trains the student on packed views.")
    add = parser.add_argument
    add("work", metavar="WORK", help="the folder that the run lives in")
    add("--width", type=float, default=0.5, help="of the student (0.5)")
    add("--plan", type=phases, default=PLAN, metavar="SIDE:SAMPLES:RATE,...",
        help=f"phases, one after the other: the student's input, how many samples, the highest "
             f"learning rate ({PLAN})")
    add("--batch", type=int, default=128, help="samples a step (128)")
    add("--start", metavar="FILE.pth",
        help="begin with these values (a student.pth of the project's own) instead of random ones")
    add("--threads", type=int, default=CORES, help=f"on the CPU (all cores: {CORES})")
    add("--bf16", action="store_true",
        help="layers in bfloat16, as always on a GPU: a third faster on CPUs with AVX-512 BF16")
    return parser.parse_args()


# ---- samples: the view that sample n shows depends on n alone ------------------------------------


class Samples(Dataset):
    """Samples `first` to `end` - 1: pixels u8 [3, side, side] and the teacher's embedding f32. Each
    pass through the views is in another order."""

    def __init__(self, place, first, end, side):
        self.views, self.targets = place.views(), place.targets()
        self.first, self.end, self.side = first, end, side
        self.order = (None, None)  # the pass it belongs to

    def __len__(self):
        return self.end - self.first

    def __getitem__(self, index):
        n = self.first + index
        turn, at = divmod(n, len(self.views))
        if self.order[0] != turn:
            self.order = (turn, np.random.default_rng(turn).permutation(len(self.views)))
        view = self.order[1][at]
        pixels = damage(np.random.default_rng([1, n]), self.views[view], self.side)
        return (torch.from_numpy(pixels.transpose(2, 0, 1).copy()),
                torch.from_numpy(self.targets[view].astype(np.float32)))


# ---- the state of a run --------------------------------------------------------------------------


class State:
    """The student, its running average, the optimizer, and how many samples were seen."""

    def __init__(self, options, device):
        self.width, self.device, self.samples, self.steps = options.width, device, 0, 0
        self.bf16 = options.bf16 or device == "cuda"
        self.student = Student(options.width).to(device, memory_format=torch.channels_last)
        self.average = Student(options.width).to(device, memory_format=torch.channels_last)
        if options.start:
            self.student.load_state_dict(torch.load(options.start, device, weights_only=True))
        self.average.load_state_dict(self.student.state_dict())
        matrices = [p for p in self.student.parameters() if p.dim() > 1]
        vectors = [p for p in self.student.parameters() if p.dim() == 1]
        self.optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.02},
                                            {"params": vectors, "weight_decay": 0.0}])

    def save(self, path):
        """Without a float, so that torch loads it without running what a pickle may hold."""
        values = {"width": f"{self.width:g}", "samples": self.samples, "steps": self.steps,
                  "student": self.student.state_dict(), "average": self.average.state_dict(),
                  "moments": self.optimizer.state_dict()["state"]}
        work.replace(path, lambda new: torch.save(values, new))

    def load(self, path):
        values = torch.load(path, self.device, weights_only=True)
        if values["width"] != f"{self.width:g}":
            raise work.Refusal(f"{path}: has width {values['width']}, not {self.width:g}")
        self.samples, self.steps = values["samples"], values["steps"]
        self.student.load_state_dict(values["student"])
        self.average.load_state_dict(values["average"])
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": values["moments"]})

    def follow(self):
        """Moves the average towards the student, by less as the run gets longer."""
        share = max(1e-3, 9 / (self.steps + 10))
        with torch.no_grad():
            for slow, fast in zip(self.average.state_dict().values(),
                                  self.student.state_dict().values()):
                if slow.is_floating_point():
                    slow.lerp_(fast, share)
                else:
                    slow.copy_(fast)


def rate_at(share, highest):
    """The learning rate after a share of a phase: up in a line, down along a cosine."""
    if share < WARM_UP:
        return highest * share / WARM_UP
    return highest * 0.5 * (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP)))


# ---- training ------------------------------------------------------------------------------------


def loss_of(place, device):
    targets = place.targets()
    part = targets[:: 1 + len(targets) // 20000].astype(np.float32)
    classifier = None
    if os.path.exists(place.path("classifier.npz")):
        held = np.load(place.path("classifier.npz"))
        classifier = tuple(torch.from_numpy(held[name]).to(device) for name in ("weight", "bias"))
    return Loss(torch.from_numpy(part.mean(0)).to(device), classifier)


def step(state, loss, pixels, targets, rate):
    """One batch; the loss's parts."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    pixels = pixels.to(state.device).to(memory_format=torch.channels_last).float() / 127.5 - 1
    with torch.autocast(state.device, torch.bfloat16, enabled=state.bf16):
        embeddings = state.student(pixels)
    parts = loss(embeddings, targets.to(state.device))
    state.optimizer.zero_grad(set_to_none=True)
    sum(parts.values()).backward()
    state.optimizer.step()
    state.samples, state.steps = state.samples + len(pixels), state.steps + 1
    state.follow()
    return {name: float(part.detach()) for name, part in parts.items()}


class Log:
    """A line now and then, to standard output and log.txt."""

    def __init__(self, path):
        self.path, self.sums, self.steps, self.samples = path, {}, 0, 0
        self.at = time.monotonic()

    def add(self, parts, count):
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.steps, self.samples = self.steps + 1, self.samples + count

    def tell(self, state, side, rate, always=False):
        seconds = time.monotonic() - self.at
        if not self.steps or (seconds < TELL_SECONDS and not always):
            return
        parts = "  ".join(f"{name} {value / self.steps:.4f}" for name, value in self.sums.items())
        line = (f"{state.samples:,} samples at {side}, rate {rate:.2g}, {self.samples / seconds:.0f} "
                f"a second: {parts}")
        print(line, flush=True)
        with open(self.path, "a", encoding="utf-8") as file:
            print(line, file=file)
        self.sums, self.steps, self.samples, self.at = {}, 0, 0, time.monotonic()


def outlive_signals(_):
    """A worker ends when the loop does, not by the signal that a whole group of processes gets."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def train_phase(options, place, state, loss, phase, stopped):
    """One phase of the plan from where it stands; start is the run's sample that it begins with."""
    start, side, samples, highest = phase
    data = Samples(place, state.samples, start + samples, side)
    # Beside training on the CPU, a worker would slow every layer down by more than it saves.
    workers = CORES - 1 if state.device == "cuda" else 0
    loader = DataLoader(data, options.batch, num_workers=workers, drop_last=True,
                        worker_init_fn=outlive_signals)
    log, saved, rate = Log(place.path("log.txt")), time.monotonic(), 0.0
    for pixels, targets in loader:
        rate = rate_at((state.samples - start) / samples, highest)
        log.add(step(state, loss, pixels, targets, rate), len(pixels))
        log.tell(state, side, rate)
        if time.monotonic() - saved > SAVE_SECONDS:
            state.save(place.path("checkpoint.pt"))
            saved = time.monotonic()
        if stopped:
            break
    else:
        state.samples = start + samples  # less than a batch was left
    log.tell(state, side, rate, always=True)
    state.save(place.path("checkpoint.pt"))


def main():
    options = parse_options()
    place = work.Work(options.work)
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    state = State(options, "cuda" if torch.cuda.is_available() else "cpu")
    if os.path.exists(place.path("checkpoint.pt")):
        state.load(place.path("checkpoint.pt"))
        print(f"goes on after {state.samples:,} samples")
    place.set_note("train", {"plan": plan_text(options.plan), "batch": options.batch, "bf16": state.bf16,
                             "start": options.start and os.path.basename(options.start)})
    loss, stopped, start = loss_of(place, state.device), [], 0
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: stopped.append(True))
    state.student.train()
    for side, samples, highest in options.plan:
        if state.samples < start + samples and not stopped:
            train_phase(options, place, state, loss, (start, side, samples, highest), stopped)
        start += samples
    print("stopped; started again, it goes on" if stopped else f"{state.samples:,} samples: the plan is done")
    return 130 if stopped else 0


if __name__ == "__main__":
    sys.exit(work.end("train", main))
