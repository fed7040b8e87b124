"""`smartstream run` as a process that live cameras feed, and its site file."""

import json
import os
import signal
import subprocess
import sys
import time

from conftest import PATIENCE_S


def site(folder, *ports, camera="", more="", tables=""):
    """A site file of cameras at these ports; ``camera``, ``more`` and ``tables`` are lines of each of them."""
    cameras = "".join(
        f'[[camera]]\nid = "cam-{i}"\njunction = "j1"\nurl = "rtsp://127.0.0.1:{port}/camera"\n{camera}'
        f"[camera.live]\nread_timeout_s = 1\nidle_s = 0.5\n{more}{tables}"
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

    def until_true(self, done, what):
        begun = time.monotonic()
        while not done():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() - begun < PATIENCE_S, f"waited for {what}: {self.kinds()}"
            time.sleep(0.05)

    def sides(self):
        return json.loads(self.summary.read_text())["sides"]

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
