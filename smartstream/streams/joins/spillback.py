"""J-09 spillback: the queue of one junction reaches back into the one before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import Place
from smartstream.streams.joins.roads import Road

_FULL: Final = 0.75  # share of an approach's vehicles that stand
_QUEUE: Final = 4.0  # vehicles on the approach, at least
_TICKS: Final = 3
_LONG: Final = 7  # where nobody sees the beginning of the road: longer than a red light fills an approach
_REACHES: Final = 1.0  # vehicles that stand in the first half of an entry lane: the queue has come back to there
_FRESH_NS: Final = 90 * NS  # a signal's cycle: there is one long green in it


class Spillback(Join):
    """Opens when an approach has been full for three quarter minutes and its beginning is, too.

    That is: the camera that sees its first metres sees a standing queue that reaches back to where one enters. Where no
    camera sees them, it takes longer, and who could enter must stand at a long green before it.

    ``chain`` lists the roads that are blocked one behind the other; ``gridlock`` says that they close a ring.
    Without either camera a full approach alone opens nothing.
    """

    name, kind, title = "J-09", "spillback", "ùn tắc lan ngược"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    state = ("_full", "_blocked", "_at_entry", "_free", "_standing", "_away")

    def __init__(
        self, site: str, timezone: ZoneInfo, sides: Mapping[str, SideKind], *, roads: tuple[Road, ...]
    ) -> None:
        super().__init__(site, timezone, sides)
        self._roads = {road.name: road for road in roads}
        self._full: dict[str, int] = {}  # quarter minutes in a row that an approach has been full
        self._blocked: dict[str, tuple[int, float, Place | None]] = {}  # nobody could enter: when, how many, where
        self._at_entry: dict[str, int] = {}  # quarter minutes in a row that a queue has stood in its first metres
        self._free: dict[str, int] = {}
        self._standing: set[str] = set()  # roads with an incident, prompt lane
        self._away: set[str] = set()  # cameras that look elsewhere: what they say of their lanes is of others

    def detect(self, fact: Fact) -> None:
        """Lanes of both ends of each road."""
        if fact.kind in ("moved", "settled"):
            (self._away.add if fact.kind == "moved" else self._away.discard)(fact.entity)
        if fact.kind in ("dark", "moved"):
            for name, road in self._roads.items():
                if road.camera == fact.entity:
                    self._full[name] = 0
                if road.entry_camera == fact.entity:
                    self._at_entry[name] = 0
        elif fact.kind == "lanes" and fact.entity not in self._away:
            for name, road in self._roads.items():
                if (
                    not road.entry_lanes
                    and fact.entity == road.feeder_camera
                    and _nobody_enters(fact, road.feeder_lanes)
                ):
                    self._blocked[name] = (fact.time_ns, _of_lanes(fact, road.feeder_lanes)[1], fact.position)
                if fact.entity == road.entry_camera:
                    self._entry(name, road, fact)
                if fact.entity == road.camera:
                    self._approach(name, road, fact)

    def _entry(self, name: str, road: Road, fact: Fact) -> None:
        vehicles, still = _of_lanes(fact, road.entry_lanes)
        first = sum(fact.more["at_begin"].get(lane, 0.0) for lane in road.entry_lanes)
        standing = vehicles >= _QUEUE and still / vehicles >= _FULL and first >= _REACHES
        self._at_entry[name] = self._at_entry.get(name, 0) + 1 if standing else 0
        if self._at_entry[name] >= _TICKS:
            self._blocked[name] = (fact.time_ns, still, fact.position)

    def _approach(self, name: str, road: Road, fact: Fact) -> None:
        vehicles, still = _of_lanes(fact, road.lanes)
        full = vehicles >= _QUEUE and still / vehicles >= _FULL
        self._full[name] = self._full.get(name, 0) + 1 if full else 0
        blocked_ns, waiting, place = self._blocked.get(name, (-_FRESH_NS, 0.0, None))
        if name in self._standing:
            self._free[name] = 0 if full else self._free.get(name, 0) + 1
            if self._free[name] >= _TICKS:
                self._standing.discard(name)
        elif self._full[name] >= (_TICKS if road.entry_lanes else _LONG) and fact.time_ns - blocked_ns <= _FRESH_NS:
            self._standing.add(name)
            self._free[name] = 0
            chain = self._chain(name)
            by = Contributor("camera", fact.entity, "full_approach", fact.time_ns, 0.7, vehicles)
            ring = len(chain) > 1 and self._roads[chain[-1]].end == self._roads[chain[0]].start
            at_start = Fact(fact.time_ns, "spillback", name, junction=road.start, position=place)
            self.open(at_start, name, by, chain=chain, gridlock=ring, waiting=waiting, detail=" → ".join(chain))

    def _chain(self, name: str) -> list[str]:
        """Blocked roads upstream, then this one, then those downstream; sorted where they fork."""
        chain = [name]
        while up := self._next(lambda r: r.end == self._roads[chain[0]].start, chain):
            chain.insert(0, up)
        while down := self._next(lambda r: r.start == self._roads[chain[-1]].end, chain):
            chain.append(down)
        return chain

    def _next(self, fits: Callable[[Road], bool], chain: list[str]) -> str | None:
        return next((n for n in sorted(self._standing) if n not in chain and fits(self._roads[n])), None)

    def settle(self, fact: Fact) -> None:
        """Over when the approach has moved for as long as it took to open; counted on its own in this lane."""
        if fact.kind != "lanes":
            return
        for incident in list(self.incidents.values()):
            road = self._roads[incident.key]
            if fact.entity != road.camera or fact.time_ns <= incident.since_ns:
                continue
            vehicles, still = _of_lanes(fact, road.lanes)
            if vehicles >= _QUEUE and still / vehicles >= _FULL:
                incident.more["free_ticks"] = 0
                incident.last_ns = fact.time_ns
                continue
            incident.more["free_ticks"] = incident.more.get("free_ticks", 0) + 1
            if incident.more["free_ticks"] >= _TICKS:
                del incident.more["free_ticks"]
                self.end(incident, fact.time_ns)


def _nobody_enters(fact: Fact, lanes: tuple[str, ...]) -> bool:
    """Every lane in which somebody stands is blocked: one alone may wait to change lanes."""
    waiting = {lane for lane in lanes if fact.more["lanes"].get(lane, (0.0, 0.0))[1] >= 1}
    return bool(waiting) and waiting <= set(fact.more["blocked"])


def _of_lanes(fact: Fact, lanes: tuple[str, ...]) -> tuple[float, float]:
    found = [fact.more["lanes"].get(lane, (0.0, 0.0)) for lane in lanes]
    return sum(v for v, _ in found), sum(s for _, s in found)
