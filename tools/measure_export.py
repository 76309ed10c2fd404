#!/usr/bin/python3
"""What an export takes: time, most memory, size.

    measure_export.py BUILD FOLDER RECORDS [FORMAT...]

Makes FOLDER/RECORDS.msc, unless it is there: made vectors of 1280 values as embeddings are, in i8. Exports it to
each format, one after another, beside it, and deletes what was written: 14 GB of a million, at most. Prints a table.
"""
import os
import subprocess
import sys
import time

import numpy as np
from exported import pictures_like

FORMATS = "npy", "fvecs", "faiss", "csv", "pgvector", "milvus", "pinecone", "vertex", "qdrant"
DIMENSION, AT_ONCE = 1280, 20000


def make(build, folder, records):
    """In parts, each of other vectors; the last becomes the catalogue."""
    growing = os.path.join(folder, "growing.msc")
    rows, names = os.path.join(folder, "rows.npy"), os.path.join(folder, "names")
    for first in range(0, records, AT_ONCE):
        count = min(AT_ONCE, records - first)
        np.save(rows, pictures_like(count, DIMENSION, first))
        with open(names, "w", encoding="ascii") as file:
            file.writelines(f"/data/pictures/{i // 1000:04}/{i:07}.jpg\n" for i in range(first, first + count))
        subprocess.run([f"{build}/minisim", "import", growing, rows, "--ids", names, "--type", "i8"], check=True,
                       stdout=subprocess.DEVNULL)
    os.remove(rows)
    os.remove(names)
    os.rename(growing, os.path.join(folder, f"{records}.msc"))


def size_of(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(entry.stat().st_size for entry in os.scandir(path))


def measure(build, folder, records, form):
    output = os.path.join(folder, "exported")
    command = [f"{build}/minisim", "export", f"{folder}/{records}.msc", "--to", form, "-o", output, "--ids-out",
               f"{output}.txt", *(["--normalize"] if form == "faiss" else [])]
    started = time.monotonic()
    done = subprocess.run([f"{build}/peak_memory", *command], check=True, capture_output=True, text=True)
    took = time.monotonic() - started
    status, memory, processor = done.stdout.split()[-3:]
    if status != "0":
        sys.exit(f"{form}: {done.stderr}")
    print(f"| {form} | {took:.0f} | {float(processor):.0f} | {int(memory) / 1024:.1f} | {size_of(output) / 1e9:.2f} |", flush=True)
    subprocess.run(["rm", "-r", output, f"{output}.txt"], check=True)


def main():
    build, folder, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if not os.path.exists(os.path.join(folder, f"{records}.msc")):
        make(build, folder, records)
    print("| `--to` | seconds | of the processor | MiB | GB |\n|---|---|---|---|---|")
    for form in sys.argv[4:] or FORMATS:
        measure(build, folder, records, form)


if __name__ == "__main__":
    main()
