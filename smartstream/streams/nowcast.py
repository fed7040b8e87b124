"""NowCast: the present level of dust from the last twelve hours, in exact arithmetic.

Source: QĐ 1459/QĐ-TCMT (2019), section on the hourly index.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal

HOURS: Final = 12
"""Hours that count, the current one first."""
Mode = Literal["literal", "normalised"]

_HALF: Final = Fraction(1, 2)


def nowcast(hours: Sequence[Fraction | None], mode: Mode = "literal") -> Fraction | None:
    """The weighted mean of the current hour and the eleven before it.

    The Decision's form for strongly varying air (weight one half) is a sum that reaches the level only when no
    hour is missing; with gaps it is too low. ``literal`` keeps to the Decision, ``normalised`` divides by the
    weights that are there.

    Args:
        hours: Hourly means c1 (current), c2, ... c12; ``None`` for an hour without data.
        mode: Which form to use.

    Returns:
        The level in the unit of the means; ``None`` when fewer than two of c1, c2, c3 are there.
    """
    if sum(c is not None for c in hours[:3]) < 2:
        return None
    there = [(i, c) for i, c in enumerate(hours[:HOURS]) if c is not None]
    values = [c for _, c in there]
    largest = max(values)
    if largest == 0:
        return Fraction(0)
    weight = max(min(values) / largest, _HALF)
    if weight > _HALF or mode == "normalised":
        total = sum((weight**i * c for i, c in there), Fraction(0))
        return total / sum((weight**i for i, _ in there), Fraction(0))
    return sum((_HALF ** (i + 1) * c for i, c in there), Fraction(0))
