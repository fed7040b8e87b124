"""`smartstream run` with live cameras: refused when wrong, a health event when gone, a gap after a restart."""

import json
import os
import subprocess
import sys

import pytest
from conftest import PATIENCE_S, free_port, needs_server
from live_run import Run, site

pytestmark = needs_server


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
