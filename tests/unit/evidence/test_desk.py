"""What is kept of a track: where it is about four times a second, and where it began and ended."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from smartstream.evidence.desk import EvidenceDesk
from smartstream.model.time import NS
from smartstream.model.tracks import TrackBatch

FRAME_NS = NS // 20
BATCH = 5


def batch(first, tracks_of):
    """Frames ``first`` and on; ``tracks_of`` gives who is in one."""
    frames = range(first, first + BATCH)
    rows = [(track, frame) for frame in frames for track in sorted(tracks_of(frame))]
    return TrackBatch(
        run=0,
        frame_ns=np.array([frame * FRAME_NS for frame in frames], np.int64),
        frame_no=np.array(frames, np.uint64),
        row_end=np.cumsum([len(tracks_of(frame)) for frame in frames]).astype(np.uint32),
        track=np.array([track for track, _ in rows], np.uint32),
        box=np.array([(frame / 100, 0, 1, 1) for _, frame in rows], np.float32).reshape(-1, 4),
        score=np.ones(len(rows), np.float32),
        class_code=np.zeros(len(rows), np.uint8),
        flags=np.zeros(len(rows), np.uint8),
    ).to_bytes()


@pytest.mark.parametrize(
    ("track", "kept"), [(1, [0, 4, 9, 14]), (2, [7, 9, 12]), (3, [6, 8]), (4, [3, 4, 9, 14]), (5, [11])]
)
def test_a_track_is_sampled_where_it_begins_and_where_it_ends(track, kept):
    there = {1: range(15), 2: range(7, 13), 3: range(6, 9), 4: range(3, 15), 5: range(11, 12)}
    desk = EvidenceDesk("j")
    for first in range(0, 3 * BATCH, BATCH):
        desk.tracks("c", batch(first, lambda frame: [n for n, frames in there.items() if frame in frames]))
    event = SimpleNamespace(data={"evidence_id": "e", "track": f"c/0/{track}"})
    desk.suspect(event, camera="c", at_ns=0, span_ns=(0, 0))
    (case,) = desk.close(0, ended=True)
    assert [sample.frame for sample in case.samples] == kept
    assert [sample.box[0] for sample in case.samples] == [frame / 100 for frame in kept]
    assert [frame for _, frame in case.frames] == list(range(15))
