"""``--record DIR``: every input as it came, in the formats that are read.

A condition feed is written by the junction that speaks for it, with the lines of all.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.model.classes import VEHICLE_CLASSES
from smartstream.model.items import (
    Approval,
    Approvals,
    Condition,
    Conditions,
    Figure,
    Figures,
    MediaItem,
    MediaItems,
    MeterReading,
    Reading,
    Readings,
    Recorded,
    Report,
    Reports,
    SignalChange,
    Signals,
    Tracks,
)
from smartstream.model.time import MAX_NS
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

    def files(self) -> list[Path]:
        """What it writes."""
        return [self._path(side) for side in self._sides]

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
        with suppress(OSError):  # told when the epoch closed; raised here, it would abort the process
            self._file.close()


def _lines(item: Recorded) -> Iterator[bytes]:
    if isinstance(item, Tracks):
        yield from _track_lines(TrackBatch.from_bytes(item.batch))
        return
    for said in _said(item):
        yield _encoder.encode({"time": _instant(said.time_ns), **_fields(said)}) + b"\n"


_Said = SignalChange | Reading | Report | Figure | MediaItem | Condition | MeterReading | Approval


def _said(item: Recorded) -> Sequence[_Said]:
    match item:
        case Signals(_, changes, _):
            return changes
        case Readings() | Reports() | Figures() | MediaItems():
            return item.lines
        case Conditions(_, _, _, lines):
            return lines
        case Approvals(_, approvals, _):
            return approvals
        case _:
            return ()


def _fields(said: _Said) -> dict[str, Any]:
    """A line without its time."""
    match said:
        case SignalChange():
            return {"signal": said.signal, "state": said.state}
        case Reading():
            line = {"sensor": said.sensor, "station": said.station, "kind": said.kind, "value": said.value}
            return {**line, "unit": said.unit, "status": said.status, **_place(said.position)}
        case Report():
            return _report(said)
        case Figure():
            line = {"indicator": said.indicator, "area": said.area, "value": said.value, "unit": said.unit}
            return {**line, "target": said.target, "every_s": said.every_s, "counted": said.counted}
        case MediaItem():
            line = {"media": said.media, "source": said.source, "url": said.url, "lang": said.lang}
            return {**line, "title": said.title, "text": said.text}
        case Condition():
            where = {"junction": said.junction, "camera": said.camera, "lane": said.lane, "source": said.origin}
            until = {} if said.until_ns == MAX_NS else {"until": _instant(said.until_ns)}
            return {"condition": said.condition, **until, **where}
        case MeterReading():
            line = {"meter": said.meter, "camera": said.camera, "lane": said.lane, "speed_kmh": said.speed_kmh}
            return {**line, "certificate": said.certificate, "valid_to": said.valid_to}
        case Approval():
            return {"warning": said.warning, "decision": said.decision, "by": said.by}


def _place(position: tuple[float, float] | None) -> dict[str, float]:
    return {} if position is None else {"lat": position[0], "lon": position[1]}


def _report(report: Report) -> dict[str, Any]:
    line: dict[str, Any] = {
        "report": report.report,
        "service_code": report.service_code,
        "description": report.description,
        "address_string": report.address,
        "media_url": report.media_url or None,
        "status": report.status,
        **_place(report.position),
    }
    # Who reported is told apart, not named: what is written is the pseudonym already.
    return {**line, "reporter": report.reporter} if report.reporter else line


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
