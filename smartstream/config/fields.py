"""The kinds of value a site file holds: ids, picture geometry, instants, source addresses, times of day.

A refused value raises with what was *expected*; ``mistakes`` adds the place and what was found.
"""

from __future__ import annotations

import difflib
import math
import re
from datetime import time
from importlib.metadata import entry_points
from typing import Annotated, Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from smartstream.model.time import parse_instant

FEEDS = (
    "signal_feed",
    "sensor_feed",
    "report_feed",
    "indicator_feed",
    "media_feed",
    "condition_feed",
    "approval_feed",
)
"""Tables of a site file that are feeds of lines, each a list."""


def expected(what: str, *, found: str | None = None) -> PydanticCustomError:
    """A refusal that says what would be right; ``found`` stands in for a value that says little by itself."""
    return PydanticCustomError("expected", "expected {what}", {"what": what, "found": found})


_ID = re.compile(r"\w[\w.:+-]{0,63}")
_TOKEN = re.compile(r"[\w-]{1,64}")


def _check_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise expected("an id: a letter or digit, then up to 63 letters, digits or _ - . : +")
    return text


def _check_token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise expected("one NATS token: 1 to 64 letters, digits, _ or -")
    return text


def _check_timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # a name that is no file of the database, however odd
        raise expected('a time zone of the IANA database, such as "Asia/Ho_Chi_Minh"') from None
    return text


_DETECTORS = ("motion", "onnx", "tensorrt")


def _check_detector(name: str) -> str:
    announced = {point.name for point in entry_points(group="smartstream.detectors")} if name not in _DETECTORS else ()
    if name not in _DETECTORS and name not in announced:
        known = [*_DETECTORS, *sorted(announced)]
        close = difflib.get_close_matches(name, known, 1)
        hint = f' (did you mean "{close[0]}"?)' if close else ""
        raise expected("one of " + ", ".join(f'"{n}"' for n in known) + hint)
    return name


Id = Annotated[str, AfterValidator(_check_id)]
DetectorName = Annotated[str, AfterValidator(_check_detector)]
"""Ours, or an entry point of the group ``smartstream.detectors`` in any installed package."""
Token = Annotated[str, AfterValidator(_check_token)]
Timezone = Annotated[str, AfterValidator(_check_timezone)]
Lateness = Annotated[float, Field(ge=0, le=86_400)]
"""Seconds a line may be late."""
Silence = Annotated[float, Field(gt=0, le=86_400)]
"""Seconds of silence after which a live feed holds nobody up."""

Point = tuple[float, float]

_FAR = 10.0  # geometry may leave the picture, but 640 is a pixel, not a share of the picture


def _check_picture(point: Point) -> Point:
    if max(abs(point[0]), abs(point[1])) > _FAR:
        raise expected("normalised picture coordinates (0 to 1 is the picture), not pixels")
    return point


PicturePoint = Annotated[Point, AfterValidator(_check_picture)]


