"""The world model where vehicles stand: in the box, where stopping is forbidden."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from smartstream.simulate.camera import Array
from smartstream.simulate.finding import STANDING_MPS, Finding, both, either, lane_named, longest, within
from smartstream.simulate.layout import BOX, NO_STOPPING, STOP_M
from smartstream.simulate.sight import Sighting, runs
from smartstream.simulate.traffic import STEP_S

ILLEGAL_STOP_S: Final = 15.0
_START_UP_S: Final = 5.0
"""When a queue dissolves, those behind still stand while those ahead have left."""
BOX_DWELL_S: Final = 5.0
UNDER_WAY_MPS: Final = 1.5
"""Whoever goes so fast has not stopped for what stands ahead."""


def box_blocking(s: Sighting, vehicles: Sequence[Sighting]) -> Iterator[Finding]:
    """Standing in the box because the way out is taken; waiting for a gap is something else."""
    for a, b in runs(either(BOX, s)):
        dwell_s = (b - a) * STEP_S
        if dwell_s < BOX_DWELL_S - 1:
            continue
        stood = longest((s.speed_mps[a:b] < STANDING_MPS) & both(BOX, s)[a:b])
        stood_s = (stood[1] - stood[0]) * STEP_S if stood else 0.0
        why = None
        if stood is None or stood_s < BOX_DWELL_S - 2:
            continue  # slow, or halted for a moment
        if stood_s < BOX_DWELL_S + 1:
            why = "stood in the box about as long as the limit"
        else:
            ahead = _who_stands_ahead(s, a + (stood[0] + stood[1]) // 2, vehicles)
            if ahead is None:
                continue  # gives way, or has broken down: the way out is free
            if _moves(ahead, float(s.t_s[a])):
                continue  # the way out was taken after it had entered
            if not _stands(ahead, float(s.t_s[a])):
                why = "the way out was being taken when it entered"
        yield Finding("box_blocking", float(s.t_s[a]), s, float(s.t_s[b - 1]), None, why)


def _stands(s: Sighting, t_s: float) -> bool:
    at = round((t_s - s.t_s[0]) / STEP_S)
    return 0 <= at < len(s.t_s) and bool(s.speed_mps[at] < STANDING_MPS)


def _moves(s: Sighting, t_s: float) -> bool:
    at = round((t_s - s.t_s[0]) / STEP_S)
    return 0 <= at < len(s.t_s) and bool(s.speed_mps[at] > UNDER_WAY_MPS)


def _who_stands_ahead(s: Sighting, row: int, vehicles: Sequence[Sighting]) -> Sighting | None:
    """The vehicle that stands right in front."""
    t, front, heading = s.t_s[row], s.front_m[row], s.heading[row]
    for other in vehicles:
        if other is s or not _stands(other, float(t)):
            continue
        at = round((t - other.t_s[0]) / STEP_S)
        gap = other.front_m[at] - other.mover.size_m[0] * other.heading[at] - front
        if -1 < gap @ heading < 5 and abs(gap @ np.array([-heading[1], heading[0]])) < 2:
            return other
    return None


def illegal_stops(vehicles: Sequence[Sighting]) -> Iterator[Finding]:
    """Stops in the no-stopping zone that are not the queue of the signal."""
    lane = lane_named("S0")
    stops: list[tuple[Sighting, int, int, Array]] = []
    for s in vehicles:
        for a, b in runs((s.speed_mps < STANDING_MPS) & within(lane, s.front_m, 0.3)):
            stops.append((s, a, b, s.t_s[a:b]))
    for s, a, b, t in stops:
        if not either(NO_STOPPING, s)[a] or (b - a) * STEP_S < ILLEGAL_STOP_S - 3:
            continue
        queued = np.array([_queue_ahead(stops, s, float(s.front_m[a, 1]), at) for at in t[::12]])
        free = longest(queued == "free")
        first, last = (free[0] * 12, min(free[1] * 12, len(t) - 1)) if free else (0, 0)
        start, end = float(t[0]), float(t[-1])
        if not both(NO_STOPPING, s)[a]:
            yield Finding("illegal_stop", start, s, end, "S0", "at the edge of the zone")
        elif (last - first) * STEP_S > ILLEGAL_STOP_S + 1:
            yield Finding("illegal_stop", float(t[first]), s, float(t[last]), "S0")
            if first > 0:
                yield Finding("illegal_stop", start, s, float(t[first]), "S0", "in the queue, then parked")
            if t[last] < end - 1:
                yield Finding("illegal_stop", float(t[last]), s, end, "S0", "parked, then part of the queue")
        elif (queued == "blocked").sum() > _START_UP_S / (12 * STEP_S) or last - first > 3 / STEP_S:
            yield Finding("illegal_stop", start, s, end, "S0", "blocked behind the parked vehicle")


def _queue_ahead(stops: list[tuple[Sighting, int, int, Array]], who: Sighting, y_m: float, t_s: float) -> str:
    """Whether the standing vehicles ahead reach to the stop line (``queue``) or less far (``blocked``)."""
    at, blocked = y_m, False
    while at < -STOP_M - 12:
        ahead = [
            (float(s.front_m[a, 1]), s.mover.size_m[0])
            for s, a, b, t in stops
            if s is not who and t[0] <= t_s <= t[-1] and at < s.front_m[a, 1]
        ]
        reach = [y for y, length in ahead if y - length - at < 10]
        if not reach:
            return "blocked" if blocked else "free"
        at, blocked = max(reach), True
    return "queue"
