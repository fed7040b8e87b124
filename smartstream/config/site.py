"""The site file: everything a run needs to know about a place, one frozen model per table of the TOML.

Attribute names are the keys of the file, every default and unit stands here once, and ``smartstream schema``
prints it for editors. ``load_site`` is the only way in. Paths in the file are relative to its folder. The tables of
cameras, feeds, joins and rules stand in the modules of those names.
"""

from __future__ import annotations

import json
import tomllib
from codecs import BOM_UTF8
from datetime import date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationError

from smartstream.config.camera import Camera
from smartstream.config.feeds import (
    ApprovalFeed,
    ConditionFeed,
    IndicatorFeed,
    MediaFeed,
    ReportFeed,
    SensorFeed,
    SignalFeed,
)
from smartstream.config.fields import (
    Address,
    BrokerUrl,
    Id,
    RedisUrl,
    Timezone,
    Token,
    parse_address,
)
from smartstream.config.files import check_files
from smartstream.config.joins import Gateway, Gauge, JoinTable, NetworkNode, Road, Warnings
from smartstream.config.mistakes import Mistake, as_mistakes, refuse
from smartstream.config.references import check_references
from smartstream.config.table import Table


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
