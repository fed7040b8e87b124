"""Annotated stills of what was found: boxes, lanes, line, signal state, the sentence in Vietnamese."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from smartstream.config.camera import Camera
from smartstream.config.site import Site
from smartstream.model.event import CloudEvent
from smartstream.model.time import NS, parse_instant
from smartstream.vision.overlay import Picture, cv2, require_opencv, write_picture

_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_ACCUSED: Final = (40, 40, 235)
_OTHER: Final = (200, 200, 200)
_LANE: Final = (110, 190, 90)
_SIGNALS: Final = {
    # state: colour, Vietnamese word, which of three lamps is lit
    "red": ((50, 50, 235), "đỏ", 0),
    "amber": ((30, 180, 250), "vàng", 1),
    "flashing_amber": ((30, 180, 250), "vàng nháy", 1),
    "green": ((90, 200, 60), "xanh", 2),
}
_LINES: Final = {"stop": (60, 60, 255), "exit": (240, 160, 60), "count": (40, 200, 250)}
_TITLE_H: Final = 64
_SCALE: Final = 1280
"""Stills are drawn at least this wide: text on a small picture cannot be read."""


class Row(msgspec.Struct, frozen=True):
    """A line of a tracks file."""

    time: float
    track: int
    box: tuple[float, float, float, float]
    run: int = 0


def draw_stills(site: Site, events: Sequence[CloudEvent], record: Path, folder: Path, *, at_most: int) -> list[Path]:
    """One still per violation at its time; returns the files.

    Args:
        site: Where the violations were found.
        events: Violations, of which the first ``at_most`` of every kind are drawn.
        record: Folder of ``smartstream run --record``.
        folder: Where the stills go.
        at_most: Stills per kind.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    require_opencv()
    folder.mkdir(parents=True, exist_ok=True)
    signals = _signals(site, record)
    files: list[Path] = []
    for camera in site.camera:
        mine = _chosen([e for e in events if e.data.get("camera") == camera.id], at_most)
        rows = _rows(record / f"{camera.id}.ndjson")
        for event, picture in zip(mine, _frames(site, camera, mine), strict=True):
            if picture is None:
                continue
            at_ns = parse_instant(event.time)
            still = _annotate(picture, camera, event, rows, {g: _as_of(c, at_ns) for g, c in signals.items()})
            path = folder / f"{len(files) + 1:02d}-{event.data['kind']}.png"
            if write_picture(str(path), still):
                files.append(path)
    return files


def _chosen(events: Sequence[CloudEvent], at_most: int) -> list[CloudEvent]:
    taken: dict[str, int] = {}
    out = []
    for event in sorted(events, key=lambda e: e.time):
        kind = event.data["kind"]
        taken[kind] = taken.get(kind, 0) + 1
        if taken[kind] <= at_most:
            out.append(event)
    return out


def _rows(path: Path) -> list[Row]:
    decoder = msgspec.json.Decoder(Row)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def _signals(site: Site, record: Path) -> dict[str, list[tuple[int, str]]]:
    """Changes by signal group, from every recorded side that has signals."""
    out: dict[str, list[tuple[int, str]]] = {}
    for path in sorted(record.glob("signals*.ndjson")):
        for line in path.read_text(encoding="utf-8").splitlines():
            change = json.loads(line)
            out.setdefault(change["signal"], []).append((parse_instant(change["time"]), change["state"]))
    known = {group.id for junction in site.junction for group in junction.signal}
    return {group: sorted(changes) for group, changes in out.items() if group in known}


def _as_of(changes: Sequence[tuple[int, str]], at_ns: int) -> str:
    i = bisect_right(changes, at_ns, key=lambda c: c[0])
    return changes[i - 1][1] if i else "unknown"


def _frames(site: Site, camera: Camera, events: Sequence[CloudEvent]) -> list[Picture | None]:
    """The frame at each event's time, the clip read once."""
    start_ns = parse_instant(camera.start_time or 0)
    wanted = [(parse_instant(e.time) - start_ns) / NS for e in events]
    capture = cv2.VideoCapture(site.address(camera.url[0]).target)
    found: list[Picture | None] = [None] * len(wanted)
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    number = -1
    try:
        for i in sorted(range(len(wanted)), key=lambda i: wanted[i]):
            target = round(wanted[i] * fps)
            picture: Picture | None = found[i - 1] if i and target <= number else None
            while number < target:
                good, picture = capture.read()
                if not good:
                    picture = None
                    break
                number += 1
            found[i] = picture
    finally:
        capture.release()
    return found


