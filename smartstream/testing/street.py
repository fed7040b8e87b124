"""A straight street with a stop line, drawn by a formula: a small site with tracks and signals for tests.

World: x to the right, y along lawful travel, metres, the stop line at y = 0. The picture is an affine view, so
that a test can compute every crossing by hand.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

T0: Final = 1_790_000_000.0
"""Event time of the first frame, epoch seconds."""
FPS: Final = 10
_SIZE_M: Final = {"motorcycle": (0.8, 1.8), "car": (1.8, 1.6), "bus": (2.5, 3.0), "truck": (2.4, 2.8)}
_PHASES: Final = (("green", 10.0), ("amber", 3.0), ("red", 12.0))
_CYCLE_S: Final = sum(seconds for _, seconds in _PHASES)

SITE: Final = """[site]
id = "street"
province = "19"
ward = "05482"

[nats]
url = "embedded"

[[junction]]
id = "j1"
name = "Ngã ba Thử Nghiệm"
position = { lat = 21.6, lon = 105.8 }
[[junction.signal]]
id = "S"

[[signal_feed]]
junction = "j1"
url = "file:signals.ndjson"

[[camera]]
id = "cam"
junction = "j1"
url = "tracks:tracks.ndjson"
[camera.calibration]
image = [[0.3, 0.2], [0.7, 0.2], [0.7, 0.92], [0.3, 0.92]]
world_m = [[0.0, -60.0], [10.5, -60.0], [10.5, 20.0], [0.0, 20.0]]
[[camera.lane]]
id = "L0"
polygon = [[0.3, 0.2], [0.43333, 0.2], [0.43333, 0.74], [0.3, 0.74]]
direction = [0.0, 1.0]
signal = "S"
[[camera.lane]]
id = "L1"
polygon = [[0.43333, 0.2], [0.56667, 0.2], [0.56667, 0.74], [0.43333, 0.74]]
direction = [0.0, 1.0]
signal = "S"
[[camera.lane]]
id = "O"
polygon = [[0.56667, 0.2], [0.7, 0.2], [0.7, 0.74], [0.56667, 0.74]]
direction = [0.0, -1.0]
[[camera.line]]
id = "stop"
kind = "stop"
points = [[0.56667, 0.74], [0.3, 0.74]]
[[camera.line]]
id = "upstream"
kind = "count"
points = [[0.56667, 0.4], [0.3, 0.4]]
[[camera.rule]]
kind = "red_light"
line = "stop"
[[camera.rule]]
kind = "yellow_light"
line = "stop"
[[camera.rule]]
kind = "stop_line"
line = "stop"
[[camera.rule]]
kind = "wrong_way"
"""


def state_at(t: float) -> str:
    """What the light shows ``t`` seconds after the start."""
    t %= _CYCLE_S
    for state, seconds in _PHASES:
        if t < seconds:
            return state
        t -= seconds
    return "red"


@dataclass(frozen=True)
class Drive:
    """One road user: waypoints (seconds, x, y), straight and even between them."""

    track: int
    cls: str
    points: tuple[tuple[float, float, float], ...]

    def at(self, t: float) -> tuple[float, float] | None:
        """Foot point at ``t``, or ``None`` when it is not there."""
        for (t1, x1, y1), (t2, x2, y2) in zip(self.points, self.points[1:], strict=False):
            if t1 <= t <= t2:
                k = 0.0 if t2 == t1 else (t - t1) / (t2 - t1)
                return x1 + k * (x2 - x1), y1 + k * (y2 - y1)
        return None


def box(x: float, y: float, cls: str) -> list[float]:
    """Normalised box whose bottom centre is the image of (x, y)."""
    width, height = _SIZE_M[cls]
    u, v = 0.3 + x * 0.4 / 10.5, 0.2 + (y + 60.0) * 0.72 / 80.0
    half = width / 2 * 0.4 / 10.5
    return [round(a, 5) for a in (u - half, v - height * 0.03, u + half, v)]


def traffic(*, seconds: float, seed: int) -> list[Drive]:
    """Random traffic: most wait at red, some run it, some drive against their lane."""
    rng = random.Random(seed)
    drives: list[Drive] = []
    t = 0.5
    while t < seconds - 12:
        track, cls = len(drives) + 1, rng.choice(list(_SIZE_M))
        x, speed = rng.choice((1.75, 5.25)) + rng.uniform(-0.5, 0.5), rng.uniform(7.0, 13.0)
        arrive = t + 55.0 / speed
        kind = rng.random()
        if kind < 0.12:
            drives.append(Drive(track, cls, ((t, x, -5.0), (t + 45.0 / speed, x, -50.0))))
        elif state_at(arrive) == "green" or kind > 0.8:
            drives.append(Drive(track, cls, ((t, x, -55.0), (arrive + 18.0 / speed, x, 18.0))))
        else:
            go = arrive
            while state_at(go) != "green":
                go += 0.5
            drives.append(
                Drive(track, cls, ((t, x, -55.0), (arrive, x, -1.5), (go, x, -1.5), (go + 20.0 / speed, x, 18.0)))
            )
        t += rng.uniform(0.6, 2.0)
    return drives


def signal_lines(seconds: float) -> list[str]:
    """The signal feed."""
    lines, t = [], 0.0
    while t < seconds:
        for state, length in _PHASES:
            lines.append(json.dumps({"time": T0 + t, "signal": "S", "state": state}))
            t += length
    return lines


def track_lines(drives: list[Drive], *, seconds: float) -> list[str]:
    """The tracks file: a row per road user and frame."""
    lines = []
    for frame in range(round(seconds * FPS)):
        t = frame / FPS
        for drive in drives:
            foot = drive.at(t)
            if foot is not None:
                row = {"time": round(T0 + t, 3), "run": 0, "track": drive.track, "class": drive.cls}
                lines.append(json.dumps({**row, "score": 0.9, "box": box(*foot, drive.cls)}))
    return lines


def write_street(folder: Path, *, seconds: float = 120.0, seed: int = 1) -> Path:
    """Write ``site.toml``, ``signals.ndjson`` and ``tracks.ndjson``; returns the site file."""
    folder.mkdir(parents=True, exist_ok=True)
    drives = traffic(seconds=seconds, seed=seed)
    (folder / "signals.ndjson").write_text("\n".join(signal_lines(seconds)) + "\n")
    (folder / "tracks.ndjson").write_text("\n".join(track_lines(drives, seconds=seconds)) + "\n")
    site = folder / "site.toml"
    site.write_text(SITE, encoding="utf-8")
    return site
