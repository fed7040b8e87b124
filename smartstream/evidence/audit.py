"""Append-only logs about the store, who looked at and who decided a case; each line hashes the one before."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.evidence.canonical import canonical
from smartstream.evidence.store import START

ACCESS: Final = "access.ndjson"
REVIEWS: Final = "reviews.ndjson"
AUDITS: Final = (ACCESS, REVIEWS)


def append(path: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """Add an entry; one writer at a time, on the disk when it returns.

    Args:
        path: The log; made when missing.
        entry: What happened, without ``prev`` and ``hash``.

    Returns:
        The entry as it stands.
    """
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        whole = text.rfind(b"\n") + 1
        lines = text[:whole].splitlines()
        said = {**entry, "prev": sha256(lines[-1]).hexdigest() if lines else START}
        said["hash"] = sha256(canonical(said)).hexdigest()
        file.seek(whole)
        file.truncate()
        file.write(canonical(said) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return said


def entries(path: Path) -> list[dict[str, Any]]:
    """Every entry in order; none when the log does not exist."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def broken_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a log that are not as they were written: number and why."""
    prev = START
    for n, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), start=1):
        try:
            said = msgspec.json.decode(line)
            held = said.pop("hash")
            if canonical({**said, "hash": held}) != line or sha256(canonical(said)).hexdigest() != held:
                yield n, "its hash does not hold"
            elif said["prev"] != prev:
                yield n, "it does not follow from the line before"
        except (msgspec.DecodeError, KeyError, AttributeError, ValueError):
            yield n, "no entry"
        prev = sha256(line).hexdigest()
    if path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        yield text.count(b"\n") + 1, "the last line has no end"
