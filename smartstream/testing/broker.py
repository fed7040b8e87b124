"""A real nats-server for tests, and readers that say what a subscriber got."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from smartstream.brokers.nats_access import NatsAccess

_USER, _PASSWORD = "tester", "secret"
_START_S: Final = 20.0


def programs() -> list[Path]:
    """Every nats-server at hand: the wheel's and the system's."""
    found = [Path(sys.executable).parent / "nats-server", shutil.which("nats-server", path="/usr/sbin:/usr/bin")]
    return [Path(p) for p in found if p and os.access(p, os.X_OK)]


class Broker:
    """An external server with a store of its own, to be killed and started again on the same port."""

    def __init__(self, folder: Path, program: Path, **settings: Any) -> None:
        self._folder, self._program, self._settings = folder, program, settings
        self._port = -1
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def access(self) -> NatsAccess:
        """How to reach it."""
        return NatsAccess(url=f"nats://127.0.0.1:{self._port}", user=_USER, password=_PASSWORD)

    def start(self) -> None:
        """Start it and wait until it listens."""
        for ports in self._folder.glob("*.ports"):
            ports.unlink()
        conf = self._folder / "nats.conf"
        settings = {
            "listen": f"127.0.0.1:{self._port}",
            "ports_file_dir": str(self._folder),
            "jetstream": {"store_dir": str(self._folder)},
            "authorization": {"user": _USER, "password": _PASSWORD},
        }
        conf.write_text(json.dumps(settings | self._settings))
        self._process = subprocess.Popen([str(self._program), "-c", str(conf)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while True:
            for ports in self._folder.glob("*.ports"):
                try:
                    self._port = int(json.loads(ports.read_bytes())["nats"][0].rpartition(":")[2])
                except (ValueError, KeyError):
                    continue
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"{self._program} does not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL, as a power switch would for the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


@contextmanager
def core_subscriber(access: NatsAccess, subject: str = "ioc.>") -> Iterator[list[bytes]]:
    """The bodies that a plain subscriber gets, in a list that grows; reconnects, knows no JetStream."""
    got: list[bytes] = []
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="subscriber", daemon=True)
    thread.start()

    async def ignore(_: Exception) -> None:
        """Refused connections are part of the tests."""

    async def on_message(msg: Msg) -> None:
        got.append(msg.data)

    async def subscribe() -> Client:
        nc = await nats.connect(
            access.url,
            user=access.user,
            password=access.password,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.02,
            error_cb=ignore,
        )
        await nc.subscribe(subject, cb=on_message)
        await nc.flush()
        return nc

    nc = asyncio.run_coroutine_threadsafe(subscribe(), loop).result(20)
    try:
        yield got
    finally:
        asyncio.run_coroutine_threadsafe(nc.close(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def read_stream(access: NatsAccess, stream: str) -> list[bytes]:
    """The bodies that a JetStream reader gets from the first to the last."""

    async def read() -> list[bytes]:
        nc = await nats.connect(access.url, user=access.user, password=access.password)
        try:
            js = nc.jetstream()
            total = (await js.stream_info(stream)).state.messages
            config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
            sub = await js.subscribe("ioc.>", stream=stream, ordered_consumer=True, config=config)
            return [(await sub.next_msg(timeout=20)).data for _ in range(total)]
        finally:
            await nc.close()

    return asyncio.run(read())
