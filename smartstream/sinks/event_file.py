"""Every event of a run in one file: CloudEvents, one JSON per line."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO, Final

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
        return _File(self._path, resume_state or 0)


class _File(StatefulSinkPartition[CloudEvent, int]):
    def __init__(self, path: str, length: int) -> None:
        self._name = f"events file {path}"
        try:
            fd = os.dup(sys.stdout.fileno()) if path == STDOUT else os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            # A pipe or a device only moves on; so does standard output, which may be another's file.
            self._kept = path != STDOUT and stat.S_ISREG(os.fstat(fd).st_mode)
            found = os.lseek(fd, 0, os.SEEK_END) if self._kept else length
            if found < length:
                os.close(fd)
                raise DataLossError(
                    f"{self._name}: holds {found} bytes, expected the {length} committed before the stop; "
                    "put the file back, or start anew without the recovery folder"
                )
            if self._kept:
                os.ftruncate(fd, length)
                os.lseek(fd, length, os.SEEK_SET)
        except OSError as e:
            raise UnavailableError(f"{self._name}: cannot be opened: {e.strerror}") from e
        self._file: BinaryIO = os.fdopen(fd, "wb", buffering=0)
        self._length = length

    def write_batch(self, values: list[CloudEvent]) -> None:
        lines = memoryview(b"".join([event.to_json() + b"\n" for event in values]))
        self._length += len(lines)
        try:
            while lines:  # unbuffered: a reader with `tail -f` sees events when they happen
                lines = lines[self._file.write(lines) :]
        except OSError as e:
            raise UnavailableError(f"{self._name}: cannot be written: {e.strerror}") from e

    def snapshot(self) -> int:
        if self._kept:
            try:
                os.fsync(self._file.fileno())
            except OSError as e:
                raise UnavailableError(f"{self._name}: cannot be written: {e.strerror}") from e
        return self._length

    def close(self) -> None:
        self._file.close()
