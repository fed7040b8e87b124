"""What the rule engine answers, as typed values."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Verdict = Literal["suspected", "undecided", "suppressed", "estimated", "retracted"]


class SignalFact(msgspec.Struct, frozen=True, kw_only=True):
    """The light that ruled an act.

    Attributes:
        since_s: Seconds the state had lasted at the act; ``None`` when it was never reported.
    """

    group: str
    state: str
    since_s: float | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What decided: measured facts, earliest and latest instants, and the thresholds they were held against."""

    facts: dict[str, float]
    intervals_ns: dict[str, tuple[int, int]]
    thresholds: dict[str, float]


class Crossing(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="crossing"):
    """A vehicle crossed a line.

    Attributes:
        time_ns: Straight-line estimate of the instant.
        interval_ns: Last frame before the line and first frame past it.
        direction: With the lawful direction of the lane, else from the left to the right of the line's points.
        unseen: Concluded from where the vehicle appeared past a stop line; counts, and is held against nobody.
    """

    time_ns: int
    interval_ns: tuple[int, int]
    camera: str
    run: int
    track: int
    class_: str = msgspec.field(name="class")
    lane: str | None
    line: str
    direction: Literal["forward", "backward"]
    unseen: bool


class Violation(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="violation"):
    """A verdict about an act. Only a person concludes that a violation took place.

    Attributes:
        verdict: ``estimated`` is a speed from pictures, against nobody; ``retracted`` takes a suspicion back.
        reasons: Why it is not suspected, or no longer.
        time_ns: When the act began.
        until_ns: When a lasting act ended.
        track: ``None`` when a meter's reading fits no track.
        dilemma: On amber: stopping in time would have taken hard braking.
    """

    kind: str
    verdict: Verdict
    reasons: tuple[str, ...]
    time_ns: int
    until_ns: int | None
    camera: str
    run: int
    track: int | None
    class_: str = msgspec.field(name="class")
    lane: str | None
    line: str | None
    zone: str | None
    signal: SignalFact | None
    dilemma: bool
    explanation: Explanation

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last instant of the act or of its proof."""
        proof = list(self.explanation.intervals_ns.values())
        first = min([self.time_ns, *(i[0] for i in proof)])
        return first, max([self.time_ns if self.until_ns is None else self.until_ns, *(i[1] for i in proof)])


class Flow(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="flow"):
    """A minute of a lane.

    Attributes:
        time_ns: Start of the minute.
        counts: Vehicles that crossed the lane's line the lawful way, by class.
        mean_speed_mps: Along the lane, over way and time (Edie 1963); ``None`` without calibration or vehicles.
        occupancy: Share of the lane's length taken up by vehicles, 0-1; ``None`` without calibration.
        queue: Most vehicles standing at once.
        observed_s: Seconds of the minute that the camera saw.
    """

    time_ns: int
    camera: str
    lane: str
    counts: dict[str, int]
    mean_speed_mps: float | None
    occupancy: float | None
    queue: int
    observed_s: float


class SignalFault(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="fault"):
    """News about a signal group that cannot be believed.

    Attributes:
        time_ns: When it was decided.
        since_ns: From when its states are not believed: the last transition that agrees with its plan.
        faults: Every kind found so far: ``stuck``, ``dark``, ``missing``, ``conflict``, ``cycle_outlier``, ``platoon``,
            ``disagreement``.
        state: What the group says it shows.
        witness: What the lamps say beside the controller, or the other way round; ``None`` where nobody does.
        lasted_s: How long it has said so.
        longest_s: The longest it usually does; ``None`` when that is not known.
    """

    verb: Literal["opened", "updated", "closed"]
    time_ns: int
    since_ns: int
    group: str
    faults: tuple[str, ...]
    state: str
    witness: str | None
    lasted_s: float
    longest_s: float | None


Outcome = Crossing | Flow | Violation | SignalFault
decode_outcomes: Final = msgspec.json.Decoder(list[Outcome]).decode
"""Typed outcomes from the JSON of ``JunctionEngine.advance`` and ``finish``."""
