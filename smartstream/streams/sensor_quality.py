"""Whether a reading can be believed, from its sensor's own past alone."""

from __future__ import annotations

from statistics import median_low
from typing import Any, Final, Literal

from smartstream.model.quantities import MEASURING, MICRO, QUANTITIES
from smartstream.model.time import NS

Flag = Literal["status", "range", "spike", "stuck"]

_NEAR_NS: Final = 15 * 60 * NS  # readings further apart say nothing about each other
_STUCK_READINGS: Final = 24
_RECENT: Final = 5
_CONFIRMED: Final = 3  # this many readings in a row at a new level: it is a rise, not a spike


def plausible(kind: str, micro: int, status: str) -> Flag | None:
    """What can be said of a reading without any other."""
    if status != MEASURING:
        return "status"
    quantity = QUANTITIES[kind]
    if not quantity.low * MICRO <= micro <= quantity.high * MICRO:
        return "range"
    return None


class SensorQuality:
    """Judges the readings of one sensor in the order they were measured.

    A *spike* lies further from the sensor's recent median than air or weather can move, unless two more readings
    follow at the new level. A sensor is *stuck* when it shows one and the same value for hours.

    Args:
        kind: What it measures.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._step = QUANTITIES[kind].step
        self._stuck_s = QUANTITIES[kind].stuck_s
        self._last_ns: int | None = None
        self._recent: list[int] = []
        self._suspects: list[int] = []
        self._same_value: int | None = None
        self._same_since_ns = 0
        self._same_count = 0

    def judge(self, at_ns: int, micro: int, status: str) -> Flag | None:
        """The flag of a reading; ``None`` when it can be used."""
        flag = plausible(self._kind, micro, status)
        if flag is not None:
            return flag
        near = self._last_ns is not None and at_ns - self._last_ns <= _NEAR_NS
        self._last_ns = at_ns
        if not near:
            self._recent, self._suspects, self._same_value = [], [], None
        if self._is_stuck(at_ns, micro):
            return "stuck"
        if self._is_spike(micro):
            return "spike"
        self._recent = [*self._recent[-_RECENT + 1 :], micro]
        self._suspects = []
        return None

    def _is_stuck(self, at_ns: int, micro: int) -> bool:
        if micro != self._same_value:
            self._same_value, self._same_since_ns, self._same_count = micro, at_ns, 0
        self._same_count += 1
        rested_ns = at_ns - self._same_since_ns
        return self._stuck_s is not None and self._same_count >= _STUCK_READINGS and rested_ns >= self._stuck_s * NS

    def _is_spike(self, micro: int) -> bool:
        if self._step is None or not self._recent:
            return False
        step = self._step * MICRO
        if abs(micro - median_low(self._recent)) <= step:
            return False
        if self._suspects and abs(micro - self._suspects[-1]) > step:
            self._suspects = []
        self._suspects.append(micro)
        if len(self._suspects) < _CONFIRMED:
            return True
        self._recent = []
        return False

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the state."""
        return (
            self._last_ns,
            tuple(self._recent),
            tuple(self._suspects),
            self._same_value,
            self._same_since_ns,
            self._same_count,
        )

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on from ``snapshot``."""
        self._last_ns, recent, suspects, self._same_value, self._same_since_ns, self._same_count = state
        self._recent, self._suspects = list(recent), list(suspects)
