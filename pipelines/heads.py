"""Signal heads of a camera as its chain wants to know them, and whether its picture shows them large enough."""

from __future__ import annotations

import json
from typing import Any

from smartstream import _core
from smartstream.config.camera import Camera
from smartstream.errors import InvalidInputError


def head_configs(camera: Camera) -> list[dict[str, Any]]:
    """The ``heads`` of what ``CameraRun`` wants to know."""
    return [
        {
            "zone": zone.id,
            "polygon": zone.polygon,
            "groups": zone.signal,
            "lamps": zone.shown_lamps,
            "arrow": zone.arrow is not None,
        }
        for zone in camera.heads
    ]


def check_sizes(camera: Camera, size: tuple[int, int]) -> None:
    """Refuse heads whose lamps are too small to be read in a picture of ``size`` (width, height).

    Raises:
        InvalidInputError: Names each such zone, how large its lamps are, and how large they must be.
    """
    mistakes = []
    for head in head_configs(camera):
        lamp_px = _core.lamp_size_px(json.dumps(head).encode(), size)
        if lamp_px < _core.LEAST_LAMP_PX:
            mistakes.append(
                f"zone {head['zone']}: found lamps of {lamp_px:.1f} pixels in a picture of {size[0]}x{size[1]}, "
                f"expected {_core.LEAST_LAMP_PX:g} or more"
            )
    if mistakes:
        raise InvalidInputError("; ".join(mistakes))
