"""The door of the tracker: what it refuses, what it gives, and that it goes on from a snapshot."""

from __future__ import annotations

import numpy as np
import pytest

from smartstream._core import Tracker
from smartstream.errors import DataLossError, InvalidInputError

BOX = np.array([[10, 10, 50, 40], [200, 10, 240, 40]], np.float32)
SCORE = np.array([0.9, 0.8], np.float32)
STEP = 100_000_000


def test_columns_have_the_documented_types_and_shapes():
    tracks = Tracker().update(0, BOX, SCORE, np.array([1, 3], np.uint8))
    assert len(tracks) == 2
    assert (tracks.track.dtype, tracks.track.tolist()) == (np.uint32, [1, 2])
    assert tracks.box.dtype == np.float32
    np.testing.assert_array_equal(tracks.box, BOX)
    assert (tracks.score.dtype, tracks.class_code.dtype, tracks.flags.dtype) == (
        np.float32,
        np.uint8,
        np.uint8,
    )
    assert tracks.class_code.tolist() == [1, 3]
    assert (tracks.detection.dtype, tracks.detection.tolist()) == (np.uint32, [0, 1])


def test_a_frame_without_detections():
    tracks = Tracker().update(0, np.empty((0, 4), np.float32), np.empty(0, np.float32))
    assert len(tracks) == 0
    assert tracks.box.shape == (0, 4)


@pytest.mark.parametrize(
    ("boxes", "scores", "classes", "says"),
    [
        (
            BOX.astype(np.float64),
            SCORE,
            None,
            r"boxes: found float64 \(2, 4\), expected C-contiguous float32 \(N, 4\)",
        ),
        (BOX[:, :3].copy(), SCORE, None, r"boxes: found float32 \(2, 3\)"),
        (np.asfortranarray(BOX), SCORE, None, r"boxes: found non-contiguous float32"),
        (BOX[0], SCORE, None, r"boxes: found float32 \(4,\)"),
        (BOX.tolist(), SCORE, None, r"boxes: found .*list"),
        (BOX, SCORE[:1], None, "2 boxes, 1 scores"),
        (BOX, np.ones(4, np.float32)[::2], None, "scores: found non-contiguous"),
        (BOX, SCORE, np.array([1, 2], np.int64), "classes: found int64"),
        (BOX, SCORE, np.array([1, 7], np.uint8), "classes: row 1: found code 7, expected 0 to 6"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(boxes, scores, classes, says):
    tracker = Tracker()
    with pytest.raises(InvalidInputError, match=says):
        tracker.update(0, boxes, scores, classes)
    assert tracker.counts["detections"] == 0


def test_parameters_are_checked():
    assert Tracker("pedestrian", lost_s=2.0, confirm_hits=1).counts["detections"] == 0
    with pytest.raises(InvalidInputError, match='"bicycle"'):
        Tracker("bicycle")
    with pytest.raises(InvalidInputError, match='unknown name "losts"'):
        Tracker(losts=1.0)
    with pytest.raises(InvalidInputError, match="gate_high: found 2"):
        Tracker(gate_high=2.0)


def test_garbage_boxes_are_dropped_and_counted():
    tracker = Tracker()
    boxes = np.array([[np.nan, 0, 1, 1], [0, 0, np.inf, 1], [5, 5, 5, 9], [10, 10, 50, 40]], np.float32)
    assert tracker.update(0, boxes, np.full(4, 0.9, np.float32)).detection.tolist() == [3]
    assert tracker.counts == {"detections": 4, "unusable": 3, "weak": 0, "duplicates": 0}


def test_a_clip_equals_its_frames():
    frames = np.repeat(np.arange(1, 6), 2)
    boxes = np.concatenate([BOX + np.float32(4 * f) for f in range(5)])
    scores = np.tile(SCORE, 5)
    frame, clip = Tracker().track_clip(frames, boxes, scores, fps=10)
    single = Tracker()
    rows = [single.update(int(f) * STEP, boxes[frames == f], scores[frames == f]) for f in range(1, 6)]
    np.testing.assert_array_equal(frame, frames)
    np.testing.assert_array_equal(clip.track, np.concatenate([r.track for r in rows]))
    np.testing.assert_array_equal(clip.box, np.concatenate([r.box for r in rows]))
    np.testing.assert_array_equal(clip.detection, np.arange(10))


def test_a_clip_whose_frames_fall_is_refused():
    with pytest.raises(InvalidInputError, match="row 1: found frame 1 after 2"):
        Tracker().track_clip(np.array([2, 1]), BOX, SCORE)


def test_a_snapshot_goes_on_and_foreign_bytes_are_refused():
    tracker = Tracker()
    tracker.update(0, BOX, SCORE)
    resumed = Tracker()
    resumed.restore(tracker.snapshot())
    assert resumed.update(STEP, BOX[::-1].copy(), SCORE).track.tolist() == [1, 2]
    with pytest.raises(DataLossError):
        resumed.restore(tracker.snapshot()[:-1])
    with pytest.raises(InvalidInputError, match="version 255"):
        resumed.restore(b"\xff")
