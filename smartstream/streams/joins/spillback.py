"""J-09 spillback: the queue of one junction reaches back into the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import MIN_NS, NS
from smartstream.streams.joins.camera_watch import LANES_NS
from smartstream.streams.joins.incident import Contributor
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import Place
from smartstream.streams.joins.roads import Road

_NEVER: Final = MIN_NS
_FULL: Final = 0.75  # share of an approach's vehicles that stand
_QUEUE: Final = 4.0  # vehicles on the approach, at least
_TICKS: Final = 3  # quarter minutes in which an approach moves again
_LONG: Final = 7  # where nobody sees the beginning of the road: longer than a red light fills an approach
_REACHES: Final = 2.0  # vehicles that stand in the first half of an entry lane: the queue has come back to there
_STANDS_NS: Final = 60 * NS  # that a queue reaches back before it is told
_STILL: Final = 1.0  # it has not gone before fewer stand there
_FRESH_NS: Final = 90 * NS  # a signal's cycle: one long green, one red that fills an approach, one move of a queue


class _Queue(msgspec.Struct):
    """What is known of the queue on one road. Both lanes of the join follow it, each at its own pace.

    Attributes:
        away: Cameras that look elsewhere: what they say of their lanes is of others.
        full: Quarter minutes in a row that the approach has been full.
        free: Quarter minutes in a row that it has not.
        full_ns: When it was full last.
        begun_ns: Since when a queue has stood in the road's first metres.
        stood_ns: When it was seen there last.
        heard_ns: When the camera of the first metres spoke last.
        blocked_ns: When nobody could enter at a long green.
        waiting: Vehicles that stood where one enters.
        place: Of the camera that saw them.
        told: It reaches back.
    """

    away: set[str] = set()
    full: int = 0
    free: int = 0
    full_ns: int = _NEVER
    begun_ns: int = _NEVER
    stood_ns: int = _NEVER
    heard_ns: int = _NEVER
    blocked_ns: int = _NEVER
    waiting: float = 0.0
    place: Place | None = None
    told: bool = False

    def take(self, road: Road, fact: Fact) -> Literal["opens", "ends"] | None:
        """A fact of a camera."""
        if fact.kind in ("dark", "moved", "settled"):
            self._sight(road, fact)
            return None
        if fact.kind != "lanes" or fact.entity in self.away:
            return None
        if fact.entity == road.entry_camera and road.entry_lanes:
            self._entry(road, fact)
        elif fact.entity == road.feeder_camera and _nobody_enters(fact, road.feeder_lanes):
            self.blocked_ns, self.place = fact.time_ns, fact.position
            self.waiting = _of_lanes(fact, road.feeder_lanes)[1]
        if fact.entity == road.camera:
            self._approach(road, fact)
        now = self._reaches_back(road, fact) if not self.told else not self._gone(road, fact)
        before, self.told = self.told, now
        return None if now == before else "opens" if now else "ends"

    def _sight(self, road: Road, fact: Fact) -> None:
        if fact.kind == "settled":
            self.away.discard(fact.entity)
            return
        if fact.kind == "moved":
            self.away.add(fact.entity)
        if fact.entity == road.camera:
            self.full, self.full_ns = 0, _NEVER
        if fact.entity == road.entry_camera:
            self.begun_ns = self.stood_ns = self.heard_ns = _NEVER

    def _entry(self, road: Road, fact: Fact) -> None:
        self.heard_ns = fact.time_ns
        standing = sum(fact.more["at_begin"].get(lane, 0.0) for lane in road.entry_lanes)
        if standing < (_STILL if self.told else _REACHES):
            return
        if fact.time_ns - self.stood_ns >= _FRESH_NS:
            self.begun_ns = fact.time_ns - LANES_NS
        self.stood_ns, self.place = fact.time_ns, fact.position
        self.waiting = _of_lanes(fact, road.entry_lanes)[1]

    def _approach(self, road: Road, fact: Fact) -> None:
        vehicles, still = _of_lanes(fact, road.lanes)
        if vehicles >= _QUEUE and still / vehicles >= _FULL:
            self.full, self.free, self.full_ns = self.full + 1, 0, fact.time_ns
        else:
            self.full, self.free = 0, self.free + 1

    def _reaches_back(self, road: Road, fact: Fact) -> bool:
        if not road.entry_lanes:
            return fact.entity == road.camera and self.full >= _LONG and fact.time_ns - self.blocked_ns <= _FRESH_NS
        full = fact.time_ns - self.full_ns <= _FRESH_NS
        return full and self.stood_ns == fact.time_ns and self.stood_ns - self.begun_ns >= _STANDS_NS

    def _gone(self, road: Road, fact: Fact) -> bool:
        """Nobody stands where one enters; by the approach where nobody sees that."""
        if road.entry_lanes and fact.time_ns - self.heard_ns <= _TICKS * LANES_NS:
            return fact.time_ns - self.stood_ns >= _FRESH_NS
        return fact.entity == road.camera and self.free >= _TICKS


class Spillback(Join):
    """Opens when a queue has stood for a minute where one enters a road, and reaches to its end.

    That is: the camera that sees the first metres of the road sees two and more stand there, stop and go included, and
    the approach at its end has been full within a signal's cycle. Where no camera sees them, an approach must be full
    for longer than any red light lasts, and who could enter must stand at a long green before it.

    ``chain`` lists the roads that are blocked one behind the other; ``gridlock`` says that they close a ring.
    Without either camera a full approach alone opens nothing.
    """

    name, kind, title = "J-09", "spillback", "ùn tắc lan ngược"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    state = ("_queues", "_settled_queues")

    def __init__(
        self, site: str, timezone: ZoneInfo, sides: Mapping[str, SideKind], *, roads: tuple[Road, ...]
    ) -> None:
        super().__init__(site, timezone, sides)
        self._roads = {road.name: road for road in roads}
        self._queues = {name: _Queue() for name in self._roads}
        self._settled_queues = {name: _Queue() for name in self._roads}

    def detect(self, fact: Fact) -> None:
        """Lanes of both ends of each road."""
        for name, road in self._roads.items():
            queue = self._queues[name]
            if queue.take(road, fact) == "opens":
                chain = self._chain(name)
                by = Contributor("camera", fact.entity, "standing_queue", fact.time_ns, 0.7, queue.waiting)
                ring = len(chain) > 1 and self._roads[chain[-1]].end == self._roads[chain[0]].start
                at_start = Fact(fact.time_ns, "spillback", name, junction=road.start, position=queue.place)
                waiting, detail = queue.waiting, " → ".join(chain)
                self.open(at_start, name, by, chain=chain, gridlock=ring, waiting=waiting, detail=detail)

    def _chain(self, name: str) -> list[str]:
        """Blocked roads upstream, then this one, then those downstream; sorted where they fork."""
        chain = [name]
        while up := self._next(lambda r: r.end == self._roads[chain[0]].start, chain):
            chain.insert(0, up)
        while down := self._next(lambda r: r.start == self._roads[chain[-1]].end, chain):
            chain.append(down)
        return chain

    def _next(self, fits: Callable[[Road], bool], chain: list[str]) -> str | None:
        return next(
            (n for n, q in sorted(self._queues.items()) if q.told and n not in chain and fits(self._roads[n])), None
        )

    def settle(self, fact: Fact) -> None:
        """Over when nobody stands where one enters any more."""
        for name, road in self._roads.items():
            queue = self._settled_queues[name]
            if queue.take(road, fact) == "ends":
                for incident in [i for i in self.incidents.values() if i.key == name]:
                    incident.last_ns = max(incident.last_ns, queue.stood_ns if road.entry_lanes else queue.full_ns)
                    self.end(incident, fact.time_ns)


def _nobody_enters(fact: Fact, lanes: tuple[str, ...]) -> bool:
    """Every lane in which somebody stands is blocked: one alone may wait to change lanes."""
    waiting = {lane for lane in lanes if fact.more["lanes"].get(lane, (0.0, 0.0))[1] >= 1}
    return bool(waiting) and waiting <= set(fact.more["blocked"])


def _of_lanes(fact: Fact, lanes: tuple[str, ...]) -> tuple[float, float]:
    found = [fact.more["lanes"].get(lane, (0.0, 0.0)) for lane in lanes]
    return sum(v for v, _ in found), sum(s for _, s in found)
