"""A camera run in a process of its own: ``hostile_camera.py URL`` prints the most memory it took, in MB.

It ends once the camera is lost, or has been listened to for a while: some never stop to send what is no picture.
"""

import json
import sys
import time
from pathlib import Path

from smartstream import _core

LISTEN_S = 12


def most_mb():
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) // 1024


live = {"url": sys.argv[1], "connect_timeout_s": 4, "read_timeout_s": 2, "idle_s": 0.5}
run = _core.CameraRun(json.dumps({"start_time_ns": 0, "camera": "c", "live": live}).encode(), None, None, None)
before, begun = most_mb(), time.monotonic()
while not any(item[:3] == ("health", "lost", "opened") for item in run.poll(16)):
    if time.monotonic() - begun > LISTEN_S:
        break
    time.sleep(0.001)
print(most_mb() - before)
