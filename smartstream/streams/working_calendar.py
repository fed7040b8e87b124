"""Working time in Viet Nam: eight hours a day, without weekends and public holidays, with days worked in exchange."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from smartstream.model.time import NS

_SPANS: Final = ((time(7, 30), time(11, 30)), (time(13, 30), time(17, 30)))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_FIXED: Final = frozenset({(1, 1), (4, 30), (5, 1), (9, 2)})  # of years that the table does not know yet


def _days() -> tuple[frozenset[int], frozenset[date], frozenset[date]]:
    text = Path(__file__).with_name("holidays.toml").read_text(encoding="utf-8")
    years = tomllib.loads(text)["year"]
    off = {day for year in years for day in year["off"]}
    worked = {day for year in years for day in year.get("worked", ())}
    return frozenset(year["year"] for year in years), frozenset(off), frozenset(worked)


_YEARS, _OFF, _WORKED = _days()


def is_working(day: date) -> bool:
    """Whether offices are open on a day."""
    if day.year not in _YEARS and (day.month, day.day) in _FIXED:
        return False
    return day in _WORKED or (day.weekday() < 5 and day not in _OFF)


class WorkingCalendar:
    """Counts working time between instants.

    Args:
        timezone: Of the office hours.
    """

    def __init__(self, timezone: ZoneInfo) -> None:
        self._timezone = timezone

    def add(self, at_ns: int, span_ns: int) -> int:
        """The instant at which ``span_ns`` of working time after ``at_ns`` has passed."""
        left = span_ns
        day = self._local(at_ns).date()
        while True:
            for start_ns, end_ns in self._spans(day):
                start_ns = max(start_ns, at_ns)
                if end_ns > start_ns:
                    if left <= end_ns - start_ns:
                        return start_ns + left
                    left -= end_ns - start_ns
            day += timedelta(days=1)

    def between(self, from_ns: int, to_ns: int) -> int:
        """Working time from one instant to a later one; 0 when it is not later."""
        total = 0
        day, last = self._local(from_ns).date(), self._local(max(from_ns, to_ns)).date()
        while day <= last:
            for start_ns, end_ns in self._spans(day):
                total += max(0, min(end_ns, to_ns) - max(start_ns, from_ns))
            day += timedelta(days=1)
        return total

    def _spans(self, day: date) -> list[tuple[int, int]]:
        if not is_working(day):
            return []
        return [(self._instant(day, start), self._instant(day, end)) for start, end in _SPANS]

    def _instant(self, day: date, at: time) -> int:
        return round((datetime.combine(day, at, self._timezone) - _EPOCH).total_seconds()) * NS

    def _local(self, at_ns: int) -> datetime:
        return (_EPOCH + timedelta(microseconds=at_ns // 1_000)).astimezone(self._timezone)
