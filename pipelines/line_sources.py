"""Feeds of lines about the whole site, each with its side: sensors and reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.environment import SENSORS, StationSpec
from pipelines.feeds import FeedTable, line_source
from pipelines.floods import FloodSpec
from pipelines.joins import APPROVALS
from pipelines.media import MEDIA, MediaSpec
from pipelines.reports import REPORTS, DeskSpec
from pipelines.sectors import INDICATORS, SectorSpec
from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.joins import ApprovalFeed
from smartstream.config.site import IndicatorFeed, MediaFeed, ReportFeed, SensorFeed, Site
from smartstream.ingest.approval_lines import ApprovalLines
from smartstream.ingest.indicator_lines import IndicatorLines
from smartstream.ingest.lines import LineSource
from smartstream.ingest.media_lines import MediaLines
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.report_tables import with_tables
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.ingest.source import Feed, SideSpec
from smartstream.ingest.station_lines import StationLines, station_of
from smartstream.model.time import MIN_NS, NS
from smartstream.streams.wards import WardIndex

OpenSide = Callable[[dict[str, Any] | None], Feed]


def _read(kind: str, feeds: Sequence[FeedTable]) -> tuple[tuple[str, ...], int]:
    """Sides of the feeds of a kind, and how late the slowest of them may be."""
    lateness_ns = round(max(feed.allowed_lateness_s for feed in feeds) * NS)
    return tuple(f"{kind}/{i}" for i in range(len(feeds))), lateness_ns


def sensor_side(site: Site, i: int, feed: SensorFeed, *, inputs: NatsAccess | None, paced: bool) -> SideSpec:
    """A sensor feed: a station file by its suffix ``.txt``, otherwise JSON lines.

    Raises:
        InvalidInputError: It cannot be opened.
    """
    side = f"sensors/{i}"
    source = line_source(site, feed, side, inputs=inputs, paced=paced)
    path = Path(site.address(feed.url).target)
    if not source.live and path.name.removesuffix(".gz").endswith(".txt"):
        zone, station = ZoneInfo(site.site.timezone), station_of(path)
        return _spec(
            site, source, SENSORS, lambda resume: StationLines(source, station=station, timezone=zone, resume=resume)
        )
    return _spec(site, source, SENSORS, lambda resume: SensorLines(source, resume))


def _spec(site: Site, source: LineSource, key: str, open_side: OpenSide) -> SideSpec:
    """The side of a feed about the whole site; one of a file is opened once, to see that it can be."""
    return SideSpec(source.side, key, open_side, None if source.live else _start_ns(site, open_side))


def _start_ns(site: Site, open_side: OpenSide) -> int | None:
    """Event time of a feed's first lines, where no camera paces the run."""
    feed = open_side(None)
    try:
        while not site.camera and feed.position_ns == MIN_NS and not feed.ended:
            feed.read()
        return None if feed.position_ns == MIN_NS else feed.position_ns
    finally:
        feed.close()


def station_spec(site: Site) -> StationSpec | None:
    """What the stations of a site need to know; ``None`` without a sensor feed."""
    if not site.sensor_feed:
        return None
    sides, lateness_ns = _read("sensors", site.sensor_feed)
    return StationSpec(site.site.id, sides, site.site.timezone, lateness_ns)


def flood_spec(site: Site) -> FloodSpec | None:
    """Gauges that lift rules; ``None`` when there are none, or the join is not armed."""
    gauges = {gauge.station: gauge for gauge in site.gauge if gauge.junctions}
    if not gauges or not site.sensor_feed or any(j.kind == "flood" and not j.enabled for j in site.join):
        return None
    sides = tuple(f"sensors/{i}" for i in range(len(site.sensor_feed)))
    alarm = {station: gauge.alarm_m for station, gauge in gauges.items()}
    return FloodSpec(sides, alarm, {station: gauge.junctions for station, gauge in gauges.items()})


def report_side(site: Site, i: int, feed: ReportFeed, *, inputs: NatsAccess | None, paced: bool) -> SideSpec:
    """A report feed: JSON lines, or a table by the suffix ``.json`` or ``.csv`` of its file.

    Raises:
        InvalidInputError: It cannot be opened, or is no table of a known form.
    """
    source = line_source(site, feed, f"reports/{i}", inputs=inputs, paced=paced)
    if not source.live:
        source = with_tables(source, Path(site.address(feed.url).target), ZoneInfo(site.site.timezone))
    return _spec(site, source, REPORTS, lambda resume: ReportLines(source, site=site.site.id, resume=resume))


def approval_side(site: Site, i: int, feed: ApprovalFeed, *, inputs: NatsAccess | None) -> SideSpec:
    """A feed of people's decisions about warnings.

    Raises:
        InvalidInputError: It cannot be opened.
    """
    source = line_source(site, feed, f"approvals/{i}", inputs=inputs)
    if not source.live:
        ApprovalLines(source, None).close()
    return SideSpec(source.side, APPROVALS, lambda resume: ApprovalLines(source, resume), None)


def desk_spec(site: Site) -> DeskSpec | None:
    """What the desk of a site's reports needs to know; ``None`` without a report feed."""
    if not site.report_feed:
        return None
    sides, lateness_ns = _read("reports", site.report_feed)
    return DeskSpec(site.site.id, sides, site.site.timezone, lateness_ns, _wards(site))


def indicator_side(site: Site, i: int, feed: IndicatorFeed, *, inputs: NatsAccess | None, paced: bool) -> SideSpec:
    """A feed of indicators and of records of sector systems.

    Raises:
        InvalidInputError: It cannot be opened.
    """
    source = line_source(site, feed, f"indicators/{i}", inputs=inputs, paced=paced)
    return _spec(site, source, INDICATORS, lambda resume: IndicatorLines(source, resume))


def sector_spec(site: Site) -> SectorSpec | None:
    """What the indicators of a site need to know; ``None`` without an indicator feed."""
    if not site.indicator_feed:
        return None
    sides, lateness_ns = _read("indicators", site.indicator_feed)
    return SectorSpec(site.site.id, sides, site.site.timezone, lateness_ns)


def media_side(site: Site, i: int, feed: MediaFeed, *, inputs: NatsAccess | None, paced: bool) -> SideSpec:
    """A feed of press and social media items.

    Raises:
        InvalidInputError: It cannot be opened.
    """
    source = line_source(site, feed, f"media/{i}", inputs=inputs, paced=paced)
    return _spec(site, source, MEDIA, lambda resume: MediaLines(source, resume))


def media_spec(site: Site) -> MediaSpec | None:
    """What the media desk of a site needs to know; ``None`` without a media feed."""
    if not site.media_feed:
        return None
    sides, lateness_ns = _read("media", site.media_feed)
    return MediaSpec(site.site.id, sides, lateness_ns, _wards(site), site.site.timezone)


def _wards(site: Site) -> Path | None:
    return None if site.site.wards is None else site.path(site.site.wards)


def ward_index(site: Site) -> WardIndex | None:
    """The wards of a site, if its file names them.

    Raises:
        InvalidInputError: They cannot be read.
    """
    if site.site.wards is None:
        return None
    return WardIndex(site.path(site.site.wards), ZoneInfo(site.site.timezone))
