"""A junction: its cameras and signal states merged in event time, judged by the Rust engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from pipelines.beside import dead_letter_event
from pipelines.junction_facts import JunctionFacts
from pipelines.lifting import SIGHT, Lifting
from smartstream import _core
from smartstream.evidence.desk import Case, EvidenceDesk
from smartstream.model.classes import STATE_CODE, SignalState
from smartstream.model.event import CloudEvent, make_event
from smartstream.model.facts import Facts
from smartstream.model.items import (
    Condition,
    Conditions,
    DeadLetter,
    Gap,
    Health,
    Joined,
    Mark,
    MeterReading,
    SignalChange,
    Signals,
    Tracks,
)
from smartstream.model.state import check_version
from smartstream.model.time import MAX_NS, MIN_NS, rfc3339
from smartstream.rules.compile import CompiledJunction
from smartstream.rules.events import EventWriter
from smartstream.rules.outcome import Violation, decode_outcomes
from smartstream.streams.merge import SideMerge

_VERSION: Final = 9


@dataclass(frozen=True)
class JunctionSpec:
    """What a junction's step needs to know.

    Attributes:
        site: Site id.
        junction: Its id.
        sides: Its sources by rank.
        rules: Its rules, compiled for the engine.
        writer: Turns outcomes into events.
        heartbeat_ns: Per signal group: after this long without a line its state is unknown.
        evidence: Whether suspicions are documented.
        facts: Makes what tells the joins; ``None`` where no join listens.
        read: Signal groups whose source is their lamps; of the others lamps are a witness.
    """

    site: str
    junction: str
    sides: tuple[str, ...]
    rules: CompiledJunction
    writer: EventWriter
    heartbeat_ns: dict[str, int]
    evidence: bool = False
    facts: Callable[[], JunctionFacts] | None = None
    read: frozenset[str] = frozenset()


Told = CloudEvent | Case | Facts
"""What a junction says: events, cases to be documented, and facts for the joins."""


class _Said(msgspec.Struct, frozen=True):
    """What one source said of a group last.

    Attributes:
        line_ns: The instant its newest line tells of.
        heard_ns: From when on that counts: later than the line where it came too late.
    """

    state: SignalState
    line_ns: int
    heard_ns: int


class JunctionLogic:
    """Waits for every side, then gives the engine signals and tracks in event-time order."""

    def __init__(self, spec: JunctionSpec) -> None:
        self._spec = spec
        self._merge: SideMerge[Tracks | Gap | Health | SignalChange | Condition | MeterReading] = SideMerge(spec.sides)
        self._engine = _core.JunctionEngine(spec.rules.config)
        self._groups = {name: i for i, name in enumerate(spec.rules.groups)}
        self._cameras = {name: i for i, name in enumerate(spec.rules.cameras)}
        self._shown: dict[str, _Said] = {}  # by the source of each group
        self._witness: dict[str, _Said] = {}  # by the other one
        self._lamps: dict[
            str, tuple[int, dict[str, SignalState]]
        ] = {}  # by side, up to when, and what they showed last
        self._fallen: list[tuple[int, CloudEvent]] = []  # silent groups, not told before the input itself is past it
        self._newest_ns = MIN_NS  # of the released input
        self._finished = False
        self._sight = Lifting()
        self._desk = EvidenceDesk(spec.junction) if spec.evidence else None
        self._facts = None if spec.facts is None else spec.facts()

    def facts(self) -> list[Facts]:
        """What the joins are told of the turns taken since the last call."""
        if self._facts is None or self._merge.frontier_ns == MIN_NS:
            return []
        return self._facts.drain(self._merge.frontier_ns, ended=self._finished)

    def take(self, items: list[Joined]) -> list[Told]:
        """Take what arrived, release what every side has passed."""
        events: list[Told] = []
        for item in items:
            self._take(item, events)
        self._judge(events)
        return events

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        check_version("junction", state["version"], _VERSION)
        self._merge.restore(state["merge"])
        self._engine.restore(state["engine"])
        self._shown = dict(state["shown"])
        self._fallen, self._newest_ns = list(state["fallen"]), state["newest"]
        self._finished = state["finished"]
        self._witness, self._lamps = dict(state["witness"]), dict(state["lamps"])
        self._sight.restore(state["sight"])
        if self._desk is not None:
            self._desk.restore(state["desk"])
        if self._facts is not None:
            self._facts.restore(state["facts"])

    def _take(self, item: Joined, events: list[Told]) -> None:
        merge = self._merge
        match item:
            case Tracks(side, first_ns, last_ns, _):
                # Due as soon as its first frame is: the frontier may come to lie within a batch.
                if last_ns <= merge.frontier_ns:
                    events.append(self._late(side, last_ns, "frames"))
                else:
                    merge.push(side, max(first_ns, merge.frontier_ns + 1), item)
                    if self._facts is not None:
                        self._facts.pushed(item)
                merge.mark(side, last_ns)
            case Signals(side, changes, watermark_ns):
                for change in changes:
                    if not self._push(side, change):
                        events.append(self._late(side, change.time_ns, change.signal))
                        self._push(side, msgspec.structs.replace(change, known_ns=merge.frontier_ns + 1))
                self._remember(item)
                merge.mark(side, watermark_ns)
            case Conditions(side, facts, watermark_ns):
                for fact in facts:  # known only now: never late, the engine takes back what it should have lifted
                    merge.push(side, max(fact.clock_ns, merge.frontier_ns + 1), fact)
                merge.mark(side, watermark_ns)
            case Mark(side, watermark_ns, idle):
                if watermark_ns == MAX_NS:
                    self._forget(side)
                    if self._facts is not None:
                        self._facts.end(side, merge.watermark_ns(side))
                merge.mark(side, watermark_ns, idle=idle)
            case Gap(side, _, at_ns, _):
                merge.push(side, max(at_ns, merge.frontier_ns + 1), item)
            case Health(side=side, found_ns=int(found_ns)):
                merge.push(side, max(found_ns, merge.frontier_ns + 1), item)

    def _push(self, side: str, change: SignalChange) -> bool:
        due_ns = change.time_ns if change.known_ns is None else change.known_ns
        # A change of lamps is due where it may have begun.
        at_ns = due_ns if change.after_ns is None else change.after_ns + 1
        return due_ns > self._merge.frontier_ns and self._merge.push(
            side, max(at_ns, self._merge.frontier_ns + 1), change
        )

    def _remember(self, item: Signals) -> None:
        read = {change.signal: change.state for change in item.changes if change.from_lamps}
        if read or item.side in self._lamps:
            until_ns, known = self._lamps.get(item.side, (MIN_NS, {}))
            newest_ns = max([until_ns, item.watermark_ns, *(change.time_ns for change in item.changes)])
            self._lamps[item.side] = (newest_ns, known | read)

    def _forget(self, side: str) -> None:
        """Nobody reads these lamps any more: a camera that was lost could not say so itself."""
        until_ns, known = self._lamps.pop(side, (MIN_NS, {}))
        for group, state in known.items():
            if state != "unknown":
                self._push(side, SignalChange(until_ns + 1, group, "unknown", until_ns, 1.0))

    def _judge(self, events: list[Told]) -> None:
        for at_ns, item in self._merge.release():
            self._expire(at_ns - 1)
            self._newest_ns = max(self._newest_ns, item.last_ns if isinstance(item, Tracks) else at_ns)
            match item:
                case SignalChange(known_ns=int()):
                    self._correct(item, at_ns, events)
                case SignalChange() if item.from_lamps == (item.signal in self._spec.read):
                    events.extend(self._show(item, item.time_ns))
                case SignalChange():
                    self._bear_witness(item, item.time_ns)
                case Tracks():
                    late = self._engine.tracks(self._cameras[item.side], item.batch)
                    if late:
                        events.append(self._late(item.side, item.first_ns, f"{late} frames"))
                    if self._desk is not None:
                        self._desk.tracks(item.side, item.batch)
                    if self._facts is not None:
                        # What the engine finds in earlier frames is known before these, however they came.
                        self._tell(self._engine.advance(at_ns - 1), events)
                        self._facts.tracks(item)
                    for lifted in self._lifted(item.side, item.last_ns):
                        self._lift(lifted, at_ns, events)
                case Condition():
                    self._lift(item, at_ns, events)
                case MeterReading(_, time_ns, _, camera, lane, speed_kmh, certified):
                    self._engine.reading(time_ns, lane, speed_kmh, certified, camera=camera)
                case Health():
                    self._see(item, at_ns, events)
                case Gap():
                    self._engine.gap(self._cameras[item.side], item.at_ns)
        # Told whenever the frontier passes it, a silence would depend on who came first.
        self._expire(min(self._merge.frontier_ns, MAX_NS if not self._merge.ended else self._newest_ns))
        events.extend(event for at_ns, event in self._fallen if at_ns < self._newest_ns)
        self._fallen = [silent for silent in self._fallen if silent[0] >= self._newest_ns]
        if self._merge.frontier_ns > MIN_NS and not self._finished:
            if self._merge.ended:
                self._finished = True
                decided = self._engine.finish()
            else:
                decided = self._engine.advance(self._merge.frontier_ns)
            self._tell(decided, events)
            if self._desk is not None:
                events.extend(self._desk.close(self._merge.frontier_ns, ended=self._finished))

    def _correct(self, line: SignalChange, at_ns: int, events: list[Told]) -> None:
        """A line came when its time had been judged: it clears whom it contradicts, and may hold from now on."""
        self._tell(self._engine.advance(at_ns - 1), events)  # judged without knowing of it
        is_source = line.from_lamps == (line.signal in self._spec.read)
        newest = (self._shown if is_source else self._witness).get(line.signal)
        holds = newest is None or newest.line_ns <= line.time_ns
        until_ns = at_ns if newest is None or holds else min(newest.line_ns, at_ns)
        self._engine.late_signal(self._groups[line.signal], STATE_CODE[line.state], line.time_ns, until_ns)
        now = msgspec.structs.replace(line, time_ns=at_ns, after_ns=line.time_ns)
        if holds and is_source:
            events.extend(self._show(now, line.time_ns))
        elif holds:
            self._bear_witness(now, line.time_ns)

    def _bear_witness(self, change: SignalChange, line_ns: int) -> None:
        before = self._witness.get(change.signal)
        self._witness[change.signal] = _Said(change.state, line_ns, change.time_ns)
        if before is None or before.state != change.state:
            self._tell_engine(change, witness=True)

    def _see(self, health: Health, at_ns: int, events: list[Told]) -> None:
        """What a camera does not see is held against nobody, from the last good look on."""
        origin = f"health-{health.what}"
        if health.verb == "opened":
            self._sight.begin(health.side, origin, SIGHT[health.what], health.at_ns)
        else:
            self._sight.end(health.side, origin)
        if self._facts is not None:
            self._facts.health(health, at_ns)
        for lifted in self._lifted(health.side, at_ns):
            self._lift(lifted, at_ns, events)

    def _lifted(self, camera: str, now_ns: int) -> list[Condition]:
        by_traffic = [] if self._facts is None else self._facts.lifting.due(camera, now_ns)
        return [*self._sight.due(camera, now_ns), *by_traffic]

    def _lift(self, what: Condition, at_ns: int, events: list[Told]) -> None:
        self._tell(self._engine.advance(at_ns - 1), events)  # judged without knowing of it
        self._engine.condition(what.time_ns, what.until_ns, what.condition, camera=what.camera, lane=what.lane)

    def _tell(self, decided: bytes, events: list[Told]) -> None:
        for outcome in decode_outcomes(decided):
            event = self._spec.writer.event(outcome)
            events.append(event)
            if self._desk is not None and isinstance(outcome, Violation) and outcome.verdict == "suspected":
                self._desk.suspect(event, camera=outcome.camera, at_ns=outcome.time_ns, span_ns=outcome.span_ns)
            if self._facts is not None:
                self._facts.outcome(outcome, event)

    def _show(self, change: SignalChange, line_ns: int) -> list[CloudEvent]:
        before = self._shown.get(change.signal)
        self._shown[change.signal] = _Said(change.state, line_ns, change.time_ns)
        if before is not None and before.state == change.state:
            return []
        self._tell_engine(change)
        if self._desk is not None:
            self._desk.signal(change)
        if self._facts is not None:
            self._facts.signal(change)
        return [self._observed(change, before)]

    def _expire(self, now_ns: int) -> None:
        """A group whose heartbeat stopped is unknown from then on."""
        for signal, beat_ns in self._spec.heartbeat_ns.items():
            shown = self._shown.get(signal)
            if shown is not None and shown.state != "unknown" and now_ns >= shown.heard_ns + beat_ns:
                silent = SignalChange(shown.heard_ns + beat_ns, signal, "unknown")
                self._fallen += [(silent.time_ns, event) for event in self._show(silent, shown.line_ns)]

    def _tell_engine(self, change: SignalChange, *, witness: bool = False) -> None:
        self._engine.signals(
            np.array([change.time_ns], np.int64),
            np.array([self._groups[change.signal]], np.uint16),
            np.array([STATE_CODE[change.state]], np.uint8),
            after_ns=np.array([change.time_ns if change.after_ns is None else change.after_ns], np.int64),
            witness=witness,
        )

    def _observed(self, change: SignalChange, before: _Said | None) -> CloudEvent:
        data: dict[str, Any] = {
            "junction": self._spec.junction,
            "group": change.signal,
            "state": change.state,
            "before": None if before is None else before.state,
        }
        if change.after_ns is not None:  # of lamps, or told too late
            data["began"] = [rfc3339(change.after_ns), rfc3339(change.time_ns)]
        if change.from_lamps:
            data |= {"source": "lamps", "confidence": change.confidence}
        return make_event(
            site=self._spec.site,
            entity=self._spec.junction,
            kind=("signal", "state", "observed"),
            subject=f"{self._spec.junction}/{change.signal}",
            at_ns=change.time_ns,
            key=f"{change.signal}/{change.state}",
            data=data,
        )

    def _late(self, side: str, at_ns: int, what: str) -> CloudEvent:
        detail = f"{what} at or before what the junction has judged already"
        return dead_letter_event(self._spec.site, DeadLetter("streams", "late", side, at_ns, what, detail))

    def snapshot(self) -> dict[str, Any]:
        """Everything that is not yet out."""
        return {
            "version": _VERSION,
            "junction": self._spec.junction,
            "merge": self._merge.snapshot(),
            "engine": self._engine.snapshot(),
            "shown": dict(self._shown),
            "fallen": list(self._fallen),
            "newest": self._newest_ns,
            "finished": self._finished,
            "witness": dict(self._witness),
            "lamps": dict(self._lamps),
            "sight": self._sight.snapshot(),
            "desk": None if self._desk is None else self._desk.snapshot(),
            "facts": None if self._facts is None else self._facts.snapshot(),
        }
