#!/usr/bin/env python3
"""Makes tests/fuzz/corpus. In hostile: one picture for each row of the table of what untrusted files did to
stb, each of a few hundred bytes, from nothing but the formats' definitions.

    make_corpus.py [FOLDER]

A file's name begins with the row. tests/test_hostile.c holds what becomes of each. Files whose size
is what is hostile about them are made there, not here.
"""
import os
import struct
import sys
import zlib


def segment(code, payload):
    return b"\xff" + bytes([code]) + struct.pack(">H", len(payload) + 2) + payload


def dqt():
    return segment(0xDB, b"\0" + b"\1" * 64)


def frame(code, width, height, components=((1, 0x11),)):
    body = b"".join(bytes([c, sampling, 0]) for c, sampling in components)
    return segment(code, struct.pack(">BHHB", 8, height, width, len(components)) + body)


def dht(kind, counts, symbols):
    return segment(0xC4, bytes([kind]) + bytes(counts) + bytes(symbols))


def sos(components=((1, 0),), first=0, last=63, bits=0):
    body = b"".join(bytes(pair) for pair in components)
    return segment(0xDA, bytes([len(components)]) + body + bytes([first, last, bits]))


def entropy(bits, times):
    """The data of a scan: bits, filled up with ones, and a zero behind each byte of ones."""
    bits = bits * times
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")


ONE_CODE = [1] + [0] * 15  # a table whose only code is 0
EOI = b"\xff\xd9"
START = b"\xff\xd8" + dqt()


def jpegs():
    dc, ac = dht(0, ONE_CODE, [0]), dht(0x10, ONE_CODE, [0])
    baseline = START + frame(0xC0, 8, 8)
    yield "a-dht-counts.jpg", baseline + dht(0, [255] * 16, [0] * 255) + ac + sos() + b"\0" * 8 + EOI
    yield "a-dht-short.jpg", baseline + dht(0, [0] * 8 + [200] + [0] * 7, [0] * 3) + EOI
    yield "b-no-tables.jpg", baseline + sos() + b"\x55" * 32 + EOI
    yield "b-one-table.jpg", baseline + dc + sos(((1, 0x11),)) + b"\x55" * 32 + EOI
    # Differences of 15 bits, all ones, with the largest quantiser: sums overflow. In a progressive
    # scan, shifted by 13 bits too.
    loud = b"\xff\xd8" + segment(0xDB, b"\x10" + b"\xff" * 128)
    fifteen = dht(0, ONE_CODE, [15])
    yield "c-huge-dc.jpg", (loud + frame(0xC0, 256, 64) + fifteen + ac + sos()
                            + entropy("0" + "1" * 15 + "0", 256) + EOI)
    yield "c-shifted-dc.jpg", (loud + frame(0xC2, 256, 64) + fifteen + sos(((1, 0),), 0, 0, 13)
                               + entropy("0" + "1" * 15, 256) + EOI)
    yield "c-long-dc.jpg", (loud + frame(0xC0, 256, 64) + dht(0, ONE_CODE, [31]) + ac + sos()
                            + entropy("0" + "1" * 31 + "0", 256) + EOI)
    progressive = START + frame(0xC2, 64, 64, ((1, 0x11), (2, 0x11), (3, 0x11)))
    yield "d-one-scan.jpg", progressive + dc + sos(((1, 0),), 0, 0) + b"\0" * 16 + EOI
    yield "d-only-ac.jpg", progressive + dc + ac + sos(((1, 0),), 1, 63) + b"\0" * 16 + EOI
    ends = dht(0x10, ONE_CODE, [0])
    yield "e-scans.jpg", (START + frame(0xC2, 4096, 4096) + dc + ends
                          + sos(((1, 0),), 0, 0) + b"\0" + sos(((1, 0),), 1, 63) * 150 + EOI)
    yield "x-cut-scan.jpg", (START + frame(0xC0, 640, 640) + dc + ac + sos() + b"\0" * 40 + EOI)
    yield "x-no-restarts.jpg", (START + frame(0xC0, 64, 64) + dc + ac + segment(0xDD, b"\0\1") + sos()
                                + b"\0" * 40 + EOI)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, data, between=b"", interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + between + chunk(b"IDAT", data)
            + chunk(b"IEND", b""))


class Bits:
    """Deflate's order: from the lowest bit; codes of Huffman from their highest."""

    def __init__(self):
        self.bits = []

    def number(self, value, count):
        self.bits += [value >> i & 1 for i in range(count)]

    def code(self, value, count):
        self.bits += [value >> i & 1 for i in reversed(range(count))]

    def bytes(self):
        bits = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(bits[i + k] << k for k in range(8)) for i in range(0, len(bits), 8))


