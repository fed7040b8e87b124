"""The files of a scene: tracks, signal feed, truth, and the site file that ties them together."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smartstream.simulate.camera import Array, Camera
from smartstream.simulate.finding import Crossing, Finding
from smartstream.simulate.heads import heads_truth
from smartstream.simulate.layout import (
    BANS,
    LANES_JUDGED,
    LINES_JUDGED,
    NORTH_EXIT,
    SPEED_LIMIT_KMH,
    STOP_M,
    ZONES_JUDGED,
    Point,
)
from smartstream.simulate.phases import FEED_ARROW, SignalPlan
from smartstream.simulate.sight import Sighting
from smartstream.simulate.stage import Condition
from smartstream.simulate.traffic import STEP_S

T0: float = 1_790_000_000.0
"""Event time of the first frame: 21 September 2026, 21:13:20 in Vietnam."""
CALIBRATION_M: tuple[Point, ...] = (
    (0.3, -STOP_M), (10.5, -STOP_M), (10.5, -65.0), (-10.5, -65.0), (-10.5, -STOP_M), (0.3, -40.0),
    (-6.0, -8.0),
)  # fmt: skip
"""Where a camera that looks south is calibrated; one that looks north has the same beyond the stop line."""


def write_signals(path: Path, plan: SignalPlan, seconds: float) -> None:
    """One line per change; the state at the first frame opens each group."""
    lines = [
        {"time": round(T0 + t, 3), "signal": signal, "state": state}
        for signal, group in plan.groups.items()
        for t, state in plan.changes(group, 0.0, seconds)
    ]
    lines.sort(key=lambda line: float(str(line["time"])))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_conditions(path: Path, conditions: Sequence[Condition]) -> None:
    """What lifted offences in the cases."""
    lines = [
        {"time": round(T0 + c.begin_s, 3), "until": round(T0 + c.end_s, 3), "condition": c.name, "junction": "j1"}
        | ({"lane": c.lane} if c.lane else {})
        | {"source": "simulate"}
        for c in conditions
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_tracks(path: Path, sightings: Sequence[Sighting], fps: float, frames: int) -> int:
    """Perfect tracks, one row per road user and frame; returns the number of rows."""
    rows: list[tuple[int, int, str]] = []
    for number, s in enumerate(sightings, start=1):
        first, last = np.ceil(s.t_s[0] * fps - 1e-6), np.floor(s.t_s[-1] * fps + 1e-6)
        for k, box in zip(*boxes_at(s, fps, int(first), min(int(last), frames - 1)), strict=True):
            row = {
                "time": round(T0 + k / fps, 6),
                "track": number,
                "class": s.mover.road_class,
                "score": 1.0,
                "box": [round(float(v), 4) for v in box],
            }
            rows.append((int(k), number, json.dumps(row)))
    rows.sort(key=lambda r: r[:2])
    # No time and name in the header: the same seed gives the same bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write("".join(line + "\n" for _, _, line in rows).encode())
    return len(rows)


def boxes_at(s: Sighting, fps: float, first: int, last: int) -> tuple[Array, Array]:
    """Frame numbers (n,) and boxes (n, 4) of a sighting at the frames of a clip."""
    frames = np.arange(first, last + 1)
    row = np.clip(frames / fps / STEP_S - s.t_s[0] / STEP_S, 0, len(s.t_s) - 1)
    low = np.minimum(row.astype(int), max(len(s.t_s) - 2, 0))
    part = (row - low)[:, None]
    high = np.minimum(low + 1, len(s.t_s) - 1)
    return frames, s.box[low] * (1 - part) + s.box[high] * part


def truth(
    *,
    seed: int,
    camera: Camera,
    fps: float,
    seconds: float,
    findings: Sequence[Finding],
    crossings: Sequence[Crossing],
    made_with: dict[str, Any],
) -> dict[str, Any]:
    """The content of ``truth.json``."""

    def picture(points: Sequence[Point]) -> list[list[float]]:
        return [[round(float(v), 5) for v in p] for p in camera.normalised(np.array(points, float))]

    def drawn(outline: Sequence[Point]) -> list[Point]:
        return [(float(x), float(y)) for x, y in camera.cut(np.array(outline))]

    marks = [(x, y if camera.north < 0 else -2 * STOP_M - y) for x, y in CALIBRATION_M]
    lanes = {}
    for lane in LANES_JUDGED:
        polygon = drawn(lane.polygon)
        middle, length_m = np.mean(np.array(polygon), axis=0), np.ptp(np.array(polygon)[:, 1])
        half = min(20, 0.4 * length_m) * np.array(lane.direction)
        along = camera.normalised(np.stack([middle - half, middle + half]))
        lanes[lane.id] = {
            "polygon": picture(polygon),
            "world": [list(p) for p in polygon],
            "direction_world": list(lane.direction),
            "direction": [round(float(v), 5) for v in along[1] - along[0]],
        }
    return {
        "fps": fps,
        "seconds": seconds,
        "size": [camera.width, camera.height],
        "t0": T0,
        "seed": seed,
        "made_with": made_with,
        "calibration": {"image": picture(marks), "world_m": [list(p) for p in marks]},
        "lanes": lanes,
        "lines": {line.id: {"points": picture(drawn(line.points)[:2])} for line in (*LINES_JUDGED, NORTH_EXIT)},
        "zones": {
            zone.id: {"polygon": picture(polygon), "world": [list(p) for p in polygon]}
            for zone in ZONES_JUDGED
            if len(polygon := drawn(zone.polygon)) >= 3
        },
        "signal_heads": heads_truth(camera),
        "limits": {"speed_kmh": SPEED_LIMIT_KMH},
        "violations": [f.as_json(T0) for f in findings if f.why is None],
        "ignore": [f.as_json(T0) for f in findings if f.why is not None],
        "counts": [
            {
                "t": round(T0 + c.t_s, 3),
                "line": "S-stop",
                "class": c.sighting.mover.road_class,
                "id": c.sighting.mover.id,
                "lane": c.lane,
            }
            for c in crossings
        ],
    }


def site_toml(truth: dict[str, Any], *, site: str, video: str | None, cases: bool = False) -> str:
    """The site file of a scene, with every rule armed; paths are relative to it.

    Args:
        truth: The content of ``truth.json``.
        site: Name of the site.
        video: File name of the video; ``None``: from the perfect tracks.
        cases: With the feed of conditions and the arrow that cases are played with.
    """

    def points(values: Sequence[Sequence[float]]) -> str:
        return "[" + ", ".join(f"[{', '.join(str(v) for v in p)}]" for p in values) + "]"

    url = f"file:{video}" if video else "tracks:tracks.ndjson.gz"
    arrows = "".join(f'[[junction.signal]]\nid = "{group}"\n' for group in FEED_ARROW if cases)
    out = [
        f"""[site]
