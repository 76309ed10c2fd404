"""What the checks share: TAP output, and where the reference data is."""

import os
import subprocess
import sys

# As tests/run finds it.
SHARED = os.environ.get("MINISIM_SHARED", os.path.join(os.path.dirname(__file__), "..", "..", "shared"))
if not os.path.isdir(os.path.join(SHARED, "reference")):
    SHARED = None


class Tap:
    """Prints `ok` and `not ok` lines; finish() ends the program with the right status."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def check(self, good, what, why=""):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {what}")
        if not good and why:
            print("# " + str(why).replace("\n", "\n# "))

    def finish(self):
        print(f"1..{self.number}" if self.number else "1..0 # SKIP")
        sys.exit(self.failed > 0)


def peak_memory(build, *words, **more):
    """Runs the program of a build folder: (exit status, peak in KiB, seconds of the processor, what was said)."""
    run = subprocess.run([f"{build}/peak_memory", f"{build}/minisim", *words], capture_output=True, check=True, **more)
    status, peak, seconds = run.stdout.split()[-3:]
    return int(status), int(peak), float(seconds), run.stderr.decode(errors="replace").strip()


def left_out(what):
    print(f"# left out: {what} (../shared is not here)")
