"""The site file: everything a run needs to know about a place, one frozen model per table of the TOML.

Attribute names are the keys of the file, every default and unit stands here once, and ``smartstream schema``
prints it for editors. ``load_site`` is the only way in. Paths in the file are relative to its folder.
"""

from __future__ import annotations

import json
import tomllib
from codecs import BOM_UTF8
from datetime import date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from smartstream.config.calibration import ground_from_image
from smartstream.config.fields import (
    LIVE_SCHEMES,
    Address,
    BrokerUrl,
    CameraUrls,
    DetectorName,
    Direction,
    FeedUrl,
    Id,
    Ids,
    Instant,
    PicturePoint,
    Point,
    Polygon,
    RedisUrl,
    ReportUrl,
    Segment,
    StateUrl,
    Timezone,
    Token,
    expected,
    parse_address,
)
from smartstream.config.files import check_files
from smartstream.config.joins import ApprovalFeed, Gateway, Gauge, JoinTable, NetworkNode, Road, Warnings
from smartstream.config.mistakes import Mistake, as_mistakes, refuse
from smartstream.config.references import check_references
from smartstream.config.rules import Rule, Table
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
_Lateness = Annotated[float, Field(ge=0, le=86_400)]
_Silence = Annotated[float, Field(gt=0, le=86_400)]


class SiteInfo(Table):
    """Which place this is."""

    id: Token
    """Name of the site: one NATS token."""
    province: Token
    """Administrative code of the province: second token of every subject."""
    ward: Token | None = None
    """Administrative code of the ward or commune: third token of every subject; absent: `_`."""
    wards: str | None = None
    """GeoJSON of ward polygons, a file or a folder, each with its days; without it reports have no ward."""
    timezone: Timezone = "Asia/Ho_Chi_Minh"
    """IANA name; for texts, days and hours. Inside the engine every instant is UTC."""


class Nats(Table):
    """Where events go."""

    url: BrokerUrl = "embedded"
    """`embedded` (a server of our own on the loopback), `nats://HOST:PORT` or `tls://HOST:PORT`; credentials
    come from the environment or a creds file."""
    store: str = "var/nats"
    """Folder of the embedded server's streams; kept between runs, locked while in use."""
    retention_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    """Days an event stays in its stream, when this run creates the stream."""
    duplicate_window_s: Annotated[float, Field(gt=0, le=86_400)] = 120.0
    """Seconds in which the server itself knows a repeated event, from memory; a restarted run does not need it."""


class Redis(Table):
    """Shared state; without this table it lives in the process."""

    url: RedisUrl = "redis://127.0.0.1:6379/0"
    """`redis://HOST:PORT/DB` or `rediss://…`; credentials come from the environment."""


class Evidence(Table):
    """Where evidence packages are kept; without this table none are made, since they show people and plates."""

    dir: str = "var/evidence"
    """Folder."""
    key: str | None = None
    """PEM file of the Ed25519 key that signs; absent: `<dir>.key.pem`, made on first use."""
    retention_days: Annotated[float, Field(gt=0, le=36_500)] = 365.0
    """Days of event time a package is kept; then a signed tombstone stays."""
    max_gb: Annotated[float, Field(gt=0)] = 100.0
    """Bound on the packages, in 10^9 bytes; beyond it the oldest go, each with a tombstone."""


class Position(Table):
    """A place on Earth, WGS 84."""

    lat: Annotated[float, Field(ge=-90, le=90)]
    """Degrees north."""
    lon: Annotated[float, Field(ge=-180, le=180)]
    """Degrees east."""


class SignalGroup(Table):
    """Signal heads that always show the same; lanes refer to it."""

    id: Id
    """Name within its junction, as the signal feed says it."""
    source: Literal["feed", "lamps"] | None = None
    """Who is believed, where both tell; the other checks. Absent: the feed where the junction has one."""


class Junction(Table):
    """A junction and its signal groups."""

    id: Id
    """Name within the site."""
    name: str = ""
    """Name for people; absent: the id."""
    position: Position | None = None
    """Middle of the junction."""
    signal: tuple[SignalGroup, ...] = ()
    """Signal groups."""

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.id


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
    allowed_lateness_s: _Lateness = 2.0
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


