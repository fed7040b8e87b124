"""Stations: every sensor feed merged by arrival, then one step per station."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import bytewax.operators as op
import msgspec
from bytewax.operators import KeyedStream

from pipelines.beside import as_events
from pipelines.step import Step
from smartstream.model.event import CloudEvent
from smartstream.model.items import Item, Mark, Reading, Readings
from smartstream.model.state import check_version
from smartstream.streams.arrival import Arrivals
from smartstream.streams.hourly import HOUR_NS
from smartstream.streams.station import Station

SENSORS: Final = "/sensors"
"""Key of the items of every sensor feed; no junction can have this name."""
_VERSION: Final = 1


@dataclass(frozen=True)
class StationSpec:
    """What the stations of a site need to know.

    Attributes:
        site: Site id.
        sides: The sensor feeds.
        timezone: Of days, and of the times that people read.
        lateness_ns: How long an hour waits for its lines.
    """

    site: str
    sides: tuple[str, ...]
    timezone: str
    lateness_ns: int


class Turn(msgspec.Struct, frozen=True):
    """What a station gets at once.

    Attributes:
        readings: In the order of arrival.
        clock_ns: How far the feeds are.
        ended: They have ended.
    """

    readings: tuple[Reading, ...]
    clock_ns: int
    ended: bool


def station_events(items: KeyedStream[Item], spec: StationSpec) -> KeyedStream[CloudEvent]:
    """Events about every station of the site's sensor feeds."""
    fed = op.filter("sensor_items", items, lambda keyed: keyed[0] == SENSORS)
    turns = op.stateful_batch("arrivals", fed, lambda resume: ArrivalStep(spec, resume))
    by_station: KeyedStream[Turn] = op.map("by_station", turns, lambda keyed: keyed[1])
    return op.stateful_batch("station", by_station, lambda resume: StationStep(spec, resume))


class ArrivalStep(Step[Item, tuple[str, Turn]]):
    """Deals the lines of all feeds out to their stations; every station hears of every hour that passes.

    Args:
        spec: The stations of the site.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, spec: StationSpec, resume: dict[str, Any] | None = None) -> None:
        self._lateness = spec.lateness_ns
        self._arrivals: Arrivals[Reading] = Arrivals(spec.sides)
        self._stations: set[str] = set()
        self._told_hour: int | None = None
        self._told_end = False
        if resume is not None:
            check_version("arrivals", resume.get("version"), _VERSION)
            self._arrivals.restore(resume["arrivals"])
            self._stations = set(resume["stations"])
            self._told_hour, self._told_end = resume["told_hour"], resume["told_end"]

    def take(self, values: list[Item]) -> list[tuple[str, Turn]]:
        """Merge turns of feeds."""
        for item in values:
            if isinstance(item, Readings | Mark):
                self._arrivals.take(item)
        return self._deal(self._arrivals.release())

    def _deal(self, readings: list[Reading]) -> list[tuple[str, Turn]]:
        clock_ns = self._arrivals.clock_ns
        if clock_ns is None:
            return []
        dealt: dict[str, list[Reading]] = {}
        for reading in readings:
            dealt.setdefault(reading.station, []).append(reading)
        self._stations |= dealt.keys()
        hour = (clock_ns - self._lateness) // HOUR_NS
        ended = self._arrivals.ended and not self._told_end
        if hour != self._told_hour or ended:
            for station in sorted(self._stations):
                dealt.setdefault(station, [])
        self._told_hour, self._told_end = hour, self._told_end or ended
        return [(station, Turn(tuple(lines), clock_ns, ended)) for station, lines in dealt.items()]

    def snapshot(self) -> dict[str, Any]:
        """Lines that wait for slower feeds, and who has been told what."""
        return {
            "version": _VERSION,
            "arrivals": self._arrivals.snapshot(),
            "stations": sorted(self._stations),
            "told_hour": self._told_hour,
            "told_end": self._told_end,
        }


class StationStep(Step[Turn, CloudEvent]):
    """The thin adapter between Bytewax and ``Station``, made when the first line of a station arrives.

    Args:
        spec: The stations of the site.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, spec: StationSpec, resume: dict[str, Any] | None = None) -> None:
        self._spec = spec
        self._station: Station | None = None
        if resume is not None:
            self._station = self._make(resume["station"])
            self._station.restore(resume)

    def take(self, values: list[Turn]) -> list[CloudEvent]:
        """Hand the lines on."""
        events: list[CloudEvent] = []
        for turn in values:
            if self._station is None:
                self._station = self._make(turn.readings[0].station)  # a station is first heard of by a line
            told = self._station.take(turn.readings, turn.clock_ns, ended=turn.ended)
            events += as_events(self._spec.site, told)
        return events

    def _make(self, station: str) -> Station:
        spec = self._spec
        zone = ZoneInfo(spec.timezone)
        return Station(site=spec.site, station=station, timezone=zone, lateness_ns=spec.lateness_ns)

    def snapshot(self) -> dict[str, Any]:
        """The station's state; Bytewax only asks after a batch."""
        assert self._station is not None
        return self._station.snapshot()
