"""Messages in Protocol Buffers' wire format, as far as ONNX and TensorFlow need them.

A message is taken apart one level at a time, so depth costs nothing; every length is checked against
the bytes that are there.
"""

import struct

from .network import SourceError

LARGEST_COUNT = 1 << 20


def varint(data, at):
    """(number, where it ends)."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise SourceError("a number in the file does not end")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7


class Message:
    """Fields by number: each a list of integers (also those of fixed size) and memoryviews."""

    def __init__(self, data):
        data, at, count = memoryview(data), 0, 0
        self.fields = {}
        while at < len(data):
            key, at = varint(data, at)
            value, at = self._value(data, at, key & 7)
            self.fields.setdefault(key >> 3, []).append(value)
            count += 1
            if count > LARGEST_COUNT:
                raise SourceError(f"a message has more than {LARGEST_COUNT} fields")

    @staticmethod
    def _value(data, at, wire):
        if wire == 0:
            return varint(data, at)
        if wire == 2:
            size, at = varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise SourceError("a field in the file is of no known kind")
        if size > len(data) - at:
            raise SourceError(f"a field of {size} bytes does not fit into the file")
        part = data[at : at + size]
        return (part if wire == 2 else int.from_bytes(part, "little")), at + size

    def _of(self, number, kind):
        return [value for value in self.fields.get(number, ()) if isinstance(value, kind)]

    def number(self, field, default=0):
        return (self._of(field, int) or [default])[-1]

    def signed(self, field, default=0):
        return _signed(self.number(field, default))

    def real(self, field):
        return struct.unpack("<f", struct.pack("<I", self.number(field) & 0xFFFFFFFF))[0]

    def data(self, field):
        return (self._of(field, memoryview) or [memoryview(b"")])[-1]

    def text(self, field):
        return _text(self.data(field))

    def texts(self, field):
        return [_text(part) for part in self._of(field, memoryview)]

    def message(self, field):
        return Message(self.data(field))

    def messages(self, field):
        return [Message(part) for part in self._of(field, memoryview)]

    def numbers(self, field):
        """A repeated signed integer, packed or not."""
        found = []
        for value in self.fields.get(field, ()):
            if isinstance(value, int):
                found.append(_signed(value))
                continue
            at = 0
            while at < len(value):
                number, at = varint(value, at)
                found.append(_signed(number))
                if len(found) > LARGEST_COUNT * 16:
                    raise SourceError("a list of numbers is too long")
        return found


def _signed(value):
    return value - (1 << 64) if value >> 63 else value


def _text(part):
    return bytes(part[:1024]).decode("utf-8", "replace")
