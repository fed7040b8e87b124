"""A site's sources, each with the side name that joins and recovery know it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipelines.camera_sources import camera_side, choose_decoder
from pipelines.feeds import FeedTable, is_live
from pipelines.floods import flood_side
from pipelines.line_sources import LineSides, condition_name, signal_name
from pipelines.specs import flood_spec, ward_index
from smartstream import _core
from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError
from smartstream.ingest.source import SideSpec
from smartstream.model.items import lamp_side
from smartstream.rules.compile import compile_junction

Make = Callable[[], SideSpec]
Making = tuple[FeedTable | None, str, Make]
"""The table of a line feed, the place of a source in the site file, and what makes its side."""
F = TypeVar("F", bound=FeedTable)


def site_sides(
    site: Site,
    *,
    state_dir: Path | None = None,
    speed: float | None = None,
    inputs: NatsAccess | None = None,
    live: bool = True,
) -> dict[str, SideSpec]:
    """Every source of the site, opened once to see that it can be.

    Args:
        site: The site.
        state_dir: Where cameras keep their vision state between stops; ``None`` keeps none.
        speed: Event seconds per second at which sources are paced; ``None``: as fast as possible.
        inputs: Where live feeds of lines are kept.
        live: With the live feeds of lines.

    Raises:
        InvalidInputError: Sources that cannot be opened and junctions that cannot be judged, all in one message.
    """
    if site.camera:
        choose_decoder()
    sides: dict[str, SideSpec] = {}
    mistakes: list[str] = []
    for feed, place, make in _makers(site, state_dir, speed, LineSides(site, inputs, speed is not None)):
        if feed is None or live or not is_live(site, feed):
            _add(sides, mistakes, place, make)
    try:
        ward_index(site)
    except InvalidInputError as e:
        mistakes.append(f"site.wards: {e}")
    told = ["cannot open every source:", *(f"  {m}" for m in mistakes)] if mistakes else []
    if told := [*told, *_unplaceable(site)]:
        raise InvalidInputError("\n".join(told))
    return sides


def _unplaceable(site: Site) -> Iterator[str]:
    """What only the engine of a junction can see: geometry that each table for itself allows."""
    for junction in site.junction:
        try:
            _core.JunctionEngine(compile_junction(site, junction).config)
        except InvalidInputError as e:
            yield str(e)


def _makers(site: Site, state_dir: Path | None, speed: float | None, lines: LineSides) -> Iterator[Making]:
    yield from _each("signal_feed", site.signal_feed, lines.signals)
    for i, conditions in enumerate(site.condition_feed):
        for junction in site.junction:
            yield conditions, f"condition_feed[{i}].url", partial(lines.conditions, junction.id, i, conditions)
    for i, camera in enumerate(site.camera):
        yield None, f"camera[{i}].url", partial(camera_side, site, camera, state_dir, speed)
    yield from _each("sensor_feed", site.sensor_feed, lines.sensors)
    yield from _each("report_feed", site.report_feed, lines.reports)
    yield from _each("indicator_feed", site.indicator_feed, lines.indicators)
    yield from _each("approval_feed", site.approval_feed, lines.approvals)
    yield from _each("media_feed", site.media_feed, lines.media)


def _each(table: str, feeds: Sequence[F], make: Callable[[int, F], SideSpec]) -> Iterator[Making]:
    for i, feed in enumerate(feeds):
        yield feed, f"{table}[{i}].url", partial(make, i, feed)


def _add(sides: dict[str, SideSpec], mistakes: list[str], place: str, make: Make) -> None:
    try:
        spec = make()
    except InvalidInputError as e:
        mistakes.append(f"{place}: {e}")
    else:
        sides[spec.side] = spec


def junction_sides(site: Site, junction: str) -> tuple[str, ...]:
    """Sides of a junction by rank: feeds before cameras, so that a state of the same instant counts."""
    lifted = [condition_name(i, junction) for i in range(len(site.condition_feed))]
    if (floods := flood_spec(site)) is not None and any(junction in at for at in floods.junctions.values()):
        lifted.append(flood_side(junction))
    feeds = [signal_name(i, feed) for i, feed in enumerate(site.signal_feed) if feed.junction == junction]
    cameras = [camera for camera in site.camera if camera.junction == junction]
    lamps = [lamp_side(camera.id) for camera in cameras if camera.heads]
    return (*lifted, *feeds, *lamps, *(camera.id for camera in cameras))