def _annotate(
    picture: Picture, camera: Camera, event: CloudEvent, rows: Sequence[Row], signals: Mapping[str, str]
) -> Picture:
    factor = max(1.0, _SCALE / picture.shape[1])
    canvas: Any = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    height, width = canvas.shape[:2]

    def at(points: Sequence[Sequence[float]]) -> Any:
        return np.round(np.array(points) * (width, height)).astype(np.int32)

    lane_id = event.data.get("lane")
    for lane in camera.lane:
        mine = lane.id == lane_id
        cv2.polylines(canvas, [at(lane.polygon)], True, _LANE, 3 if mine else 1, cv2.LINE_AA)  # noqa: FBT003
        corner = at(lane.polygon)[:2].mean(axis=0).astype(int)
        _text(canvas, lane.id, (int(corner[0]) - 10, int(corner[1]) - 8), _LANE, 16)
    for zone in camera.zone:
        if zone.id == event.data.get("zone"):
            shade = canvas.copy()
            cv2.fillPoly(shade, [at(zone.polygon)], (200, 90, 200))
            canvas = cv2.addWeighted(shade, 0.25, canvas, 0.75, 0)
    for line in camera.line:
        a, b = at(line.points)
        strong = line.id == event.data.get("line") or line.kind == "stop"
        cv2.line(canvas, a.tolist(), b.tolist(), _LINES[line.kind], 3 if strong else 1, cv2.LINE_AA)
    _boxes(canvas, event, rows)
    _lamps(canvas, signals)
    title = np.full((_TITLE_H, width, 3), 28, np.uint8)
    _text(title, str(event.data.get("text", event.type)), (14, 28), _WHITE, 22)
    fields = f"{event.time}  {event.data['kind']}  {event.data['verdict']}  {event.data.get('track', '')}"
    _text(title, f"{fields}  {event.id}", (14, 54), (190, 190, 190), 15)
    out: Picture = np.concatenate([title, canvas])
    return out


def _boxes(canvas: Any, event: CloudEvent, rows: Sequence[Row]) -> None:
    """Everybody's box in the frame; the accused with his path, thick and named."""
    height, width = canvas.shape[:2]
    at_s = parse_instant(event.time) / NS
    _, run, number = [*str(event.data.get("track", "")).rsplit("/", 2), "", "", ""][:3]
    near = [r for r in rows if abs(r.time - at_s) < 1.0]
    if not near:
        return
    frame_s = min((r.time for r in near), key=lambda t: abs(t - at_s))
    path = [r for r in rows if (str(r.run), str(r.track)) == (run, number) and r.time <= frame_s + 1e-6]
    feet = [(0.5 * (r.box[0] + r.box[2]) * width, r.box[3] * height) for r in path]
    if len(feet) > 1:
        cv2.polylines(canvas, [np.round(feet).astype(np.int32)], False, _ACCUSED, 2, cv2.LINE_AA)  # noqa: FBT003
    for row in near:
        if abs(row.time - frame_s) > 1e-3:
            continue
        accused = (str(row.run), str(row.track)) == (run, number)
        x1, y1, x2, y2 = (round(v * s) for v, s in zip(row.box, (width, height) * 2, strict=True))
        cv2.rectangle(canvas, (x1, y1), (x2, y2), _ACCUSED if accused else _OTHER, 3 if accused else 1, cv2.LINE_AA)
        if accused:
            name = f"{event.data.get('class', '')} {number}"
            cv2.rectangle(canvas, (x1, y1 - 22), (x1 + 11 * len(name), y1), _ACCUSED, cv2.FILLED)
            _text(canvas, name, (x1 + 4, y1 - 5), _WHITE, 16)


def _lamps(canvas: Any, signals: Mapping[str, str]) -> None:
    """The state of every group at that instant: three lamps, and the word."""
    wide = 250
    x0 = canvas.shape[1] - wide - 12
    cv2.rectangle(canvas, (x0, 10), (x0 + wide, 22 + 34 * len(signals)), _BLACK, cv2.FILLED)
    for i, (group, state) in enumerate(sorted(signals.items())):
        colour, word, lit = _SIGNALS.get(state, (_OTHER, state, -1))
        y = 34 + 34 * i
        for lamp in range(3):
            cv2.circle(canvas, (x0 + 20 + 24 * lamp, y), 9, colour if lamp == lit else (70, 70, 70), -1, cv2.LINE_AA)
        _text(canvas, f"{group}: {word}", (x0 + 96, y + 6), _WHITE, 17)


def _text(canvas: Any, words: str, at: tuple[int, int], colour: tuple[int, int, int], size: int) -> None:
    """Text with Vietnamese letters: OpenCV 5 draws Unicode, 4 only ASCII."""
    if hasattr(cv2, "FontFace"):
        cv2.putText(canvas, words, at, colour, cv2.FontFace("sans"), size, 400)
    else:
        plain = words.encode("ascii", "replace").decode()
        cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size / 32, colour, 1, cv2.LINE_AA)
