"""From the site file to the configuration of a junction's rule engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from smartstream.config.camera import Camera, Lane
from smartstream.config.site import Junction, Site
from smartstream.rules.text_vi import ACTS

BUILT: Final = frozenset(ACTS)
"""Rule kinds the engine knows, and has words for; others are told as not armed."""

_YEARS: Final = range(2000, 2051)
"""Years whose changes of the clock are handed to the engine."""


class NotArmed(msgspec.Struct, frozen=True):
    """A rule of the site file that this release does not judge."""

    camera: str
    kind: str


class CompiledJunction(msgspec.Struct, frozen=True):
    """What a junction's engine is made of.

    Attributes:
        config: JSON for ``JunctionEngine``.
        cameras: Names of the cameras; the index is the engine's code.
        groups: Names of the signal groups; the index is the engine's code.
        not_armed: Rules left out.
    """

    config: bytes
    cameras: tuple[str, ...]
    groups: tuple[str, ...]
    not_armed: tuple[NotArmed, ...]


def compile_junction(site: Site, junction: Junction) -> CompiledJunction:
    """The engine's configuration for every camera of ``junction``."""
    cameras = tuple(c for c in site.camera if c.junction == junction.id)
    groups = tuple(s.id for s in junction.signal)
    config = {
        "groups": groups,
        "read_groups": sorted(site.reads(junction.id)),
        "utc_offsets": utc_offsets(site.site.timezone),
        "cameras": [_camera(c, site.clock_error_s(c)) for c in cameras],
    }
    return CompiledJunction(
        config=json.dumps(config, separators=(",", ":")).encode(),
        cameras=tuple(c.id for c in cameras),
        groups=groups,
        not_armed=tuple(NotArmed(c.id, r.kind) for c in cameras for r in c.rule if r.kind not in BUILT),
    )


@cache
def utc_offsets(timezone: str) -> tuple[tuple[int, int], ...]:
    """Offsets of a time zone from UTC: from this second on, so many seconds; to the hour of each change."""
    zone = ZoneInfo(timezone)

    def offset(at_s: int) -> int:
        span = datetime.fromtimestamp(at_s, UTC).astimezone(zone).utcoffset()
        return 0 if span is None else round(span.total_seconds())

    first, last = (round(datetime(y, 1, 1, tzinfo=UTC).timestamp()) for y in (_YEARS[0], _YEARS[-1]))
    offsets = [(0, offset(first))]
    for day_s in range(first, last, 86_400):
        if offset(day_s) != offsets[-1][1]:
            hours = range(day_s - 86_400, day_s + 1, 3600)
            change_s = next(s for s in hours if offset(s) == offset(day_s))
            offsets.append((change_s, offset(day_s)))
    return tuple(offsets)


def _camera(camera: Camera, clock_error_s: float) -> dict[str, Any]:
    calibration = camera.calibration
    return {
        "id": camera.id,
        "clock_uncertainty_s": clock_error_s,
        "calibration": None if calibration is None else {"image": calibration.image, "world_m": calibration.world_m},
        "lanes": [_lane(lane) for lane in camera.lane],
        "lines": [line.model_dump(mode="json") for line in camera.line],
        "zones": [zone.model_dump(mode="json", include={"id", "polygon"}) for zone in camera.zone],
        "rules": [r.model_dump(mode="json", exclude_none=True) for r in camera.rule if r.kind in BUILT],
    }


def _lane(lane: Lane) -> dict[str, Any]:
    return lane.model_dump(mode="json", exclude_none=True)
