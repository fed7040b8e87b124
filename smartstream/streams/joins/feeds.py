"""Lines of feeds as facts for the joins: readings that are believed, reports by category, conditions, approvals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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
from smartstream.model.report_text import fold
from smartstream.model.time import MAX_NS, MIN_NS
from smartstream.streams.report_categories import categorise

_BURNING: Final = ("đốt", "dot rac", "dot rom", "khói", "burning")


class CityFeeds:
    """Turns items of feeds into facts, each side with its watermark: its clock less its allowed lateness.

    What comes behind that is a dead letter ``late_for_joins``: the station's index or the desk may still use it.

    Args:
        lateness_ns: By feed of readings or reports.
    """

    def __init__(self, lateness_ns: Mapping[str, int]) -> None:
        self._lateness = dict(lateness_ns)
        self._passed: dict[str, int] = {}
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
                found = [(r.clock_ns, fact) for r in readings if (fact := self._reading(r)) is not None]
                return self._on_time(side, found, clock_ns, ended=ended)
            case Reports(side, reports, clock_ns, ended):
                found = [(report.clock_ns, self._report(report)) for report in reports]
                return self._on_time(side, found, clock_ns, ended=ended)

    def _on_time(
        self, side: str, found: list[tuple[int, Fact]], clock_ns: int, *, ended: bool
    ) -> tuple[Facts, list[DeadLetter]]:
        """What is late follows from the clock at which each line arrived, not from how lines were bundled."""
        allowed = self._lateness[side]
        late = [
            DeadLetter(
                "streams", "late_for_joins", side, f.time_ns, f.entity, f"{f.kind} {f.what}: passed by the joins"
            )
            for arrived_ns, f in found
            if f.time_ns < arrived_ns - allowed
        ]
        kept = tuple(sorted((f for arrived_ns, f in found if f.time_ns >= arrived_ns - allowed), key=_order))
        reached = MAX_NS if ended else clock_ns - allowed - 1
        self._passed[side] = max(self._passed.get(side, MIN_NS), reached)
        return Facts(side, kept, self._passed[side]), late

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
        more = {"status": report.status, "burning": any(word in said or word in text for word in _BURNING)}
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
        return {"passed": dict(self._passed), "place": dict(self._place)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._passed, self._place = dict(state["passed"]), dict(state["place"])


def _order(fact: Fact) -> tuple[int, str, str, float]:
    return fact.time_ns, fact.entity, fact.what, fact.value
