"""J-03 air spike: a step of dust, and what goes with it. An association, never a cause."""

from __future__ import annotations

from statistics import median
from typing import Any, ClassVar, Final

from smartstream.model.facts import Fact, SideKind
from smartstream.model.time import NS
from smartstream.streams.joins.incident import Contributor, Incident
from smartstream.streams.joins.join import Join
from smartstream.streams.joins.place import Place, bearing_deg, metres

MINUTE: Final = 60 * NS
_RECENT_NS: Final = 20 * MINUTE
_BASE_NS: Final = 180 * MINUTE
_LAG_NS: Final = 120 * MINUTE
_JUDGED_NS: Final = 15 * MINUTE
_RATIO, _STEP = 1.6, 20.0  # of the recent median to the one before, and µg/m³ above it
_BURNING: Final = frozenset({"fire", "waste"})
_FAR_M: Final = 3_000.0
_UPWIND_DEG: Final = 60.0


class AirSpike(Join):
    """Opens on a step of PM2.5 or PM10 at a station; a quarter of an hour later says what it goes with."""

    name, kind, title = "J-03", "air_spike", "bụi tăng đột biến"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"sensor"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"sensor", "camera", "report"})
    state = ("_series", "_high", "_trucks", "_fires", "_wind", "_back")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._series: dict[str, list[tuple[int, float]]] = {}
        self._high: dict[str, float] = {}  # what was normal before the step, while it lasts
        self._trucks: dict[str, tuple[Place | None, list[tuple[int, int]]]] = {}
        self._fires: list[tuple[int, str, Place | None]] = []
        self._wind: tuple[int, float] | None = None
        self._back: dict[str, int] = {}

    def detect(self, fact: Fact) -> None:
        """The median of 20 minutes beside the median of the hours before; medians do not mind one wild reading."""
        if fact.kind != "reading" or fact.what not in ("pm25", "pm10"):
            return
        name = f"{fact.entity}/{fact.what}"
        series = [(t, v) for t, v in self._series.get(name, ()) if t > fact.time_ns - _BASE_NS]
        series.append((fact.time_ns, fact.value))
        self._series[name] = series
        recent = [v for t, v in series if t > fact.time_ns - _RECENT_NS]
        before = [v for t, v in series if t <= fact.time_ns - _RECENT_NS]
        if len(recent) < 3 or len(before) < 6:
            return
        now, base = median(recent), self._high.get(name, median(before))
        if name in self._high:
            if now < base + (_STEP / 2):
                del self._high[name]
        elif now >= _RATIO * base and now >= base + _STEP:
            self._high[name] = base
            if fact.entity in {other.split("/")[0] for other in self._high if other != name}:
                return  # the other dust of this station has told already
            by = Contributor("sensor", fact.entity, fact.what, fact.time_ns, 0.7, now)
            self.open(fact, fact.entity, by, dust=fact.what, level=round(now, 1), base=round(base, 1), peaks=[])

    def begin(self, incident: Incident) -> None:
        """Wait a little for witnesses, then judge."""
        self.timers.set(f"judge/{incident.id}", incident.since_ns + _JUDGED_NS)

    def settle(self, fact: Fact) -> None:
        """Keep what a spike may go with; see it end."""
        if fact.kind == "lanes":
            place, counts = self._trucks.get(fact.entity, (fact.position, []))
            counts = [(t, n) for t, n in counts if t > fact.time_ns - 3 * _LAG_NS]
            counts.append((fact.time_ns, int(fact.more["counts"].get("truck", 0))))
            self._trucks[fact.entity] = (place, counts)
        elif fact.kind == "report" and fact.what in _BURNING and fact.more.get("status") == "open":
            if fact.what == "fire" or fact.more.get("burning"):
                kept = [f for f in self._fires if f[0] > fact.time_ns - 2 * _LAG_NS and f[1] != fact.entity]
                self._fires = kept
                self._fires.append((fact.time_ns, fact.entity, fact.position))
                for incident in list(self.incidents.values()):
                    if "shares" in incident.more and self._upwind(fact.position, incident):
                        self._judge(incident, fact.time_ns)
        elif fact.kind == "reading" and fact.what == "wind_direction":
            self._wind = (fact.time_ns, fact.value)
        elif fact.kind == "reading" and fact.what in ("pm25", "pm10"):
            self._maybe_over(fact)

    def _maybe_over(self, fact: Fact) -> None:
        for incident in [i for i in self.incidents.values() if i.key == fact.entity and i.more["dust"] == fact.what]:
            if fact.value >= incident.more["base"] + _STEP / 2:
                incident.last_ns = fact.time_ns
                self._back.pop(incident.id, None)
                self._rise(incident, fact)
                continue
            since = self._back.setdefault(incident.id, fact.time_ns)
            if fact.time_ns - since >= _RECENT_NS:
                del self._back[incident.id]
                self.timers.cancel(f"judge/{incident.id}")
                self.end(incident, fact.time_ns)

    def _rise(self, incident: Incident, fact: Fact) -> None:
        """The level is the second highest reading so far: a single wild one says nothing."""
        peaks = sorted([*incident.more["peaks"], fact.value])[-2:]
        incident.more["peaks"] = peaks
        if len(peaks) == 2 and peaks[0] >= incident.more["level"] + _STEP:
            incident.more["level"] = round(peaks[0], 1)
            self.update(incident, fact.time_ns)

    def timer(self, name: str, at_ns: int) -> None:
        """Time to judge."""
        incident = self.incidents.get(name.removeprefix("judge/"))
        if incident is not None:
            self._judge(incident, at_ns)

    def _upwind(self, place: Place | None, incident: Incident) -> bool:
        """Near, and where the wind comes from; without wind, near."""
        if place is None or incident.position is None or metres(place, incident.position) > _FAR_M:
            return False
        if self._wind is None or metres(place, incident.position) < 200:
            return True
        off = abs((bearing_deg(incident.position, place) - self._wind[1] + 180) % 360 - 180)
        return off <= _UPWIND_DEG

    def _judge(self, incident: Incident, at_ns: int) -> None:
        begin, end = incident.since_ns - _LAG_NS, incident.since_ns + _JUDGED_NS
        witnesses = []
        for camera, (place, counts) in sorted(self._trucks.items()):
            lately = [n for t, n in counts if incident.since_ns - _LAG_NS / 2 < t <= end]
            before = [n for t, n in counts if t <= incident.since_ns - _LAG_NS / 2]
            if not self._upwind(place, incident) or len(lately) < 20 or len(before) < 20:
                continue
            rate, usual = sum(lately) / len(lately), sum(before) / len(before)
            if rate >= 1.5 * usual and sum(lately) >= sum(before) / len(before) * len(lately) + 3 * sum(lately) ** 0.5:
                weight = round(min(0.8, 0.4 * (rate / max(usual, 0.02) - 1)), 3)
                witnesses.append(
                    Contributor("camera", camera, "trucks", incident.since_ns, weight, rate / max(usual, 0.02))
                )
        fires = [f for f in self._fires if begin <= f[0] <= max(end, at_ns) and self._upwind(f[2], incident)]
        witnesses += [Contributor("report", report, "burning", t, 0.6) for t, report, _ in fires]
        said = {(c.side, c.source) for c in incident.contributors}
        incident.contributors.extend(w for w in witnesses if (w.side, w.source) not in said)
        weights = {
            "traffic": max((c.weight for c in incident.contributors if c.what == "trucks"), default=0.0),
            "burning": 1 - 0.4 ** sum(c.what == "burning" for c in incident.contributors),
        }
        known = sum(weights.values())
        scale = 0.9 / known if known > 0.9 else 1.0  # something always remains unknown
        shares = {name: round(weight * scale, 2) for name, weight in weights.items()}
        shares["unknown"] = round(1 - sum(shares.values()), 2)
        incident.more["shares"] = shares
        names = {"traffic": "giao thông", "burning": "đốt", "unknown": "chưa rõ"}
        most = max(shares, key=lambda name: shares[name])
        incident.more.update(attribution=most, detail=f"đi cùng: {names[most]} {round(100 * shares[most])} %")
        self.update(incident, at_ns)
