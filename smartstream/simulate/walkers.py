"""Those whom the traffic does not meet: pedestrians on the crosswalk, riders on the pavement.

They are put into the recorded traffic at instants that are searched for: pedestrians who cross without
meeting anyone, and pedestrians in front of whom a vehicle has just cut across.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import hypot
from typing import Final

import numpy as np

from smartstream.simulate.kinds import KINDS
from smartstream.simulate.layout import CROSSWALK_M, HALF_WIDTH_M, Point
from smartstream.simulate.meetings import PET_S, encroachment
from smartstream.simulate.sight import Sighting
from smartstream.simulate.traffic import STEP_S, Mover

WALK_FROM_M: Final = HALF_WIDTH_M + 4.5
_SAFE_S: Final = 3.0


def along_path(
    id_: str, kind: str, path: Sequence[Point], speed_mps: float, start_s: float, seconds: float
) -> Mover | None:
    """A mover on a polyline at constant speed, as far as it lies within the clip."""
    corners = np.array(path)
    legs = np.array([hypot(*leg) for leg in np.diff(corners, axis=0)])
    ends = np.concatenate([[0.0], np.cumsum(legs)])
    first, last = max(0, int(np.ceil(start_s / STEP_S))), round(seconds / STEP_S)
    steps = np.arange(first, last + 1)
    gone = (steps * STEP_S - start_s) * speed_mps
    gone = gone[(gone >= 0) & (gone < ends[-1])]
    if len(gone) < 2:
        return None
    front = np.stack([np.interp(gone, ends, corners[:, i]) for i in (0, 1)], axis=1)
    # Headings turn over the last metre of a leg, not at its corner.
    ahead = np.stack([np.interp(gone + 0.6, ends, corners[:, i]) for i in (0, 1)], axis=1)
    behind = np.stack([np.interp(gone - 0.6, ends, corners[:, i]) for i in (0, 1)], axis=1)
    heading = ahead - behind
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    road_kind = KINDS[kind]
    return Mover(
        id_, road_kind.road_class, road_kind.size_m, first, front, heading,
        np.full(len(gone), speed_mps), np.zeros(len(gone), bool),
    )  # fmt: skip


def pavement_riders(rng: random.Random, *, seconds: float, offences: float) -> list[Mover]:
    """Motorcycles that ride along the pavement beside the approach."""
    out = []
    for i in range(max(1, round(seconds / 45 * offences)) if offences else 0):
        x = rng.uniform(12.0, 13.2)
        path = [(x, -95.0), (x, -26.0), (x + 1.5, -21.0), (18.0, -17.0), (20.0, -14.5), (45.0, -14.0)]
        start = rng.uniform(0, max(seconds - 12, 1)) - 3
        mover = along_path(f"motorcycle_sidewalk.{i}", "motorcycle", path, rng.uniform(4.5, 6.5), start, seconds)
        if mover is not None:
            out.append(mover)
    return out


def pedestrians(rng: random.Random, vehicles: Sequence[Sighting], *, seconds: float, offences: float) -> list[Mover]:
    """People on the southern crosswalk: safe crossings, and some whose way a vehicle cuts."""
    out: list[Mover] = []
    near = [crop for s in vehicles if (crop := _at_the_crosswalk(s)) is not None]
    wanted = {"safe": max(2, round(seconds / 9)), "cut": round(seconds / 25 * offences) + (offences > 0)}
    starts = [round(rng.uniform(-8, seconds - 6), 2) for _ in range(round(seconds * 10))]
    blamed: set[str] = set()
    for start in starts:
        if not any(wanted.values()):
            break
        side = rng.choice((-1.0, 1.0))
        y = round(rng.uniform(CROSSWALK_M[0] + 0.7, CROSSWALK_M[1] - 0.7), 2)
        path = [(side * WALK_FROM_M, -y), (-side * WALK_FROM_M, -y)]
        mover = along_path(f"pedestrian.{len(out)}", "pedestrian", path, rng.uniform(1.1, 1.6), start, seconds)
        if mover is None or len(mover.speed_mps) < 6 / STEP_S:
            continue
        walker = _whole(mover)
        begin, end = walker.t_s[0] - _SAFE_S, walker.t_s[-1] + _SAFE_S
        close = (s for s in near if s.t_s[0] < end and s.t_s[-1] > begin)
        met = ((s.mover.id, encroachment(s, walker)) for s in close)
        meetings = [(id_, m) for id_, m in met if m is not None and m.gap_s < _SAFE_S]
        if not meetings and wanted["safe"]:
            wanted["safe"] -= 1
            out.append(mover)
        elif len(meetings) == 1 and wanted["cut"]:
            who, meeting = meetings[0]
            cut = meeting.vehicle_first and meeting.gap_s > 0.1 and meeting.point_gap_s < PET_S - 0.35
            if cut and who not in blamed and meeting.t_s < seconds - 3:
                blamed.add(who)
                wanted["cut"] -= 1
                out.append(mover)
    return out


def _at_the_crosswalk(s: Sighting) -> Sighting | None:
    """The part of a path that matters here: the search looks at it hundreds of times."""
    rows = np.flatnonzero((s.front_m[:, 1] > -CROSSWALK_M[1] - 14) & (s.front_m[:, 1] < -CROSSWALK_M[0] + 14))
    if not len(rows):
        return None
    part = slice(rows[0], rows[-1] + 1)
    return Sighting(
        s.mover,
        s.at,
        s.t_s[part],
        s.front_m[part],
        s.seen_m[part],
        s.heading[part],
        s.speed_mps[part],
        s.box[part],
    )


def _whole(mover: Mover) -> Sighting:
    """A mover as if it were in sight all the time."""
    t_s = mover.steps * STEP_S
    none = np.zeros((len(t_s), 4))
    return Sighting(mover, 0, t_s, mover.front_m, mover.front_m, mover.heading, mover.speed_mps, none)
