"""The junction in metres: lanes, lines, zones and what they allow.

The origin is the centre of the junction, x points east, y north. The camera watches the southern arm;
traffic keeps to the right. The southern approach has three lanes, counted from the kerb: S0 for
motorcycles, bicycles, buses and trucks (through and right), S1 for everyone going through, S2 for left
turns. SO is the carriageway of the opposite direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from smartstream.model.classes import VehicleClass

Point = tuple[float, float]
"""x, y in metres."""

LANE_WIDTH_M: Final = 3.5
LANES: Final = 3
"""Lanes per direction on each arm."""
HALF_WIDTH_M: Final = LANES * LANE_WIDTH_M
"""From the middle of the road to the kerb."""
STOP_M: Final = 20.0
"""Distance of the stop lines from the centre."""
CROSSWALK_M: Final = (16.2, 19.2)
"""Inner and outer edge of the crosswalks."""
BOX_M: Final = 15.5
"""Where the box begins."""
SOLID_M: Final = 50.0
"""Lane lines are solid between the stop line and here."""
LANE_END_M: Final = 75.0
"""Lanes are judged up to here."""
ARM_M: Final = 260.0
"""Length of an arm."""
SPEED_LIMIT_KMH: Final = 50.0


@dataclass(frozen=True)
class Lane:
    """A judged lane.

    Attributes:
        polygon: Corners in metres.
        direction: Unit vector of lawful travel.
        signal: Group that it obeys.
        allowed: Classes that may use it; None: all.
        movements: What may be done from it at the junction; None: anything.
        arrows: Movements with a group of their own, where the plan has it.
    """

    id: str
    polygon: tuple[Point, ...]
    direction: Point
    signal: str | None = None
    allowed: tuple[VehicleClass, ...] | None = None
    movements: tuple[str, ...] | None = None
    arrows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Line:
    """A judged line; crossing it from the left to the right of its points is ``forward`` without a lane."""

    id: str
    kind: str
    points: tuple[Point, Point]
    movement: str | None = None


@dataclass(frozen=True)
class Zone:
    """A judged area."""

    id: str
    kind: str
    polygon: tuple[Point, ...]


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> tuple[Point, ...]:
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _approach_lane(
    index: int,
    signal: str,
    movements: tuple[str, ...],
    allowed: tuple[VehicleClass, ...] | None = None,
    arrows: tuple[tuple[str, str], ...] = (),
) -> Lane:
    right = HALF_WIDTH_M - index * LANE_WIDTH_M
    left = max(right - LANE_WIDTH_M, 0.2)
    polygon = ((left, -STOP_M), (right, -STOP_M), (right, -LANE_END_M), (left, -LANE_END_M))
    return Lane(f"S{index}", polygon, (0.0, 1.0), signal, allowed, movements, arrows)


LANES_JUDGED: Final = (
    _approach_lane(
        0, "S-through", ("through", "right"), ("motorcycle", "bicycle", "bus", "truck"), (("right", "S-right"),)
    ),
    _approach_lane(1, "S-through", ("through",)),
    _approach_lane(2, "S-left", ("left",)),
    Lane(
        "SO",
        ((-HALF_WIDTH_M, -STOP_M), (-0.2, -STOP_M), (-0.2, -LANE_END_M), (-HALF_WIDTH_M, -LANE_END_M)),
        (0.0, -1.0),
    ),
)

STOP_LINE: Final = Line("S-stop", "stop", ((0.2, -STOP_M), (HALF_WIDTH_M, -STOP_M)))
WEST_EXIT: Final = Line("west-exit", "exit", ((-6.8, -14.5), (-6.8, 7.0)), "left")
EAST_EXIT: Final = Line("east-exit", "exit", ((11.5, -5.0), (11.5, -16.0)), "right")
SOUTH_EXIT: Final = Line("south-exit", "exit", ((-HALF_WIDTH_M, -STOP_M), (-0.2, -STOP_M)), "u_turn")
NORTH_EXIT: Final = Line("north-exit", "exit", ((HALF_WIDTH_M + 0.4, -7.0), (3.6, -7.0)), "through")
"""Where those who go straight on from S0 and S1 show it; only where the right turn has an arrow."""
SOLID_LINE: Final = Line("S-median", "count", ((0.0, -STOP_M - 0.5), (0.0, -LANE_END_M)))
"""The double solid line between the directions."""
LINES_JUDGED: Final = (STOP_LINE, WEST_EXIT, EAST_EXIT, SOUTH_EXIT, SOLID_LINE)

BOX: Final = Zone("box", "box", _rectangle(-HALF_WIDTH_M, -BOX_M, HALF_WIDTH_M, 4.0))
NO_STOPPING: Final = Zone("no_stopping", "no_stopping", _rectangle(7.1, -72.0, HALF_WIDTH_M, -34.0))
CROSSWALK: Final = Zone(
    "crosswalk", "crosswalk", _rectangle(-HALF_WIDTH_M, -CROSSWALK_M[1], HALF_WIDTH_M, -CROSSWALK_M[0])
)
SIDEWALK: Final = Zone("sidewalk", "sidewalk", _rectangle(HALF_WIDTH_M + 0.5, -72.0, HALF_WIDTH_M + 4.0, -21.0))
ZONES_JUDGED: Final = (BOX, NO_STOPPING, CROSSWALK, SIDEWALK)


@dataclass(frozen=True)
class Ban:
    """A lane closed to a class.

    Attributes:
        hours: When, in local time; None: always.
        holds: Whether that is now: scenes begin at 21:13 and last at most two hours.
    """

    road_class: VehicleClass
    lane: str
    hours: str | None = None
    holds: bool = True


BANS: Final = (
    Ban("truck", "S2"),
    Ban("bus", "S2", "20:00-23:59"),
    Ban("bus", "S1", "06:00-09:00", holds=False),
)


def inside(polygon: tuple[Point, ...], x: float, y: float) -> bool:
    """Whether a point lies in an axis-parallel rectangle of this layout."""
    xs, ys = [p[0] for p in polygon], [p[1] for p in polygon]
    return min(xs) <= x <= max(xs) and min(ys) <= y <= max(ys)
