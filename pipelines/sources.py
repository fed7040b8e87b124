"""A site's sources, each with the side name that joins and recovery know it by."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.line_sources import is_file, report_side, sensor_side, ward_index
from smartstream import _core
from smartstream.config.site import Camera, ConditionFeed, SignalFeed, Site
from smartstream.errors import InvalidInputError
from smartstream.ingest.camera import CameraFeed
from smartstream.ingest.condition_lines import ConditionLines
from smartstream.ingest.lines import file_source
from smartstream.ingest.signal_lines import SignalLines
from smartstream.ingest.source import Feed, SideSpec
from smartstream.ingest.tracks_file import TracksFile, first_instant
from smartstream.model.time import NS


def site_sides(site: Site, *, state_dir: Path | None, paced: bool) -> dict[str, SideSpec]:
    """Every source of the site, opened once to see that it can be.

    Args:
        site: The site.
        state_dir: Where cameras keep their vision state between stops; ``None`` keeps none.
        paced: Sources are paced by event time.

    Raises:
        InvalidInputError: Sources that cannot be opened, all of them in one message.
    """
    sides: dict[str, SideSpec] = {}
    mistakes: list[str] = []
    for i, feed in enumerate(site.signal_feed):
        _add(sides, mistakes, f"signal_feed[{i}].url", partial(_signal_side, site, i, feed))
    for i, conditions in enumerate(site.condition_feed):
        if is_file(site, conditions.url):
            for junction in site.junction:
                side = partial(_condition_side, site, i, conditions, junction.id)
                _add(sides, mistakes, f"condition_feed[{i}].url", side)
    for i, camera in enumerate(site.camera):
        _add(sides, mistakes, f"camera[{i}].url", partial(_camera_side, site, camera, state_dir, paced))
    for i, sensors in enumerate(site.sensor_feed):
        if is_file(site, sensors.url):
            _add(sides, mistakes, f"sensor_feed[{i}].url", partial(sensor_side, site, i, sensors, paced))
    for i, reports in enumerate(site.report_feed):
        if is_file(site, reports.url):
            _add(sides, mistakes, f"report_feed[{i}].url", partial(report_side, site, i, reports, paced))
    try:
        ward_index(site)
    except InvalidInputError as e:
        mistakes.append(f"site.wards: {e}")
    if mistakes:
        raise InvalidInputError("cannot open every source:\n" + "\n".join(f"  {m}" for m in mistakes))
    return sides


def junction_sides(site: Site, junction: str) -> tuple[str, ...]:
    """Sides of a junction by rank: feeds before cameras, so that a state of the same instant counts."""
    lifted = [_condition_name(i, junction) for i, feed in enumerate(site.condition_feed) if is_file(site, feed.url)]
    feeds = [_signal_name(i, feed) for i, feed in enumerate(site.signal_feed) if feed.junction == junction]
    return (*lifted, *feeds, *(camera.id for camera in site.camera if camera.junction == junction))


def unread(site: Site) -> Iterator[str]:
    """Sources of the site file that this version does not read yet, by their path in it."""
    yield from (f"sensor_feed[{i}]" for i, feed in enumerate(site.sensor_feed) if not is_file(site, feed.url))
    yield from (f"report_feed[{i}]" for i, feed in enumerate(site.report_feed) if not is_file(site, feed.url))
    yield from (f"condition_feed[{i}]" for i, feed in enumerate(site.condition_feed) if not is_file(site, feed.url))
    for kind in ("indicator_feed", "media_feed"):
        yield from (f"{kind}[{i}]" for i in range(len(getattr(site, kind))))


def _add(sides: dict[str, SideSpec], mistakes: list[str], place: str, make: partial[SideSpec]) -> None:
    try:
        spec = make()
    except InvalidInputError as e:
        mistakes.append(f"{place}: {e}")
    else:
        sides[spec.side] = spec


def _condition_name(i: int, junction: str) -> str:
    return f"conditions/{junction}/{i}"


def _condition_side(site: Site, i: int, feed: ConditionFeed, junction: str) -> SideSpec:
    side, path = _condition_name(i, junction), Path(site.address(feed.url).target)
    source = file_source(side, path, lateness_ns=round(feed.allowed_lateness_s * NS))
    cameras = [camera for camera in site.camera if camera.junction == junction]

    def open_side(resume: dict[str, Any] | None) -> Feed:
        return ConditionLines(
            source,
            junction=junction,
            junctions=frozenset(j.id for j in site.junction),
            cameras=frozenset(camera.id for camera in cameras),
            lanes=frozenset(lane.id for camera in cameras for lane in camera.lane),
            every_lane=frozenset(lane.id for camera in site.camera for lane in camera.lane),
            speaks=junction == site.junction[0].id,
            resume=resume,
        )

    open_side(None).close()
    return SideSpec(side, junction, open_side, None)


def _signal_name(i: int, feed: SignalFeed) -> str:
    return f"signals/{feed.junction}/{i}"


def _signal_side(site: Site, i: int, feed: SignalFeed) -> SideSpec:
    scheme, target = site.address(feed.url)
    if scheme != "file":
        raise InvalidInputError(f"{feed.url}: this version reads signal states from file: only")
    groups = frozenset(g.id for j in site.junction if j.id == feed.junction for g in j.signal)
    side = _signal_name(i, feed)
    source = file_source(side, Path(target), lateness_ns=round(feed.allowed_lateness_s * NS))

    def open_side(resume: dict[str, Any] | None) -> Feed:
        return SignalLines(source, groups=groups, resume=resume)

    open_side(None).close()
    return SideSpec(side, feed.junction, open_side, None)


def _camera_side(site: Site, camera: Camera, state_dir: Path | None, paced: bool) -> SideSpec:  # noqa: FBT001
    targets = [Path(site.address(url).target) for url in camera.url]
    if camera.scheme == "tracks":
        if len(targets) > 1:
            raise InvalidInputError("expected one tracks: file, found a list")
        lateness_ns = round(camera.allowed_lateness_s * NS)
        path = targets[0]

        def open_tracks(resume: dict[str, Any] | None) -> Feed:
            return TracksFile(side=camera.id, path=path, lateness_ns=lateness_ns, resume=resume)

        return SideSpec(camera.id, camera.junction, open_tracks, first_instant(path))
    if camera.scheme != "file":
        raise InvalidInputError(f"{camera.url[0]}: this version reads cameras from file: and tracks: only")
    if camera.detector != "motion":
        raise InvalidInputError(f"detector {camera.detector!r}: this version has the motion detector only")
    for path in targets:
        _core.probe(str(path))
    start_ns = camera.start_time_ns or 0
    config: dict[str, Any] = {
        "camera": camera.id,
        "files": [str(path) for path in targets],
        "start_time_ns": start_ns,
        "detector": camera.detector,
        "calibration": None if camera.calibration is None else camera.calibration.model_dump(mode="json"),
    }

    def open_camera(resume: dict[str, Any] | None) -> Feed:
        folder = None if state_dir is None else state_dir / camera.id
        return CameraFeed(side=camera.id, config=config, state_dir=folder, paced=paced, resume=resume)

    return SideSpec(camera.id, camera.junction, open_camera, start_ns)
