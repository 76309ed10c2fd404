"""What the checks of export share: catalogues with known rows and strange names, and what export makes of names."""
import hashlib
import os
import re
import subprocess
import uuid

import numpy as np

# Names that a line or a text cannot hold as they are.
STRANGE = [b"a b", b"new\nline", b'quo"te', b'"quoted"', b"\xff\xfe", b"back\\slash", b"tab\t", b",", b"<script>",
           "\u00e9\u4e2d".encode(), b"7", b"007", b"it's", b"\xc2\x9b", b"\\N", b"\\."]


class Program:
    """The program of a build folder, run in a folder of its own."""

    def __init__(self, build, folder):
        self.path = os.path.join(os.path.abspath(build), "minisim")
        self.folder = folder

    def __call__(self, *words, status=0, **more):
        done = subprocess.run([self.path, *words], cwd=self.folder, capture_output=True, timeout=300, **more)
        if done.returncode != status:
            raise AssertionError(f"status {done.returncode}, not {status}: {words}\n{done.stderr.decode(errors='replace')}")
        return done

    def __truediv__(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self / name, "rb") as file:
            return file.read()

    def write(self, name, content):
        with open(self / name, "wb") as file:
            file.write(content)

    def catalogue(self, name, values, names, *options):
        np.save(self / "given.npy", values)
        self.write("given.ids", b"".join(one + b"\0" for one in names))
        self("import", name, "given.npy", "-0", "--ids", "given.ids", *options)


def names_for(count):
    return [*STRANGE, *(b"/data/%03d/%d.jpg" % (i % 7, i) for i in range(count - len(STRANGE)))]


def pictures_like(count, dimension, seed=1):
    """Vectors as embeddings are: none negative, many zeros, in clusters, exact in f16."""
    random = np.random.default_rng(seed)
    middles = random.standard_normal((50, dimension))
    values = middles[random.integers(0, 50, count)] + 0.7 * random.standard_normal((count, dimension))
    return np.maximum(values, 0).astype(np.float16).astype(np.float32)


def unquoted(text):
    """The name that stands in a text as minisim writes it; bytes in, bytes out."""
    if not text.startswith(b'"'):
        return text
    letters = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\'))
    return re.sub(rb"\\([0-7]{3}|.)",
                  lambda m: bytes([int(m[1], 8) if len(m[1]) == 3 else letters[m[1][0]]]), text[1:-1])


def uuid_of(name):
    """The id of a row, from its name."""
    bits = bytearray(hashlib.sha256(name).digest()[:16])
    bits[6] = bits[6] & 0x0f | 0x80
    bits[8] = bits[8] & 0x3f | 0x80
    return str(uuid.UUID(bytes=bytes(bits)))


def number_of(name):
    """The same as a number."""
    if re.fullmatch(rb"0|[1-9][0-9]{0,18}", name) and int(name) < 1 << 63:
        return int(name)
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "little") & (1 << 63) - 1
