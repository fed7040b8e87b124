"""Ways to get events acknowledged by JetStream: ours, nats-py's, and a bare socket as the bound."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final, Protocol
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

from smartstream.brokers.nats_access import NatsAccess
from smartstream.model.event import CloudEvent, nats_subject
from smartstream.sinks.nats import NatsSink

_WINDOW: Final = 256  # on their way at once; more does not help nats-py


class Publisher(Protocol):
    """Publishes batches; ``barrier`` returns when all are acknowledged."""

    def publish(self, events: Sequence[CloudEvent]) -> None: ...  # noqa: D102
    def barrier(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Sink:
    """The sink as the dataflow uses it."""

    def __init__(self, access: NatsAccess) -> None:
        self._part = NatsSink(access, province="19", ward="05482").build_part("nats", "all", None)

    def publish(self, events: Sequence[CloudEvent]) -> None:
        """Hand over a batch."""
        self._part.write_batch(list(events))

    def barrier(self) -> None:
        """What an epoch waits for before it commits."""
        self._part.snapshot()

    def close(self) -> None:
        """End the connection."""
        self._part.close()


class _NatsPy:
    """nats-py in an event loop that runs while we wait: no thread to cross, which favours it."""

    def __init__(self, access: NatsAccess) -> None:
        self._loop = asyncio.new_event_loop()
        self._nc: Client = self._loop.run_until_complete(
            nats.connect(access.url, user=access.user, password=access.password)
        )
        self._js: JetStreamContext = self._nc.jetstream(publish_async_max_pending=_WINDOW)

    def barrier(self) -> None:
        """Nothing is left over."""

    def close(self) -> None:
        """End the connection."""
        self._loop.run_until_complete(self._nc.close())
        self._loop.close()


class OneByOne(_NatsPy):
    """``await js.publish`` for each event, as its documentation shows."""

    def publish(self, events: Sequence[CloudEvent]) -> None:
        """Publish and await each."""

        async def all_of_them() -> None:
            for event in events:
                await self._js.publish(_subject(event), event.to_json(), headers={"Nats-Msg-Id": event.id})

        self._loop.run_until_complete(all_of_them())


class Windowed(_NatsPy):
    """``js.publish_async`` with a window, then all acknowledgements."""

    def publish(self, events: Sequence[CloudEvent]) -> None:
        """Publish all, then await all."""

        async def all_of_them() -> None:
            waiting = [
                await self._js.publish_async(
                    _subject(event), event.to_json(), headers={"Nats-Msg-Id": event.id}, wait_stall=30
                )
                for event in events
            ]
            await asyncio.gather(*waiting)

        self._loop.run_until_complete(all_of_them())


class BareSocket:
    """The protocol by hand on a blocking socket: no reconnection, no pings; what the server itself can do."""

    def __init__(self, access: NatsAccess) -> None:
        where = urlsplit(access.url)
        self._socket = socket.create_connection((where.hostname, where.port or 4222))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = self._socket.makefile("rb")
        self._read.readline()
        hello = {"user": access.user, "pass": access.password, "verbose": False, "headers": True, "lang": "bare"}
        self._socket.sendall(f"CONNECT {json.dumps(hello)}\r\nSUB _INBOX.bare 1\r\n".encode())

    def publish(self, events: Sequence[CloudEvent]) -> None:
        """Send all, count their acknowledgements."""
        for i in range(0, len(events), _WINDOW):
            part = events[i : i + _WINDOW]
            self._socket.sendall(b"".join(map(_hpub, part)))
            for _ in part:
                while not (line := self._read.readline()).startswith(b"MSG"):
                    if line.startswith(b"PING"):
                        self._socket.sendall(b"PONG\r\n")
                ack = self._read.read(int(line.split()[-1]) + 2)
                if b'"error"' in ack:
                    raise RuntimeError(ack.decode())

    def barrier(self) -> None:
        """Nothing is left over."""

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def _hpub(event: CloudEvent) -> bytes:
    body = event.to_json()
    head = f"NATS/1.0\r\nNats-Msg-Id: {event.id}\r\n\r\n".encode()
    line = f"HPUB {_subject(event)} _INBOX.bare {len(head)} {len(head) + len(body)}\r\n"
    return b"".join((line.encode(), head, body, b"\r\n"))


def _subject(event: CloudEvent) -> str:
    return nats_subject(event.type, province="19", ward="05482")


OURS: Final[tuple[str, Callable[[NatsAccess], Publisher]]] = ("smartstream sink", Sink)
BOUND: Final[tuple[str, Callable[[NatsAccess], Publisher]]] = ("bare socket (bound)", BareSocket)
PEERS: Final[tuple[tuple[str, Callable[[NatsAccess], Publisher]], ...]] = (
    (f"nats-py {version('nats-py')} publish", OneByOne),
    (f"nats-py {version('nats-py')} publish_async", Windowed),
)
