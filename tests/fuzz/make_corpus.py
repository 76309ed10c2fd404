#!/usr/bin/env python3
"""Makes tests/fuzz/corpus. In hostile: one picture for each row of the table of what untrusted files did to
stb, each of a few hundred bytes, from nothing but the formats' definitions.

    make_corpus.py [FOLDER]

A file's name begins with the row. tests/test_hostile.c holds what becomes of each. Files whose size
is what is hostile about them are made there, not here.
"""
import hashlib
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
    yield "e-scans.jpg", (START + frame(0xC2, 256, 256) + dc + ends
                          + sos(((1, 0),), 0, 0) + b"\0" * 128 + sos(((1, 0),), 1, 63) * 150 + EOI)
    yield "x-cut-scan.jpg", (START + frame(0xC0, 640, 640) + dc + ac + sos() + b"\0" * 40 + EOI)
    yield "x-promises.jpg", START + frame(0xC0, 14000, 14000) + dc + ac + sos() + b"\0" * 40 + EOI
    yield "x-promises-progressive.jpg", (START + frame(0xC2, 14000, 14000) + dc + ac + sos(((1, 0),), 0, 0)
                                         + b"\0" * 40 + EOI)
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


def bmp(width, height, bits, rest, offset=54, compression=0, planes=1):
    return (b"BM" + struct.pack("<IHHI", 0, 0, 0, offset)
            + struct.pack("<IiiHHIIiiII", 40, width, height, planes, bits, compression, 0, 0, 0, 0, 0) + rest)


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


def broken():
    """What is broken in one place each: a scanner's every refusal."""
    exif = b"MM\0*\0\0\0\x08\0\2" + b"\1\0\0\3\0\0\0\1\0\1\0\0" + b"\1\1\0\3\0\0\0\1\0\1\0\0"
    tables = dht(0, ONE_CODE, [0]) + dht(0x10, ONE_CODE, [0])
    one, three = ((1, 0x11),), ((1, 0x11), (1, 0x11), (3, 0x11))
    yield "y-twice-numbered.jpg", START + frame(0xC0, 8, 8, three) + EOI
    yield "y-two-frames.jpg", START + frame(0xC0, 8, 8) * 2 + EOI
    yield "y-two-components.jpg", START + frame(0xC0, 8, 8, three[1:]) + EOI
    yield "y-no-length.jpg", b"\xff\xd8\xff\xe0\0\1" + EOI
    yield "y-exif.jpg", (START + segment(0xE1, b"Exif\0\0" + exif) + segment(0xE1, b"Exif\0\0")
                         + frame(0xC0, 8, 8, one) + tables + sos() + b"\x3f" + EOI)
    yield "y-unknown-marker.jpg", (START + frame(0xC2, 8, 8) + tables + sos(((1, 0),), 0, 0) + b"\x7f"
                                   + segment(0xF0, b"") + sos(((1, 0),), 1, 63) + b"\x7f" + EOI)
    yield "y-long-segment.jpg", (START + frame(0xC2, 8, 8) + tables + sos(((1, 0),), 0, 0) + b"\x7f"
                                 + segment(0xFE, b"\xff\xda\0\2" * 40) + sos(((1, 0),), 1, 63) + b"\x7f" + EOI)
    two, palette = zlib.compress(b"\0\7"), chunk(b"PLTE", b"\1\2\3")
    start, end = b"\x89PNG\r\n\x1a\n", chunk(b"IEND", b"")
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    yield "y-short-header.png", start + chunk(b"IHDR", header[:-1]) + end
    yield "y-interlacing.png", png(1, 1, 8, 0, two, interlaced=2)
    yield "y-interrupted.png", (start + chunk(b"IHDR", header) + chunk(b"IDAT", two[:3]) + chunk(b"tEXt", b"x")
                                + chunk(b"IDAT", two[3:]) + end)
    yield "y-two-palettes.png", png(1, 1, 8, 3, two, palette * 2)
    yield "y-transparency.png", png(1, 1, 8, 0, two, chunk(b"tRNS", b"\0"))
    yield "y-critical.png", png(1, 1, 8, 0, two, chunk(b"ABCD", b""))
    yield "y-no-header.png", start + chunk(b"IDAT", two) + end
    yield "y-no-codes.png", png(1, 1, 8, 0, b"\x78\1" + b"\5" + b"\xff" * 40)
    yield "y-key-16.png", png(2, 1, 16, 2, zlib.compress(b"\0" + bytes(range(12))), chunk(b"tRNS", bytes(range(6))))
    yield "y-filter.png", png(1, 1, 8, 0, zlib.compress(b"\7\7"))
    yield "y-header-kind.bmp", b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + struct.pack("<I", 10) + b"\0" * 40
    yield "y-header-cut.bmp", b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + struct.pack("<I", 124) + b"\0" * 40
    yield "y-compression.bmp", bmp(1, 1, 24, b"\0" * 4, compression=4)
    yield "y-two-bits.bmp", bmp(1, 1, 2, b"\0" * 4)
    yield "y-no-masks.bmp", bmp(1, 1, 16, b"\0" * 4, compression=3)
    yield "y-scattered-masks.bmp", bmp(1, 1, 16, struct.pack("<III", 5, 8, 16) + b"\0" * 4, offset=66, compression=3)
    yield "y-planes.bmp", bmp(1, 1, 24, b"\0" * 4, planes=2)
    yield "y-no-number.ppm", b"P6 x 1 255\n\0\0\0"
    yield "y-no-value.pgm", b"P2 1 1 255\nx "
    yield "y-beyond.pgm", b"P5 1 1 9\n\x0a"
    yield "y-nothing.pgm", b"P5 1 1 0\n\0"


