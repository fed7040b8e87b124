"""Accuracy of the tracker at default parameters on recorded detections, by TrackEval."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from smartstream._core import Tracker
from smartstream.bench.mot_score import read_set, score_set
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
