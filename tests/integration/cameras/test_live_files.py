"""Files played like cameras, and MJPEG over HTTP: what is left out is counted, and the sum is right."""

import http.server
import json
import shutil
import subprocess
import threading
import time

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import H264, make_clip

from smartstream.cli.bench import bench

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("played") / "a.mp4", H264)


def played(watch, clip, **live):
    camera = watch(f"file:{clip}", **live)
    camera.until(lambda items: ("end",) in items, "the end")
    _, counts = camera.close()
    lost = {name.removeprefix("lost_"): n for name, n in counts.items() if name.startswith("lost_")}
    assert counts["packets_received"] == 1500
    assert counts["frames_decoded"] + lost.get("shed_latest", 0) == 1500
    assert counts["frames_seen"] == camera.frames()
    assert counts["frames_seen"] + lost.get("shed_every_nth", 0) == counts["frames_decoded"]
    told = {item[2]: 0 for item in camera.said() if item[0] == "dead"}
    for item in camera.said():
        if item[0] == "dead":
            told[item[2]] += item[6]
    assert told == lost, "what is left out is said, and counted alike"
    assert set(lost) <= {"shed_latest", "shed_every_nth"}
    at = np.concatenate([batch.frame_ns for batch in camera.batches()])
    assert (np.diff(at) > 0).all()
    return counts, lost


def test_block_loses_nothing_however_hurried(watch, clip):
    counts, lost = played(watch, clip, pace=3600, shed="block")
    assert lost == {}
    assert counts["frames_seen"] == 1500


def test_latest_leaves_out_what_comes_too_fast(watch, clip):
    assert played(watch, clip, pace=3600, shed="latest")[1]["shed_latest"] > 0


def test_every_nth_looks_at_fewer(watch, clip):
    assert played(watch, clip, pace=3600, shed="every-nth", shed_nth=4)[1]["shed_every_nth"] > 0


def test_nothing_is_left_out_where_there_is_time(watch, clip):
    for shed in ("latest", "every-nth"):
        assert played(watch, clip, pace=12, shed=shed, behind_s=60)[1] == {}


def test_a_stream_that_changes_its_size_goes_on_as_another_run(watch, clip, tmp_path):
    small = tmp_path / "small.ts"
    make_clip(small, H264, "-t", "4", "-s", "160x120")
    subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-t", "4", "-c", "copy", tmp_path / "big.ts"], check=True)
    (tmp_path / "list").write_text("file big.ts\nfile small.ts\n")
    both = tmp_path / "both.ts"
    join = ["ffmpeg", "-v", "error", "-f", "concat", "-i", tmp_path / "list", "-c", "copy", both]
    subprocess.run(join, check=True)
    camera = watch(f"file:{both}", pace=20, shed="block")
    camera.until(lambda items: ("end",) in items, "the end")
    runs = [batch.run for batch in camera.batches()]
    assert len(set(runs)) == 2
    assert runs == sorted(runs)
    assert [(item[1], item[3]) for item in camera.said() if item[0] == "gap"] == [(runs[0], "size_change")]
    assert camera.frames() >= 195


class Pictures(http.server.BaseHTTPRequestHandler):
    """A camera that sends one JPEG after the other, six a second or so."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for picture in self.server.pictures:
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n")
                self.wfile.write(b"Content-Length: %d\r\n\r\n" % len(picture))
                self.wfile.write(picture + b"\r\n")
                time.sleep(self.server.pause_s)
        except OSError:
            pass

    def log_message(self, *_):
        pass


def test_mjpeg_over_http_is_timed_by_its_arrival(watch, clip, tmp_path):
    command = ["ffmpeg", "-v", "error", "-i", clip, "-frames:v", "40", "-q:v", "5", tmp_path / "%03d.jpg"]
    subprocess.run(command, check=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    server.daemon_threads = True
    server.pictures, server.pause_s = [p.read_bytes() for p in sorted(tmp_path.glob("*.jpg"))], 0.05
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        camera = watch(f"http://127.0.0.1:{server.server_port}/video")
        camera.until_frames(30)
        batch = camera.batches()[-1]
        assert batch.clock.quality == "arrival"
        assert batch.clock.offset_ns is None
        assert abs(batch.clock.arrival_ns - int(batch.frame_ns[-1])) < 2_000_000_000
        camera.until_health("lost", "opened")  # the pictures are over, the connection closes
        camera.until_health("lost", "closed")  # and it is called again
    finally:
        server.shutdown()
        server.server_close()


def test_the_soak_counts_every_packet_and_writes_its_result(tmp_path):
    out = tmp_path / "soak.json"
    words = ["soak", "--cameras", "3", "--seconds", "6", "--size", "320x240", "--json", str(out)]
    done = CliRunner().invoke(bench, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    gates = {gate["name"]: gate["held"] for gate in json.loads(out.read_text())["gates"]}
    assert len(gates) == 5
    assert all(held for name, held in gates.items() if not name.startswith("memory")), gates  # too short for that one
