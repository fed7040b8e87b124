"""Every event of a run in one file: CloudEvents, one JSON per line."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Final

from bytewax.outputs import StatefulSinkPartition

from smartstream.errors import DataLossError, InvalidInputError, UnavailableError
from smartstream.model.event import CloudEvent
from smartstream.sinks.one_partition import OnePartitionSink

STDOUT: Final = "-"


class EventFileSink(OnePartitionSink[CloudEvent, int]):
    """Writes ``(key, CloudEvent)`` items to ``path``, ``-`` being standard output.

    One partition, so one worker of all processes holds the file. Its state is the length of the file at the
    end of an epoch, on disk before the epoch commits; a resumed run cuts the file back to it, so that each
    event stands once. Bytewax builds a partition when its first item arrives: call ``prepare`` before the
    flow, else a run without events leaves no file (or an old one).
    """

    def __init__(self, path: str | Path) -> None:
        self._path = str(path)

    def prepare(self, *, resuming: bool) -> None:
        """Create the file, emptied unless ``resuming``.

        Raises:
            InvalidInputError: It cannot be written.
        """
        if self._path == STDOUT:
            return
        try:
            with Path(self._path).open("ab" if resuming else "wb"):
                pass
        except OSError as e:
            raise InvalidInputError(f"events file {self._path}: cannot be written: {e.strerror}") from e

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _File:
        """Open the file, cut back to its committed length."""
        return _Stdout() if self._path == STDOUT else _File(self._path, resume_state or 0)


class _File(StatefulSinkPartition[CloudEvent, int]):
    def __init__(self, path: str, length: int) -> None:
        self._name = f"events file {path}"
        try:
            self._file: io.BufferedWriter = io.BufferedWriter(
                io.FileIO(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), "wb"), 1 << 20
            )
            found = self._file.seek(0, os.SEEK_END)
            if found < length:
                raise DataLossError(
                    f"{self._name}: holds {found} bytes, expected the {length} committed before the stop; "
                    "put the file back, or start anew without the recovery folder"
                )
            self._file.truncate(length)
            self._file.seek(length)
        except OSError as e:
            raise UnavailableError(f"{self._name}: cannot be opened: {e.strerror}") from e
        self._length = length

    def write_batch(self, values: list[CloudEvent]) -> None:
        lines = b"".join([event.to_json() + b"\n" for event in values])
        self._length += len(lines)
        try:
            self._file.write(lines)
            self._file.flush()  # a reader with `tail -f` sees events when they happen
        except OSError as e:
            raise UnavailableError(f"{self._name}: cannot be written: {e.strerror}") from e

    def snapshot(self) -> int:
        try:
            os.fsync(self._file.fileno())
        except OSError as e:
            raise UnavailableError(f"{self._name}: cannot be written: {e.strerror}") from e
        return self._length

    def close(self) -> None:
        self._file.close()


class _Stdout(_File):
    """Standard output: what is written is out, a resumed run carries on."""

    def __init__(self) -> None:
        self._name, self._length = "events on standard output", 0
        self._file = sys.stdout.buffer  # type: ignore[assignment]

    def snapshot(self) -> int:
        return self._length

    def close(self) -> None:
        """Standard output stays open: it is the process's, not ours."""
