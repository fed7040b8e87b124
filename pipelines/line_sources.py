"""The line feeds of a site as sides of the flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.environment import SENSORS
from pipelines.feeds import FeedTable, line_source
from pipelines.joins import APPROVALS
from pipelines.media import MEDIA
from pipelines.reports import REPORTS
from pipelines.sectors import INDICATORS
from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.feeds import (
    ApprovalFeed,
    ConditionFeed,
    IndicatorFeed,
    MediaFeed,
    ReportFeed,
    SensorFeed,
    SignalFeed,
)
from smartstream.config.site import Site
from smartstream.ingest.approval_lines import ApprovalLines
from smartstream.ingest.condition_lines import ConditionLines
from smartstream.ingest.indicator_lines import IndicatorLines
from smartstream.ingest.lines import LineSource
from smartstream.ingest.media_lines import MediaLines
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.report_tables import with_tables
from smartstream.ingest.roster import with_roster
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.ingest.signal_lines import SignalLines
from smartstream.ingest.source import Feed, SideSpec
from smartstream.ingest.station_lines import StationLines, station_of
from smartstream.model.time import MIN_NS

OpenSide = Callable[[dict[str, Any] | None], Feed]


def signal_name(i: int, feed: SignalFeed) -> str:
    """The side of the ``i``-th signal feed."""
    return f"signals/{feed.junction}/{i}"


def condition_name(i: int, junction: str) -> str:
    """The side of the ``i``-th condition feed at a junction: every junction reads it."""
    return f"conditions/{junction}/{i}"


@dataclass(frozen=True)
class LineSides:
    """Makes the side of a line feed, by its number in the site file and its table.

    A file is opened once, to see that it can be. Every method raises ``InvalidInputError``: it cannot be opened, or is
    no table of a known form.

    Attributes:
        site: The site.
        inputs: Where live feeds are kept.
        paced: The clock of a replay may hold each line of a feed about the whole site back.
    """

    site: Site
    inputs: NatsAccess | None
    paced: bool

    def signals(self, i: int, feed: SignalFeed) -> SideSpec:
        """States of the signals of one junction."""
        groups = frozenset(g.id for j in self.site.junction if j.id == feed.junction for g in j.signal)
        source = line_source(self.site, feed, signal_name(i, feed), inputs=self.inputs)
        return _unpaced(source, feed.junction, lambda resume: SignalLines(source, groups=groups, resume=resume))

    def conditions(self, junction: str, i: int, feed: ConditionFeed) -> SideSpec:
        """What lifts or changes the rules of one junction, of a feed that all junctions read."""
        site, speaks = self.site, junction == self.site.junction[0].id
        source = line_source(site, feed, condition_name(i, junction), inputs=self.inputs, marks=speaks)
        if not source.live:
            source = with_roster(source, self._path(feed))
        return _unpaced(
            source,
            junction,
            lambda resume: ConditionLines(
                source,
                junction=junction,
                junctions=frozenset(j.id for j in site.junction),
                cameras={camera.id: camera.junction for camera in site.camera},
                lanes={camera.id: frozenset(lane.id for lane in camera.lane) for camera in site.camera},
                timezone=self._zone,
                metered=frozenset(c.id for c in site.camera if any(rule.kind == "speeding" for rule in c.rule)),
                speaks=speaks,
                resume=resume,
            ),
        )

    def approvals(self, i: int, feed: ApprovalFeed) -> SideSpec:
        """People's decisions about warnings."""
        source = line_source(self.site, feed, f"approvals/{i}", inputs=self.inputs)
        return _unpaced(source, APPROVALS, partial(ApprovalLines, source))

    def sensors(self, i: int, feed: SensorFeed) -> SideSpec:
        """Readings: a station file by its suffix ``.txt``, otherwise JSON lines."""
        source = self._source(feed, f"sensors/{i}")
        path = self._path(feed)
        if source.live or not path.name.removesuffix(".gz").endswith(".txt"):
            return self._of_site(source, SENSORS, partial(SensorLines, source))
        station = station_of(path)
        return self._of_site(
            source,
            SENSORS,
            lambda resume: StationLines(source, station=station, timezone=self._zone, resume=resume),
        )

    def reports(self, i: int, feed: ReportFeed) -> SideSpec:
        """Citizens' reports: JSON lines, or a table by the suffix ``.json`` or ``.csv`` of its file."""
        source = self._source(feed, f"reports/{i}")
        if not source.live:
            source = with_tables(source, self._path(feed), self._zone)
        site = self.site.site.id
        return self._of_site(source, REPORTS, lambda resume: ReportLines(source, site=site, resume=resume))

    def indicators(self, i: int, feed: IndicatorFeed) -> SideSpec:
        """Indicators, and records of sector systems."""
        source = self._source(feed, f"indicators/{i}")
        return self._of_site(source, INDICATORS, partial(IndicatorLines, source))

    def media(self, i: int, feed: MediaFeed) -> SideSpec:
        """Items of press and social media."""
        source = self._source(feed, f"media/{i}")
        return self._of_site(source, MEDIA, partial(MediaLines, source))

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.site.site.timezone)

    def _path(self, feed: FeedTable) -> Path:
        return Path(self.site.address(feed.url).target)

    def _source(self, feed: FeedTable, side: str) -> LineSource:
        return line_source(self.site, feed, side, inputs=self.inputs, paced=self.paced)

    def _of_site(self, source: LineSource, key: str, open_side: OpenSide) -> SideSpec:
        """The side of a feed about the whole site, which paces a run without cameras."""
        return SideSpec(source.side, key, open_side, None if source.live else self._start_ns(open_side))

    def _start_ns(self, open_side: OpenSide) -> int | None:
        """Event time of a feed's first lines, where no camera paces the run."""
        feed = open_side(None)
        try:
            while not self.site.camera and feed.position_ns == MIN_NS and not feed.ended:
                feed.read()
            return None if feed.position_ns == MIN_NS else feed.position_ns
        finally:
            feed.close()


def _unpaced(source: LineSource, key: str, open_side: OpenSide) -> SideSpec:
    if not source.live:
        open_side(None).close()
    return SideSpec(source.side, key, open_side, None)
