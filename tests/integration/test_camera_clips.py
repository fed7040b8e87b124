"""Every real clip runs through the whole camera chain, from its first frame to its last."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest

from smartstream import _core
from smartstream.model.tracks import TrackBatch

SHARED = Path(__file__).parents[3] / "shared"
CLIPS = [p for p in sorted(SHARED.glob("data/video/*")) if p.suffix in {".mp4", ".avi", ".h264"}]


@pytest.mark.shared
@pytest.mark.skipif(not CLIPS, reason="../shared is not there")
@pytest.mark.parametrize("clip", CLIPS, ids=lambda p: p.name)
def test_from_first_to_last_frame(clip: Path) -> None:
    config = {"camera": "c", "files": [str(clip)], "start_time_ns": 1_790_000_000_000_000_000}
    run = _core.CameraRun(json.dumps(config).encode())
    frames: list[int] = []
    numbers: list[int] = []
    ended = False
    while not ended:
        for item in run.poll(16):
            assert item[0] in {"tracks", "end"}, item
            if item[0] == "tracks":
                batch = TrackBatch.from_bytes(item[3])
                frames += batch.frame_ns.tolist()
                numbers += batch.frame_no.tolist()
            ended = item == ("end",)
        time.sleep(0.001)
    expected = _core.probe(str(clip))["frames"]
    counts = run.counts()
    assert counts["frames_seen"] == counts["frames_decoded"] == len(frames)
    # Two packets of this one stand for pictures that are not coded.
    placeholders = 2 if clip.name == "bgslib_motorway.avi" else 0
    assert expected is None or len(frames) == expected - placeholders
    assert numbers == list(range(len(frames)))
    assert all(a < b for a, b in pairwise(frames))
    assert counts["track_rows"] > 0 or clip.name.startswith("vn_signal"), counts
