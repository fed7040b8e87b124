"""What the world model says, and how it looks at a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from smartstream.simulate.camera import Array
from smartstream.simulate.layout import HALF_WIDTH_M, LANE_WIDTH_M, LANES_JUDGED, Lane, Zone
from smartstream.simulate.sight import Sighting, runs

STANDING_MPS: Final = 0.4


@dataclass(frozen=True)
class Finding:
    """An offence, or what might be taken for one.

    Attributes:
        kind: Rule kind.
        t_s: Clip time at which it is an offence.
        t_end_s: End of a lasting one.
        why: Why it counts neither way; None for an offence.
    """

    kind: str
    t_s: float
    sighting: Sighting
    t_end_s: float | None = None
    lane: str | None = None
    why: str | None = None
    facts: tuple[tuple[str, float], ...] = ()

    def as_json(self, t0: float) -> dict[str, Any]:
        """The entry of ``truth.json``."""
        out: dict[str, Any] = {"kind": self.kind, "t": round(t0 + self.t_s, 3)}
        if self.t_end_s is not None:
            out["t_end"] = round(t0 + self.t_end_s, 3)
        out |= {"id": self.sighting.mover.id, "class": self.sighting.mover.road_class}
        if self.lane:
            out["lane"] = self.lane
        out |= dict(self.facts)
        if self.why:
            out["why"] = self.why
        return out


@dataclass(frozen=True)
class Crossing:
    """A forward crossing of the stop line.

    Attributes:
        row: First row of the sighting beyond the line.
        past_m: (n,) distance past the line at every row.
    """

    sighting: Sighting
    row: int
    t_s: float
    lane: str
    astride: bool
    past_m: Array


def lane_of(point: Array) -> str:
    """The lane of the approach that a point of its carriageway lies in."""
    return f"S{min(max(int((HALF_WIDTH_M - point[0]) // LANE_WIDTH_M), 0), 2)}"


def lane_named(id_: str) -> Lane:
    """A judged lane."""
    return next(lane for lane in LANES_JUDGED if lane.id == id_)


def within(zone: Zone | Lane, points: Array, margin: float = 0.0) -> Any:
    """Rows whose point lies in an axis-parallel rectangle."""
    xs, ys = [p[0] for p in zone.polygon], [p[1] for p in zone.polygon]
    return (
        (points[:, 0] >= min(xs) - margin)
        & (points[:, 0] <= max(xs) + margin)
        & (points[:, 1] >= min(ys) - margin)
        & (points[:, 1] <= max(ys) + margin)
    )


def both(zone: Zone | Lane, s: Sighting) -> Any:
    """Rows at which both reference points lie in a place."""
    return within(zone, s.front_m) & within(zone, s.seen_m)


def either(zone: Zone | Lane, s: Sighting) -> Any:
    """Rows at which one of the reference points lies in a place."""
    return within(zone, s.front_m) | within(zone, s.seen_m)


def longest(mask: Any) -> tuple[int, int] | None:
    """The longest run of rows at which the mask holds."""
    return max(runs(np.asarray(mask)), key=lambda r: r[1] - r[0], default=None)
