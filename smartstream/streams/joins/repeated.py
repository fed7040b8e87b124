"""J-27 one act, many verdicts: rules that exclude each other, and cameras that see the same, become one case."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join

_SAME_TRACK_NS: Final = 60 * NS
_OTHER_CAMERA_NS: Final = round(1.5 * NS)
EXCLUDES: Final[dict[str, frozenset[str]]] = {
    "red_light": frozenset({"yellow_light", "stop_line"}),
    "yellow_light": frozenset({"stop_line"}),
    "wrong_way": frozenset({"wrong_lane", "solid_line", "lane_arrow"}),
    "illegal_turn": frozenset({"lane_arrow"}),
    "u_turn": frozenset({"lane_arrow", "illegal_turn"}),
    "banned_class": frozenset({"wrong_lane"}),
}
"""The graver rule and the lighter ones that the same act breaks only by the way."""


class RepeatedVerdict(Join):
    """Opens a case when a second suspicion belongs to one that stands: the case keeps one primary verdict.

    The same track within 60 s under rules that exclude each other; or another camera of the junction with the same
    rule, class and lane (or signal) within 1.5 s, each verdict in one case at most.
    """

    name, kind, title = "J-27", "repeated_verdict", "một hành vi, nhiều nghi vấn"
    prompt: ClassVar[frozenset[SideKind]] = frozenset()
    needs: ClassVar[frozenset[SideKind]] = frozenset({"verdict"})
    state = ("_recent", "_cases")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._recent: list[Fact] = []
        self._cases: dict[str, str] = {}  # verdict: case

    def settle(self, fact: Fact) -> None:
        """A suspicion beside those of the last minute."""
        if fact.kind != "violation" or fact.more["verdict"] != "suspected":
            return
        self._recent = [f for f in self._recent if f.time_ns >= fact.time_ns - _SAME_TRACK_NS]
        fits = [f for f in self._recent if self._same(f, fact)]
        self._recent.append(fact)
        if not fits:
            return
        other = max(fits, key=lambda f: (f.more["track"] == fact.more["track"], f.time_ns, f.more["id"]))
        case = self.incidents.get(self._cases.get(other.more["id"], ""))
        by = Contributor("verdict", fact.more["id"], fact.what, fact.time_ns, 0.9)
        if case is None:
            was = Contributor("verdict", other.more["id"], other.what, other.time_ns, 0.9)
            primary, rest = (fact, other) if other.what in EXCLUDES.get(fact.what, ()) else (other, fact)
            more = {"primary": primary.more["id"], "primary_kind": primary.what, "duplicates": [rest.more["id"]]}
            case = self.open_late(fact, f"{fact.junction}/{other.more['track']}", [was, by], **more)
            self._cases[other.more["id"]] = case.id
        else:
            if case.more["primary_kind"] in EXCLUDES.get(fact.what, ()):
                case.more["duplicates"].append(case.more["primary"])
                case.more.update(primary=fact.more["id"], primary_kind=fact.what)
            else:
                case.more["duplicates"].append(fact.more["id"])
            self.support(case, by)
        self._cases[fact.more["id"]] = case.id
        self.timers.set(case.id, fact.time_ns + _SAME_TRACK_NS)

    def _same(self, a: Fact, b: Fact) -> bool:
        if a.junction != b.junction or a.more["class"] != b.more["class"]:
            return False
        if a.more["track"] == b.more["track"]:
            return a.what == b.what or b.what in EXCLUDES.get(a.what, ()) or a.what in EXCLUDES.get(b.what, ())
        if a.entity == b.entity or a.what != b.what or abs(a.time_ns - b.time_ns) > _OTHER_CAMERA_NS:
            return False
        same_place = a.more["lane"] == b.more["lane"] or (a.more["group"] and a.more["group"] == b.more["group"])
        taken = self._cases.get(a.more["id"])
        case = self.incidents.get(taken) if taken is not None else None
        return bool(same_place) and (case is None or b.entity not in {f.entity for f in self._of(case)})

    def _of(self, case: Incident) -> list[Fact]:
        return [f for f in self._recent if self._cases.get(f.more["id"]) == case.id]

    def timer(self, name: str, at_ns: int) -> None:
        """Nothing more can belong to it."""
        if (case := self.incidents.get(name)) is not None:
            self._cases = {verdict: c for verdict, c in self._cases.items() if c != name}
            self.end(case, at_ns)
