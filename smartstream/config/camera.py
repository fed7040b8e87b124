"""The tables of a camera in the site file: what it is, what it sees where, and how it is looked at."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from smartstream.config.calibration import ground_from_image
from smartstream.config.fields import (
    LIVE_SCHEMES,
    CameraUrls,
    DetectorName,
    Direction,
    Id,
    Ids,
    Instant,
    Lateness,
    PicturePoint,
    Point,
    Polygon,
    Segment,
    expected,
    parse_address,
)
from smartstream.config.rules import Rule
from smartstream.config.table import Table
from smartstream.model.classes import VehicleClass
from smartstream.model.time import parse_instant

Movement = Literal["left", "through", "right", "u_turn"]
LineKind = Literal["stop", "exit", "count"]
ZoneKind = Literal["box", "no_stopping", "no_parking", "crosswalk", "no_u_turn", "sidewalk", "signal_head"]
Lamp = Literal["red", "amber", "green", "hidden"]
ModelFormat = Literal[
    "auto", "yolox", "yolox_decoded", "yolov5", "yolov8", "end2end", "fastestdet", "rtdetr", "detr", "rfdetr"
]

_EARTH_M = 2e7  # beyond every projected coordinate on Earth


class Calibration(Table):
    """Pairs of one point in the picture and on the ground; they give metres, speed and size classes."""

    image: Annotated[tuple[PicturePoint, ...], Field(min_length=4)]
    """Points in the picture, normalised."""
    world_m: Annotated[tuple[Point, ...], Field(min_length=4)]
    """The same points on the ground, metres in any local plane."""

    @model_validator(mode="after")
    def _determined(self) -> Calibration:
        if max(abs(v) for point in self.world_m for v in point) > _EARTH_M:
            raise expected(f"ground coordinates in metres, within {_EARTH_M:g}", found="a point beyond the Earth")
        pairs = f"{len(self.image)} image points and {len(self.world_m)} world_m points"
        if len(self.image) != len(self.world_m):
            raise expected("as many of the one as of the other", found=pairs)
        if ground_from_image(self.image, self.world_m) is None:
            what = "at least 4 pairs of which no three lie on one line, neither in the picture nor on the ground"
            raise expected(what, found=f"{pairs} that fix no plane")
        return self


_Patience = Annotated[float, Field(gt=0, le=3600)]


class Lane(Table):
    """A lane as the camera sees it."""

    id: Id
    """Name within its camera."""
    polygon: Polygon
    """Corners, normalised picture coordinates."""
    direction: Direction | None = None
    """Lawful travel as a vector in picture coordinates."""
    signal: Id | None = None
    """Signal group of the junction that the lane obeys."""
    movement_signal: Annotated[dict[Movement, Id], Field(default={})]
    """Movements with a signal group of their own, such as a green arrow beside a red light: `{ right = "S-right" }`.
    Which movement a vehicle made, an exit line shows; where none is crossed and the lights differ, it is undecided."""
    allowed: Annotated[tuple[VehicleClass, ...], Field(min_length=1)] | None = None
    """Classes that may use it; absent: every class."""
    movements: Annotated[tuple[Movement, ...], Field(min_length=1)] | None = None
    """Movements its arrow allows; absent: every movement."""
    speed_limit_kmh: Annotated[float, Field(gt=0, le=200)] | None = None
    """Limit in km/h."""


class Line(Table):
    """A line across the road; every one of them counts crossings."""

    id: Id
    """Name within its camera."""
    kind: LineKind
    """`stop` line, `exit` of a movement, or `count` only."""
    points: Segment
    """Both ends, normalised picture coordinates."""
    movement: Movement | None = None
    """Exit lines: what crossing it means."""


class Zone(Table):
    """An area of the road or the picture."""

    id: Id
    """Name within its camera."""
    kind: ZoneKind
    """What the area is; `signal_head` is where the camera sees the lamps."""
    polygon: Polygon
    """Corners, normalised picture coordinates. A `signal_head` closely round the lamps and nothing else (no
    countdown); four corners may lean with the mast."""
    signal: Ids | None = None
    """`signal_head`: the signal group that the head tells, or a list; with it the lamps are read."""
    lamps: Annotated[tuple[Lamp, ...], Field(min_length=1, max_length=4)] = ("red", "amber", "green")
    """`signal_head`: its lamps from the top, or from the left where it lies; `hidden`: there, but out of sight."""
    arrow: Movement | None = None
    """`signal_head`: a single green arrow beside a full head, for this movement. Lit, its groups may go; unlit it
    says nothing."""

    @property
    def shown_lamps(self) -> tuple[Lamp, ...]:
        """The lamps; of an arrow its only one."""
        return self.lamps if self.arrow is None else ("green",)


class LiveSettings(Table):
    """How a live camera is reached; its login comes from the environment."""

    transport: Literal["tcp", "udp"] = "tcp"
    """How RTP travels: inside the RTSP connection, or as datagrams."""
    tls_fingerprint: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")] | None = None
    """`rtsps`: SHA-256 of the camera's certificate, where no authority has signed it."""
    connect_timeout_s: _Patience = 10.0
    """Seconds a camera may take to answer."""
    read_timeout_s: _Patience = 5.0
    """Seconds of silence after which it is connected anew."""
    idle_s: _Patience = 2.0
    """Seconds of silence after which it holds its junction up no longer."""
    clock_tolerance_s: _Patience = 0.5
    """Seconds its clock may be from ours, the network's delay included; beyond that ours counts, and `clock` is a
    health event. So far its event times may be off (`clock_error_s`)."""
    ring_s: _Patience = 60.0
    """Seconds of video kept in memory for clips and stills."""
    ring_mb: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Most MiB of it."""


class Detect(Table):
    """How a model is used on a camera; the motion detector needs none of it."""

    rate_hz: Annotated[float, Field(gt=0, le=240)] = 10.0
    """Looks per second of event time, at most; the tracker carries the vehicles over what lies between."""
    gate: bool = True
    """Look only when something has moved; what was seen before still stands where nothing has."""
    refresh_s: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """With the gate: look at least once in so many seconds."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Score from 0 to 1; weaker detections are dropped. Tracks begin at 0.4, and weak detections only carry them on."""
    overlap: Annotated[float, Field(gt=0, le=1)] = 0.45
    """Of two boxes of one class that overlap by more than this (IoU) the surer one stays."""
    format: ModelFormat = "auto"
    """Export layout of the model, where it cannot be recognised."""
    names: tuple[str, ...] = ()
    """Class names of the model in their order, where it does not carry them and they are not COCO's."""
    provider: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the `onnx` detector runs; `auto`: CUDA where there is one. `tensorrt` knows only GPUs."""
    options: dict[str, Any] = Field(default={})
    """What only this detector knows; `onnx`, `tensorrt`: `size`, the [width, height] of a model that leaves them open,
    `riders_apart` = false where the boxes of two-wheelers include their riders; `tensorrt`: `batch`, the numbers of
    pictures in one go ([16]), of a model that leaves it open."""


class Camera(Table):
    """A camera: where its pictures come from, what they show, which rules it watches."""

    id: Id
    """Name within the site."""
    junction: Id
    """Junction it looks at."""
    url: CameraUrls
    """`file:PATH` (a list: consecutive files), `tracks:PATH`, `rtsp(s)://…` or `http://…` (MJPEG)."""
    start_time: Instant | None = None
    """Files: event time of the first frame, RFC 3339 or epoch seconds; later ones by their pts."""
    clock_error_s: Annotated[float, Field(ge=0, le=60)] | None = None
    """Seconds its event times may be off those of its signals, either way: what may lie on the other side of a change
    of light is undecided. Absent: of live cameras `live.clock_tolerance_s`, unless they read all their lights
    themselves; of files 0."""
    detector: DetectorName = "motion"
    """`motion` (CPU, fixed camera), `onnx`, `tensorrt`, or the detector of an installed package."""
    model: str | None = None
    """File of the detector's model; needed by `onnx` and `tensorrt`."""
    detect: Detect = Detect()
    """How the model is used."""
    allowed_lateness_s: Lateness = 2.0
    """Seconds an item may be late before it becomes a dead letter."""
    shed: Literal["latest", "every-nth", "block"] | None = None
    """What is left out, and counted, when decoding falls behind: everything before the `latest` key frame, the
    detector's look at all but `every-nth` picture, or nothing (`block`: reading waits). Live cameras: `latest`, files:
    `block`. A file with another policy is played like a camera where `--speed` gives a pace."""
    shed_nth: Annotated[int, Field(ge=2, le=100)] = 3
    """`every-nth`: one picture of so many is looked at."""
    live: LiveSettings = LiveSettings()
    """How a live camera is reached."""
    calibration: Calibration | None = None
    """Picture to ground; needed by rules that speak of metres."""
    lane: tuple[Lane, ...] = ()
    """Lanes."""
    line: tuple[Line, ...] = ()
    """Lines."""
    zone: tuple[Zone, ...] = ()
    """Zones."""
    rule: tuple[Rule, ...] = ()
    """Rules to watch; only kinds that stand here publish."""

    @property
    def heads(self) -> tuple[Zone, ...]:
        """Zones whose lamps are read; tracks have no picture."""
        read = tuple(zone for zone in self.zone if zone.kind == "signal_head" and zone.signal is not None)
        return () if self.scheme == "tracks" else read

    @property
    def scheme(self) -> str:
        """``file``, ``tracks``, ``rtsp``, ``rtsps`` or ``http``; the same for each of its addresses."""
        return parse_address(self.url[0]).scheme

    @property
    def is_live(self) -> bool:
        """Its pictures come as they are taken."""
        return self.scheme in LIVE_SCHEMES

    @property
    def start_time_ns(self) -> int | None:
        """``start_time`` in nanoseconds UTC."""
        return None if self.start_time is None else parse_instant(self.start_time)