def npy(descr, shape, data, order="False", version=1, pad=64):
    header = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, order, shape)
    start = 10 if version == 1 else 12
    header = header.encode() + b" " * (-(start + len(header) + 1) % pad) + b"\n"
    return (b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header))
            + header + data)


def arrays():
    two = struct.pack("<ff", 1.5, -2)
    yield "f4", npy("<f4", "(2, 3)", two * 3)
    yield "f4-big", npy(">f4", "(2, 1)", struct.pack(">ff", 1.5, -2))
    yield "f8", npy("<f8", "(3,)", struct.pack("<ddd", 0.1, 1e300, -0.0))
    yield "f8-big", npy(">f8", "(1, 2)", struct.pack(">dd", 0.1, -1e-300), version=2)
    yield "f2", npy("<f2", "(2,)", b"\0\x3c\0\x3c")
    yield "i8", npy("<i8", "(2,)", two * 2)
    yield "structure", npy("[('x', '<f4')]", "(2,)", two, version=3)
    yield "fortran", npy("<f4", "(1, 2)", two, order="True")
    yield "nan", npy("<f4", "(2,)", b"\0\0\x80\x3f\0\0\xc0\x7f")
    yield "no-padding", npy("<f4", "(2,)", two, pad=1)
    yield "much-padding", npy("<f4", "(2,)", two, version=2, pad=2048)
    yield "none", npy("<f4", "()", two[:4])
    yield "empty", npy("<f4", "(0, 4)", b"")
    yield "three", npy("<f4", "(1, 1, 2)", two)
    yield "too-little", npy("<f4", "(2, 2)", two)
    yield "too-much", npy("<f4", "(1,)", two)
    yield "huge", npy("<f4", "(4294967296, 4294967296)", b"\0" * 8)
    yield "quotes", (b"\x93NUMPY\1\0\x39\0{\"shape\":(2,1),\"fortran_order\":False,\"descr\":\"<f4\"}".ljust(67)
                     + two)
    yield "long-header", b"\x93NUMPY\2\0\0\0\1\0{" + b" " * 300
    # More than one block of values.
    yield "blocks", npy("<f4", "(1100, 1)", two * 550)


TYPES = ("<%df", "<%de", "%db")


def values(count, kind, least, most):
    """That many numbers from least to most, of type f32, f16 or i8."""
    steps = [least + (most - least) * (i * 37 % 17) / 16 for i in range(count)]
    return struct.pack(TYPES[kind] % count, *(map(int, steps) if kind == 2 else steps))


def layers(blocks, channels, head):
    """(name, shape, stride) of each layer; a block is (expanded or 0, stride, outputs)."""
    yield "stem", (channels, 3, 3, 3), 2
    for i, (expanded, stride, outputs) in enumerate(blocks):
        if expanded:
            yield "block.%d.expand" % i, (expanded, channels), 0
        yield "block.%d.depthwise" % i, (expanded or channels, 3, 3), stride
        yield "block.%d.project" % i, (outputs, expanded or channels), 0
        channels = outputs
    yield "head", (head, channels), 0


