"""What the joins are told: one small fact at a time, whatever stream it comes from."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SideKind = Literal["camera", "verdict", "sensor", "report", "condition"]
"""Kinds of sides; joins say which of them an opening needs and which may come later."""


class Fact(msgspec.Struct, frozen=True, tag=True):
    """Something that happened or was measured.

    Attributes:
        time_ns: Event time, its place in every join.
        kind: ``reading``, ``report``, ``condition``, ``lanes``, ``impact``, ``moved_off``, ``dark``, ``back``,
            ``crossing``, ``violation``, ``signal``.
        entity: What it is about: a camera, a station, a report.
        what: The kind's own kind: ``rain``, ``flood``, ``red_light``.
        value: Its number, if it has one.
        junction: Where, by junction.
        position: Where, in degrees north and east.
        more: Small JSON values.
    """

    time_ns: int
    kind: str
    entity: str
    what: str = ""
    value: float = 0.0
    junction: str | None = None
    position: tuple[float, float] | None = None
    more: dict[str, Any] = {}


def speaker(report: Fact) -> str:
    """Who made a report: messages are not reporters."""
    return str(report.more.get("voice", report.entity))


class Facts(msgspec.Struct, frozen=True, tag=True):
    """Facts of one side; nothing at or before the watermark will follow."""

    side: str
    facts: tuple[Fact, ...]
    watermark_ns: int
    idle: bool = False
