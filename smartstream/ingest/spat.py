"""SPaT messages (SAE J2735) as lines of a signal feed: JSON as the US DOT's ITS Data Exchange (ODE) writes it.

A line is a message, or ``SPAT,<milliseconds>,<message>`` of a recording whose instants were taken out; other kinds
of messages are passed over. A message's own instant is its minute of the year and its milliseconds of that minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import UNREADABLE, InvalidInputError
from smartstream.model.classes import SignalState
from smartstream.model.items import SignalChange
from smartstream.model.time import NS

_STATES: Final[dict[str, SignalState]] = {
    "UNAVAILABLE": "unknown",
    "DARK": "dark",
    "STOP_THEN_PROCEED": "unknown",  # flashing red: no state of a feed, and no red light to be run
    "STOP_AND_REMAIN": "red",
    "PRE_MOVEMENT": "red",  # red and amber
    "PERMISSIVE_MOVEMENT_ALLOWED": "green",
    "PROTECTED_MOVEMENT_ALLOWED": "green",
    "PERMISSIVE_CLEARANCE": "amber",
    "PROTECTED_CLEARANCE": "amber",
    "CAUTION_CONFLICTING_TRAFFIC": "flashing_amber",
}
"""MovementPhaseState of J2735 to the states of a feed."""
_NOT_BELIEVED: Final = ("failureFlash", "failureMode", "off", "noValidSPATisAvailableAtThisTime")
"""Flags of the controller under which its phases are unknown."""


class SpatFile(msgspec.Struct, frozen=True):
    """What a file holds.

    Attributes:
        lines: The state of each group at each message, in order.
        messages: SPaT messages read.
        others: Messages of other kinds.
        refused: Lines that could not be used, with the reason.
    """

    lines: list[SignalChange]
    messages: int
    others: int
    refused: list[tuple[int, str]]


def read_spat(path: Path, *, start_ns: int | None = None, intersection: int | None = None) -> SpatFile:
    """Read a file of messages.

    Args:
        path: The file.
        start_ns: Event time of millisecond 0, for a recording without instants; its year is that of the messages.
        intersection: Only this one.

    Raises:
        InvalidInputError: It cannot be read, or no line of it can be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InvalidInputError(f"{path}: expected a file of SPaT messages: {e}") from None
    lines: list[SignalChange] = []
    refused: list[tuple[int, str]] = []
    messages = others = 0
    for number, line in enumerate(text.splitlines(), start=1):
        kind, offset_ms, body = _split(line)
        if not body:
            continue
        if kind != "SPAT":
            others += 1
            continue
        try:
            data = msgspec.json.decode(body)["payload"]["data"]
            if "intersectionStateList" not in data:
                others += 1
                continue
            lines += _states(data, offset_ms, start_ns, intersection)
            messages += 1
        except (*UNREADABLE, KeyError, TypeError, ValueError) as e:
            refused.append((number, f"{type(e).__name__}: {e}"))
    if not messages:
        why = f"line {refused[0][0]}: {refused[0][1]}" if refused else "there is none"
        raise InvalidInputError(f"{path}: expected SPaT messages, one JSON object a line; {why}")
    lines.sort(key=lambda line: line.time_ns)
    return SpatFile(lines, messages, others, refused)


def changes(lines: list[SignalChange]) -> Iterator[SignalChange]:
    """Only those lines at which a group shows something else than before."""
    shown: dict[str, SignalState] = {}
    for line in lines:
        if shown.get(line.signal) != line.state:
            shown[line.signal] = line.state
            yield line


def _split(line: str) -> tuple[str, int | None, str]:
    """Kind, milliseconds from the start, message."""
    if line.lstrip().startswith("{"):
        return "SPAT", None, line
    kind, _, rest = line.partition(",")
    offset, _, body = rest.partition(",")
    return kind.strip(), int(offset) if offset.strip().isdecimal() else None, body


def _states(
    data: dict[str, Any], offset_ms: int | None, start_ns: int | None, intersection: int | None
) -> Iterator[SignalChange]:
    for state in data["intersectionStateList"]["intersectionStatelist"]:
        if intersection not in (None, state["id"]["id"]):
            continue
        at_ns = _instant(state, offset_ms, start_ns)
        believed = not any(state.get("status", {}).get(flag) for flag in _NOT_BELIEVED)
        for movement in state["states"]["movementList"]:
            event = movement["state_time_speed"]["movementEventList"][0]["eventState"]
            if event not in _STATES:
                raise ValueError(f"expected a MovementPhaseState, found {event!r}")
            yield SignalChange(at_ns, str(movement["signalGroup"]), _STATES[event] if believed else "unknown")


def _instant(state: dict[str, Any], offset_ms: int | None, start_ns: int | None) -> int:
    minute, milli = state.get("moy"), state.get("timeStamp")
    if start_ns is None:
        raise ValueError("expected --start: a message does not say its year")
    if isinstance(minute, int) and isinstance(milli, int):
        year = datetime.fromtimestamp(start_ns // NS, UTC).year
        return round(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * NS + minute * 60 * NS + milli * NS // 1000
    if offset_ms is None:
        raise ValueError("expected moy and timeStamp, or milliseconds before the message")
    return start_ns + offset_ms * NS // 1000
