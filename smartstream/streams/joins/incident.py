"""Incidents: what a join has found, who contributed, and how it is told."""

from __future__ import annotations

import math
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.facts import Fact
from smartstream.model.time import rfc3339
from smartstream.streams.joins.place import Place

Verb = Literal["opened", "updated", "retracted", "closed"]
_NAMED: Final = 20  # contributors that an event lists; all are counted


class Contributor(msgspec.Struct, frozen=True):
    """A fact that speaks for an incident.

    Attributes:
        side: Kind of side: independent witnesses are of different kinds.
        source: Who says so.
        what: What was seen.
        at_ns: When.
        weight: How likely the incident is given this alone, 0-1.
        value: The number behind it, if any.
    """

    side: str
    source: str
    what: str
    at_ns: int
    weight: float
    value: float | None = None


class Incident(msgspec.Struct):
    """One incident from its opening to its end.

    Attributes:
        id: Of the join, its key and its first instant: the same in every run.
        key: What it is about: a station, a junction, a report.
        since_ns: When it began.
        last_ns: Newest instant that speaks for it.
        revision: Of what was told last.
        told: Contributors when it was told last.
        more: Further fields of its events.
    """

    id: str
    key: str
    since_ns: int
    last_ns: int
    junction: str | None = None
    position: Place | None = None
    contributors: list[Contributor] = []
    revision: int = 0
    told: int = 0
    more: dict[str, Any] = {}

    @property
    def score(self) -> float:
        """Noisy-or over the kinds of sides: witnesses of one kind are not independent, the best of them counts."""
        best: dict[str, float] = {}
        for one in self.contributors:
            best[one.side] = max(best.get(one.side, 0.0), one.weight)
        return round(1 - math.prod(1 - weight for weight in best.values()), 3)

    @property
    def sides(self) -> set[str]:
        """Kinds of sides that speak for it."""
        return {one.side for one in self.contributors}


def new_incident(join: str, fact: Fact, key: str, **more: Any) -> Incident:
    """An incident that begins with a fact."""
    name = blake2b(f"{join}|{key}|{fact.time_ns}".encode(), digest_size=8).hexdigest()
    return Incident(
        name, key, fact.time_ns, fact.time_ns, fact.junction, fact.position, contributors=[], more=dict(more)
    )


class IncidentWriter:
    """Writes the events of one join.

    Args:
        site: Site id.
        join: Such as ``J-02``.
        kind: Of its events.
        title: What people call it, in Vietnamese.
        timezone: Of the times that people read.
    """

    def __init__(self, site: str, join: str, kind: str, title: str, timezone: ZoneInfo) -> None:
        self._site, self._join, self._kind, self._title, self._timezone = site, join, kind, title, timezone

    def event(self, verb: Verb, incident: Incident, at_ns: int, coverage: dict[str, Any]) -> CloudEvent:
        """An event of an incident at its present revision."""
        data: dict[str, Any] = {
            "incident": incident.id,
            "join": self._join,
            "revision": incident.revision,
            "key": incident.key,
            "since": rfc3339(incident.since_ns),
            "junction": incident.junction,
            "position": _position(incident.position),
            "score": incident.score,
            "kinds": sorted(incident.sides),
            "contributors": [_told(one) for one in incident.contributors[-_NAMED:]],
            "contributors_total": len(incident.contributors),
            "coverage": coverage,
            **deepcopy(incident.more),  # the incident goes on changing, the event must not
        }
        if verb in ("closed", "retracted"):
            data["until"] = rfc3339(incident.last_ns)
        if verb == "retracted":
            data["retracts"] = self._make("opened", incident, incident.since_ns, 0, {}).id
        data["text"] = self._text(verb, incident)
        # An opening is told under the instant the incident began: a retraction must be able to name it.
        when = incident.since_ns if verb == "opened" else at_ns
        return self._make(verb, incident, when, incident.revision if verb != "opened" else 0, data)

    def _make(self, verb: Verb, incident: Incident, at_ns: int, revision: int, data: dict[str, Any]) -> CloudEvent:
        return make_event(
            site=self._site,
            entity=f"join/{self._join}",
            kind=("incident", self._kind, verb),
            subject=f"{incident.key}/{incident.id}",
            at_ns=at_ns,
            key=incident.id,
            revision=revision,
            data=data,
        )

    def _text(self, verb: Verb, incident: Incident) -> str:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=incident.since_ns // 1_000)
        since = at.astimezone(self._timezone).strftime("%H:%M:%S ngày %d/%m/%Y")
        what = {"opened": "Phát hiện", "updated": "Cập nhật", "retracted": "Rút lại", "closed": "Kết thúc"}[verb]
        detail = incident.more.get("detail", "")
        where = incident.junction or incident.key
        return f"{what}: {self._title} tại {where}, từ {since}{f'; {detail}' if detail else ''}."


def _told(one: Contributor) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": one.side,
        "source": one.source,
        "what": one.what,
        "at": rfc3339(one.at_ns),
        "weight": one.weight,
    }
    return told if one.value is None else {**told, "value": round(one.value, 3)}


def _position(place: Place | None) -> dict[str, float] | None:
    return None if place is None else {"lat": place[0], "lon": place[1]}
