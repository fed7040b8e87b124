"""Evidence of what a live camera saw: stills and the clip come from its packet ring, as it sent them."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import H264, needs_server
from live_run import Run, site

pytest.importorskip("cryptography", reason="needs the extra evidence")
pytest.importorskip("cv2", reason="needs the extra draw")

import cv2

from smartstream.evidence.verify import verify

pytestmark = needs_server

RULE = """
[camera.calibration]
image = [[0, 0], [1, 0], [1, 1], [0, 1]]
world_m = [[0, 0], [32, 0], [32, 24], [0, 24]]
[[camera.lane]]
id = "L"
polygon = [[0.0, 0.3], [1.0, 0.3], [1.0, 0.8], [0.0, 0.8]]
direction = [-1.0, 0.0]
[[camera.rule]]
kind = "wrong_way"
[evidence]
dir = "ev"
"""


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A light box that crosses the picture from the left to the right every twelve seconds."""
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    filters = "[0]noise=alls=4:allf=t:all_seed=7[street];[street][1]overlay=x='70*mod(t,12)-120':y=100,format=yuv420p"
    sources = ["-f", "lavfi", "-i", "color=0x505050:size=320x240:rate=15:duration=90"]
    sources += ["-f", "lavfi", "-i", "color=0xd0d0d0:size=44x30:rate=15:duration=90"]
    command = ["ffmpeg", "-v", "error", *sources, "-filter_complex", filters, "-preset", "ultrafast", *H264, str(path)]
    subprocess.run(command, check=True)
    return path


def test_a_live_camera_has_stills_and_the_clip_as_it_came(street, server, tmp_path):
    run = Run(site(tmp_path, server(street).port, tables=RULE))

    def packed():
        return [d for k, d in run.kinds() if k[1:2] == ["evidence"]]

    run.until_true(packed, "a package")
    run.stop()
    (told, *_) = packed()
    (folder,) = tmp_path.glob(f"ev/packages/*/{told['evidence_id']}")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [still["role"] for still in manifest["stills"]] == ["before", "at", "after"]
    assert manifest["clip"]["codec"] == "h264"
    assert manifest["clip"]["reencoded"] is False
    reader = cv2.VideoCapture(str(folder / manifest["clip"]["file"]))
    frames = 0
    while reader.read()[0]:
        frames += 1
    assert frames == manifest["clip"]["frames"] > 5 * 15
    at = next(still for still in manifest["stills"] if still["role"] == "at")
    picture = cv2.imread(str(folder / at["file"]), cv2.IMREAD_GRAYSCALE)
    x1, y1, x2, y2 = (round(v * n) for v, n in zip(at["box"], (320, 240, 320, 240), strict=True))
    assert picture[y1:y2, x1:x2].mean() > 150 > 100 > picture[:90].mean(), "the box of the still is on the vehicle"
    assert verify(tmp_path / "ev")[1] == []
