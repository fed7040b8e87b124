"""The world model: what happened, in metres and by everybody's exact path.

It knows nothing of pictures, tracks or rule engines. Every offence is judged twice, by the legal point (the
middle of the vehicle's front) and by the point that a camera can judge (under the bottom centre of its
box), and with room for error. What is an offence by a clear margin both ways is one; what is near the limit,
or an offence by one point only, goes to ``ignore`` with the reason: no engine is right or wrong there.

Source of the definitions: QCVN 41:2024/BGTVT (markings), Luật 36/2024/QH15 Điều 11 (lights), and the rule
table of the interface.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from smartstream.simulate.camera import Array
from smartstream.simulate.conduct import banned_class, sidewalk, solid_line, speeding, wrong_lane, wrong_way
from smartstream.simulate.finding import STANDING_MPS, Crossing, Finding, lane_named, lane_of, longest
from smartstream.simulate.layout import (
    EAST_EXIT,
    HALF_WIDTH_M,
    LANE_WIDTH_M,
    NORTH_EXIT,
    SOUTH_EXIT,
    STOP_LINE,
    STOP_M,
    WEST_EXIT,
    Line,
)
from smartstream.simulate.meetings import failures_to_yield
from smartstream.simulate.phases import FEED_GROUP, SignalPlan
from smartstream.simulate.sight import Sighting, whole
from smartstream.simulate.standing import box_blocking, illegal_stops
from smartstream.simulate.traffic import STEP_S

GRACE_S: Final = 0.3
INCURSION_M: Final = 3.0
MIN_STOP_S: Final = 2.0
DILEMMA_MPS2: Final = 3.5
_NOT_OF_BICYCLES: Final = ("u_turn", "box_blocking", "fail_to_yield_pedestrian")
"""Acts that NĐ 168/2024 Điều 9 does not name."""
_SEEN_AFTER_S: Final = 0.3
_ASTRIDE: Final = "astride two lanes with different signals"


def judge(sightings: Sequence[Sighting], plan: SignalPlan) -> tuple[list[Finding], list[Crossing]]:
    """Everything that happened: findings by time, and the crossings of the stop line."""
    findings: list[Finding] = []
    crossings: list[Crossing] = []
    vehicles = [s for s in sightings if s.mover.road_class != "pedestrian" and len(s.t_s) > 1]
    for sighting in vehicles:
        for crossing in stop_line_crossings(sighting):
            crossings.append(crossing)
            findings += _at_the_line(crossing, plan)
            findings += _movement(crossing)
        for check in (wrong_way, speeding):
            findings += check(sighting)
        for part in whole(sighting):
            for check in (wrong_lane, banned_class, sidewalk, solid_line):
                findings += check(part)
        findings += box_blocking(sighting, vehicles)
    findings += illegal_stops(vehicles)
    findings += failures_to_yield(vehicles, [s for s in sightings if s.mover.road_class == "pedestrian"])
    findings = [f for f in findings if f.sighting.mover.road_class != "bicycle" or f.kind not in _NOT_OF_BICYCLES]
    return sorted(findings, key=lambda f: (f.t_s, f.kind, f.sighting.mover.id)), sorted(
        crossings, key=lambda c: (c.t_s, c.sighting.mover.id)
    )


def stop_line_crossings(sighting: Sighting) -> Iterator[Crossing]:
    """Forward crossings from which the vehicle went on at least half a metre and did not turn back."""
    past = sighting.front_m[:, 1] + STOP_M
    rows = np.flatnonzero((past[:-1] < 0) & (past[1:] >= 0)) + 1
    (left, _), (right, _) = STOP_LINE.points
    for row, after in zip(rows, [*rows[1:], len(past)], strict=False):
        x = float(sighting.front_m[row, 0])
        if not left <= x <= right or past[row:after].max() < 0.5:
            continue
        if len(past) - row < _SEEN_AFTER_S / STEP_S:
            continue  # the clip or the picture ends: nobody could tell
        offset = HALF_WIDTH_M - x
        lane = min(int(offset // LANE_WIDTH_M), 2)
        gap = abs(x - (HALF_WIDTH_M - 2 * LANE_WIDTH_M))
        astride = gap < 0.5 * sighting.mover.size_m[1] + 0.1 or lane_of(sighting.seen_m[row]) != f"S{lane}"
        part = past[row - 1 : row + 1]
        t = float(sighting.t_s[row] - STEP_S * part[1] / (part[1] - part[0]))
        yield Crossing(sighting, int(row), t, f"S{lane}", bool(astride), past)


def _group_of(c: Crossing, plan: SignalPlan, movement: str | None) -> str:
    """The stage or the arrow that rules a crossing by where it leads."""
    lane = lane_named(c.lane)
    signal = dict(lane.arrows).get(movement or "", lane.signal)
    assert lane.signal is not None
    assert signal is not None
    return plan.groups.get(signal, FEED_GROUP[lane.signal])


def _way_out(c: Crossing) -> str | None:
    """Whether it leaves to the right or straight on, where the picture shows that beyond doubt."""
    s = c.sighting
    for line in (EAST_EXIT, NORTH_EXIT):
        if all(_crosses(line, points, c.row) is not None for points in (s.front_m, s.seen_m)):
            return line.movement
    return None


def _at_the_line(c: Crossing, plan: SignalPlan) -> Iterator[Finding]:
    """The decision table of red light, amber light and stop line."""
    s = c.sighting
    way = _way_out(c)
    state, since_s, left_s = plan.phase(_group_of(c, plan, way), c.t_s)
    shown = {plan.phase(FEED_GROUP[signal], c.t_s)[0] for signal in ("S-through", "S-left")}
    why = _ASTRIDE if c.astride and len(shown) > 1 else None
    if way is None and state != plan.phase(_group_of(c, plan, "right"), c.t_s)[0]:
        why = "left the picture before it showed where it went"
    if c.t_s - s.t_s[0] < 0.4:
        why = "came into the picture at the line"
    over_s = _gone_over(c)
    if state == "red":
        end = int(np.searchsorted(s.t_s, c.t_s + left_s))
        deepest = float(c.past_m[c.row : end].max(initial=0.0))
        standing = longest((s.speed_mps[c.row : end] < STANDING_MPS) & (c.past_m[c.row : end] > 0.15))
        if since_s < GRACE_S + 0.2:
            why = why or "within the grace time"
        if deepest > INCURSION_M - 0.3:
            if deepest < INCURSION_M + 0.3:
                why = why or "about as far over the line as the limit"
            yield Finding("red_light", c.t_s, s, over_s, c.lane, why)
            if why and deepest < INCURSION_M + 0.3:
                yield Finding("stop_line", c.t_s, s, lane=c.lane, why=why)
        elif standing is not None:
            a, b = standing
            length = (b - a) * STEP_S
            last = float(s.t_s[min(c.row + b, len(s.t_s) - 1)])
            if length < MIN_STOP_S + 0.5:
                why = why or "stood about as long as the limit"
            if c.row + b < len(s.t_s) - 1 and c.past_m[c.row + b + 2 : end].min(initial=1.0) < 0:
                why = why or "backed off the line"
            if length > MIN_STOP_S - 0.6:
                yield Finding("stop_line", c.t_s, s, last, c.lane, why)
    elif state == "amber":
        row = int(np.searchsorted(s.t_s, c.t_s - since_s))
        before_m, speed = -float(c.past_m[max(row, 0)]), float(s.speed_mps[max(row, 0)])
        needed = speed * speed / (2 * before_m) if before_m > 0.1 else 99.0
        if since_s < 0.2 or left_s < 0.2:
            why = why or "at the change of the signal"
        if needed > DILEMMA_MPS2 - 0.5:
            why = why or "could hardly stop in time"
        yield Finding("yellow_light", c.t_s, s, over_s, c.lane, why, facts=(("needed_mps2", round(needed, 2)),))
        if left_s < 0.2:
            yield Finding("red_light", c.t_s, s, lane=c.lane, why=why)
    elif since_s < 0.1:
        yield Finding("red_light", c.t_s, s, lane=c.lane, why="at the change of the signal")


def _gone_over(c: Crossing) -> float | None:
    """When the point that the camera sees is over the line, too, where that takes a while: the rear of a vehicle."""
    s = c.sighting
    over = np.flatnonzero(s.seen_m[c.row :, 1] > -STOP_M)
    end_s = float(s.t_s[c.row + over[0]]) if len(over) else c.t_s
    return end_s if end_s > c.t_s + 1.0 else None


def _movement(c: Crossing) -> Iterator[Finding]:
    """Where it went from the stop line: against the arrow, a banned turn, a U-turn."""
    s = c.sighting
    exits = []
    for line in (WEST_EXIT, EAST_EXIT, SOUTH_EXIT):
        for points, point_name in ((s.front_m, "front"), (s.seen_m, "seen")):
            row = _crosses(line, points, c.row)
            if row is not None:
                exits.append((row, line, point_name))
    if not exits:
        return
    row, line, _ = min(exits, key=lambda e: e[0])
    agreed = sum(1 for _, other, _ in exits if other is line) == 2
    end = float(s.t_s[row])
    why = None if agreed else "the two reference points disagree on the exit"
    if len(s.t_s) - row < _SEEN_AFTER_S / STEP_S:
        why = "left the picture at the exit line"
    if c.astride:
        why = _ASTRIDE
    if line is SOUTH_EXIT:
        north = s.heading[c.row : row, 1]
        turned = np.flatnonzero(north < 0.8)
        start = float(s.t_s[c.row + int(turned[0])]) if len(turned) else c.t_s
        yield Finding("u_turn", start, s, end, why=why if why != _ASTRIDE else None)
        return
    allowed = lane_named(c.lane).movements
    if c.astride or (allowed is not None and line.movement not in allowed):
        yield Finding("lane_arrow", c.t_s, s, end, c.lane, why)
    if line is EAST_EXIT and s.mover.road_class == "truck":
        yield Finding("illegal_turn", c.t_s, s, end, c.lane, why if not agreed else None)


def _crosses(line: Line, points: Array, first: int) -> int | None:
    """First row at which a path crosses an axis-parallel exit line outwards."""
    (x0, y0), (x1, y1) = line.points
    if x0 == x1:
        axis, at, low, high = 0, x0, min(y0, y1), max(y0, y1)
        outward = 1.0 if x0 > 0 else -1.0
    else:
        axis, at, low, high = 1, y0, min(x0, x1), max(x0, x1)
        outward = 1.0 if line is NORTH_EXIT else -1.0
    beyond = outward * (points[first:, axis] - at)
    along = points[first:, 1 - axis]
    rows = np.flatnonzero((beyond[:-1] < 0) & (beyond[1:] >= 0) & (along[1:] >= low) & (along[1:] <= high))
    return first + int(rows[0]) + 1 if len(rows) else None
