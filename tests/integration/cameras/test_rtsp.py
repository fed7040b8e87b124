"""Live cameras from a real RTSP server: what they lose, how they come back, and that none of it touches another."""

import itertools
import json
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import free_port, needs_server

from smartstream import _core
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.model.time import NS

pytestmark = needs_server


def times(camera):
    return np.concatenate([batch.frame_ns for batch in camera.batches()])


def check_times(camera):
    """Rising within and across batches of all runs, and near our own clock."""
    at = times(camera)
    assert (np.diff(at) > 0).all()
    arrived = camera.batches()[-1].clock.arrival_ns
    assert abs(arrived - at[-1]) < 2 * NS
    assert abs(time.time_ns() - arrived) < 60 * NS


@pytest.mark.parametrize(("clip", "codec"), [("h264", "h264"), ("b_frames", "h264"), ("h265", "h265")])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_frames_come_with_the_cameras_own_time(clips, server, watch, clip, codec, transport):
    camera = watch(f"rtsp://127.0.0.1:{server(clips[clip], codec).port}/camera", transport=transport)
    camera.until_frames(50)
    check_times(camera)
    steps = np.diff(times(camera))[-25:]
    assert abs(np.median(steps) - 40_000_000) < 2_000_000
    camera.until(lambda _: camera.batches()[-1].clock.quality == "camera", "a sender report")
    clock = camera.batches()[-1].clock
    assert abs(clock.offset_ns) < 2 * NS
    # A clip of what has just been seen, and a still of its middle.
    ring, at_ns = camera.run.ring(), int(times(camera)[-30])
    cut = ring.clip(at_ns - NS // 2, at_ns + NS // 2)
    assert cut["container"] == "mp4"
    assert cut["first_ns"] <= at_ns
    still = ring.still(at_ns)
    assert (still["time_ns"], still["rgb"].shape) == (at_ns, (240, 320, 3))
    with pytest.raises(UnavailableError, match="not yet"):
        ring.still(time.time_ns() + 60 * NS)


def test_a_server_that_dies_is_a_gap_and_another_run_and_no_other_camera_notices(clips, server, watch):
    dying, steady = server(clips["h264"]), server(clips["h264"])
    camera = watch(f"rtsp://127.0.0.1:{dying.port}/camera")
    other = watch(f"rtsp://127.0.0.1:{steady.port}/camera", read_timeout_s=30, behind_s=60)
    camera.until_frames(30)
    other.until_frames(30)
    dying.kill()
    camera.until_health("lost", "opened")
    camera.until(lambda items: any(i[0] == "idle" for i in items), "idle")
    seen = other.frames()
    other.until_frames(seen + 50)
    dying.start()
    camera.until_health("lost", "closed")
    before = camera.frames()
    camera.until_frames(before + 30)
    check_times(camera)
    runs = [batch.run for batch in camera.batches()]
    assert len(set(runs)) == 2
    assert runs == sorted(runs)
    gaps = [item for item in camera.said() if item[0] == "gap"]
    assert [(gap[1], gap[3]) for gap in gaps] == [(runs[0], "lost")]
    _, counts = camera.close()
    assert counts["connections"] == 2
    # The other: one run, no gap, and every picture of it.
    assert {batch.run for batch in other.batches()} == {other.batches()[0].run}
    assert not [item for item in other.said() if item[0] in ("gap", "health", "dead")]
    numbers = np.concatenate([batch.frame_no for batch in other.batches()])
    assert (numbers == np.arange(len(numbers))).all()
    _, counts = other.close()
    assert counts["frames_decoded"] == counts["frames_seen"]


def test_a_stream_that_freezes_is_left_and_connected_anew(clips, server, watch):
    frozen = server(clips["h264"])
    camera = watch(f"rtsp://127.0.0.1:{frozen.port}/camera", read_timeout_s=1)
    camera.until_frames(10)
    frozen.signal(signal.SIGSTOP)
    camera.until_health("lost", "opened")
    assert camera.health("lost")[0][1] == "silent: nothing came for 1 s"
    frozen.signal(signal.SIGCONT)
    camera.until_health("lost", "closed")
    seen = camera.frames()
    camera.until_frames(seen + 10)
    check_times(camera)


def test_lost_packets_are_counted_and_what_builds_on_them_is_doubtful(clips, server, watch):
    camera = watch(f"rtsp://127.0.0.1:{server(clips['h264'], lose=60).port}/camera", transport="udp", read_timeout_s=30)
    camera.until(lambda items: sum(i[6] for i in items if i[:3] == ("dead", "ingest", "rtp_missed")) >= 5, "losses")
    seen = camera.frames()
    camera.until_frames(seen + 50)
    check_times(camera)
    _, counts = camera.close()
    assert counts["frames_doubtful"] > 0
    assert counts["connections"] == 1
    assert counts["gaps"] == 0


def config(url, **live):
    return json.dumps({"camera": "c", "start_time_ns": 0, "live": {"url": url, **live}}).encode()


def test_a_wrong_password_is_told_without_it_and_the_right_one_works(clips, server, watch):
    guarded = server(clips["h264"], user="viewer", password="rich:tig/1")
    url = f"rtsp://127.0.0.1:{guarded.port}/camera"
    with pytest.raises(InvalidInputError, match=r"the camera wants a login; none is given"):
        _core.probe_live(config(url))
    with pytest.raises(InvalidInputError, match=r"the camera refuses the login") as e:
        _core.probe_live(config(url, user="viewer", password="ge/heim"))
    assert "heim" not in str(e.value)
    wrong = watch(url, user="viewer", password="ge/heim")
    wrong.until_health("lost", "opened")
    assert wrong.health("lost")[0][1].startswith("login: the camera refuses the login")
    assert not any("heim" in str(item) for item in wrong.items)
    right = watch(url, user="viewer", password="rich:tig/1")
    right.until_frames(10)
    assert wrong.frames() == 0


def test_tls_trusts_the_fingerprint_and_nobody_else(clips, server, watch, tmp_path):
    pem = tmp_path / "camera.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pem, "-out", tmp_path / "cert.pem"]
    subprocess.run([*make, "-days", "2", "-subj", "/CN=camera"], check=True, capture_output=True)
    pem.write_text(pem.read_text() + (tmp_path / "cert.pem").read_text())
    show = ["openssl", "x509", "-in", tmp_path / "cert.pem", "-noout", "-fingerprint", "-sha256"]
    fingerprint = subprocess.run(show, check=True, capture_output=True, text=True).stdout.partition("=")[2].strip()
    guarded = server(clips["h264"], certificate=pem, user="viewer", password="richtig")
    url, login = f"rtsps://127.0.0.1:{guarded.port}/camera", {"user": "viewer", "password": "richtig"}
    with pytest.raises(InvalidInputError, match=r"TLS: .*certificate"):
        _core.probe_live(config(url, **login))
    with pytest.raises(InvalidInputError, match=r"has fingerprint [0-9a-f]{64}, expected another"):
        _core.probe_live(config(url, tls_fingerprint="00" * 32, **login))
    camera = watch(url, tls_fingerprint=fingerprint, **login)
    camera.until_frames(30)
    check_times(camera)


def test_a_restart_is_a_gap_and_another_run(clips, server, watch):
    url = f"rtsp://127.0.0.1:{server(clips['h264']).port}/camera"
    camera = watch(url)
    camera.until_frames(30)
    position, counts = camera.close()
    last = int(times(camera)[-1])
    again = watch(url, position)
    again.until_frames(10)
    gap = again.said()[0]
    assert (gap[0], gap[1], gap[3]) == ("gap", camera.batches()[-1].run, "restart")
    assert 0 < gap[2] - last < NS
    assert times(again)[0] > last
    assert again.batches()[0].run > camera.batches()[-1].run
    _, after = again.close()
    assert after["frames_decoded"] > counts["frames_decoded"]


def test_a_camera_that_is_not_there_is_lost_and_tried_again(clips, server, watch):
    nobody = watch(f"rtsp://127.0.0.1:{free_port()}/camera")
    nobody.until_health("lost", "opened")
    assert "Connection refused" in nobody.health("lost")[0][1]
    _, counts = nobody.close()
    assert counts["frames_decoded"] == 0
    assert "connections" not in counts


def test_runs_never_share_a_number(clips, server, watch):
    url = f"rtsp://127.0.0.1:{server(clips['h264']).port}/camera"
    runs = []
    for _ in range(2):
        camera = watch(url)
        camera.until_frames(5)
        camera.close()
        runs += {batch.run for batch in camera.batches()}
        time.sleep(max(0.0, 1.01 - time.time() % 1))  # a run is named by the second it began at
    assert all(a < b for a, b in itertools.pairwise(runs))
