"""Roads between junctions: what the joins know of the street network."""

from __future__ import annotations

import msgspec


class Road(msgspec.Struct, frozen=True):
    """A road from one junction to the next.

    Attributes:
        start: Junction it leaves.
        end: Junction it reaches.
        camera: Camera that sees the approach at ``end``.
        lanes: Lanes of the approach there.
        travel_s: Seconds of free travel.
        feeder_camera: Camera at ``start`` that sees what waits to enter the road.
        feeder_lanes: Its lanes.
        entry_camera: Camera at ``start`` that sees the first metres of the road.
        entry_lanes: Its lanes.
    """

    start: str
    end: str
    camera: str
    lanes: tuple[str, ...]
    travel_s: float
    feeder_camera: str | None = None
    feeder_lanes: tuple[str, ...] = ()
    entry_camera: str | None = None
    entry_lanes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``start→end``."""
        return f"{self.start}→{self.end}"
