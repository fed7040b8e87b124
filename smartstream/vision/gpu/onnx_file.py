"""What an ONNX file says about itself beside its graph, without a library that loads all of it.

An ONNX file is one protobuf message, ``ModelProto``; ``metadata_props`` is its field 14, each with a key (1) and a
value (2). Source: onnx.proto3 of the ONNX project; encoding: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_METADATA: Final = 14


def metadata(model: bytes) -> dict[str, str]:
    """Its ``metadata_props``; empty when it has none or is no ONNX file: who loads it says so."""
    found = {}
    try:
        for number, value in _fields(memoryview(model)):
            if number == _METADATA:
                pair = dict(_fields(value))
                found[bytes(pair[1]).decode()] = bytes(pair.get(2, b"")).decode()
    except (ValueError, IndexError, KeyError):
        return {}
    return found


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of every field that has bytes; the others are passed over."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:  # a number
                _, at = _varint(message, at)
            case 1:  # eight bytes
                at += 8
            case 2:  # so many bytes
                length, at = _varint(message, at)
                if length > len(message) - at:
                    raise ValueError("a field longer than its message")
                yield key >> 3, message[at : at + length]
                at += length
            case 5:  # four bytes
                at += 4
            case _:
                raise ValueError("no kind of field")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number longer than 64 bits")
