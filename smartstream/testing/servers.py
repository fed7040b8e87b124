"""Real servers for tests, each in a folder of its own, to be killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_START_S: Final = 20.0
_SBIN: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def program(name: str) -> str | None:
    """Where a server program is, if this machine has it."""
    return shutil.which(name, path=_SBIN)


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


class Server:
    """A server program as a child process, from ``start`` to ``kill``.

    Args:
        folder: Its own.
        port: Where it listens; one that is free unless given.
    """

    name: str
    _user: str | None = None

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder, self.port = folder, port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        """Program and arguments; files it needs are written here."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, user=self._user, cwd="/")
        deadline = time.monotonic() + _START_S
        while not self._listens():
            if time.monotonic() > deadline or self._process.poll() is not None:
                said = (self.folder / "log").read_text(errors="replace")[-500:]
                raise RuntimeError(f"{self.name} does not start: {said}")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL, as a power switch would for the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Mosquitto(Server):
    """The MQTT broker of the Eclipse Foundation; keeps sessions over a kill as far as it had saved them."""

    name = "mosquitto"

    def command(self) -> list[str]:
        """On the loopback, open to everybody, saving every change."""
        conf = self.folder / "mosquitto.conf"
        conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {self.folder}/\nautosave_interval 1\nautosave_on_changes true\n"
            f"user {os.environ.get('USER', 'root')}\nlog_type all\n"
        )
        return [program(self.name) or self.name, "-c", str(conf)]


class Postgres(Server):
    """PostgreSQL; it refuses to run as root, and then runs as its own user in a folder of its own."""

    name = "postgres"

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder, port)
        self.data = Path(tempfile.mkdtemp(prefix="smartstream-pg-", dir="/tmp"))  # others may not enter the test's
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.data, self._user)
        made = subprocess.run(
            [self.program("initdb"), "-D", self.data, "-A", "trust", "-U", "tester", "--no-sync"],
            user=self._user,
            capture_output=True,
            check=False,
            cwd="/",
        )
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stderr.decode(errors='replace')[-500:]}")

    @staticmethod
    def program(name: str) -> str:
        """A program of the newest version that is installed; Debian keeps them off the PATH."""
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return str(found[-1]) if found else program(name) or name

    @classmethod
    def installed(cls) -> bool:
        """Whether this machine has it."""
        return bool(shutil.which(cls.program("initdb")))

    def command(self) -> list[str]:
        """On the loopback only."""
        options = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.data), "-h", "127.0.0.1", "-F"]
        return [self.program(self.name), *options]

    def _listens(self) -> bool:
        asked = [self.program("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        return subprocess.run(asked, check=False, cwd="/").returncode == 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)


class RedisServer(Server):
    """Redis, keeping nothing; ``settings`` go to its command line."""

    name = "redis-server"

    def __init__(self, folder: Path, port: int | None = None, **settings: str) -> None:
        super().__init__(folder, port)
        self._settings = settings

    def command(self) -> list[str]:
        """On the loopback, without files."""
        more = [word for name, value in self._settings.items() for word in (f"--{name.replace('_', '-')}", value)]
        plain = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return [program(self.name) or self.name, *plain, *more]
