"""A pinhole camera over the junction: before the approach, looking south, or behind it, looking north."""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import radians, tan
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

NEAR_M: Final = 1.0
"""Nothing closer than this is drawn or tracked."""
_DRAWN_FROM_M: Final = 4.0
"""Lanes, lines and zones are drawn from here on, ahead of the camera."""


@dataclass(frozen=True)
class Mount:
    """Where a camera hangs.

    Attributes:
        at_m: x, y, height.
        target_m: Point on the ground in the middle of the picture.
        view_deg: Horizontal angle of view.
    """

    at_m: tuple[float, float, float]
    target_m: tuple[float, float]
    view_deg: float


MOUNTS: Final = {
    "standard": Mount((0.0, 15.5, 9.5), (0.3, -20.0), 62),
    "near": Mount((0.5, 10.5, 7.5), (0.5, -20.0), 74),
    "far": Mount((1.0, 30.0, 13.0), (0.3, -22.0), 46),
    "high": Mount((0.3, 13.0, 19.0), (0.3, -17.0), 62),
    "side": Mount((-13.0, 13.0, 10.0), (1.5, -20.0), 60),
    "rear": Mount((4.0, -54.5, 8.5), (2.5, -14.0), 66),
    "rear-far": Mount((2.0, -86.0, 13.0), (1.0, -26.0), 60),
}
REAR: Final = ("rear", "rear-far")
"""Mounts that look after those who cross the stop line, for plates at the rear; all others see them come."""


class Camera:
    """Projects metres to pixels and back to the ground.

    Args:
        mount: Where it hangs.
        size: Width and height of the picture in pixels.
    """

    def __init__(self, mount: Mount, size: tuple[int, int]) -> None:
        self.width, self.height = size
        self.focal_px = 0.5 * self.width / tan(radians(mount.view_deg) / 2)
        self.at_m: Array = np.array(mount.at_m)
        forward = np.array([*mount.target_m, 0.0]) - self.at_m
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        self.axes: Array = np.stack([right, np.cross(forward, right), forward])
        """Rows: right, down, forward."""
        self.north = float(np.sign(forward[1]))
        """1 when it looks north, after the vehicles of the approach; -1 when it looks south, at them."""

    def project(self, points_m: Array) -> tuple[Array, Array]:
        """Pixels (..., 2) and depths in metres (...) of points (..., 3)."""
        seen = (points_m - self.at_m) @ self.axes.T
        depth = seen[..., 2]
        safe = np.where(depth > 1e-3, depth, 1e-3)
        u = 0.5 * self.width + self.focal_px * seen[..., 0] / safe
        v = 0.5 * self.height + self.focal_px * seen[..., 1] / safe
        return np.stack([u, v], axis=-1), depth

    def normalised(self, ground_m: Array) -> Array:
        """Picture coordinates 0-1 of points (..., 2) on the ground."""
        flat = np.concatenate([ground_m, np.zeros((*ground_m.shape[:-1], 1))], axis=-1)
        pixel, _ = self.project(flat)
        out: Array = pixel / np.array([self.width, self.height])
        return out

    def ground(self, picture: Array) -> Array:
        """Ground points (..., 2) in metres under picture coordinates 0-1; NaN above the horizon."""
        x = (picture[..., 0] - 0.5) * self.width / self.focal_px
        y = (picture[..., 1] - 0.5) * self.height / self.focal_px
        rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ self.axes
        down = np.where(rays[..., 2] < -1e-6, rays[..., 2], np.nan)
        reach = -self.at_m[2] / down
        out: Array = self.at_m[:2] + rays[..., :2] * reach[..., None]
        return out

    def cut(self, polygon_m: Array) -> Array:
        """A polygon (n, 2) on the ground without its part beside or behind the camera, which nobody can draw."""
        seen = np.concatenate([polygon_m, np.zeros((len(polygon_m), 1))], axis=1) - self.at_m
        ahead_m = seen @ self.axes[2] - _DRAWN_FROM_M
        kept: list[Array] = []
        for i, (a, b) in enumerate(zip(ahead_m, np.roll(ahead_m, -1), strict=True)):
            p, q = polygon_m[i], polygon_m[(i + 1) % len(polygon_m)]
            if a >= 0:
                kept.append(p)
            if (a >= 0) != (b >= 0):
                kept.append(p + a / (a - b) * (q - p))
        return np.array(kept)

    def boxes(self, front_m: Array, heading: Array, size_m: tuple[float, float, float]) -> tuple[Array, Array]:
        """Picture boxes (n, 4) x1 y1 x2 y2 in 0-1 of 3-D boxes, and the depth (n,) of the nearest corner."""
        corners = box_corners(front_m, heading, size_m)
        pixel, depth = self.project(corners)
        pixel = pixel / np.array([self.width, self.height])
        return np.concatenate([pixel.min(axis=1), pixel.max(axis=1)], axis=1), depth.min(axis=1)


def box_corners(front_m: Array, heading: Array, size_m: tuple[float, float, float]) -> Array:
    """Corners (n, 8, 3) of upright boxes that stand on the ground, by the middle of their front."""
    length, width, height = size_m
    left = np.stack([-heading[:, 1], heading[:, 0]], axis=1)
    out = np.empty((len(front_m), 8, 3))
    for i, (back, side, up) in enumerate(np.ndindex(2, 2, 2)):
        out[:, i, :2] = front_m - back * length * heading + (side - 0.5) * width * left
        out[:, i, 2] = up * height
    return out


def hang(rng: random.Random, mount: str, size: tuple[int, int]) -> Camera:
    """A camera at a named mount, hung as precisely as fitters do."""
    named = MOUNTS[mount]
    x, y, z = named.at_m
    at = (x + rng.uniform(-0.6, 0.6), y + rng.uniform(-0.8, 0.8), z + rng.uniform(-0.4, 0.4))
    target = (named.target_m[0] + rng.uniform(-0.7, 0.7), named.target_m[1] + rng.uniform(-1, 1))
    return Camera(Mount(at, target, named.view_deg), size)
