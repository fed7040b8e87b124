"""What the camera sees of everyone: boxes per frame, and the paths on which the world model judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from smartstream.simulate.camera import NEAR_M, Array, Camera
from smartstream.simulate.traffic import STEP_S, Mover

SMALLEST: Final = 0.014
"""A box lower than this part of the picture is not a track."""
LEAST_INSIDE: Final = 0.1
"""Part of the box that the picture must show."""
_EDGE: Final = 0.003


@dataclass
class Sighting:
    """One unbroken stay of a road user in the picture, at steps of ``STEP_S``.

    Attributes:
        mover: Whose.
        at: Index of its first row in the mover's arrays.
        t_s: (n,) clip time.
        front_m: (n, 2) middle of the front on the ground.
        seen_m: (n, 2) ground point under the bottom centre of the box.
        heading: (n, 2) unit vector.
        speed_mps: (n,)
        box: (n, 4) x1 y1 x2 y2 in 0-1.
    """

    mover: Mover
    at: int
    t_s: Array
    front_m: Array
    seen_m: Array
    heading: Array
    speed_mps: Array
    box: Array


_BY_ROW: Final = ("t_s", "front_m", "seen_m", "heading", "speed_mps", "box")


def see(camera: Camera, movers: Sequence[Mover]) -> list[Sighting]:
    """Everyone in the picture, by the time they came into it."""
    out = []
    for mover in movers:
        box, depth = camera.boxes(mover.front_m, mover.heading, mover.size_m)
        seen = camera.ground(np.stack([0.5 * (box[:, 0] + box[:, 2]), box[:, 3]], axis=1))
        for a, b in runs(visible(box, depth)):
            part = slice(a, b)
            t_s = (mover.first + np.arange(a, b)) * STEP_S
            out.append(
                Sighting(
                    mover, a, t_s, mover.front_m[part], seen[part], mover.heading[part],
                    mover.speed_mps[part], box[part],
                )
            )  # fmt: skip
    out.sort(key=lambda s: (s.t_s[0], s.mover.id))
    return out


def whole(sighting: Sighting) -> list[Sighting]:
    """The parts of a stay in which the lower edge of the picture does not cut the box: else nobody sees its wheels."""
    return [
        replace(sighting, at=sighting.at + a, **{name: getattr(sighting, name)[a:b] for name in _BY_ROW})
        for a, b in runs(sighting.box[:, 3] < 1 - _EDGE)
    ]


def visible(box: Array, depth: Array) -> npt.NDArray[np.bool_]:
    """Which boxes (n, 4) at depths (n,) the picture shows large enough and well enough inside."""
    width, height = box[:, 2] - box[:, 0], box[:, 3] - box[:, 1]
    shown_x = np.clip(box[:, 2], 0, 1) - np.clip(box[:, 0], 0, 1)
    shown_y = np.clip(box[:, 3], 0, 1) - np.clip(box[:, 1], 0, 1)
    seen: npt.NDArray[np.bool_] = (
        (depth > NEAR_M) & (height >= SMALLEST) & (shown_x * shown_y >= LEAST_INSIDE * width * height)
    )
    return seen


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open index ranges in which the mask holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
