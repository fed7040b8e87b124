"""Stills, overlays, crops and the clip of a case, cut from the camera's packet ring."""

from __future__ import annotations

import importlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream import _core
from smartstream.config.camera import Camera
from smartstream.errors import SmartstreamError
from smartstream.evidence.desk import CLIP_NS, GAP_NS, Case, Sample
from smartstream.evidence.plates import plate_region
from smartstream.evidence.store import instant
from smartstream.model.items import SignalChange
from smartstream.model.time import NS

try:
    cv2: Any = importlib.import_module("cv2")
except ImportError:  # comes with the extra `draw`; without it there is no overlay copy
    cv2 = None

Rgb = npt.NDArray[np.uint8]
"""(H, W, 3)."""
_JPEG: Final = 95
_STATIONARY: Final = frozenset({"illegal_stop", "box_blocking", "stop_line"})
_APART_NS: Final = 10 * NS
"""Stills of something that stands: at least so far apart where it stood so long (GA/T 832)."""
_HELD_NS: Final = NS // 10
"""A box still holds so long after or before its picture: a few of a camera's pictures."""
_LONGEST_CLIP_NS: Final = 300 * NS
"""The packet ring cuts no longer one."""
_ACCUSED: Final = (235, 40, 40)
_LINE: Final = (255, 220, 40)
_LAMPS: Final = {
    "red": ((235, 50, 50), "ĐỎ", 0),
    "amber": ((250, 180, 30), "VÀNG", 1),
    "flashing_amber": ((250, 180, 30), "VÀNG NHÁY", 1),
    "green": ((60, 200, 90), "XANH", 2),
    "dark": ((90, 90, 90), "TẮT", 3),
    "unknown": ((90, 90, 90), "KHÔNG RÕ", 3),
}


class Ring(Protocol):
    """The part of ``PacketRing`` that evidence is cut from."""

    def clip(self, from_ns: int, to_ns: int) -> Any:
        """A span, as it came."""
        ...

    def still(self, at_ns: int) -> Any:
        """A picture."""
        ...


class Pictures(msgspec.Struct):
    """What the manifest says of the pictures, and their bytes.

    Attributes:
        stills: A row per still.
        clip: The clip, if one could be cut.
        files: Content by file name.
        missing: What there should be and is not, with the reason.
    """

    stills: list[dict[str, Any]]
    clip: dict[str, Any] | None
    files: dict[str, bytes]
    missing: dict[str, str]


def take_pictures(case: Case, camera: Camera, ring: Ring | None, *, place: str, timezone: str) -> Pictures:
    """Everything visible of a case; what cannot be had is named with its reason.

    Args:
        case: The case.
        camera: Its camera.
        ring: The camera's recent past; ``None`` when it has no pictures.
        place: The junction's name for people.
        timezone: IANA name, for the text on the overlay.
    """
    out = Pictures([], None, {}, {})
    if ring is None:
        reason = "the camera gives tracks only" if camera.scheme == "tracks" else "the camera's video is not held here"
        out.missing = dict.fromkeys(("stills", "clip"), reason)
        return out
    for role, at_ns in moments(case):
        try:
            still = ring.still(at_ns)
        except SmartstreamError as e:
            out.missing[f"still {role}"] = str(e)
            continue
        _still(out, case, camera, role, still, place, timezone)
    from_ns, to_ns = case.first_ns - CLIP_NS, case.last_ns + CLIP_NS
    try:
        # Who parks for an hour is shown as he leaves: that is what is told, and what a live camera still holds.
        clip = ring.clip(max(from_ns, to_ns - _LONGEST_CLIP_NS), to_ns)
    except SmartstreamError as e:
        out.missing["clip"] = str(e)
        return out
    suffix = "mp4" if clip["container"] == "mp4" else "mkv"
    out.clip = {
        "file": _add(out.files, clip["data"], suffix),
        "container": clip["container"],
        "codec": clip["codec"],
        "first": instant(clip["first_ns"]),
        "last": instant(clip["last_ns"]),
        "frames": clip["frames"],
        "reencoded": False,
    }
    if to_ns - from_ns > _LONGEST_CLIP_NS:
        out.missing["whole clip"] = "the act lasted longer than a clip: its last five minutes"
    elif clip["truncated"]:
        out.missing["whole clip"] = "the video does not show all of six seconds before to six seconds after"
    return out


