"""What the cameras of the street see: boxes twice a second, as a tracker would number them.

Each camera hangs over its junction as in the scenes and looks along one approach. Boxes tremble, single ones are
missed, a track breaks now and then; a covered lens shows next to nothing, a camera that was knocked aside shows
another piece of the street through the same drawn lanes.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path
from typing import Final

import numpy as np

from smartstream.simulate.camera import MOUNTS, Array, Camera, Mount, hang
from smartstream.simulate.city.driving import TICK_S, Drive
from smartstream.simulate.city.happenings import World
from smartstream.simulate.city.streets import APPROACHES, centre
from smartstream.simulate.kinds import KINDS
from smartstream.simulate.sight import runs, visible

SIZE: Final = (1280, 720)
TWINS: Final = {"j2W": "side", "j2E": "side"}
"""Approaches that a second camera sees, and where that hangs."""
CAMERAS: Final = {f"cam-{a.lower()}": a for a in APPROACHES} | {f"cam-{a.lower()}-b": a for a in TWINS}
"""Approach by camera."""
_REACH_M: Final = 115.0
_MISSED: Final = 0.02  # boxes that a detector does not find
_BREAKS: Final = 0.0015  # of all boxes: the track goes on under another number
_TREMBLE: Final = 0.012  # of the box's size
_TURN: Final[dict[str, Callable[[Array, Array], tuple[Array, Array]]]] = {
    "S": lambda x, y: (x, y),
    "W": lambda x, y: (-y, x),
    "E": lambda x, y: (y, -x),
}
"""Turns an arm to the south, where the cameras of the scenes look."""


@dataclass
class View:
    """One camera: how it was hung, and what it wrote down.

    Attributes:
        hung: As the geometry of its lanes was drawn.
        who: By track number, the vehicle.
        saw: By vehicle, seconds of its first and last box.
    """

    camera: str
    approach: str
    hung: Camera
    who: dict[int, str]
    saw: dict[str, tuple[float, float]]


def film(world: World, drives: list[Drive], out: Path, t0: float, progress: Callable[[float], None]) -> dict[str, View]:
    """Write ``<camera>.ndjson.gz`` for every camera.

    Args:
        world: What happens to cameras.
        drives: Everyone on the street.
        out: Folder.
        t0: Event time of the begin.
        progress: Called with the fraction done.
    """
    views = {}
    for i, (camera, approach) in enumerate(CAMERAS.items()):
        rng = random.Random(f"view {camera} {world.seed}")
        mount = TWINS[approach] if camera.endswith("-b") else "standard"
        hung = hang(rng, mount, SIZE)
        view = View(camera, approach, hung, {}, {})
        rows = _rows(world, view, drives, rng)
        _write(out / f"{camera}.ndjson.gz", rows, t0)
        views[camera] = view
        progress((i + 1) / len(CAMERAS))
    return views


def _rows(world: World, view: View, drives: list[Drive], rng: random.Random) -> dict[int, list[tuple[int, str, Array]]]:
    noise = np.random.default_rng(rng.randrange(2**63))
    x0, y0 = centre(view.approach[:2])
    turn = _TURN[view.approach[2]]
    moved = [
        (h.begin_s, h.end_s, _turned(view.hung, h.more["turn_deg"], h.more["tilt_deg"]))
        for h in world.of("knocked", view.camera) + world.of("sways", view.camera)
    ]
    covered = [(h.begin_s, h.end_s, h.more["left"]) for h in world.of("covered", view.camera)]
    frames: dict[int, list[tuple[int, str, Array]]] = defaultdict(list)
    number = 0
    for drive in drives:
        near = np.flatnonzero(np.abs(drive.place_m - (x0, y0)).max(axis=1) < _REACH_M)
        if not len(near):
            continue
        part = slice(near[0], near[-1] + 1)
        x, y = turn(drive.place_m[part, 0] - x0, drive.place_m[part, 1] - y0)
        heading = np.stack(turn(np.sin(drive.angle[part]), np.cos(drive.angle[part])), axis=1)
        front = np.stack([x, y], axis=1)
        first = drive.first + int(near[0])
        size, t_s = KINDS[drive.kind].size_m, (first + np.arange(len(x))) * TICK_S
        box, depth = view.hung.boxes(front, heading, size)
        for begin, end, camera in moved:
            during = (t_s >= begin) & (t_s < end)
            if during.any():
                box[during], depth[during] = camera.boxes(front[during], heading[during], size)
        seen = visible(box, depth) & (np.hypot(x, y) < _REACH_M)
        seen &= noise.random(len(x)) >= _MISSED
        for begin, end, left in covered:
            seen &= ~((t_s >= begin) & (t_s < end)) | bool(noise.random() < left)  # a gap shows one in many
        if not seen.any():
            continue
        spread = (box[:, 2:] - box[:, :2]) * _TREMBLE
        box = box + np.concatenate([spread, spread], axis=1) * noise.standard_normal(box.shape)
        number = _number(view, drive, first, frames, number, seen, box, noise)
    return frames


def _number(
    view: View,
    drive: Drive,
    first: int,
    frames: dict[int, list[tuple[int, str, Array]]],
    number: int,
    seen: Array,
    box: Array,
    noise: np.random.Generator,
) -> int:
    """Track numbers for a vehicle's boxes: a new one after two seconds out of sight, or when the tracker loses it."""
    bridged = seen.copy()
    for a, b in runs(~seen):
        bridged[a:b] = a > 0 and b < len(seen) and b - a <= 2 / TICK_S
    for a, b in runs(bridged):
        number += 1
        for k in range(a, b):
            if not seen[k]:
                continue
            if noise.random() < _BREAKS:
                number += 1
            view.who[number] = drive.id
            frames[first + k].append((number, drive.kind, box[k]))
        since, until = (first + a) * TICK_S, (first + b - 1) * TICK_S
        view.saw[drive.id] = (view.saw.get(drive.id, (since, until))[0], until)
    return number


def _turned(camera: Camera, turn_deg: float, tilt_deg: float) -> Camera:
    """The same camera after a knock."""
    ground = camera.ground(np.array([0.5, 0.5]))
    ahead = ground - camera.at_m[:2]
    a, reach = radians(turn_deg), 1 + tilt_deg / 20
    x = (cos(a) * ahead[0] - sin(a) * ahead[1]) * reach + camera.at_m[0]
    y = (sin(a) * ahead[0] + cos(a) * ahead[1]) * reach + camera.at_m[1]
    view_deg = MOUNTS["standard"].view_deg
    out = Camera(Mount(tuple(camera.at_m.tolist()), (float(x), float(y)), view_deg), (camera.width, camera.height))
    out.focal_px = camera.focal_px
    return out


def _write(path: Path, frames: dict[int, list[tuple[int, str, Array]]], t0: float) -> None:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        for tick in sorted(frames):
            time = json.dumps(round(t0 + tick * TICK_S, 3))
            text = "".join(
                f'{{"time": {time}, "track": {number}, "class": "{kind}", "score": 0.9, '
                f'"box": [{box[0]:.4f}, {box[1]:.4f}, {box[2]:.4f}, {box[3]:.4f}]}}\n'
                for number, kind, box in frames[tick]
            )
            file.write(text.encode())


def seen_by(views: dict[str, View], vehicle: str, at_s: float) -> list[str]:
    """Cameras that had a vehicle in their picture around an instant."""
    return [
        name
        for name, view in views.items()
        if vehicle in view.saw and view.saw[vehicle][0] - 1 <= at_s <= view.saw[vehicle][1] + 1
    ]