id = "{site}"
province = "19"
ward = "05482"
timezone = "Asia/Ho_Chi_Minh"

[nats]
url = "embedded"

[[junction]]
id = "j1"
name = "Ngã tư Tân Long"
position = {{ lat = 21.6103, lon = 105.8412 }}
[[junction.signal]]
id = "S-through"
[[junction.signal]]
id = "S-left"
{arrows}
[[signal_feed]]
junction = "j1"
url = "file:signals.ndjson"

[[camera]]
id = "cam-s"
junction = "j1"
url = "{url}" # instead: {"tracks:tracks.ndjson.gz, the exact boxes" if video else "file:scene.mp4"}
start_time = {truth["t0"]}
detector = "motion"
[camera.calibration]
image = {points(truth["calibration"]["image"])}
world_m = {points(truth["calibration"]["world_m"])}
"""
    ]
    for lane in LANES_JUDGED:
        seen = truth["lanes"][lane.id]
        part = [f'[[camera.lane]]\nid = "{lane.id}"', f"polygon = {points(seen['polygon'])}"]
        part.append(f"direction = {seen['direction']}")
        if lane.signal:
            part.append(f'signal = "{lane.signal}"\nspeed_limit_kmh = {SPEED_LIMIT_KMH:g}')
        if lane.arrows and cases:
            arrows = ", ".join(f'{movement} = "{group}"' for movement, group in lane.arrows)
            part.append(f"movement_signal = {{ {arrows} }}")
        if lane.allowed:
            part.append(f"allowed = {json.dumps(lane.allowed)}")
        if lane.movements:
            part.append(f"movements = {json.dumps(lane.movements)}")
        out.append("\n".join(part))
    for line in (*LINES_JUDGED, NORTH_EXIT) if cases else LINES_JUDGED:
        movement = f'\nmovement = "{line.movement}"' if line.movement else ""
        seen = points(truth["lines"][line.id]["points"])
        out.append(f'[[camera.line]]\nid = "{line.id}"\nkind = "{line.kind}"{movement}\npoints = {seen}')
    for zone in ZONES_JUDGED:
        seen = points(truth["zones"][zone.id]["polygon"])
        out.append(f'[[camera.zone]]\nid = "{zone.id}"\nkind = "{zone.kind}"\npolygon = {seen}')
    out += [f"[[camera.rule]]\n{rule}" for rule in RULES]
    if cases:
        out.append('[[condition_feed]]\nurl = "file:conditions.ndjson"')
    return "\n".join(out) + "\n"


RULES = (
    'kind = "red_light"\nline = "S-stop"',
    'kind = "yellow_light"\nline = "S-stop"',
    'kind = "stop_line"\nline = "S-stop"',
    'kind = "wrong_way"',
    'kind = "wrong_lane"',
    'kind = "lane_arrow"',
    'kind = "solid_line"\nline = "S-median"',
    'kind = "illegal_turn"\nline = "east-exit"\nclasses = ["truck"]',
    'kind = "u_turn"\nzone = "box"',
    'kind = "illegal_stop"\nzone = "no_stopping"\nmin_dwell_s = 15',
    'kind = "box_blocking"\nzone = "box"',
    'kind = "speeding"',
    *(
        f'kind = "banned_class"\nlane = "{ban.lane}"\nclasses = ["{ban.road_class}"]'
        + (f'\nhours = ["{ban.hours}"]' if ban.hours else "")
        for ban in BANS
    ),
    'kind = "sidewalk"\nzone = "sidewalk"',
    'kind = "fail_to_yield_pedestrian"\nzone = "crosswalk"',
)
"""Every kind of the interface, on this junction."""