def moments(case: Case) -> list[tuple[str, int]]:
    """When a case needs a still: before, at and after the line; of what stands, at least ten seconds apart."""
    first, last = case.first_ns, case.last_ns
    if case.event.data["kind"] in _STATIONARY and last - first >= _APART_NS:
        return [("before", first), ("at", max((first + last) // 2, first + _APART_NS)), ("after", last)]
    if last - first < NS:
        return [("before", first - NS), ("at", max(case.at_ns, first)), ("after", last + NS)]
    return [("before", first - NS), ("at", max(case.at_ns, first)), ("after", last)]


def box_at(samples: Sequence[Sample], at_ns: int) -> tuple[float, ...] | None:
    """The accused vehicle's box, straight between samples; ``None`` in a gap and beyond the ends of the track.

    Where a vehicle was last seen another one stands a moment later: a box that is held there would accuse it.
    """
    i = bisect_right(samples, at_ns, key=lambda s: s.at_ns)
    before, after = samples[i - 1] if i else None, samples[i] if i < len(samples) else None
    if before and after and after.at_ns - before.at_ns <= GAP_NS:
        k = (at_ns - before.at_ns) / (after.at_ns - before.at_ns)
        return tuple(a + k * (b - a) for a, b in zip(before.box, after.box, strict=True))
    near = [s for s in (before, after) if s and abs(s.at_ns - at_ns) <= _HELD_NS]
    return min(near, key=lambda s: abs(s.at_ns - at_ns)).box if near else None


def shown_at(changes: Sequence[SignalChange], group: str | None, at_ns: int) -> tuple[str, float | None]:
    """What a group showed at an instant, and for how many seconds it had."""
    mine = [c for c in changes if c.signal == group and c.time_ns <= at_ns]
    if not mine:
        return "unknown", None
    return mine[-1].state, (at_ns - mine[-1].time_ns) / NS


def _still(out: Pictures, case: Case, camera: Camera, role: str, still: Any, place: str, timezone: str) -> None:
    at_ns, rgb = still["time_ns"], still["rgb"]
    row: dict[str, Any] = {
        "role": role,
        "time": instant(at_ns),
        "frame": dict(case.frames).get(at_ns),
        "file": _add(out.files, _core.encode_jpeg(rgb, _JPEG), "jpg"),
        "width": rgb.shape[1],
        "height": rgb.shape[0],
    }
    if camera.start_time_ns is not None:
        row["media_s"] = round((at_ns - camera.start_time_ns) / NS, 6)
    box = box_at(case.samples, at_ns)
    crop = None if box is None or role != "at" else _crop(rgb, box, margin=0.1)
    if crop is not None:
        row["vehicle"] = _add(out.files, _core.encode_jpeg(crop, _JPEG), "jpg")
    elif role == "at":
        unseen = "no box of the vehicle is known at that instant"
        out.missing["vehicle"] = unseen if box is None else "the vehicle is too small in the picture"
    if box is not None:
        row["box"] = [round(v, 5) for v in box]
        row["plate"] = _plate(out, case, camera, rgb, box, at_ns)
    if cv2 is not None:
        overlay = _overlay(rgb, case, camera, at_ns, box, place, timezone)
        row["overlay"] = _add(out.files, _core.encode_jpeg(overlay, _JPEG), "jpg")
    else:
        out.missing["overlay"] = "drawing needs OpenCV (extra draw)"
    out.stills.append(row)


def _plate(out: Pictures, case: Case, camera: Camera, rgb: Rgb, box: tuple[float, ...], at_ns: int) -> dict[str, Any]:
    """The crop of the region where the plate is, or why there is none."""
    class_, aspect = case.event.data["class"], rgb.shape[1] / rgb.shape[0]
    region = plate_region(camera, class_, (box[0], box[1], box[2], box[3]), case.samples, at_ns, aspect)
    if isinstance(region, str):
        return {"plate_region": "none", "why": region}
    if (crop := _crop(rgb, region)) is None:
        return {"plate_region": "none", "why": "too small"}
    file = _add(out.files, _core.encode_jpeg(crop, _JPEG), "jpg")
    return {"plate_region": "estimated", "file": file, "box": [round(v, 5) for v in region]}


def _crop(rgb: Rgb, box: Sequence[float], *, margin: float = 0.0) -> Rgb | None:
    """Part of the picture, with a margin of so many of its sides."""
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = box
    pad_x, pad_y = margin * (x2 - x1), margin * (y2 - y1)
    left, right = (int(np.clip(v * width, 0, width)) for v in (x1 - pad_x, x2 + pad_x))
    top, bottom = (int(np.clip(v * height, 0, height)) for v in (y1 - pad_y, y2 + pad_y))
    if right - left < 8 or bottom - top < 8:
        return None
    return np.ascontiguousarray(rgb[top:bottom, left:right])


def _overlay(
    rgb: Rgb, case: Case, camera: Camera, at_ns: int, box: Sequence[float] | None, place: str, timezone: str
) -> Rgb:
    """A copy with the box, the line and a banner that says what the signal shows, in words and by position."""
    data = case.event.data
    height, width = rgb.shape[:2]
    scale = max(width / 1280, 0.5)
    stroke = max(1, round(2 * scale))
    canvas = rgb.copy()

    def at(points: Any) -> Any:
        return np.rint(np.asarray(points) * (width, height)).astype(np.int32)

    for line in camera.line:
        if line.id == data["line"]:
            a, b = at(line.points)
            cv2.line(canvas, tuple(a.tolist()), tuple(b.tolist()), _LINE, stroke, cv2.LINE_AA)
    for zone in camera.zone:
        if zone.id == data["zone"]:
            cv2.polylines(canvas, [at(zone.polygon)], isClosed=True, color=_LINE, thickness=stroke)
    if box is not None:
        a, b = at(((box[0], box[1]), (box[2], box[3])))
        cv2.rectangle(canvas, tuple(a.tolist()), tuple(b.tolist()), _ACCUSED, stroke)
    bar = round(64 * scale)
    banner = np.zeros((bar, width, 3), np.uint8)
    local = datetime.fromtimestamp(at_ns // NS, UTC).astimezone(ZoneInfo(timezone))
    stamp = f"{local:%d/%m/%Y %H:%M:%S}.{at_ns % NS // 1_000_000:03d} {local:%z}"
    signal: Mapping[str, Any] | None = data.get("signal")
    words = f"{stamp}  {place}  {camera.id}{' ' + data['lane'] if data['lane'] else ''}"
    left = round(16 * scale)
    if signal is not None:
        state, since_s = shown_at(case.signals, signal["group"], at_ns)
        colour, name, lit = _LAMPS[state]
        for lamp in range(3):
            centre = (left + round(8 * scale) + round(20 * scale) * lamp, round(46 * scale))
            fill = -1 if lamp == lit else stroke
            cv2.circle(banner, centre, round(7 * scale), colour if lamp == lit else (120, 120, 120), fill)
        lasted = "" if since_s is None else f" {since_s:.1f} s"
        _write(banner, f"Đèn {signal['group']}: {name}{lasted}", (left + round(70 * scale), round(52 * scale)), scale)
    else:
        _write(banner, data["text"], (left, round(52 * scale)), scale)
    _write(banner, words, (left, round(24 * scale)), scale)
    _write(banner, case.evidence[:16], (width - round(200 * scale), round(24 * scale)), scale)
    return np.vstack([canvas, banner])


def _write(picture: Rgb, words: str, at: tuple[int, int], scale: float) -> None:
    cv2.putText(picture, words, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6 * scale, (255, 255, 255), max(1, round(scale)))


def _add(files: dict[str, bytes], content: bytes, suffix: str) -> str:
    """The file's name: the hash of what is in it."""
    name = f"{sha256(content).hexdigest()}.{suffix}"
    files[name] = content
    return name
