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


class Size(click.ParamType[tuple[int, int]]):
    """Width and height of a picture in pixels, as ``1280x720``."""

    name = "WxH"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Both, even: what video encoders take."""
        if isinstance(value, tuple):
            return value
        width, _, height = str(value).partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            self.fail(f"expected WIDTHxHEIGHT such as 1280x720, found {value!r}", param, ctx)
        size = int(width), int(height)
        if not all(64 <= v <= 4096 and v % 2 == 0 for v in size):
            self.fail(f"expected even numbers from 64 to 4096, found {value!r}", param, ctx)
        return size
