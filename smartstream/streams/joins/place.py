"""Places on the ground, near enough for a city: degrees to metres on a sphere, flat."""

from __future__ import annotations

import math
from typing import Final

Place = tuple[float, float]
"""Degrees north and east."""

_METRES_PER_DEG: Final = 111_195.0


def metres(a: Place, b: Place) -> float:
    """Distance in metres; good to a per mille within a city."""
    north = (b[0] - a[0]) * _METRES_PER_DEG
    east = (b[1] - a[1]) * _METRES_PER_DEG * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(north, east)


def bearing_deg(a: Place, b: Place) -> float:
    """Direction from one place to another, degrees clockwise from north, 0 to 360."""
    north = b[0] - a[0]
    east = (b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.degrees(math.atan2(east, north)) % 360


def near(a: Place | None, b: Place | None, radius_m: float) -> bool:
    """Whether both are known and lie within a radius of each other."""
    return a is not None and b is not None and metres(a, b) <= radius_m
