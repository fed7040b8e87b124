"""Canonical JSON after RFC 8785: one value, one text, so that a hash of the text is a hash of the value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import isfinite
from typing import Any


def canonical(value: Any) -> bytes:
    """The one UTF-8 text of a JSON value: names sorted by UTF-16 units, numbers as ECMAScript writes them.

    Raises:
        ValueError: A number is not finite, an integer is beyond 2^53, or a value is none of JSON's.
    """
    return _text(value).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical text, hexadecimal."""
    return sha256(canonical(value)).hexdigest()


def _text(value: Any) -> str:
    match value:
        case None | bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case int():
            if abs(value) > 2**53:
                raise ValueError(f"canonical JSON: {value} is beyond what every reader keeps exactly")
            return str(value)
        case float():
            return _number(value)
        case Mapping():
            names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
            return "{" + ",".join(f"{_text(str(name))}:{_text(value[name])}" for name in names) + "}"
        case Sequence():
            return "[" + ",".join(map(_text, value)) + "]"
    raise ValueError(f"canonical JSON: no {type(value).__name__} in it")


def _number(value: float) -> str:
    """``Number.prototype.toString``: Python finds the same shortest digits and only writes exponents otherwise."""
    if not isfinite(value):
        raise ValueError(f"canonical JSON: {value} is no number of it")
    if value == 0:
        return "0"
    sign, magnitude = ("-", -value) if value < 0 else ("", value)
    mantissa, _, exponent = f"{magnitude!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    n = len(digits)
    if n <= point <= 21:
        return sign + digits + "0" * (point - n)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if n > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power >= 0 else '-'}{abs(power)}"
