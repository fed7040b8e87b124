"""What crosses between Python and the camera chain in Rust."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from smartstream import _core
from smartstream.errors import InvalidInputError
from smartstream.model.time import NS
from smartstream.model.tracks import ClockReading, TrackBatch

CLIP = Path(__file__).parents[3] / "shared/data/video/us_side_street.mp4"


def config(**changes: Any) -> bytes:
    return json.dumps({"camera": "c", "files": [str(CLIP)], "start_time_ns": 0, **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"detector": "onnx"}, 'found "onnx" without `look`'),
        ({"unknown": 1}, "unknown field `unknown`"),
        ({"start_time_ns": "now"}, "expected i64"),
        ({"checkpoint_s": -1}, "checkpoint_s"),
        ({"batch_ms": 0}, "batch_ms"),
        ({"tracker": {"no_such": 1}}, "no_such"),
        ({"tracker_preset": "fast"}, 'found "fast"'),
        ({"motion": {"no_such": 1}}, "no_such"),
        ({"calibration": {"image": [[0, 0]], "world_m": [[0, 0]]}}, "at least 4 pairs"),
        ({"files": []}, "no video file given"),
        ({"files": ["missing.mp4"]}, "missing.mp4: cannot be opened"),
    ],
)
def test_a_wrong_configuration_names_the_place(changes: dict[str, Any], found: str) -> None:
    with pytest.raises(InvalidInputError) as e:
        _core.CameraRun(config(**changes))
    assert found in str(e.value)


def test_probe_and_still_refuse_what_is_no_video(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
    empty.write_bytes(b"")
    text.write_text("Ngã tư Tân Long\n" * 100)
    for look in (_core.probe, _core.still):
        with pytest.raises(InvalidInputError, match="cannot be opened"):
            look(str(tmp_path / "missing.mp4"))
        with pytest.raises(InvalidInputError, match="is empty"):
            look(str(empty))
        with pytest.raises(InvalidInputError, match=r"text\.mp4"):
            look(str(text))


def test_both_clocks_of_a_live_camera_travel_with_its_tracks() -> None:
    none = TrackBatch(
        run=3,
        frame_ns=np.array([5], np.int64),
        frame_no=np.array([0], np.uint64),
        row_end=np.array([0], np.uint32),
        track=np.zeros(0, np.uint32),
        box=np.zeros((0, 4), np.float32),
        score=np.zeros(0, np.float32),
        class_code=np.zeros(0, np.uint8),
        flags=np.zeros(0, np.uint8),
    )
    for clock in (None, ClockReading("camera", 7, -2), ClockReading("arrival", 7, None)):
        data = msgspec.structs.replace(none, clock=clock).to_bytes()
        assert data[:4] == (b"STB1" if clock is None else b"STB2")
        assert TrackBatch.from_bytes(data).clock == clock
        with pytest.raises(InvalidInputError, match="length does not match"):
            TrackBatch.from_bytes(data + b"0")


def test_a_jpeg_of_a_picture_of_another_shape_is_refused() -> None:
    for shape in ((4, 4), (4, 4, 4), (0, 4, 3)):
        with pytest.raises(InvalidInputError, match="expected \\(height, width, 3\\)"):
            _core.encode_jpeg(np.zeros(shape, np.uint8))
    assert _core.encode_jpeg(np.zeros((4, 6, 3), np.uint8))[:2] == b"\xff\xd8"


@pytest.mark.skipif(not CLIP.exists(), reason="../shared is not there")
class TestOnARealClip:
    def test_probe_and_still(self) -> None:
        found = _core.probe(str(CLIP))
        assert (found["codec"], found["width"], found["height"], found["frames"]) == ("h264", 640, 352, 265)
        assert found["fps"] == pytest.approx(24.04, abs=0.01)
        picture = _core.still(str(CLIP), 3.0)
        assert picture.shape == (352, 640)
        assert picture.dtype == np.uint8
        assert 10 < picture.mean() < 245
        assert not np.array_equal(picture, _core.still(str(CLIP)))
        assert np.array_equal(_core.still(str(CLIP), 1e9), _core.still(str(CLIP), 11.0)), "beyond the end: the last"

    def test_items_are_tuples_of_the_documented_shape(self) -> None:
        run = _core.CameraRun(config())
        seen = []
        while ("end",) not in seen:
            seen += run.poll(4)
            time.sleep(0.001)
        tracks = [item for item in seen if item[0] == "tracks"]
        assert all(isinstance(batch, bytes) and first <= last for _, first, last, batch in tracks)
        assert all(last - first <= 250_000_000 for _, first, last, _ in tracks)
        assert run.counts()["frames_seen"] == 265
        assert run.poll(4) == [], "nothing follows the end"
        assert json.loads(run.position())["ended"] is True
        run.close()
        run.close()
        with pytest.raises(InvalidInputError, match="closed"):
            run.poll(1)

    def test_polling_never_waits_and_python_runs_beside_it(self) -> None:
        run = _core.CameraRun(config())
        turns = 0
        stop = threading.Event()

        def spin() -> None:
            nonlocal turns
            while not stop.is_set():
                turns += 1
                time.sleep(0)

        thread = threading.Thread(target=spin)
        thread.start()
        while ("end",) not in run.poll(100):
            time.sleep(0.001)
        stop.set()
        thread.join()
        assert turns > 100

    def test_a_position_of_other_settings_is_refused(self) -> None:
        position = _core.CameraRun(config()).position()
        with pytest.raises(InvalidInputError, match="expected them unchanged"):
            _core.CameraRun(config(batch_ms=100), position)
        _core.CameraRun(config(checkpoint_s=1), position).close()

    def test_clips_and_stills_outlive_the_run(self) -> None:
        run = _core.CameraRun(config())
        ring = run.ring()
        while ("end",) not in run.poll(100):
            time.sleep(0.001)
        run.close()
        clip = ring.clip(3 * NS, 6 * NS)
        assert clip["container"] == "mp4"
        assert b"ftyp" in clip["data"][:16]
        assert clip["data"].find(b"moov") < clip["data"].find(b"mdat"), "index in front"
        assert clip["first_ns"] <= 3 * NS
        assert not clip["truncated"]
        still = ring.still(5 * NS)
        assert 0 <= 5 * NS - still["time_ns"] < NS // 10
        assert still["rgb"].shape[2] == 3
        assert still["rgb"].std() > 10
        assert _core.encode_jpeg(still["rgb"])[:2] == b"\xff\xd8"
