"""Patterns of NATS subjects: ``*`` is one token, ``>`` is all that follow."""

from __future__ import annotations


def covers(wide: str, narrow: str) -> bool:
    """Whether every subject that matches ``narrow`` matches ``wide``."""
    a, b = wide.split("."), narrow.split(".")
    for x, y in zip(a, b, strict=False):
        if x == ">":
            return True
        if y == ">" or (x not in ("*", y)):
            return False
    return len(a) == len(b)


def overlap(one: str, other: str) -> bool:
    """Whether some subject matches both patterns."""
    a, b = one.split("."), other.split(".")
    for x, y in zip(a, b, strict=False):
        if ">" in (x, y):
            return True
        if x != y and "*" not in (x, y):
            return False
    return len(a) == len(b)