class SignalFeed(Table):
    """States of the signal groups of one junction."""

    junction: Id
    """Junction whose groups it reports."""
    url: StateUrl
    """`file:PATH`, `nats:SUBJECT` or `mqtt://HOST/TOPIC`."""
    allowed_lateness_s: _Lateness = 1.0
    """Seconds a line may be late before it becomes a dead letter."""
    heartbeat_s: Annotated[float, Field(gt=0, le=86_400)] | None = None
    """Seconds within which a state is repeated; without the repetition it becomes unknown. Absent: a state
    holds until the next."""
    idle_after_s: _Silence = 5.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class Polled(Table):
    """A table of a database, read again and again from where it was."""

    table: str
    """Table or view, with its schema if need be: `public.readings`."""
    watermark: str
    """Column that never sinks for a row and rises with every change; rows without it are not read."""
    key: str = "id"
    """Column that tells rows apart."""
    columns: Annotated[dict[str, str], Field(default={})]
    """Field of an input line to the column it comes from; other columns keep their names."""
    every_s: Annotated[float, Field(gt=0, le=86_400)] = 10.0
    """Seconds between polls."""
    overlap_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """How far before the newest watermark each poll begins: seconds, or units of a number. Longer than the longest
    transaction that writes to the table."""


class PolledFeed(Table):
    """A feed that may also come from a database."""

    url: str
    sql: Polled | None = None
    """`sql:` only: what to poll."""

    @model_validator(mode="after")
    def _polled(self) -> Self:
        if self.url.startswith("sql:") and self.sql is None:
            raise expected("a table `sql` beside a url of sql:, with `table` and `watermark`", found="none")
        if self.sql is not None and not self.url.startswith("sql:"):
            raise expected("a url of sql: beside the table `sql`")
        return self


class SensorFeed(PolledFeed):
    """Readings of air, noise, water and other stations."""

    url: FeedUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC` or `sql:DATABASE://HOST/NAME`."""
    allowed_lateness_s: _Lateness = 600.0
    """Seconds an hour waits for late lines. Later ones, up to a day, correct what was published; beyond that they
    become dead letters."""
    idle_after_s: _Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class ReportFeed(PolledFeed):
    """Reports of citizens, Open311 GeoReport v2; by the suffixes `.json` and `.csv` an export, sorted first."""

    url: ReportUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC`, `sql:DATABASE://HOST/NAME`, or
    `http://HOST:PORT/` to take them in there."""
    per_client_per_min: Annotated[int, Field(ge=1, le=1_000_000)] = 60
    """`http:` only: requests a minute that one client may send."""
    behind_proxy: bool = False
    """`http:` only: a proxy of ours stands in front and says who the client is (`X-Forwarded-For`)."""
    allowed_lateness_s: _Lateness = 300.0
    """Seconds a report waits for earlier ones. Later ones, up to 7 days, are taken as they come; beyond that they
    become dead letters."""
    idle_after_s: _Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class IndicatorFeed(PolledFeed):
    """Figures of sector systems."""

    url: FeedUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC` or `sql:DATABASE://HOST/NAME`."""
    allowed_lateness_s: _Lateness = 600.0
    """Seconds a line may be late before it becomes a dead letter."""
    idle_after_s: _Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class MediaFeed(PolledFeed):
    """Press and social media items."""

    url: FeedUrl
    """`file:PATH`, `nats:SUBJECT`, `mqtt://HOST/TOPIC` or `sql:DATABASE://HOST/NAME`."""
    allowed_lateness_s: _Lateness = 300.0
    """Seconds a line may be late before it becomes a dead letter."""
    idle_after_s: _Silence = 60.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class ConditionFeed(Table):
    """What suppresses or changes rules: officers, permits, emergencies, floods and the like."""

    url: StateUrl
    """`file:PATH`, `nats:SUBJECT` or `mqtt://HOST/TOPIC`."""
    allowed_lateness_s: _Lateness = 300.0
    """Seconds a line may be late; it takes back what was suspected. Up to an hour is never too late: for as long can
    a suspicion be taken back. In a file, where a line is further behind, the one before it was dated ahead."""
    idle_after_s: _Silence = 5.0
    """Live feeds: seconds of silence after which it holds nobody up."""


