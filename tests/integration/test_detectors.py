"""Detectors from outside of the core: a class of one's own, and real models on real clips."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.launch import Options, launch
from smartstream import _core
from smartstream.errors import InvalidInputError
from smartstream.model.classes import CLASS_CODE
from smartstream.model.tracks import TrackBatch
from smartstream.vision import detector as seam
from smartstream.vision.detector import Detections, DetectorSettings, Wants
from smartstream.vision.service import DetectorService, look_config

SHARED = Path(__file__).parents[3] / "shared/data"
SIMULATED = Path(__file__).parents[2] / "benchmarks/models/simulated.onnx"
CLIP = Path(__file__).parents[2] / "smartstream/demo/clip/scene.mp4"


class BrightSpots:
    """Somebody's own detector: the brightest part of the picture is a car. One class, nothing of ours to inherit."""

    wants = Wants("rgb", 160, 96, "letterbox")
    batch = 4
    riders_apart = False

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        self.closed = False

    def detect(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Sequence[Detections]:
        return [self._one(p) for p in pictures]

    def _one(self, picture: npt.NDArray[np.uint8]) -> Detections:
        assert picture.shape == (3, 96, 160)
        tiles = picture[1].reshape(12, 8, 20, 8).mean(axis=(1, 3))
        y, x = np.unravel_index(int(tiles.argmax()), tiles.shape)
        box = np.array([[8 * x, 8 * y, 8 * x + 8, 8 * y + 8]], np.float32)
        score = np.array([0.5 + float(tiles.max()) / 512], np.float32)
        return Detections(box, score, np.array([CLASS_CODE["car"]], np.uint8))

    def close(self) -> None:
        self.closed = True


class Broken(BrightSpots):
    def detect(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Sequence[Detections]:
        raise ValueError("no idea")


class TwoNumbers(BrightSpots):
    def detect(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Sequence[Detections]:
        return [Detections(np.zeros((1, 2), np.float32), np.zeros(1, np.float32), np.zeros(1, np.uint8))] * len(
            pictures
        )


def camera(service: DetectorService, clip: Path, **changes: Any) -> bytes:
    look = look_config(
        service, "test", rate_hz=changes.pop("rate_hz", 10.0), gate=changes.pop("gate", True), refresh_s=1.0
    )
    config = {"camera": "c", "files": [str(clip)], "start_time_ns": 0, "detector": "own", "look": look}
    return json.dumps(config | {"checkpoint_s": 0.05, "tracker_preset": "detector"} | changes).encode()


def follow(run: _core.CameraRun, stop_after: int | None = None) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, ...]] = []
    while stop_after is None or len(items) < stop_after:
        found = [i for i in run.poll(1) if i[0] != "note"]
        items += found
        if ("end",) in found:
            break
        time.sleep(0.001)
    return items


def test_resumed_by_its_checkpoints_equals_uninterrupted(tmp_path: Path) -> None:
    service = DetectorService(BrightSpots(DetectorSettings()), "spots")
    config = camera(service, CLIP)
    run = _core.CameraRun(config, hub=service.hub)
    expected = follow(run)
    counts = run.counts()
    assert counts["frames_seen"] + counts["frames_between"] == counts["frames_decoded"]
    assert 0 < counts["pictures_asked"] <= counts["frames_seen"]
    assert counts["track_rows"] > 0
    items: list[tuple[Any, ...]] = []
    token = None
    for cut in (5, 23, None):
        run = _core.CameraRun(config, token, str(tmp_path), service.hub)
        items += follow(run, cut)
        token = run.position()
        run.close()
    assert items == expected
    service.close()
    assert isinstance(service.detector, BrightSpots)
    assert service.detector.closed


def test_several_cameras_in_one_batch_see_what_each_sees_alone() -> None:
    service = DetectorService(BrightSpots(DetectorSettings()), "spots")
    alone = follow(_core.CameraRun(camera(service, CLIP), hub=service.hub))
    runs = [_core.CameraRun(camera(service, CLIP), hub=service.hub) for _ in range(3)]
    assert [follow(run) for run in runs] == [alone] * 3
    service.close()


@pytest.mark.parametrize(
    ("detector", "says"), [(Broken, "ValueError: no idea"), (TwoNumbers, "boxes: found float32 (1, 2)")]
)
def test_a_detector_that_fails_ends_its_camera_with_the_reason(detector: type[BrightSpots], says: str) -> None:
    service = DetectorService(detector(DetectorSettings()), "broken")
    items = follow(_core.CameraRun(camera(service, CLIP), hub=service.hub))
    assert [i[0] for i in items] == ["dead", "gap", "end"]
    assert items[0][2] == "camera_failed"
    assert says in items[0][5]
    service.close()


def test_a_detector_that_stops_leaves_nobody_waiting() -> None:
    service = DetectorService(BrightSpots(DetectorSettings()), "spots")
    service.close()
    items = follow(_core.CameraRun(camera(service, CLIP), hub=service.hub))
    assert "the detector has stopped" in items[0][5]


def test_a_hub_and_a_detector_belong_together() -> None:
    with pytest.raises(InvalidInputError, match="found a hub for detector"):
        _core.CameraRun(
            json.dumps({"camera": "c", "files": [str(CLIP)], "start_time_ns": 0}).encode(), hub=_core.DetectorHub()
        )
    hub = _core.DetectorHub()
    hub.close()
    assert hub.take(1, 0.0) is None


SITE = """[site]
id = "s"
province = "19"
[[junction]]
id = "j"
[[camera]]
id = "c"
junction = "j"
url = "file:{clip}"
start_time = 1790000000
detector = "{detector}"
{more}
[[camera.line]]
id = "middle"
kind = "count"
points = [[0.0, 0.5], [1.0, 0.5]]
"""


def run_site(folder: Path, text: str, **options: Any) -> set[str]:
    site, events = folder / "site.toml", folder / "events"
    site.write_text(text)
    launch(Options(site=site, events=str(events), use_nats=False, quiet=True, **options))
    return set(events.read_text().splitlines())


class _Point:
    def load(self) -> type[BrightSpots]:
        return BrightSpots


def test_the_site_file_takes_an_entry_point_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SITE.format(clip=CLIP, detector="spots", more="")
    with pytest.raises(InvalidInputError, match='expected one of "motion", "onnx", "tensorrt"'):
        run_site(tmp_path, text)
    monkeypatch.setattr(seam, "installed", lambda: {"spots": _Point()})
    monkeypatch.setattr("smartstream.config.fields.entry_points", lambda group: [type("P", (), {"name": "spots"})])
    run_site(tmp_path, text, summary=tmp_path / "summary.json")
    sides = json.loads((tmp_path / "summary.json").read_text())["sides"]
    assert sides["c"]["pictures_asked"] > 0


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_tensorrt_without_a_gpu_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("a model")
    with pytest.raises(
        InvalidInputError, match=r"camera\[0\]\.url: detector tensorrt: found no NVIDIA|not installed"
    ) as e:
        run_site(tmp_path, SITE.format(clip=CLIP, detector="tensorrt", more='model = "m.onnx"'))
    assert str(e.value).count("\n") == 1  # the heading, and the line


def test_a_model_trained_on_simulated_streets_sees_who_is_in_one() -> None:
    pytest.importorskip("onnxruntime")
    detector = seam.open_detector("onnx", DetectorSettings(model=SIMULATED))
    assert not detector.riders_apart, "the model says that a motorcycle's box includes its rider"
    service = DetectorService(detector, "simulated")
    run = _core.CameraRun(camera(service, CLIP, rate_hz=4.0, gate=False), hub=service.hub)
    batches = [TrackBatch.from_bytes(item[3]) for item in follow(run) if item[0] == "tracks"]
    service.close()
    seen: dict[int, npt.NDArray[np.float32]] = {}
    for batch in batches:
        for at, rows in zip(batch.frame_no, np.split(batch.box, batch.row_end[:-1]), strict=True):
            seen[int(at)] = rows
    truth = json.loads((CLIP.parent / "truth.json").read_text())
    there = found = 0
    with gzip.open(CLIP.parent / "tracks.ndjson.gz", "rt") as lines:
        for row in map(json.loads, lines):
            rows = seen.get(round((row["time"] - truth["t0"]) * truth["fps"]))
            x1, y1, x2, y2 = box = np.clip(row["box"], 0, 1)
            if rows is None or y2 - y1 < 0.04:
                continue
            both = np.clip(np.minimum(rows[:, 2:], box[2:]) - np.maximum(rows[:, :2], box[:2]), 0, None).prod(axis=1)
            either = (rows[:, 2:] - rows[:, :2]).prod(axis=1) + (x2 - x1) * (y2 - y1) - both
            there += 1
            found += bool((both > 0.5 * either).any())
    assert there > 100
    assert found > 0.75 * there, (found, there)  # some stand behind others


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not there")
class TestRealModels:
    @pytest.mark.parametrize("name", ["yolox_nano", "FastestDet"])
    def test_a_real_model_follows_the_cars_of_a_real_street(self, name: str) -> None:
        pytest.importorskip("onnxruntime")
        settings = DetectorSettings(model=SHARED / f"model/{name}.onnx")
        service = DetectorService(seam.open_detector("onnx", settings), name)
        run = _core.CameraRun(camera(service, SHARED / "video/us_side_street.mp4"), hub=service.hub)
        batches = [TrackBatch.from_bytes(item[3]) for item in follow(run) if item[0] == "tracks"]
        service.close()
        cars = {
            int(t)
            for b in batches
            for t, c in zip(b.track, b.class_code, strict=True)
            if c in (CLASS_CODE["car"], CLASS_CODE["truck"])
        }
        assert len(cars) >= 3  # 4 drive by

    def test_the_same_events_for_any_number_of_workers(self, tmp_path: Path) -> None:
        pytest.importorskip("onnxruntime")
        model = f'model = "{SHARED}/model/yolox_nano.onnx"'
        text = SITE.format(clip=SHARED / "video/us_side_street.mp4", detector="onnx", more=model)
        one = run_site(tmp_path, text)
        assert len(one) >= 3
        assert run_site(tmp_path, text, workers=3) == one

    def test_a_file_that_is_no_model_is_refused(self, tmp_path: Path) -> None:
        pytest.importorskip("onnxruntime")
        (tmp_path / "no.onnx").write_text("Ngã tư")
        with pytest.raises(InvalidInputError, match=r"no\.onnx: onnxruntime cannot load it"):
            run_site(tmp_path, SITE.format(clip=CLIP, detector="onnx", more='model = "no.onnx"'))
