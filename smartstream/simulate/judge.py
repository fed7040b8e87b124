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
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from smartstream.simulate.camera import Array
from smartstream.simulate.layout import (
    BOX,
    EAST_EXIT,
    HALF_WIDTH_M,
    LANE_WIDTH_M,
    LANES_JUDGED,
    NO_STOPPING,
    SIDEWALK,
    SOLID_LINE,
    SOUTH_EXIT,
    SPEED_LIMIT_KMH,
    STOP_LINE,
    STOP_M,
    WEST_EXIT,
    Lane,
    Line,
    Zone,
)
from smartstream.simulate.phases import FEED_GROUP, SignalPlan
from smartstream.simulate.sight import Sighting, runs
from smartstream.simulate.traffic import STEP_S

GRACE_S: Final = 0.3
INCURSION_M: Final = 3.0
MIN_STOP_S: Final = 2.0
DILEMMA_MPS2: Final = 3.5
WRONG_WAY_PATH_M: Final = 8.0
MIN_DWELL_S: Final = 1.5
ILLEGAL_STOP_S: Final = 15.0
BOX_DWELL_S: Final = 5.0
TOLERANCE_KMH: Final = 5.0
SIDEWALK_S: Final = 1.0
PET_S: Final = 1.5
STANDING_MPS: Final = 0.4
_SEEN_AFTER_S: Final = 0.3
_ASTRIDE: Final = "astride two lanes with different signals"


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
        for check in (
            _wrong_way,
            _wrong_lane,
            _banned_class,
            _speeding,
            _sidewalk,
            _solid_line,
        ):
            findings += check(sighting)
        findings += _box_blocking(sighting, vehicles)
    findings += _illegal_stops(vehicles)
    findings += _pedestrians(vehicles, [s for s in sightings if s.mover.road_class == "pedestrian"])
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
        astride = gap < 0.5 * sighting.mover.size_m[1] + 0.1 or _lane_of(sighting.seen_m[row]) != f"S{lane}"
        part = past[row - 1 : row + 1]
        t = float(sighting.t_s[row] - STEP_S * part[1] / (part[1] - part[0]))
        yield Crossing(sighting, int(row), t, f"S{lane}", bool(astride), past)


def _lane_of(point: Array) -> str:
    return f"S{min(max(int((HALF_WIDTH_M - point[0]) // LANE_WIDTH_M), 0), 2)}"


def _lane(id_: str) -> Lane:
    return next(lane for lane in LANES_JUDGED if lane.id == id_)


def _group_of(lane: str) -> str:
    signal = _lane(lane).signal
    assert signal is not None
    return FEED_GROUP[signal]


def _at_the_line(c: Crossing, plan: SignalPlan) -> Iterator[Finding]:
    """The decision table of red light, amber light and stop line."""
    s = c.sighting
    state, since_s, left_s = plan.phase(_group_of(c.lane), c.t_s)
    shown = {plan.phase(FEED_GROUP[signal], c.t_s)[0] for signal in ("S-through", "S-left")}
    why = _ASTRIDE if c.astride and len(shown) > 1 else None
    if c.t_s - s.t_s[0] < 0.4:
        why = "came into the picture at the line"
    if state == "red":
        end = int(np.searchsorted(s.t_s, c.t_s + left_s))
        deepest = float(c.past_m[c.row : end].max(initial=0.0))
        standing = _longest((s.speed_mps[c.row : end] < STANDING_MPS) & (c.past_m[c.row : end] > 0.15))
        if since_s < GRACE_S + 0.2:
            why = why or "within the grace time"
        if deepest > INCURSION_M - 0.3:
            if deepest < INCURSION_M + 0.3:
                why = why or "about as far over the line as the limit"
            yield Finding("red_light", c.t_s, s, lane=c.lane, why=why)
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
        yield Finding("yellow_light", c.t_s, s, lane=c.lane, why=why, facts=(("needed_mps2", round(needed, 2)),))
        if left_s < 0.2:
            yield Finding("red_light", c.t_s, s, lane=c.lane, why=why)
    elif since_s < 0.1:
        yield Finding("red_light", c.t_s, s, lane=c.lane, why="at the change of the signal")


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
    if c.astride:
        why = _ASTRIDE
    if line is SOUTH_EXIT:
        north = s.heading[c.row : row, 1]
        turned = np.flatnonzero(north < 0.8)
        start = float(s.t_s[c.row + int(turned[0])]) if len(turned) else c.t_s
        yield Finding("u_turn", start, s, end, why=why if why != _ASTRIDE else None)
        return
    allowed = _lane(c.lane).movements
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
        outward = -1.0
    beyond = outward * (points[first:, axis] - at)
    along = points[first:, 1 - axis]
    rows = np.flatnonzero((beyond[:-1] < 0) & (beyond[1:] >= 0) & (along[1:] >= low) & (along[1:] <= high))
    return first + int(rows[0]) + 1 if len(rows) else None


