"""``--record DIR``: tracks, signal states, readings and reports as they came, in the formats that are read."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.model.classes import VEHICLE_CLASSES
from smartstream.model.items import Reading, Readings, Recorded, Report, Reports, Signals, Tracks
from smartstream.model.tracks import TrackBatch

_encoder: Final = msgspec.json.Encoder()


class RecordSink(FixedPartitionedSink[Recorded, int]):
    """One file per side in ``folder``, cut back to its committed length on resume.

    Args:
        folder: Where the files go.
        sides: Every side of the site.
    """

    def __init__(self, folder: Path, sides: tuple[str, ...]) -> None:
        self._folder = folder
        self._sides = sorted(sides)  # Bytewax indexes partitions in sorted order
        self._index = {side: i for i, side in enumerate(self._sides)}

    def prepare(self, *, resuming: bool) -> None:
        """Make the folder and, unless ``resuming``, empty files.

        Raises:
            InvalidInputError: It cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for side in self._sides:
                with self._path(side).open("ab" if resuming else "wb"):
                    pass
        except OSError as e:
            raise InvalidInputError(f"record folder {self._folder}: cannot be written: {e.strerror}") from e

    def list_parts(self) -> list[str]:
        """A partition per side."""
        return self._sides

    def part_fn(self, item_key: str) -> int:
        """The side's own."""
        return self._index[item_key]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _Record:
        """Open a side's file."""
        return _Record(self._path(for_part), resume_state or 0)

    def _path(self, side: str) -> Path:
        return self._folder / f"{side.replace('/', '-')}.ndjson"


class _Record(StatefulSinkPartition[Recorded, int]):
    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        try:
            self._file = io.BufferedWriter(io.FileIO(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), "wb"), 1 << 20)
            self._file.truncate(length)
            self._file.seek(length)
        except OSError as e:
            raise UnavailableError(f"{path}: cannot be opened: {e.strerror}") from e
        self._length = length

    def write_batch(self, values: list[Recorded]) -> None:
        text = b"".join(line for item in values for line in _lines(item))
        self._length += len(text)
        try:
            self._file.write(text)
        except OSError as e:
            raise UnavailableError(f"{self._path}: cannot be written: {e.strerror}") from e

    def snapshot(self) -> int:
        try:
            self._file.flush()
        except OSError as e:
            raise UnavailableError(f"{self._path}: cannot be written: {e.strerror}") from e
        return self._length

    def close(self) -> None:
        self._file.close()


def _lines(item: Recorded) -> Iterator[bytes]:
    match item:
        case Signals(_, changes, _):
            for change in changes:
                line = {"time": _instant(change.time_ns), "signal": change.signal, "state": change.state}
                yield _encoder.encode(line) + b"\n"
        case Readings(_, readings, _, _):
            yield from (_reading_line(reading) for reading in readings)
        case Reports(_, reports, _, _):
            yield from (_report_line(report) for report in reports)
        case Tracks(_, _, _, batch):
            yield from _track_lines(TrackBatch.from_bytes(batch))


def _reading_line(reading: Reading) -> bytes:
    line = {
        "time": _instant(reading.time_ns),
        "sensor": reading.sensor,
        "station": reading.station,
        "kind": reading.kind,
        "value": reading.value,
        "unit": reading.unit,
        "status": reading.status,
    }
    if reading.position is not None:
        line["lat"], line["lon"] = reading.position
    return _encoder.encode(line) + b"\n"


def _report_line(report: Report) -> bytes:
    line: dict[str, object] = {
        "time": _instant(report.time_ns),
        "report": report.report,
        "service_code": report.service_code,
        "description": report.description,
        "address_string": report.address,
        "media_url": report.media_url or None,
        "status": report.status,
    }
    if report.position is not None:
        line["lat"], line["lon"] = report.position
    if report.reporter:
        line["account_id"] = report.reporter  # the pseudonym: who reported is told apart, not named
    return _encoder.encode(line) + b"\n"


def _track_lines(batch: TrackBatch) -> Iterator[bytes]:
    start = 0
    for at_ns, end in zip(batch.frame_ns.tolist(), batch.row_end.tolist(), strict=True):
        for row in range(start, end):
            line = {
                "time": _instant(at_ns),
                "run": batch.run,
                "track": int(batch.track[row]),
                "class": VEHICLE_CLASSES[batch.class_code[row]],
                "score": msgspec.Raw(str(batch.score[row]).encode()),  # shortest text that reads back the same
                "box": [msgspec.Raw(str(v).encode()) for v in batch.box[row]],
                **({"flags": int(batch.flags[row])} if batch.flags[row] else {}),
            }
            yield _encoder.encode(line) + b"\n"
        start = end


def _instant(ns: int) -> msgspec.Raw:
    """Epoch seconds with microseconds: the resolution of every event time from a source."""
    return msgspec.Raw(f"{ns // 1_000_000_000}.{ns // 1_000 % 1_000_000:06d}".encode())
