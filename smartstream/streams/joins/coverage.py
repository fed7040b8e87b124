"""What could be seen: armed, blind and unknown seconds of every camera and rule, and of every station, by the hour.

A street without violations and a camera without a picture must never look the same: whoever divides by time divides
by ``armed_s``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import msgspec

from smartstream.model.event import make_event
from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS, rfc3339
from smartstream.streams.joins.join import Join

HOUR_NS: Final = 3600 * NS
_BY_LIGHT: Final = frozenset({"red_light", "yellow_light", "stop_line"})
_NO_LIGHT: Final = frozenset({"unknown", "dark"})
_GAPS: Final = 2  # intervals of a station that one reading stands for
Span = tuple[int, int]


class _Hour(msgspec.Struct):
    """One camera in one hour, or the part of it that was watched.

    Attributes:
        seen: Seconds with pictures.
        blind_ns: Nanoseconds without, as far as they are over.
        unlit: When its light was not known.
        moved: When it looked elsewhere.
    """

    begin_ns: int = 0
    end_ns: int = 0
    revision: int = 0
    seen: float = 0.0
    blind_ns: int = 0
    unlit: list[Span] = []
    moved: list[Span] = []


class Coverage(Join):
    """Tells ``camera.coverage.updated`` and ``env.coverage.updated`` when an hour is over.

    *Armed*: pictures came, the view was the one that the lanes were drawn in, and the signals that the rule goes by
    were known and believed. *Blind*: no picture, or no reading for longer than twice the station's interval.
    *Unknown*: the signal was not known, or a fault of the junction's signals was open, or the view had moved, or nobody
    can say (a ``tracks:`` file is silent over an empty street). The three add up to ``of_s``. A fault or a view that
    reaches back into an hour already told restates it, under a higher ``revision``.

    Args:
        rules: By camera its rule kinds.
        groups: By camera the signal groups of its lanes.
    """

    name, kind, title = "coverage", "coverage", "mức quan sát"
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera", "sensor", "verdict"})
    state = (
        "_hour", "_newest", "_begun", "_now", "_before", "_dark", "_signal", "_since", "_faulty", "_away", "_last"
    )  # fmt: skip

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
        self._now: dict[str, _Hour] = {}
        self._before: dict[str, _Hour] = {}  # as they were told last
        self._dark: dict[str, int] = {}  # camera: since when
        self._signal: dict[tuple[str, str], str] = {}
        self._since: dict[str, int] = {}  # camera: signal not known since
        self._faulty: dict[str, dict[str, int]] = {}  # junction: group: not believed since
        self._away: dict[str, int] = {}  # camera: looks elsewhere since
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
        match fact.kind:
            case "lanes" if not fact.more.get("silent"):
                self._of(fact.entity).seen += min(15, fact.more["seconds"])
            case "dark":
                self._dark[fact.entity] = fact.more["since_ns"]
            case "back" if (since := self._dark.pop(fact.entity, None)) is not None:
                self._of(fact.entity).blind_ns += fact.time_ns - max(since, self._hour * HOUR_NS)
            case "moved":
                self._away[fact.entity] = fact.more["since_ns"]
                self._restate(fact.entity, fact.more["since_ns"], fact.time_ns, light=False)
            case "settled" if (since := self._away.pop(fact.entity, None)) is not None:
                self._of(fact.entity).moved.append((since, fact.time_ns))
            case "signal":
                self._show(fact)
            case "fault":
                self._fault(fact)
            case "reading":
                self._read(fact)

    def _of(self, camera: str) -> _Hour:
        return self._now.setdefault(camera, _Hour())

    def _show(self, fact: Fact) -> None:
        self._signal[str(fact.junction), fact.more["group"]] = fact.what
        for camera, groups in self._groups.items():
            known = all(self._signal.get(group, "unknown") not in _NO_LIGHT for group in groups)
            since = self._since.get(camera)
            if known and since is not None:
                self._of(camera).unlit.append((since, fact.time_ns))
                del self._since[camera]
            elif not known and since is None:
                self._since[camera] = fact.time_ns

    def _fault(self, fact: Fact) -> None:
        """A fault of one group lifts the light rules of the whole junction, from when it is not believed."""
        open_ = self._faulty.setdefault(fact.entity, {})
        mine = [c for c, groups in self._groups.items() if any(junction == fact.entity for junction, _ in groups)]
        if fact.what != "closed":
            open_[fact.more["group"]] = min(fact.more["since_ns"], open_.get(fact.more["group"], fact.time_ns))
            for camera in mine:
                self._restate(camera, fact.more["since_ns"], fact.time_ns, light=True)
        elif (since := open_.pop(fact.more["group"], None)) is not None:
            for camera in mine:
                self._of(camera).unlit.append((since, fact.time_ns))

    def _restate(self, camera: str, since_ns: int, now_ns: int, *, light: bool) -> None:
        """The hour before was told before this was known."""
        hour = self._before.get(camera)
        if hour is None or since_ns >= hour.end_ns:
            return
        spans, within = hour.unlit if light else hour.moved, (hour.begin_ns, hour.end_ns)
        known_s = _length_s(spans, within)
        spans.append((since_ns, hour.end_ns))
        if _length_s(spans, within) > known_s:
            hour.revision += 1
            self._tell_camera(camera, hour, now_ns)

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
        for camera in sorted(self._rules):
            hour = self._of(camera)
            hour.begin_ns, hour.end_ns = begin, end_ns
            if camera in self._dark:
                hour.blind_ns += end_ns - max(self._dark[camera], begin)
            if camera in self._since:
                hour.unlit.append((self._since[camera], end_ns))
            junctions = {junction for junction, _ in self._groups.get(camera, ())}
            hour.unlit += [(t, end_ns) for j in sorted(junctions) for t in self._faulty.get(j, {}).values()]
            if camera in self._away:
                hour.moved.append((self._away[camera], end_ns))
            self._tell_camera(camera, hour, end_ns)
        self._before, self._now = self._now, {}
        for station, (first, newest, interval, covered) in sorted(self._last.items()):
            armed = (covered + self._stands(newest, interval, end_ns)) / NS
            unknown = max(0.0, (min(first, end_ns) - begin) / NS)
            sums = _sums(armed, max(0.0, span_s - armed - unknown), unknown)
            data = {"station": station, "coverage": _share(sums, span_s), **sums}
            self._publish(("env", "coverage", "updated"), station, begin, end_ns, end_ns, data, 0)
            self._last[station] = (first, newest, interval, 0)
        self._hour += 1

    def _tell_camera(self, camera: str, hour: _Hour, at_ns: int) -> None:
        span_s = (hour.end_ns - hour.begin_ns) / NS
        blind = min(span_s, hour.blind_ns / NS)
        seen = min(span_s - blind, hour.seen)
        within = (hour.begin_ns, hour.end_ns)
        away, unlit = _length_s(hour.moved, within), _length_s([*hour.moved, *hour.unlit], within)
        rules = {}
        for rule in self._rules[camera] or ("counting",):
            armed = max(0.0, seen - (unlit if rule in _BY_LIGHT else away))
            rules[rule] = _sums(armed, blind, max(0.0, span_s - armed - blind))
        data = {"camera": camera, "coverage": _share(next(iter(rules.values())), span_s), "rules": rules}
        self._publish(("camera", "coverage", "updated"), camera, *within, at_ns, data, hour.revision)

    def _publish(
        self,
        kind: tuple[str, str, str],
        entity: str,
        begin: int,
        end_ns: int,
        at_ns: int,
        data: dict[str, Any],
        revision: int,
    ) -> None:
        of_s = round((end_ns - begin) / NS, 3)
        more = {"period": "hour", "at": rfc3339(begin), "of_s": of_s, "revision": revision}
        event = make_event(
            site=self._site,
            entity=entity,
            kind=kind,
            subject=entity,
            at_ns=at_ns,
            key="hour",
            revision=revision,
            data={**data, **more},
        )
        self._out.append(event)


def _length_s(spans: list[Span], within: Span) -> float:
    """Seconds that are in any of the spans, as far as they lie within another."""
    total, reached = 0, within[0]
    for begin, end in sorted(spans):
        total += max(0, min(end, within[1]) - max(begin, reached))
        reached = max(reached, min(end, within[1]))
    return total / NS


def _sums(armed: float, blind: float, unknown: float) -> dict[str, float]:
    return {"armed_s": round(armed, 3), "blind_s": round(blind, 3), "unknown_s": round(unknown, 3)}


def _share(sums: dict[str, float], span_s: float) -> float:
    return round(sums["armed_s"] / span_s, 4) if span_s else 0.0
