"""A sensor feed: JSON lines of any number of stations."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line, instant_of, named
from smartstream.ingest.lines import LineSource
from smartstream.model.items import Item, Reading, Readings
from smartstream.model.quantities import MEASURING, QUANTITIES, clock_set, factor
from smartstream.model.time import NS

HORIZON_NS: Final = 24 * 3600 * NS
"""A line later than its allowed lateness corrects what was published, up to this age."""
_MOST: Final = 20_000
"""Sensors of one feed: each costs memory for ever, since its next line may leave out what the first one said."""
_LARGEST: Final = 1e12  # far beyond any range; what is in it can be computed with
_MEASURING: Final = frozenset({MEASURING, "00", "đang đo", "dang do"})


class SensorLine(msgspec.Struct):
    """A line of a sensor feed."""

    time: str | int | float
    sensor: str
    value: float
    kind: str | None = None
    unit: str | None = None
    station: str | None = None
    status: str | None = "measuring"
    lat: float | None = None
    lon: float | None = None


_decoder: Final = msgspec.json.Decoder(SensorLine)
_Sensor = tuple[str, str, str]


class Registry:
    """What each sensor is, as its first valid line says.

    A line is valid once its time is believed; until then it only fills in what the next lines leave out.

    Args:
        state: What ``snapshot`` returned.
    """

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._known: dict[str, _Sensor] = dict(state.get("known", {}))
        self._claimed: dict[str, _Sensor] = dict(state.get("claimed", {}))

    def resolve(self, sensor: str, station: str | None, kind: str | None, unit: str | None) -> _Sensor:
        """Station, kind and unit of a line; later lines may leave out what the first one said.

        Raises:
            RefusedError: Unknown kind or unit, another station or kind than at first, or one sensor too many.
        """
        first = self._known.get(sensor) or self._claimed.get(sensor)
        if first is not None:
            station, kind, unit = station or first[0], kind or first[1], unit or first[2]
        if kind is None or unit is None:
            raise RefusedError("unregistered", "expected kind and unit in the first line of a sensor")
        if kind not in QUANTITIES:
            raise RefusedError("unknown_kind", f"expected one of {', '.join(QUANTITIES)}, found {kind[:32]!r}")
        if factor(kind, unit) is None:
            expected = ", ".join(QUANTITIES[kind].factors)
            raise RefusedError("unknown_unit", f"expected one of {expected} for {kind}, found {unit[:32]!r}")
        if first is None and len(self._known) >= _MOST:
            raise RefusedError("too_many_sensors", f"expected at most {_MOST} sensors in a feed")
        found = (station or sensor, kind, unit)
        self._agree(sensor, found)
        return found

    def claim(self, sensor: str, found: _Sensor) -> None:
        """A line whose time is not believed yet says what its sensor is."""
        if sensor not in self._known:
            self._claimed.setdefault(sensor, found)

    def register(self, sensor: str, found: _Sensor) -> None:
        """A line of this sensor is valid.

        Raises:
            RefusedError: Another station or kind than at first.
        """
        self._agree(sensor, found)
        self._known.setdefault(sensor, found)
        self._claimed.pop(sensor, None)

    def forget(self, sensor: str) -> None:
        """A line of this sensor was not valid after all."""
        self._claimed.pop(sensor, None)

    def snapshot(self) -> dict[str, Any]:
        """A copy."""
        return {"known": dict(self._known), "claimed": dict(self._claimed)}

    def _agree(self, sensor: str, found: _Sensor) -> None:
        first = self._known.get(sensor)
        if first is not None and found[:2] != first[:2]:
            station, kind, _ = found
            detail = f"expected {first[1]} at {first[0][:64]!r} as at first, found {kind} at {station[:64]!r}"
            raise RefusedError("conflict", detail)


class ReadingFeed(LineFeed[Reading]):
    """A feed whose lines are readings; ``lateness_ns`` of its source is how long an hour waits for its lines."""

    horizon_ns = HORIZON_NS
    jump_ns = 6 * 3600 * NS  # stations are silent for hours; their clocks are wrong by years
    step_ns = 3600 * NS  # many speak once an hour

    def __init__(self, source: LineSource, resume: dict[str, Any] | None = None) -> None:
        super().__init__(source, resume)
        self._registry = Registry((resume or {}).get("registry"))

    def _reading(
        self,
        line_no: int,
        at_ns: int,
        sensor: str,
        found: tuple[str, str, str],
        value: float,
        status: str,
        position: tuple[float, float] | None = None,
    ) -> tuple[int, Reading]:
        if not sensor or len(sensor) > 128 or len(found[0]) > 128:
            raise RefusedError("bad_field", "expected names of 1 to 128 characters")
        if not abs(value) <= _LARGEST:  # also refuses NaN
            raise RefusedError("bad_field", f"expected a value of at most {_LARGEST:g}, found {value}")
        if not clock_set(at_ns):
            raise RefusedError("absurd_time", "expected a time after the year 2000")
        self._registry.claim(sensor, found)
        station, kind, unit = found
        state = MEASURING if status.strip().casefold() in _MEASURING else status[:64]
        return at_ns, Reading(0, at_ns, self.side, line_no, station, sensor, kind, value, unit, state, position)

    def _arrived(self, value: Reading) -> Reading:
        self._registry.register(value.sensor, (value.station, value.kind, value.unit))
        return msgspec.structs.replace(value, clock_ns=self.position_ns)

    def _forgotten(self, value: Reading) -> None:
        self._registry.forget(value.sensor)

    def _voice(self, value: Reading) -> str:
        return value.station

    def _batch(self, values: tuple[Reading, ...]) -> Item:
        return Readings(self.side, values, self.position_ns, self.ended)

    def snapshot(self) -> dict[str, Any]:
        """Where to go on after the last chunk."""
        return {**super().snapshot(), "registry": self._registry.snapshot()}


class SensorLines(ReadingFeed):
    """Readings as JSON lines."""

    def _parse(self, line_no: int, line: bytes) -> tuple[int, Reading]:
        parsed = decode_line(_decoder, line)
        at_ns = instant_of(parsed.time)
        sensor = named(parsed.sensor, "sensor")
        station = named(parsed.station, "station") if parsed.station else None
        found = self._registry.resolve(sensor, station, parsed.kind, parsed.unit)
        position = None
        if parsed.lat is not None and parsed.lon is not None:
            if not (-90 <= parsed.lat <= 90 and -180 <= parsed.lon <= 180):
                raise RefusedError("bad_position", f"expected degrees, found lat {parsed.lat}, lon {parsed.lon}")
            position = (parsed.lat, parsed.lon)
        return self._reading(line_no, at_ns, sensor, found, parsed.value, parsed.status or MEASURING, position)
