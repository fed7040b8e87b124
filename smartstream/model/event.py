"""Events out: CloudEvents 1.0 in structured JSON, with ids made of their content."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import msgspec

from smartstream.model.time import rfc3339

_encoder = msgspec.json.Encoder()

_TAGS: Final = {
    "violation": ("traffic_enforcement", "P365D"),  # the limitation of an administrative offence on the road
    "traffic": ("traffic_management", "P30D"),
    "signal": ("traffic_management", "P365D"),
    "camera": ("operations", "P90D"),
    "air": ("environment", "P1825D"),
    "env": ("environment", "P1825D"),
    "indicator": ("administration", "P365D"),
    "media": ("public_information", "P90D"),
    "report": ("citizen_service", "P365D"),
    "incident": ("public_safety", "P365D"),
    "warning": ("public_safety", "P1825D"),
    "dlq": ("operations", "P30D"),
}
"""Purpose and retention by class (Luật 91/2025/QH15: personal data for a named purpose, no longer than it needs)."""
_OTHER: Final = ("operations", "P30D")
_SHORT: Final = "P30D"  # nobody is accused: what is left is for audit


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event in the wire order of its fields; encode with ``to_json``.

    Attributes:
        id: 32 hex digits; the same content has the same id, whoever made it and when.
        source: ``/smartstream/<site>/<entity>``.
        type: ``vn.ioc.<class>.<kind>.<verb>.v1``.
        subject: What it is about: ``j1/cam-s/S1``.
        time: Event time, RFC 3339 with milliseconds.
        purpose: What it may be used for; an extension attribute, as ``retention``.
        retention: How long it may be kept, an ISO 8601 duration from ``time``.
        data: The payload; ``interface`` names its fields per class.
    """

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str = "application/json"
    purpose: str = ""
    retention: str = ""
    data: dict[str, Any]

    def to_json(self) -> bytes:
        """Structured JSON; the same event always gives the same bytes."""
        return _encoder.encode(self)


def make_event(
    *,
    site: str,
    entity: str,
    kind: tuple[str, str, str],
    subject: str,
    at_ns: int,
    key: str,
    revision: int = 0,
    data: dict[str, Any],
) -> CloudEvent:
    """An event whose id follows from what it says.

    Args:
        site: Site id.
        entity: What in the site it comes from: a camera, a station, ``join/J-01``.
        kind: Class, kind and verb: ``("violation", "red_light", "suspected")``.
        subject: Path for readers.
        at_ns: Event time.
        key: What tells it from others of the same type, source and time: a track, a line, a station.
        revision: Rises with each correction of the same event.
        data: The payload.
    """
    source, type_ = f"/smartstream/{site}/{entity}", f"vn.ioc.{'.'.join(kind)}.v1"
    digest = blake2b("\x1f".join((type_, source, key, str(at_ns), str(revision))).encode(), digest_size=16)
    purpose, retention = _TAGS.get(kind[0], _OTHER)
    return CloudEvent(
        id=digest.hexdigest(),
        source=source,
        type=type_,
        subject=subject,
        time=rfc3339(at_ns),
        purpose=purpose,
        retention=_SHORT if kind[2] in ("undecided", "suppressed") else retention,
        data=data,
    )


def nats_subject(event_type: str, *, province: str, ward: str | None) -> str:
    """``ioc.<province>.<ward|_>.<class>.<kind>.<verb>`` of an event type."""
    return f"ioc.{province}.{ward or '_'}.{event_type.removeprefix('vn.ioc.').removesuffix('.v1')}"
