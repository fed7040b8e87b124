"""A real crossroads in Hà Nội through a small detection model, its light read from its lamps: who went on red."""

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from smartstream.testing.golden import play

DATA = Path(__file__).parents[3] / "shared/data"
CLIP = DATA / "video/hanoi_giangvo_langha.mp4"
MODEL = DATA / "model/yolox_nano.onnx"
T0 = 1_790_000_000.0
SECONDS = 12
"""Of the clip's 64: two riders pass on amber, three on red, and a queue forms."""
NEAR_S = 0.6
"""The clip has six frames a second."""
pytestmark = [
    pytest.mark.skipif(not (CLIP.exists() and MODEL.exists()), reason="needs the clip and model of ../shared"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg to cut the clip"),
]
SITE = """
[site]
id = "real"
province = "01"
[[junction]]
id = "j"
[[junction.signal]]
id = "S"
[[camera]]
id = "cam"
junction = "j"
url = "file:{clip}"
start_time = {start}
detector = "onnx"
model = "{model}"
[[camera.zone]]
id = "head"
kind = "signal_head"
polygon = [[0.969, 0.365], [0.988, 0.365], [0.983, 0.465], [0.964, 0.465]]
signal = "S"
lamps = ["red", "hidden", "green"]
[[camera.lane]]
id = "L"
polygon = [{a}, {b}, [1.0, 1.0], [0.0, 1.0]]
direction = [0.0, -1.0]
signal = "S"
[[camera.line]]
id = "stop"
kind = "stop"
points = [{a}, {b}]
[[camera.rule]]
kind = "red_light"
line = "stop"
"""


def test_riders_seen_from_behind_who_went_on_red(tmp_path):
    """They come into the picture from below, half a body first: the model takes them for people on foot until then."""
    truth = json.loads(CLIP.with_name(CLIP.name + ".gt.json").read_text())
    width, height = truth["size"]
    a, b = ([x / width, y / height] for x, y in truth["stop_line"])
    clip = tmp_path / "clip.mp4"
    cut = ["ffmpeg", "-v", "error", "-i", CLIP, "-t", str(SECONDS), "-c", "copy", clip]
    subprocess.run(cut, check=True)
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(clip=clip, start=T0, model=MODEL.resolve(), a=a, b=b))

    red = [e for e in map(json.loads, play(site)) if e["type"].startswith("vn.ioc.violation.red_light")]
    told = sorted(datetime.fromisoformat(e["time"]).timestamp() - T0 for e in red)
    assert [e["data"]["verdict"] for e in red] == ["suspected"] * 3
    on_red = [c["t"] for c in truth["crossings_up_clear"] if c["signal"] == "red" and c["t"] < SECONDS]
    assert told == pytest.approx(on_red, abs=NEAR_S)
