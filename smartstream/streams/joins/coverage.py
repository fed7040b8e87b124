"""What could be seen: armed, blind and unknown seconds of every camera and rule, and of every station, by the hour.

A street without violations and a camera without a picture must never look the same: whoever divides by time divides
by ``armed_s``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from smartstream.model.event import make_event
from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS, rfc3339
from smartstream.streams.joins.join import Join

HOUR_NS: Final = 3600 * NS
_BY_LIGHT: Final = frozenset({"red_light", "yellow_light", "stop_line"})
_NO_LIGHT: Final = frozenset({"unknown", "dark"})
_GAPS: Final = 2  # intervals of a station that one reading stands for


class Coverage(Join):
    """Tells ``camera.coverage.updated`` and ``env.coverage.updated`` when an hour is over.

    *Armed*: pictures came, and the signals that the rule goes by were known. *Blind*: no picture, or no reading for
    longer than twice the station's interval. *Unknown*: the signal was not known, or nobody can say (a ``tracks:``
    file is silent over an empty street). The three add up to ``of_s``.

    Args:
        rules: By camera its rule kinds.
        groups: By camera the signal groups of its lanes.
    """

    name, kind, title = "coverage", "coverage", "mức quan sát"
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera", "sensor"})
    state = ("_hour", "_newest", "_begun", "_seen", "_silent", "_blind", "_dark", "_signal", "_lost", "_since", "_last")

    def __init__(
        self,
        site: str,
        timezone: ZoneInfo,
        sides: Mapping[str, SideKind],
        *,
        rules: Mapping[str, tuple[str, ...]],
        groups: Mapping[str, frozenset[tuple[str, str]]],
    ) -> None:
        super().__init__(site, timezone, sides)
        self._site, self._rules, self._groups = site, dict(rules), dict(groups)
        self._hour: int | None = None
        self._newest = self._begun = 0
        self._seen: dict[str, float] = {}  # camera: seconds with pictures
        self._silent: dict[str, float] = {}
        self._blind: dict[str, int] = {}
        self._dark: dict[str, int] = {}  # camera: since when
        self._signal: dict[tuple[str, str], str] = {}
        self._lost: dict[str, int] = {}  # camera: nanoseconds of this hour without a known signal
        self._since: dict[str, int] = {}  # camera: signal not known since
        self._last: dict[str, tuple[int, int, int, int]] = {}  # station: first, newest, interval, covered this hour

    def settle(self, fact: Fact) -> None:
        """Facts of the hour; the first one behind it ends it."""
        if self._hour is None:
            self._hour = fact.time_ns // HOUR_NS
            self._begun = fact.time_ns
            self._since = {c: fact.time_ns for c, groups in self._groups.items() if groups}
        while fact.time_ns > (self._hour + 1) * HOUR_NS:
            self._tell_hour((self._hour + 1) * HOUR_NS)
        self._newest = max(self._newest, fact.time_ns)
        if fact.kind == "lanes":
            of = self._silent if fact.more.get("silent") else self._seen
            of[fact.entity] = of.get(fact.entity, 0.0) + min(15, fact.more["seconds"])
        elif fact.kind == "dark":
            self._dark[fact.entity] = fact.more["since_ns"]
        elif fact.kind == "back" and (since := self._dark.pop(fact.entity, None)) is not None:
            begin = max(since, self._hour * HOUR_NS)
            self._blind[fact.entity] = self._blind.get(fact.entity, 0) + fact.time_ns - begin
        elif fact.kind == "signal":
            self._show(fact)
        elif fact.kind == "reading":
            self._read(fact)

    def _show(self, fact: Fact) -> None:
        assert self._hour is not None
        self._signal[str(fact.junction), fact.more["group"]] = fact.what
        for camera, groups in self._groups.items():
            known = all(self._signal.get(group, "unknown") not in _NO_LIGHT for group in groups)
            since = self._since.get(camera)
            if known and since is not None:
                begin = max(since, self._hour * HOUR_NS)
                self._lost[camera] = self._lost.get(camera, 0) + fact.time_ns - begin
                del self._since[camera]
            elif not known and since is None:
                self._since[camera] = fact.time_ns

    def _read(self, fact: Fact) -> None:
        assert self._hour is not None
        first, newest, interval, covered = self._last.get(fact.entity, (fact.time_ns, fact.time_ns, 0, 0))
        gap = fact.time_ns - newest
        if gap > 0:
            interval = gap if interval == 0 else min(interval, gap)
            covered += self._stands(newest, interval, fact.time_ns)
        self._last[fact.entity] = (first, fact.time_ns, interval, covered)

    def _stands(self, newest: int, interval: int, until_ns: int) -> int:
        """How much of this hour a station's newest reading stands for."""
        assert self._hour is not None
        begin = max(newest, self._hour * HOUR_NS)
        return max(0, min(until_ns, newest + _GAPS * interval) - begin)

    def over(self) -> None:
        """The hour that the input ends in, as far as it goes."""
        if self._hour is not None and self._newest > max(self._begun, self._hour * HOUR_NS):
            self._tell_hour(self._newest)

    def _tell_hour(self, end_ns: int) -> None:
        assert self._hour is not None
        begin = max(self._hour * HOUR_NS, self._begun)
        span_s = (end_ns - begin) / NS
        for camera, kinds in sorted(self._rules.items()):
            self._tell_camera(camera, kinds, begin, end_ns, span_s)
        for station, (first, newest, interval, covered) in sorted(self._last.items()):
            armed = (covered + self._stands(newest, interval, end_ns)) / NS
            unknown = max(0.0, (min(first, end_ns) - begin) / NS)
            sums = _sums(armed, max(0.0, span_s - armed - unknown), unknown)
            data = {"station": station, "coverage": _share(sums, span_s), **sums}
            self._publish(("env", "coverage", "updated"), station, begin, end_ns, data)
            self._last[station] = (first, newest, interval, 0)
        for sums_of in (self._seen, self._silent, self._blind, self._lost):
            sums_of.clear()
        self._hour += 1

    def _tell_camera(self, camera: str, kinds: tuple[str, ...], begin: int, end_ns: int, span_s: float) -> None:
        running = end_ns - max(self._dark[camera], begin) if camera in self._dark else 0
        blind = min(span_s, (self._blind.get(camera, 0) + running) / NS)
        seen = min(span_s - blind, self._seen.get(camera, 0.0))
        lost_ns = self._lost.get(camera, 0)
        if camera in self._since:
            lost_ns += end_ns - max(self._since[camera], begin)
        rules = {}
        for rule in kinds or ("counting",):
            armed = max(0.0, seen - lost_ns / NS) if rule in _BY_LIGHT else seen
            rules[rule] = _sums(armed, blind, max(0.0, span_s - armed - blind))
        data = {"camera": camera, "coverage": _share(next(iter(rules.values())), span_s), "rules": rules}
        self._publish(("camera", "coverage", "updated"), camera, begin, end_ns, data)

    def _publish(self, kind: tuple[str, str, str], entity: str, begin: int, end_ns: int, data: dict[str, Any]) -> None:
        more = {"period": "hour", "at": rfc3339(begin), "of_s": round((end_ns - begin) / NS, 3), "revision": 0}
        event = make_event(
            site=self._site, entity=entity, kind=kind, subject=entity, at_ns=end_ns, key="hour", data={**data, **more}
        )
        self._out.append(event)


def _sums(armed: float, blind: float, unknown: float) -> dict[str, float]:
    return {"armed_s": round(armed, 3), "blind_s": round(blind, 3), "unknown_s": round(unknown, 3)}


def _share(sums: dict[str, float], span_s: float) -> float:
    return round(sums["armed_s"] / span_s, 4) if span_s else 0.0
