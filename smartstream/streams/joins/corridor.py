"""J-13 emergency corridor: a vehicle on duty was seen at a junction; the next ones are asked to let it through."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.roads import Road

_ETA_S: Final = 90.0
_LOST_NS: Final = 180 * NS
_SLACK: Final = 4.0  # times the free travel after which it is not the same drive; sirens stand in queues, too
_HOPS: Final = 2  # roads between two sights: one junction on the way may not have heard it


class Corridor(Join):
    """Opens at the first junction that sees the vehicle and follows it from junction to junction.

    It ends three minutes after the last sight. ``requests`` are junctions it may reach within 90 s, with the seconds
    it needs there, what their signals show and where vehicles stand.
    """

    name, kind, title = "J-13", "emergency_corridor", "hành lang xe ưu tiên"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"condition"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"condition", "camera"})
    state = ("_drives", "_signal", "_queues")

    def __init__(
        self, site: str, timezone: ZoneInfo, sides: Mapping[str, SideKind], *, roads: tuple[Road, ...]
    ) -> None:
        super().__init__(site, timezone, sides)
        self._from: dict[str, list[Road]] = {}
        for road in roads:
            self._from.setdefault(road.start, []).append(road)
        self._drives: list[tuple[str, int]] = []  # prompt lane: newest junction and instant of each drive
        self._signal: dict[tuple[str, str], str] = {}
        self._queues: dict[str, dict[str, Any]] = {}

    def detect(self, fact: Fact) -> None:
        """A sight that no drive under way explains begins a new one."""
        if fact.what != "emergency_vehicle" or fact.junction is None:
            return
        self._drives = [d for d in self._drives if fact.time_ns - d[1] <= _LOST_NS]
        for i, (junction, at_ns) in enumerate(self._drives):
            if self._continues(junction, at_ns, fact):
                self._drives[i] = (fact.junction, fact.time_ns)
                return
        self._drives.append((fact.junction, fact.time_ns))
        by = Contributor("condition", fact.more.get("origin") or fact.junction, fact.what, fact.time_ns, 0.8)
        self.open(fact, fact.junction, by, path=[fact.junction], requests=self._requests(fact.junction, None))

    def _continues(self, junction: str, at_ns: int, fact: Fact) -> bool:
        if junction == fact.junction:
            return fact.time_ns - at_ns <= _LOST_NS
        took = (fact.time_ns - at_ns) / NS
        free_s = self._travel_s(junction, str(fact.junction))
        return free_s is not None and took <= _SLACK * free_s + 30

    def _travel_s(self, junction: str, to: str) -> float | None:
        """Free travel by the shortest way of at most so many roads."""
        reached = {junction: 0.0}
        for _ in range(_HOPS):
            for at, before_s in list(reached.items()):
                for road in self._from.get(at, ()):
                    reached[road.end] = min(before_s + road.travel_s, reached.get(road.end, inf))
        return reached.get(to)

    def _requests(self, junction: str, came_from: str | None) -> list[dict[str, Any]]:
        reached: dict[str, float] = {junction: 0.0}
        todo = [junction]
        while todo:
            at = todo.pop(0)
            for road in self._from.get(at, ()):
                eta = reached[at] + road.travel_s
                if eta <= _ETA_S and eta < reached.get(road.end, _ETA_S + 1) and road.end != came_from:
                    reached[road.end] = eta
                    todo.append(road.end)
        found = [{"junction": j, "eta_s": round(eta, 1)} for j, eta in sorted(reached.items()) if j != junction]
        return sorted(found, key=lambda r: (r["eta_s"], r["junction"]))

    def begin(self, incident: Incident) -> None:
        """Follow it."""
        self.timers.set(incident.id, incident.since_ns + _LOST_NS)
        incident.more["requests"] = [self._with_state(r) for r in incident.more["requests"]]

    def _with_state(self, request: dict[str, Any]) -> dict[str, Any]:
        junction = request["junction"]
        signals = {group: state for (j, group), state in sorted(self._signal.items()) if j == junction}
        return {**request, "signals": signals, "queue": self._queues.get(junction, {})}

    def settle(self, fact: Fact) -> None:
        """Sights move a drive on; signals and queues are told with its requests."""
        if fact.kind == "signal":
            self._signal[str(fact.junction), fact.more["group"]] = fact.what
        elif fact.kind == "lanes":
            standing = {lane: still for lane, (_, still) in fact.more["lanes"].items() if still}
            self._queues[str(fact.junction)] = standing
        elif fact.what == "emergency_vehicle" and fact.junction is not None:
            for incident in self.incidents.values():
                here, at_ns = incident.more["path"][-1], incident.last_ns
                if fact.time_ns > incident.since_ns and self._continues(here, at_ns, fact):
                    self._move(incident, fact)
                    return

    def _move(self, incident: Incident, fact: Fact) -> None:
        here = incident.more["path"][-1]
        self.timers.set(incident.id, fact.time_ns + _LOST_NS)
        by = Contributor("condition", fact.more.get("origin") or str(fact.junction), fact.what, fact.time_ns, 0.8)
        if here != fact.junction:
            incident.more["path"] = [*incident.more["path"], fact.junction]
            requests = self._requests(str(fact.junction), here)
            incident.more["requests"] = [self._with_state(r) for r in requests]
        self.support(incident, by)

    def timer(self, name: str, at_ns: int) -> None:
        """Out of sight: the way is free again for everyone."""
        if (incident := self.incidents.get(name)) is not None:
            incident.more["requests"] = []
            self.end(incident, at_ns)
