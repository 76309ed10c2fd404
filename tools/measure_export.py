#!/usr/bin/python3
"""What an export takes: time, most memory, size.

    measure_export.py BUILD FOLDER RECORDS [FORMAT...]

Makes FOLDER/RECORDS.msc, unless it is there: made vectors of 1280 values as embeddings are, in i8. Exports it to
each format, one after another, beside it, and deletes what was written: 8 GB of a million, at most. Prints a table.
"""
import os
import shutil
import sys
import time

from exported import Program, pictures_like
from tap import peak_memory

FORMATS = "npy", "fvecs", "faiss", "csv", "pgvector", "milvus", "pinecone", "vertex", "qdrant"
DIMENSION, AT_ONCE = 1280, 20000


def make(build, folder, records):
    """In parts, each of other vectors; the last becomes the catalogue."""
    run = Program(build, folder)
    for first in range(0, records, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, records))
        run.catalogue("growing.msc", pictures_like(len(numbers), DIMENSION, first),
                      [b"/data/pictures/%04d/%07d.jpg" % (i // 1000, i) for i in numbers], "--type", "i8")
    os.remove(run / "given.npy")
    os.remove(run / "given.ids")
    os.rename(run / "growing.msc", run / f"{records}.msc")


def measure(build, folder, records, form):
    place = os.path.join(folder, "exported")
    os.mkdir(place)
    started = time.monotonic()
    status, memory, processor, said = peak_memory(
        build, "export", f"{folder}/{records}.msc", "--to", form, "-o", f"{place}/rows", "--ids-out", "/dev/null", *(["--normalize"] if form == "faiss" else []))
    took = time.monotonic() - started
    if status:
        sys.exit(f"{form}: {said}")
    size = sum(os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk(place) for name in names)
    print(f"| {form} | {took:.0f} | {processor:.0f} | {memory / 1024:.1f} | {size / 1e9:.2f} |", flush=True)
    shutil.rmtree(place)


def main():
    build, folder, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if not os.path.exists(os.path.join(folder, f"{records}.msc")):
        make(build, folder, records)
    print("| `--to` | seconds | of the processor | MiB | GB |\n|---|---|---|---|---|")
    for form in sys.argv[4:] or FORMATS:
        measure(build, folder, records, form)


if __name__ == "__main__":
    main()
