"""Append-only logs about the store, who looked at and who decided a case; each line hashes the one before."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import UNREADABLE, InvalidInputError
from smartstream.evidence.canonical import canonical
from smartstream.evidence.store import START

ACCESS: Final = "access.ndjson"
REVIEWS: Final = "reviews.ndjson"
AUDITS: Final = (ACCESS, REVIEWS)
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


def append(
    path: Path, entry: dict[str, Any], *, check: Callable[[list[dict[str, Any]]], None] | None = None
) -> dict[str, Any]:
    """Add an entry; one writer at a time, on the disk when it returns.

    Args:
        path: The log; made when missing.
        entry: What happened, without ``prev`` and ``hash``.
        check: Sees the entries so far while nobody else can add one; what it raises keeps this one out.

    Returns:
        The entry as it stands.

    Raises:
        InvalidInputError: The log does not read, or cannot be written.
    """
    try:
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            text = file.read()
            whole = text.rfind(b"\n") + 1
            if check is not None:
                check(_decoded(path, text[:whole]))
            lines = text[:whole].splitlines()
            said = {**entry, "prev": sha256(lines[-1]).hexdigest() if lines else START}
            said["hash"] = sha256(canonical(said)).hexdigest()
            file.seek(whole)
            file.truncate()
            rest = canonical(said) + b"\n"
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(whole)  # all of it or nothing
                raise
    except OSError as e:
        raise InvalidInputError(f"{path}: cannot be written: {e.strerror}") from None
    return said


def entries(path: Path) -> list[dict[str, Any]]:
    """Every entry in order; none when the log does not exist.

    Raises:
        InvalidInputError: One does not read.
    """
    if not path.exists():
        return []
    return _decoded(path, path.read_bytes())


def _decoded(path: Path, text: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            found.append(_decoder.decode(line))
        except UNREADABLE as e:
            raise InvalidInputError(f"{path}:{len(found) + 1}: does not read ({e}); run smartstream verify") from None
    return found


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
        except (*UNREADABLE, KeyError, AttributeError, TypeError, ValueError):
            yield n, "no entry"
        prev = sha256(line).hexdigest()
    if path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n"):
        yield text.count(b"\n") + 1, "the last line has no end"
