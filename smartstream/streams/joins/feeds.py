"""Lines of feeds as facts for the joins: readings that are believed, reports by category, conditions, approvals."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from smartstream.model.facts import Fact, Facts
from smartstream.model.items import (
    Approvals,
    Condition,
    Conditions,
    DeadLetter,
    Mark,
    Reading,
    Readings,
    Report,
    Reports,
)
from smartstream.model.quantities import MEASURING, MICRO, QUANTITIES, factor, to_micro
from smartstream.model.report_text import fold, voice_of
from smartstream.model.time import MAX_NS, MIN_NS
from smartstream.streams.report_categories import categorise

_BURNING: Final = ("đốt", "dot rac", "dot rom", "khói", "burning")
L = TypeVar("L", Reading, Report)


class _Heard:
    """What each sensor has said of instants that a line may still repeat."""

    def __init__(self, heard: list[tuple[int, str]] | None = None) -> None:
        self._heap = heard or []
        self._known = set(self._heap)

    def repeats(self, reading: Reading) -> bool:
        """Whether a line was sent before; a repetition is no second reading."""
        one = (reading.time_ns, reading.sensor)
        if one in self._known:
            return True
        self._known.add(one)
        heapq.heappush(self._heap, one)
        return False

    def forget(self, until_ns: int) -> None:
        """What comes of instants up to here is late."""
        while self._heap and self._heap[0][0] <= until_ns:
            self._known.discard(heapq.heappop(self._heap))

    def snapshot(self) -> list[tuple[int, str]]:
        """A copy."""
        return list(self._heap)


class CityFeeds:
    """Turns items of feeds into facts, each side with its watermark: its clock less its allowed lateness.

    What comes behind that is a dead letter ``late_for_joins``: the station's index or the desk may still use it.

    Args:
        lateness_ns: By feed of readings or reports.
    """

    def __init__(self, lateness_ns: Mapping[str, int]) -> None:
        self._lateness = dict(lateness_ns)
        self._passed: dict[str, int] = {}
        self._heard = {side: _Heard() for side in lateness_ns}
        self._place: dict[str, tuple[float, float] | None] = {}

    def facts(
        self, item: Facts | Readings | Reports | Conditions | Approvals | Mark
    ) -> tuple[Facts | None, list[DeadLetter]]:
        """The facts of an item, and what is too late to be one."""
        match item:
            case Facts():
                return item, []
            case Mark(side, watermark_ns, idle):
                self._passed[side] = max(self._passed.get(side, MIN_NS), watermark_ns)
                return Facts(side, (), self._passed[side], idle), []
            case Approvals(side, approvals, watermark_ns):
                told = [Fact(a.clock_ns, "approval", a.warning, a.decision, more={"by": a.by}) for a in approvals]
                return Facts(side, tuple(told), watermark_ns), []
            case Conditions(side, facts, watermark_ns):
                return self._conditions(side, [f for f in facts if isinstance(f, Condition)], watermark_ns), []
            case Readings(side, readings, clock_ns, ended):
                measured = [(r, fact) for r in readings if (fact := self._reading(r)) is not None]
                kept, late = self._on_time(side, measured)
                fresh = [fact for reading, fact in kept if not self._heard[side].repeats(reading)]
                return self._told(side, fresh, clock_ns, ended=ended), late
            case Reports(side, reports, clock_ns, ended):
                said, late = self._on_time(side, [(report, self._report(report)) for report in reports])
                return self._told(side, [fact for _, fact in said], clock_ns, ended=ended), late

    def _on_time(self, side: str, said: list[tuple[L, Fact]]) -> tuple[list[tuple[L, Fact]], list[DeadLetter]]:
        """What is late follows from the clock at which each line arrived, not from how lines were bundled."""
        allowed = self._lateness[side]
        kept: list[tuple[L, Fact]] = []
        late: list[DeadLetter] = []
        for line, fact in said:
            if fact.time_ns >= line.clock_ns - allowed:
                kept.append((line, fact))
            else:
                detail = f"{fact.entity}: {fact.kind} {fact.what} passed by the joins"
                late.append(DeadLetter("streams", "late_for_joins", side, fact.time_ns, f"line {line.line}", detail))
        return kept, late

    def _told(self, side: str, facts: list[Fact], clock_ns: int, *, ended: bool) -> Facts:
        reached = MAX_NS if ended else clock_ns - self._lateness[side] - 1
        self._passed[side] = max(self._passed.get(side, MIN_NS), reached)
        self._heard[side].forget(self._passed[side])
        return Facts(side, tuple(sorted(facts, key=_order)), self._passed[side])

    def _reading(self, reading: Reading) -> Fact | None:
        """What a station measured, in the kind's own unit; doubtful readings are no facts."""
        quantity, by = QUANTITIES.get(reading.kind), factor(reading.kind, reading.unit)
        if quantity is None or by is None or reading.status != MEASURING:
            return None
        value = to_micro(reading.value, by) / MICRO
        if not quantity.low <= value <= quantity.high:
            return None
        if reading.position is not None:
            self._place[reading.station] = reading.position
        place = self._place.get(reading.station)
        return Fact(reading.time_ns, "reading", reading.station, reading.kind, value, position=place)

    def _report(self, report: Report) -> Fact:
        """A line of a report; which one is its first the joins know, who see them in event-time order."""
        text, said = fold(report.description), report.description.lower()
        category = categorise(report.service_code, report.description).id
        burning = any(word in said or word in text for word in _BURNING)
        more = {"status": report.status, "burning": burning, "voice": voice_of(report.reporter, report.description)}
        return Fact(report.time_ns, "report", report.report, category, position=report.position, more=more)

    def _conditions(self, side: str, conditions: list[Condition], watermark_ns: int) -> Facts:
        """Each in its place of arrival, as at its junction."""
        junction = side.split("/")[1]
        facts = tuple(
            Fact(
                c.clock_ns,
                "condition",
                junction,
                c.condition,
                junction=junction,
                more={"origin": c.origin, "lane": c.lane, "camera": c.camera, "began_ns": c.time_ns},
            )
            for c in conditions
        )
        return Facts(side, facts, watermark_ns)

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        heard = {side: heard.snapshot() for side, heard in self._heard.items()}
        return {"passed": dict(self._passed), "place": dict(self._place), "heard": heard}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._passed, self._place = dict(state["passed"]), dict(state["place"])
        self._heard = {side: _Heard(heard) for side, heard in state["heard"].items()}


def _order(fact: Fact) -> tuple[int, str, str, float]:
    return fact.time_ns, fact.entity, fact.what, fact.value