def _within(zone: Zone | Lane, points: Array, margin: float = 0.0) -> Any:
    """Rows whose point lies in an axis-parallel rectangle."""
    xs, ys = [p[0] for p in zone.polygon], [p[1] for p in zone.polygon]
    return (
        (points[:, 0] >= min(xs) - margin)
        & (points[:, 0] <= max(xs) + margin)
        & (points[:, 1] >= min(ys) - margin)
        & (points[:, 1] <= max(ys) + margin)
    )


def _both(zone: Zone | Lane, s: Sighting) -> Any:
    return _within(zone, s.front_m) & _within(zone, s.seen_m)


def _either(zone: Zone | Lane, s: Sighting) -> Any:
    return _within(zone, s.front_m) | _within(zone, s.seen_m)


def _longest(mask: Any) -> tuple[int, int] | None:
    parts = runs(np.asarray(mask))
    return max(parts, key=lambda r: r[1] - r[0]) if parts else None


def _wrong_way(s: Sighting) -> Iterator[Finding]:
    """Riding against the direction of a carriageway; changing lanes on it is the same offence."""
    for lanes in (LANES_JUDGED[:3], LANES_JUDGED[3:]):
        carriageway = _carriageway(lanes)
        against = (s.heading @ np.array(lanes[0].direction) < -0.5) & (s.speed_mps > 0.5)
        sure_rows = _both(carriageway, s) & against
        for a, b in _bridged(runs(_either(carriageway, s) & against), round(1.5 / STEP_S)):
            path = np.cumsum(np.where(sure_rows[a:b], s.speed_mps[a:b], 0.0)) * STEP_S
            longest = float(s.speed_mps[a:b].sum()) * STEP_S
            if longest < WRONG_WAY_PATH_M - 2.5:
                continue
            proof = min(a + int(np.searchsorted(path, WRONG_WAY_PATH_M)), b - 1)
            lane = lanes[0].id if len(lanes) == 1 else _lane_of(s.front_m[proof])
            why = None if path[-1] > WRONG_WAY_PATH_M + 2 else "about as long as the shortest proof"
            yield Finding("wrong_way", float(s.t_s[proof]), s, float(s.t_s[b - 1]), lane, why)


