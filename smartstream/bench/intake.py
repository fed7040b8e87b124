"""``smartstream bench intake``: citizens' reports over HTTP at a steady rate, while engine and broker are killed.

A whole run (intake, embedded broker, desk, event file, recovery) takes reports on the loopback. Clients send on a
schedule, whether the last one was answered or not, and time runs from the schedule. One that gets no good answer
tries again under the same ``Idempotency-Key``. A kill window lasts from the kill until a report scheduled after it is
answered at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np

from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.errors import InternalError, MissingExtraError
from smartstream.options import FloatRange

GOAL_P99_MS: Final = 100.0
_AT_ONCE_S: Final = 0.5
_PATIENCE_S: Final = 180.0
_START_S: Final = 180.0
_SITE: Final = """
[site]
id = "bench"
province = "19"
[[report_feed]]
url = "http://127.0.0.1:{port}/"
per_client_per_min = 1000000
allowed_lateness_s = 1
idle_after_s = 1
"""


class _Sent(msgspec.Struct):
    """One report: when it was due, when answered, how often it was tried."""

    due_s: float
    answered_s: float = 0.0
    tries: int = 0
    report: str = ""


class _Window(msgspec.Struct):
    """A kill and its end."""

    what: str
    from_s: float
    until_s: float = float("inf")


@click.command(name="intake")
@click.option("--rate", type=FloatRange(1, 10_000), default=500.0, show_default=True, help="Reports a second.")
@click.option("--seconds", type=FloatRange(1, 3600), default=60.0, show_default=True, help="How long.")
@click.option("--kills/--no-kills", default=True, show_default=True, help="SIGKILL of the engine and of the broker.")
@click.option(
    "--peers", is_flag=True, help="Also an aiohttp server that answers at once and stores nothing: the bound."
)
@json_option("intake")
def bench(*, rate: float, seconds: float, kills: bool, peers: bool, output: Path) -> None:
    """Latency of the intake, and what is lost or doubled over kills: nothing."""
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        raise MissingExtraError("`smartstream bench intake`", "intake") from None
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if peers:
            found["answers at once, stores nothing"] = _bound(rate, min(seconds, 10.0))
        found["smartstream"] = ours = asyncio.run(_measure(Path(folder), rate, seconds, kills=kills))
    print_table(
        ["reports over HTTP", "sent", "p50 ms", "p99 ms", "max ms", "lost", "twice", "kill windows s"],
        [
            [name, r["sent"], r["p50_ms"], r["p99_ms"], r["max_ms"], r["lost"], r["twice"], r["windows_s"]]
            for name, r in found.items()
        ],
    )
    gates = [
        gate("lost or twice, none", -float(ours["lost"] + ours["twice"]), 0.0),
        gate(f"p99 outside kill windows under {GOAL_P99_MS:g} ms, negated", -ours["p99_ms"], -GOAL_P99_MS),
    ]
    print_gates(gates)
    write_json(output, "intake", {"rate": rate, "seconds": seconds, "ways": found, "gates": gates})
    if ours["lost"] or ours["twice"]:
        raise InternalError("reports were lost or doubled")


async def _measure(folder: Path, rate: float, seconds: float, *, kills: bool) -> dict[str, Any]:
    site, events = folder / "site.toml", folder / "events"
    port = _free_port()
    site.write_text(_SITE.format(port=port), encoding="utf-8")
    command = [sys.executable, "-m", "smartstream", "run", str(site), "--events", str(events)]
    command += ["--recovery", str(folder / "recovery")]
    engine = _Engine(command, folder / "engine.log")
    url = f"http://127.0.0.1:{port}"
    try:
        engine.start()
        await _answers(f"{url}/services.json", engine)
        windows: list[_Window] = []
        hitting = asyncio.create_task(_kill_both(engine, folder, url, seconds, windows) if kills else asyncio.sleep(0))
        sent = await _load(url, rate, seconds, hitting)
        reports = {s.report for s in sent if s.report}
        told = await _told(events, reports, engine)
    finally:
        engine.stop()
    _end_windows(windows, sent)
    outside = [s for s in sent if s.report and not any(w.from_s - 0.5 <= s.due_s <= w.until_s for w in windows)]
    return {
        **_latencies(outside),
        "sent": len(sent),
        "answered": sum(bool(s.report) for s in sent),
        "tried_again": sum(s.tries > 1 for s in sent),
        "lost": sum(s.report not in told for s in sent),
        "twice": sum(count - 1 for count in told.values()) + len(set(told) - reports) + len(sent) - len(reports),
        "windows_s": ", ".join(f"{w.what} {w.until_s - w.from_s:.1f}" for w in windows) or "-",
    }


class _Engine:
    """``smartstream run`` as a child, to be killed and started again."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command, self._log = command, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stderr=log)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def check(self) -> None:
        """It runs.

        Raises:
            InternalError: It has ended; with its last words.
        """
        if self.process is None or self.process.poll() is not None:
            raise InternalError(f"the engine has ended: {self._log.read_text(errors='replace')[-800:]}")


