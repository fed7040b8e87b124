"""Events about a station: its hourly levels, its index, limits exceeded, sensors that cannot be believed."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from typing import Any

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.quantities import QUANTITIES
from smartstream.model.time import rfc3339
from smartstream.streams.air_limits import Limit
from smartstream.streams.air_text import AVERAGING, NAMES, level_of, number
from smartstream.streams.episodes import Turn
from smartstream.streams.hourly import HOUR_NS
from smartstream.streams.nowcast import Mode
from smartstream.streams.vn_aqi import METHOD, Index


class StationEvents:
    """Makes the events of one station.

    Args:
        site: Site id.
        station: Station id.
        timezone: Of the times that people read.
        mode: Which NowCast the index uses; told in every index.
    """

    def __init__(self, site: str, station: str, timezone: tzinfo, mode: Mode) -> None:
        self._site = site
        self._station = station
        self._timezone = timezone
        self._mode = mode

    def index_data(
        self, period: str, start_ns: int, index: Index, position: tuple[float, float] | None
    ) -> dict[str, Any]:
        """What an index says, without its revision; the fields that table 3 of the Decision wants shown."""
        level = level_of(index.aqi)
        named = self._local(start_ns).strftime("%H:%M ngày %d/%m/%Y" if period == "hour" else "ngày %d/%m/%Y")
        text = (
            f"Chất lượng không khí tại trạm {self._station} {'lúc ' if period == 'hour' else ''}{named}: "
            f"VN_AQI {index.aqi} ({level.name}), chủ yếu do {NAMES[index.dominant]}. {level.everyone}"
        )
        return {
            "station": self._station,
            "position": _position(position),
            "period": period,
            "at": rfc3339(start_ns),
            "aqi": index.aqi,
            "level": level.name,
            "rank": level.rank,
            "colour": level.colour,
            "dominant": index.dominant,
            "sub": index.sub,
            "levels": {what: _shown(level) for what, level in index.levels.items()},
            "unit": "µg/m³",
            "above_scale": list(index.above_scale),
            "method": METHOD,
            "nowcast": self._mode,
            "effect": level.effect,
            "advice": {"everyone": level.everyone, "sensitive": level.sensitive},
            "text": text,
        }

    def index(self, period: str, end_ns: int, data: dict[str, Any], revision: int) -> CloudEvent:
        """``air.aqi.updated``; known, hence timed, at the end of its period."""
        return self._event(("air", "aqi", "updated"), period, end_ns, period, data, revision)

    def hour_data(self, kind: str, hour: int, mean: Fraction, readings: int) -> dict[str, Any]:
        """What an hour of one kind says, without its revision; ``mean`` is of what the kind adds up."""
        statistic = QUANTITIES[kind].hourly
        value = _shown(mean * readings if statistic == "sum" else mean)
        return {
            "station": self._station,
            "kind": kind,
            "period": "hour",
            "at": rfc3339(hour * HOUR_NS),
            "statistic": statistic,
            "value": round(10 * math.log10(mean), 3) if statistic == "leq" else value,
            "unit": QUANTITIES[kind].unit,
            "readings": readings,
        }

    def hour(self, kind: str, hour: int, data: dict[str, Any], revision: int) -> CloudEvent:
        """``env.<kind>.updated``."""
        return self._event(("env", kind, "updated"), kind, (hour + 1) * HOUR_NS, kind, data, revision)

    def exceedance(
        self, limit: Limit, turn: Turn, span_ns: tuple[int, int], since_ns: int, value: Fraction
    ) -> CloudEvent:
        """``air.exceedance.opened|closed``; a turn that does not hold any more is taken back by its opposite."""
        name = f"{limit.kind}/{limit.averaging}"
        start_ns, end_ns = span_ns
        opposite = "closed" if turn.verb == "opened" else "opened"
        data: dict[str, Any] = {
            "station": self._station,
            "kind": limit.kind,
            "averaging": limit.averaging,
            "at": rfc3339(start_ns),
            "since": rfc3339(since_ns),
            "value": _shown(value),
            "limit": limit.micrograms,
            "unit": "µg/m³",
            "document": limit.document,
        }
        if not turn.holds:
            told = self._event(("air", "exceedance", turn.verb), name, end_ns, name, {}, turn.revision - 1)
            data["retracts"] = told.id
        kind = ("air", "exceedance", turn.verb if turn.holds else opposite)
        data["text"] = self._exceedance_text(limit, turn, start_ns, value)
        return self._event(kind, name, end_ns, name, data, turn.revision)

    def quality(self, verb: str, sensor: str, kind: str, flag: str, at_ns: int, since_ns: int) -> CloudEvent:
        """``env.quality.opened|closed``: from when to when a sensor is not believed."""
        data = {
            "station": self._station,
            "sensor": sensor,
            "kind": kind,
            "flag": flag,
            "since": rfc3339(since_ns),
            "revision": 0,
        }
        return self._event(("env", "quality", verb), f"{sensor}/{flag}", at_ns, f"{sensor}/{flag}", data, 0)

    def _exceedance_text(self, limit: Limit, turn: Turn, start_ns: int, value: Fraction) -> str:
        what = f"{NAMES[limit.kind]} {AVERAGING[limit.averaging]} tại trạm {self._station}"
        when = self._local(start_ns).strftime("%H:%M ngày %d/%m/%Y")
        against = f"{number(float(value))} µg/m³, giới hạn {number(limit.micrograms)} ({limit.document})"
        if not turn.holds:
            return f"Đính chính: thông báo trước đây về {what} lúc {when} không còn đúng; số liệu mới {against}."
        if turn.verb == "opened":
            return f"{what[0].upper()}{what[1:]} vượt giới hạn từ {when}: {against}."
        return f"{what[0].upper()}{what[1:]} trở lại trong giới hạn từ {when}: {against}."

    def _event(
        self, kind: tuple[str, str, str], name: str, at_ns: int, key: str, data: dict[str, Any], revision: int
    ) -> CloudEvent:
        return make_event(
            site=self._site,
            entity=self._station,
            kind=kind,
            subject=f"{self._station}/{name}",
            at_ns=at_ns,
            key=key,
            revision=revision,
            data={**data, "revision": revision},
        )

    def _local(self, at_ns: int) -> datetime:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1_000)).astimezone(self._timezone)


def _shown(value: Fraction) -> float:
    """For readers: three decimals; nothing is computed from it."""
    return round(float(value), 3)


def _position(position: tuple[float, float] | None) -> dict[str, float] | None:
    return None if position is None else {"lat": position[0], "lon": position[1]}
