"""What the steps about the whole site need to know of its feeds: stations, gauges, reports, indicators, media."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.environment import StationSpec
from pipelines.feeds import FeedTable
from pipelines.floods import FloodSpec
from pipelines.media import MediaSpec
from pipelines.reports import DeskSpec
from pipelines.sectors import SectorSpec
from smartstream.config.site import Site
from smartstream.model.time import NS
from smartstream.streams.wards import WardIndex


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


def desk_spec(site: Site) -> DeskSpec | None:
    """What the desk of a site's reports needs to know; ``None`` without a report feed."""
    if not site.report_feed:
        return None
    sides, lateness_ns = _read("reports", site.report_feed)
    return DeskSpec(site.site.id, sides, site.site.timezone, lateness_ns, _wards(site))


def sector_spec(site: Site) -> SectorSpec | None:
    """What the indicators of a site need to know; ``None`` without an indicator feed."""
    if not site.indicator_feed:
        return None
    sides, lateness_ns = _read("indicators", site.indicator_feed)
    return SectorSpec(site.site.id, sides, site.site.timezone, lateness_ns)


def media_spec(site: Site) -> MediaSpec | None:
    """What the media desk of a site needs to know; ``None`` without a media feed."""
    if not site.media_feed:
        return None
    sides, lateness_ns = _read("media", site.media_feed)
    return MediaSpec(site.site.id, sides, lateness_ns, _wards(site), site.site.timezone)


def ward_index(site: Site) -> WardIndex | None:
    """The wards of a site, if its file names them.

    Raises:
        InvalidInputError: They cannot be read.
    """
    if site.site.wards is None:
        return None
    return WardIndex(site.path(site.site.wards), ZoneInfo(site.site.timezone))


def _wards(site: Site) -> Path | None:
    return None if site.site.wards is None else site.path(site.site.wards)


def _read(kind: str, feeds: Sequence[FeedTable]) -> tuple[tuple[str, ...], int]:
    """Sides of the feeds of a kind, and how late the slowest of them may be."""
    lateness_ns = round(max(feed.allowed_lateness_s for feed in feeds) * NS)
    return tuple(f"{kind}/{i}" for i in range(len(feeds))), lateness_ns
