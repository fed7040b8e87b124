"""From the site file to the configuration of a junction's rule engine."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from smartstream.config.site import Camera, Junction, Lane, Site

BUILT: Final = frozenset({"red_light", "yellow_light", "stop_line", "wrong_way"})
"""Rule kinds the engine knows; the others of the interface are told as not armed."""


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
        "junction": junction.id,
        "groups": groups,
        "cameras": [_camera(c) for c in cameras],
    }
    return CompiledJunction(
        config=json.dumps(config, separators=(",", ":")).encode(),
        cameras=tuple(c.id for c in cameras),
        groups=groups,
        not_armed=tuple(NotArmed(c.id, r.kind) for c in cameras for r in c.rule if r.kind not in BUILT),
    )


def _camera(camera: Camera) -> dict[str, Any]:
    calibration = camera.calibration
    return {
        "id": camera.id,
        "calibration": None if calibration is None else {"image": calibration.image, "world_m": calibration.world_m},
        "lanes": [_lane(lane) for lane in camera.lane],
        "lines": [line.model_dump(mode="json") for line in camera.line],
        "zones": [zone.model_dump(mode="json") for zone in camera.zone],
        "rules": [r.model_dump(mode="json", exclude_none=True) for r in camera.rule if r.kind in BUILT],
    }


def _lane(lane: Lane) -> dict[str, Any]:
    return lane.model_dump(mode="json", exclude_none=True)
