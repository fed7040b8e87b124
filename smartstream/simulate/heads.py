"""The signal heads that face the camera: where they are, for the picture and for the truth about it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from smartstream.simulate.camera import Array, Camera
from smartstream.simulate.phases import FEED_GROUP

SIGNAL_POST_M: Final = (-11.6, -21.0)
"""The post that faces a camera that looks south: its heads serve the northern approach, which runs with the southern
one. A camera that looks north sees the heads of the southern approach, across the road."""
_TALL_M: Final = 5.6
_APART_M: Final = 0.62
LAMP_M: Final = 0.19
"""Radius of a lamp."""
LAMPS: Final = ("red", "amber", "green")
_FIRST_M: Final = 0.27
_NEXT_M: Final = 0.48


class Head(NamedTuple):
    """A head in pixels.

    Attributes:
        group: Its stage of the plan.
        x: Of its middle.
        top: Its upper edge.
        scale: Pixels per metre there.
    """

    group: str
    x: float
    top: float
    scale: float

    def lamp(self, j: int) -> tuple[float, float]:
        """Centre of its lamp ``j`` from the top."""
        return self.x, self.top + (_FIRST_M + _NEXT_M * j) * self.scale


def signal_post(camera: Camera) -> tuple[Array, list[Head]]:
    """Foot and top of the post (2, 2) in pixels, and the heads on it."""
    x, y = -camera.north * SIGNAL_POST_M[0], SIGNAL_POST_M[1]
    post, _ = camera.project(np.array([[x, y, 0.0], [x, y, _TALL_M]]))
    scale = float(np.linalg.norm(post[1] - post[0])) / _TALL_M
    middle, top = float(post[1][0]), float(post[1][1])
    groups = enumerate(FEED_GROUP.values())
    return post, [Head(group, middle + (i - 0.5) * _APART_M * scale, top, scale) for i, group in groups]


def heads_truth(camera: Camera) -> list[dict[str, Any]]:
    """Zones for a site file, closely round the lamps: ``signal``, ``polygon`` (normalised), ``lamps``."""
    out = []
    for signal, head in zip(FEED_GROUP, signal_post(camera)[1], strict=True):
        (_, first), (_, last) = head.lamp(0), head.lamp(len(LAMPS) - 1)
        aside, above = 1.1 * LAMP_M * head.scale, 0.5 * _NEXT_M * head.scale
        x0, x1, y0, y1 = head.x - aside, head.x + aside, first - above, last + above
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) / (camera.width, camera.height)
        out.append({"signal": signal, "polygon": np.round(corners, 5).tolist(), "lamps": list(LAMPS)})
    return out
