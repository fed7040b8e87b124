"""`smartstream run` with live cameras: refused when wrong, a health event when gone, a gap after a restart."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import PATIENCE_S, free_port, needs_server

pytestmark = needs_server


def site(folder, *ports, more=""):
    cameras = "".join(
        f'[[camera]]\nid = "cam-{i}"\njunction = "j1"\nurl = "rtsp://127.0.0.1:{port}/camera"\n'
        f"[camera.live]\nread_timeout_s = 1\nidle_s = 0.5\n{more}"
        for i, port in enumerate(ports)
    )
    path = folder / "site.toml"
    path.write_text(
        '[site]\nid = "t"\nprovince = "19"\nward = "05482"\n\n'
        '[[junction]]\nid = "j1"\nname = "Ngã tư"\nposition = { lat = 21.6, lon = 105.8 }\n\n' + cameras
    )
    return path


class Run:
    def __init__(self, site, *more, **env):
        self.events = site.parent / "events.ndjson"
        command = [sys.executable, "-m", "smartstream", "run", site, "--no-nats", "--events", self.events, *more]
        self.summary = site.parent / "summary.json"
        self.process = subprocess.Popen(
            [*map(str, command), "--summary", str(self.summary)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | env,
        )

    def kinds(self):
        if not self.events.exists():
            return []
        whole = [line for line in self.events.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [(e["type"].split(".")[3:6], e["data"]) for e in map(json.loads, whole)]

    def until(self, what, verb, camera="cam-0"):
        begun = time.monotonic()
        while not any(
            k[:1] == ["health"] and k[1] == verb and d["what"] == what and d["camera"] == camera
            for k, d in self.kinds()
        ):
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() - begun < PATIENCE_S, f"waited for {what} {verb}: {self.kinds()}"
            time.sleep(0.05)

    def until_counted(self, camera, frames):
        begun = time.monotonic()
        while True:
            try:
                sides = json.loads(self.summary.read_text())["sides"]
                if sides[camera].get("frames_seen", 0) >= frames:
                    return sides
            except (OSError, KeyError, ValueError):
                pass
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() - begun < PATIENCE_S
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, said
        assert "Traceback" not in said
        return said


def test_a_camera_that_is_not_there_or_refuses_is_refused_at_the_start(clips, server, tmp_path):
    guarded = server(clips["h264"], user="viewer", password="richtig")
    run = Run(
        site(tmp_path, free_port(), guarded.port),
        SMARTSTREAM_CAMERA_USER="viewer",
        SMARTSTREAM_CAMERA_PASSWORD="geheim",
    )
    _, said = run.process.communicate(timeout=PATIENCE_S)
    assert run.process.returncode == 2
    assert "camera[0].url: rtsp://127.0.0.1" in said
    assert "camera[1].url: rtsp://127.0.0.1" in said
    assert "refuses the login" in said
    assert "geheim" not in said


def test_check_draws_on_a_picture_of_a_live_camera(clips, server, tmp_path):
    cv2 = pytest.importorskip("cv2")
    guarded = server(clips["h264"], user="viewer", password="richtig")
    words = [sys.executable, "-m", "smartstream", "check", site(tmp_path, guarded.port), "--draw", tmp_path / "out"]
    login = {"SMARTSTREAM_CAMERA_USER": "viewer", "SMARTSTREAM_CAMERA_PASSWORD": "richtig"}
    done = subprocess.run(words, env=os.environ | login, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "no picture" not in done.stdout
    assert cv2.imread(str(tmp_path / "out/cam-0.png")).shape == (240, 320, 3)


def test_a_camera_that_dies_harms_no_other_and_a_restart_goes_on(clips, server, tmp_path):
    dying, steady = server(clips["h264"]), server(clips["h265"], "h265", user="viewer", password="richtig")
    path = site(tmp_path, dying.port, steady.port)
    login = {"SMARTSTREAM_CAMERA_CAM_1_USER": "viewer", "SMARTSTREAM_CAMERA_CAM_1_PASSWORD": "richtig"}
    run = Run(path, "--recovery", tmp_path / "recovery", **login)
    run.until_counted("cam-0", 25)
    dying.kill()
    run.until("lost", "opened")
    seen = run.until_counted("cam-1", 25)["cam-1"]["frames_seen"]
    run.until_counted("cam-1", seen + 50)
    run.stop()
    assert not [d for k, d in run.kinds() if d.get("camera") == "cam-1"]
    # The dead camera stays dead: a resumed run starts without it, and says so.
    again = Run(path, "--recovery", tmp_path / "recovery", **login)
    again.until("gap", "opened", "cam-1")
    again.until_counted("cam-1", seen + 100)
    dying.start()
    again.until("lost", "closed")
    again.stop()
    gaps = {(d["camera"], d["detail"]) for k, d in again.kinds() if d.get("what") == "gap"}
    assert gaps >= {("cam-0", "lost"), ("cam-1", "restart")}
    ids = [json.loads(line)["id"] for line in again.events.read_text().splitlines()]
    assert len(ids) == len(set(ids))
