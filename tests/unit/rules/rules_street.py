"""A drawn road for rule tests: tracks along given ways, in metres, and what the engine says of them.

The picture is the ground seen from straight above: 100 m by 100 m, x to the right, y down, origin in the middle.
"""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np

from smartstream._core import JunctionEngine
from smartstream.model.classes import CLASS_CODE, STATE_CODE
from smartstream.model.tracks import TrackBatch
from smartstream.rules.outcome import Violation, decode_outcomes

NS = 1_000_000_000
T0 = 1_790_000_000 * NS  # 2026-09-21T14:13:20Z, a Monday, 21:13:20 in Việt Nam
SPAN_M = 100.0
CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]]


def image(*points):
    return [[x / SPAN_M + 0.5, y / SPAN_M + 0.5] for x, y in points]


def rectangle(x1, y1, x2, y2):
    return image((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def camera(*, lanes=(), lines=(), zones=(), rules=()):
    world = [[SPAN_M * (x - 0.5), SPAN_M * (y - 0.5)] for x, y in CORNERS]
    return {
        "id": "c",
        "aspect": 1.0,
        "calibration": {"image": CORNERS, "world_m": world},
        "lanes": list(lanes),
        "lines": list(lines),
        "zones": list(zones),
        "rules": list(rules),
    }


def config(*cameras):
    return {"groups": ["G"], "utc_offsets": [[0, 7 * 3600]], "cameras": list(cameras)}


def drive(way, *, at=0.0, fps=10):
    """Frames ``(t, x, y)`` along ``[(x, y, seconds to the next point), …]``, from second ``at`` on."""
    frames, t = [], at
    for (x, y, seconds), (nx, ny, _) in pairwise([*way, (*way[-1][:2], 0)]):
        n = max(round(seconds * fps), 0)
        frames += [(t + i / fps, x + (nx - x) * i / n, y + (ny - y) * i / n) for i in range(n)]
        t += n / fps
    return [*frames, (t, way[-1][0], way[-1][1])]


class Vehicle:
    # ``height_m``: metres, or a function of y for an outline that loses a part.
    def __init__(
        self, way, *, kind="car", at=0.0, fps=10, width_m=1.8, height_m=1.5, doubtful=(), flags=0, score=1.0, later=None
    ):
        self.frames, self.kind, self.width_m, self.height_m = drive(way, at=at, fps=fps), kind, width_m, height_m
        self.doubtful, self.flags, self.score = doubtful, flags, score
        self.later = later  # (second, class it is taken for from then on, and its score)


def rows_of(vehicles):
    """Time in ns to rows of (track, class, box, flags, score)."""
    rows = {}
    for number, v in enumerate(vehicles, 1):
        for t, x, y in v.frames:
            (fx, fy), half = image((x, y))[0], v.width_m / SPAN_M / 2
            flag = v.flags | any(a <= t <= b for a, b in v.doubtful)
            height_m = v.height_m(y) if callable(v.height_m) else v.height_m
            box = (fx - half, fy - height_m / SPAN_M, fx + half, fy)
            kind, score = v.later[1:] if v.later and t >= v.later[0] else (v.kind, v.score)
            row = (number, CLASS_CODE[kind], box, int(flag), score)
            rows.setdefault(T0 + round(t * 1000) * 1_000_000, []).append(row)
    return rows


def batch_of(times, rows, *, run=0):
    flat = [row for t in times for row in rows[t]]
    return TrackBatch(
        run=run,
        frame_ns=np.array(times, np.int64),
        frame_no=np.arange(len(times), dtype=np.uint64),
        row_end=np.cumsum([len(rows[t]) for t in times], dtype=np.uint32),
        track=np.array([r[0] for r in flat], np.uint32),
        box=np.array([r[2] for r in flat], np.float32).reshape(-1, 4),
        score=np.array([r[4] for r in flat], np.float32),
        class_code=np.array([r[1] for r in flat], np.uint8),
        flags=np.array([r[3] for r in flat], np.uint8),
    ).to_bytes()


def engine_of(site, signals=()):
    engine = JunctionEngine(json.dumps(site).encode())
    engine.signals(
        np.array([T0 + round(t * NS) for t, _ in signals], np.int64),
        np.zeros(len(signals), np.uint16),
        np.array([STATE_CODE[s] for _, s in signals], np.uint8),
    )
    return engine


def outcomes(site, vehicles, *, signals=(), before=lambda engine: None):
    engine, rows = engine_of(site, signals), rows_of(vehicles)
    before(engine)
    engine.tracks(0, batch_of(sorted(rows), rows))
    return decode_outcomes(engine.finish())


def verdicts(site, vehicles, **more):
    """``(kind, verdict, *reasons)`` of everything that is no crossing."""
    found = [o for o in outcomes(site, vehicles, **more) if isinstance(o, Violation)]
    return [(o.kind, o.verdict, *o.reasons) for o in found]
