"""J-01 crash suspicion: vehicles that stopped against each other, an impact noise, a report."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from smartstream.model.facts import Fact, SideKind, speaker
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import Place, near

_SOUND_BEFORE_NS, _SOUND_AFTER_NS = 20 * NS, 30 * NS  # of the stop; the loudest of half a minute is told at its end
_REPORT_BEFORE_NS, _REPORT_AFTER_NS = 120 * NS, 900 * NS
_KEPT_NS: Final = 900 * NS  # an impact is proved some minutes after the stop
_SESSION_NS: Final = 120 * NS
_BRIEF_S: Final = 20.0
_UNHEARD_S: Final = 180.0  # as long as anybody stands before he is in the way
_LONGEST_NS: Final = 2 * 3600 * NS
_CALLERS: Final = 2  # that make a crash of a pair that may as well stand in a jam
_LOUD_DBA: Final = 88.0
_REPORT_M: Final = 150.0
_SOUND_M: Final = 300.0


class Crash(Join):
    """A camera alone makes it ``possible``; a second, independent kind makes it ``suspected``.

    Impacts at a junction within two minutes are one crash, whichever cameras see them. Taken back when the vehicles
    drive off within 20 s and nobody else speaks of it; within three minutes, where a microphone near them listened and
    heard no impact. A pair that came to a stop slowly, as in a queue that starts, is
    none by itself: it takes a noise or two reports to make it one.
    """

    name, kind, title = "J-01", "crash", "nghi va chạm giao thông"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera", "sensor", "report"})
    state = ("_heard", "_told", "_pairs", "_listened")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._told: dict[str, tuple[int, int]] = {}  # prompt lane: newest impact by junction: began, told
        # Sounds and reports that an impact may still meet: when, what, where, who.
        self._heard: list[tuple[int, Contributor, Place | None, str]] = []
        self._listened: dict[str, tuple[Place | None, list[int]]] = {}  # by microphone: where, when it heard no impact
        self._pairs: dict[
            str, tuple[Fact, bool]
        ] = {}  # and whether they have gone: pairs that came to a stop slowly, and that nobody has spoken of yet

    def detect(self, fact: Fact) -> None:
        """An impact in the picture."""
        if fact.kind == "impact":
            began_ns, junction = fact.more["began_ns"], str(fact.junction)
            known = self._told.get(junction)
            self._told[junction] = (began_ns, fact.time_ns)
            if known is not None and min(abs(began_ns - known[0]), fact.time_ns - known[1]) <= _SESSION_NS:
                return
            by = Contributor("camera", fact.entity, "impact", fact.time_ns, 0.5)
            more = {"certainty": "possible", "impacts": [fact.more["impact"]], "lanes_blocked": fact.more["lanes"]}
            self.open(fact, junction, by, **more, began_ns=began_ns, detail="chỉ có camera")

    def begin(self, incident: Incident) -> None:
        """What was heard shortly before."""
        for at_ns, by, place, _ in self._heard:
            self._meet(incident, at_ns, by, place)
        self.timers.set(f"end/{incident.id}", incident.since_ns + _LONGEST_NS)

    def settle(self, fact: Fact) -> None:
        """Other witnesses, and vehicles that drive off."""
        if fact.kind == "impact":
            self._another(fact)
        elif fact.kind == "stuck_pair":
            self._pairs[fact.more["impact"]] = (fact, False)
            self.timers.set(f"pair/{fact.more['impact']}", fact.time_ns + _SESSION_NS)  # another camera may be surer
        elif fact.kind == "moved_off":
            self._moved_off(fact)
        elif fact.kind == "reading" and fact.what == "noise" and fact.value >= _LOUD_DBA:
            self._hear(fact, Contributor("sensor", fact.entity, "impact_noise", fact.time_ns, 0.5, fact.value))
        elif fact.kind == "reading" and fact.what == "noise":
            kept = [
                at_ns for at_ns in self._listened.get(fact.entity, (None, []))[1] if at_ns >= fact.time_ns - _KEPT_NS
            ]
            self._listened[fact.entity] = (fact.position, [*kept, fact.time_ns])
        elif fact.kind == "report" and fact.what == "accident" and fact.more.get("status") == "open":
            self._hear(fact, Contributor("report", fact.entity, "accident", fact.time_ns, 0.6))

    def _another(self, fact: Fact) -> None:
        """The same crash as another camera sees it, or who ran into it."""
        for incident in self.incidents.values():
            if incident.key == fact.junction and fact.more["impact"] not in incident.more["impacts"]:
                incident.more["impacts"].append(fact.more["impact"])
                self.support(incident, Contributor("camera", fact.entity, "impact", fact.time_ns, 0.5))
                return

    def _hear(self, fact: Fact, by: Contributor) -> None:
        oldest = fact.time_ns - _KEPT_NS
        self._heard = [h for h in self._heard if h[0] >= oldest and (h[1].side, h[1].source) != ("report", by.source)]
        who = speaker(fact)
        if by.side == "report" and any(h[3] == who and near(h[2], fact.position, _REPORT_M) for h in self._heard):
            return  # who says it again is no second witness
        self._heard.append((fact.time_ns, by, fact.position, who))
        for incident in list(self.incidents.values()):
            self._meet(incident, fact.time_ns, by, fact.position)
        for name, (pair, _) in list(self._pairs.items()):
            if fact.time_ns > pair.time_ns + _SESSION_NS:
                self._believe(name, fact.time_ns)

    def _believe(self, name: str, at_ns: int) -> None:
        """A slow pair becomes a crash when somebody else speaks of one there."""
        pair, gone = self._pairs[name]
        if any(i.key == pair.junction for i in self.incidents.values()):
            del self._pairs[name]  # it is known
            return
        began_ns = pair.more["began_ns"]
        witnesses = [
            by
            for heard_ns, by, place, _ in self._heard
            if _speaks(by, heard_ns, place, began_ns, pair.time_ns, pair.position)
        ]
        if any(by.side == "sensor" for by in witnesses) or len(witnesses) >= _CALLERS:
            del self._pairs[name]
            camera = Contributor("camera", pair.entity, "stuck_pair", pair.time_ns, 0.3)
            more = {
                "certainty": "suspected",
                "impacts": [name],
                "lanes_blocked": pair.more["lanes"],
                "began_ns": began_ns,
            }
            now = Fact(at_ns, pair.kind, pair.entity, junction=pair.junction, position=pair.position)
            incident = self.open_late(
                now, str(pair.junction), [camera, *witnesses], **more, detail="nhiều nguồn độc lập"
            )
            self.timers.set(f"end/{incident.id}", at_ns + (_REPORT_AFTER_NS if gone else _LONGEST_NS))
        elif at_ns > pair.time_ns + _REPORT_AFTER_NS:
            del self._pairs[name]

    def _meet(self, incident: Incident, at_ns: int, by: Contributor, place: Any) -> None:
        if by.side == "report" and by.source in {c.source for c in incident.contributors}:
            return
        if _speaks(by, at_ns, place, incident.more["began_ns"], incident.since_ns, incident.position):
            if by.side not in incident.sides:
                incident.more.update(certainty="suspected", detail="nhiều nguồn độc lập")
            self.support(incident, by)

    def _moved_off(self, fact: Fact) -> None:
        if (pair := self._pairs.pop(fact.more["impact"], None)) is not None and fact.more["stood_s"] >= _BRIEF_S:
            self._pairs[fact.more["impact"]] = (pair[0], True)
        incident = next((i for i in self.incidents.values() if fact.more["impact"] in i.more["impacts"]), None)
        if incident is None:
            return
        incident.more["impacts"].remove(fact.more["impact"])
        if incident.more["impacts"]:
            return  # others still stand
        incident.last_ns = max(incident.last_ns, fact.time_ns)
        brief = fact.more["stood_s"] < (_UNHEARD_S if self._nothing_heard(incident) else _BRIEF_S)
        incident.more["stood_s"] = fact.more["stood_s"]
        # Others may speak for a quarter of an hour: who stood briefly may have fled.
        self.timers.set(
            f"{'brief' if brief else 'end'}/{incident.id}", max(fact.time_ns, incident.since_ns + _REPORT_AFTER_NS)
        )
        if brief:
            self.timers.cancel(f"end/{incident.id}")

    def _nothing_heard(self, incident: Incident) -> bool:
        """Whether a microphone listened when they stopped; what it heard of an impact is another side's word."""
        begun_ns = incident.more["began_ns"]
        return any(
            near(place, incident.position, _SOUND_M) and any(0 <= at - begun_ns <= _SOUND_AFTER_NS for at in heard)
            for place, heard in self._listened.values()
        )

    def timer(self, name: str, at_ns: int) -> None:
        """Nobody can speak of it any more."""
        why, _, which = name.partition("/")
        if why == "pair":
            if which in self._pairs:
                self._believe(which, at_ns)
            return
        incident = self.incidents.get(which)
        if incident is None:
            return
        if why == "brief" and len(incident.sides) < 2:
            self.take_back(incident, at_ns)
        else:
            self.end(incident, at_ns)


def _speaks(
    by: Contributor, at_ns: int, place: Place | None, began_ns: int, until_ns: int, where: Place | None
) -> bool:
    """Whether a sound or a report fits vehicles that stopped at an instant and were told at another."""
    if by.side == "sensor":
        before, after, radius = _SOUND_BEFORE_NS, _SOUND_AFTER_NS, _SOUND_M
        until_ns = began_ns
    else:
        before, after, radius = _REPORT_BEFORE_NS, _REPORT_AFTER_NS, _REPORT_M
    return began_ns - before <= at_ns <= until_ns + after and near(place, where, radius)
