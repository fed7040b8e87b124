"""Gauges above their alarm lift rules: what J-02 knows of them, as conditions for the junctions they stand at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import bytewax.operators as op
from bytewax.operators import KeyedStream

from pipelines.environment import SENSORS
from pipelines.step import Step
from smartstream.model.items import Condition, Conditions, Item, Joined, Mark, Reading, Readings
from smartstream.model.quantities import MEASURING, factor
from smartstream.model.state import check_version
from smartstream.model.time import MAX_NS, NS
from smartstream.streams.arrival import Arrivals

HOLDS_NS: Final = 15 * 60 * NS
"""A reading at or above the alarm lifts rules for so long: the time without one after which J-02 calls it over."""
_VERSION: Final = 1


@dataclass(frozen=True)
class FloodSpec:
    """Which gauges lift whose rules.

    Attributes:
        sides: The sensor feeds.
        alarm_m: Alarm level by station.
        junctions: By station the junctions whose rules rest.
    """

    sides: tuple[str, ...]
    alarm_m: dict[str, float]
    junctions: dict[str, tuple[str, ...]]


def flood_side(junction: str) -> str:
    """Name of the side that brings a junction its floods."""
    return f"floods/{junction}"


def flood_conditions(items: KeyedStream[Item], spec: FloodSpec) -> KeyedStream[Joined]:
    """Conditions by junction."""
    fed = op.filter("gauge_items", items, lambda keyed: keyed[0] == SENSORS)
    told = op.stateful_batch("floods", fed, lambda resume: FloodStep(spec, resume))
    return op.map("floods_by_junction", told, lambda keyed: keyed[1])


class FloodStep(Step[Item, tuple[str, Joined]]):
    """Reads the gauges in their order of arrival: a junction learns of a flood when its line comes, in every replay.

    Args:
        spec: The gauges of the site.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, spec: FloodSpec, resume: dict[str, Any] | None = None) -> None:
        self._spec = spec
        self._arrivals: Arrivals[Reading] = Arrivals(spec.sides)
        self._since: dict[str, list[int]] = {}  # by station, readings in a row at or above the alarm: first, newest
        self._clock_ns: int | None = None
        if resume is not None:
            check_version("floods", resume.get("version"), _VERSION)
            self._arrivals.restore(resume["arrivals"])
            self._since = {station: list(row) for station, row in resume["since"].items()}
            self._clock_ns = resume["clock_ns"]

    def take(self, values: list[Item]) -> list[tuple[str, Joined]]:
        """Merge turns of feeds."""
        for item in values:
            if isinstance(item, Readings | Mark):
                self._arrivals.take(item)
        facts: dict[str, list[Condition]] = {}
        for reading in self._arrivals.release():
            if (condition := self._read(reading)) is not None:
                for junction in self._spec.junctions[reading.station]:
                    facts.setdefault(junction, []).append(condition)
        clock_ns = self._arrivals.clock_ns
        ended = self._arrivals.ended
        if clock_ns is None or (clock_ns == self._clock_ns and not facts and not ended):
            return []
        self._clock_ns = clock_ns
        watermark = MAX_NS if ended else clock_ns - 1
        everywhere = sorted({j for junctions in self._spec.junctions.values() for j in junctions})
        told: list[tuple[str, Joined]] = [
            (junction, Conditions(flood_side(junction), tuple(facts.get(junction, ())), watermark))
            for junction in everywhere
        ]
        return told

    def _read(self, reading: Reading) -> Condition | None:
        alarm = self._spec.alarm_m.get(reading.station)
        by = factor(reading.kind, reading.unit) if reading.kind == "water_level" else None
        if alarm is None or by is None or reading.status != MEASURING or not self._spec.junctions[reading.station]:
            return None
        row = self._since.get(reading.station)
        if reading.value * by < alarm:
            if row is not None and reading.time_ns >= row[-1]:
                del self._since[reading.station]
            return None
        if row is None:
            self._since[reading.station] = [reading.time_ns]
            return None  # one reading may be a wave
        if row[0] == row[-1] == reading.time_ns:
            return None  # said twice
        first = row[0]
        self._since[reading.station] = [first, max(row[-1], reading.time_ns)]
        return Condition(reading.clock_ns, first, reading.time_ns + HOLDS_NS, "flood", origin=f"J-02/{reading.station}")

    def snapshot(self) -> dict[str, Any]:
        """Lines that wait for slower feeds, and gauges above their alarm."""
        return {
            "version": _VERSION,
            "arrivals": self._arrivals.snapshot(),
            "since": {station: list(row) for station, row in self._since.items()},
            "clock_ns": self._clock_ns,
        }
