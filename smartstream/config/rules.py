"""The rules of a camera, one model per kind: what it needs and its parameters with their defaults."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from smartstream.config.fields import HoursText, Id, Weekday
from smartstream.config.table import Table
from smartstream.model.classes import VehicleClass

_Seconds = Annotated[float, Field(ge=0, le=86_400)]
_Classes = Annotated[tuple[VehicleClass, ...], Field(min_length=1)]


class _LaneRule(Table):
    lanes: Annotated[tuple[Id, ...], Field(min_length=1)] | None = None
    """Lanes it watches; absent: every lane of the camera that says what the rule needs."""


class _Hours(Table):
    hours: Annotated[tuple[HoursText, ...], Field(min_length=1)] | None = None
    """When it applies, in the site's time zone, such as `["06:00-09:00", "16:00-19:00"]`; absent: always."""
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] | None = None
    """Days it applies on (the day on which the hours begin); absent: every day."""


class RedLight(Table):
    """Crossing the stop line after the onset of red and going on into the junction."""

    kind: Literal["red_light"]
    line: Id
    """Stop line."""
    grace_s: _Seconds = 0.3
    """Seconds after the onset of red in which a crossing is not yet one."""
    incursion_m: Annotated[float, Field(ge=0, le=100)] = 3.0
    """Metres past the line that prove it went on; without calibration half the vehicle's box height."""


class YellowLight(Table):
    """Crossing the stop line on amber when stopping was possible."""

    kind: Literal["yellow_light"]
    line: Id
    """Stop line."""
    dilemma_mps2: Annotated[float, Field(gt=0, le=20)] = 3.5
    """Braking in m/s² above which stopping was not possible safely."""


class StopLine(Table):
    """Standing beyond the stop line on red."""

    kind: Literal["stop_line"]
    line: Id
    """Stop line."""
    min_stop_s: _Seconds = 2.0
    """Seconds of standing that make a stop."""


class WrongWay(_LaneRule):
    """Driving against the lawful direction of a lane."""

    kind: Literal["wrong_way"]
    min_angle: Annotated[float, Field(ge=90, le=180)] = 120.0
    """Degrees between path and lane direction."""
    min_path_m: Annotated[float, Field(gt=0, le=1000)] = 8.0
    """Metres of path that prove it."""


class WrongLane(_LaneRule):
    """Driving in a lane that is not open to the vehicle's class."""

    kind: Literal["wrong_lane"]
    min_dwell_s: _Seconds = 1.5
    """Seconds in the lane."""


class LaneArrow(_LaneRule):
    """Leaving the junction by a movement that the lane's arrow does not allow."""

    kind: Literal["lane_arrow"]


class SolidLine(Table):
    """Driving over or on a solid line."""

    kind: Literal["solid_line"]
    line: Id
    """The line that must not be crossed."""
    min_over_s: _Seconds = 0.4
    """Seconds on or over the line."""


class IllegalTurn(_Hours):
    """Turning where a sign forbids it."""

    kind: Literal["illegal_turn"]
    line: Id
    """Exit line of the forbidden movement."""
    classes: _Classes | None = None
    """Classes the sign forbids; absent: every class."""


class UTurn(Table):
    """Turning around where it is forbidden; give `zone`, `line` or both."""

    kind: Literal["u_turn"]
    zone: Id | None = None
    """Zone in which the path turns around."""
    line: Id | None = None
    """Exit line with `movement = "u_turn"`."""


class IllegalStop(Table):
    """Standing in a zone where stopping or parking is forbidden; waiting for a signal does not count."""

    kind: Literal["illegal_stop"]
    zone: Id
    """Zone in which it must not stop."""
    min_dwell_s: _Seconds = 15.0
    """Seconds of standing."""


class BoxBlocking(Table):
    """Standing in the box of the junction."""

    kind: Literal["box_blocking"]
    zone: Id
    """Zone of kind `box`."""
    min_dwell_s: _Seconds = 5.0
    """Seconds in the box."""


class Speeding(_LaneRule):
    """Faster than the lane's limit: an estimate; an accusation only by a certified meter's reading."""

    kind: Literal["speeding"]
    tolerance_kmh: Annotated[float, Field(ge=0, le=100)] = 5.0
    """km/h above the limit that are let pass."""


class BannedClass(_Hours):
    """A class of vehicle on a lane or in a zone closed to it; give `lane`, `zone` or both."""

    kind: Literal["banned_class"]
    lane: Id | None = None
    """Lane closed to the classes."""
    zone: Id | None = None
    """Zone closed to the classes."""
    classes: _Classes
    """Classes that are banned."""
    permits: bool = True
    """Whether a `permit` of the condition feed lets a vehicle pass."""


class Sidewalk(Table):
    """Driving on the pavement."""

    kind: Literal["sidewalk"]
    zone: Id
    """Zone of kind `sidewalk`."""
    min_dwell_s: _Seconds = 1.0
    """Seconds on the pavement."""


class FailToYieldPedestrian(Table):
    """Passing in front of or close behind a pedestrian on a crosswalk."""

    kind: Literal["fail_to_yield_pedestrian"]
    zone: Id
    """Zone of kind `crosswalk`."""
    pet_s: Annotated[float, Field(gt=0, le=60)] = 1.5
    """Seconds between both at one point (post-encroachment time) below which it is a conflict."""


Rule = Annotated[
    RedLight
    | YellowLight
    | StopLine
    | WrongWay
    | WrongLane
    | LaneArrow
    | SolidLine
    | IllegalTurn
    | UTurn
    | IllegalStop
    | BoxBlocking
    | Speeding
    | BannedClass
    | Sidewalk
    | FailToYieldPedestrian,
    Field(discriminator="kind"),
]
