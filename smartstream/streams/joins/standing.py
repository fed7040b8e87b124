"""Vehicles that stand though they could go: what is in the way, and pairs that stopped against each other.

Everybody stands at a red light and in a queue. Who stands on a green light with nobody standing before him, short of
the end of his lane, has another reason, and so has he whom others drive past. That takes a green to be sure of; an
abrupt stop alone is only somebody who brakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec
import numpy as np
import shapely

from smartstream.model.time import NS

Point = tuple[float, float]
_PASSES: Final = 2  # others that drove past while he could go
_FREE_S: Final = 15.0  # of standing though he could go, at a stretch
_GREEN_S: Final = 1.0  # of a green that he let pass, beyond those in which others start: an arrow's is short
_STARTS_NS: Final = 6 * NS  # of green before anything counts: some start faster than others
_STARTS_S: Final = 6.0  # since the last one before him drove off
_SHORT: Final = 0.6  # heights between a vehicle and the end of its lane that it has stopped short of
_STANDS_NS: Final = 15 * NS  # before a pair that is passed has stopped against each other
_SLOW_NS: Final = 90 * NS  # before one that came to a stop slowly has: a signal's cycle
_GREENS: Final = 2  # let pass at the very line: one may have been too short for who stands there
_DARK_S: Final = 120.0  # of standing first where nobody knows the light: no red lasts so long
_AT_ONCE_NS: Final = 4 * NS
_BEHIND, _BESIDES = 1.3, 0.9  # heights between two feet that can have touched: in one lane, across lanes
_PARKED_NS: Final = 180 * NS  # before a single vehicle is in the way
_BESIDE: Final = 8.0  # heights to the side at which one still passes
_AGAIN: Final = 0.5  # heights from a vehicle that stood here and was lost: it is the same


class Lane(msgspec.Struct, frozen=True):
    """What matters of a lane: its polygon, its lawful way in the picture, the signal group it obeys."""

    polygon: tuple[Point, ...]
    direction: Point | None = None
    group: str | None = None


class Stand(msgspec.Struct):
    """A vehicle that stands.

    Attributes:
        since_ns: Since when.
        own_ns: Since when under its present track number.
        abrupt_ns: When it last stopped abruptly, 0 if it did not.
        passes: Vehicles that drove past it while it could go.
        free_s: How long it has stood on this green though it could go, as far as its light is known.
        lit: Its lane has a light of which it is known what it shows.
        greens: Greens that came and went while it stood first in its lane.
        lane: Where, if in a lane.
        is_short: It stopped short of the lane's end.
        told: It has been told as an obstacle.
    """

    track: int
    since_ns: int
    own_ns: int
    seen_ns: int
    x: float
    y: float
    height: float
    abrupt_ns: int
    lane: str | None = None
    is_short: bool = False
    passes: int = 0
    free_s: float = 0.0
    greens: int = 0
    lit: bool = False
    told: bool = False

    @property
    def stuck(self) -> bool:
        """It has another reason to stand than a light or a queue."""
        return self.is_short and (self.passes >= _PASSES or self.lets_green_pass)

    @property
    def lets_green_pass(self) -> bool:
        """It stood first in its lane while it was green for long."""
        return self.lit and (self.free_s >= _FREE_S or self.greens > 0)


class Move(msgspec.Struct, frozen=True):
    """A vehicle that went from one place to another since the look before."""

    x0: float
    y0: float
    x: float
    y: float


class Standing:
    """Follows everybody who stands in one camera's picture.

    Args:
        camera: Its id, for the names of impacts.
        lanes: By name.
    """

    def __init__(self, camera: str, lanes: Mapping[str, Lane]) -> None:
        self._camera, self._lanes = camera, dict(lanes)
        self._polygons = {name: shapely.Polygon(lane.polygon) for name, lane in lanes.items()}
        self._ends = {name: _end(lane) for name, lane in lanes.items()}
        self._shown: dict[str, tuple[str, int]] = {}  # by group: state, since when
        self._looked_ns: int | None = None
        self._here: frozenset[int] = frozenset()
        self.stands: dict[int, Stand] = {}
        self._impacts: dict[str, tuple[int, list[int], int]] = {}  # by name: from when, who, until when they stand

    def signal(self, group: str, state: str, at_ns: int) -> None:
        """A group shows something else."""
        self._shown[group] = (state, at_ns)

    def frame(self, tracks: Iterable[int]) -> None:
        """Everybody in the picture at this look: who is still there was not lost, and nobody takes his place."""
        self._here = frozenset(tracks)

    def stand(self, track: int, since_ns: int, now_ns: int, foot: Point, height: float, abrupt_ns: int) -> None:
        """A vehicle stands at this look."""
        known = self.stands.get(track)
        if known is None or known.own_ns < since_ns:
            known = self._again(track, since_ns, now_ns, foot, height)
        if known is None:
            lane = next((n for n, p in self._polygons.items() if shapely.contains_xy(p, *foot)), None)
            self.stands[track] = Stand(
                track, since_ns, since_ns, now_ns, *foot, height, abrupt_ns, lane, self._short(lane, foot, height)
            )
        else:
            known.seen_ns = now_ns

    def _short(self, lane: str | None, foot: Point, height: float) -> bool:
        if lane is None:
            return False
        way = unit(self._lanes[lane])
        return self._ends[lane] - foot[0] * way[0] - foot[1] * way[1] >= _SHORT * height

    def _again(self, track: int, since_ns: int, now_ns: int, foot: Point, height: float) -> Stand | None:
        """Who stood here until a moment ago, under another number."""
        lost = [s for n, s in self.stands.items() if n not in self._here and s.seen_ns < now_ns]
        near = [(float(np.hypot(s.x - foot[0], s.y - foot[1])), s) for s in lost if 0.6 < s.height / height < 1.6]
        far, found = min(near, key=lambda at: at[0], default=(np.inf, None))
        if found is None or far > _AGAIN * height:
            return None
        number = found.track
        del self.stands[number]
        for _, tracks, _ in self._impacts.values():
            tracks[:] = [track if t == number else t for t in tracks]
        found.track, found.own_ns, found.seen_ns = track, since_ns, now_ns
        self.stands[track] = found
        return found

    def look(self, now_ns: int, moves: list[Move], gone_ns: int) -> list[tuple[str, dict[str, Any]]]:
        """Who was passed, and what follows from it: kinds of facts and what they say.

        Args:
            now_ns: Instant of the look.
            moves: Vehicles that moved.
            gone_ns: Who has not been seen to stand for so long stands no more.
        """
        for track in [t for t, s in self.stands.items() if now_ns - s.seen_ns > gone_ns]:
            del self.stands[track]
        heads = self._heads()
        passed_s = 0.0 if self._looked_ns is None else min(2.0, (now_ns - self._looked_ns) / NS)
        self._looked_ns = now_ns
        for stand in self.stands.values():
            light = self._light(stand, now_ns)
            if light == "stop":
                stand.greens += stand.lit and stand.free_s >= _GREEN_S
                stand.free_s = 0.0
            elif heads.get(stand.lane or "") is stand and stand.seen_ns == now_ns:
                stand.lit = light == "go"
                stand.free_s += passed_s
                if stand.is_short and stand.free_s >= _STARTS_S:
                    passed = [move for move in moves if self._passed(stand, move)]
                    stand.passes += sum(light != "unknown" or self._same_light(stand, move) for move in passed)
            elif stand.seen_ns == now_ns:
                stand.free_s = 0.0
        return [*self._moved_off(now_ns), *self._impact(now_ns), *self._obstacles(now_ns)]

    def _light(self, stand: Stand, now_ns: int) -> Literal["go", "stop", "none", "unknown"]:
        """What a vehicle's light says; in the middle of a junction one waits for others to pass.

        Where nobody knows what it shows, those who drive by the same light tell.
        """
        lane = self._lanes.get(stand.lane or "")
        if lane is None or lane.direction is None:
            return "stop"
        if lane.group is None:
            return "none"
        state, since_ns = self._shown.get(lane.group, ("unknown", now_ns))
        if state == "unknown":
            return "unknown"
        return "go" if state == "green" and now_ns - since_ns >= _STARTS_NS else "stop"

    def _same_light(self, stand: Stand, move: Move) -> bool:
        """Whether a vehicle drives in a lane of the same signal group."""
        group = self._lanes[stand.lane or ""].group
        return any(
            shapely.contains_xy(polygon, move.x, move.y)
            for name, polygon in self._polygons.items()
            if self._lanes[name].group == group
        )

    def _heads(self) -> dict[str, Stand]:
        """By lane the one before whom nobody stands."""
        out: dict[str, tuple[float, Stand]] = {}
        for stand in self.stands.values():
            if stand.lane is not None:
                way = unit(self._lanes[stand.lane])
                at = stand.x * way[0] + stand.y * way[1]
                if stand.lane not in out or at > out[stand.lane][0]:
                    out[stand.lane] = (at, stand)
        return {lane: stand for lane, (_, stand) in out.items()}

    def blocked(self) -> list[str]:
        """Lanes whose first vehicle stands at its line though it has long been green: there is no room behind it."""
        waiting = (s for s in self.stands.values() if s.lit and not s.is_short and s.free_s >= _STARTS_S)
        return sorted({stand.lane or "" for stand in waiting})

    def _passed(self, stand: Stand, move: Move) -> bool:
        way = unit(self._lanes[stand.lane or ""])
        along0 = (move.x0 - stand.x) * way[0] + (move.y0 - stand.y) * way[1]
        along = (move.x - stand.x) * way[0] + (move.y - stand.y) * way[1]
        aside = abs((move.x - stand.x) * way[1] - (move.y - stand.y) * way[0])
        return along0 < 0 <= along and aside <= _BESIDE * stand.height

    def _impact(self, now_ns: int) -> list[tuple[str, dict[str, Any]]]:
        """Pairs that stopped against each other: abruptly, or so slowly that it may as well be two that broke down."""
        out: list[tuple[str, dict[str, Any]]] = []
        ready = [s for s in self.stands.values() if now_ns - s.since_ns >= _STANDS_NS and s.seen_ns == now_ns]
        if not any(s.stuck or s.lets_green_pass or self._in_the_dark(s, now_ns) for s in ready):
            return out
        for i, one in enumerate(ready):
            for other in ready[i + 1 :]:
                first_ns = min(one.since_ns, other.since_ns)
                near = _BEHIND * max(one.height, other.height)
                if one.lane != other.lane:
                    near = _BESIDES * min(one.height, other.height)
                touching = np.hypot(one.x - other.x, one.y - other.y) <= near
                if abs(one.since_ns - other.since_ns) > _AT_ONCE_NS or not touching:
                    continue
                if max(one.abrupt_ns, other.abrupt_ns) >= first_ns - 3 * NS:
                    # At their lines side by side all stand; one against the other, in one lane, nobody does.
                    kind, fits = "impact", one.stuck or other.stuck
                    waits = any(s.lets_green_pass or self._in_the_dark(s, now_ns) for s in (one, other))
                    fits |= one.lane == other.lane and waits
                else:
                    kind, fits = "stuck_pair", any(s.is_short and s.lets_green_pass for s in (one, other))
                    fits |= one.lane == other.lane and max(one.greens, other.greens) >= _GREENS
                    fits &= now_ns - first_ns >= _SLOW_NS
                if not fits:
                    continue
                if any({one.track, other.track} & set(tracks) for _, tracks, _ in self._impacts.values()):
                    continue  # a third one that ran into them
                name = f"{self._camera}/{min(one.track, other.track)}+{max(one.track, other.track)}/{first_ns // NS}"
                self._impacts[name] = (first_ns, [one.track, other.track], now_ns)
                lanes = sorted({s.lane for s in (one, other) if s.lane is not None})
                said = {"impact": name, "tracks": [one.track, other.track], "lanes": lanes, "began_ns": first_ns}
                out.append((kind, said))
        return out

    def _in_the_dark(self, stand: Stand, now_ns: int) -> bool:
        """Whether a vehicle stood first in its lane for longer than any red while nobody knew what its light showed."""
        return stand.free_s >= _DARK_S and self._light(stand, now_ns) == "unknown"

    def _moved_off(self, now_ns: int) -> list[tuple[str, dict[str, Any]]]:
        out = []
        for name, (since_ns, tracks, until_ns) in list(self._impacts.items()):
            stands = [self.stands[track] for track in tracks if track in self.stands]
            if len(stands) == len(tracks):
                self._impacts[name] = (since_ns, tracks, max(until_ns, min(stand.seen_ns for stand in stands)))
            else:  # for some seconds nobody knew whether they had only been hidden
                del self._impacts[name]
                out.append(("moved_off", {"impact": name, "stood_s": round((until_ns - since_ns) / NS, 1)}))
        return out

    def _obstacles(self, now_ns: int) -> list[tuple[str, dict[str, Any]]]:
        out: list[tuple[str, dict[str, Any]]] = []
        for stand in self.stands.values():
            if not stand.told and now_ns - stand.since_ns >= _PARKED_NS and stand.stuck:
                stand.told = True
                out.append(("obstacle", {"track": stand.track, "lane": stand.lane, "began_ns": stand.since_ns}))
        return out

    @property
    def in_the_way(self) -> int:
        """Vehicles that are obstacles now."""
        return sum(stand.told for stand in self.stands.values())

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {
            "stands": [msgspec.structs.astuple(stand) for stand in self.stands.values()],
            "shown": dict(self._shown),
            "looked_ns": self._looked_ns,
            "impacts": {
                name: (since_ns, list(who), until_ns) for name, (since_ns, who, until_ns) in self._impacts.items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self.stands = {stand[0]: Stand(*stand) for stand in state["stands"]}
        self._shown, self._looked_ns = dict(state["shown"]), state["looked_ns"]
        self._impacts = {
            name: (since_ns, list(who), until) for name, (since_ns, who, until) in state["impacts"].items()
        }


def unit(lane: Lane) -> Point:
    """The direction of a lane in the picture, of length one; (0, 0) where it has none."""
    x, y = lane.direction or (0.0, 0.0)
    length = float(np.hypot(x, y)) or 1.0
    return x / length, y / length


def _end(lane: Lane) -> float:
    """How far a lane reaches along its direction."""
    way = unit(lane)
    return max(x * way[0] + y * way[1] for x, y in lane.polygon)