def fixed_block(symbols):
    """A last block with fixed codes: each symbol is (length code, distance code)."""
    bits = Bits()
    bits.number(1, 1)
    bits.number(1, 2)
    for literal in (0, 7, 7):
        bits.code(0x30 + literal, 8)
    for length, distance in symbols:
        bits.code(0xC0 + length - 280, 8)
        bits.code(distance, 5)
    bits.code(0, 7)
    return b"\x78\x01" + bits.bytes() + b"\0\0\0\0"


def pngs():
    two = zlib.compress(b"\0\7")
    yield "f-length-286.png", png(100, 1, 8, 0, fixed_block([(286, 0)] * 40))
    yield "f-length-287.png", png(100, 1, 8, 0, fixed_block([(287, 0)] * 40))
    yield "f-distance-30.png", png(100, 1, 8, 0, fixed_block([(280, 30)] * 40))
    yield "f-distance-31.png", png(100, 1, 8, 0, fixed_block([(280, 31)] * 40))
    yield "g-surplus.png", png(1, 1, 8, 0, zlib.compress(b"\0" * 1000000, 9))
    yield "g-too-little.png", png(100, 100, 8, 0, two)
    yield "h-16-bit-size.png", png(26755, 26755, 16, 6, two)
    yield "i-palette.png", png(2, 1, 8, 3, zlib.compress(b"\0\0\xff"), chunk(b"PLTE", b"\1\2\3"))
    deep = b"".join(b"\0" + bytes((y * 91 + x * 37) % 251 for x in range(9 * 8)) for y in range(7))
    yield "l-16-bit.png", png(9, 7, 16, 6, zlib.compress(deep, 9))
    yield "x-no-adler.png", png(1, 1, 8, 0, two[:-4])
    yield "x-wrong-adler.png", png(1, 1, 8, 0, two[:-1] + bytes([two[-1] ^ 1]))
    yield "x-huge.png", png(16777216, 16777216, 1, 0, two)
    yield "x-exif-loop.png", png(1, 1, 8, 0, two,
                                 chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff\x12\x01\3\0\1\0\0\0\x09\0\0\0"))


def bmp(width, height, bits, rest, offset=54):
    return (b"BM" + struct.pack("<IHHI", 0, 0, 0, offset)
            + struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 0, 0, 0, 0) + rest)


def others():
    yield "i-palette.bmp", bmp(1, 1, 8, b"\1\2\3\0" + b"\xff\0\0\0", 58)
    yield "i-os2-palette.bmp", (b"BM" + struct.pack("<IHHI", 0, 0, 0, 29)
                                + struct.pack("<IHHHH", 12, 1, 1, 1, 8) + b"\3\2\1" + b"\xff\0\0\0")
    yield "k-claims.bmp", bmp(4096, 4096, 24, b"")
    yield "k-lowest-height.bmp", bmp(1, -2147483648, 24, b"")
    yield "j-16-bit.pgm", b"P5 100 100 65535\n" + b"\0" * 10000
    yield "j-short.ppm", b"P6 100 100 255\n" + b"\0" * 100
    yield "j-overflow.ppm", b"P6 4294967297 4294967297 255\n\0\0\0"
    yield "m-triangle.pgm", b"P5 4000 1 255\n" + b"\x80" * 4000


def seeds():
    """What the other fuzz targets begin with."""
    yield "exif/big", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0"
    yield "exif/little", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"
    yield "exif/loop", b"II*\0\0\0\0\0\xff\xff"
    for name, kind, shape, size in (("f4", "<f4", "(2, 3)", 24), ("f8", "<f8", "(3,)", 24),
                                    ("huge", "<f4", "(4294967296, 4294967296)", 8)):
        header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
        header = header.ljust(117) + "\n"
        yield "npy/" + name, (b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode()
                              + b"\0" * size)
    yield "names/lines", b"\0a.jpg\n\n\"b\\n\\303\\251\"\nlast"
    yield "names/nuls", b"\1a.jpg\0\0b c\0last"
    yield "names/quotes", b"\0\"open\n\"\\999\"\n\"\"\n"
    yield "options/words", b"--threads=3\0-qt4\0--formt\0one\0--\0-x\0"
    yield "options/help", b"--threads\0001000000000000000000000\0--json\0--help"
    yield "weights/header", (b"\x89MSW\r\n\x1a\n" + struct.pack("<IIQIIII", 1, 0, 1024, 64, 8, 32, 0)
                             + b"\0" * 984)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "corpus")
    for maker in (jpegs, pngs, others, seeds):
        for name, content in maker():
            path = os.path.join(folder, name if "/" in name else "hostile/" + name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)


if __name__ == "__main__":
    main()
