"""``smartstream bench rules``: observations per second through the rule engine, beside supervision's zones.

A drawn junction: four arms of three lanes, eight lines, ten rules, fifty vehicles at any time. The engine gets
the bytes that travel in a dataflow and answers verdicts with their explanations. supervision gets the same boxes
as ready-made ``Detections`` and only says who is in which polygon and who crossed which line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np
import numpy.typing as npt

from smartstream._core import JunctionEngine, __version__
from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.errors import MissingExtraError
from smartstream.model.classes import STATE_CODE
from smartstream.model.time import NS
from smartstream.model.tracks import TrackBatch

T0: Final = 1_790_000_000 * NS
FPS: Final = 25
SPAN_M: Final = 200.0
"""The picture shows so many metres each way, from straight above."""
SIZE: Final = (1920, 1080)
"""Pixels, for a peer that counts in them."""
VEHICLES: Final = 50
GOAL: Final = 2_000_000
TIMES_PEER: Final = 30
_CLASSES: Final = (1, 1, 1, 2, 3, 3, 4, 5)
_ARMS: Final = ("N", "E", "S", "W")
Points = npt.NDArray[np.float64]


class Street(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The work of one round.

    Attributes:
        config: For the engine.
        batches: Half seconds of tracks in wire form, each with its last instant.
        frames: (F,) end of each frame's rows.
        boxes: (R, 4) float32, normalised.
        track: (R,) uint32.
    """

    config: bytes
    batches: list[tuple[int, bytes]]
    frames: npt.NDArray[np.uint32]
    boxes: npt.NDArray[np.float32]
    track: npt.NDArray[np.uint32]


