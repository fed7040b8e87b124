"""Types of options that commands and benchmarks share."""

from __future__ import annotations

import math
from typing import Any

import click

from smartstream.model.time import parse_instant


class FloatRange(click.FloatRange):
    """A finite number within bounds: click's own lets ``nan`` through every bound and ``inf`` through a missing one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is no number to reckon with.", param, ctx)
        return number


class Instant(click.ParamType[int]):
    """An instant, RFC 3339 or epoch seconds; its value is in nanoseconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Nanoseconds UTC."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = None
        try:
            return parse_instant(value if seconds is None else seconds)
        except ValueError as e:
            self.fail(str(e), param, ctx)
