"""What a camera's tracks tell the joins."""

import numpy as np

from smartstream.model.classes import CLASS_CODE
from smartstream.model.time import NS
from smartstream.model.tracks import TrackBatch
from smartstream.streams.joins.camera_watch import CameraGeometry, CameraWatch

LANE = {"S0": ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))}


def batch(rows, run=0):
    """Tracks from {second: [(track, x, y)]}, boxes a tenth of the picture high."""
    times = sorted(rows)
    flat = [row for t in times for row in rows[t]]
    return TrackBatch(
        run=run,
        frame_ns=np.array([round(t * NS) for t in times], np.int64),
        frame_no=np.arange(len(times), dtype=np.uint64),
        row_end=np.cumsum([len(rows[t]) for t in times]).astype(np.uint32),
        track=np.array([track for track, _, _ in flat], np.uint32),
        box=np.array([(x - 0.02, y - 0.1, x + 0.02, y) for _, x, y in flat], np.float32).reshape(-1, 4),
        score=np.ones(len(flat), np.float32),
        class_code=np.full(len(flat), CLASS_CODE["car"], np.uint8),
        flags=np.zeros(len(flat), np.uint8),
    )


def watch(**how):
    return CameraWatch(CameraGeometry("cam", "j1", (21.0, 105.0), LANE, **how))


def test_frames_that_stop_are_darkness_and_lines_that_stop_an_empty_street():
    here = {t: [(1, 0.2, 0.5)] for t in range(1000, 1020)}
    later = {t: [(2, 0.2, 0.5)] for t in range(1100, 1110)}
    video, lines = watch(), watch(frames=False)
    told = video.take(batch(here)) + video.take(batch(later))
    assert [f.kind for f in told if f.kind != "lanes"] == ["dark", "back"]
    assert next(f for f in told if f.kind == "dark").time_ns == 1029 * NS
    told = lines.take(batch(here)) + lines.take(batch(later))
    assert {f.kind for f in told} == {"lanes"}
    assert sum(bool(f.more.get("silent")) for f in told) == 5  # 1020 to 1095


def test_two_that_stop_against_each_other_are_an_impact_and_a_queue_is_none():
    crash = {1000 + t: [(1, 0.2, min(0.1 + 0.16 * t, 0.58)), (2, 0.2, max(0.9 - 0.08 * t, 0.66))] for t in range(12)}
    told = watch().take(batch(crash))
    impact = next(f for f in told if f.kind == "impact")
    assert sorted(impact.more["tracks"]) == [1, 2]
    queue = {1000 + t: [(1, 0.2, min(0.1 + 0.05 * t, 0.5)), (2, 0.2, min(0.0 + 0.05 * t, 0.4))] for t in range(20)}
    assert not [f for f in watch().take(batch(queue)) if f.kind == "impact"]


def test_cuts_and_bundling_change_nothing():
    rng = np.random.default_rng(3)
    rows = {1000 + t / 2: [(int(t // 9), 0.3, float(rng.uniform(0, 1)))] for t in range(200)}
    whole = watch(frames=False).take(batch(rows))
    part, told, times = watch(frames=False), [], sorted(rows)
    for i in range(0, len(times), 7):
        told += part.take(batch({t: rows[t] for t in times[i : i + 7]}))
        state, part = part.snapshot(), watch(frames=False)
        part.restore(state)
        told += part.advance(round(times[min(i + 6, len(times) - 1)] * NS))
    assert told == whole
