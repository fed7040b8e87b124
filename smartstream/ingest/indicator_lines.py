"""An indicator feed: values, and records of sector systems that become values (``smartstream catalogue``)."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from smartstream.catalogue.records import RefusedRecordError, read_record
from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line, instant_of, named
from smartstream.model.items import Figure, Figures, Item
from smartstream.model.time import NS

_LARGEST: Final = 1e15


class IndicatorLine(msgspec.Struct):
    """A line of an indicator feed that says a value."""

    time: str | int | float
    indicator: str
    area: str
    value: float
    unit: str
    target: float | None = None
    every_s: float | None = 0.0
    counted: bool | None = False


_any: Final = msgspec.json.Decoder(dict[str, Any])


class IndicatorLines(LineFeed[tuple[Figure, ...]]):
    """Values and records as JSON lines."""

    horizon_ns = 31 * 86_400 * NS  # offices report late
    jump_ns = 366 * 86_400 * NS  # some report once a year
    step_ns = 86_400 * NS  # and most of them once a day

    def _parse(self, line_no: int, line: bytes) -> tuple[int, tuple[Figure, ...]]:
        fields = decode_line(_any, line)
        found = self._record(fields) if "record" in fields else [self._value(fields)]
        at_ns = instant_of(fields.get("time"))
        return at_ns, tuple(msgspec.structs.replace(f, time_ns=at_ns, side=self.side, line=line_no) for f in found)

    @staticmethod
    def _value(fields: dict[str, Any]) -> Figure:
        try:
            said = msgspec.convert(fields, IndicatorLine)
        except msgspec.ValidationError as e:
            raise RefusedError("bad_field", str(e)) from None
        indicator, area = named(said.indicator, "indicator"), named(said.area, "area")
        unit = named(said.unit, "unit", 64) if said.unit else ""
        every_s = said.every_s or 0.0
        for name, value in (("value", said.value), ("target", said.target or 0.0), ("every_s", every_s)):
            if not (math.isfinite(value) and abs(value) <= _LARGEST) or (name == "every_s" and value < 0):
                raise RefusedError("bad_field", f"expected a usable {name}, found {value}")
        owed = (said.target, every_s, bool(said.counted))
        return Figure(0, 0, "", 0, indicator, area, said.value, unit, *owed)

    @staticmethod
    def _record(fields: dict[str, Any]) -> list[Figure]:
        try:
            record = read_record(fields)
        except RefusedRecordError as e:
            raise RefusedError(e.reason, e.detail) from None
        area = named(record.area, "area")
        if not record.figures:
            return [Figure(0, 0, "", 0, f"{record.name}.count", area, 1.0, record.unit, counted=True)]
        values = [(name, float(getattr(record, name))) for name in record.figures]
        return [Figure(0, 0, "", 0, f"{record.name}.{name}", area, value, record.unit) for name, value in values]

    def _voice(self, value: tuple[Figure, ...]) -> str:
        return f"{value[0].indicator}/{value[0].area}"

    def _payload(self, line: bytes) -> str:
        """Nothing of a record: what must stay out does not come in by the letter that refuses it."""
        return "" if b'"record"' in line else super()._payload(line)

    def _arrived(self, value: tuple[Figure, ...]) -> tuple[Figure, ...]:
        return tuple(msgspec.structs.replace(figure, clock_ns=self.position_ns) for figure in value)

    def _batch(self, values: tuple[tuple[Figure, ...], ...]) -> Item:
        return Figures(self.side, tuple(f for line in values for f in line), self.position_ns, self.ended)
