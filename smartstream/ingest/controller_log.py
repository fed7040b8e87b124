"""High-resolution logs of signal controllers (ATSPM): phases as signal lines, detector crossings by phase.

A row is (time, device, event, parameter), ticks of a tenth of a second. Phase events: 1 begin of green, 8 begin of
yellow, 10 begin of red clearance; 82 detector on. Source: Indiana Traffic Signal High Resolution Data Logger
Enumerations (Purdue University, 2012).
"""

from __future__ import annotations

import importlib
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import InvalidInputError, MissingExtraError
from smartstream.model.classes import SignalState
from smartstream.model.items import SignalChange

try:
    parquet: Any = importlib.import_module("pyarrow.parquet")
except ImportError:  # comes with the extra `controller`
    parquet = None

_STATES: Final[dict[int, SignalState]] = {1: "green", 8: "amber", 10: "red"}
_DETECTOR_ON: Final = 82


class Row(msgspec.Struct, frozen=True):
    """A line of the log."""

    time_ns: int
    event: int
    parameter: int


class Crossings(msgspec.Struct, frozen=True):
    """Crossings of a detector by what its phase showed.

    Attributes:
        by_state: How many under each state; ``unknown`` before the phase's first line.
        undecided_ns: Crossings on the very tick of a change: the log does not say which came first.
    """

    by_state: dict[str, int]
    undecided_ns: tuple[int, ...]


def read_log(path: Path, *, device: int | None = None) -> list[Row]:
    """The rows of a Parquet log in order of time.

    Args:
        path: The file, columns ``TimeStamp``, ``DeviceId``, ``EventId``, ``Parameter``; naive instants are UTC.
        device: Only this controller.

    Raises:
        InvalidInputError: It is no such file.
        MissingExtraError: The extra ``controller`` is not installed.
    """
    if parquet is None:
        raise MissingExtraError("reading Parquet", "controller")
    columns = ["TimeStamp", "DeviceId", "EventId", "Parameter"]
    try:
        table = parquet.read_table(path, columns=columns)
        times = table["TimeStamp"].cast("timestamp[ns]").cast("int64").to_pylist()
    except Exception as e:
        raise InvalidInputError(f"{path}: expected a controller log with {', '.join(columns)}, found {e}") from None
    rest = (table[name].to_pylist() for name in columns[1:])
    rows = [Row(t, e, p) for t, d, e, p in zip(times, *rest, strict=True) if device in (None, d)]
    return sorted(rows, key=lambda row: row.time_ns)


def phase_lines(rows: list[Row]) -> Iterator[SignalChange]:
    """What each phase showed when, as lines of a signal feed; the group is the phase's number."""
    for row in rows:
        if row.event in _STATES:
            yield SignalChange(row.time_ns, str(row.parameter), _STATES[row.event])


def count_crossings(rows: list[Row], *, detector: int, phase: int) -> Crossings:
    """Crossings of a detector by the state of its phase."""
    changes = [(line.time_ns, line.state) for line in phase_lines(rows) if line.signal == str(phase)]
    times = [t for t, _ in changes]
    by_state: dict[str, int] = {}
    undecided = []
    for row in rows:
        if (row.event, row.parameter) != (_DETECTOR_ON, detector):
            continue
        at = bisect_left(times, row.time_ns)
        if at < len(times) and times[at] == row.time_ns:
            undecided.append(row.time_ns)
        else:
            state = changes[at - 1][1] if at else "unknown"
            by_state[state] = by_state.get(state, 0) + 1
    return Crossings(by_state, tuple(undecided))
