"""What stations measure: kinds, units and their conversion, physical limits of a believable reading.

Values travel as whole millionths of the kind's unit, so that means do not depend on the order of arrival.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

import msgspec

from smartstream.model.time import NS

MEASURING: Final = "measuring"
"""The one status that counts; whatever else a device says of itself (TT 10/2021/TT-BTNMT, article 39) is a doubt."""
MICRO: Final = 1_000_000
"""Millionths per unit."""

_MOLAR_L: Final = 24.465  # litres per mole at 25 °C and 760 mmHg, the reference state of QCVN 05
_MICROGRAM: Final = {"µg/m³": 1.0, "µg/nm³": 1.0, "mg/m³": 1e3, "mg/nm³": 1e3}


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of reading.

    Attributes:
        unit: Of every value inside the engine and in events.
        factors: Accepted units in their folded form and what they are multiplied by.
        low: Smallest believable value.
        high: Largest believable value.
        step: Largest believable change within a quarter of an hour; ``None``: any.
        stuck_s: Seconds of one and the same value after which a sensor is not believed; ``None``: it may rest.
        hourly: What an hour of readings is told as: their ``mean``, their ``sum``, the level of their mean energy
            (``leq``, for decibels); ``None``: nothing, a mean direction is not a mean of degrees.
    """

    unit: str
    factors: dict[str, float]
    low: float
    high: float
    step: float | None = None
    stuck_s: int | None = None
    hourly: Literal["mean", "sum", "leq"] | None = "mean"


def _gas(molar_g: float, high: float, step: float) -> Quantity:
    by_volume = {"ppb": molar_g / _MOLAR_L, "ppm": 1e3 * molar_g / _MOLAR_L}
    factors = {**_MICROGRAM, **by_volume}
    return Quantity(unit="µg/m³", factors=factors, low=0, high=high, step=step, stuck_s=12 * 3600)


def _dust(high: float, step: float) -> Quantity:
    return Quantity(unit="µg/m³", factors=_MICROGRAM, low=0, high=high, step=step, stuck_s=6 * 3600)


QUANTITIES: Final[dict[str, Quantity]] = {
    "pm25": _dust(2_000, 150),
    "pm10": _dust(5_000, 300),
    "pm1": _dust(2_000, 150),
    "tsp": _dust(10_000, 500),
    "so2": _gas(64.066, 5_000, 300),
    "no2": _gas(46.0055, 5_000, 300),
    "no": _gas(30.006, 5_000, 500),
    "nox": _gas(46.0055, 10_000, 500),
    "o3": _gas(47.998, 2_000, 200),
    "co": _gas(28.010, 300_000, 20_000),
    "temperature": Quantity(
        unit="°C", factors={"°c": 1, "oc": 1, "c": 1}, low=-10, high=55, step=10, stuck_s=12 * 3600
    ),
    "humidity": Quantity(unit="%", factors={"%": 1, "%rh": 1}, low=0, high=100),
    "pressure": Quantity(
        unit="hPa", factors={"hpa": 1, "mbar": 1, "pa": 0.01, "kpa": 10}, low=800, high=1_100, step=10
    ),
    "wind_speed": Quantity(unit="m/s", factors={"m/s": 1, "km/h": 1 / 3.6}, low=0, high=90),
    "wind_direction": Quantity(unit="°", factors={"°": 1, "deg": 1}, low=0, high=360, hourly=None),
    "rain": Quantity(unit="mm", factors={"mm": 1}, low=0, high=300, hourly="sum"),
    "noise": Quantity(unit="dBA", factors={"dba": 1, "db(a)": 1}, low=20, high=140, hourly="leq"),
    "water_level": Quantity(unit="m", factors={"m": 1, "cm": 0.01, "mm": 0.001}, low=-100, high=9_000),
    "radiation": Quantity(unit="W/m²", factors={"w/m²": 1}, low=-20, high=1_800),
}
"""Every kind by its name in the input lines. Ranges are those of instruments and weather, not of law."""

_FOLDED: Final = str.maketrans({"μ": "µ", "3": "³", "2": "²", " ": None})  # Greek mu to the micro sign
_EARLIEST_NS: Final = 946_684_800 * NS  # the year 2000: a station's clock before it was never set


@lru_cache(maxsize=1024)  # called per line; feeds repeat the same few, and a hostile one cannot grow it
def factor(kind: str, unit: str) -> float | None:
    """What a value in ``unit`` is multiplied by, ``None`` for a unit the kind does not know."""
    folded = unit.lower().translate(_FOLDED)
    if folded.startswith("ug/"):
        folded = f"µ{folded[1:]}"
    return QUANTITIES[kind].factors.get(folded)


def to_micro(value: float, by: float) -> int:
    """A finite value in whole millionths of the kind's own unit."""
    return round(value * by * MICRO)


def energy(micro: int) -> int:
    """What a level in millionths of a decibel adds to a mean of energies, in millionths of the reference energy."""
    return round(10 ** (micro / (10 * MICRO)) * MICRO)


def clock_set(at_ns: int) -> bool:
    """Whether a station's clock can have been set at all."""
    return at_ns >= _EARLIEST_NS
