"""J-09 spillback: the queue of one junction reaches back into the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median_low
from typing import ClassVar, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import MIN_NS, NS
from smartstream.streams.joins.camera_watch import LANES_NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import Place
from smartstream.streams.joins.roads import Road

_NEVER: Final = MIN_NS
_FULL: Final = 0.75  # share of an approach's vehicles that stand
_QUEUE: Final = 4.0  # vehicles on the approach, at least
_TICKS: Final = 3  # quarter minutes in which an approach moves again
_LONG: Final = 7  # where nobody sees the beginning of the road: longer than a red light fills an approach
_REACHES: Final = 2.0  # vehicles that stand in the first half of an entry lane: the queue has come back to there
_STILL: Final = 0.5  # it has not gone before fewer stand there: a queue that moves up stands for part of the time
_KEPT_NS: Final = 1800 * NS  # it takes a view that moved some ten minutes to be known
_USUAL_NS: Final = 90 * NS  # a signal's cycle, where its feed does not show it
_SPANS: Final = 9  # from green to green, newest ones: half of them may be wrong


class _Cycles:
    """How long the signals of each junction take from green to green, by what their feeds say."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], str] = {}  # junction, group
        self._green_ns: dict[tuple[str, str], int] = {}
        self._spans: dict[str, list[int]] = {}  # by junction

    def take(self, fact: Fact) -> None:
        """A group shows something."""
        group = (fact.entity, fact.more["group"])
        before, self._shown[group] = self._shown.get(group), fact.what
        if fact.what != "green" or before == "green":
            return
        if (begun_ns := self._green_ns.get(group)) is not None:
            self._spans[fact.entity] = [*self._spans.get(fact.entity, ())[1 - _SPANS :], fact.time_ns - begun_ns]
        self._green_ns[group] = fact.time_ns

    def of(self, junction: str) -> int:
        """Nanoseconds of a cycle: one red that fills an approach, one green that moves a queue."""
        spans = self._spans.get(junction, [])
        return median_low(spans) if len(spans) >= _SPANS // 2 else _USUAL_NS


class _Queue(msgspec.Struct):
    """What is known of the queue on one road. Both lanes of the join follow it, each at its own pace.

    Attributes:
        away: Cameras that look elsewhere: what they say of their lanes is of others.
        full: Quarter minutes in a row that the approach has been full.
        free: Quarter minutes in a row that it has not.
        full_ns: When it was full last.
        seen_ns: When it was seen last, full or not.
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
    seen_ns: int = _NEVER
    begun_ns: int = _NEVER
    stood_ns: int = _NEVER
    heard_ns: int = _NEVER
    blocked_ns: int = _NEVER
    waiting: float = 0.0
    place: Place | None = None
    told: bool = False

    def take(self, road: Road, fact: Fact, cycle_ns: int) -> Literal["opens", "ends"] | None:
        """A fact of a camera, and how long the signal at the road's end takes for a cycle."""
        if fact.kind in ("dark", "moved", "settled"):
            self._sight(road, fact)
            return None
        if fact.kind != "lanes" or fact.entity in self.away:
            return None
        if fact.entity == road.entry_camera and road.entry_lanes:
            self._entry(road, fact, cycle_ns)
        elif fact.entity == road.feeder_camera and _nobody_enters(fact, road.feeder_lanes):
            self.blocked_ns, self.place = fact.time_ns, fact.position
            self.waiting = _of_lanes(fact, road.feeder_lanes)[1]
        if fact.entity == road.camera:
            self._approach(road, fact)
        now = not self._gone(road, fact, cycle_ns) if self.told else self._reaches_back(road, fact, cycle_ns)
        before, self.told = self.told, now
        return None if now == before else "opens" if now else "ends"

    def _sight(self, road: Road, fact: Fact) -> None:
        if fact.kind == "settled":
            self.away.discard(fact.entity)
            return
        if fact.kind == "moved":
            self.away.add(fact.entity)
        if fact.entity == road.camera:
            self.full, self.full_ns, self.seen_ns = 0, _NEVER, _NEVER
        if fact.entity == road.entry_camera:
            self.begun_ns = self.stood_ns = self.heard_ns = _NEVER

    def _entry(self, road: Road, fact: Fact, cycle_ns: int) -> None:
        self.heard_ns = fact.time_ns
        standing = sum(fact.more["at_begin"].get(lane, 0.0) for lane in road.entry_lanes)
        another = fact.time_ns - self.stood_ns >= cycle_ns
        if standing < (_REACHES if another else _STILL):
            return
        if another:
            self.begun_ns = fact.time_ns - LANES_NS
        self.stood_ns, self.place = fact.time_ns, fact.position
        self.waiting = _of_lanes(fact, road.entry_lanes)[1]

    def _approach(self, road: Road, fact: Fact) -> None:
        self.seen_ns = fact.time_ns
        vehicles, still = _of_lanes(fact, road.lanes)
        if vehicles >= _QUEUE and still / vehicles >= _FULL:
            self.full, self.free, self.full_ns = self.full + 1, 0, fact.time_ns
        else:
            self.full, self.free = 0, self.free + 1

    def _reaches_back(self, road: Road, fact: Fact, cycle_ns: int) -> bool:
        if not road.entry_lanes:
            return fact.entity == road.camera and self.full >= _LONG and fact.time_ns - self.blocked_ns <= cycle_ns
        stands_ns = self.stood_ns - self.begun_ns if self.stood_ns == fact.time_ns else 0
        if fact.time_ns - self.seen_ns > cycle_ns:
            return stands_ns >= 2 * cycle_ns
        return stands_ns >= cycle_ns and fact.time_ns - self.full_ns <= cycle_ns

    def _gone(self, road: Road, fact: Fact, cycle_ns: int) -> bool:
        """Nobody has stood for a cycle where one enters; by the approach where nobody sees that."""
        if road.entry_lanes and fact.time_ns - self.heard_ns <= _TICKS * LANES_NS:
            another = self.begun_ns == fact.time_ns - LANES_NS  # stands there now
            return another or fact.time_ns - self.stood_ns >= cycle_ns
        return fact.entity == road.camera and self.free >= _TICKS


