"""Outcomes of the rule engine as events."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from smartstream.config.site import Junction, Site
from smartstream.model.event import CloudEvent, make_event
from smartstream.model.time import rfc3339
from smartstream.rules.law import load_law
from smartstream.rules.outcome import Crossing, Flow, Outcome, SignalFault, Violation
from smartstream.rules.text_vi import fault_sentence, sentence


class EventWriter:
    """Writes the events of one junction.

    Args:
        site: The site.
        junction: The junction whose engine answers.
    """

    def __init__(self, site: Site, junction: Junction) -> None:
        self._site = site.site
        self._junction = junction
        self._law = load_law()
        self._zone = ZoneInfo(site.site.timezone)

    def event(self, outcome: Outcome) -> CloudEvent:
        """The event of an outcome; the same outcome always gives the same bytes."""
        match outcome:
            case Crossing():
                return self._crossing(outcome)
            case Flow():
                return self._flow(outcome)
            case SignalFault():
                return self._fault(outcome)
            case Violation():
                return self._violation(outcome)

    def _fault(self, fault: SignalFault) -> CloudEvent:
        data = {
            "junction": self._junction.id,
            "group": fault.group,
            "faults": list(fault.faults),
            "since": rfc3339(fault.since_ns),
            "state": fault.state,
            **({} if fault.witness is None else {"witness": fault.witness}),
            "explanation": {
                "facts": {"lasted_s": round(fault.lasted_s, 3), "longest_learnt_s": fault.longest_s},
            },
            "text": fault_sentence(fault, junction=self._junction.title, timezone=self._site.timezone),
        }
        return make_event(
            site=self._site.id,
            entity=self._junction.id,
            kind=("signal", "fault", fault.verb),
            subject=f"{self._junction.id}/{fault.group}",
            at_ns=fault.time_ns,
            key=f"{fault.group}|{','.join(fault.faults)}|{fault.since_ns}",
            data=data,
        )

    def _crossing(self, crossing: Crossing) -> CloudEvent:
        track = _track(crossing)
        data: dict[str, Any] = {
            "junction": self._junction.id,
            "camera": crossing.camera,
            "line": crossing.line,
            "lane": crossing.lane,
            "class": crossing.class_,
            "track": track,
            "direction": crossing.direction,
            "interval": [rfc3339(t) for t in crossing.interval_ns],
        }
        if crossing.unseen:
            data["unseen"] = True
        return make_event(
            site=self._site.id,
            entity=crossing.camera,
            kind=("traffic", "crossing", "observed"),
            subject=f"{self._junction.id}/{crossing.camera}/{crossing.line}",
            at_ns=crossing.time_ns,
            key=f"{track}|{crossing.line}",
            data=data,
        )

    def _flow(self, flow: Flow) -> CloudEvent:
        data = {
            "junction": self._junction.id,
            "camera": flow.camera,
            "lane": flow.lane,
            "period": "minute",
            "counts": flow.counts,
            "mean_speed_mps": flow.mean_speed_mps,
            "occupancy": flow.occupancy,
            "queue": flow.queue,
            "observed_s": flow.observed_s,
            "revision": 0,
        }
        return make_event(
            site=self._site.id,
            entity=flow.camera,
            kind=("traffic", "flow", "updated"),
            subject=f"{self._junction.id}/{flow.camera}/{flow.lane}",
            at_ns=flow.time_ns,
            key=flow.lane,
            data=data,
        )

    def _violation(self, found: Violation) -> CloudEvent:
        place = found.lane or found.line or found.zone or "_"
        return make_event(
            site=self._site.id,
            entity=found.camera,
            kind=("traffic", "speeding", "estimated")
            if found.verdict == "estimated"
            else ("violation", found.kind, found.verdict),
            subject=f"{self._junction.id}/{found.camera}/{place}",
            at_ns=found.time_ns,
            key=_key(found),
            data=self._data(found),
        )

    def _data(self, found: Violation) -> dict[str, Any]:
        facts = found.explanation.facts
        data: dict[str, Any] = {
            "kind": found.kind,
            "verdict": found.verdict,
            "revision": 0,
            "junction": self._junction.id,
            "camera": found.camera,
            "lane": found.lane,
            "line": found.line,
            "zone": found.zone,
            "class": found.class_,
            "track": _track(found),
        }
        if found.until_ns is not None:
            data["until"] = rfc3339(found.until_ns)
        if found.signal is not None:
            data["signal"] = msgspec.to_builtins(found.signal)
        if found.reasons:
            data["reasons"] = list(found.reasons)
        if found.dilemma:
            data["dilemma"] = True
        speed_kmh = facts.get("metered_kmh", facts.get("speed_kmh"))
        if speed_kmh is not None:
            data["speed_kmh"], data["limit_kmh"] = speed_kmh, facts["limit_kmh"]
            data["over_kmh"] = round(speed_kmh - facts["limit_kmh"], 4)
        if found.verdict == "retracted":
            suspected = msgspec.structs.replace(found, verdict="suspected", reasons=())
            data["retracts"], data["evidence_id"] = self._violation(suspected).id, self._evidence(found)
        elif found.verdict != "estimated":
            pack = self._law.judging(found.kind, at_ns=found.time_ns, until_ns=found.until_ns, zone=self._zone)
            clauses = pack and pack.candidates(found.kind, found.class_, over_kmh=data.get("over_kmh"))
            data["clauses"] = clauses or []
        if found.verdict == "suspected":
            data["evidence_id"] = self._evidence(found)
        data["explanation"] = {
            "facts": facts,
            "intervals": {k: [rfc3339(t) for t in v] for k, v in found.explanation.intervals_ns.items()},
            "thresholds": found.explanation.thresholds,
        }
        data["text"] = sentence(found, junction=self._junction.title, timezone=self._site.timezone)
        return data

    def _evidence(self, found: Violation) -> str:
        case = f"{self._site.id}|{found.kind}|{_key(found)}|{found.time_ns}"
        return blake2b(case.encode(), digest_size=16).hexdigest()


def _key(found: Violation) -> str:
    return f"{_track(found)}|{found.line or ''}|{found.zone or ''}"


def _track(outcome: Crossing | Violation) -> str | None:
    """``<camera>/<run>/<n>``; nobody's when a meter's reading fits no track."""
    return None if outcome.track is None else f"{outcome.camera}/{outcome.run}/{outcome.track}"
