"""The embedded server, with every nats-server at hand."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.sinks import discovery
from smartstream.sinks.nats import NatsSink, prepare
from smartstream.sinks.nats_server import EmbeddedServer, find_server
from smartstream.sinks.nats_streams import EVENTS
from smartstream.testing.broker import read_stream

from event_flow import event  # isort: skip

_HOLD = """
import sys, time
from pathlib import Path
from smartstream.sinks.nats_server import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1]), program=Path(sys.argv[2])) as server:
    print(server.pid, flush=True)
    time.sleep(60)
"""


def hold(store: Path, program: Path) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-c", _HOLD, str(store), str(program)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.fixture(autouse=True)
def private_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def gone(pid: int, *, within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # dead; whoever inherited it has not asked yet
            return True
        time.sleep(0.02)
    return False


def released(store: Path, *, within_s: float = 10) -> bool:
    """Nobody holds the store: the lock of a killed server goes with its last thread, after the first is dead."""
    deadline = time.monotonic() + within_s
    while discovery.in_use(store) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not discovery.in_use(store)


def test_what_it_leaves_and_what_it_hides(tmp_path: Path, program: Path) -> None:
    store = tmp_path / "store"
    with EmbeddedServer(store, program=program) as server:
        prepare(server.access)
        assert discovery.find(store) == server.access
        assert discovery.running() == [store]
        assert server.access.url.startswith("nats://127.0.0.1:")
        old = "v2.9." in subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        assert ('"sync_interval": "1s"' in (store / "run/nats.conf").read_text()) != old
        assert server.access.password not in Path(f"/proc/{server.pid}/cmdline").read_text()
        for private in ("run/nats.conf", "server.json", "lock"):
            assert stat.S_IMODE((store / private).stat().st_mode) == 0o600
        for folder in (store, store / "run"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert os.getpgid(server.pid) != os.getpgid(0)  # Ctrl-C at the terminal does not reach it
        with pytest.raises(InvalidInputError, match="credentials refused"):
            prepare(type(server.access)(url=server.access.url))
        pid = server.pid
    assert gone(pid)
    assert discovery.find(store) is None
    assert discovery.running() == []
    assert not (store / "server.json").exists()


def test_streams_stay_between_runs(tmp_path: Path, program: Path) -> None:
    for _ in range(2):
        with EmbeddedServer(tmp_path / "store", program=program) as server:
            part = NatsSink(server.access, province="19", ward=None).build_part("nats", "all", None)
            part.write_batch([event("cam", n) for n in range(4)])
            part.snapshot()
            part.close()
            assert len(read_stream(server.access, EVENTS)) == 4  # the second run's are known duplicates


def test_one_run_per_store(tmp_path: Path, program: Path) -> None:
    store = tmp_path / "store"
    with (
        EmbeddedServer(store, program=program),
        pytest.raises(InvalidInputError, match=rf"in use by process {os.getpid()} \("),
    ):
        EmbeddedServer(store, program=program).start()
    with EmbeddedServer(store, program=program):
        pass


def test_dies_with_its_parent(tmp_path: Path, program: Path) -> None:
    store = tmp_path / "store"
    parent, server = hold(store, program)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(server)
    assert released(store)
    assert (store / "server.json").exists()
    assert discovery.find(store) is None, "a note left by a killed run is no broker"
    assert discovery.running() == []
    with EmbeddedServer(store, program=program) as again:
        prepare(again.access)


def test_taken_over_at_once_after_a_kill(tmp_path: Path, program: Path) -> None:
    """The dying server holds the lock until it has left the store; the next run waits for that."""
    store = tmp_path / "store"
    parent, _ = hold(store, program)
    parent.kill()
    parent.wait()
    with EmbeddedServer(store, program=program) as server:
        prepare(server.access)


def test_comes_back_at_the_same_address_when_it_dies(tmp_path: Path, program: Path) -> None:
    with EmbeddedServer(tmp_path / "store", program=program) as server:
        part = NatsSink(server.access, province="19", ward=None).build_part("nats", "all", None)
        part.write_batch([event("cam", 0)])
        part.snapshot()
        access, pid = server.access, server.pid
        os.kill(pid, signal.SIGKILL)
        part.write_batch([event("cam", 1)])
        part.snapshot()
        part.close()
        assert server.access == access
        assert server.pid != pid
        assert len(read_stream(access, EVENTS)) == 2


@pytest.mark.parametrize("name", ["Ngã tư Tân Long", 'a"b', "a\\b", "a\nb", b"\xff".decode(errors="surrogateescape")])
def test_a_store_may_have_any_name(name: str, tmp_path: Path, program: Path) -> None:
    with EmbeddedServer(tmp_path / name, program=program) as server:
        part = NatsSink(server.access, province="19", ward=None).build_part("nats", "all", None)
        part.write_batch([event("cam", 0)])
        part.snapshot()
        part.close()
        assert discovery.find(tmp_path / name) == server.access
        assert (tmp_path / name).absolute() in discovery.running()
    assert (tmp_path / name / "jetstream").is_dir()


def test_what_the_server_says_before_it_has_a_log_is_told(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho no such option >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(UnavailableError, match="did not start: no such option"):
        EmbeddedServer(tmp_path / "store", program=program).start()


def test_clear_messages(tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="cannot be used"):
        EmbeddedServer(tmp_path / "file", program=program).start()
    with pytest.raises(UnavailableError, match="did not start"):
        EmbeddedServer(tmp_path / "store", program=Path("/bin/false")).start()
    monkeypatch.setenv("SMARTSTREAM_NATS_SERVER", str(tmp_path / "file"))
    with pytest.raises(InvalidInputError, match="expected a program that can be run"):
        find_server()
    monkeypatch.setenv("SMARTSTREAM_NATS_SERVER", str(program))
    assert find_server() == program
