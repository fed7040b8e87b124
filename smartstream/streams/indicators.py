"""The generic indicator: latest value, trend, target, freshness, coverage, late and missing reports.

An indicator of an area is a series. Every value that says something new is published with what it means beside the
others; one that is owed (``every_s``) and does not come is opened as missing at the instant it was due.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.items import DeadLetter, Figure
from smartstream.model.time import NS, rfc3339
from smartstream.streams.coverage import Coverage

_KEPT: Final = 32
"""Newest values of a series that are kept: for the trend, and to know a repetition."""
_MOST: Final = 100_000
"""Series of a site, for each is kept for ever: a yearly report is not late after a month."""
_STEADY: Final = 0.02
"""A trend that moves less than this share of the mean over what is kept is none."""
_DAY_NS: Final = 86_400 * NS
_WORDS: Final = {"rising": "đang tăng", "falling": "đang giảm", "steady": "ổn định"}
_Key = tuple[str, str]


class Indicators:
    """Every series of a site.

    Args:
        site: Site id.
        timezone: Of the days by which records are counted.
        lateness_ns: How long a value that is owed is waited for.
    """

    def __init__(self, site: str, timezone: ZoneInfo, lateness_ns: int) -> None:
        self._site, self._timezone, self._lateness = site, timezone, lateness_ns
        self._series: dict[_Key, dict[str, Any]] = {}
        self._coverage = Coverage()
        self._due: list[tuple[int, str, str]] = []

    def take(self, figures: Iterable[Figure], clock_ns: int) -> list[CloudEvent | DeadLetter]:
        """Values in their order of arrival, then the clock."""
        out: list[CloudEvent | DeadLetter] = []
        for figure in figures:
            self._ring(figure.clock_ns, out)
            self._handle(figure, out)
        self._ring(clock_ns, out)
        return out

    def _handle(self, figure: Figure, out: list[CloudEvent | DeadLetter]) -> None:
        key = (figure.indicator, figure.area)
        series = self._series.get(key)
        if series is None and len(self._series) >= _MOST:
            out.append(_dead(figure, "too_many_series", f"expected at most {_MOST} indicators of areas"))
            return
        if series is None:
            series = self._series[key] = _new_series(figure.unit)
        if figure.unit != series["unit"]:
            detail = f"expected {series['unit']} as at first, found {figure.unit[:32]!r}"
            out.append(_dead(figure, "conflict", detail))
            return
        at_ns = self._day(figure.time_ns) if figure.counted else figure.time_ns
        points: dict[int, tuple[float, int]] = series["points"]
        known = points.get(at_ns)
        value = figure.value + (known[0] if known is not None and figure.counted else 0.0)
        if known is not None and known[0] == value:
            out.append(_dead(figure, "duplicate", "this indicator, area and instant have this value already"))
            return
        newest = max(points, default=at_ns)
        if len(points) >= _KEPT and at_ns < min(points):
            out.append(_dead(figure, "late", f"expected one of the newest {_KEPT} instants of the series"))
            return
        points[at_ns] = (value, 0 if known is None else known[1] + 1)
        if len(points) > _KEPT:
            del points[min(points)]
        series["target"] = figure.target if figure.target is not None else series["target"]
        series["every_ns"] = round(figure.every_s * NS) or series["every_ns"]
        self._cover(key, series)
        late = at_ns < newest or (series["every_ns"] > 0 and figure.clock_ns - at_ns > series["every_ns"])
        series["late"] += late
        if at_ns >= newest:
            self._found_again(key, series, at_ns, out)
        out.append(self._update(key, series, at_ns, figure.clock_ns, late=late))

    def _found_again(self, key: _Key, series: dict[str, Any], at_ns: int, out: list[CloudEvent | DeadLetter]) -> None:
        if series["missing"] is not None and at_ns >= series["missing"]:
            out.append(
                self._event(key, "closed", at_ns, "missing", {"what": "missing", "since": rfc3339(series["missing"])})
            )
            series["missing"] = None
        if series["every_ns"]:
            self._await(key, series, at_ns + series["every_ns"])

    def _await(self, key: _Key, series: dict[str, Any], due_ns: int) -> None:
        """Look again when the next value is due; one look a series is enough, for at it the newest value counts."""
        if series["due"] is None or due_ns < series["due"]:
            series["due"] = due_ns
            heapq.heappush(self._due, (due_ns, *key))

    def _ring(self, clock_ns: int, out: list[CloudEvent | DeadLetter]) -> None:
        """Say what was owed by now and has not come."""
        while self._due and self._due[0][0] + self._lateness < clock_ns:
            due_ns, *key = heapq.heappop(self._due)
            series = self._series[key[0], key[1]]
            if series["due"] != due_ns:
                continue  # an earlier look has taken its place
            series["due"] = None
            if series["missing"] is not None:
                continue
            owed_ns = max(series["points"]) + series["every_ns"]
            if owed_ns != due_ns:  # a newer value has come since
                self._await((key[0], key[1]), series, owed_ns)
                continue
            series["missing"], series["missed"] = due_ns, series["missed"] + 1
            text = f"{key[0]} tại {key[1]}: chưa có số liệu đến hạn {self._local(due_ns)}."
            data = {"what": "missing", "last": rfc3339(max(series["points"])), "missed": series["missed"], "text": text}
            out.append(self._event((key[0], key[1]), "opened", due_ns, "missing", data))

    def _update(self, key: _Key, series: dict[str, Any], at_ns: int, clock_ns: int, *, late: bool) -> CloudEvent:
        value, revision = series["points"][at_ns]
        newest = max(series["points"])
        trend, per_day = _trend(series["points"])
        target = series["target"]
        said = f"{value:,.2f}".rstrip("0").rstrip(".").translate(str.maketrans(",.", ".,"))
        data = {
            "indicator": key[0],
            "area": key[1],
            "at": rfc3339(at_ns),
            "value": value,
            "unit": series["unit"],
            "latest": at_ns == newest,
            "trend": trend,
            "per_day": per_day,
            "target": target,
            "gap": None if target is None else round(value - target, 6),
            "freshness_s": max(0, (clock_ns - newest) // NS),
            "coverage_percent": self._coverage.percent(key[0], clock_ns),
            "late": late,
            "late_reports": series["late"],
            "missed_reports": series["missed"],
            "revision": revision,
            "text": f"{key[0]} tại {key[1]}: {said} {series['unit']}, {_WORDS[trend]}.",
        }
        return self._event(key, "updated", at_ns, "value", data, revision)

    def _cover(self, key: _Key, series: dict[str, Any]) -> None:
        every_ns = series["every_ns"]
        self._coverage.set(key, max(series["points"]) + every_ns + self._lateness if every_ns else None)

    def _event(
        self, key: _Key, verb: str, at_ns: int, what: str, data: dict[str, Any], revision: int = 0
    ) -> CloudEvent:
        kind = re.sub(r"[^a-z0-9_]+", "_", key[0].lower())[:64] or "_"
        return make_event(
            site=self._site,
            entity=f"indicator/{key[1]}",
            kind=("indicator", kind, verb),
            subject=f"{key[1]}/{key[0]}",
            at_ns=at_ns,
            key=f"{key[0]}/{what}",
            revision=revision,
            data={"indicator": key[0], "area": key[1], **data},
        )

    def _day(self, at_ns: int) -> int:
        local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_ns // NS)).astimezone(self._timezone)
        start = local.replace(hour=0, minute=0, second=0)
        return round(start.timestamp()) * NS

    def _local(self, at_ns: int) -> str:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_ns // NS)
        return at.astimezone(self._timezone).strftime("%H:%M %d/%m/%Y")

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        series = {key: {**found, "points": dict(found["points"])} for key, found in self._series.items()}
        return {"series": series, "due": list(self._due)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._series = {tuple(key): dict(found) for key, found in state["series"].items()}
        self._due = list(state["due"])
        self._coverage = Coverage()
        for key, found in self._series.items():
            self._cover(key, found)


def _new_series(unit: str) -> dict[str, Any]:
    """``points``: value and revision by instant; ``due``: the next look; ``missing``: since when a value is owed."""
    owed = {"every_ns": 0, "due": None, "missing": None, "late": 0, "missed": 0}
    return {"unit": unit, "points": {}, "target": None, **owed}


def _trend(points: dict[int, tuple[float, int]]) -> tuple[str, float]:
    """Direction, and change per day by least squares over what is kept."""
    if len(points) < 3:
        return "steady", 0.0
    times = sorted(points)
    days = [(at - times[0]) / _DAY_NS for at in times]
    values = [points[at][0] for at in times]
    mean_day, mean = math.fsum(days) / len(days), math.fsum(values) / len(values)
    spread = math.fsum((day - mean_day) ** 2 for day in days)
    slope = math.fsum((day - mean_day) * (value - mean) for day, value in zip(days, values, strict=True)) / spread
    moved = slope * (days[-1] - days[0])
    if abs(moved) <= _STEADY * max(abs(value) for value in values):
        return "steady", round(slope, 6)
    return ("rising" if slope > 0 else "falling"), round(slope, 6)


def _dead(figure: Figure, reason: str, detail: str) -> DeadLetter:
    place = f"line {figure.line}, {figure.indicator}"  # a record is several
    said = f"{figure.indicator} {figure.area}"
    return DeadLetter("streams", reason, figure.side, figure.time_ns, place, detail, said)
