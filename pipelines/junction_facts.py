"""What a junction tells the joins: its cameras' traffic, its signals, its crossings and suspicions."""

from __future__ import annotations

from typing import Any, Final

from pipelines.lifting import Lifting
from smartstream.model.event import CloudEvent
from smartstream.model.facts import Fact, Facts
from smartstream.model.items import Health, SignalChange, Tracks
from smartstream.model.time import MAX_NS, MIN_NS, NS
from smartstream.model.tracks import TrackBatch
from smartstream.rules.outcome import Crossing, Flow, Outcome, SignalFault
from smartstream.streams.joins.camera_watch import CameraGeometry, CameraWatch

LIFT_NS: Final = 120 * NS
"""How long a view that moved lifts the rules at a time."""
HOLD_NS: Final = 120 * NS
"""How long after an act its verdict may be out; later ones no join waits for."""


class JunctionFacts:
    """Follows a junction's released input, and tells each camera's facts with a watermark of its own.

    While the engine knows of a signal fault the watches go by no light: to them it is ``unknown``.

    Args:
        junction: Its id.
        position: Where it is, if known.
        cameras: What the watch needs of each camera.
        groups: Signal group by (camera, lane).
        guarded: A camera whose view moved lifts the rules that look through it.
    """

    def __init__(
        self,
        junction: str,
        position: tuple[float, float] | None,
        cameras: tuple[CameraGeometry, ...],
        groups: dict[tuple[str, str], str],
        *,
        guarded: bool,
    ) -> None:
        self._junction, self._position, self._groups, self._guarded = junction, position, groups, guarded
        self._shown: dict[str, str] = {}
        self._faulty: set[str] = set()
        self.lifting = Lifting(LIFT_NS)
        self._why: dict[tuple[str, str], set[str]] = {}  # camera, dark or moved: who says so
        self._watches = {camera.camera: CameraWatch(camera) for camera in cameras}
        self._waiting = dict.fromkeys(self._watches, 0)
        self._last = dict.fromkeys(self._watches, MIN_NS)
        self._until = dict.fromkeys(self._watches, MAX_NS)  # a camera that has come to its end sees no empty street
        self._told: dict[str, int] = {}
        self._facts: dict[str, list[Fact]] = {}
        self._verdicts_ns = MIN_NS

    def pushed(self, item: Tracks) -> None:
        """A camera's batch waits to be released."""
        if item.side in self._waiting:
            self._waiting[item.side] += 1

    def end(self, side: str, watermark_ns: int) -> None:
        """A side has come to its end: at ``watermark_ns``, and not a quarter minute of empty street after it."""
        if side in self._until:
            self._until[side] = min(self._until[side], watermark_ns)

    def tracks(self, item: Tracks) -> None:
        """A camera's batch was released."""
        if item.side not in self._watches:
            return
        self._waiting[item.side] -= 1
        self._last[item.side] = item.last_ns
        for fact in self._watches[item.side].take(TrackBatch.from_bytes(item.batch)):
            if fact.kind == "moved" and self._guarded:
                # From the last good look on (J-08).
                self.lifting.begin(item.side, "J-08", "geometry_invalid", fact.more["since_ns"])
            elif fact.kind == "settled":
                self.lifting.end(item.side, "J-08")
            self._tell_camera(fact, "traffic")

    def health(self, health: Health, at_ns: int) -> None:
        """What a camera's pictures say of it: who sees nothing is dark; a view that moved is known without traffic."""
        if health.side not in self._watches:
            return
        begins, ends = ("moved", "settled") if health.what == "moved" else ("dark", "back")
        more: dict[str, Any] = {"since_ns": health.at_ns}
        if health.shift is not None:
            more |= {"shift": list(health.shift), "fit": 1.0}
        kind, where = begins if health.verb == "opened" else ends, (self._junction, self._position)
        self._tell_camera(Fact(at_ns, kind, health.side, health.what, 0.0, *where, more), f"picture/{health.what}")

    def _tell_camera(self, fact: Fact, who: str) -> None:
        """A camera is dark, or has moved, from the first who says so to the last who does not any more."""
        state = {"back": "dark", "settled": "moved"}.get(fact.kind, fact.kind)
        if state in ("dark", "moved"):
            why = self._why.setdefault((fact.entity, state), set())
            known = bool(why)
            (why.add if fact.kind == state else why.discard)(who)
            if known == bool(why):
                return
        self._facts.setdefault(f"camera/{fact.entity}", []).append(fact)

    def signal(self, change: SignalChange) -> None:
        """A group shows something else."""
        self._shown[change.signal] = change.state
        if not self._faulty:
            self._light(change.time_ns, change.signal, change.state)
        more = {"group": change.signal}
        fact = Fact(change.time_ns, "signal", self._junction, change.state, junction=self._junction, more=more)
        self._facts.setdefault(f"signals/{self._junction}", []).append(fact)

    def _light(self, at_ns: int, group: str, state: str) -> None:
        for watch in self._watches.values():
            watch.signal(group, state, at_ns)

    def _fault(self, fault: SignalFault) -> None:
        """A fault of one group: the engine believes none of the junction's."""
        before = bool(self._faulty)
        if fault.verb == "closed":
            self._faulty.discard(fault.group)
        else:
            self._faulty.add(fault.group)
        if bool(self._faulty) != before:
            for group, state in sorted(self._shown.items()):
                self._light(fault.time_ns, group, "unknown" if self._faulty else state)
        if fault.time_ns > self._verdicts_ns:  # else nobody waited: no frame came for minutes
            more = {"group": fault.group, "faults": list(fault.faults), "since_ns": fault.since_ns}
            where = (self._junction, self._position)
            fact = Fact(fault.time_ns, "fault", self._junction, fault.verb, 0.0, *where, more)
            self._facts.setdefault(f"verdicts/{self._junction}", []).append(fact)

    def outcome(self, outcome: Outcome, event: CloudEvent) -> None:
        """A crossing or a verdict."""
        if isinstance(outcome, SignalFault):
            self._fault(outcome)
        if isinstance(outcome, SignalFault | Flow):
            return
        lane = outcome.lane
        more: dict[str, Any] = {
            "class": outcome.class_,
            "lane": lane,
            "track": None if outcome.track is None else f"{outcome.camera}/{outcome.run}/{outcome.track}",
        }
        if isinstance(outcome, Crossing):
            kind, what = "crossing", outcome.line
            more["direction"] = outcome.direction
        else:
            if outcome.time_ns <= self._verdicts_ns or outcome.verdict == "retracted":
                return  # a lasting act: nobody waited for it
            kind, what = "violation", outcome.kind
            group = self._groups.get((outcome.camera, lane or ""))
            more.update(id=event.id, verdict=outcome.verdict, group=group)
        fact = Fact(outcome.time_ns, kind, outcome.camera, what, junction=self._junction, more=more)
        self._facts.setdefault(f"verdicts/{self._junction}", []).append(fact)

    def drain(self, frontier_ns: int, *, ended: bool) -> list[Facts]:
        """What was told since the last call, with how far each side is; at least once a second of event time."""
        out = []
        for side in (
            *(f"camera/{c}" for c in self._watches),
            f"signals/{self._junction}",
            f"verdicts/{self._junction}",
        ):
            if ended:
                reached = MAX_NS
            elif side.startswith("camera/") and self._waiting[side[7:]]:
                reached = self._last[side[7:]]
            elif side.startswith("verdicts/"):
                reached = max(frontier_ns - HOLD_NS, MIN_NS)
                self._verdicts_ns = reached
            else:
                reached = frontier_ns
                if side.startswith("camera/"):
                    camera = side[7:]
                    reached = max(reached, self._last[camera])  # a batch may reach beyond the frontier
                    looked = self._watches[camera].advance(min(reached, self._until[camera]))
                    self._facts.setdefault(side, []).extend(looked)
            facts = self._facts.pop(side, [])
            before = self._told.get(side, MIN_NS)
            if facts or (reached > before and (ended or reached // NS > before // NS)):
                self._told[side] = max(reached, before)
                out.append(Facts(side, tuple(sorted(facts, key=lambda f: f.time_ns)), self._told[side]))
        return out

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {
            "watches": {name: watch.snapshot() for name, watch in self._watches.items()},
            "waiting": dict(self._waiting),
            "last": dict(self._last),
            "until": dict(self._until),
            "told": dict(self._told),
            "verdicts_ns": self._verdicts_ns,
            "shown": dict(self._shown),
            "faulty": set(self._faulty),
            "lifting": self.lifting.snapshot(),
            "why": {key: set(who) for key, who in self._why.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        for name, watch in state["watches"].items():
            self._watches[name].restore(watch)
        self._waiting, self._last = dict(state["waiting"]), dict(state["last"])
        self._until = dict(state["until"])
        self._told, self._verdicts_ns = dict(state["told"]), state["verdicts_ns"]
        self._shown, self._faulty = dict(state["shown"]), set(state["faulty"])
        self.lifting.restore(state["lifting"])
        self._why = {key: set(who) for key, who in state["why"].items()}
