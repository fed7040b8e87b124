"""The world model where a vehicle meets somebody on foot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from smartstream.simulate.finding import Finding
from smartstream.simulate.layout import CROSSWALK, HALF_WIDTH_M
from smartstream.simulate.sight import Sighting, runs

PET_S: Final = 1.5


def failures_to_yield(vehicles: Sequence[Sighting], walkers: Sequence[Sighting]) -> Iterator[Finding]:
    """Vehicles that cut across a pedestrian on the crosswalk (post-encroachment time)."""
    y_m = [y for _, y in CROSSWALK.polygon]
    for walker in walkers:
        if not min(y_m) <= walker.front_m[0, 1] <= max(y_m):
            continue  # not on the crosswalk
        for vehicle in vehicles:
            meeting = encroachment(vehicle, walker)
            if meeting is None or min(meeting.gap_s, meeting.point_gap_s) > PET_S + 0.7:
                continue
            sure = meeting.vehicle_first and meeting.point_gap_s < PET_S - 0.3
            why = None if sure else "behind the pedestrian, or about as close as the limit"
            facts = (("pet_s", round(meeting.gap_s, 2)), ("pet_points_s", round(meeting.point_gap_s, 2)))
            yield Finding("fail_to_yield_pedestrian", meeting.t_s, vehicle, meeting.t_s, None, why, facts)


@dataclass(frozen=True)
class Meeting:
    """A vehicle and a pedestrian at one place of the crosswalk, one after the other.

    Attributes:
        t_s: When the vehicle was there.
        gap_s: From when the first body has left the place until the second reaches it.
        point_gap_s: The same for the two reference points, which is longer.
        vehicle_first: Whether the vehicle came first.
    """

    t_s: float
    gap_s: float
    point_gap_s: float
    vehicle_first: bool


def encroachment(vehicle: Sighting, walker: Sighting) -> Meeting | None:
    """The closest meeting of a vehicle with a pedestrian who walks along the crosswalk."""
    y = float(walker.front_m[0, 1])
    front, rear = vehicle.front_m, vehicle.front_m - vehicle.mover.size_m[0] * vehicle.heading
    over = (np.minimum(front[:, 1], rear[:, 1]) < y + 0.2) & (np.maximum(front[:, 1], rear[:, 1]) > y - 0.2)
    over &= np.abs(front[:, 0]) < HALF_WIDTH_M + 0.5
    best: Meeting | None = None
    for a, b in runs(over):
        x = front[a:b, 0]
        half = 0.5 * vehicle.mover.size_m[1] + 0.3
        inside = (walker.front_m[:, 0] > x.min() - half) & (walker.front_m[:, 0] < x.max() + half)
        if not inside.any():
            continue
        t_in, t_out = float(vehicle.t_s[a]), float(vehicle.t_s[b - 1])
        w_in, w_out = float(walker.t_s[inside][0]), float(walker.t_s[inside][-1])
        first = t_out <= w_in
        gap = max(w_in - t_out if first else t_in - w_out, 0.0)
        row = a + int(np.argmin(np.abs(vehicle.seen_m[a:b, 1] - y)))
        there = int(np.argmin(np.abs(walker.front_m[:, 0] - vehicle.seen_m[row, 0])))
        point_gap = abs(float(walker.t_s[there] - vehicle.t_s[row]))
        if best is None or gap < best.gap_s:
            best = Meeting(0.5 * (t_in + t_out), gap, point_gap, first)
    return best
