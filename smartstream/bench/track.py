"""``smartstream bench track``: accuracy and speed of the tracker, beside its peers in the same run.

Speed is the processor time of the process inside the tracker's own call, the least of several rounds in
which the contestants take turns: a busy machine is busy for all of them, and waiting is nobody's work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np

from smartstream._core import Tracker
from smartstream.bench.mot_score import LabelledSequence, Tracked, read_set, score_set
from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.bench.track_peers import PEERS, Contestant, Frame, ours
from smartstream.vision.mot import MotDetections, read_mot_detections

DATA: Final = Path("../shared/tracking/kitti-car")
LEAST: Final = {"kitti-car": {"hota": 76.5, "idf1": 89.5}}
"""Set to the accuracy expected on it at default parameters."""
PER_CALL: Final = 30
BATCH: Final = 100
"""How many times the frames per second of the fastest peer, one call per frame and one call per clip."""


class Clip(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One sequence, ready to be tracked."""

    sequence: LabelledSequence
    detections: MotDetections
    frames: list[Frame]


@click.command(name="track")
@click.option("--peers", is_flag=True, help="Also run trackers, norfair and similari (extra `bench`).")
@click.option("--data", type=click.Path(path_type=Path), default=DATA, show_default=True, help="A labelled set.")
@click.option("--preset", default="vehicle", show_default=True, help="Of our tracker; peers run at their defaults.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=3, show_default=True, help="Fastest of so many.")
@json_option("track")
def bench(*, peers: bool, data: Path, preset: str, rounds: int, output: Path) -> None:
    """Accuracy (HOTA, IDF1, identity switches by TrackEval) and speed on recorded detections."""
    clips = [_clip(sequence) for sequence in read_set(data)]
    contestants: list[Contestant] = [ours(preset)]
    if peers:
        contestants += _peers()
    results = [_contest(contestant, clips) for contestant in contestants]
    seconds = {c.name: [float("inf")] * len(clips) for c in contestants}
    batch = [float("inf")] * len(clips)
    turns = [i for _ in range(rounds) for i in range(len(clips))]
    with click.progressbar(turns, label=f"{len(contestants)} trackers", file=sys.stderr) as progress:
        for i in progress:
            for contestant in contestants:
                seconds[contestant.name][i] = min(seconds[contestant.name][i], _timed(contestant, clips[i]))
            batch[i] = min(batch[i], *(_timed_batch(clips[i], preset) for _ in range(20)))
    rows = [
        {
            "name": c.name,
            "version": c.version,
            "ours": c.ours,
            **_accuracy(clips, tracked),
            **_speed(clips, seconds[c.name]),
        }
        for c, tracked in zip(contestants, results, strict=True)
    ]
    rows.insert(1, {**rows[0], "name": f"smartstream {preset}, clip at once", **_speed(clips, batch)})
    _print(rows)
    gates = _gates(data.name, rows)
    print_gates(gates)
    write_json(output, "track", {"data": data.name, "rounds": rounds, "trackers": rows, "gates": gates})


def _clip(sequence: LabelledSequence) -> Clip:
    found = read_mot_detections(sequence.detections)
    usable = np.all(found.box[:, 2:] > found.box[:, :2], axis=1)
    found = MotDetections(frame=found.frame[usable], box=found.box[usable], score=found.score[usable])
    ends = np.searchsorted(found.frame, np.arange(sequence.frames + 2))
    frames = [
        Frame(time_ns=round(f / sequence.fps * 1e9), boxes=found.box[a:b].copy(), scores=found.score[a:b].copy())
        for f, (a, b) in enumerate(pairwise(ends))
    ]
    return Clip(sequence=sequence, detections=found, frames=frames[1:])


def _peers() -> list[Contestant]:
    ready = []
    for name, make in PEERS.items():
        try:
            ready.append(make())
        except ImportError as e:
            hint = "pip install --no-deps norfair filterpy" if name == "norfair" else "pip install 'smartstream[bench]'"
            click.echo(f"{name}: left out, {e}; {hint}", err=True)
    return ready


def _contest(contestant: Contestant, clips: Sequence[Clip]) -> list[Tracked]:
    """What the tracker reports, for scoring."""
    results: list[Tracked] = []
    for clip in clips:
        step = contestant.start(clip.sequence.fps)
        tracked = {}
        for number, frame in enumerate(clip.frames, start=1):
            rows = contestant.rows(step(contestant.prepare(frame)))
            tracked[number] = [(i, [x1, y1, x2 - x1, y2 - y1]) for i, (x1, y1, x2, y2) in rows]
        results.append(tracked)
    return results


def _timed(contestant: Contestant, clip: Clip) -> float:
    """Seconds inside the tracker's calls over the clip."""
    step = contestant.start(clip.sequence.fps)
    prepared = [contestant.prepare(frame) for frame in clip.frames]
    begin = time.process_time()
    for frame in prepared:
        step(frame)
    return time.process_time() - begin


def _timed_batch(clip: Clip, preset: str) -> float:
    tracker, found = Tracker(preset), clip.detections
    begin = time.process_time()
    tracker.track_clip(found.frame, found.box, found.score, fps=clip.sequence.fps)
    return time.process_time() - begin


def _speed(clips: Sequence[Clip], seconds: Sequence[float]) -> dict[str, float]:
    return {
        "frames_per_cpu_s": round(sum(len(c.frames) for c in clips) / sum(seconds)),
        "detections_per_cpu_s": round(sum(len(c.detections.score) for c in clips) / sum(seconds)),
    }


def _accuracy(clips: Sequence[Clip], results: Sequence[Tracked]) -> dict[str, float]:
    scores = score_set([clip.sequence for clip in clips], results)
    return {measure: round(value, 2) for measure, value in msgspec.structs.asdict(scores).items()}


def _print(rows: Iterable[dict[str, Any]]) -> None:
    header = ("tracker", "version", "HOTA", "IDF1", "switches", "MOTA", "frames/CPU-s", "detections/CPU-s")
    keys = ("name", "version", "hota", "idf1", "switches", "mota", "frames_per_cpu_s", "detections_per_cpu_s")
    print_table(header, ([f"{r[k]:,}" if isinstance(r[k], int) else r[k] for k in keys] for r in rows))


def _gates(data: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    ours, batch = rows[0], rows[1]
    gates = [gate(measure.upper(), ours[measure], least) for measure, least in LEAST.get(data, {}).items()]
    peers = [r for r in rows if not r["ours"]]
    if peers:
        for measure in ("hota", "idf1"):
            best = max(peers, key=lambda r: float(r[measure]))
            gates.append(gate(f"{measure.upper()} against the best peer, {best['name']}", ours[measure], best[measure]))
        fastest = max(peers, key=lambda r: int(r["frames_per_cpu_s"]))
        for name, row, bound in (("one call per frame", ours, PER_CALL), ("one call per clip", batch, BATCH)):
            ratio = row["frames_per_cpu_s"] / fastest["frames_per_cpu_s"]
            gates.append(
                gate(f"times the frames per CPU-second of the fastest peer, {fastest['name']}, {name}", ratio, bound)
            )
    return gates
