"""The world model on the road: against the traffic, in the wrong lane, too fast, over a line, on the pavement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from smartstream.simulate.finding import Finding, both, either, lane_named, lane_of, longest
from smartstream.simulate.layout import BANS, LANES_JUDGED, SIDEWALK, SOLID_LINE, SPEED_LIMIT_KMH, Lane, Zone
from smartstream.simulate.sight import Sighting, runs
from smartstream.simulate.traffic import STEP_S

WRONG_WAY_PATH_M: Final = 8.0
MIN_DWELL_S: Final = 1.5
TOLERANCE_KMH: Final = 5.0
SIDEWALK_S: Final = 1.0
HOUSE_PATH_M: Final = 4.0
"""The pavement is 3.5 m wide: who goes across it goes no further."""


def wrong_way(s: Sighting) -> Iterator[Finding]:
    """Riding against the direction of a carriageway; changing lanes on it is the same offence."""
    for lanes in (LANES_JUDGED[:3], LANES_JUDGED[3:]):
        carriageway = _carriageway(lanes)
        against = (s.heading @ np.array(lanes[0].direction) < -0.5) & (s.speed_mps > 0.5)
        sure_rows = both(carriageway, s) & against
        for a, b in _bridged(runs(either(carriageway, s) & against), round(1.5 / STEP_S)):
            path = np.cumsum(np.where(sure_rows[a:b], s.speed_mps[a:b], 0.0)) * STEP_S
            longest = float(s.speed_mps[a:b].sum()) * STEP_S
            if longest < WRONG_WAY_PATH_M - 2.5:
                continue
            proof = min(a + int(np.searchsorted(path, WRONG_WAY_PATH_M)), b - 1)
            lane = lanes[0].id if len(lanes) == 1 else lane_of(s.front_m[proof])
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


def wrong_lane(s: Sighting) -> Iterator[Finding]:
    """Driving in a lane that is not open to the class."""
    for lane in LANES_JUDGED:
        if lane.allowed is None or s.mover.road_class in lane.allowed:
            continue
        yield from _dwell(s, lane, "wrong_lane", MIN_DWELL_S, 0.6, lane.id)


def banned_class(s: Sighting) -> Iterator[Finding]:
    """In a lane that is closed to the class at this hour."""
    for ban in BANS:
        if s.mover.road_class == ban.road_class and ban.holds:
            yield from _dwell(s, lane_named(ban.lane), "banned_class", 0.4, 0.4, ban.lane)


def sidewalk(s: Sighting) -> Iterator[Finding]:
    """Driving along the pavement; who crosses it to a house is lawful, and bicycles are not named.

    Source: NĐ 168/2024 Điều 6.6.d, 7.7.a.
    """
    if s.mover.road_class == "bicycle":
        return
    for found in _dwell(s, SIDEWALK, "sidewalk", SIDEWALK_S, 0.5, None):
        stay = (s.t_s >= found.t_s) & (s.t_s <= (found.t_end_s or found.t_s))
        along_m = float(s.speed_mps[stay].sum()) * STEP_S
        if along_m > HOUSE_PATH_M + 3:
            yield found
        elif along_m > HOUSE_PATH_M + 1.5:
            yield replace(found, why="hardly longer than the way to a house")


def _dwell(
    s: Sighting, zone: Zone | Lane, kind: str, limit_s: float, margin_s: float, lane: str | None
) -> Iterator[Finding]:
    """Stays in a zone that last; ``margin_s`` around the limit is nobody's fault."""
    sure = both(zone, s)
    for a, b in runs(either(zone, s)):
        if (b - a) * STEP_S < limit_s - margin_s:
            continue
        certain = longest(sure[a:b])
        long_enough = certain is not None and (certain[1] - certain[0]) * STEP_S > limit_s + margin_s
        why = None if long_enough else "about as long as the limit, or at its edge"
        yield Finding(kind, float(s.t_s[a]), s, float(s.t_s[b - 1]), lane, why)


def speeding(s: Sighting) -> Iterator[Finding]:
    """Too fast along the approach; its lanes have one limit, so changing them changes nothing."""
    for a, b in runs(both(_carriageway(LANES_JUDGED[:3]), s)):
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
        lane = lane_of(s.front_m[a])
        yield Finding("speeding", float(s.t_s[a]), s, float(s.t_s[b - 1]), lane, why, facts)


def _carriageway(lanes: Sequence[Lane]) -> Zone:
    """The rectangle that lanes side by side make up."""
    corners = [p for lane in lanes for p in lane.polygon]
    xs, ys = [p[0] for p in corners], [p[1] for p in corners]
    return Zone("", "", ((min(xs), min(ys)), (max(xs), max(ys))))


def solid_line(s: Sighting) -> Iterator[Finding]:
    """Crossing the double line between the directions."""
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
