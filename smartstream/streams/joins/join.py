"""What every join has in common: two lanes in event time, timers, and incidents that are told as they change.

The *prompt* lane merges only the sides an opening needs and tells ``opened``. The *settled* lane merges every side
and sees those openings in their place; it brings ``updated``, ``closed`` and ``retracted``, and may open what the
prompt lane cannot see. What the one lane decides never depends on how far the other is, so the events are the same
however the sides arrive.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from smartstream.model.event import CloudEvent
from smartstream.model.facts import Fact, Facts, SideKind
from smartstream.model.items import DeadLetter
from smartstream.model.time import MAX_NS
from smartstream.streams.joins.incident import Contributor, Incident, IncidentWriter, Verb, new_incident
from smartstream.streams.merge import SideMerge
from smartstream.streams.timers import Timers

Told = CloudEvent | DeadLetter
_OPENINGS: Final = "/openings"


class Join:
    """One join. Subclasses say what they need, and what a fact means to them.

    Args:
        site: Site id.
        timezone: Of the times that people read.
        sides: The kind of every side that exists, by its name.
    """

    name: ClassVar[str]
    """Such as ``J-02``."""
    kind: ClassVar[str]
    """Of its events."""
    title: ClassVar[str]
    """What people call it, in Vietnamese."""
    prompt: ClassVar[frozenset[SideKind]] = frozenset()
    """Kinds of sides that an opening waits for."""
    needs: ClassVar[frozenset[SideKind]]
    """Kinds of sides that are listened to at all."""
    state: ClassVar[tuple[str, ...]] = ()
    """Attributes that a snapshot keeps, beside the incidents and timers."""

    def __init__(self, site: str, timezone: ZoneInfo, sides: Mapping[str, SideKind]) -> None:
        self._sides = {side: kind for side, kind in sides.items() if kind in self.needs}
        prompt = tuple(side for side, kind in self._sides.items() if kind in self.prompt)
        self._prompt: SideMerge[Fact] = SideMerge(prompt)
        self._settled: SideMerge[Fact | Incident] = SideMerge((_OPENINGS, *self._sides))
        if not prompt:
            self._settled.mark(_OPENINGS, MAX_NS)
        self._writer = IncidentWriter(site, self.name, self.kind, self.title, timezone)
        self.prompt_timers, self.timers = Timers(), Timers()
        self.incidents: dict[str, Incident] = {}
        self._out: list[Told] = []
        self._opened: list[tuple[int, Incident]] = []

    # ── what a join defines ──────────────────────────────────────────────────────────────────────────────

    def detect(self, fact: Fact) -> None:
        """Prompt lane: a fact of the sides an opening needs; call ``open``."""

    def detect_timer(self, name: str, at_ns: int) -> None:
        """Prompt lane: a timer of ``prompt_timers`` has rung."""

    def begin(self, incident: Incident) -> None:
        """Settled lane: an incident opened by the prompt lane takes its place."""

    def settle(self, fact: Fact) -> None:
        """Settled lane: a fact of any side; call ``support``, ``end``, ``take_back``, ``open_late``."""

    def timer(self, name: str, at_ns: int) -> None:
        """Settled lane: a timer of ``timers`` has rung."""

    def over(self) -> None:
        """Settled lane: nothing will follow on any side."""

    def coverage(self, incident: Incident) -> dict[str, Any]:
        """Which kinds of sides could have spoken, and which could not."""
        there = sorted(set(self._sides.values()))
        return {"armed": there, "no_coverage": sorted(self.needs - set(there))}

    # ── what a join calls ────────────────────────────────────────────────────────────────────────────────

    def open(self, fact: Fact, key: str, by: Contributor, **more: Any) -> Incident:
        """Prompt lane: tell an incident; the settled lane gets it in its place."""
        incident = new_incident(self.name, fact, key, **more)
        incident.contributors.append(by)
        incident.told = 1
        self._opened.append((fact.time_ns, incident))
        self._tell("opened", incident, fact.time_ns)
        return incident

    def open_late(self, fact: Fact, key: str, by: list[Contributor], **more: Any) -> Incident:
        """Settled lane: tell an incident that the prompt lane could not see."""
        incident = new_incident(self.name, fact, key, **more)
        incident.contributors.extend(by)
        incident.told = len(by)
        self.incidents[incident.id] = incident
        self._tell("opened", incident, fact.time_ns)
        return incident

    def support(self, incident: Incident, by: Contributor, *, quiet: bool = False) -> None:
        """One more witness; told at once while they are few, later every tenth part, or when a new kind speaks."""
        fresh = by.side not in incident.sides
        incident.contributors.append(by)
        incident.last_ns = max(incident.last_ns, by.at_ns)
        size = len(incident.contributors)
        if not quiet and (fresh or size >= incident.told + max(1, incident.told // 10)):
            self.update(incident, by.at_ns)

    def update(self, incident: Incident, at_ns: int) -> None:
        """Tell what has changed."""
        incident.told = len(incident.contributors)
        incident.revision += 1
        self._tell("updated", incident, at_ns)

    def end(self, incident: Incident, at_ns: int) -> None:
        """It is over."""
        self._finish("closed", incident, at_ns)

    def take_back(self, incident: Incident, at_ns: int) -> None:
        """It turned out not to be."""
        self._finish("retracted", incident, at_ns)

    def _finish(self, verb: Verb, incident: Incident, at_ns: int) -> None:
        del self.incidents[incident.id]
        incident.revision += 1
        if verb == "retracted":
            incident.last_ns = max(incident.last_ns, at_ns)
        self._tell(verb, incident, at_ns)

    def _tell(self, verb: Verb, incident: Incident, at_ns: int) -> None:
        self._out.append(self._writer.event(verb, incident, at_ns, self.coverage(incident)))

    @property
    def settled_ns(self) -> int:
        """Instant up to which everything has been told."""
        return self._settled.frontier_ns

    # ── the machine ──────────────────────────────────────────────────────────────────────────────────────

    def take(self, item: Facts) -> list[Told]:
        """Facts of a side; what can be told now."""
        kind = self._sides.get(item.side)
        if kind is None:
            return []
        for fact in item.facts:
            in_time = self._settled.push(item.side, fact.time_ns, fact)
            if in_time and kind in self.prompt:
                in_time = self._prompt.push(item.side, fact.time_ns, fact)
            if not in_time:
                detail = f"{self.name}: {fact.kind} {fact.what} at or before what has been joined already"
                place = f"{fact.entity}, {fact.kind} {fact.what} for {self.name}"  # each join has its own frontier
                self._out.append(DeadLetter("streams", "late", item.side, fact.time_ns, place, detail))
        self._settled.mark(item.side, item.watermark_ns, idle=item.idle)
        if kind in self.prompt:
            self._prompt.mark(item.side, item.watermark_ns, idle=item.idle)
            self._detect()
        self._settle()
        out, self._out = self._out, []
        return out

    def _detect(self) -> None:
        for at_ns, fact in self._prompt.release():
            self._ring_prompt(at_ns - 1)
            self.detect(fact)
        if self._prompt.frontier_ns != MAX_NS:  # the end of the input is nobody's silence
            self._ring_prompt(self._prompt.frontier_ns)
        for at_ns, incident in self._opened:
            copy = pickle.loads(pickle.dumps(incident))  # the lanes share nothing
            self._settled.push(_OPENINGS, at_ns, copy)
        self._opened.clear()
        self._settled.mark(_OPENINGS, self._prompt.frontier_ns)

    def _settle(self) -> None:
        for at_ns, found in self._settled.release():
            self._ring(at_ns - 1)
            if isinstance(found, Fact):
                self.settle(found)
            else:
                self.incidents[found.id] = found
                self.begin(found)
        self._ring(self._settled.frontier_ns)
        if self._settled.frontier_ns == MAX_NS:
            self.over()

    def _ring_prompt(self, until_ns: int) -> None:
        while rung := self.prompt_timers.ring_one(until_ns):
            self.detect_timer(rung[1], rung[0])

    def _ring(self, until_ns: int) -> None:
        while rung := self.timers.ring_one(until_ns):
            self.timer(rung[1], rung[0])

    def snapshot(self) -> bytes:
        """Everything that later answers depend on."""
        kept = {name: getattr(self, name) for name in self.state}
        merges = (self._prompt.snapshot(), self._settled.snapshot())
        timers = (self.prompt_timers.snapshot(), self.timers.snapshot())
        return pickle.dumps((merges, timers, self.incidents, kept))

    def restore(self, state: bytes) -> None:
        """Go on from ``snapshot``."""
        merges, timers, self.incidents, kept = pickle.loads(state)
        self._prompt.restore(merges[0])
        self._settled.restore(merges[1])
        self.prompt_timers.restore(timers[0])
        self.timers.restore(timers[1])
        for name, value in kept.items():
            setattr(self, name, value)
