"""A real RTSP server on loopback, and cameras that look at it."""

import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from smartstream import _core
from smartstream.model.tracks import TrackBatch

SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"
PATIENCE_S = 180  # for what is sure to come, on a machine that does ten other things


def has_server():
    words = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        return subprocess.run([SYSTEM_PYTHON, "-c", words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


needs_server = pytest.mark.skipif(
    not has_server() or shutil.which("ffmpeg") is None,
    reason="needs ffmpeg and GStreamer's RTSP server: apt-get install gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad python3-gi",
)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_clip(path, codec, *more):
    source = "testsrc2=size=320x240:rate=25:duration=60"
    noise = "noise=alls=8:allf=t:all_seed=7,format=yuv420p"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-vf", noise, "-preset", "ultrafast", *codec]
    subprocess.run([*command, *more, str(path)], check=True)
    return path


H264 = ("-c:v", "libx264", "-bf", "0", "-g", "25")
H264_B = ("-c:v", "libx264", "-bf", "2", "-g", "50")
H265 = ("-c:v", "libx265", "-x265-params", "log-level=none:keyint=25:bframes=0")


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return {
        "h264": make_clip(folder / "a.mp4", H264),
        "b_frames": make_clip(folder / "b.mp4", H264_B),
        "h265": make_clip(folder / "c.mp4", H265),
    }


class Server:
    """GStreamer's RTSP server as a process that can be killed, frozen and started again."""

    def __init__(self, clip, codec="h264", **options):
        self.port = free_port()
        more = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._command = [SYSTEM_PYTHON, str(SERVER), str(clip), codec, str(self.port), *more]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def server():
    running = []

    def start(*args, **options):
        running.append(Server(*args, **options))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.kill()


class Watched:
    """A camera run, polled on a thread of its own, and everything it has said."""

    def __init__(self, config, resume=None, hub=None):
        self.items = []
        self.run = _core.CameraRun(json.dumps({"start_time_ns": 0, **config}).encode(), resume, None, hub)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _poll(self):
        while not self._stop.is_set():
            found = self.run.poll(16)
            self.items += found
            if not found:
                time.sleep(0.005)

    def until(self, done, what):
        """Wait for progress, not for seconds."""
        begun = time.monotonic()
        while not (found := done(list(self.items))):
            assert time.monotonic() - begun < PATIENCE_S, f"waited for {what}; said: {self.said()}"
            time.sleep(0.01)
        return found

    def said(self):
        return [item for item in self.items if item[0] != "tracks"]

    def batches(self):
        return [TrackBatch.from_bytes(item[3]) for item in self.items if item[0] == "tracks"]

    def frames(self):
        return sum(len(batch.frame_ns) for batch in self.batches())

    def health(self, what):
        return [(item[2], item[4]) for item in self.items if item[0] == "health" and item[1] == what]

    def until_frames(self, n):
        self.until(lambda _: self.frames() >= n, f"{n} frames")

    def until_health(self, what, verb, times=1):
        self.until(lambda _: [v for v, _ in self.health(what)].count(verb) >= times, f"{what} {verb}")

    def close(self):
        self._stop.set()
        self._thread.join()
        position, counts = self.run.position(), self.run.counts()
        self.run.close()
        return position, counts


@pytest.fixture
def watch():
    watched = []

    def start(url, resume=None, hub=None, config=None, **live):
        live = {"url": url, "connect_timeout_s": 10, "read_timeout_s": 2, "idle_s": 0.5, **live}
        watched.append(Watched({"camera": "c", "live": live, **(config or {})}, resume, hub))
        return watched[-1]

    yield start
    for one in watched:
        one._stop.set()
        one._thread.join()
        one.run.close()