async def _kill_both(engine: _Engine, folder: Path, url: str, seconds: float, windows: list[_Window]) -> None:
    await asyncio.sleep(seconds / 3)
    windows.append(_Window("engine", time.monotonic()))
    engine.kill()
    engine.start()
    await _answers(f"{url}/services.json", engine)
    await asyncio.sleep(seconds / 3)
    for ports in (folder / "var/nats/run").glob("nats-server_*.ports"):
        windows.append(_Window("broker", time.monotonic()))
        os.kill(int(ports.stem.rpartition("_")[2]), signal.SIGKILL)
    await asyncio.sleep(seconds / 6)


async def _answers(url: str, engine: _Engine) -> None:
    import aiohttp

    deadline = time.monotonic() + _START_S
    async with aiohttp.ClientSession() as session:
        while True:
            engine.check()
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            if time.monotonic() > deadline:
                raise InternalError("the intake does not answer")
            await asyncio.sleep(0.05)


async def _load(url: str, rate: float, seconds: float, hitting: asyncio.Task[None] | None = None) -> list[_Sent]:
    """Send on schedule, so long and until the kills are over; then wait for every answer."""
    import aiohttp

    begin = time.monotonic() + 0.2
    sent: list[_Sent] = []
    connector = aiohttp.TCPConnector(limit=256)  # files are few, and a real crowd waits in a queue, too
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:
        tasks = []
        while len(sent) < rate * seconds or (hitting is not None and not hitting.done()):
            one = _Sent(begin + len(sent) / rate)
            if (wait := one.due_s - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(_send(session, url, len(sent), one)))
            sent.append(one)
        await asyncio.gather(*tasks)
    if hitting is not None:
        await hitting
    return sent


async def _send(session: Any, url: str, i: int, one: _Sent) -> None:
    import aiohttp

    form = {
        "service_code": ("flood", "pothole", "garbage", "noise")[i % 4],
        "description": f"Phản ánh số {i}: đường ngập sâu, xe không qua được",
        "lat": f"{21.5 + i % 997 / 4000:.5f}",
        "long": f"{105.8 + i % 991 / 4000:.5f}",
        "device_id": f"device-{i}",
    }
    while time.monotonic() < one.due_s + _PATIENCE_S:
        one.tries += 1
        try:
            async with session.post(
                f"{url}/requests.json", data=form, headers={"Idempotency-Key": f"bench-{i}"}
            ) as answer:
                body = await answer.json()
                if answer.status in (200, 201):
                    one.answered_s, one.report = time.monotonic(), body[0]["service_request_id"]
                    return
        except (aiohttp.ClientError, TimeoutError, ValueError):
            pass
        await asyncio.sleep(min(0.05 * 2 ** min(one.tries, 4), 1.0))


async def _told(events: Path, reports: set[str], engine: _Engine) -> dict[str, int]:
    """How often each report was told for the first time (``revision`` 0), once no more is to come."""
    told: dict[str, int] = {}
    deadline = time.monotonic() + 2 * _PATIENCE_S
    while time.monotonic() < deadline and not reports <= told.keys():
        engine.check()
        await asyncio.sleep(0.5)
        told = {}
        for line in events.read_bytes().splitlines(keepends=True):
            if b".report.received.observed." in line and line.endswith(b"\n"):
                data = json.loads(line)["data"]
                if data["revision"] == 0:
                    told[data["report"]] = told.get(data["report"], 0) + 1
    return told


def _end_windows(windows: list[_Window], sent: list[_Sent]) -> None:
    for window in windows:
        at_once = (s for s in sent if s.tries == 1 and s.report and s.answered_s < s.due_s + _AT_ONCE_S)
        after = (s.due_s for s in at_once if s.due_s > window.from_s + 0.1)
        window.until_s = next((due for due in after), window.from_s) + 1.0  # the retries of the window come then


def _latencies(sent: list[_Sent]) -> dict[str, float]:
    took_ms = np.array([(s.answered_s - s.due_s) * 1000 for s in sent] or [float("nan")])
    p50, p99 = np.percentile(took_ms, (50, 99))
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2), "max_ms": round(float(took_ms.max()), 1)}


_BARE: Final = """
import sys
from aiohttp import web
async def take(request):
    await request.post()
    return web.json_response([{"service_request_id": request.headers["Idempotency-Key"]}], status=201)
app = web.Application()
app.router.add_post("/requests.json", take)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""


def _bound(rate: float, seconds: float) -> dict[str, Any]:
    """The same load on a server that does nothing."""
    port = _free_port()
    server = subprocess.Popen([sys.executable, "-c", _BARE, str(port)])
    try:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        sent = asyncio.run(_load(f"http://127.0.0.1:{port}", rate, seconds))
    finally:
        server.kill()
        server.wait()
    return {**_latencies(sent), "sent": len(sent), "lost": 0, "twice": 0, "windows_s": "-"}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
