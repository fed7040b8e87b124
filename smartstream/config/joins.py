"""Tables of the site file that the joins read: roads, gateways, gauges, the network, and the joins themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from smartstream.config.fields import Id
from smartstream.config.table import Table

_Metres = Annotated[float, Field(gt=0, le=20_000)]
CameraLane = Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+$")]
"""``camera/lane``."""


class Road(Table):
    """A road from one junction to the next, in the direction of travel."""

    start: Id
    """Junction it leaves."""
    end: Id
    """Junction it reaches."""
    travel_s: Annotated[float, Field(gt=0, le=3600)]
    """Seconds of free travel."""
    approach: tuple[CameraLane, ...] = ()
    """Lanes of one camera that see it arrive at `end`, as `camera/lane`; needed by the join `spillback`."""
    feeder: tuple[CameraLane, ...] = ()
    """Lanes of one camera that see what waits at `start` to enter it."""
    entry: tuple[CameraLane, ...] = ()
    """Lanes of one camera at `start` that see its first metres."""


class Gateway(Table):
    """A counting line across the cordon of the city."""

    id: Id
    """Its name."""
    camera: Id
    """Camera that has the line."""
    line: Id
    """Line of the camera."""
    inward: Literal["forward", "backward"] = "forward"
    """Direction of its crossings that enters the city."""


class Gauge(Table):
    """A water gauge with its alarm level."""

    station: Id
    """Station, as its lines say it."""
    alarm_m: float
    """Level from which on the road near it is flooded, metres of the gauge's own datum."""
    junctions: tuple[Id, ...] = ()
    """Junctions whose rules rest while it is above the alarm."""


class NetworkNode(Table):
    """A switch or link that devices hang on."""

    id: Id
    """Its name."""
    parent: Id | None = None
    """Node it hangs on itself."""
    cameras: tuple[Id, ...] = ()
    """Cameras on it."""
    stations: tuple[Id, ...] = ()
    """Stations on it."""


class Warnings(Table):
    """Public warnings."""

    sender: Annotated[str, Field(pattern=r"^[^\s,<&]+$")] = "smartstream"
    """Who CAP messages name as their sender: no spaces, commas, `<` or `&`, as CAP 1.2 has it."""
    radius_m: _Metres = 500.0
    """Metres around an incident that its warning is for."""


class PlainJoin(Table):
    """A join without parameters."""

    kind: Literal[
        "signal_failure",
        "crash",
        "air_spike",
        "camera_blind",
        "camera_drift",
        "spillback",
        "emergency_corridor",
        "report_evidence",
        "false_closing",
        "repeated_verdict",
        "coverage",
    ]
    """Kind of its incidents."""
    enabled: bool = True
    """False: not armed."""


class FloodJoin(Table):
    """J-02."""

    kind: Literal["flood"]
    """Kind of its incidents."""
    enabled: bool = True
    """False: not armed."""
    rain_mm: Annotated[float, Field(gt=0, le=500)] = 20.0
    """Millimetres of rain within 30 minutes that count as heavy."""
    radius_m: _Metres = 500.0
    """Metres from a station within which its water is spoken of."""


class GatewayJoin(Table):
    """J-10."""

    kind: Literal["gateway_balance"]
    """Kind of its incidents."""
    enabled: bool = True
    """False: not armed."""
    limit: Annotated[int, Field(gt=0)] = 300
    """Vehicles by which the city may fill or empty within an hour."""


class NetworkJoin(Table):
    """J-23."""

    kind: Literal["network_outage"]
    """Kind of its incidents."""
    enabled: bool = True
    """False: not armed."""
    silent_s: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    """Seconds without a reading after which a station is silent."""


JoinTable = Annotated[PlainJoin | FloodJoin | GatewayJoin | NetworkJoin, Field(discriminator="kind")]
