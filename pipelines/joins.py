"""The joins of a city as one step: junctions, stations, reports, conditions and approvals meet in event time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import bytewax.operators as op
from bytewax.operators import KeyedStream

from pipelines.beside import dead_letter_event
from pipelines.step import Step
from smartstream.model.event import CloudEvent
from smartstream.model.facts import Facts, SideKind
from smartstream.model.items import Approvals, Conditions, DeadLetter, Item, Mark, Readings, Reports
from smartstream.model.state import check_version
from smartstream.model.time import MIN_NS
from smartstream.streams.joins.feeds import CityFeeds
from smartstream.streams.joins.join import Join, Told
from smartstream.streams.joins.warning import Warnings

CITY: Final = "/city"
"""Key of everything that meets here; no junction can have this name."""
APPROVALS: Final = "/approvals"
"""Key of the items of approval feeds."""
_VERSION: Final = 5
_Meets = Facts | Readings | Reports | Conditions | Approvals | Mark


@dataclass(frozen=True)
class CitySpec:
    """What the step of the joins needs to know.

    Attributes:
        site: Site id.
        timezone: Of the times that people read.
        sides: Kind of every side that joins may hear, by its name.
        lateness_ns: Allowed lateness of each feed of readings and reports.
        joins: Makes the armed joins.
        warnings: Makes the gate of public warnings.
        approvals: Approval feeds.
        not_armed: Joins that are not armed, by kind, and why.
        watched: Some join wants to know what cameras see.
    """

    site: str
    timezone: ZoneInfo
    sides: Mapping[str, SideKind]
    lateness_ns: Mapping[str, int]
    joins: tuple[Callable[[], Join], ...]
    warnings: Callable[[], Warnings]
    approvals: tuple[str, ...] = ()
    not_armed: Mapping[str, str] = field(default_factory=dict)
    watched: bool = True


def incident_events(items: KeyedStream[Item], told: KeyedStream[Any], spec: CitySpec) -> KeyedStream[CloudEvent]:
    """Events of every join of the site."""
    feeds = op.filter_map("city_feeds", items, lambda keyed: (CITY, keyed[1]) if _meets(keyed[1], spec) else None)
    facts = op.filter_map("city_facts", told, lambda keyed: (CITY, keyed[1]) if isinstance(keyed[1], Facts) else None)
    met: KeyedStream[_Meets] = op.merge("city_met", feeds, facts)
    return op.stateful_batch("city", met, lambda resume: CityStep(spec, resume))


def _meets(item: Item, spec: CitySpec) -> bool:
    if isinstance(item, Readings | Reports | Conditions | Approvals):
        return item.side in spec.sides or item.side in spec.approvals
    return isinstance(item, Mark) and (item.side in spec.lateness_ns or item.side in spec.approvals)


class CityStep(Step[_Meets, CloudEvent]):
    """The thin adapter between Bytewax and ``City``.

    Args:
        spec: The joins of the site.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, spec: CitySpec, resume: dict[str, Any] | None = None) -> None:
        self._city = City(spec)
        if resume is not None:
            self._city.restore(resume)

    def take(self, values: list[_Meets]) -> list[CloudEvent]:
        """Hand the items on."""
        return [event for value in values for event in self._city.take(value)]

    def snapshot(self) -> dict[str, Any]:
        """State of every join."""
        return self._city.snapshot()


class City:
    """Every armed join, and the gate of warnings behind them."""

    def __init__(self, spec: CitySpec) -> None:
        self._spec = spec
        self._feeds = CityFeeds(spec.lateness_ns)
        self._joins = [make() for make in spec.joins]
        self._warnings = spec.warnings()
        self._approved_ns = dict.fromkeys(spec.approvals, MIN_NS)

    def take(self, item: _Meets) -> list[CloudEvent]:
        """An item of any side; what can be told now."""
        out: list[CloudEvent] = []
        facts, late = self._feeds.facts(item)
        out += [dead_letter_event(self._spec.site, letter) for letter in late]
        if facts is not None and facts.side in self._approved_ns:
            for fact in facts.facts:
                self._warnings.approval(fact)
            self._approved_ns[facts.side] = max(self._approved_ns[facts.side], facts.watermark_ns)
        elif facts is not None:
            for join in self._joins:
                self._tell(join.take(facts), out)
        if self._approved_ns or self._joins:
            reached = [join.settled_ns for join in self._joins] + list(self._approved_ns.values())
            self._tell(self._warnings.advance(min(reached)), out)
        return out

    def _tell(self, told: list[Told], out: list[CloudEvent]) -> None:
        for one in told:
            if isinstance(one, DeadLetter):
                out.append(dead_letter_event(self._spec.site, one))
                continue
            out.append(one)
            if one.type.startswith("vn.ioc.incident."):
                out += self._warnings.incident(one)

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {
            "version": _VERSION,
            "feeds": self._feeds.snapshot(),
            "joins": {join.name: join.snapshot() for join in self._joins},
            "warnings": self._warnings.snapshot(),
            "approved_ns": dict(self._approved_ns),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        check_version("joins", state["version"], _VERSION)
        self._feeds.restore(state["feeds"])
        for join in self._joins:
            join.restore(state["joins"][join.name])
        self._warnings.restore(state["warnings"])
        self._approved_ns.update(state["approved_ns"])
