"""Feeds of lines about the whole site, each with its side: sensors and reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.environment import SENSORS, StationSpec
from pipelines.reports import REPORTS, DeskSpec
from smartstream.config.site import ReportFeed, SensorFeed, Site
from smartstream.ingest.lines import TURN_LINES, file_source
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.report_tables import report_source
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.ingest.source import Feed, SideSpec
from smartstream.ingest.station_lines import StationLines, station_of
from smartstream.model.time import MIN_NS, NS
from smartstream.streams.wards import WardIndex


def sensor_side(site: Site, i: int, feed: SensorFeed, paced: bool) -> SideSpec:  # noqa: FBT001
    """A sensor feed from a file: a station file by its suffix ``.txt``, otherwise NDJSON.

    Raises:
        InvalidInputError: It cannot be opened.
    """
    path = Path(site.address(feed.url).target)
    side = f"sensors/{i}"
    lateness_ns = round(feed.allowed_lateness_s * NS)
    source = file_source(side, path, lateness_ns=lateness_ns, turn_lines=1 if paced else TURN_LINES)
    is_station = path.name.removesuffix(".gz").endswith(".txt")

    def open_side(resume: dict[str, Any] | None) -> Feed:
        if is_station:
            zone = ZoneInfo(site.site.timezone)
            return StationLines(source, station=station_of(path), timezone=zone, resume=resume)
        return SensorLines(source, resume)

    return SideSpec(side, SENSORS, open_side, _start_ns(site, open_side))


def _start_ns(site: Site, open_side: Callable[[dict[str, Any] | None], Feed]) -> int | None:
    """Event time of a feed's first lines, where no camera paces the run."""
    feed = open_side(None)
    try:
        while not site.camera and feed.position_ns == MIN_NS and not feed.ended:
            feed.read()
        return None if feed.position_ns == MIN_NS else feed.position_ns
    finally:
        feed.close()


def station_spec(site: Site) -> StationSpec | None:
    """What the stations of a site need to know; ``None`` without a sensor feed that is read."""
    read = {f"sensors/{i}": feed for i, feed in enumerate(site.sensor_feed) if is_file(site, feed.url)}
    if not read:
        return None
    lateness_ns = round(max(feed.allowed_lateness_s for feed in read.values()) * NS)
    return StationSpec(site.site.id, tuple(read), site.site.timezone, lateness_ns)


def report_side(site: Site, i: int, feed: ReportFeed, paced: bool) -> SideSpec:  # noqa: FBT001
    """A report feed from a file: NDJSON, or a table by its suffix ``.json`` or ``.csv``.

    Raises:
        InvalidInputError: It cannot be opened, or is no table of a known form.
    """
    path = Path(site.address(feed.url).target)
    side = f"reports/{i}"
    lateness_ns = round(feed.allowed_lateness_s * NS)
    turn = 1 if paced else TURN_LINES
    zone = ZoneInfo(site.site.timezone)
    source = report_source(side, path, zone, lateness_ns=lateness_ns, turn_lines=turn)

    def open_side(resume: dict[str, Any] | None) -> Feed:
        return ReportLines(source, site=site.site.id, resume=resume)

    return SideSpec(side, REPORTS, open_side, _start_ns(site, open_side))


def desk_spec(site: Site) -> DeskSpec | None:
    """What the desk of a site's reports needs to know; ``None`` without a report feed that is read."""
    read = {f"reports/{i}": feed for i, feed in enumerate(site.report_feed) if is_file(site, feed.url)}
    if not read:
        return None
    lateness_ns = round(max(feed.allowed_lateness_s for feed in read.values()) * NS)
    wards = None if site.site.wards is None else site.path(site.site.wards)
    return DeskSpec(site.site.id, tuple(read), site.site.timezone, lateness_ns, wards)


def ward_index(site: Site) -> WardIndex | None:
    """The wards of a site, if its file names them.

    Raises:
        InvalidInputError: They cannot be read.
    """
    if site.site.wards is None:
        return None
    return WardIndex(site.path(site.site.wards), ZoneInfo(site.site.timezone))


def is_file(site: Site, url: str) -> bool:
    """Whether a feed is one that this version reads."""
    return site.address(url).scheme == "file"