def tensors(network, kinds, parts, loud):
    """(name, shape, stride, kind, data), `parts` before the weight of each layer; project's reach to `loud`."""
    ends = {"bn.gamma": (-1, 1), "bn.beta": (-1, 2), "bn.mean": (-1, 1), "bn.var": (0.5, 2), "bias": (-1, 2)}
    for i, (name, shape, stride) in enumerate(network):
        for part in parts:
            yield "%s.%s" % (name, part), shape[:1], 0, 0, values(shape[0], 0, *ends[part])
        kind, count = kinds[i % len(kinds)], 1
        for side in shape:
            count *= side
        data = values(shape[0], 0, 0.001, 0.01) if kind == 2 else b""
        most = 127 if kind == 2 else loud if name.endswith("project") else 1
        data += values(count, kind, -most, most)
        yield name + ".weight", shape, stride, kind, data


def msw(parts, kinds=(0,), blocks=((0, 1, 3), (5, 2, 3), (5, 1, 3)), channels=3, head=4, size=32, padding=0,
        geometry=0, resample=0, crop=0, colour=0, epsilon=1e-3, facts=b"",
        loud=1):
    """A small network (weights/FORMAT.md). The checksum stays 0: its reader's target mends it."""
    table = list(tensors(layers(blocks, channels, head), kinds, parts, loud))
    front = facts + b"\0" * (-len(facts) % 64)
    at = 128 + len(front) + 96 * len(table)
    entries, data = b"", b""
    for name, shape, stride, kind, content in table:
        data += b"\0" * (-(at + len(data)) % 64)
        shape = shape + (0,) * (4 - len(shape))
        entries += struct.pack("<48sIII4IIQQ", name.encode(), kind, stride, 4 - shape.count(0), *shape, 0,
                               at + len(data), len(content))
        data += content
    return struct.pack("<8sIIQIIIIIIIIddddddd16x", b"\x89MSW\r\n\x1a\n", 1, 0, at + len(data), len(facts), len(table),
                       size, padding, geometry, resample, crop, colour, epsilon, *(0.5,) * 6) + front + entries + data


def weights():
    norm = ("bn.gamma", "bn.beta", "bn.mean", "bn.var")
    facts = b"source: drawn\nduplicates-cosine: 0.161\nx-unknown: k\xc3\xa4pt\n"
    yield "header", msw(())[:128] + b"\0" * 896
    yield "folded", msw(("bias",))
    yield "no-bias", msw((), blocks=((2, 1, 3),), facts=facts)
    yield "norm", msw(norm, blocks=((0, 2, 3), (4, 1, 3)), padding=1, facts=facts)
    yield "norm-and-bias", msw((*norm, "bias"), blocks=((5, 2, 4),), geometry=2, colour=0xFF8000)
    yield "f16", msw(("bias",), (1,), geometry=1, crop=36, resample=1, padding=1)
    yield "i8", msw(("bias",), (2,), resample=2, size=64)
    yield "mixed", msw(norm, (0, 1, 2), blocks=((6, 2, 3),))
    yield "wide", msw((), blocks=((20, 2, 18),), channels=17, head=33, kinds=(2,))
    yield "deep", msw((), blocks=((0, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)), channels=1, head=1)
    yield "no-block", msw(norm, blocks=())
    plain = msw(("bias",))
    table, count = 128, struct.unpack_from("<I", plain, 28)[0]
    last = table + 96 * (count - 1)

    def changed(at, new, size=len(plain)):
        return (plain[:at] + new + plain[at + len(new):] + b"\0" * 64)[:size]

    yield "goes-on", changed(16, struct.pack("<Q", len(plain) + 64), len(plain) + 64)
    yield "unknown", changed(last, b"tail.weight")
    yield "huge-bias", changed(struct.unpack_from("<Q", plain, table + 80)[0], struct.pack("<f", 3e38))
    yield "huge-residual", msw((), blocks=((0, 2, 3), (5, 1, 3)), loud=8e36)
    yield "fact-twice", msw((), blocks=((2, 2, 1),), facts=b"a: 1\nb: 2\na: 3\n")
    yield "too-many-strides", msw((), blocks=((1, 2, 1),) * 6, channels=1, head=1)


