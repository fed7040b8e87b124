"""What does not move: road and markings, pavements, houses, trees, poles, sky."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import cos, hypot, pi, sin
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from smartstream.simulate.camera import Array, Camera, box_corners
from smartstream.simulate.layout import (
    BOX_M,
    CROSSWALK_M,
    HALF_WIDTH_M,
    LANE_WIDTH_M,
    SOLID_M,
    STOP_M,
    Point,
)

Image = npt.NDArray[Any]
Bgr = tuple[float, float, float]

ASPHALT: Final = (84.0, 82.0, 80.0)
PAVING: Final = (132.0, 136.0, 142.0)
KERB: Final = (160.0, 162.0, 164.0)
EARTH: Final = (70.0, 96.0, 92.0)
WHITE: Final = (206.0, 208.0, 208.0)
YELLOW: Final = (70.0, 176.0, 206.0)
_LIT: Final = (90.0, 170.0, 215.0)
_EDGE_M: Final = HALF_WIDTH_M + 0.35
_CORNER_M: Final = 8.0
_FAR_M: Final = 240.0
_OVERSAMPLE: Final = 2


def paint_backdrop(camera: Camera, rng: random.Random, *, night: bool) -> Image:
    """The empty junction as the camera sees it, (H, W, 3) BGR."""
    big = Camera.__new__(Camera)
    big.__dict__.update(camera.__dict__)
    big.width, big.height = camera.width * _OVERSAMPLE, camera.height * _OVERSAMPLE
    big.focal_px = camera.focal_px * _OVERSAMPLE
    picture = _sky(big, rng)
    _ground(big, picture)
    for colour, polygon in _markings():
        _fill(big, picture, [(x, y, 0.0) for x, y in polygon], colour)
    _wear(big, picture, rng)
    glow = np.zeros(picture.shape[:2], np.float32)
    for colour, southern_m in _houses(big, rng, night=night):
        polygon_m = [(x, -camera.north * y, z) for x, y, z in southern_m]
        _fill(big, picture, polygon_m, colour)
        _fill(big, glow, polygon_m, (float(colour == _LIT), 0.0, 0.0))
    _poles(big, picture, rng)
    picture = cv2.resize(picture, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    if night:
        lit: Array = cv2.resize(glow, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
        picture = _at_night(camera, picture, lit)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _fill(camera: Camera, picture: Array, polygon_m: Sequence[Sequence[float]], colour: Bgr) -> None:
    """Fill a flat polygon in the world, cut at the camera's plane."""
    pixels = project_polygon(camera, np.array(polygon_m, float))
    if pixels is not None:
        cv2.fillPoly(picture, [np.round(pixels * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def project_polygon(camera: Camera, polygon_m: Array, near_m: float = 2.0) -> Array | None:
    """Pixels of a polygon, the part behind the camera cut off; None when nothing is left."""
    seen = (polygon_m - camera.at_m) @ camera.axes.T
    kept: list[Array] = []
    for a, b in zip(seen, np.roll(seen, -1, axis=0), strict=True):
        if a[2] >= near_m:
            kept.append(a)
        if (a[2] >= near_m) != (b[2] >= near_m):
            kept.append(a + (near_m - a[2]) / (b[2] - a[2]) * (b - a))
    if len(kept) < 3:
        return None
    points = np.array(kept)
    pixels = 0.5 * np.array([camera.width, camera.height]) + camera.focal_px * points[:, :2] / points[:, 2:]
    out: Array = np.clip(pixels, -2e5, 2e5)
    return out


def _sky(camera: Camera, rng: random.Random) -> Array:
    top, low = np.array([196.0, 172.0, 150.0]), np.array([214.0, 212.0, 208.0])
    t = np.linspace(0, 1, camera.height)[:, None, None] ** 0.6
    picture = (top * (1 - t) + low * t) * np.ones((1, camera.width, 1))
    clouds = _noise(rng, 8, 24, (camera.height, camera.width))
    out: Array = (picture + 14 * clouds[:, :, None]).astype(np.float32)
    return out


def _noise(rng: random.Random, rows: int, columns: int, size: tuple[int, int]) -> Array:
    """Smooth noise around 0, one cell per (rows, columns)."""
    coarse = np.random.default_rng(rng.getrandbits(32)).normal(size=(rows, columns)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))


def _ground(camera: Camera, picture: Array) -> None:
    far, edge, walk = _FAR_M, _EDGE_M, _EDGE_M + 5.0
    _fill(camera, picture, [(-far, -far, 0), (far, -far, 0), (far, far, 0), (-far, far, 0)], EARTH)
    for half, colour, radius in (
        (walk, PAVING, _CORNER_M - 5.0),
        (edge + 0.22, KERB, _CORNER_M),
        (edge, ASPHALT, _CORNER_M),
    ):
        _fill(camera, picture, [(-half, -far, 0), (half, -far, 0), (half, far, 0), (-half, far, 0)], colour)
        _fill(camera, picture, [(-far, -half, 0), (far, -half, 0), (far, half, 0), (-far, half, 0)], colour)
        for sx, sy in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            _fill(camera, picture, [(x, y, 0.0) for x, y in _corner(half, max(radius, 1.0), sx, sy)], colour)


def _corner(half: float, radius: float, sx: int, sy: int) -> list[Point]:
    """The piece of road inside a rounded kerb."""
    centre = half + radius
    arc = [(centre - radius * cos(a), centre - radius * sin(a)) for a in np.linspace(0, pi / 2, 14)]
    return [(sx * x, sy * y) for x, y in [(half, half), *((x, y) for x, y in arc)]]


def _turned(points: Sequence[Point], quarter: int) -> list[Point]:
    for _ in range(quarter):
        points = [(-y, x) for x, y in points]
    return list(points)


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _markings() -> Iterator[tuple[Bgr, list[Point]]]:
    for arm in range(4):
        for colour, polygon in _arm_markings():
            yield colour, _turned(polygon, arm)
    for a in np.arange(-BOX_M, BOX_M, 2.6):  # the hatching that must be kept clear (vạch mắt võng)
        for sign in (1, -1):
            low, high = max(-9.5, -9.5 - a), min(9.5, 9.5 - a)
            if high - low > 1:
                x0, x1 = sign * low, sign * high
                yield (76.0, 150.0, 172.0), [
                    (x0, low + a - 0.06), (x1, high + a - 0.06), (x1, high + a + 0.06), (x0, low + a + 0.06),
                ]  # fmt: skip


def _arm_markings() -> Iterator[tuple[Bgr, list[Point]]]:
    """Markings of the southern arm."""
    for x in (-0.16, 0.16):
        yield YELLOW, _rectangle(x - 0.07, -_FAR_M, x + 0.07, -STOP_M)
    yield WHITE, _rectangle(0.2, -STOP_M - 0.2, HALF_WIDTH_M, -STOP_M + 0.2)
    for i in (1, 2):
        x = i * LANE_WIDTH_M
        yield WHITE, _rectangle(x - 0.07, -SOLID_M, x + 0.07, -STOP_M)
        for y in np.arange(-150, -SOLID_M - 3, 6.0):
            yield WHITE, _rectangle(x - 0.07, y, x + 0.07, y + 2.4)
        for y in np.arange(-150, -STOP_M - 3, 6.0):
            yield WHITE, _rectangle(-x - 0.07, y, -x + 0.07, y + 2.4)
    for side in (-1, 1):
        x = side * (HALF_WIDTH_M + 0.05)
        yield WHITE, _rectangle(x - 0.06, -_FAR_M, x + 0.06, -STOP_M)
    for x in np.arange(-HALF_WIDTH_M + 0.3, HALF_WIDTH_M - 0.3, 1.0):
        yield WHITE, _rectangle(x, -CROSSWALK_M[1], x + 0.5, -CROSSWALK_M[0])
    for y in (-28.0, -44.0):
        yield WHITE, _arrow(1.75, y, "left")
        yield WHITE, _rectangle(1.68, y - 2.4, 1.82, y)
        yield WHITE, _arrow(5.25, y, "through")
        yield WHITE, _rectangle(5.18, y - 2.4, 5.32, y + 1.2)
        yield WHITE, _arrow(8.75, y, "through")
        yield WHITE, _arrow(8.75, y - 1.2, "right")
        yield WHITE, _rectangle(8.68, y - 2.6, 8.82, y + 1.2)


def _arrow(x: float, y: float, movement: str) -> list[Point]:
    if movement == "through":
        return [(x - 0.35, y + 1.1), (x + 0.35, y + 1.1), (x, y + 2.6)]
    side = -1 if movement == "left" else 1
    return [(x, y - 0.1), (x + side * 0.35, y + 0.1), (x + side * 0.35, y + 0.7), (x + side * 0.95, y - 0.3),
            (x + side * 0.35, y - 1.1), (x + side * 0.35, y - 0.4), (x, y - 0.4)]  # fmt: skip


def _wear(camera: Camera, picture: Array, rng: random.Random) -> None:
    """Grain, stains and wheel tracks on everything that lies on the ground."""
    u, v = np.meshgrid((np.arange(camera.width) + 0.5) / camera.width, (np.arange(camera.height) + 0.5) / camera.height)
    ground = camera.ground(np.stack([u, v], axis=-1))
    reach = np.hypot(ground[..., 0] - camera.at_m[0], ground[..., 1] - camera.at_m[1])
    on_ground = np.isfinite(reach) & (reach < _FAR_M)
    x, y = (np.nan_to_num(ground[..., i]).astype(np.float32) for i in (0, 1))
    change = np.zeros(x.shape, np.float32)
    for cell_m, strength in ((6.0, 5.0), (1.1, 4.0), (0.12, 7.0)):
        tile = np.random.default_rng(rng.getrandbits(32)).normal(size=(256, 256)).astype(np.float32)
        grain = cv2.remap(
            tile,
            np.abs(np.mod(x / cell_m, 510) - 255).astype(np.float32),  # mirrored: no seam
            np.abs(np.mod(y / cell_m, 510) - 255).astype(np.float32),
            cv2.INTER_LINEAR,
        )
        # Grain finer than a pixel averages out.
        pixel_m = np.nan_to_num(reach, nan=1e3) / camera.focal_px
        change += strength * grain * np.clip(cell_m / (3 * pixel_m), 0, 1)
    across = np.minimum(np.abs(x), np.abs(y))
    lane_at = np.mod(across, LANE_WIDTH_M) - 0.5 * LANE_WIDTH_M
    tracks = np.exp(-((np.abs(lane_at) - 0.75) ** 2) / 0.12) * (across < HALF_WIDTH_M)
    change -= 7.0 * tracks
    far = np.clip((np.nan_to_num(reach, nan=_FAR_M) - 60) / 240, 0, 0.6)[..., None]
    haze = np.array([206.0, 204.0, 200.0], np.float32)
    ground_rows = on_ground[..., None]
    shaded = (picture + change[..., None]) * (1 - far) + haze * far
    np.copyto(picture, np.where(ground_rows, shaded, picture).astype(np.float32))


def _houses(camera: Camera, rng: random.Random, *, night: bool) -> Iterator[tuple[Bgr, list[list[float]]]]:
    """Tube houses along the arm that the camera looks along, as if that were the southern one, far ones first."""
    at_y = -camera.north * camera.at_m[1]
    fronts: list[tuple[float, float, float, float, float]] = []
    for side in (-1.0, 1.0):
        y = -34.0
        while y > -200:
            width = rng.uniform(4.2, 6.5)
            fronts.append((side * rng.uniform(18.0, 19.5), y, width, rng.uniform(7, 17), side))
            y -= width + (rng.uniform(3, 12) if rng.random() < 0.15 else 0.1)
    fronts.sort(key=lambda f: -hypot(f[0] - camera.at_m[0], f[1] - at_y))
    paints = (
        (150, 190, 205),
        (190, 200, 170),
        (200, 205, 210),
        (140, 165, 200),
        (180, 170, 150),
        (160, 200, 190),
        (120, 150, 170),
    )
    for x, y, width, height, side in fronts:
        far = min(0.55, hypot(x, y - at_y) / 320)
        paint = [c * rng.uniform(0.82, 1.0) for c in rng.choice(paints)]
        paint = [c * (1 - far) + 205 * far for c in paint]
        deep = x + side * 14
        wall: Bgr = (paint[0] * 0.72, paint[1] * 0.72, paint[2] * 0.72)
        front: Bgr = (paint[0], paint[1], paint[2])
        yield wall, [[x, y, 0], [deep, y, 0], [deep, y, height], [x, y, height]]
        yield front, [[x, y, 0], [x, y - width, 0], [x, y - width, height], [x, y, height]]
        yield (
            (60.0, 62.0, 66.0),
            [[x, y - 0.5, 0], [x, y - width + 0.5, 0], [x, y - width + 0.5, 2.6], [x, y - 0.5, 2.6]],
        )
        sign = [rng.uniform(40, 210) for _ in range(3)]
        yield (
            (sign[0], sign[1], sign[2]),
            [[x, y - 0.2, 2.8], [x, y - width + 0.2, 2.8], [x, y - width + 0.2, 3.7], [x, y - 0.2, 3.7]],
        )
        for level in np.arange(4.6, height - 1.6, 3.1):
            lit = night and rng.random() < 0.35
            glass = _LIT if lit else (104.0, 92.0, 82.0)
            a, c = y - 0.22 * width, y - 0.78 * width
            yield glass, [[x, a, level], [x, c, level], [x, c, level + 1.5], [x, a, level + 1.5]]


def _poles(camera: Camera, picture: Array, rng: random.Random) -> None:
    """Lamp posts with the wires between them."""
    for side in (-1, 1):
        tops = []
        for y in -camera.north * np.arange(-180.0, -20.0, 28.0):
            x = side * 15.0
            post = box_corners(np.array([[x, y]]), np.array([[0.0, 1.0]]), (0.2, 0.2, 9.0))[0]
            hull = project_polygon(camera, post[[0, 2, 3, 1]])
            if hull is not None:
                cv2.fillPoly(picture, [np.round(hull).astype(np.int32)], (112, 112, 110), cv2.LINE_AA)
            arm, _ = camera.project(np.array([[x, y, 8.8], [x - side * 2.6, y, 9.2]]))
            tip, foot = ((int(p[0]), int(p[1])) for p in arm)
            cv2.line(picture, tip, foot, (112, 112, 110), 3, cv2.LINE_AA)
            tops.append((x, y))
        for height in (7.2, 7.6, 8.0):
            for (x0, y0), (x1, y1) in pairwise(tops):
                t = np.linspace(0, 1, 12)
                sag = height - rng.uniform(0.6, 1.2) * 4 * t * (1 - t)
                wire, _ = camera.project(np.stack([x0 + t * (x1 - x0), y0 + t * (y1 - y0), sag], axis=1))
                points = [np.round(wire).astype(np.int32)]
                cv2.polylines(picture, points, isClosed=False, color=(66, 64, 62), thickness=1, lineType=cv2.LINE_AA)


def _at_night(camera: Camera, picture: Array, glow: Array) -> Array:
    """Dark and bluish, with the pools of the street lamps and the windows that ``glow``."""
    light = np.full(picture.shape[:2], 0.13, np.float32)
    u, v = np.meshgrid((np.arange(camera.width) + 0.5) / camera.width, (np.arange(camera.height) + 0.5) / camera.height)
    ground = camera.ground(np.stack([u, v], axis=-1))
    x, y = np.nan_to_num(ground[..., 0], nan=1e4), np.nan_to_num(ground[..., 1], nan=1e4)
    for side in (-1, 1):
        for lamp in -camera.north * np.arange(-180.0, 30.0, 28.0):
            light += 0.2 * np.exp(-(((x - side * 11) / 7) ** 2 + ((y - lamp) / 9) ** 2)).astype(np.float32)
    horizon = v < 0.24
    light[horizon] = np.maximum(light[horizon], 0.1)
    tint = np.array([1.0, 0.96, 0.92], np.float32)
    windows = glow[..., None]
    out: Array = picture * (light[..., None] * tint * (1 - windows) + 0.75 * windows)
    return out
