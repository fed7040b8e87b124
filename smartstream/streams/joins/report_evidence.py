"""J-14 report and camera evidence, J-15 false closing: what a citizen says beside what cameras and gauges see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from smartstream.model.facts import Fact, SideKind, speaker
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import Place, metres, near
from smartstream.streams.report_categories import CATEGORIES

MINUTE: Final = 60 * NS
_BEFORE_NS, _AFTER_NS = 30 * MINUTE, 10 * MINUTE
_FREE_NS: Final = 5 * MINUTE  # longer than it takes to find again who was hidden
_RADIUS_M: Final = 150.0
_GAUGE_M: Final = 500.0
_SHOWN: Final = frozenset({"accident", "parking"})
"""Categories of which a camera over a road shows something: who stands in the way. Of water it knows nothing."""
_ROAD: Final = _SHOWN | {"flood"}
_SAME_NS: Final = {name: round(CATEGORIES[name].window_h * 60) * MINUTE for name in _ROAD}
"""Reports nearer in time than this may speak of the same thing, as at the desk."""
_SAID_BY: Final = "said by "


class _Evidence:
    """Recent facts that speak for or against a category at a place."""

    def __init__(self, cameras: Mapping[str, Place], alarm_m: Mapping[str, float], kept_ns: int) -> None:
        self._cameras, self._alarm, self._kept = dict(cameras), dict(alarm_m), kept_ns
        self.seen: dict[str, list[tuple[int, str, float]]] = {}  # by source: time, what, strength
        self.places: dict[str, Place] = {}

    def add(self, fact: Fact) -> tuple[str, str, float] | None:
        """Keep what a fact shows: its source, what, and how strongly (0: looked, and it is not so)."""
        found: tuple[str, float] | None = None
        if fact.kind == "lanes":
            found = ("obstacle", float(fact.more["obstacles"]))
        elif fact.kind == "impact":
            found = ("impact", 1.0)
        elif fact.kind == "reading" and fact.what == "water_level" and fact.entity in self._alarm:
            found = ("water", 1.0 if fact.value >= self._alarm[fact.entity] else 0.0)
            if fact.position is not None:
                self.places[fact.entity] = fact.position
        if found is None:
            return None
        kept = self.seen.setdefault(fact.entity, [])
        kept.append((fact.time_ns, *found))
        if len(kept) > 64 and kept[len(kept) // 2][0] < fact.time_ns - self._kept:
            self.seen[fact.entity] = [e for e in kept if e[0] >= fact.time_ns - self._kept]
        return fact.entity, *found

    def witnesses(self, category: str, place: Place, radius_m: float = _RADIUS_M) -> list[str]:
        """Cameras and gauges that could show it."""
        cameras = [c for c, p in sorted(self._cameras.items()) if category in _SHOWN and metres(p, place) <= radius_m]
        gauges = [s for s, p in sorted(self.places.items()) if category == "flood" and metres(p, place) <= _GAUGE_M]
        return cameras + gauges

    def found(self, category: str, source: str, begin_ns: int, end_ns: int) -> tuple[int, list[Contributor]]:
        """How often a source looked within a span, and what it saw that fits."""
        looked, fits, before = 0, [], 0.0
        for at_ns, what, strength in self.seen.get(source, ()):
            was, before = before, strength
            if not begin_ns <= at_ns <= end_ns:
                continue
            looked += 1
            if what == "water" and not was:
                continue  # one reading may be a wave
            speaks = {
                "accident": what == "impact",
                "parking": what == "obstacle",
                "flood": what == "water",
            }[category]
            if speaks and strength > 0:
                side = "sensor" if what == "water" else "camera"
                fits.append(Contributor(side, source, what, at_ns, 0.8 if what == "water" else 0.5, strength))
        return looked, fits


class _BesideReports(Join):
    """A join of reports with what cameras and gauges near them see.

    Args:
        cameras: Place of each camera.
        alarm_m: Alarm level of each gauge.
    """

    prompt: ClassVar[frozenset[SideKind]] = frozenset()
    needs: ClassVar[frozenset[SideKind]] = frozenset({"report", "camera", "sensor"})
    kept_ns: ClassVar[int]
    """How far back evidence is asked for."""

    def __init__(
        self,
        site: str,
        timezone: ZoneInfo,
        sides: Mapping[str, SideKind],
        *,
        cameras: Mapping[str, Place],
        alarm_m: Mapping[str, float],
    ) -> None:
        super().__init__(site, timezone, sides)
        self._evidence = _Evidence(cameras, alarm_m, self.kept_ns)
        self._seen, self._places = self._evidence.seen, self._evidence.places

    def restore(self, state: bytes) -> None:
        """Go on from ``snapshot``."""
        super().restore(state)
        self._evidence.seen, self._evidence.places = self._seen, self._places


class ReportEvidence(_BesideReports):
    """J-14: ten minutes after a report says what cameras and gauges near it saw.

    ``finding`` is ``corroborated``, ``contradicted`` (somebody could see it, and it was not so) or ``no_coverage``
    (nobody could, or whoever could was dark): no coverage is no contradiction.
    """

    name, kind, title = "J-14", "report_evidence", "đối chiếu phản ánh"
    kept_ns = _BEFORE_NS + 2 * _AFTER_NS
    state = ("_asked", "_answers", "_dealt_with", "_seen", "_places")

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._asked: dict[str, Fact] = {}
        self._answers: dict[str, str] = {}  # by report: its incident
        self._dealt_with: set[str] = set()  # closed before they were answered

    def settle(self, fact: Fact) -> None:
        """A report asks; all else is evidence."""
        if fact.kind != "report":
            self._evidence.add(fact)
        elif fact.more.get("status") == "open" and fact.what in _ROAD:
            self._dealt_with.discard(fact.entity)
            if fact.entity not in self._asked and fact.entity not in self._answers:
                self._asked[fact.entity] = fact
                self.timers.set(fact.entity, fact.time_ns + _AFTER_NS)
        elif fact.more.get("status") == "closed":
            if fact.entity in self._asked:
                self._dealt_with.add(fact.entity)
            elif fact.entity in self._answers:
                self._over(fact.entity, fact.time_ns)

    def _over(self, report: str, at_ns: int) -> None:
        self.end(self.incidents[self._answers.pop(report)], at_ns)
        self.timers.cancel(f"end/{report}")

    def timer(self, name: str, at_ns: int) -> None:
        """All who could speak have spoken; a day later the answer is forgotten."""
        if name.startswith("end/"):
            self._over(name[4:], at_ns)
            return
        fact = self._asked.pop(name)
        begin, end = fact.time_ns - _BEFORE_NS, fact.time_ns + _AFTER_NS
        looked, fits = 0, []
        witnesses = [] if fact.position is None else self._evidence.witnesses(fact.what, fact.position)
        for source in witnesses:
            n, found = self._evidence.found(fact.what, source, begin, end)
            looked += n
            fits += found
        finding = "corroborated" if fits else "contradicted" if looked else "no_coverage"
        detail = {
            "corroborated": "có bằng chứng",
            "contradicted": "không thấy như phản ánh",
            "no_coverage": "không có camera",
        }
        by = [Contributor("report", fact.entity, fact.what, fact.time_ns, 0.5), *fits[:8]]
        incident = self.open_late(
            fact, fact.entity, by, finding=finding, category=fact.what, witnesses=witnesses, detail=detail[finding]
        )
        self._answers[name] = incident.id
        self.timers.set(f"end/{name}", fact.time_ns + 24 * 60 * MINUTE)
        if name in self._dealt_with:
            self._dealt_with.discard(name)
            self._over(name, at_ns)

    def coverage(self, incident: Incident) -> dict[str, Any]:
        """Who could see the place."""
        return {**super().coverage(incident), "witnesses": incident.more.get("witnesses", [])}


class FalseClosing(_BesideReports):
    """J-15: a report is closed as dealt with, and gauges or citizens go on showing that it is not.

    Opens when, from ten minutes to a day after the closing, a gauge stands at its alarm for three readings, a camera
    sees somebody in the way for ten minutes, or two citizens report the same. A gauge that shows the water gone settles
    it; a camera that has seen the road free for five minutes since the report sees somebody else later; who reports it
    when nobody has for longer than the desk takes reports for duplicates speaks of another one.
    """

    name, kind, title = "J-15", "false_closing", "phản ánh đóng khi chưa xử lý xong"
    kept_ns = 20 * MINUTE
    state = ("_open", "_closed", "_count", "_free", "_voices", "_said", "_seen", "_places")

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._open: dict[str, Fact] = {}
        self._closed: dict[str, tuple[Fact, int]] = {}  # by report: its first line, when it was closed
        self._count: dict[str, dict[str, list[int]]] = {}  # by report and witness: instants that speak against
        self._free: dict[
            str, dict[str, tuple[int, int] | None]
        ] = {}  # by camera and report: the road was free from, to
        self._voices: list[Fact] = []  # reports of the last day
        self._said: dict[str, int] = {}  # by closed report: when anybody spoke of the same last

    def settle(self, fact: Fact) -> None:
        """Closings, and what speaks against them."""
        if fact.kind == "report":
            self._report(fact)
            return
        shown = self._evidence.add(fact)
        if shown is None:
            return
        source, what, strength = shown
        if what == "obstacle":
            self._look(source, fact.time_ns, seen=strength > 0)
        for report, (first, closed_ns) in list(self._closed.items()):
            if first.position is None or source not in self._evidence.witnesses(first.what, first.position):
                continue
            if what == "obstacle" and self._was_free(report, source):
                continue
            if fact.time_ns < closed_ns + _AFTER_NS or first.what == "accident":
                continue  # who stands there need not be those who collided, and a new impact is another accident
            wrong = strength > 0
            side = "sensor" if what == "water" else "camera"
            self._witness(
                report, first, fact, Contributor(side, source, what, fact.time_ns, 0.5, strength), wrong=wrong
            )

    def _look(self, camera: str, at_ns: int, *, seen: bool) -> None:
        """For how long a camera sees the road free, for each report of somebody in the way there."""
        for report, free in self._free.get(camera, {}).items():
            if free is not None and (free[1] - free[0] >= _FREE_NS or not seen):
                self._free[camera][report] = (free[0], max(free[1], at_ns))
            else:
                self._free[camera][report] = None if seen else (at_ns, at_ns)

    def _was_free(self, report: str, camera: str) -> bool:
        """Whether a camera has seen the road free since the report: who stands there now came later."""
        free = self._free.get(camera, {}).get(report)
        return free is not None and free[1] - free[0] >= _FREE_NS

    def _report(self, fact: Fact) -> None:
        if fact.more.get("status") == "open" and fact.entity not in self._closed:
            if fact.entity not in self._open:
                self._await(fact)
                self._another(fact)
        elif fact.more.get("status") == "closed" and fact.entity in self._open:
            first = self._open.pop(fact.entity)
            self._closed[fact.entity] = (first, fact.time_ns)
            self._said[fact.entity] = self._last_said(first)
            self.timers.set(fact.entity, fact.time_ns + 24 * 60 * MINUTE)
        elif fact.entity in self._closed and fact.more.get("status") != "closed":
            first = self._closed[fact.entity][0]  # reopened: somebody has noticed
            self._forget(fact.entity)
            self._await(first)
            if (told := self._incident(fact.entity)) is not None:
                self.end(told, fact.time_ns)

    def _another(self, fact: Fact) -> None:
        """Somebody else reports something: of what closed reports speak of, if it is not too long ago."""
        if fact.what in _ROAD:
            oldest = fact.time_ns - 24 * 60 * MINUTE
            self._voices = [voice for voice in self._voices if voice.time_ns >= oldest] + [fact]
        for report, (first, closed_ns) in list(self._closed.items()):
            if _same(first, self._said[report], fact):
                self._said[report] = fact.time_ns
                if fact.time_ns >= closed_ns + _AFTER_NS:
                    by = Contributor("report", fact.entity, fact.what, fact.time_ns, 0.5)
                    self._witness(report, first, fact, by, wrong=True)

    def _last_said(self, first: Fact) -> int:
        """When anybody spoke last of what a report says."""
        said_ns = first.time_ns
        for voice in self._voices:
            if voice.time_ns >= said_ns and _same(first, said_ns, voice):
                said_ns = voice.time_ns
        return said_ns

    def _await(self, first: Fact) -> None:
        """A report is open: whoever it speaks of stands there, for all that a camera has seen."""
        if first.what not in _ROAD:
            return  # nobody will ask for it
        self._open[first.entity] = first
        if first.what == "parking" and first.position is not None:
            for camera in self._evidence.witnesses(first.what, first.position):
                self._free.setdefault(camera, {})[first.entity] = None

    def _incident(self, report: str) -> Incident | None:
        return next((i for i in self.incidents.values() if i.key == report), None)

    def _witness(self, report: str, first: Fact, fact: Fact, by: Contributor, *, wrong: bool) -> None:
        """Three in a row of a gauge, ten minutes of a camera, two reports: enough."""
        incident = self._incident(report)
        counts = self._count.setdefault(report, {})
        name = f"{_SAID_BY}{speaker(fact)}" if by.side == "report" else by.source
        if not wrong:
            counts.pop(name, None)
            if by.side == "sensor" and incident is None:
                self._forget(report)  # it was dealt with; what comes later is another one
            return
        times = counts.setdefault(name, [])
        times.append(fact.time_ns)
        del times[:-64]
        if incident is not None:
            incident.last_ns = fact.time_ns
            if by.side not in incident.sides or by.side == "report":
                self.support(incident, by)
            return
        voices = sum(who.startswith(_SAID_BY) for who in counts)
        enough = {"sensor": len(times) >= 3, "report": voices >= 2}.get(by.side, times[-1] - times[0] >= _AFTER_NS)
        if enough:
            self.open_late(
                _at_its_place(fact, first), report, [by], category=first.what, closed=True, detail="đề nghị mở lại"
            )

    def timer(self, name: str, at_ns: int) -> None:
        """A day after the closing it is too late to doubt it."""
        incident = self._incident(name)
        self._forget(name)
        if incident is not None:
            self.end(incident, at_ns)

    def _forget(self, report: str) -> None:
        self._closed.pop(report, None)
        self._said.pop(report, None)
        self._count.pop(report, None)
        for reports in self._free.values():
            reports.pop(report, None)
        self.timers.cancel(report)


def _same(first: Fact, said_ns: int, other: Fact) -> bool:
    """Whether a report speaks of what another one did, of which somebody spoke last at an instant."""
    alike = first.what == other.what and near(other.position, first.position, _RADIUS_M)
    return alike and other.time_ns - said_ns <= _SAME_NS[first.what]


def _at_its_place(fact: Fact, first: Fact) -> Fact:
    """The fact, at the place of the report."""
    return Fact(fact.time_ns, fact.kind, fact.entity, fact.what, fact.value, first.junction, first.position)
