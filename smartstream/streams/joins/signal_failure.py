"""J-04 signal failure: the junction no longer believes its lights, and citizens say what they see of them."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import near

_BEFORE_NS: Final = 1800 * NS
_REPORT_M: Final = 150.0
_AGAIN_NS: Final = 180 * NS  # believed and again not within this time: it is the same failure


class SignalFailure(Join):
    """Opens when the rule engine finds a signal fault at a junction; ends when its last group is believed again.

    A feed that is late or loses lines is right for a cycle or two now and then: faults that follow each other within
    three minutes are one failure, and its end is told when they have passed.

    The engine stops its light rules and takes back what rested on the fault; the watches of the cameras go by no light
    meanwhile, so that no join reasons from one that is not so.
    """

    name, kind, title = "J-04", "signal_failure", "đèn tín hiệu hỏng"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"verdict"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"verdict", "report"})
    state = ("_faulty", "_believed", "_voices", "_until")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._faulty: dict[str, set[str]] = {}  # prompt lane: groups by junction
        self._believed: dict[str, int] = {}  # prompt lane: junction: since when all of its groups are again
        self._voices: list[tuple[int, str, Any]] = []
        self._until: dict[str, int] = {}  # by junction the end of its last failure: who spoke before meant that one

    def detect(self, fact: Fact) -> None:
        """A group that is not believed, or is again."""
        if fact.kind != "fault":
            return
        groups = self._faulty.setdefault(fact.entity, set())
        if fact.what == "closed":
            groups.discard(fact.more["group"])
            if not groups:
                self._believed[fact.entity] = fact.time_ns
        elif fact.what == "opened":
            believed_ns = self._believed.get(fact.entity)
            if not groups and (believed_ns is None or fact.time_ns - believed_ns > _AGAIN_NS):
                by = Contributor("verdict", fact.entity, "signal_fault", fact.time_ns, 0.9)
                more = {
                    "groups": [fact.more["group"]],
                    "faults": fact.more["faults"],
                    "since_ns": fact.more["since_ns"],
                }
                self.open(fact, fact.entity, by, **more, detail="luật đèn tạm ngừng")
            groups.add(fact.more["group"])

    def begin(self, incident: Incident) -> None:
        """What was said shortly before."""
        incident.more["open"] = list(incident.more["groups"])
        since_ns = max(incident.since_ns - _BEFORE_NS, self._until.get(incident.key, 0))
        for at_ns, report, place in self._voices:
            if at_ns >= since_ns and near(place, incident.position, _REPORT_M):
                self.support(incident, Contributor("report", report, "traffic_light", at_ns, 0.5))

    def settle(self, fact: Fact) -> None:
        """Further groups, reports, and its end."""
        if fact.kind == "report" and fact.what == "traffic_light" and fact.more.get("status") == "open":
            self._voices = [v for v in self._voices if v[0] >= fact.time_ns - _BEFORE_NS and v[1] != fact.entity]
            self._voices.append((fact.time_ns, fact.entity, fact.position))
            by = Contributor("report", fact.entity, "traffic_light", fact.time_ns, 0.5)
            for incident in list(self.incidents.values()):
                said = fact.entity in {c.source for c in incident.contributors}
                if not said and near(fact.position, incident.position, _REPORT_M):
                    self.support(incident, by)
        elif fact.kind == "fault":
            for told in [i for i in self.incidents.values() if i.key == fact.entity and fact.time_ns >= i.since_ns]:
                self._follow(told, fact)

    def _follow(self, incident: Incident, fact: Fact) -> None:
        group, still = fact.more["group"], set(incident.more["open"])
        if fact.what == "closed":
            still.discard(group)
        else:
            still.add(group)
            self.timers.cancel(incident.id)
            incident.more["groups"] = sorted({*incident.more["groups"], group})
            incident.more["faults"] = sorted({*incident.more["faults"], *fact.more["faults"]})
        incident.more["open"] = sorted(still)
        if not still:
            incident.last_ns = fact.time_ns
            self.timers.set(incident.id, fact.time_ns + _AGAIN_NS)

    def timer(self, name: str, at_ns: int) -> None:
        """Believed for long enough."""
        if (incident := self.incidents.get(name)) is not None:
            del incident.more["open"]
            self._until[incident.key] = incident.last_ns
            self.end(incident, at_ns)