def streams():
    """The first byte: 128 a large limit, else 100 bytes; how much a read gives."""
    jpeg = (START + frame(0xC0, 8, 8) + dht(0, ONE_CODE, [0]) + dht(0x10, ONE_CODE, [0]) + sos() + b"\x55\xff\0\xff\xd0"
            + b"\xff\xff" + EOI)
    small = png(1, 1, 8, 0, zlib.compress(b"\0\7"))
    pnms = b"P6 # a\n2 1\n255\nabcdef" + b"\nP5\t3 2 65535 " + b"p" * 12 + b"P4 9 2\n" + b"\1\2\3\4"
    yield "mixed", b"\x80" + pnms + jpeg + small + b"\0\0\r\n" + jpeg + pnms
    yield "slow", b"\xff" + jpeg + jpeg + small + small
    yield "beyond", b"\x08" + b"P5 200 1 255\n" + b"P" * 200 + jpeg + b"P5 1 1 1\nxP6 16777216 16777216 65535\n"
    yield "cut-jpeg", b"\x87" + jpeg[:-3] + jpeg + jpeg[:40]
    yield "cut-at-limit", b"\0" + b"\xff\xd8\xff\xda\0\2" + b"x" * 94 + jpeg
    yield "cut-png", b"\x87" + small[:30]
    yield "lost-jpeg", b"\x80" + jpeg + jpeg[:2] + b"\xff\xe0\0\1" + jpeg
    yield "lost-png", b"\x80" + small[:8] + b"\0\0\0\0\1\2\3\4" + small
    yield "lost-pnm", b"\x80P6 2 16777217 255\n"
    yield "plain", b"\x80P3 1 1 255 1 2 3\n"
    yield "none", b"\x80   \0\0\n"
    yield "comment", b"\x10P5 #" + b"x" * 300 + b"\n1 1 255 a" + small


# ---- catalogues ----

def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def up_to(content, multiple):
    return content + b"\0" * (-len(content) % multiple)


def with_crc(content, field):
    """The CRC of bytes in which it stands."""
    return content[:field] + struct.pack("<I", crc32c(content)) + content[field + 4:]


UUID = bytes(range(16))


def slot(generation, end=12288, segments=0, ids=0, gone=0, table=0, notes=0):
    counts = struct.pack("<I6Q", 0, generation, end, segments, ids, gone, table)
    return with_crc(up_to(b"MSCS" + counts + UUID + struct.pack("<Q", notes), 4096), 4)


def record(name, label, text):
    path = hashlib.sha256(name).digest()
    return struct.pack("<QIIQqIIQQII", text, len(name), len(label), 5, -1, 2, 0, 7, 8, 640, 480) + path[:8] + path


def columns_of(kind, first, count, gone, table):
    """Vectors of three values, and all that belongs to them."""
    vectors, scales, norms, records, text = b"", b"", b"", b"", b""
    for i in range(first, first + count):
        values = (1, i % 5, i % 3)
        vectors += up_to(struct.pack(("<3f", "<3e", "<3b")[kind], *values), 64)
        square = sum(value * value for value in values)
        scales += struct.pack("<f", 0.5) if kind == 2 else b""
        norms += struct.pack("<I" if kind == 2 else "<f", square)
        name, label = b"/p/%d.jpg" % i, b"label" if i % 2 else b""
        records += record(name, label, len(text))
        text += name + label
    return [vectors, scales, norms, records, text, struct.pack(f"<{len(gone)}Q", *gone), table]


def piece(generation, first, count, gone, columns):
    columns = [up_to(column, 64) for column in columns] + [b""] * (16 - len(columns))
    sums = b"".join(struct.pack("<I", crc32c(column[at:at + 65536]))
                    for column in columns for at in range(0, len(column), 65536))
    rest = up_to(sums, 64) + b"".join(columns)
    size = (192 + len(rest) + 4095) // 4096 * 4096
    head = struct.pack("<4sI3Q4I", b"MSEG", 0, generation, size, first, count, len(gone), crc32c(sums), 0)
    head += UUID + struct.pack("<16Q", *map(len, columns))
    return up_to(with_crc(head, 4) + rest, 4096)


def msc(kind, parts, tables=(), notes=b""):
    """(header, two slots, segments); parts: how many records each, and which ids are gone; the last has the notes."""
    header = (b"\x89MSC\r\n\x1a\n" + struct.pack("<7I", 1, 0, 0, 0, 0, 3, kind) + b"\0" * 4 + UUID + b"ab" * 32
              + b"made-by: hand\n")
    slots, segments, ids, removed, table, entries = [slot(0), b"\0" * 4096], b"", 0, 0, 0, b""
    for number, (count, gone) in enumerate(parts):
        at, has = 12288 + len(segments), number in tables
        columns = columns_of(kind, ids, count, gone, entries if has else b"")
        noted = notes if number + 1 == len(parts) else b""
        segments += piece(number + 1, ids, count, gone, columns + [noted])
        entries += struct.pack("<QQII", at, ids, count, len(gone))
        ids, removed, table = ids + count, removed + len(gone), at if has else table
        slots[(number + 1) % 2] = slot(number + 1, 12288 + len(segments), number + 1, ids, removed, table,
                                      at if noted else 0)
    return with_crc(up_to(header, 4096), 12), slots, segments


