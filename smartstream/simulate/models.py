"""Shapes of road users: a few coloured quads each, in metres.

Local axes: x forward with 0 at the front, y to the left, z up. Corners run counter-clockwise seen
from outside.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Bgr = tuple[int, int, int]

BODY, SECOND, SKIN, HELMET = -1, -2, -3, -4
"""Colours that are drawn per vehicle; others index ``FIXED``."""
TYRE, GLASS, LAMP, TAIL, PLATE, TRIM, SEAT = range(7)
FIXED: Final[tuple[Bgr, ...]] = (
    (28, 27, 26), (52, 44, 38), (235, 240, 240), (40, 30, 150), (225, 228, 228), (70, 68, 66), (36, 33, 32),
)  # fmt: skip

_CAR_PAINT: Final[tuple[Bgr, ...]] = (
    (232, 232, 230), (232, 232, 230), (178, 176, 172), (40, 38, 38), (92, 90, 88), (46, 40, 150),
    (128, 60, 28),
    (60, 150, 60), (58, 190, 220), (70, 82, 108),
)  # fmt: skip
_BIKE_PAINT: Final[tuple[Bgr, ...]] = (
    (34, 32, 32), (34, 32, 32), (42, 36, 160), (140, 62, 30), (214, 214, 212), (100, 98, 96), (60, 120, 50),
)  # fmt: skip
_HEAVY_PAINT: Final[tuple[Bgr, ...]] = (
    (150, 82, 32), (60, 120, 40), (215, 215, 212), (40, 160, 225), (44, 40, 165),
)  # fmt: skip
_CLOTHES: Final[tuple[Bgr, ...]] = (
    (200, 200, 205), (120, 70, 50), (60, 60, 66), (60, 60, 180), (160, 110, 60), (80, 140, 90),
    (70, 160, 210),
    (150, 90, 150), (40, 40, 46),
)  # fmt: skip
_HELMETS: Final[tuple[Bgr, ...]] = (
    (220, 220, 222),
    (36, 36, 180),
    (34, 33, 33),
    (170, 90, 40),
    (70, 190, 220),
)


@dataclass(frozen=True)
class Model:
    """A shape.

    Attributes:
        quads: (q, 4, 3) corners.
        normals: (q, 3) unit vectors outwards.
        paint: (q,) colour of each quad.
        lamps: Headlights (n, 3).
        tails: Tail lights (n, 3).
    """

    quads: Array
    normals: Array
    paint: npt.NDArray[np.int64]
    lamps: Array
    tails: Array


class _Builder:
    def __init__(self) -> None:
        self.quads: list[list[tuple[float, float, float]]] = []
        self.paint: list[int] = []

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        paint: int,
        roof: int | None = None,
    ) -> None:
        """A box from back to front, right to left, low to high."""
        self.taper(x, x, y, y, z, paint, roof)

    def taper(
        self,
        x: tuple[float, float],
        x_top: tuple[float, float],
        y: tuple[float, float],
        y_top: tuple[float, float],
        z: tuple[float, float],
        paint: int,
        roof: int | None = None,
    ) -> None:
        """A box whose top is smaller than its base."""
        (b, f), (bt, ft), (r, le), (rt, lt), (z0, z1) = x, x_top, y, y_top, z
        self.quads += [
            [(f, r, z0), (f, le, z0), (ft, lt, z1), (ft, rt, z1)],
            [(b, le, z0), (b, r, z0), (bt, rt, z1), (bt, lt, z1)],
            [(f, le, z0), (b, le, z0), (bt, lt, z1), (ft, lt, z1)],
            [(b, r, z0), (f, r, z0), (ft, rt, z1), (bt, rt, z1)],
            [(ft, rt, z1), (ft, lt, z1), (bt, lt, z1), (bt, rt, z1)],
        ]
        self.paint += [paint] * 4 + [paint if roof is None else roof]

    def front(self, x: float, y: tuple[float, float], z: tuple[float, float], paint: int) -> None:
        """A plate on a front."""
        (right, left), (z0, z1) = y, z
        self.quads.append([(x, right, z0), (x, left, z0), (x, left, z1), (x, right, z1)])
        self.paint.append(paint)

    def rear(self, x: float, y: tuple[float, float], z: tuple[float, float], paint: int) -> None:
        """A plate on a rear."""
        (right, left), (z0, z1) = y, z
        self.quads.append([(x, left, z0), (x, right, z0), (x, right, z1), (x, left, z1)])
        self.paint.append(paint)

    def sides(self, x: tuple[float, float], half: float, z: tuple[float, float], paint: int) -> None:
        """A strip along both sides."""
        (b, f), (z0, z1) = x, z
        self.quads += [
            [(f, half, z0), (b, half, z0), (b, half, z1), (f, half, z1)],
            [(b, -half, z0), (f, -half, z0), (f, -half, z1), (b, -half, z1)],
        ]
        self.paint += [paint] * 2

    def build(self, lamps: list[tuple[float, float, float]], tails: list[tuple[float, float, float]]) -> Model:
        quads = np.array(self.quads, np.float32)
        normals = np.cross(quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return Model(
            quads,
            normals.astype(np.float32),
            np.array(self.paint),
            np.array(lamps, np.float32).reshape(-1, 3),
            np.array(tails, np.float32).reshape(-1, 3),
        )


@cache
def model(road_class: str, variant: int) -> Model:
    """The shape of a class; ``variant`` tells a loaded motorcycle or a taller car from a plain one."""
    makers = {
        "motorcycle": _motorcycle, "bicycle": _bicycle, "car": _car, "truck": _truck, "bus": _bus,
        "pedestrian": _pedestrian,
    }  # fmt: skip
    return makers[road_class](variant)


def colours(road_class: str, rng: random.Random) -> dict[int, Bgr]:
    """What a vehicle and its people wear."""
    paint = {"motorcycle": _BIKE_PAINT, "bicycle": _BIKE_PAINT, "truck": _HEAVY_PAINT, "bus": _HEAVY_PAINT}
    tone = rng.uniform(0.85, 1.1)
    body = rng.choice(paint.get(road_class, _CAR_PAINT))
    out = {BODY: body, SECOND: rng.choice(_CLOTHES), SKIN: (120, 150, 190), HELMET: rng.choice(_HELMETS)}
    return {k: tuple(int(min(255, v * tone)) for v in c) for k, c in out.items()}  # type: ignore[misc]


def _rider(b: _Builder, x: float, z: float, *, helmet: int = HELMET, legs: bool = True) -> None:
    if legs:
        b.box((x - 0.15, x + 0.38), (-0.27, 0.27), (z - 0.42, z), TRIM)
    b.taper((x - 0.2, x + 0.16), (x - 0.16, x + 0.14), (-0.24, 0.24), (-0.2, 0.2), (z, z + 0.52), SECOND)
    b.box((x - 0.13, x + 0.13), (-0.12, 0.12), (z + 0.54, z + 0.8), helmet)


def _motorcycle(variant: int) -> Model:
    b = _Builder()
    b.box((-0.58, -0.02), (-0.06, 0.06), (0.0, 0.58), TYRE)
    b.box((-1.9, -1.32), (-0.07, 0.07), (0.0, 0.58), TYRE)
    b.taper((-1.75, -0.3), (-1.8, -0.4), (-0.16, 0.16), (-0.13, 0.13), (0.34, 0.82), BODY, SEAT)
    b.taper((-0.42, -0.2), (-0.5, -0.36), (-0.19, 0.19), (-0.14, 0.14), (0.4, 1.0), BODY)
    b.box((-0.56, -0.46), (-0.36, 0.36), (0.96, 1.03), TRIM)
    b.front(-0.17, (-0.1, 0.1), (0.7, 0.86), LAMP)
    b.rear(-1.82, (-0.1, 0.1), (0.62, 0.74), TAIL)
    _rider(b, -0.95, 0.8)
    b.box((-0.85, -0.5), (-0.32, -0.2), (1.05, 1.16), SECOND)
    b.box((-0.85, -0.5), (0.2, 0.32), (1.05, 1.16), SECOND)
    if variant % 3 == 1:
        _rider(b, -1.38, 0.82, legs=False)
    if variant % 7 == 2:
        b.box((-1.9, -1.35), (-0.34, 0.34), (0.82, 1.25), PLATE)  # a delivery box
    return b.build([(-0.1, 0, 0.8)], [(-1.84, 0, 0.7)])


def _bicycle(_: int) -> Model:
    b = _Builder()
    b.box((-0.6, 0.0), (-0.025, 0.025), (0.0, 0.62), TYRE)
    b.box((-1.75, -1.15), (-0.025, 0.025), (0.0, 0.62), TYRE)
    b.box((-1.3, -0.4), (-0.04, 0.04), (0.4, 0.75), BODY)
    b.box((-0.55, -0.47), (-0.3, 0.3), (0.95, 1.0), TRIM)
    _rider(b, -1.05, 0.86, helmet=SKIN)
    return b.build([], [])


def _car(variant: int) -> Model:
    b = _Builder()
    tall = 0.16 if variant % 3 == 0 else 0.0
    roof = 1.48 + tall * 0.1
    for x in (-1.1, -3.75):
        b.box((x, x + 0.64), (-0.89, 0.89), (0.0, 0.62), TYRE)
    b.taper((-4.4, 0.0), (-4.35, -0.12), (-0.87, 0.87), (-0.85, 0.85), (0.28, 0.66), BODY)
    b.taper((-4.35, -0.12), (-4.25, -0.45), (-0.85, 0.85), (-0.8, 0.8), (0.66, 0.92), BODY)
    back = (-4.2, -3.9) if tall else (-3.85, -3.3)
    b.taper((back[0], -1.0), (back[1], -1.75), (-0.78, 0.78), (-0.62, 0.62), (0.92, roof), GLASS, BODY)
    b.front(0.01, (-0.75, -0.45), (0.5, 0.64), LAMP)
    b.front(0.01, (0.45, 0.75), (0.5, 0.64), LAMP)
    b.front(0.015, (-0.42, 0.42), (0.5, 0.62), TRIM)
    b.front(0.02, (-0.24, 0.24), (0.32, 0.44), PLATE)
    b.rear(-4.41, (-0.8, -0.5), (0.62, 0.76), TAIL)
    b.rear(-4.41, (0.5, 0.8), (0.62, 0.76), TAIL)
    b.rear(-4.42, (-0.24, 0.24), (0.45, 0.57), PLATE)
    return b.build([(0, -0.6, 0.6), (0, 0.6, 0.6)], [(-4.4, -0.65, 0.7), (-4.4, 0.65, 0.7)])


def _truck(variant: int) -> Model:
    b = _Builder()
    for x in (-1.6, -6.4):
        b.box((x, x + 0.85), (-1.12, 1.12), (0.0, 0.85), TYRE)
    b.box((-7.1, -0.1), (-0.95, 0.95), (0.5, 0.8), TRIM)
    b.taper((-1.9, 0.0), (-1.9, -0.25), (-1.08, 1.08), (-1.0, 1.0), (0.45, 2.3), BODY)
    b.front(-0.08, (-0.95, 0.95), (1.35, 2.1), GLASS)
    b.sides((-1.3, -0.35), 1.09, (1.4, 2.05), GLASS)
    b.box((-7.2, -2.05), (-1.15, 1.15), (0.8, 2.9), SECOND if variant % 2 else PLATE)
    b.front(0.01, (-0.95, -0.65), (0.6, 0.8), LAMP)
    b.front(0.01, (0.65, 0.95), (0.6, 0.8), LAMP)
    b.front(0.02, (-0.26, 0.26), (0.5, 0.64), PLATE)
    b.rear(-7.21, (-1.05, -0.8), (0.6, 0.78), TAIL)
    b.rear(-7.21, (0.8, 1.05), (0.6, 0.78), TAIL)
    return b.build([(0, -0.8, 0.7), (0, 0.8, 0.7)], [(-7.2, -0.9, 0.7), (-7.2, 0.9, 0.7)])


def _bus(_: int) -> Model:
    b = _Builder()
    for x in (-2.9, -8.6):
        b.box((x, x + 1.0), (-1.22, 1.22), (0.0, 1.0), TYRE)
    b.taper((-11.0, 0.0), (-11.0, -0.15), (-1.25, 1.25), (-1.2, 1.2), (0.35, 3.1), BODY, PLATE)
    b.front(-0.0, (-1.08, 1.08), (1.25, 2.5), GLASS)
    b.front(0.0, (-0.8, 0.8), (2.62, 2.9), TRIM)
    b.sides((-10.6, -0.7), 1.245, (1.5, 2.5), GLASS)
    b.sides((-11.0, 0.0), 1.255, (0.75, 1.0), PLATE)
    b.front(0.01, (-1.1, -0.75), (0.6, 0.8), LAMP)
    b.front(0.01, (0.75, 1.1), (0.6, 0.8), LAMP)
    b.rear(-11.01, (-1.0, 1.0), (1.6, 2.5), GLASS)
    b.rear(-11.01, (-1.15, -0.85), (0.8, 1.1), TAIL)
    b.rear(-11.01, (0.85, 1.15), (0.8, 1.1), TAIL)
    return b.build([(0, -0.95, 0.7), (0, 0.95, 0.7)], [(-11.0, -1.0, 0.95), (-11.0, 1.0, 0.95)])


def _pedestrian(_: int) -> Model:
    b = _Builder()
    b.box((-0.33, -0.13), (-0.17, -0.02), (0.0, 0.82), TRIM)
    b.box((-0.33, -0.13), (0.02, 0.17), (0.0, 0.82), TRIM)
    b.taper((-0.36, -0.1), (-0.34, -0.12), (-0.2, 0.2), (-0.24, 0.24), (0.82, 1.42), SECOND)
    b.box((-0.33, -0.11), (-0.1, 0.1), (1.44, 1.68), SKIN)
    return b.build([], [])
