"""Event time: integer nanoseconds UTC since 1970, never a wall-clock reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

NS: Final = 1_000_000_000
"""Nanoseconds per second."""
TOLD_NS: Final = 1_000_000
"""Events tell instants by the millisecond: what is to be two events is apart by so much."""
MAX_NS: Final = 2**63 - 1
"""After every instant; the watermark of a side that has ended."""
MIN_NS: Final = -(2**63)
"""Before every instant; the watermark of a side that has not begun."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WRITTEN_S: Final = 253_402_300_799  # 9999-12-31T23:59:59Z: the last instant RFC 3339 can write
_LATEST_NS: Final = 7_258_118_400 * NS  # 2200: after every event, and well before 63 bits of nanoseconds end


def parse_instant(value: object) -> int:
    """Nanoseconds of an RFC 3339 text or a number of epoch seconds.

    Raises:
        ValueError: Neither form, without a UTC offset, or beyond the years 1970-2199.
    """
    ns = _nanoseconds(value)
    if not 0 <= ns < _LATEST_NS:
        raise ValueError(f"expected an instant between 1970 and 2200, found {value!r}")
    return ns


def parse_end(value: object) -> int:
    """The end of something that holds; one after every event is ``MAX_NS``.

    Raises:
        ValueError: As of :func:`parse_instant`, up to the year 9999.
    """
    ns = _nanoseconds(value)
    if ns < 0:
        raise ValueError(f"expected an instant after 1970, found {value!r}")
    return ns if ns < _LATEST_NS else MAX_NS


def _nanoseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected RFC 3339 text or epoch seconds, found {type(value).__name__}")  # noqa: TRY004
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value.upper())  # RFC 3339 allows t and z
        except ValueError:
            raise ValueError(f"expected RFC 3339 text or epoch seconds, found {value[:40]!r}") from None
        if parsed.tzinfo is None:
            raise ValueError(f"expected a UTC offset or Z at the end, found {value[:40]!r}")
        span = parsed - _EPOCH
        return (span.days * 86_400 + span.seconds) * NS + span.microseconds * 1_000
    if not 0 <= value <= _WRITTEN_S:  # also refuses NaN
        raise ValueError(f"expected epoch seconds in 0..{_LATEST_NS // NS}, found {value!r}")
    return value * NS if isinstance(value, int) else round(value * 1e6) * 1_000  # a double holds µs here


def rfc3339(ns: int) -> str:
    """UTC text with milliseconds, rounded down, and ``Z``: ``2026-09-21T14:13:32.040Z``."""
    instant = _EPOCH + timedelta(milliseconds=ns // 1_000_000)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def seconds(ns: int) -> float:
    """Seconds of a duration in nanoseconds."""
    return ns / NS
