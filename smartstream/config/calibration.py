"""The plane-to-plane map (homography) from picture to ground that point pairs determine, and its error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from smartstream.config.fields import Point

_F64 = npt.NDArray[np.float64]


def ground_from_image(image: tuple[Point, ...], world_m: tuple[Point, ...]) -> _F64 | None:
    """The (3, 3) homography by least squares, or None when the pairs do not determine one.

    Args:
        image: N >= 4 points of the picture.
        world_m: The same points on the ground, metres.

    Source: Hartley & Zisserman, Multiple View Geometry, 2nd ed., algorithm 4.2 (normalised DLT).
    """
    a, to_a = _normalise(np.asarray(image, float))
    b, to_b = _normalise(np.asarray(world_m, float))
    one, zero = np.ones(len(a)), np.zeros(len(a))
    x, y, u, v = a[:, 0], a[:, 1], b[:, 0], b[:, 1]
    rows = np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u], axis=1),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v], axis=1),
        ]
    )
    _, strength, basis = np.linalg.svd(rows)
    h = basis[-1].reshape(3, 3)
    # One solution only if the other eight directions are held; and it must map areas to areas.
    if strength[7] < 1e-9 * strength[0] or abs(np.linalg.det(h)) < 1e-9:
        return None
    result: _F64 = np.linalg.inv(to_b) @ h @ to_a
    return result


def residuals_m(h: _F64, image: tuple[Point, ...], world_m: tuple[Point, ...]) -> _F64:
    """Distance in metres of each mapped picture point from its ground point, shape (N,)."""
    mapped = np.c_[np.asarray(image, float), np.ones(len(image))] @ h.T
    result: _F64 = np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - np.asarray(world_m, float), axis=1)
    return result


def _normalise(points: _F64) -> tuple[_F64, _F64]:
    """Points moved to their centre at a mean distance of sqrt(2), and the (3, 3) map that does it."""
    centre = points.mean(axis=0)
    spread = np.linalg.norm(points - centre, axis=1).mean()
    scale = np.sqrt(2) / spread if spread > 0 else 1.0
    moved: _F64 = (points - centre) * scale
    return moved, np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1.0]])
