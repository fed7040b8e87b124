"""A site's sources, each with the side name that joins and recovery know it by."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.detectors import camera_detector
from pipelines.feeds import FeedTable, is_live, line_source
from pipelines.floods import flood_side
from pipelines.heads import check_sizes, head_configs
from pipelines.line_sources import (
    approval_side,
    flood_spec,
    indicator_side,
    media_side,
    report_side,
    sensor_side,
    ward_index,
)
from pipelines.live_cameras import is_live as is_live_camera
from pipelines.live_cameras import live_config, live_side
from smartstream import _core
from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.settings import settings
from smartstream.config.site import Camera, ConditionFeed, SignalFeed, Site
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.ingest.camera import CameraFeed
from smartstream.ingest.condition_lines import ConditionLines
from smartstream.ingest.roster import with_roster
from smartstream.ingest.signal_lines import SignalLines
from smartstream.ingest.source import Feed, SideSpec
from smartstream.ingest.tracks_file import TracksFile, first_instant
from smartstream.model.items import lamp_side
from smartstream.model.time import NS
from smartstream.observe.logging import get_logger
from smartstream.rules.compile import compile_junction

_log = get_logger("sources")
_RAW: Final = frozenset({"h264", "hevc", "mjpeg", "m4v"})  # libav's names; a run of files counts their pictures


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
        _choose_decoder()
    sides: dict[str, SideSpec] = {}
    mistakes: list[str] = []
    for feed, place, make in _makers(site, state_dir, speed, inputs):
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


@cache
def _choose_decoder() -> None:
    """NVDEC for all cameras of this process, where it was asked for and there is one."""
    if settings().decoder == "nvdec":
        try:
            _core.use_nvdec()
        except UnavailableError as e:
            _log.warning("cameras are decoded on the CPU", why=str(e))


def _makers(
    site: Site,
    state_dir: Path | None,
    speed: float | None,
    inputs: NatsAccess | None,
) -> Iterator[tuple[FeedTable | None, str, partial[SideSpec]]]:
    """The table of a feed, its place in the site file, and what makes its side."""
    paced = speed is not None
    for i, signals in enumerate(site.signal_feed):
        yield signals, f"signal_feed[{i}].url", partial(_signal_side, site, i, signals, inputs)
    for i, conditions in enumerate(site.condition_feed):
        for junction in site.junction:
            make = partial(_condition_side, site, i, conditions, junction.id, inputs)
            yield conditions, f"condition_feed[{i}].url", make
    for i, camera in enumerate(site.camera):
        yield None, f"camera[{i}].url", partial(_camera_side, site, camera, state_dir, speed)
    for i, sensors in enumerate(site.sensor_feed):
        make = partial(sensor_side, site, i, sensors, inputs=inputs, paced=paced)
        yield sensors, f"sensor_feed[{i}].url", make
    for i, reports in enumerate(site.report_feed):
        make = partial(report_side, site, i, reports, inputs=inputs, paced=paced)
        yield reports, f"report_feed[{i}].url", make
    for i, figures in enumerate(site.indicator_feed):
        make = partial(indicator_side, site, i, figures, inputs=inputs, paced=paced)
        yield figures, f"indicator_feed[{i}].url", make
    for i, approvals in enumerate(site.approval_feed):
        yield approvals, f"approval_feed[{i}].url", partial(approval_side, site, i, approvals, inputs=inputs)
    for i, media in enumerate(site.media_feed):
        make = partial(media_side, site, i, media, inputs=inputs, paced=paced)
        yield media, f"media_feed[{i}].url", make


def junction_sides(site: Site, junction: str) -> tuple[str, ...]:
    """Sides of a junction by rank: feeds before cameras, so that a state of the same instant counts."""
    lifted = [_condition_name(i, junction) for i in range(len(site.condition_feed))]
    if (floods := flood_spec(site)) is not None and any(junction in at for at in floods.junctions.values()):
        lifted.append(flood_side(junction))
    feeds = [_signal_name(i, feed) for i, feed in enumerate(site.signal_feed) if feed.junction == junction]
    cameras = [camera for camera in site.camera if camera.junction == junction]
    lamps = [lamp_side(camera.id) for camera in cameras if camera.heads]
    return (*lifted, *feeds, *lamps, *(camera.id for camera in cameras))


def _add(sides: dict[str, SideSpec], mistakes: list[str], place: str, make: partial[SideSpec]) -> None:
    try:
        spec = make()
    except InvalidInputError as e:
        mistakes.append(f"{place}: {e}")
    else:
        sides[spec.side] = spec


def _condition_name(i: int, junction: str) -> str:
    return f"conditions/{junction}/{i}"


def _condition_side(site: Site, i: int, feed: ConditionFeed, junction: str, inputs: NatsAccess | None) -> SideSpec:
    side, speaks = _condition_name(i, junction), junction == site.junction[0].id
    source = line_source(site, feed, side, inputs=inputs, marks=speaks)
    if not source.live:
        source = with_roster(source, Path(site.address(feed.url).target))

    def open_side(resume: dict[str, Any] | None) -> Feed:
        return ConditionLines(
            source,
            junction=junction,
            junctions=frozenset(j.id for j in site.junction),
            cameras={camera.id: camera.junction for camera in site.camera},
            lanes={camera.id: frozenset(lane.id for lane in camera.lane) for camera in site.camera},
            timezone=ZoneInfo(site.site.timezone),
            metered=frozenset(c.id for c in site.camera if any(rule.kind == "speeding" for rule in c.rule)),
            speaks=speaks,
            resume=resume,
        )

    if not source.live:
        open_side(None).close()
    return SideSpec(side, junction, open_side, None)


def _signal_name(i: int, feed: SignalFeed) -> str:
    return f"signals/{feed.junction}/{i}"


def _signal_side(site: Site, i: int, feed: SignalFeed, inputs: NatsAccess | None) -> SideSpec:
    groups = frozenset(g.id for j in site.junction if j.id == feed.junction for g in j.signal)
    side = _signal_name(i, feed)
    source = line_source(site, feed, side, inputs=inputs)

    def open_side(resume: dict[str, Any] | None) -> Feed:
        return SignalLines(source, groups=groups, resume=resume)

    if not source.live:
        open_side(None).close()
    return SideSpec(side, feed.junction, open_side, None)


def _camera_side(site: Site, camera: Camera, state_dir: Path | None, speed: float | None) -> SideSpec:
    targets = [Path(site.address(url).target) for url in camera.url]
    if camera.scheme == "tracks":
        if len(targets) > 1:
            raise InvalidInputError("expected one tracks: file, found a list")
        lateness_ns = round(camera.allowed_lateness_s * NS)
        path = targets[0]

        def open_tracks(resume: dict[str, Any] | None) -> Feed:
            return TracksFile(side=camera.id, path=path, lateness_ns=lateness_ns, resume=resume)

        return SideSpec(camera.id, camera.junction, open_tracks, first_instant(path))
    live = is_live_camera(camera, speed)
    assumed = []
    if camera.scheme == "file":
        for path in targets:
            video = _core.probe(str(path))
            if video["fps_assumed"]:
                assumed.append(path.name)
            if live and video["container"] in _RAW:
                raise InvalidInputError(
                    f"{path}: a raw stream says no times to be played by: expected MP4, MKV or TS, or shed = 'block'"
                )
            check_sizes(camera, (video["width"], video["height"]))
    start_ns = camera.start_time_ns or 0
    beside = (lamp_side(camera.id),) if camera.heads else ()
    config: dict[str, Any] = {
        "camera": camera.id,
        **({"live": live_config(site, camera, speed)} if live else {"files": [str(path) for path in targets]}),
        "start_time_ns": start_ns,
        "detector": camera.detector,
        "calibration": None if camera.calibration is None else camera.calibration.model_dump(mode="json"),
    }
    hub: _core.DetectorHub | None = None
    if camera.detector != "motion":
        hub, look = camera_detector(site, camera)
        config |= look
    if camera.heads:
        config["heads"] = head_configs(camera)

    folder = None if state_dir is None else state_dir / camera.id
    if live:
        return live_side(camera, config, hub, folder)

    def open_camera(resume: dict[str, Any] | None) -> Feed:
        if assumed:
            _log.warning("no frame rate is stated: 25 a second, and nothing is proved", side=camera.id, files=assumed)
        return CameraFeed(
            side=camera.id, config=config, state_dir=folder, paced=speed is not None, hub=hub, resume=resume
        )

    return SideSpec(camera.id, camera.junction, open_camera, start_ns, beside)
