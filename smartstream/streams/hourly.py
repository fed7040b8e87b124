"""Hourly sums of a station's readings, exact and free of the order of arrival."""

from __future__ import annotations

from array import array
from fractions import Fraction
from typing import Any, Final

from smartstream.model.quantities import MICRO
from smartstream.model.time import NS

HOUR_NS: Final = 3600 * NS


class HourlySums:
    """Sum and count per kind and hour since 1970, with the instants already counted.

    An instant is remembered as milliseconds within its hour, so that a line sent twice counts once.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], tuple[int, int]] = {}
        self._seen: dict[tuple[str, int], array[int]] = {}

    def add(self, kind: str, sensor: str, at_ns: int, micro: int) -> None:
        """Count a reading."""
        hour = at_ns // HOUR_NS
        total, count = self._sums.get((kind, hour), (0, 0))
        self._sums[kind, hour] = (total + micro, count + 1)
        self._seen.setdefault((sensor, hour), array("I")).append(_within(at_ns))

    def seen(self, sensor: str, at_ns: int) -> bool:
        """Whether a reading of this sensor and instant was counted."""
        counted = self._seen.get((sensor, at_ns // HOUR_NS))
        return counted is not None and _within(at_ns) in counted

    def mean(self, kind: str, hour: int) -> Fraction | None:
        """The mean of an hour in the kind's unit."""
        found = self._sums.get((kind, hour))
        return None if found is None else Fraction(found[0], found[1] * MICRO)

    def means(self, kind: str, newest: int, hours: int) -> list[Fraction | None]:
        """Means of ``hours`` hours from ``newest`` back in time."""
        return [self.mean(kind, newest - i) for i in range(hours)]

    def count(self, kind: str, hour: int) -> int:
        """Readings in an hour."""
        return self._sums.get((kind, hour), (0, 0))[1]

    def kinds(self, hour: int) -> list[str]:
        """Kinds with a reading in an hour, sorted."""
        return sorted(kind for kind, at in self._sums if at == hour)

    def forget(self, *, sums_before: int, instants_before: int) -> None:
        """Drop hours that nothing can change any more."""
        for old in [key for key in self._sums if key[1] < sums_before]:
            del self._sums[old]
        for gone in [key for key in self._seen if key[1] < instants_before]:
            del self._seen[gone]

    def snapshot(self) -> tuple[Any, ...]:
        """A copy; small, since instants are kept as bytes."""
        return dict(self._sums), {key: seen.tobytes() for key, seen in self._seen.items()}

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on from ``snapshot``."""
        sums, seen = state
        self._sums = dict(sums)
        self._seen = {key: array("I", instants) for key, instants in seen.items()}


def _within(at_ns: int) -> int:
    return at_ns % HOUR_NS // 1_000_000
