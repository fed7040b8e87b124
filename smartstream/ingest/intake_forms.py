"""What citizens' applications send and get: Open311 GeoReport v2, checked before anything is stored.

Source: GeoReport v2 of Open311 (https://wiki.open311.org/GeoReport_v2). Two liberties: a report without any place is
taken (a petition has none), and so is a service code that we do not know (its words decide then).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from smartstream.model.report_text import anonymous

_LIMITS: Final = {
    "service_code": 128,
    "description": 4000,
    "address_string": 500,
    "media_url": 2000,
    "account_id": 128,
    "device_id": 256,
    "email": 254,
    "phone": 32,
}
"""Longest text of each field, in characters; fields not named here are not kept."""
_STORED: Final = ("service_code", "description", "address_string", "media_url")


class FormError(Exception):
    """A request that is not taken.

    Args:
        status: HTTP status.
        text: What is wrong, in Vietnamese: an application may show it.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def error_body(status: int, text: str) -> bytes:
    """An error as Open311 has it."""
    return msgspec.json.encode([{"code": status, "description": text}])


def as_line(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a form, as a line of a report feed without id and time; who made it still stands in it.

    Raises:
        FormError: 400: names the field and what was expected.
    """
    line: dict[str, Any] = {}
    for name, longest in _LIMITS.items():
        value = fields.get(name)
        if value is None or value == "":
            continue
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise FormError(400, f"Trường {name}: cần là chữ.")
        if len(text) > longest:
            raise FormError(400, f"Trường {name}: tối đa {longest} ký tự, nhận được {len(text)}.")
        line[name] = text.encode("utf-8", "replace").decode()  # lone surrogates of broken applications
    if "service_code" not in line and "description" not in line:
        raise FormError(400, "Thiếu nội dung: cần service_code hoặc description.")
    if not line.get("media_url", "http://").startswith(("http://", "https://")):
        raise FormError(400, "Trường media_url: cần là địa chỉ http hoặc https.")
    lat, lon = _degrees(fields, "lat", 90), _degrees(fields, "long" if "long" in fields else "lon", 180)
    if (lat is None) != (lon is None):
        raise FormError(400, "Vị trí: cần có cả lat và long, hoặc không có cả hai.")
    if lat is not None:
        line["lat"], line["lon"] = lat, lon
    return line


def _degrees(fields: Mapping[str, Any], name: str, most: float) -> float | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if isinstance(value, bool) or not -most <= found <= most:
        raise FormError(400, f"Trường {name}: cần là số độ từ {-most:g} đến {most:g}, nhận được {str(value)[:32]!r}.")
    return found


_STATUS_NOTES: Final = {
    "open": "Đã tiếp nhận.",
    "in_progress": "Đang xử lý.",
    "waiting": "Đang chờ người dân bổ sung.",
    "closed": "Đã xử lý.",
}


def as_request(line: Mapping[str, Any], status: str) -> dict[str, Any]:
    """A stored report as Open311 shows it to anybody: without personal data and pictures."""
    return {
        "service_request_id": line["report"],
        "status": "closed" if status == "closed" else "open",
        "status_notes": _STATUS_NOTES.get(status, _STATUS_NOTES["open"]),
        "service_code": line.get("service_code"),
        "description": anonymous(line.get("description") or "") or None,
        "requested_datetime": line["time"],
        "address": line.get("address_string"),
        "lat": line.get("lat"),
        "long": line.get("lon"),
        "media_url": None,
    }


def same_report(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two lines say the same, whenever they came."""
    return all(one.get(name) == other.get(name) for name in (*_STORED, "lat", "lon", "reporter"))
