"""Many live subscribers in a process of their own, on bare sockets: they cost the publisher nothing."""

from __future__ import annotations

import json
import multiprocessing
import re
import selectors
import socket
import time
from multiprocessing.connection import Connection
from typing import Final, Self
from urllib.parse import urlsplit

from smartstream.brokers.nats_access import NatsAccess

_SENT: Final = re.compile(rb'"sent_ns":(\d+)}')
_QUIET_S: Final = 5.0


class Screens:
    """``screens`` subscribers of ``ioc.>``; ``ages_ms`` waits for ``events`` events at each of them."""

    def __init__(self, access: NatsAccess, screens: int, events: int) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_watch, args=(theirs, access, screens, events), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._ours.recv()  # all have subscribed
        return self

    def __exit__(self, *_: object) -> None:
        self._process.join()

    def ages_ms(self) -> list[float]:
        """From ``sent_ns`` in an event to each of its arrivals."""
        ages: list[float] = self._ours.recv()
        return ages


def _watch(told: Connection, access: NatsAccess, screens: int, events: int) -> None:
    selector = selectors.DefaultSelector()
    for _ in range(screens):
        opened = _subscribe(access)
        opened.settimeout(0)
        selector.register(opened, selectors.EVENT_READ, bytearray())
    told.send("ready")
    ages: list[float] = []
    last_s = time.monotonic() + 30
    while len(ages) < screens * events and time.monotonic() - last_s < _QUIET_S:
        for key, _ in selector.select(1.0):
            assert isinstance(key.fileobj, socket.socket)
            buffer: bytearray = key.data
            buffer += key.fileobj.recv(1 << 16)
            now_ns, end = time.time_ns(), 0
            for match in _SENT.finditer(buffer):
                ages.append((now_ns - int(match[1])) / 1e6)
                end = match.end()
            del buffer[:end]
            last_s = time.monotonic()
    told.send(ages)


def _subscribe(access: NatsAccess) -> socket.socket:
    where = urlsplit(access.url)
    opened = socket.create_connection((where.hostname, where.port or 4222))
    hello = {"user": access.user, "pass": access.password, "verbose": False, "headers": True, "lang": "bare"}
    opened.sendall(f"CONNECT {json.dumps(hello)}\r\nSUB ioc.> 1\r\nPING\r\n".encode())
    read = b""
    while b"PONG\r\n" not in read:
        read += opened.recv(4096)
    return opened