class Site(Table):
    """A whole site file."""

    site: SiteInfo
    """Which place this is."""
    nats: Nats = Nats()
    """Where events go."""
    redis: Redis | None = None
    """Shared state; without this table it lives in the process."""
    evidence: Evidence | None = None
    """Where evidence packages are kept; without this table none are made."""
    junction: tuple[Junction, ...] = ()
    """Junctions."""
    camera: tuple[Camera, ...] = ()
    """Cameras."""
    signal_feed: tuple[SignalFeed, ...] = ()
    """Signal states."""
    sensor_feed: tuple[SensorFeed, ...] = ()
    """Sensor readings."""
    report_feed: tuple[ReportFeed, ...] = ()
    """Citizens' reports."""
    indicator_feed: tuple[IndicatorFeed, ...] = ()
    """Sector figures."""
    media_feed: tuple[MediaFeed, ...] = ()
    """Media items."""
    condition_feed: tuple[ConditionFeed, ...] = ()
    """Conditions that suppress or change rules."""
    approval_feed: tuple[ApprovalFeed, ...] = ()
    """Decisions of people about proposed warnings."""
    road: tuple[Road, ...] = ()
    """Roads between junctions."""
    gateway: tuple[Gateway, ...] = ()
    """Counting lines across the cordon."""
    gauge: tuple[Gauge, ...] = ()
    """Water gauges with their alarm levels."""
    network: tuple[NetworkNode, ...] = ()
    """What cameras and stations hang on."""
    warning: Warnings = Warnings()
    """Public warnings."""
    join: tuple[JoinTable, ...] = ()
    """Joins with other parameters than the usual, or not armed; one whose sides exist is armed without a table."""

    _folder: Path = PrivateAttr(default_factory=Path)

    @property
    def folder(self) -> Path:
        """Absolute folder of the site file; relative paths in it start there."""
        return self._folder

    def path(self, relative: str) -> Path:
        """Absolute path of a path of the site file (``nats.store``, ``evidence.dir``, ``camera.model``)."""
        return self._folder / relative

    def address(self, url: str) -> Address:
        """Scheme and target of a source; the target of ``file:`` and ``tracks:`` is an absolute path."""
        scheme, target = parse_address(url)
        return Address(scheme, str(self.path(target)) if scheme in ("file", "tracks") else target)

    def clock_error_s(self, camera: Camera) -> float:
        """Seconds that a camera's event times may be off those of the lights it is judged by."""
        if camera.clock_error_s is not None:
            return camera.clock_error_s
        obeyed = {group for lane in camera.lane for group in (lane.signal, *lane.movement_signal.values()) if group}
        seen = {group for zone in camera.heads for group in zone.signal or ()}
        same_clock = obeyed <= seen & self.reads(camera.junction)
        return camera.live.clock_tolerance_s if camera.is_live and not same_clock else 0.0

    def reads(self, junction: str) -> frozenset[str]:
        """Groups of a junction whose state is read from lamps, and not told by a feed."""
        shown = {
            group for c in self.camera if c.junction == junction for zone in c.heads for group in zone.signal or ()
        }
        fed = any(feed.junction == junction for feed in self.signal_feed)
        groups = [group for j in self.junction if j.id == junction for group in j.signal]
        believed = {g.id for g in groups if g.source == "lamps" or (g.source is None and not fed)}
        return frozenset(shown & believed)

    def fingerprint(self) -> str:
        """SHA-256 of what the file says, in hexadecimal; without layout, comments, order of keys."""
        said = self.model_dump(mode="json", exclude_defaults=True)  # a new version may know more keys
        return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parse_site(text: str, *, folder: Path, name: str = "site file", open_files: bool = False) -> Site:
    """A site from the text of its file.

    Args:
        text: TOML.
        folder: Where relative paths start.
        name: What messages call the file.
        open_files: Whether a file that it names and that cannot be opened is a mistake, too.

    Raises:
        ConfigError: Lists every mistake with its path in the file, what was found and what was expected.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise refuse(name, [Mistake("", f"no TOML: {e}", "")]) from None
    except RecursionError:
        raise refuse(name, [Mistake("", "no TOML: lists nested too deep", "")]) from None
    raw = _plain(raw)
    try:
        site, mistakes = Site.model_validate_json(json.dumps(raw)), []
    except ValidationError as e:
        site, mistakes = None, as_mistakes(e, raw, Site.model_json_schema())
    # The tables refer to each other; judged on the raw tables, so that one wrong field does not hide these.
    mistakes += check_references(raw, wrong=[m.path for m in mistakes])
    if open_files:
        mistakes += check_files(raw, folder)
    if site is None or mistakes:
        raise refuse(name, mistakes)
    site._folder = folder.absolute()
    return site


def load_site(path: str | Path, *, open_files: bool = False) -> Site:
    """Read a site file.

    Args:
        path: The file.
        open_files: Whether a file that it names and that cannot be opened is a mistake, too.

    Raises:
        ConfigError: Cannot be read, is no TOML, or holds mistakes; the message lists them all.
    """
    path = Path(path)
    try:
        text = path.read_bytes().removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as e:
        raise refuse(str(path), [Mistake("", f"byte {e.start} is not UTF-8", "text in UTF-8")]) from None
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise refuse(str(path), [Mistake("", f"nothing that can be read ({reason})", "a site file")]) from None
    return parse_site(text, folder=path.absolute().parent, name=str(path), open_files=open_files)


def _plain(value: Any) -> Any:
    """TOML values as JSON knows them; TOML's own dates become RFC 3339 text."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value