class Spillback(Join):
    """Opens when a queue has stood where one enters a road for a whole cycle of the signal at its end.

    No green clears it, that is: the camera that sees the first metres of the road sees two and more stand there, stop
    and go included, and the approach at its end has been full within the cycle; two cycles, while nobody sees that end.
    Where no camera sees the first metres, an approach must be full for longer than any red light lasts, and who could
    enter must stand at a long green before it. How long a cycle is, the signal feed tells. What the camera of the first
    metres told since it was pushed aside is taken back.

    ``chain`` lists the roads that are blocked one behind the other; ``gridlock`` says that they close a ring.
    Without either camera a full approach alone opens nothing.
    """

    name, kind, title = "J-09", "spillback", "ùn tắc lan ngược"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    state = ("_queues", "_settled_queues", "_cycles", "_settled_cycles", "_ended")

    def __init__(
        self, site: str, timezone: ZoneInfo, sides: Mapping[str, SideKind], *, roads: tuple[Road, ...]
    ) -> None:
        super().__init__(site, timezone, sides)
        self._roads = {road.name: road for road in roads}
        self._queues = {name: _Queue() for name in self._roads}
        self._settled_queues = {name: _Queue() for name in self._roads}
        self._cycles, self._settled_cycles = _Cycles(), _Cycles()
        self._ended: list[Incident] = []

    def detect(self, fact: Fact) -> None:
        """Lanes of both ends of each road, and signals."""
        if fact.kind == "signal":
            self._cycles.take(fact)
            return
        for name, road in self._roads.items():
            queue = self._queues[name]
            if queue.take(road, fact, self._cycles.of(road.end)) == "opens":
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
        if fact.kind == "signal":
            self._settled_cycles.take(fact)
            return
        if fact.kind == "moved":
            self._doubt(fact)
        for name, road in self._roads.items():
            queue = self._settled_queues[name]
            if queue.take(road, fact, self._settled_cycles.of(road.end)) == "ends":
                for incident in [i for i in self.incidents.values() if i.key == name]:
                    incident.last_ns = max(incident.last_ns, queue.stood_ns if road.entry_lanes else queue.full_ns)
                    self.end(incident, fact.time_ns)
                    self._ended = [i for i in self._ended if i.last_ns >= fact.time_ns - _KEPT_NS] + [incident]

    def _doubt(self, fact: Fact) -> None:
        """A view moved: what stood in its lanes since the last good look stood elsewhere."""
        told = [*self.incidents.values(), *self._ended]
        seen = [i for i in told if self._roads[i.key].entry_camera == fact.entity]
        for incident in [i for i in seen if i.since_ns >= fact.more["since_ns"]]:
            self._ended = [i for i in self._ended if i is not incident]
            self.incidents[incident.id] = incident
            self.take_back(incident, fact.time_ns)


def _nobody_enters(fact: Fact, lanes: tuple[str, ...]) -> bool:
    """Every lane in which somebody stands is blocked: one alone may wait to change lanes."""
    waiting = {lane for lane in lanes if fact.more["lanes"].get(lane, (0.0, 0.0))[1] >= 1}
    return bool(waiting) and waiting <= set(fact.more["blocked"])


def _of_lanes(fact: Fact, lanes: tuple[str, ...]) -> tuple[float, float]:
    found = [fact.more["lanes"].get(lane, (0.0, 0.0)) for lane in lanes]
    return sum(v for v, _ in found), sum(s for _, s in found)
