"""Citizens' reports: every report feed merged by arrival at one desk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import bytewax.operators as op
from bytewax.operators import KeyedStream

from pipelines.beside import as_events
from pipelines.step import Step
from smartstream.model.event import CloudEvent
from smartstream.model.items import Item, Mark, Report, Reports
from smartstream.streams.arrival import Arrivals
from smartstream.streams.report_desk import Desk
from smartstream.streams.report_events import ReportEvents
from smartstream.streams.wards import WardIndex
from smartstream.streams.working_calendar import WorkingCalendar

REPORTS: Final = "/reports"
"""Key of the items of every report feed; no junction can have this name."""


@dataclass(frozen=True)
class DeskSpec:
    """What the desk of a site needs to know.

    Attributes:
        site: Site id.
        sides: The report feeds.
        timezone: Of office hours, and of the times that people read.
        lateness_ns: How long a report waits for earlier ones.
        wards: Polygons of wards, if the site has them.
    """

    site: str
    sides: tuple[str, ...]
    timezone: str
    lateness_ns: int
    wards: Path | None


def report_events(items: KeyedStream[Item], spec: DeskSpec) -> KeyedStream[CloudEvent]:
    """Events about the reports of the site's feeds."""
    fed = op.filter("report_items", items, lambda keyed: keyed[0] == REPORTS)
    return op.stateful_batch("desk", fed, lambda resume: DeskStep(spec, resume))


class DeskStep(Step[Item, CloudEvent]):
    """The thin adapter between Bytewax and ``Desk``.

    Args:
        spec: The site's desk.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, spec: DeskSpec, resume: dict[str, Any] | None = None) -> None:
        zone = ZoneInfo(spec.timezone)
        self._site = spec.site
        self._arrivals: Arrivals[Report] = Arrivals(spec.sides)
        self._desk = Desk(
            events=ReportEvents(spec.site, zone),
            calendar=WorkingCalendar(zone),
            wards=None if spec.wards is None else WardIndex(spec.wards, zone),
            lateness_ns=spec.lateness_ns,
        )
        self._ended = False
        if resume is not None:
            self._arrivals.restore(resume["arrivals"])
            self._desk.restore(resume["desk"])
            self._ended = resume["ended"]

    def take(self, values: list[Item]) -> list[CloudEvent]:
        """Merge turns of feeds and hand the reports on."""
        for item in values:
            if isinstance(item, Reports | Mark):
                self._arrivals.take(item)
        reports = self._arrivals.release()
        clock_ns = self._arrivals.clock_ns
        if clock_ns is None:
            return []
        ended = self._arrivals.ended and not self._ended
        self._ended = self._ended or ended
        told = self._desk.take(reports, clock_ns, ended=ended)
        return as_events(self._site, told)

    def snapshot(self) -> dict[str, Any]:
        """Reports that wait for slower feeds, and the desk."""
        return {"arrivals": self._arrivals.snapshot(), "desk": self._desk.snapshot(), "ended": self._ended}