def area(points: tuple[Point, ...]) -> float:
    """Signed area of a closed polygon; clockwise on a picture (y down) is positive."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1], strict=True)) / 2


def crosses_itself(polygon: tuple[Point, ...]) -> bool:
    """Whether two edges that are not neighbours cross: corners in the wrong order."""
    n = len(polygon)
    edges = [(polygon[i], polygon[(i + 1) % n]) for i in range(n)]

    def side(p: Point, edge: tuple[Point, Point]) -> float:
        (ax, ay), (bx, by) = edge
        return (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax)

    return any(
        side(b[0], a) * side(b[1], a) < 0 and side(a[0], b) * side(a[1], b) < 0
        for i, a in enumerate(edges)
        for j, b in enumerate(edges[i + 2 :], i + 2)
        if (j + 1) % n != i
    )


def _check_polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) >= 3 and abs(area(points)) < 1e-9:
        raise expected("a polygon that encloses an area")
    return points


def _check_segment(points: tuple[Point, Point]) -> tuple[Point, Point]:
    if math.dist(*points) < 1e-9:
        raise expected("two different points")
    return points


def _check_direction(vector: Point) -> Point:
    if math.hypot(*vector) < 1e-9:
        raise expected("a vector that points somewhere")
    return vector


Polygon = Annotated[tuple[PicturePoint, ...], Field(min_length=3), AfterValidator(_check_polygon)]
Segment = Annotated[tuple[PicturePoint, PicturePoint], AfterValidator(_check_segment)]
Direction = Annotated[Point, AfterValidator(_check_direction)]


def _check_instant(value: Any) -> Any:
    try:
        parse_instant(value)
    except ValueError:
        raise expected("an instant: RFC 3339 with a UTC offset, or epoch seconds since 1970") from None
    return value


Instant = Annotated[float | int | str, BeforeValidator(_check_instant)]
"""As written in the file; ``smartstream.model.time.parse_instant`` gives the nanoseconds."""

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(([01]\d|2[0-3]):([0-5]\d)|24:00)")


class Hours(NamedTuple):
    """A part of every day in local time, without its ``end``; past midnight when it ends earlier."""

    start: time
    end: time


def parse_hours(text: str) -> Hours:
    """``"22:00-05:00"`` in two times of day; ``24:00`` is midnight.

    Raises:
        ValueError: Another form.
    """
    if not _HOURS.fullmatch(text):
        raise ValueError(f"expected HH:MM-HH:MM, found {text!r}")
    start, end = text.split("-")
    return Hours(time.fromisoformat(start), time() if end == "24:00" else time.fromisoformat(end))


def _check_hours(text: str) -> str:
    try:
        hours = parse_hours(text)
    except ValueError:
        raise expected('local hours as "HH:MM-HH:MM", such as "06:00-09:00" or "22:00-05:00"') from None
    if hours.start == hours.end and text != "00:00-24:00":
        raise expected('hours that begin and end at different times; the whole day is "00:00-24:00"')
    return text


HoursText = Annotated[str, AfterValidator(_check_hours)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

Scheme = Literal["file", "tracks", "rtsp", "rtsps", "http", "nats", "mqtt", "sql"]


class Address(NamedTuple):
    """A source address: ``Address("file", "signals.ndjson")``; that of the network is kept whole."""

    scheme: str
    target: str


_FORMS: dict[str, str] = {
    "file": "file:PATH",
    "tracks": "tracks:PATH",
    "rtsp": "rtsp://…",
    "rtsps": "rtsps://…",
    "http": "http://…",
    "nats": "nats:SUBJECT",
    "mqtt": "mqtt://HOST/TOPIC",
    "sql": "sql:DATABASE://HOST/NAME",
}
_SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.]+)*|[*>](\.[^\s.]+)*")
_DATABASE = re.compile(r"[a-z][a-z0-9+]*://[^\s@]+")  # credentials belong in the environment
LIVE_SCHEMES: Final = frozenset({"rtsp", "rtsps", "http"})
"""Of cameras whose pictures come as they are taken."""
_NETWORKED = ("rtsp", "rtsps", "http", "mqtt")
_NETWORK = re.compile(r"//[^\s/?#]+(/\S*)?(\?\S*)?")


def parse_address(url: str) -> Address:
    """Split a source address.

    Raises:
        ValueError: No scheme of the site file, or nothing behind it.
    """
    scheme, colon, rest = url.partition(":")
    good = False
    if colon and scheme in _FORMS:
        if scheme in ("file", "tracks"):
            rest = rest[2:] if rest.startswith("///") else rest  # file:///a/b is /a/b
            good = bool(rest.strip()) and not rest.startswith("//") and "\0" not in rest
        elif scheme == "sql":
            good = bool(_DATABASE.fullmatch(rest))
        elif scheme == "nats":
            good = bool(_SUBJECT.fullmatch(rest)) and not rest.startswith("//")
        else:
            good = bool(_NETWORK.fullmatch(rest)) and (scheme != "mqtt" or "/" in rest[2:].rstrip("/"))
    if not good:
        raise ValueError(f"expected one of {', '.join(_FORMS.values())}, found {url!r}")
    return Address(scheme, rest if scheme in ("file", "tracks", "nats", "sql") else url)


def _has_port(url: str) -> bool:
    """Whether the port of an address, if it has one, is a port."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port != 0


def _check_address(*schemes: Scheme) -> AfterValidator:
    forms = [_FORMS[s] for s in schemes]
    wanted = " or ".join((", ".join(forms[:-1]), forms[-1])) if len(forms) > 1 else forms[0]

    def check(url: str) -> str:
        try:
            scheme = parse_address(url).scheme
        except ValueError:
            scheme = ""
        if scheme not in schemes:
            raise expected(wanted)
        if scheme in _NETWORKED and not _has_port(url):
            raise expected(f"{_FORMS[scheme]} with a port from 1 to 65535")
        if scheme in _NETWORKED and "@" in url.split("/")[2]:
            raise expected(f"{scheme}://HOST…; credentials belong in the environment", found='"…@…"')
        return url

    return AfterValidator(check)


def _as_list(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _consecutive(urls: tuple[str, ...]) -> tuple[str, ...]:
    if len(urls) > 1 and not all(u.startswith("file:") for u in urls):
        raise expected("a list of file:PATH only (consecutive files), or one address")
    return urls


_CameraUrl = Annotated[str, _check_address("file", "rtsp", "rtsps", "http", "tracks")]
CameraUrls = Annotated[
    tuple[_CameraUrl, ...],
    Field(min_length=1),
    BeforeValidator(_as_list),
    AfterValidator(_consecutive),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""Always a tuple, also where the file gives one text."""
Ids = Annotated[
    tuple[Id, ...],
    Field(min_length=1),
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""One id, or a list of them; always a tuple."""
StateUrl = Annotated[str, _check_address("file", "nats", "mqtt")]
FeedUrl = Annotated[str, _check_address("file", "nats", "mqtt", "sql")]
ReportUrl = Annotated[str, _check_address("file", "nats", "mqtt", "http", "sql")]


def _check_broker(url: str) -> str:
    if url != "embedded" and not (re.fullmatch(r"(nats|tls)://[^\s/@]+", url) and _has_port(url)):
        hint = "; credentials belong in the environment" if "@" in url else ""
        raise expected(f'"embedded", nats://HOST:PORT or tls://HOST:PORT{hint}', found='"…@…"' if hint else None)
    return url


def _check_redis(url: str) -> str:
    if not (re.fullmatch(r"(rediss?://[^\s/@]+(/\d+)?|unix:///\S+)", url) and _has_port(url)):
        hint = "; credentials belong in the environment" if "@" in url else ""
        raise expected(f"redis://HOST:PORT/DB or rediss://HOST:PORT/DB{hint}", found='"…@…"' if hint else None)
    return url


BrokerUrl = Annotated[str, AfterValidator(_check_broker)]
RedisUrl = Annotated[str, AfterValidator(_check_redis)]
