"""``smartstream bench e2e``: from what a camera sends to what a subscriber gets, through a whole run as users start it.

The demo's clip is sent as a live camera sends it (MJPEG over HTTP: event time is when a picture came), the states of
its signals over NATS; a plain subscriber of the broker notes when each event arrives. An event is late by its arrival
less the end of what it tells. CPU is that of the run while the clip plays, start-up taken off.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
import msgspec
import numpy as np

from smartstream.bench.clip import require_ffmpeg
from smartstream.bench.e2e_street import CLIP, CLIP_S, PROBE_S, SIGNALS, Street, Subscriber, pictures
from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.brokers.nats_access import NatsAccess
from smartstream.errors import InternalError, MissingExtraError
from smartstream.model.event import CloudEvent
from smartstream.model.time import parse_instant
from smartstream.options import FloatRange
from smartstream.sinks.nats_server import EmbeddedServer

OURS: Final = "smartstream run"
USUAL: Final = "OpenCV, MOG2, contours, ByteTrack, rules, nats-py"
_START_S: Final = 120.0
_DRAIN_S: Final = 60.0
_TIMED: Final = ("signal.state", "traffic.crossing", "violation.")
"""Events that are told as soon as they are known; the others tell of minutes and hours."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the clip.

    Attributes:
        late_ms: By kind of event: how late each came.
        cpu: Cores' worth of CPU while it played.
        came: Events that came to the subscriber.
        written: Events in the event file.
    """

    late_ms: dict[str, list[float]]
    cpu: float
    came: int
    written: int


@click.command(name="e2e")
@click.option("--peers", is_flag=True, help="Also what people build with OpenCV and nats-py (extra `bench`).")
@click.option(
    "--seconds", type=FloatRange(10, CLIP_S), default=CLIP_S, show_default=True, help="How much of the clip is played."
)
@json_option("e2e")
def bench(*, peers: bool, seconds: float, output: Path) -> None:
    """How late events are, from a live camera to a subscriber, and what the whole run costs."""
    require_ffmpeg()
    if peers and not all(find_spec(name) for name in ("cv2", "supervision", "trackers")):
        raise MissingExtraError("bench e2e --peers", "bench")
    shown = pictures(CLIP / "scene.mp4")
    played = {OURS: _play(shown, seconds, _ours)}
    if peers:
        played[USUAL] = _play(shown, seconds, _usual)
    for name, found in played.items():
        click.echo(f"{name}: {found.cpu:.2f} cores for one 720p20 camera")
        rows = [
            (kind, len(late), *(f"{v:,.0f}" for v in np.percentile(late, [50, 95, 100])))
            for kind, late in sorted(found.late_ms.items())
        ]
        print_table(("event", "came", "p50 ms", "p95 ms", "latest ms"), rows)
    ours = played[OURS]
    gates = [gate("events that came to the subscriber, of those in the event file", ours.came / ours.written, 1)]
    print_gates(gates)
    write_json(output, "e2e", {"seconds": seconds, "played": msgspec.to_builtins(played), "gates": gates})


def _play(shown: list[bytes], seconds: float, command: Callable[[Path, str, NatsAccess], list[str]]) -> Played:
    """Show the pictures to what ``command`` starts, and collect what comes of them."""
    with tempfile.TemporaryDirectory(prefix="smartstream-e2e-") as name:
        folder = Path(name)
        with EmbeddedServer(folder / "store") as server:
            access = server.access
            told = Subscriber(access)
            with Street(shown, told) as street:
                cpu = _watch(command(folder, street.url, access), access, street, seconds)
            told.close()
        file = folder / "events.ndjson"
        written = len(file.read_bytes().splitlines()) if file.exists() else len(told.arrived)
    late: dict[str, list[float]] = defaultdict(list)
    for at_ns, body in told.arrived:
        event = msgspec.json.decode(body, type=CloudEvent)
        kind = event.type.removeprefix("vn.ioc.").removesuffix(".v1")
        if kind.startswith(_TIMED):
            late[kind].append((at_ns - parse_instant(event.data.get("until") or event.time)) / 1e6)
    return Played(late_ms=dict(late), cpu=round(cpu, 3), came=len(told.arrived), written=written)


def _watch(words: list[str], access: NatsAccess, street: Street, seconds: float) -> float:
    """Cores' worth of CPU that a program takes while it sees the street."""
    login = {"SMARTSTREAM_NATS_USER": access.user or "", "SMARTSTREAM_NATS_PASSWORD": access.password or ""}
    with subprocess.Popen(words, env={**os.environ, **login}, stderr=subprocess.PIPE, text=True) as run:
        try:
            patience_s = time.monotonic() + _START_S
            while street.played_s < PROBE_S:
                _check_runs(run)
                if time.monotonic() > patience_s:
                    raise InternalError(f"bench e2e: {words[2]} did not open its camera")
                time.sleep(0.05)
            before, begun_s = _cpu_s(run.pid), time.monotonic()
            with click.progressbar(length=round(seconds), label=words[2], file=sys.stderr) as bar:
                while street.played_s < seconds:
                    _check_runs(run)
                    time.sleep(0.2)
                    bar.update(round(street.played_s) - bar.pos)
            cpu = (_cpu_s(run.pid) - before) / (time.monotonic() - begun_s)
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=_DRAIN_S)
        finally:
            run.kill()
    return cpu


def _check_runs(run: subprocess.Popen[str]) -> None:
    if run.poll() is not None:
        said = run.stderr.read().strip().splitlines() if run.stderr else []
        raise InternalError(f"bench e2e: the run has ended: {said[-1] if said else run.returncode}")


def _cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ours(folder: Path, url: str, access: NatsAccess) -> list[str]:
    """The run of the demo's site, with a live camera and live signals."""
    said = (CLIP / "site.toml").read_text(encoding="utf-8")
    for words, instead in (
        ('url = "embedded"', f'url = "{access.url}"'),
        ('url = "file:signals.ndjson"', f'url = "nats:{SIGNALS}"'),
        ('url = "file:scene.mp4"', f'url = "{url}"'),
        ("start_time = 1790000000.0", ""),
    ):
        assert said.count(words) == 1, words
        said = said.replace(words, instead)
    (folder / "site.toml").write_text(said, encoding="utf-8")
    events = str(folder / "events.ndjson")
    return [sys.executable, "-m", "smartstream", "run", str(folder / "site.toml"), "--events", events]


def _usual(_folder: Path, url: str, access: NatsAccess) -> list[str]:
    return [sys.executable, "-m", "smartstream.bench.e2e_peer", url, access.url]
