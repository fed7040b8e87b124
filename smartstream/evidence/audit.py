"""The logs of a store: who looked at and who decided a case, in signed lines that only grow."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from smartstream.errors import InvalidInputError
from smartstream.evidence.keys import Signer, publish, published
from smartstream.evidence.lines import SignedLines, follow

ACCESS: Final = "access.ndjson"
REVIEWS: Final = "reviews.ndjson"
AUDITS: Final = (ACCESS, REVIEWS)


def append(
    store: Path,
    log: str,
    entry: dict[str, Any],
    signer: Signer,
    *,
    check: Callable[[list[dict[str, Any]]], None] | None = None,
) -> None:
    """Add an entry; one writer at a time, on the disk when it returns.

    Args:
        store: The store's folder.
        log: Which log.
        entry: What happened.
        signer: Signs it; its public key is laid into the store.
        check: Sees the entries so far while nobody else can add one; what it raises keeps this one out.

    Raises:
        InvalidInputError: The log cannot be written.
        DataLossError: It is not as it was written.
    """
    try:
        publish(store, signer)
        with _locked(store / log):
            lines = SignedLines(store, log, signer, published(store))
            before = list(lines.load())
            if check is not None:
                check(before)
            lines.append(entry)
            try:
                lines.sync()
            except OSError:
                if lines.is_waiting:
                    raise
                # It stands in the log, so it counts; the head follows with the next one.
    except OSError as e:
        raise InvalidInputError(f"{store / log}: cannot be written: {e.strerror}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def entries(store: Path, log: str) -> list[dict[str, Any]]:
    """Every entry in order; none when the log does not exist.

    Raises:
        DataLossError: The log is not as it was written.
    """
    return [entry for _, entry in follow(store / log, log, published(store))]
