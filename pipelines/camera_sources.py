"""The cameras of a site as sides of the flow: video files, live cameras, recorded tracks."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from pipelines.detectors import camera_detector
from pipelines.heads import check_sizes, head_configs
from pipelines.live_cameras import is_live, live_config, live_side
from smartstream import _core
from smartstream.config.camera import Camera
from smartstream.config.settings import settings
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.ingest.camera import CameraFeed
from smartstream.ingest.source import Feed, SideSpec
from smartstream.ingest.tracks_file import TracksFile, first_instant
from smartstream.model.items import lamp_side
from smartstream.model.time import NS
from smartstream.observe.logging import get_logger

_log = get_logger("sources")
_RAW: Final = frozenset({"h264", "hevc", "mjpeg", "m4v"})  # libav's names; a run of files counts their pictures


@cache
def choose_decoder() -> None:
    """NVDEC for all cameras of this process, where it was asked for and there is one."""
    if settings().decoder == "nvdec":
        try:
            _core.use_nvdec()
        except UnavailableError as e:
            _log.warning("cameras are decoded on the CPU", why=str(e))


def camera_side(site: Site, camera: Camera, state_dir: Path | None, speed: float | None) -> SideSpec:
    """The side of a camera.

    Args:
        site: The site.
        camera: Its table.
        state_dir: Where cameras keep their vision state between stops; ``None`` keeps none.
        speed: Event seconds per second at which it is paced; ``None``: as fast as possible.

    Raises:
        InvalidInputError: It cannot be opened as its table says.
    """
    if camera.scheme == "tracks":
        return _tracks_side(site, camera)
    live = is_live(camera, speed)
    assumed = _probed(site, camera, live=live) if camera.scheme == "file" else []
    start_ns = camera.start_time_ns or 0
    beside = (lamp_side(camera.id),) if camera.heads else ()
    source: dict[str, Any] = (
        {"live": live_config(site, camera, speed)} if live else {"files": [str(path) for path in _paths(site, camera)]}
    )
    config: dict[str, Any] = {
        "camera": camera.id,
        **source,
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


def _paths(site: Site, camera: Camera) -> list[Path]:
    return [Path(site.address(url).target) for url in camera.url]


def _tracks_side(site: Site, camera: Camera) -> SideSpec:
    path, *more = _paths(site, camera)
    if more:
        raise InvalidInputError("expected one tracks: file, found a list")
    lateness_ns = round(camera.allowed_lateness_s * NS)

    def open_tracks(resume: dict[str, Any] | None) -> Feed:
        return TracksFile(side=camera.id, path=path, lateness_ns=lateness_ns, resume=resume)

    return SideSpec(camera.id, camera.junction, open_tracks, first_instant(path))


def _probed(site: Site, camera: Camera, *, live: bool) -> list[str]:
    """Which of a camera's files state no frame rate; what cannot be used is refused."""
    assumed = []
    for path in _paths(site, camera):
        video = _core.probe(str(path))
        if video["fps_assumed"]:
            assumed.append(path.name)
        if live and video["container"] in _RAW:
            raise InvalidInputError(
                f"{path}: a raw stream says no times to be played by: expected MP4, MKV or TS, or shed = 'block'"
            )
        check_sizes(camera, (video["width"], video["height"]))
    return assumed
