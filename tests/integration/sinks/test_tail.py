"""``smartstream tail`` as a program, beside a real broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from event_flow import event

from smartstream.brokers.nats_access import NatsAccess
from smartstream.sinks.nats import NatsSink
from smartstream.sinks.nats_server import EmbeddedServer
from smartstream.testing.broker import Broker


def publish(access: NatsAccess, numbers: range) -> None:
    part = NatsSink(access, province="19", ward=None).build_part("nats", "all", None)
    part.write_batch([event("cam", n) for n in numbers])
    part.snapshot()
    part.close()


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "smartstream", "tail", *args]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "NO_COLOR": "1"}


@pytest.fixture
def embedded(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with EmbeddedServer(tmp_path / "var" / "nats", program=program) as server:
        yield server


def run(args: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, capture_output=True, text=True, timeout=30, env=environment, cwd=folder)


def test_finds_the_run_and_prints_its_history(
    embedded: EmbeddedServer, environment: dict[str, str], tmp_path: Path
) -> None:
    publish(embedded.access, range(20))
    site = tmp_path / "site.toml"
    site.write_text('[site]\nid = "demo"\nprovince = "19"\nward = "05482"\n')
    for where in ([], ["--site", str(site)]):
        done = run(command("--all", "--json", "--count", "20", *where), environment, tmp_path)
        assert done.returncode == 0, done.stderr
        got = {json.loads(line)["id"] for line in done.stdout.splitlines()}
        assert got == {event("cam", n).id for n in range(20)}
    done = run(command("violation", "--all", "--count", "2"), environment, tmp_path)
    assert [line[:33] for line in done.stdout.splitlines()] == [
        "2026-09-21 21:13:20  ● nghi vấn  "[:33],
        "2026-09-21 21:13:20  ● nghi vấn  "[:33],
    ]
    done = run(command("dlq", "--since", "1h", "--count", "1"), environment, tmp_path)
    assert "✗ không dùng được" in done.stdout


def test_live_across_a_restart_then_ctrl_c(
    tmp_path: Path, program: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    store = tmp_path / "var" / "nats"
    with EmbeddedServer(store, program=program) as server:
        publish(server.access, range(3))
        tail = subprocess.Popen(
            command("--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert tail.stdout is not None
        assert tail.stderr is not None
        assert "following" in tail.stderr.readline()
        publish(server.access, range(3, 6))
        first = [tail.stdout.readline() for _ in range(3)]
    with EmbeddedServer(store, program=program) as server:  # another run: other port, other password
        publish(server.access, range(6, 9))
        then = [tail.stdout.readline() for _ in range(3)]
        tail.send_signal(signal.SIGINT)
        _, said = tail.communicate(timeout=10)
    assert [json.loads(line)["id"] for line in first + then] == [event("cam", n).id for n in range(3, 9)]
    assert tail.returncode == 0, said
    assert "waiting for the broker" in said


def test_an_external_server(broker: Broker, environment: dict[str, str], tmp_path: Path) -> None:
    publish(broker.access, range(4))
    secrets = {"SMARTSTREAM_NATS_USER": "tester", "SMARTSTREAM_NATS_PASSWORD": "secret"}
    args = command("--url", broker.access.url, "--all", "--count", "4")
    done = run(args, environment | secrets, tmp_path)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr
    refused = run(args, environment, tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "credentials refused" in refused.stderr


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ([], 1, "no run with a broker was found"),
        (["--url", "nats://127.0.0.1:1"], 1, "cannot be reached"),
        (["--since", "yesterday"], 2, "expected 10m"),
        (["--all", "--since", "1h"], 2, "expected one of them"),
    ],
)
def test_clear_refusals(args: list[str], code: int, says: str, environment: dict[str, str], tmp_path: Path) -> None:
    done = run(command(*args), environment, tmp_path)
    assert done.returncode == code
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