@click.command(name="rules")
@click.option("--peers", is_flag=True, help="Also run supervision's LineZone and PolygonZone (extra `bench`).")
@click.option("--seconds", type=click.IntRange(1, 3600), default=120, show_default=True, help="Length of the scene.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=5, show_default=True, help="Fastest of so many.")
@json_option("rules")
def bench(*, peers: bool, seconds: int, rounds: int, output: Path) -> None:
    """Track observations per CPU second: 12 lanes, 8 lines, 10 rules, 50 live tracks."""
    street = make_street(seconds)
    counts, _ = _engine_round(street)
    ours = _rate(street, rounds, lambda: _engine_round(street)[1])
    rows: list[dict[str, Any]] = [{"name": "smartstream", "version": __version__, "per_s": ours, **counts}]
    gates = [gate("track observations per second and core", ours, GOAL)]
    if peers:
        run = _supervision(street)
        theirs = _rate(street, 1, run)
        rows.append({"name": "supervision zones", "version": version("supervision"), "per_s": theirs})
        gates.append(gate("times supervision's zones on the same tracks", ours / theirs, TIMES_PEER))
    columns = ("engine", "version", "observations/s", "ns each", "verdicts", "crossings")
    print_table(
        columns,
        [
            (r["name"], r["version"], f"{r['per_s']:,.0f}", f"{NS / r['per_s']:,.0f}", *map(r.get, columns[4:]))
            for r in rows
        ],
    )
    print_gates(gates)
    write_json(output, "rules", {"seconds": seconds, "rounds": rounds, "engines": rows, "gates": gates})


def _rate(street: Street, rounds: int, run: Callable[[], float]) -> float:
    return len(street.track) / min(run() for _ in range(rounds))


def _engine_round(street: Street) -> tuple[dict[str, int], float]:
    """What came out, and the CPU seconds it took."""
    engine = JunctionEngine(street.config)
    times = np.arange(T0 - 10 * NS, street.batches[-1][0], 20 * NS, dtype=np.int64)
    for group in range(4):
        states = ["green", "red"] if group % 2 else ["red", "green"]
        codes = np.array([STATE_CODE[states[i % 2]] for i in range(len(times))], np.uint8)
        engine.signals(times, np.full(len(times), group, np.uint16), codes)
    answers = []
    began = time.process_time()
    for last_ns, batch in street.batches:
        engine.tracks(0, batch)
        answers.append(engine.advance(last_ns))
    answers.append(engine.finish())
    spent = time.process_time() - began
    outcomes = [o for answer in answers for o in json.loads(answer)]
    crossings = sum(o["type"] == "crossing" for o in outcomes)
    return {"verdicts": len(outcomes) - crossings, "crossings": crossings}, spent


def _supervision(street: Street) -> Callable[[], float]:
    try:
        sv = import_module("supervision")
    except ImportError:
        raise MissingExtraError("`smartstream bench rules --peers`", "bench") from None
    config = json.loads(street.config)["cameras"][0]
    size = np.array(SIZE, np.float64)
    starts = np.concatenate(([0], street.frames[:-1]))
    pixels = street.boxes * np.tile(size, 2).astype(np.float32)
    frames = [
        sv.Detections(xyxy=pixels[a:b], tracker_id=street.track[a:b].astype(int), class_id=np.zeros(b - a, int))
        for a, b in zip(starts, street.frames, strict=True)
    ]

    def run() -> float:
        areas = [*config["lanes"], *config["zones"]]
        polygons = [(np.array(area["polygon"]) * size).astype(np.int64) for area in areas]
        anchors = {"triggering_anchors": [sv.Position.BOTTOM_CENTER]}
        zones: list[Any] = [sv.PolygonZone(polygon=np.maximum(p, 0), **anchors) for p in polygons]
        for line in config["lines"]:
            start, end = (sv.Point(*(np.array(p) * size)) for p in line["points"])
            zones.append(sv.LineZone(start=start, end=end, **anchors))
        began = time.process_time()
        for detections in frames:
            for zone in zones:
                zone.trigger(detections)
        return time.process_time() - began

    return run


def make_street(seconds: int) -> Street:
    """Fifty vehicles that come down an arm, go straight, left or right, and are replaced when they have left."""
    rng = np.random.default_rng(4)
    frames = seconds * FPS
    ids = np.arange(1, VEHICLES + 1)
    paths = [_path(rng) for _ in ids]
    at = rng.uniform(0, 1, VEHICLES) * [_length(p) for p in paths]
    speed = rng.uniform(3, 22, VEHICLES)
    classes = rng.choice(_CLASSES, VEHICLES)
    track = np.empty((frames, VEHICLES), np.uint32)
    boxes = np.empty((frames, VEHICLES, 4), np.float32)
    kinds = np.empty((frames, VEHICLES), np.uint8)
    for frame in range(frames):
        at += speed / FPS
        for i in range(VEHICLES):
            if at[i] > _length(paths[i]):
                ids[i], paths[i], at[i] = ids.max() + 1, _path(rng), 0.0
                speed[i], classes[i] = rng.uniform(3, 22), rng.choice(_CLASSES)
            x, y = _place(paths[i], at[i]) / SPAN_M + 0.5
            boxes[frame, i] = x - 0.005, y - 0.02, x + 0.005, y
        track[frame], kinds[frame] = ids, classes
    step = FPS // 2
    batches = []
    for first in range(0, frames, step):
        part = slice(first, min(first + step, frames))
        n = part.stop - first
        frame_ns = T0 + np.arange(first, part.stop, dtype=np.int64) * (NS // FPS)
        batch = TrackBatch(
            run=0,
            frame_ns=frame_ns,
            frame_no=np.arange(first, part.stop, dtype=np.uint64),
            row_end=np.arange(1, n + 1, dtype=np.uint32) * VEHICLES,
            track=track[part].ravel(),
            box=boxes[part].reshape(-1, 4),
            score=np.ones(n * VEHICLES, np.float32),
            class_code=kinds[part].ravel(),
            flags=np.zeros(n * VEHICLES, np.uint8),
        )
        batches.append((int(frame_ns[-1]), batch.to_bytes()))
    return Street(
        config=json.dumps(_config()).encode(),
        batches=batches,
        frames=np.arange(1, frames + 1, dtype=np.uint32) * VEHICLES,
        boxes=boxes.reshape(-1, 4),
        track=track.ravel(),
    )


def _turned(points: Points, quarters: int) -> Points:
    for _ in range(quarters % 4):
        points = np.stack([-points[:, 1], points[:, 0]], axis=1)
    return points


def _path(rng: np.random.Generator) -> Points:
    """Down a lane of one arm to the end of another: straight on, or to either side; metres from the middle."""
    lane, far = 2.0 + 3.5 * int(rng.integers(3)), 95.0
    out = ([lane, far], [far, lane], [-far, lane])[int(rng.integers(3))]
    return _turned(np.array([[lane, -far], [lane, -12.0], out]), int(rng.integers(4)))


def _length(path: Points) -> float:
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


def _place(path: Points, at: float) -> Points:
    for a, b in pairwise(path):
        length = float(np.hypot(*(b - a)))
        if at <= length:
            break
        at -= length
    place: Points = a + (b - a) * min(at / length, 1.0)
    return place


def _config() -> dict[str, Any]:
    def image(points: list[list[float]], quarters: int) -> list[list[float]]:
        turned: list[list[float]] = (_turned(np.array(points), quarters) / SPAN_M + 0.5).tolist()
        return turned

    lanes, lines = [], []
    for q, arm in enumerate(_ARMS):
        for n in range(3):
            left, right = 0.25 + 3.5 * n, 3.75 + 3.5 * n
            direction: list[float] = _turned(np.array([[0.0, 1.0]]), q)[0].tolist()
            lanes.append(
                {
                    "id": f"{arm}{n}",
                    "polygon": image([[left, -95], [right, -95], [right, -14], [left, -14]], q),
                    "direction": direction,
                    "signal": arm,
                    "allowed": ["motorcycle", "bicycle", "bus"] if n == 2 else None,
                    "movements": [["left"], ["through"], ["through", "right"]][n],
                    "speed_limit_kmh": 50,
                }
            )
        lines.append({"id": f"{arm}-stop", "kind": "stop", "points": image([[0.25, -14], [10.75, -14]], q)})
        out = {"id": f"{arm}-exit", "kind": "exit", "movement": "left", "points": image([[-11, -16], [-0.25, -16]], q)}
        lines.append(out)
    return {
        "groups": list(_ARMS),
        "cameras": [
            {
                "id": "c",
                "calibration": {
                    "image": [[0, 0], [1, 0], [1, 1], [0, 1]],
                    "world_m": (SPAN_M * (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5)).tolist(),
                },
                "lanes": lanes,
                "lines": lines,
                "zones": [
                    {"id": "box", "polygon": image([[-13, -13], [13, -13], [13, 13], [-13, 13]], 0)},
                    {
                        "id": "kerb",
                        "polygon": image([[7, -80], [11, -80], [11, -30], [7, -30]], 0),
                    },
                ],
                "rules": [
                    {"kind": "red_light", "line": "N-stop"},
                    {"kind": "yellow_light", "line": "N-stop"},
                    {"kind": "stop_line", "line": "N-stop"},
                    {"kind": "red_light", "line": "S-stop"},
                    {"kind": "wrong_way"},
                    {"kind": "wrong_lane"},
                    {"kind": "lane_arrow"},
                    {"kind": "u_turn", "zone": "box"},
                    {"kind": "illegal_stop", "zone": "kerb"},
                    {"kind": "speeding"},
                ],
            }
        ],
    }
