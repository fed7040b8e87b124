"""The stage of a case: draws a small scene for it and asks the world model what it has come to.

A case is an offence, a near miss, or an offence that a condition lifts (an officer, an ambulance, a permit). What
it means to be is only a wish: the world model judges the paths, and a drawing that it does not see so, or that lies
too near a limit to tell, is drawn again. No rule engine has a say in that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Literal

from smartstream.model.classes import SignalState
from smartstream.simulate.camera import Camera
from smartstream.simulate.drive import Move, drive
from smartstream.simulate.finding import Crossing, Finding
from smartstream.simulate.judge import judge
from smartstream.simulate.layout import Point
from smartstream.simulate.phases import SignalPlan
from smartstream.simulate.sight import Sighting, see
from smartstream.simulate.traffic import STEP_S, Mover

Expects = Literal["offence", "near_miss", "lifted"]

LIFTS: Final = {
    "officer_control": frozenset(
        {
            "red_light", "yellow_light", "stop_line", "wrong_way", "wrong_lane", "lane_arrow", "solid_line",
            "illegal_turn", "u_turn", "illegal_stop", "box_blocking", "banned_class",
        }
    ),
    "temporary_sign": frozenset(
        {
            "wrong_way", "wrong_lane", "lane_arrow", "solid_line", "illegal_turn", "u_turn", "illegal_stop",
            "banned_class",
        }
    ),
    "permit": frozenset({"banned_class", "wrong_lane", "illegal_stop"}),
    "incident": frozenset(
        {
            "stop_line", "wrong_way", "wrong_lane", "lane_arrow", "solid_line", "illegal_turn", "u_turn",
            "illegal_stop", "box_blocking", "banned_class", "sidewalk",
        }
    ),
    "flood": frozenset(
        {"stop_line", "box_blocking", "wrong_lane", "solid_line", "lane_arrow", "illegal_stop", "sidewalk"}
    ),
}  # fmt: skip
"""What a condition lifts (Luật 36/2024/QH15 Điều 11.2, 11.12, 18.7); an emergency lifts everything (Điều 27)."""
_DRAWINGS: Final = 40
_APART_S: Final = 3.0
"""Between two cases: longer than the tolerance within which a verdict belongs to its truth."""
_CONDITION_MARGIN_S: Final = 2.0


@dataclass(frozen=True)
class Case:
    """How to play one kind of act.

    Attributes:
        kind: Rule kind it is about.
        name: What happens, in a few words.
        expects: What it means to be.
        play: Puts the road users on the stage.
    """

    kind: str
    name: str
    expects: Expects
    play: Callable[[Stage], None]


@dataclass(frozen=True)
class Condition:
    """A line of the condition feed; clip time."""

    name: str
    begin_s: float
    end_s: float
    lane: str | None = None

    def lifts(self, finding: Finding) -> bool:
        """Whether the finding is no offence while it holds."""
        end = finding.t_s if finding.t_end_s is None else finding.t_end_s
        meant = self.name == "emergency_vehicle" or finding.kind in LIFTS[self.name]
        return meant and self.lane in (None, finding.lane) and finding.t_s < self.end_s and self.begin_s <= end


@dataclass
class Stage:
    """What a case may touch.

    Attributes:
        rng: Its dice.
        plan: The signals.
        free_s: From when on the road is empty.
        label: Of its road users' names.
        lead_s: So much later it begins, so that those who come from afar are not on the road too early.
    """

    rng: random.Random
    plan: SignalPlan
    free_s: float
    label: str
    lead_s: float = 0.0
    movers: list[Mover] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)

    @property
    def soon_s(self) -> float:
        """When it begins."""
        return self.free_s + self.lead_s

    def onset(self, group: str, state: SignalState, *, after_s: float | None = None) -> float:
        """The next time a group turns to a state, ``after_s`` or as soon as everybody can have come."""
        begin = self.soon_s if after_s is None else after_s
        times = self.plan.changes(group, begin, begin + 2 * self.plan.cycle_s)
        return next(t for t, shown in times[1:] if shown == state)

    def lasts(self, group: str, state: SignalState) -> float:
        """Seconds a state of the group lasts."""
        return next(end - t for (t, shown), (end, _) in self._pairs(group) if shown == state)

    def _pairs(self, group: str) -> list[tuple[tuple[float, SignalState], tuple[float, SignalState]]]:
        changes = self.plan.changes(group, self.free_s, self.free_s + 3 * self.plan.cycle_s)[1:]
        return list(pairwise(changes))

    def drive(
        self, kind: str, path: Sequence[Point], moves: Sequence[Move], *, at: tuple[float, float], **more: float
    ) -> Mover:
        """Put a road user on a path: ``at`` so many metres of it at so many seconds."""
        mover = drive(f"{kind}_{self.label}.{len(self.movers)}", kind, path, moves, at=at, **more)
        self.movers.append(mover)
        return mover

    def condition(self, name: str, *, lane: str | None = None) -> None:
        """A condition that holds while everybody of the case is on the road."""
        begin, end = self.span()
        self.conditions.append(
            Condition(name, round(begin - _CONDITION_MARGIN_S, 1), round(end + _CONDITION_MARGIN_S, 1), lane)
        )

    def span(self) -> tuple[float, float]:
        """From when until when somebody is on the road."""
        first = min(m.first for m in self.movers)
        return first * STEP_S, max(m.first + len(m.speed_mps) for m in self.movers) * STEP_S


@dataclass(frozen=True)
class Played:
    """A case as it was played, and what the world model says of it."""

    case: Case
    sightings: list[Sighting]
    conditions: list[Condition]
    findings: list[Finding]
    lifted: list[Finding]
    crossings: list[Crossing]
    begin_s: float
    end_s: float

    def as_json(self, t0: float) -> dict[str, Any]:
        """The entry of ``truth.json``."""
        return {
            "kind": self.case.kind,
            "case": self.case.name,
            "expects": self.case.expects,
            "from": round(t0 + self.begin_s, 3),
            "until": round(t0 + self.end_s, 3),
        }


def play(cases: Sequence[Case], camera: Camera, plan: SignalPlan, seed: int) -> tuple[list[Played], list[Case]]:
    """Cases one after the other, each on an empty road, and those that this camera cannot show clearly."""
    played: list[Played] = []
    unseen: list[Case] = []
    free_s = 0.0
    for number, case in enumerate(cases):
        drawing = _draw(case, camera, plan, free_s, seed, number)
        if drawing is None:
            unseen.append(case)
        else:
            played.append(drawing)
            free_s = drawing.end_s + _APART_S
    return played, unseen


def _draw(case: Case, camera: Camera, plan: SignalPlan, free_s: float, seed: int, number: int) -> Played | None:
    for attempt in range(_DRAWINGS):
        stage = _set(case, plan, free_s, f"{seed} {number} {case.kind} {case.name} {attempt}", number)
        sightings = see(camera, stage.movers)
        findings, crossings = judge(sightings, plan)
        lifted = [f for f in findings if any(c.lifts(f) for c in stage.conditions)]
        clear = [f for f in lifted if f.why is None]
        standing = [f for f in findings if f not in clear]
        told = {f.why for f in (clear if case.expects == "lifted" else standing) if f.kind == case.kind}
        if told != (set() if case.expects == "near_miss" else {None}):
            continue
        return Played(case, sightings, stage.conditions, standing, clear, crossings, *stage.span())
    return None


def _set(case: Case, plan: SignalPlan, free_s: float, dice: str, number: int) -> Stage:
    """The case as early as it can be: nobody is on the road before it is free."""
    lead_s = 0.0
    while True:
        stage = Stage(random.Random(f"case {dice}"), plan, free_s, f"{case.kind}{number}", lead_s)
        case.play(stage)
        early_s = free_s - stage.span()[0]
        if early_s <= 0:
            return stage
        lead_s += early_s
