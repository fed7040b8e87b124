"""Types of options that commands and benchmarks share."""

from __future__ import annotations

import math
from typing import Any

import click


class FloatRange(click.FloatRange):
    """A finite number within bounds: click's own lets ``nan`` through every bound and ``inf`` through a missing one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is no number to reckon with.", param, ctx)
        return number
