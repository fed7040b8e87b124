"""Three junctions in a row on one street, each with a side road to the south, as a SUMO network.

Every junction is the one of the scenes (``layout``), without a northern arm. Roads that leave the street are the
city's gateways. An approach is a junction and an arm, as ``j2W``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from smartstream.simulate.layout import LANE_WIDTH_M, LANES, SOLID_M, SPEED_LIMIT_KMH, STOP_M
from smartstream.simulate.network import ARMS, convert

APART_M: Final = 320.0
"""Between the middles of two junctions."""
OUTER_M: Final = 160.0
"""Length of the arms that lead out."""
JUNCTIONS: Final = ("j1", "j2", "j3")
_ARMS: Final = "WSE"
APPROACHES: Final = tuple(f"{junction}{arm}" for junction in JUNCTIONS for arm in _ARMS)
ROADS: Final = {"j1E": "j2W", "j2E": "j3W", "j2W": "j1E", "j3W": "j2E"}
"""Arm that a road leaves by, and the approach it reaches."""
GATEWAYS: Final = tuple(a for a in APPROACHES if a not in ROADS)
ROUTES_OF_DUTY: Final = (("j1W", "j3E"), ("j3E", "j1W"), ("j2S", "j3E"), ("j2S", "j1W"), ("j1W", "j3S"), ("j3E", "j2S"))
"""Gateways between which ambulances drive."""
LATITUDE, LONGITUDE = 21.5, 105.8
"""Of the second junction, which is the middle of the first district."""
_METRES_PER_DEG: Final = 111_195.0


def centre(junction: str) -> tuple[float, float]:
    """Middle of a junction in metres; x east, y north, the second one is the origin."""
    return (JUNCTIONS.index(junction) - 1) * APART_M, 0.0


def position(x_m: float, y_m: float) -> tuple[float, float]:
    """Degrees north and east of a point of the street."""
    east = _METRES_PER_DEG * math.cos(math.radians(LATITUDE))
    return LATITUDE + y_m / _METRES_PER_DEG, LONGITUDE + x_m / east


def incoming(approach: str) -> tuple[str, str]:
    """Edges of an approach: the far one, and the one before the stop line."""
    return f"{approach}_far", f"{approach}_in"


def outgoing(approach: str) -> str:
    """The edge that leaves a junction by an arm."""
    return f"{ROADS[approach]}_far" if approach in ROADS else f"{approach}_out"


def write_streets(folder: Path, netconvert: Path) -> Path:
    """Write the plain network files and convert them.

    Raises:
        InternalError: netconvert refused them.
    """
    nodes, edges, links = [], [], []
    common = f'numLanes="{LANES}" speed="{SPEED_LIMIT_KMH / 3.6:.3f}" width="{LANE_WIDTH_M}"'
    for junction in JUNCTIONS:
        x0, y0 = centre(junction)
        half = STOP_M
        corners = ((-half, -half), (half, -half), (half, half), (-half, half))
        shape = " ".join(f"{x0 + x},{y0 + y}" for x, y in corners)
        nodes.append(f'<node id="{junction}" x="{x0}" y="{y0}" type="traffic_light" shape="{shape}"/>')
        for arm in _ARMS:
            name, (dx, dy) = f"{junction}{arm}", ARMS[arm]
            nodes.append(f'<node id="{name}m" x="{x0 + dx * SOLID_M}" y="{y0 + dy * SOLID_M}"/>')
            start = f"{name}o" if name in GATEWAYS else _leaves_to(name)
            if name in GATEWAYS:
                nodes.append(f'<node id="{name}o" x="{x0 + dx * OUTER_M}" y="{y0 + dy * OUTER_M}"/>')
                edges.append(f'<edge id="{name}_out" from="{junction}" to="{name}o" {common}/>')
            edges.append(f'<edge id="{name}_far" from="{start}" to="{name}m" {common}/>')
            edges.append(f'<edge id="{name}_in" from="{name}m" to="{junction}" {common}/>')
            links += [
                f'<connection from="{name}_far" to="{name}_in" fromLane="{i}" toLane="{i}"/>' for i in range(LANES)
            ]
        for arm, ways in _WAYS.items():
            links += [
                f'<connection from="{junction}{arm}_in" to="{outgoing(junction + to)}" fromLane="{a}" toLane="{b}"/>'
                for a, to, b in ways
            ]
    options = ["--no-turnarounds", "true", "--offset.disable-normalization", "true"]
    return convert(folder, "city", (nodes, edges, links), netconvert, options)


def _leaves_to(approach: str) -> str:
    """Junction from which the road to an inner approach comes."""
    return next(leaves for leaves, reaches in ROADS.items() if reaches == approach)[:2]


_WAYS: Final = {
    "W": ((0, "S", 0), (0, "E", 0), (1, "E", 1), (2, "E", 2)),
    "E": ((0, "W", 0), (1, "W", 1), (2, "S", 2)),
    "S": ((0, "E", 0), (1, "W", 1), (2, "W", 2)),
}
"""By arm: the lane, the arm it leads to, the lane there."""


def group(arm: str, lane: int) -> str:
    """Signal group of a lane, by the plan of the scenes."""
    if arm == "S":
        return "NS-through" if lane == 0 else "NS-left"
    return "EW-left" if (arm, lane) == ("E", 2) else "EW-through"
