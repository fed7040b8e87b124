"""Limits of ambient air as dated data: what was the law on the day of the measurement.

QCVN 05:2023/BTNMT (TT 01/2023/TT-BTNMT) is in force since 12 September 2023; its PM2.5 limit for 24 hours falls
from 50 to 45 µg/m³ on 1 January 2026. Before it stood QCVN 05:2013/BTNMT. The limits of PM10 (150, then 100) and
of the gases are to be checked against the gazette before a fine rests on them. Yearly limits are no matter for a
stream. Limits are per normal cubic metre (25 °C, 760 mmHg); readings are compared as they were measured.
"""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

import msgspec

Averaging = Literal["hour", "eight_hours", "day"]


class Limit(msgspec.Struct, frozen=True):
    """One limit and the days on which it holds, both inclusive."""

    kind: str
    averaging: Averaging
    micrograms: int
    since: date
    until: date
    document: str


_BOTH: Final[tuple[tuple[str, Averaging, int], ...]] = (
    ("so2", "hour", 350),
    ("so2", "day", 125),
    ("co", "hour", 30_000),
    ("co", "eight_hours", 10_000),
    ("no2", "hour", 200),
    ("no2", "day", 100),
    ("o3", "hour", 200),
    ("o3", "eight_hours", 120),
    ("tsp", "hour", 300),
    ("tsp", "day", 200),
)
_2013: Final = ("QCVN 05:2013/BTNMT", date(2014, 1, 1), date(2023, 9, 11))
_2023: Final = ("QCVN 05:2023/BTNMT", date(2023, 9, 12), date(9999, 12, 31))


def _limits() -> tuple[Limit, ...]:
    rows = [
        Limit(kind, averaging, level, since, until, document)
        for document, since, until in (_2013, _2023)
        for kind, averaging, level in _BOTH
    ]
    rows.append(Limit("pm10", "day", 150, *_2013[1:], _2013[0]))
    rows.append(Limit("pm10", "day", 100, *_2023[1:], _2023[0]))
    rows.append(Limit("pm25", "day", 50, *_2013[1:], _2013[0]))
    rows.append(Limit("pm25", "day", 50, _2023[1], date(2025, 12, 31), _2023[0]))
    rows.append(Limit("pm25", "day", 45, date(2026, 1, 1), _2023[2], _2023[0]))
    return tuple(rows)


LIMITS: Final = _limits()
"""Every limit for which a stream can tell."""


def limit_on(day: date, kind: str, averaging: Averaging) -> Limit | None:
    """The limit in force on a day, if there is one."""
    for limit in LIMITS:
        if limit.kind == kind and limit.averaging == averaging and limit.since <= day <= limit.until:
            return limit
    return None
