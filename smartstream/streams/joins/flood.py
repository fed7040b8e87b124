"""J-02 flooding: water level or rain, slow traffic, reports of water."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from smartstream.model.facts import Fact, SideKind, speaker
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import Place, near

MINUTE: Final = 60 * NS
_BELOW_NS: Final = 15 * MINUTE  # so long below the alarm a flood is over
_RAIN_NS: Final = 30 * MINUTE
_BEFORE_NS, _AFTER_NS = 30 * MINUTE, 60 * MINUTE
_RAIN_HOLDS_NS: Final = 60 * MINUTE
_SLOW: Final = 0.5  # share of standing vehicles that speaks for water on the road


class Flood(Join):
    """Opens on two readings in a row at or above a station's alarm, or on heavy rain with two voices from the road.

    Args:
        alarm_m: Alarm level by station; other water levels open nothing.
        rain_mm: Rain within 30 minutes that counts as heavy.
        radius_m: How far from a station its water is spoken of.
    """

    name, kind, title = "J-02", "flood", "ngập nước"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"sensor"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"sensor", "report", "camera"})
    state = ("_above", "_rain", "_voices", "_low_since", "_high", "_before", "_newest")

    def __init__(
        self,
        site: str,
        timezone: ZoneInfo,
        sides: Mapping[str, SideKind],
        *,
        alarm_m: Mapping[str, float],
        rain_mm: float = 20.0,
        radius_m: float = 500.0,
    ) -> None:
        super().__init__(site, timezone, sides)
        self._alarm, self._rain_mm, self._radius = dict(alarm_m), rain_mm, radius_m
        self._above: dict[str, int] = {}  # prompt lane: readings in a row at or above the alarm
        self._rain: dict[str, list[tuple[int, float]]] = {}
        self._high: dict[str, tuple[int, float, Place | None]] = {}  # heavy rain by station: until, mm, place
        self._voices: list[tuple[int, str, Place | None, str]] = []  # when, which report, where, who
        self._low_since: dict[str, int] = {}
        self._before: dict[str, float] = {}  # prompt lane: reading before the newest
        self._newest: dict[str, float] = {}  # settled lane: newest reading

    def detect(self, fact: Fact) -> None:
        """Two readings in a row, since a single one may be a wave or a leaf on the gauge."""
        alarm = self._alarm.get(fact.entity)
        if fact.kind != "reading" or fact.what != "water_level" or alarm is None:
            return
        row = self._above.get(fact.entity, 0)
        before, self._before[fact.entity] = self._before.get(fact.entity, alarm), fact.value
        if fact.value < alarm:
            if row >= 2 and fact.value >= alarm - 0.05:
                return  # it laps at the mark: still the same flood
            low = self._low_since.setdefault(f"p/{fact.entity}", fact.time_ns)
            if row < 2 or fact.time_ns - low >= _BELOW_NS:
                self._above[fact.entity] = 0
            return
        self._low_since.pop(f"p/{fact.entity}", None)
        self._above[fact.entity] = row + 1
        if row == 1:
            by = Contributor("sensor", fact.entity, "water_level", fact.time_ns, 0.8, fact.value)
            depth = round(min(before, fact.value) - alarm, 2)
            self.open(fact, fact.entity, by, basis="level", depth_m=depth, detail=f"vượt báo động {depth} m")

    def begin(self, incident: Incident) -> None:
        """Water that was seen to rise before the gauge was sure belongs to it."""
        for other in [i for i in self.incidents.values() if i.key == incident.key and i is not incident]:
            other.more["superseded_by"] = incident.id
            self.end(other, incident.since_ns)
        for at_ns, report, place, _ in self._voices:
            if at_ns >= incident.since_ns - _BEFORE_NS and near(place, incident.position, self._radius):
                self.support(incident, Contributor("report", report, "flood", at_ns, 0.5))
        self._low_since.pop(incident.key, None)

    def settle(self, fact: Fact) -> None:
        """Every side in its turn."""
        if fact.kind == "reading" and fact.what == "water_level":
            self._level(fact)
        elif fact.kind == "reading" and fact.what == "rain":
            self._shower(fact)
        elif fact.kind == "report" and fact.what == "flood" and fact.more.get("status") == "open":
            self._voices = [v for v in self._voices if v[0] >= fact.time_ns - _AFTER_NS]
            who = speaker(fact)
            for _, report, place, said in self._voices:
                if report == fact.entity or (said == who and near(place, fact.position, self._radius)):
                    return  # who says it again is no second voice
            self._voices.append((fact.time_ns, fact.entity, fact.position, who))
            self._heard(fact, Contributor("report", fact.entity, "flood", fact.time_ns, 0.5))
        elif fact.kind == "lanes" and fact.more["vehicles"] >= 2 and fact.more["still"] / fact.more["vehicles"] > _SLOW:
            share = fact.more["still"] / fact.more["vehicles"]
            self._heard(fact, Contributor("camera", fact.entity, "standing_traffic", fact.time_ns, 0.3, share))

    def _heard(self, fact: Fact, by: Contributor) -> None:
        """A voice from the road: for the floods near it, else for rain that may become one."""
        known = [i for i in self.incidents.values() if near(fact.position, i.position, self._radius)]
        for incident in known:
            if by.what != "standing_traffic" or by.source not in {c.source for c in incident.contributors[-10:]}:
                self.support(incident, by)
                self._rest(incident)
        if known or by.side != "report":
            return
        for station, (until_ns, fallen, place) in sorted(self._high.items()):
            if until_ns >= fact.time_ns and near(fact.position, place, self._radius):
                self._on_rain(fact, station, fallen, place)

    def _on_rain(self, fact: Fact, station: str, fallen: float, place: Place | None) -> None:
        voices = [
            Contributor("report", report, "flood", at_ns, 0.5)
            for at_ns, report, where, _ in self._voices
            if at_ns >= fact.time_ns - _BEFORE_NS and near(where, place, self._radius)
        ]
        if len(voices) >= 2:
            by = [Contributor("sensor", station, "rain", fact.time_ns, 0.5, fallen), *voices]
            incident = self.open_late(fact, station, by, basis="rain", detail=f"mưa {fallen:g} mm trong 30 phút")
            incident.position = place
            self._rest(incident)

    def _level(self, fact: Fact) -> None:
        alarm = self._alarm.get(fact.entity)
        incident = next(
            (i for i in self.incidents.values() if i.key == fact.entity and i.more["basis"] == "level"), None
        )
        if alarm is None:
            return
        before, self._newest[fact.entity] = self._newest.get(fact.entity, alarm), fact.value
        if incident is None:
            return
        if fact.value >= alarm:
            self._low_since.pop(fact.entity, None)
            incident.last_ns = fact.time_ns
            depth = round(min(before, fact.value) - alarm, 2)  # one reading may be a wave
            if depth >= incident.more["depth_m"] + 0.1:
                incident.more.update(depth_m=depth, detail=f"vượt báo động {depth} m")
                self.support(incident, Contributor("sensor", fact.entity, "water_level", fact.time_ns, 0.8, fact.value))
        elif fact.value < alarm - 0.05:
            low = self._low_since.setdefault(fact.entity, fact.time_ns)
            if fact.time_ns - low >= _BELOW_NS:
                self._low_since.pop(fact.entity)
                self.end(incident, fact.time_ns)

    def _shower(self, fact: Fact) -> None:
        fallen = [(t, mm) for t, mm in self._rain.get(fact.entity, ()) if t > fact.time_ns - _RAIN_NS]
        fallen.append((fact.time_ns, fact.value))
        self._rain[fact.entity] = fallen
        total = round(sum(mm for _, mm in fallen), 3)
        if total >= self._rain_mm:
            self._high[fact.entity] = (fact.time_ns + _RAIN_HOLDS_NS, total, fact.position)
            for incident in self.incidents.values():
                said = any(c.what == "rain" for c in incident.contributors)
                if near(fact.position, incident.position, self._radius) and not said:
                    self.support(incident, Contributor("sensor", fact.entity, "rain", fact.time_ns, 0.5, total))

    def _rest(self, incident: Incident) -> None:
        if incident.more["basis"] == "rain":
            self.timers.set(incident.id, incident.last_ns + _AFTER_NS)

    def timer(self, name: str, at_ns: int) -> None:
        """Rain without a gauge: over when nobody has spoken of it for an hour."""
        if name in self.incidents:
            self.end(self.incidents[name], at_ns)
