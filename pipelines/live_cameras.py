"""Live cameras as sides: what their chain is told, and a look at each before a fresh run begins."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream import _core
from smartstream.config.camera import Camera
from smartstream.config.settings import camera_login
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError
from smartstream.ingest.camera import CameraFeed
from smartstream.ingest.source import Feed, SideSpec
from smartstream.model.items import lamp_side

_AT_ONCE: Final = 32  # cameras looked at side by side: one that does not answer takes its whole patience


def is_live(camera: Camera, speed: float | None) -> bool:
    """It comes as it comes: a live camera, or a file at a pace that may leave something out."""
    return camera.is_live or (camera.scheme == "file" and speed is not None and camera.shed not in (None, "block"))


def live_config(site: Site, camera: Camera, speed: float | None) -> dict[str, Any]:
    """The ``live`` table of what ``CameraRun`` wants to know; with the login, so never to be shown.

    Raises:
        InvalidInputError: A login that is half given, or a list of files.
    """
    if len(camera.url) > 1:
        raise InvalidInputError("a list of files is never left out of: expected one file, or shed = 'block'")
    scheme, target = site.address(camera.url[0])
    live = {"url": f"file:{Path(target)}" if scheme == "file" else camera.url[0], **camera.live.model_dump(mode="json")}
    live |= {"shed": camera.shed or "latest", "shed_nth": camera.shed_nth, "pace": speed or 1.0}
    if scheme != "file" and (login := camera_login(camera.id)) is not None:
        live |= {"user": login[0], "password": login[1].get_secret_value()}
    return live


def live_side(camera: Camera, config: dict[str, Any], hub: _core.DetectorHub | None, folder: Path | None) -> SideSpec:
    """A side that paces nobody and waits for nobody; ``config`` as for ``CameraRun``, with ``live``.

    In ``folder`` it keeps what its street looks like: a view told to have moved is then told to be back, too.
    """

    def open_camera(resume: dict[str, Any] | None) -> Feed:
        return CameraFeed(side=camera.id, config=config, state_dir=folder, paced=False, hub=hub, resume=resume)

    beside = (lamp_side(camera.id),) if camera.heads else ()
    return SideSpec(camera.id, camera.junction, open_camera, None, beside)


def live_picture(site: Site, camera: Camera) -> npt.NDArray[np.uint8] | None:
    """A picture of a live camera now, (H, W, 3) uint8 RGB; ``None`` when none comes within its patience.

    Raises:
        InvalidInputError: A login that is half given.
    """
    config = {"camera": camera.id, "start_time_ns": 0, "live": live_config(site, camera, None)}
    run = _core.CameraRun(json.dumps(config).encode())
    try:
        until_s = time.monotonic() + camera.live.connect_timeout_s + camera.live.read_timeout_s
        while time.monotonic() < until_s:
            for item in run.poll(1):
                if item[0] == "tracks":
                    return run.ring().still(item[2])["rgb"]
                if item[0] == "health" and item[1] == "lost":
                    return None
            time.sleep(0.02)
        return None
    finally:
        run.close()


def look_at_cameras(site: Site, cameras: Iterable[Camera]) -> None:
    """Connect to each live camera once, side by side.

    A fresh run is begun by somebody who can mend an address or a password, so it is refused; a resumed run is not:
    there a camera that is gone is a health event, and is tried until it is back.

    Raises:
        InvalidInputError: Cameras that give no video, all of them in one message.
    """
    places = {camera.id: f"camera[{i}].url" for i, camera in enumerate(site.camera)}

    def look(camera: Camera) -> str | None:
        config = {"camera": camera.id, "start_time_ns": 0, "live": live_config(site, camera, None)}
        try:
            _core.probe_live(json.dumps(config).encode())
        except InvalidInputError as e:
            return f"{places[camera.id]}: {e}"
        return None

    live = [camera for camera in cameras if camera.is_live]
    if not live:
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(live))) as pool:
        mistakes = [mistake for mistake in pool.map(look, live) if mistake is not None]
    if mistakes:
        raise InvalidInputError("cannot open every source:\n" + "\n".join(f"  {m}" for m in mistakes))
