"""Sector systems: every indicator feed merged by arrival, then the indicators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import bytewax.operators as op
from bytewax.operators import KeyedStream

from pipelines.beside import as_events
from pipelines.step import Step
from smartstream.model.event import CloudEvent
from smartstream.model.items import Figure, Figures, Item, Mark
from smartstream.model.state import check_version
from smartstream.streams.arrival import Arrivals
from smartstream.streams.indicators import Indicators

INDICATORS: Final = "/indicators"
"""Key of the items of every indicator feed; no junction can have this name."""
_VERSION: Final = 2


@dataclass(frozen=True)
class SectorSpec:
    """What the indicators of a site need to know.

    Attributes:
        site: Site id.
        sides: The indicator feeds.
        timezone: Of the days by which records are counted.
        lateness_ns: How long a value that is owed is waited for.
    """

    site: str
    sides: tuple[str, ...]
    timezone: str
    lateness_ns: int


def sector_events(items: KeyedStream[Item], spec: SectorSpec) -> KeyedStream[CloudEvent]:
    """Events about the indicators of the site's feeds."""
    fed = op.filter("indicator_items", items, lambda keyed: keyed[0] == INDICATORS)
    return op.stateful_batch("indicators", fed, lambda resume: SectorStep(spec, resume))


class SectorStep(Step[Item, CloudEvent]):
    """The thin adapter between Bytewax and ``Indicators``.

    Args:
        spec: The site's.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, spec: SectorSpec, resume: dict[str, Any] | None = None) -> None:
        self._site = spec.site
        self._arrivals: Arrivals[Figure] = Arrivals(spec.sides)
        self._indicators = Indicators(spec.site, ZoneInfo(spec.timezone), spec.lateness_ns)
        if resume is not None:
            check_version("indicators", resume.get("version"), _VERSION)
            self._arrivals.restore(resume["arrivals"])
            self._indicators.restore(resume["indicators"])

    def take(self, values: list[Item]) -> list[CloudEvent]:
        """Merge turns of feeds and hand the figures on."""
        for item in values:
            if isinstance(item, Figures | Mark):
                self._arrivals.take(item)
        figures = self._arrivals.release()
        clock_ns = self._arrivals.clock_ns
        if clock_ns is None:
            return []
        told = self._indicators.take(figures, clock_ns)
        return as_events(self._site, told)

    def snapshot(self) -> dict[str, Any]:
        """Figures that wait for slower feeds, and every series."""
        return {
            "version": _VERSION,
            "arrivals": self._arrivals.snapshot(),
            "indicators": self._indicators.snapshot(),
        }
