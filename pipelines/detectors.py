"""From a camera's table to the detector that looks through it."""

from __future__ import annotations

from typing import Any

from smartstream import _core
from smartstream.config.camera import Camera
from smartstream.config.site import Site
from smartstream.vision.detector import DetectorSettings
from smartstream.vision.service import detector_service, look_config


def camera_detector(site: Site, camera: Camera) -> tuple[_core.DetectorHub, dict[str, Any]]:
    """The way to a camera's detector, and what its configuration says of it.

    Raises:
        InvalidInputError: The detector cannot be opened.
    """
    detect = camera.detect
    settings = DetectorSettings(
        model=None if camera.model is None else site.path(camera.model),
        min_score=detect.min_score,
        overlap=detect.overlap,
        format=detect.format,
        names=detect.names,
        provider=detect.provider,
        options=detect.options,
    )
    service, identity = detector_service(camera.detector, settings)
    look = look_config(service, identity, rate_hz=detect.rate_hz, gate=detect.gate, refresh_s=detect.refresh_s)
    return service.hub, {"look": look, "tracker_preset": "detector"}
