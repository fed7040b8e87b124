"""Accuracy of the tracker at default parameters on recorded detections, by TrackEval."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from smartstream._core import Tracker
from smartstream.bench.mot_score import read_set, score_set
from smartstream.model.tracks import DOUBTFUL
from smartstream.vision.mot import read_mot_detections, write_mot_result

SHARED = Path(__file__).parents[3] / "shared" / "tracking"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/tracking beside the checkout"),
    pytest.mark.skipif(importlib.util.find_spec("trackeval") is None, reason="needs trackeval (extra bench)"),
]


def tracked(sequences, preset):
    for sequence in sequences:
        found = read_mot_detections(sequence.detections)
        yield sequence, Tracker(preset).track_clip(found.frame, found.box, found.score, fps=sequence.fps)


def scores(name, preset):
    sequences = read_set(SHARED / name)
    results = []
    for _, (frames, tracks) in tracked(sequences, preset):
        rows = {}
        for frame, track, (x1, y1, x2, y2) in zip(
            frames.tolist(), tracks.track.tolist(), tracks.box.tolist(), strict=True
        ):
            rows.setdefault(frame, []).append((track, [x1, y1, x2 - x1, y2 - y1]))
        results.append(rows)
    return score_set(sequences, results)


def test_vehicles():
    s = scores("kitti-car", "vehicle")
    assert s.hota >= 76.5
    assert s.idf1 >= 89.5
    assert s.switches <= 20


def test_vehicles_stable_switches_less():
    s = scores("kitti-car", "vehicle_stable")
    assert s.hota >= 76.5
    assert s.idf1 >= 89.5
    assert s.switches <= 12


def test_vehicles_on_the_scenes_for_regression():
    s = scores("kitti-car-trainside", "vehicle")
    assert s.hota >= 72.0
    assert s.idf1 >= 85.5
    assert s.switches <= 60


def test_scores_equal_those_of_the_sets_own_evaluator(tmp_path):
    (tmp_path / "kitti-car").mkdir()
    for sequence, (frames, tracks) in tracked(read_set(SHARED / "kitti-car"), "vehicle"):
        write_mot_result(tmp_path / "kitti-car" / f"{sequence.name}.txt", frames, tracks)
    table = subprocess.run(
        [sys.executable, SHARED / "eval_mot.py", tmp_path], capture_output=True, text=True, check=True
    ).stdout
    line = next(line for line in table.splitlines() if line.startswith("kitti-car/ALL"))
    hota, deta, assa, mota, idf1, switches = map(float, line.split()[1:7])
    s = scores("kitti-car", "vehicle")
    assert (s.hota, s.deta, s.assa, s.mota, s.idf1) == pytest.approx((hota, deta, assa, mota, idf1), abs=0.02)
    assert s.switches == switches


def overlap(labels, boxes):
    """IoU of (N, 4) ltwh labels with (M, 4) corner boxes."""
    labels = np.concatenate([labels[:, :2], labels[:, :2] + labels[:, 2:]], axis=1)
    low = np.maximum(labels[:, None, :2], boxes[None, :, :2])
    high = np.minimum(labels[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area = [np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (labels, boxes)]
    return shared / (area[0][:, None] + area[1][None] - shared)


@pytest.mark.parametrize(("name", "caught", "rows"), [("kitti-car", 0.7, 0.04), ("kitti-car-trainside", 0.7, 0.03)])
def test_a_track_that_passes_to_another_car_says_so(name, caught, rows):
    """Within half a second before the pass; flags stay rare."""
    passes = doubted = flagged = total = 0
    for sequence, (frames, tracks) in tracked(read_set(SHARED / name), "vehicle"):
        car, last_doubt = {}, {}
        for frame in range(1, sequence.frames + 1):
            here = frames == frame
            ids, flags = tracks.track[here].tolist(), tracks.flags[here] & DOUBTFUL
            last_doubt |= {i: frame for i, flag in zip(ids, flags, strict=True) if flag}
            flagged, total = flagged + int(flags.astype(bool).sum()), total + len(ids)
            labels = sequence.labels.get(frame, ())
            if not labels or not ids:
                continue
            likeness = overlap(np.array([box for _, box, _ in labels]), tracks.box[here].astype(float))
            for a, b in itertools.product(range(len(labels)), range(len(ids))):
                # Each other's best, and clearly so.
                if likeness[a, b] < 0.4 or likeness[a].max() > likeness[a, b] or likeness[:, b].max() > likeness[a, b]:
                    continue
                if car.get(ids[b], labels[a][0]) != labels[a][0]:
                    passes += 1
                    doubted += frame - last_doubt.get(ids[b], -sequence.frames) <= 5
                car[ids[b]] = labels[a][0]
    assert passes > 10
    assert doubted >= caught * passes
    assert flagged <= rows * total