def catalogues():
    def whole(parts):
        return parts[0] + b"".join(parts[1]) + parts[2]
    two = msc(1, ((3, ()), (2, (1, 3))))
    yield "f32", whole(msc(0, ((4, ()),)))
    yield "f16", whole(two)
    yield "i8", whole(msc(2, ((5, (0,)),)))
    yield "table", whole(msc(2, ((2, ()), (0, (1,)), (1, ())), (2,)))
    entries = ((b"not-duplicates", b"/p/0.jpg\0/p/2.jpg\0"), (b"threshold-cosine", b"0.25"))
    notes = b"".join(struct.pack("<II", len(key), len(value)) + key + value for key, value in entries)
    yield "notes", whole(msc(0, ((3, ()), (0, (1,))), notes=notes))
    yield "empty", whole(msc(0, ()))
    for number in (0, 1):  # the other one and, where the newer is gone, the segment behind it
        slots = list(two[1])
        slots[number] = b"?" * 64 + b"\0" * 4032
        yield f"no-slot-{number}", whole((two[0], slots, two[2]))
    yield "cut", whole(two)[:-4096]
    yield "tail", whole(two) + two[2][:4096]


def seeds():
    """What the other fuzz targets begin with."""
    yield "exif/big", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0"
    yield "exif/little", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"
    yield "exif/other", b"II*\0\x08\0\0\0\1\0\x13\1\3\0\1\0\0\0\6\0\0\0"
    yield "exif/loop", b"II*\0\0\0\0\0\xff\xff"
    for name, content in arrays():
        yield "npy/" + name, content
    for name, content in weights():
        yield "weights/" + name, content
    for name, content in streams():
        yield "frames/" + name, content
    for name, content in catalogues():
        yield "catalogue/" + name, content
    # The first byte: NUL ends names, JSON, a matrix, a row too many.
    yield "names/lines", b"\0a.jpg\n\n\"b\\n\\303\\251\"\nlast"
    yield "names/nuls", b"\1a.jpg\0\0b c\0last"
    yield "names/quotes", b"\0\"open\n\"\\999\"\n\"\"\n\"\\a\\b\\t\\v\\f\\r\\\"\\\\\\1\""
    yield "names/json", b"\2a\n\"\\377\\001\"\n\xe2\x82\xac\n"
    yield "names/matrix", b"\4a\nb\n\"c d\"\n"
    yield "names/matrix-json", b"\7a\0\xf0\x9f\x98\x80\0\xed\xa0\x80\0\xc2\x9b31m\0"
    yield "names/one-row-more", b"\x08a\nb\n"
    yield "names/long", b"\0ok\n" + b"x" * 4097 + b"\n\"" + b"\\001" * 4096 + b"\"\n" + b"y" * 17000
    yield "names/nul-inside", b"\0a\0b\nc\nd\n"
    for name, words in (
            ("words", "--threads=3 -qL --formt one -- -x "), ("help", "--threads 0001000000000000000000000 --json --help"),
            ("picture", "--roi 1,2,3,4 --geometry pad:ff0000 --background #00ff7F --resample stb --preprocessed"),
            ("crop", "a b --geometry=crop:4096 --no-orientation --cpu reference --threads 64 -"),
            ("sizes", "--max-pixels 1M --max-memory=16KiB --max-file-size 18446744073709551615 --weights x"),
            ("sources", "--files-from - -0 --exclude *.png --exclude x --progress always --follow p"),
            ("wrong-size", "--max-memory 20000000000GB"), ("wrong-roi", "--roi 1,2,3"), ("wide-roi", "--roi 0,0,0,1"),
            ("wrong-crop", "--geometry crop:0"), ("when", "--progress x"), ("wrong-pad", "--geometry pad:12345"), ("twice", "--cpu a --cpu b"),
            ("quiet", "-q --progress=always"), ("null", "-0"), ("no-value", "x --weights"), ("empty", "--weights="),
            ("value", "--quiet=1"), ("letter", "-Zq"), ("version", "x -qV"), ("dash", "--/ -/")):
        yield "options/" + name, words.replace(" ", "\0").encode()


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "corpus")
    for maker in (jpegs, pngs, others, broken, seeds):
        for name, content in maker():
            path = os.path.join(folder, name if "/" in name else "hostile/" + name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)


if __name__ == "__main__":
    main()
