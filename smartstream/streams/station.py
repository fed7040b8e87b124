"""A station: its readings in, hourly levels, VN_AQI, exceedances and doubtful sensors out.

An hour is settled once the feeds' clock has passed its end by the allowed lateness; everything known by then counts,
in whatever order it came. A line for a settled hour corrects it: what was published and turns out otherwise is
published again with a higher revision, together with the hour that is settled next.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from hashlib import blake2b
from typing import Any, Final

import msgspec

from smartstream.model.event import CloudEvent
from smartstream.model.items import DeadLetter, Reading
from smartstream.model.quantities import QUANTITIES, energy, factor, to_micro
from smartstream.model.state import check_version
from smartstream.streams import vn_aqi
from smartstream.streams.air_limits import LIMITS, Averaging, limit_on
from smartstream.streams.episodes import Episodes
from smartstream.streams.hourly import HOUR_NS, HourlySums
from smartstream.streams.nowcast import HOURS, Mode
from smartstream.streams.sensor_quality import SensorQuality, plausible
from smartstream.streams.station_events import StationEvents

_VERSION: Final = 1
_CORRECTABLE_H: Final = 26  # a day, and what the allowed lateness and the hour under way add
_KEPT_H: Final = 2 * 24 + _CORRECTABLE_H + HOURS  # the day of the oldest correctable hour, its means over 8 hours
_SERIES: Final = sorted({(limit.kind, limit.averaging) for limit in LIMITS})
_Out = CloudEvent | DeadLetter


class Station:
    """Follows one station.

    Args:
        site: Site id.
        station: Station id.
        timezone: Of days, and of the times that people read.
        lateness_ns: How long an hour waits for its lines.
        mode: Which NowCast the index uses.
    """

    def __init__(self, *, site: str, station: str, timezone: tzinfo, lateness_ns: int, mode: Mode = "literal") -> None:
        self._station = station
        self._timezone = timezone
        self._lateness = lateness_ns
        self._mode = mode
        self._events = StationEvents(site, station, timezone, mode)
        self._position: tuple[float, float] | None = None
        self._clock_ns: int | None = None
        self._waiting: dict[int, list[Reading]] = {}
        self._next_hour: int | None = None
        self._sums = HourlySums()
        self._quality: dict[str, tuple[str, SensorQuality]] = {}
        self._doubts: dict[str, tuple[str, int]] = {}  # sensor to flag and since when
        self._corrected: set[int] = set()
        self._published: dict[tuple[str, int], tuple[bytes, int]] = {}  # what and when to digest and revision
        self._limits: dict[tuple[str, Averaging], Episodes] = {}

    def take(self, readings: Iterable[Reading], clock_ns: int, *, ended: bool) -> list[_Out]:
        """Readings in the order they arrived, then the feeds' clock; what can be told now."""
        out: list[_Out] = []
        for reading in readings:
            self._advance(reading.clock_ns, out)
            self._accept(reading, out)
        self._advance(clock_ns, out)
        if ended:
            self._finish(out)
        return out

    def _accept(self, reading: Reading, out: list[_Out]) -> None:
        if self._position is None:
            self._position = reading.position
        hour = reading.time_ns // HOUR_NS
        if self._next_hour is None or hour >= self._next_hour:
            self._waiting.setdefault(hour, []).append(reading)
        elif hour < self._next_hour - _CORRECTABLE_H:
            out.append(_dead(reading, "late", "what it would correct is final"))
        else:
            self._correct(reading, out)

    def _advance(self, clock_ns: int, out: list[_Out]) -> None:
        """Settle every hour that the clock has passed by the allowed lateness."""
        if self._clock_ns is None or clock_ns > self._clock_ns:
            self._clock_ns = clock_ns
            self._settle_before((clock_ns - self._lateness) // HOUR_NS, out)

    def _finish(self, out: list[_Out]) -> None:
        """The feeds have ended: nothing more will come for the hour and the day under way."""
        if self._clock_ns is None:
            return
        self._settle_before(self._clock_ns // HOUR_NS + 1, out)
        if self._next_hour is not None:
            self._publish_day(self._day_of(self._next_hour - 1), out)
            self._restate(out)

    def _settle_before(self, end: int, out: list[_Out]) -> None:
        if self._next_hour is None:
            first = min(self._waiting, default=end)
            if first >= end:
                return
            self._next_hour = first
        while self._next_hour < end:
            hour = self._next_hour
            silent = hour not in self._waiting and not self._corrected
            if silent and all(not self._sums.kinds(hour - i) for i in range(3)):
                # Nothing to say about this hour or, until readings come, any later one.
                self._next_hour = min([end, *(h for h in self._waiting if h > hour)])
            else:
                self._restate(out)
                self._settle(hour, out)
                self._next_hour = hour + 1
            if self._day_of(self._next_hour) != self._day_of(hour):
                self._publish_day(self._day_of(hour), out)
            self._forget()

    def _settle(self, hour: int, out: list[_Out]) -> None:
        for reading in sorted(self._waiting.pop(hour, ()), key=_measured):
            if self._sums.seen(reading.sensor, reading.time_ns):
                out.append(_dead(reading, "duplicate", "this sensor and instant have been counted"))
            else:
                self._judge(reading, out)
        self._publish_hour(hour, out)

    def _judge(self, reading: Reading, out: list[_Out]) -> None:
        sensor, at_ns = reading.sensor, reading.time_ns
        _, quality = self._quality.setdefault(sensor, (reading.kind, SensorQuality(reading.kind)))
        micro = _micro(reading)
        flag = quality.judge(at_ns, micro, reading.status)
        if flag is None:
            self._sums.add(reading.kind, sensor, at_ns, _summed(reading.kind, micro))
        doubt = self._doubts.get(sensor)
        if doubt is not None and doubt[0] != flag:
            out.append(self._events.quality("closed", sensor, reading.kind, doubt[0], at_ns, doubt[1]))
            del self._doubts[sensor]
        if flag is not None and sensor not in self._doubts:
            out.append(self._events.quality("opened", sensor, reading.kind, flag, at_ns, at_ns))
            self._doubts[sensor] = (flag, at_ns)

    def _correct(self, reading: Reading, out: list[_Out]) -> None:
        """A reading for a settled hour; its sensor's past is gone, so only its own look decides."""
        if self._sums.seen(reading.sensor, reading.time_ns):
            out.append(_dead(reading, "duplicate", "this sensor and instant have been counted"))
        elif plausible(reading.kind, _micro(reading), reading.status) is None:
            self._sums.add(reading.kind, reading.sensor, reading.time_ns, _summed(reading.kind, _micro(reading)))
            self._corrected.add(reading.time_ns // HOUR_NS)

    def _restate(self, out: list[_Out]) -> None:
        """Publish again what corrected hours have changed."""
        assert self._next_hour is not None
        touched = {hour + i for hour in self._corrected for i in range(HOURS)}
        days = {self._day_of(hour + i) for hour in self._corrected for i in range(8)}
        self._corrected = set()
        for hour in sorted(touched):
            if hour < self._next_hour:
                self._publish_hour(hour, out)
        for day in sorted(days):
            if ("day", day) in self._published or self._hours_of(day)[1] <= self._next_hour:
                self._publish_day(day, out)

    def _publish_hour(self, hour: int, out: list[_Out]) -> None:
        for kind in self._sums.kinds(hour):
            mean = self._sums.mean(kind, hour)
            if mean is not None and QUANTITIES[kind].hourly is not None:
                data = self._events.hour_data(kind, hour, mean, self._sums.count(kind, hour))
                revision = self._revision(f"hour/{kind}", hour, data)
                if revision is not None:
                    out.append(self._events.hour(kind, hour, data, revision))
        means = {kind: self._sums.means(kind, hour, HOURS) for kind in vn_aqi.POLLUTANTS}
        index = vn_aqi.hourly_index(means, self._mode)
        if index is not None:
            start_ns = hour * HOUR_NS
            data = self._events.index_data("hour", start_ns, index, self._position)
            revision = self._revision("hour", hour, data)
            if revision is not None:
                out.append(self._events.index("hour", start_ns + HOUR_NS, data, revision))
        span = (hour * HOUR_NS, (hour + 1) * HOUR_NS)
        for kind, averaging in _SERIES:
            if averaging == "hour":
                self._compare(kind, averaging, hour, self._sums.mean(kind, hour), span, out)
            elif averaging == "eight_hours":
                level = vn_aqi.eight_hours(self._sums.means(kind, hour, 8))
                self._compare(kind, averaging, hour, level, span, out)

    def _publish_day(self, day: int, out: list[_Out]) -> None:
        first, end = self._hours_of(day)
        span = (first * HOUR_NS, end * HOUR_NS)
        means = {kind: self._sums.means(kind, end - 1, end - first)[::-1] for kind in vn_aqi.POLLUTANTS}
        index = vn_aqi.daily_index(means, self._sums.means("o3", first - 1, 7)[::-1])
        if index is not None:
            data = self._events.index_data("day", span[0], index, self._position)
            revision = self._revision("day", day, data)
            if revision is not None:
                out.append(self._events.index("day", span[1], data, revision))
        for kind, averaging in _SERIES:
            if averaging == "day":
                level = vn_aqi.day_mean(self._sums.means(kind, end - 1, end - first))
                self._compare(kind, averaging, day, level, span, out)

    def _compare(
        self,
        kind: str,
        averaging: Averaging,
        period: int,
        level: Fraction | None,
        span_ns: tuple[int, int],
        out: list[_Out],
    ) -> None:
        limit = limit_on(self._date(span_ns[0] // HOUR_NS).date(), kind, averaging)
        if level is None or limit is None:
            return
        series = self._limits.setdefault((kind, averaging), Episodes(_KEPT_H if averaging != "day" else 4))
        for turn in series.set(period, level > limit.micrograms):
            if averaging == "day":
                starts, ends = self._hours_of(turn.at)
                since = self._hours_of(turn.since)[0]
            else:
                starts, ends, since = turn.at, turn.at + 1, turn.since
            told = level if turn.at == period else self._level(kind, averaging, turn.at) or level
            span = (starts * HOUR_NS, ends * HOUR_NS)
            out.append(self._events.exceedance(limit, turn, span, since * HOUR_NS, told))

    def _level(self, kind: str, averaging: Averaging, period: int) -> Fraction | None:
        if averaging == "day":
            first, end = self._hours_of(period)
            return vn_aqi.day_mean(self._sums.means(kind, end - 1, end - first))
        if averaging == "eight_hours":
            return vn_aqi.eight_hours(self._sums.means(kind, period, 8))
        return self._sums.mean(kind, period)

    def _revision(self, what: str, at: int, data: dict[str, Any]) -> int | None:
        """The revision to publish under; ``None`` when this stands published already."""
        digest = blake2b(msgspec.json.encode(data, order="deterministic"), digest_size=8).digest()
        before = self._published.get((what, at))
        if before is not None and before[0] == digest:
            return None
        revision = 0 if before is None else before[1] + 1
        self._published[what, at] = (digest, revision)
        return revision

    def _forget(self) -> None:
        assert self._next_hour is not None
        oldest = self._next_hour - _KEPT_H
        self._sums.forget(sums_before=oldest, instants_before=self._next_hour - _CORRECTABLE_H)
        oldest_day = self._day_of(oldest)
        for what, at in [key for key in self._published if key[1] < (oldest_day if key[0] == "day" else oldest)]:
            del self._published[what, at]

    def _date(self, hour: int) -> datetime:
        return datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._timezone)

    def _day_of(self, hour: int) -> int:
        return self._date(hour).toordinal()

    def _hours_of(self, day: int) -> tuple[int, int]:
        """First hour of a local day and first hour after it."""
        start = datetime.fromordinal(day).replace(tzinfo=self._timezone)
        end = (datetime.fromordinal(day) + timedelta(days=1)).replace(tzinfo=self._timezone)
        return int(start.timestamp()) // 3600, int(end.timestamp()) // 3600

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state, plain values only."""
        return {
            "version": _VERSION,
            "station": self._station,
            "position": self._position,
            "clock_ns": self._clock_ns,
            "waiting": {hour: tuple(readings) for hour, readings in self._waiting.items()},
            "next_hour": self._next_hour,
            "sums": self._sums.snapshot(),
            "quality": {sensor: (kind, quality.snapshot()) for sensor, (kind, quality) in self._quality.items()},
            "doubts": dict(self._doubts),
            "corrected": sorted(self._corrected),
            "published": dict(self._published),
            "limits": {key: episodes.snapshot() for key, episodes in self._limits.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``.

        Raises:
            InvalidInputError: The state is of another version.
        """
        check_version("station", state["version"], _VERSION)
        self._position, self._clock_ns, self._next_hour = state["position"], state["clock_ns"], state["next_hour"]
        self._waiting = {hour: list(readings) for hour, readings in state["waiting"].items()}
        self._sums.restore(state["sums"])
        for sensor, (kind, past) in state["quality"].items():
            quality = SensorQuality(kind)
            quality.restore(past)
            self._quality[sensor] = (kind, quality)
        self._doubts = dict(state["doubts"])
        self._corrected = set(state["corrected"])
        self._published = dict(state["published"])
        for (kind, averaging), told in state["limits"].items():
            episodes = Episodes(_KEPT_H if averaging != "day" else 4)
            episodes.restore(told)
            self._limits[kind, averaging] = episodes


def _measured(reading: Reading) -> tuple[Any, ...]:
    """Order within an hour, the same however the lines arrived."""
    return reading.time_ns, reading.sensor, _micro(reading), reading.status, reading.side, reading.line


def _micro(reading: Reading) -> int:
    by = factor(reading.kind, reading.unit)
    assert by is not None  # the feed has refused other units
    return to_micro(reading.value, by)


def _summed(kind: str, micro: int) -> int:
    """What of a reading is added up."""
    return energy(micro) if QUANTITIES[kind].hourly == "leq" else micro


def _dead(reading: Reading, reason: str, detail: str) -> DeadLetter:
    text = f"{reading.sensor} {reading.value:g} {reading.unit}"
    return DeadLetter("streams", reason, reading.side, reading.time_ns, f"line {reading.line}", detail, text)
