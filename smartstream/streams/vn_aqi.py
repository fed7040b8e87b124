"""VN_AQI: the Vietnamese air quality index, hourly and daily, in exact arithmetic.

Nothing is rounded on the way; the index is rounded half up at the very end, as the Decision's examples are.

Source: QĐ 1459/QĐ-TCMT (12 November 2019), tables 1 and 2. Its own example prints 60 for NO₂ at 118.7 µg/m³;
the formula gives 59.35, hence 59.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

import msgspec

from smartstream.streams.nowcast import Mode, nowcast

METHOD: Final = "VN_AQI (QĐ 1459/QĐ-TCMT)"
DUST: Final = ("pm25", "pm10")
"""One of them must be there, or there is no index."""
GASES: Final = ("o3", "no2", "so2", "co")
POLLUTANTS: Final = (*DUST, *GASES)
"""In the order in which the first of equals is called dominant."""

_INDEX: Final = (0, 50, 100, 150, 200, 300, 400, 500)
_BREAKPOINTS: Final = {  # µg/m³
    "o3": (0, 160, 200, 300, 400, 800, 1_000, 1_200),
    "o3_8h": (0, 100, 120, 170, 210, 400),  # above its last row only the 1-hour level counts
    "co": (0, 10_000, 30_000, 45_000, 60_000, 90_000, 120_000, 150_000),
    "so2": (0, 125, 350, 550, 800, 1_600, 2_100, 2_630),
    "no2": (0, 100, 200, 700, 1_200, 2_350, 3_100, 3_850),
    "pm10": (0, 50, 150, 250, 350, 420, 500, 600),
    "pm25": (0, 25, 50, 80, 150, 250, 350, 500),
}
_DAY_HOURS: Final = 18  # of 24 and 6 of 8: three quarters, below which a mean does not speak for its period
_EIGHT_HOURS: Final = 6


class Index(msgspec.Struct, frozen=True):
    """An index and how it came about.

    Attributes:
        aqi: The highest sub-index, 0-500.
        dominant: The pollutant that gives it.
        sub: Sub-index by pollutant.
        levels: Concentration in µg/m³ by what was judged: ``pm25``, ``o3``, ``o3_8h``, ...
        above_scale: Pollutants beyond the top of the table; their index stands at 500.
    """

    aqi: int
    dominant: str
    sub: dict[str, int]
    levels: dict[str, Fraction]
    above_scale: tuple[str, ...]


def sub_index(what: str, level: Fraction) -> Fraction | None:
    """The unrounded index of one level.

    Args:
        what: A pollutant, or ``o3_8h``.
        level: Concentration in µg/m³, at least 0.

    Returns:
        0 to 500; ``None`` for an 8-hour ozone level above the table.
    """
    points = _BREAKPOINTS[what]
    for i in range(len(points) - 1):
        if level <= points[i + 1]:
            slope = Fraction(_INDEX[i + 1] - _INDEX[i], points[i + 1] - points[i])
            return slope * (level - points[i]) + _INDEX[i]
    return None if what == "o3_8h" else Fraction(_INDEX[-1])


def half_up(value: Fraction) -> int:
    """The nearest whole number; halves go up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def hourly_index(means: Mapping[str, Sequence[Fraction | None]], mode: Mode = "literal") -> Index | None:
    """The index of an hour: dust by NowCast, gases by their mean of this hour.

    Args:
        means: By pollutant, hourly means from the hour in question back in time, up to twelve of them.
        mode: Which NowCast.

    Returns:
        The index, or ``None`` without PM10 and PM2.5.
    """
    levels = {kind: nowcast(means[kind], mode) for kind in DUST if kind in means}
    levels |= {kind: means[kind][0] for kind in GASES if means.get(kind)}
    return _index({what: level for what, level in levels.items() if level is not None})


def daily_index(means: Mapping[str, Sequence[Fraction | None]], before: Sequence[Fraction | None] = ()) -> Index | None:
    """The index of a day: dust by its mean, ozone by its highest hour and eight hours, other gases by the highest hour.

    Args:
        means: By pollutant, the hourly means of the day in order.
        before: Ozone of the seven hours before the day, for the means over eight hours that reach back.

    Returns:
        The index, or ``None`` when neither dust has three quarters of its hours.
    """
    levels: dict[str, Fraction] = {}
    for kind, hours in means.items():
        there = [c for c in hours if c is not None]
        if kind in DUST and len(there) >= _DAY_HOURS:
            levels[kind] = mean(there)
        elif kind in GASES and there:
            levels[kind] = max(there)
    longest = highest_eight_hours([*before, *means.get("o3", ())])
    if longest is not None:
        levels["o3_8h"] = longest
    return _index(levels)


def mean(values: Sequence[Fraction]) -> Fraction:
    """The arithmetic mean of at least one value."""
    return sum(values, Fraction(0)) / len(values)


def eight_hours(hours: Sequence[Fraction | None]) -> Fraction | None:
    """The mean of eight hours, ``None`` with less than three quarters of them."""
    there = [c for c in hours if c is not None]
    return mean(there) if len(there) >= _EIGHT_HOURS else None


def day_mean(hours: Sequence[Fraction | None]) -> Fraction | None:
    """The mean of a day's hours, ``None`` with less than three quarters of them."""
    there = [c for c in hours if c is not None]
    return mean(there) if len(there) >= _DAY_HOURS else None


def highest_eight_hours(hours: Sequence[Fraction | None]) -> Fraction | None:
    """The highest mean over eight consecutive hours."""
    windows = (eight_hours(hours[i : i + 8]) for i in range(len(hours) - 7))
    return max((level for level in windows if level is not None), default=None)


def _index(levels: dict[str, Fraction]) -> Index | None:
    if not any(kind in levels for kind in DUST):
        return None
    exact: dict[str, Fraction] = {}
    for what, level in levels.items():
        kind = "o3" if what == "o3_8h" else what
        found = sub_index(what, level)
        if found is not None:
            exact[kind] = max(found, exact.get(kind, Fraction(0)))
    sub: dict[str, int] = {kind: half_up(exact[kind]) for kind in POLLUTANTS if kind in exact}
    dominant = max(sub, key=lambda kind: exact[kind])  # the first of equals
    above = tuple(what for what, level in levels.items() if level > _BREAKPOINTS[what][-1] and what != "o3_8h")
    return Index(sub[dominant], dominant, sub, levels, above)
