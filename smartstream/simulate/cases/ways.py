"""Paths over the junction and positions along them, for cases."""

from __future__ import annotations

import random
from typing import Final

from smartstream.simulate.drive import bend
from smartstream.simulate.layout import HALF_WIDTH_M, LANE_WIDTH_M, STOP_M, Point

START_Y_M: Final = -90.0
"""Where paths of the approach begin: further than lanes are judged."""
STOP_AT_M: Final = -STOP_M - START_Y_M
"""The stop line, along such a path."""
FAR_M: Final = 400.0
"""Further than any path."""
KINDS_OF_LANE: Final = (("motorcycle", "bicycle", "bus"), ("car", "motorcycle", "truck"), ("car", "motorcycle"))
"""Who may be in S0, S1 and S2."""
GROUP: Final = ("NS-through", "NS-through", "NS-left")
"""Signal group of S0, S1 and S2."""
_SWAY_M: Final = {"motorcycle": 0.7, "bicycle": 0.5, "car": 0.25, "truck": 0.15, "bus": 0.1}
_USUAL_MPS: Final = {
    "motorcycle": (6.0, 12.0), "bicycle": (3.2, 4.4), "car": (6.0, 13.0), "truck": (5.0, 10.0), "bus": (5.0, 10.0),
}  # fmt: skip


def along(y_m: float) -> float:
    """Metres along a path of the approach at which it passes ``y_m``."""
    return y_m - START_Y_M


def middle(lane: int) -> float:
    """X of the middle of S0, S1 or S2."""
    return HALF_WIDTH_M - (lane + 0.5) * LANE_WIDTH_M


def somewhere(rng: random.Random, lane: int, kind: str) -> float:
    """X of somebody in S0, S1 or S2."""
    return middle(lane) + rng.uniform(-1, 1) * _SWAY_M[kind]


def usual(rng: random.Random, kind: str) -> float:
    """A speed under way in m/s."""
    return rng.uniform(*_USUAL_MPS[kind])


def through(x: float) -> list[Point]:
    """Straight on."""
    return [(x, START_Y_M), (x, 60.0)]


def left(x: float) -> list[Point]:
    """To the west."""
    return bend([(x, START_Y_M), (x, 1.2), (-60.0, 1.2)], 9.0)


def right(x: float) -> list[Point]:
    """To the east."""
    return bend([(x, START_Y_M), (x, -10.0), (60.0, -10.0)], 6.0)


def u_turn(x: float, *, y: float) -> list[Point]:
    """Round at ``y`` and back on the other carriageway."""
    back = x - 7.0
    return bend([(x, START_Y_M - 20), (x, y), (back, y), (back, START_Y_M - 20)], 3.5)


def way_on(lane: int, x: float) -> list[Point]:
    """Where one goes from a lane that obeys its arrow."""
    return left(x) if lane == 2 else through(x)
