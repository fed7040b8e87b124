"""The street of ``bench e2e``: a camera that sends the demo's clip, its signals, a subscriber that notes arrivals."""

from __future__ import annotations

import asyncio
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Self

import nats
from nats.aio.msg import Msg

from smartstream.bench.vision import RENDERED
from smartstream.brokers.nats_access import NatsAccess
from smartstream.errors import UnavailableError
from smartstream.model.time import NS, parse_instant

CLIP: Final = RENDERED.parent
"""Of the demo."""
FPS: Final = 20
CLIP_S: Final = 66.0
SIGNALS: Final = "bench.signals"
PROBE_S: Final = 2.0
"""A connection that lasts longer is no look at whether the camera answers."""


def pictures(clip: Path) -> list[bytes]:
    """The clip as the JPEGs of a camera.

    Raises:
        UnavailableError: ffmpeg cannot make them.
    """
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-q:v", "4", "-f", "image2pipe", "-c:v", "mjpeg", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(
            f"bench e2e: ffmpeg cannot make pictures: {done.stderr.decode(errors='replace').strip()}"
        )
    start = b"\xff\xd8\xff"  # of a picture; within one, ff is followed by 00 or d0 to d7
    return [start + rest for rest in done.stdout.split(start)[1:]]


class Subscriber:
    """A plain subscriber of every event, and who sends the signals; in a thread of its own.

    Attributes:
        arrived: When each event came, ns since 1970, and its bytes.
    """

    def __init__(self, access: NatsAccess) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="subscriber", daemon=True)
        self._thread.start()
        self.arrived: list[tuple[int, bytes]] = []
        self._nc = self._do(nats.connect(access.url, user=access.user, password=access.password))
        self._do(self._nc.subscribe("ioc.>", cb=self._note))
        self._do(self._nc.flush())

    async def _note(self, msg: Msg) -> None:
        self.arrived.append((time.time_ns(), msg.data))

    def send(self, line: dict[str, object]) -> None:
        """A line of the signal feed."""
        self._do(self._nc.publish(SIGNALS, json.dumps(line).encode()))

    def close(self) -> None:
        """Take what is under way, and end."""
        self._do(self._nc.drain())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


class Street:
    """Plays the clip to whoever connects, from its first picture on, and tells the signals in step with it.

    Attributes:
        since_s: When the newest connection got its first picture, on the monotonic clock.
    """

    def __init__(self, shown: list[bytes], told: Subscriber) -> None:
        self.shown, self.told, self.since_s, self.closed = shown, told, 0.0, threading.Event()
        lines = (CLIP / "signals.ndjson").read_text(encoding="utf-8").splitlines()
        start_ns = min(parse_instant(json.loads(line)["time"]) for line in lines)
        self.signals = [(parse_instant(s["time"]) - start_ns, s) for s in map(json.loads, lines)]
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Camera)
        self._server.daemon_threads = True
        self._server.street = self  # type: ignore[attr-defined]  # what its handlers play
        threading.Thread(target=self._server.serve_forever, name="camera", daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/video"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def played_s(self) -> float:
        """How long the newest connection has been served."""
        return time.monotonic() - self.since_s if self.since_s else 0.0


class _Camera(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        street: Street = self.server.street  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        begun_s, begun_ns = time.monotonic(), time.time_ns()
        street.since_s, due = begun_s, list(street.signals)
        try:
            for i, picture in enumerate(street.shown):
                while due and due[0][0] <= i * NS // FPS:
                    after_ns, line = due.pop(0)
                    street.told.send(line | {"time": (begun_ns + after_ns) / NS})
                if street.closed.wait(max(0.0, begun_s + i / FPS - time.monotonic())):
                    return
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
                self.wfile.write(head + picture + b"\r\n")
            street.closed.wait()
        except OSError:  # it was a look at whether somebody answers, or the end
            pass

    def log_message(self, *_: object) -> None:
        """Say nothing."""