def _bridged(runs: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Runs of rows, those closer than ``gap`` rows joined."""
    out: list[tuple[int, int]] = []
    for a, b in runs:
        if out and a - out[-1][1] <= gap:
            out[-1] = (out[-1][0], b)
        else:
            out.append((a, b))
    return out


def _wrong_lane(s: Sighting) -> Iterator[Finding]:
    for lane in LANES_JUDGED:
        if lane.allowed is None or s.mover.road_class in lane.allowed:
            continue
        yield from _dwell(s, lane, "wrong_lane", MIN_DWELL_S, 0.6, lane.id)


def _banned_class(s: Sighting) -> Iterator[Finding]:
    if s.mover.road_class == "truck":
        yield from _dwell(s, _lane("S2"), "banned_class", 0.4, 0.4, "S2")


def _sidewalk(s: Sighting) -> Iterator[Finding]:
    yield from _dwell(s, SIDEWALK, "sidewalk", SIDEWALK_S, 0.5, None)


def _dwell(
    s: Sighting, zone: Zone | Lane, kind: str, limit_s: float, margin_s: float, lane: str | None
) -> Iterator[Finding]:
    """Stays in a zone that last; ``margin_s`` around the limit is nobody's fault."""
    sure = _both(zone, s)
    for a, b in runs(_either(zone, s)):
        if (b - a) * STEP_S < limit_s - margin_s:
            continue
        certain = _longest(sure[a:b])
        long_enough = certain is not None and (certain[1] - certain[0]) * STEP_S > limit_s + margin_s
        why = None if long_enough else "about as long as the limit, or at its edge"
        yield Finding(kind, float(s.t_s[a]), s, float(s.t_s[b - 1]), lane, why)


def _speeding(s: Sighting) -> Iterator[Finding]:
    """Too fast along the approach; its lanes have one limit, so changing them changes nothing."""
    for a, b in runs(_both(_carriageway(LANES_JUDGED[:3]), s)):
        kmh = s.speed_mps[a:b] * 3.6
        window = round(1 / STEP_S)
        if len(kmh) < window:
            continue
        top = float(np.convolve(kmh, np.ones(window) / window, "valid").max())
        mean = float(kmh.mean())
        limit = SPEED_LIMIT_KMH + TOLERANCE_KMH
        if top < limit - 3:
            continue
        sure = mean > limit + 5 and (b - a) * STEP_S > 1.5
        facts = (("section_kmh", round(mean, 1)), ("top_1s_kmh", round(top, 1)))
        why = None if sure else "not over the limit all along by a clear margin"
        lane = _lane_of(s.front_m[a])
        yield Finding("speeding", float(s.t_s[a]), s, float(s.t_s[b - 1]), lane, why, facts)


def _carriageway(lanes: Sequence[Lane]) -> Zone:
    """The rectangle that lanes side by side make up."""
    corners = [p for lane in lanes for p in lane.polygon]
    xs, ys = [p[0] for p in corners], [p[1] for p in corners]
    return Zone("", "", ((min(xs), min(ys)), (max(xs), max(ys))))


def _solid_line(s: Sighting) -> Iterator[Finding]:
    (x, y0), (_, y1) = SOLID_LINE.points
    low, high = min(y0, y1), max(y0, y1)
    half = 0.5 * s.mover.size_m[1]
    along = (s.front_m[:, 1] > low) & (s.front_m[:, 1] < high)
    offset = s.front_m[:, 0] - x
    for a, b in runs(along & (np.abs(offset) < half + 0.15)):
        before, after = offset[max(a - 1, 0)], offset[min(b, len(offset) - 1)]
        crossed = before * after < 0 and min(abs(before), abs(after)) > half and (b - a) * STEP_S > 0.4
        if not crossed and (b - a) * STEP_S < 0.2:
            continue
        why = None if crossed else "grazed the line"
        yield Finding("solid_line", float(s.t_s[a]), s, float(s.t_s[b - 1]), None, why)


def _box_blocking(s: Sighting, vehicles: Sequence[Sighting]) -> Iterator[Finding]:
    """Standing in the box because the way out is taken; waiting for a gap is something else."""
    for a, b in runs(_either(BOX, s)):
        dwell_s = (b - a) * STEP_S
        if dwell_s < BOX_DWELL_S - 1:
            continue
        stood = _longest((s.speed_mps[a:b] < STANDING_MPS) & _both(BOX, s)[a:b])
        stood_s = (stood[1] - stood[0]) * STEP_S if stood else 0.0
        why = None
        if stood is None or stood_s < BOX_DWELL_S + 1:
            why = "slow in the box, or stood about as long as the limit"
        else:
            ahead = _who_stands_ahead(s, a + (stood[0] + stood[1]) // 2, vehicles)
            if ahead is None:
                why = "stood in the box with the way out free"
            elif not _stands(ahead, float(s.t_s[a])):
                why = "the way out was taken after it had entered"
        yield Finding("box_blocking", float(s.t_s[a]), s, float(s.t_s[b - 1]), None, why)


def _stands(s: Sighting, t_s: float) -> bool:
    at = round((t_s - s.t_s[0]) / STEP_S)
    return 0 <= at < len(s.t_s) and bool(s.speed_mps[at] < STANDING_MPS)


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


def _illegal_stops(vehicles: Sequence[Sighting]) -> Iterator[Finding]:
    """Stops in the no-stopping zone that are not the queue of the signal."""
    lane = _lane("S0")
    stops: list[tuple[Sighting, int, int, Array]] = []
    for s in vehicles:
        for a, b in runs((s.speed_mps < STANDING_MPS) & _within(lane, s.front_m, 0.3)):
            stops.append((s, a, b, s.t_s[a:b]))
    for s, a, b, t in stops:
        if not _either(NO_STOPPING, s)[a] or (b - a) * STEP_S < ILLEGAL_STOP_S - 3:
            continue
        queued = np.array([_queue_ahead(stops, s, float(s.front_m[a, 1]), at) for at in t[::12]])
        free = _longest(queued == "free")
        first, last = (free[0] * 12, min(free[1] * 12, len(t) - 1)) if free else (0, 0)
        start, end = float(t[0]), float(t[-1])
        if not _both(NO_STOPPING, s)[a]:
            yield Finding("illegal_stop", start, s, end, "S0", "at the edge of the zone")
        elif (last - first) * STEP_S > ILLEGAL_STOP_S + 1:
            yield Finding("illegal_stop", float(t[first]), s, float(t[last]), "S0")
            if first > 0:
                yield Finding("illegal_stop", start, s, float(t[first]), "S0", "in the queue, then parked")
            if t[last] < end - 1:
                yield Finding("illegal_stop", float(t[last]), s, end, "S0", "parked, then part of the queue")
        elif (queued == "blocked").any() or last - first > 3 / STEP_S:
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


def _pedestrians(vehicles: Sequence[Sighting], walkers: Sequence[Sighting]) -> Iterator[Finding]:
    """Vehicles that cut across a pedestrian on the crosswalk (post-encroachment time)."""
    for walker in walkers:
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
