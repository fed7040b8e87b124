"""Live cameras that a model looks through: one detector for several, and what happens to it when a camera dies."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_server
from live_run import Run, site
from onnx_models import bright_is_a_car

from smartstream.model.classes import CLASS_CODE
from smartstream.vision.detector import DetectorSettings, open_detector
from smartstream.vision.service import DetectorService, look_config

SHARED = Path(__file__).parents[4] / "shared/data"
pytestmark = needs_server


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A white block that goes down a dark street, again and again, for a minute."""
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    ground, block = "color=0x101010:s=320x240:r=25:d=60", "color=white:s=40x40:r=25:d=60"
    moving = "[0][1]overlay=x=120:y='mod(60*t,240)',noise=alls=8:allf=t:all_seed=7,format=yuv420p"
    inputs = ["-f", "lavfi", "-i", ground, "-f", "lavfi", "-i", block, "-filter_complex", moving]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "25"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *codec, str(path)], check=True)
    return path


def test_two_live_cameras_share_a_model_and_one_dies(street, server, tmp_path):
    pytest.importorskip("onnxruntime")
    model = bright_is_a_car(tmp_path / "m.onnx")
    dying, steady = server(street), server(street)
    line = '[[camera.line]]\nid = "middle"\nkind = "count"\npoints = [[0.1, 0.5], [0.9, 0.5]]\n'
    camera = f'detector = "onnx"\nmodel = "{model}"\n'
    run = Run(site(tmp_path, dying.port, steady.port, camera=camera, tables=line))

    def crossings(camera):
        return [d for k, d in run.kinds() if k[:2] == ["crossing", "observed"] and d["camera"] == camera]

    run.until_true(lambda: crossings("cam-0") and crossings("cam-1"), "a crossing before each camera")
    dying.kill()
    run.until("lost", "opened")
    before = len(crossings("cam-1"))
    run.until_true(lambda: len(crossings("cam-1")) >= before + 2, "crossings before the camera that lives")
    dying.start()
    run.until("lost", "closed")
    before = len(crossings("cam-0"))
    run.until_true(lambda: len(crossings("cam-0")) > before, "a crossing after the camera is back")
    run.stop()
    assert {d["class"] for camera in ("cam-0", "cam-1") for d in crossings(camera)} == {"car"}
    assert not [d for k, d in run.kinds() if k[0] == "health" and d.get("camera") == "cam-1"]
    sides = run.sides()
    for name in ("cam-0", "cam-1"):
        assert sides[name]["frames_seen"] + sides[name]["frames_between"] == sides[name]["frames_decoded"]
        assert 0 < sides[name]["pictures_asked"] <= sides[name]["frames_seen"]


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not there")
def test_a_real_model_follows_the_cars_of_a_real_street_live(server, watch):
    pytest.importorskip("onnxruntime")
    service = DetectorService(open_detector("onnx", DetectorSettings(model=SHARED / "model/yolox_nano.onnx")), "yolox")
    look = look_config(service, "test", rate_hz=8.0, gate=True, refresh_s=1.0)
    street = server(SHARED / "video/us_side_street.mp4")
    camera = watch(
        f"rtsp://127.0.0.1:{street.port}/camera",
        hub=service.hub,
        config={"detector": "yolox", "look": look, "tracker_preset": "detector"},
    )

    def cars(_):
        rows = [(b.track, b.class_code) for b in camera.batches()]
        return {int(t) for tracks, codes in rows for t in np.unique(tracks[codes == CLASS_CODE["car"]])}

    camera.until(cars, "a car")
    _, counts = camera.close()
    service.close()
    assert counts["pictures_asked"] > 0
    assert not [item for item in camera.said() if item[0] == "dead" and item[2] == "camera_failed"]
