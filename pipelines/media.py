"""Press and social media: every media feed merged by arrival at one desk, which also hears of incidents and reports."""

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
from smartstream.model.items import Item, Mark, MediaItem, MediaItems
from smartstream.model.state import check_version
from smartstream.streams.arrival import Arrivals
from smartstream.streams.media import Happening, MediaDesk, happening
from smartstream.streams.wards import WardIndex

MEDIA: Final = "/media"
"""Key of the items of every media feed; no junction can have this name."""
_VERSION: Final = 1


@dataclass(frozen=True)
class MediaSpec:
    """What the media desk of a site needs to know.

    Attributes:
        site: Site id.
        sides: The media feeds.
        lateness_ns: How long an item waits for earlier ones.
        wards: Polygons of wards, if the site has them: their names.
        timezone: Of the days on which a ward holds.
    """

    site: str
    sides: tuple[str, ...]
    lateness_ns: int
    wards: Path | None
    timezone: str


def media_events(
    items: KeyedStream[Item], others: list[KeyedStream[CloudEvent]], spec: MediaSpec
) -> KeyedStream[CloudEvent]:
    """Events about the media items of the site's feeds, with what ``others`` tell of incidents and reports."""
    fed = op.filter("media_items", items, lambda keyed: keyed[0] == MEDIA)
    if others:
        told = op.merge("media_others", *others)
        heard = op.filter_map("happenings", told, lambda keyed: _heard(keyed[1]))
        fed = op.merge("media_fed", fed, heard)
    return op.stateful_batch("media", fed, lambda resume: MediaStep(spec, resume))


def _heard(event: CloudEvent) -> tuple[str, Any] | None:
    found = happening(event)
    return None if found is None else (MEDIA, found)


class MediaStep(Step[Any, CloudEvent]):
    """The thin adapter between Bytewax and ``MediaDesk``.

    Args:
        spec: The site's.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, spec: MediaSpec, resume: dict[str, Any] | None = None) -> None:
        self._site = spec.site
        self._arrivals: Arrivals[MediaItem] = Arrivals(spec.sides)
        names = {} if spec.wards is None else WardIndex(spec.wards, ZoneInfo(spec.timezone)).names()
        self._desk = MediaDesk(spec.site, names, spec.lateness_ns)
        if resume is not None:
            check_version("media", resume.get("version"), _VERSION)
            self._arrivals.restore(resume["arrivals"])
            self._desk.restore(resume["desk"])

    def take(self, values: list[Any]) -> list[CloudEvent]:
        """Merge turns of feeds and hand the items on, with what happened elsewhere."""
        happened: list[Happening] = []
        for value in values:
            if isinstance(value, MediaItems | Mark):
                self._arrivals.take(value)
            elif isinstance(value, Happening):
                happened.append(value)
        items = self._arrivals.release()
        clock_ns = self._arrivals.clock_ns
        told = self._desk.take(items, happened, -1 if clock_ns is None else clock_ns, ended=self._arrivals.ended)
        return as_events(self._site, told)

    def snapshot(self) -> dict[str, Any]:
        """Items that wait, and the desk."""
        return {"version": _VERSION, "arrivals": self._arrivals.snapshot(), "desk": self._desk.snapshot()}
