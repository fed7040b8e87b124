"""Links to a nats-server on which something comes late: what a busy machine or a slow line does now and then."""

from __future__ import annotations

import asyncio
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from smartstream.brokers.nats_access import NatsAccess


class SlowLink:
    """Passes everything on, both ways, until a subclass says otherwise."""

    def __init__(self, server: NatsAccess) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def access(self) -> NatsAccess:
        """The server by way of this link."""
        return msgspec.structs.replace(self._server, url=f"nats://127.0.0.1:{self._port}")

    async def _open(self) -> None:
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 24)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, client: StreamReader, to_client: StreamWriter) -> None:
        self._spawn(self._connect(client, to_client))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(self._loop.create_task(work))

    async def _connect(self, client: StreamReader, to_client: StreamWriter) -> None:
        number = self._connections
        self._connections += 1
        server, to_server = await asyncio.open_connection("127.0.0.1", urlsplit(self._server.url).port, limit=1 << 24)
        lines: asyncio.Queue[bytes] = asyncio.Queue()  # what arrived before a reset counts
        self._spawn(self._listen(client, lines))
        self._spawn(self._pass_on(number, lines, to_server))
        self._spawn(self._bring_back(server, to_client))

    async def _listen(self, client: StreamReader, lines: asyncio.Queue[bytes]) -> None:
        with suppress(OSError):
            while line := await client.readline():
                lines.put_nowait(line)
        lines.put_nowait(b"")

    async def _pass_on(self, number: int, lines: asyncio.Queue[bytes], to_server: StreamWriter) -> None:
        while line := await lines.get():
            await self.sent(number, line)
            to_server.write(line)
        to_server.close()

    async def _bring_back(self, server: StreamReader, to_client: StreamWriter) -> None:
        with suppress(OSError):
            while line := await server.readline():
                body = b""
                if line.startswith((b"MSG ", b"HMSG ")):
                    body = await server.readexactly(int(line.split()[-1]) + 2)
                await self.answered(line + body, to_client)
        to_client.close()

    async def sent(self, number: int, line: bytes) -> None:
        """What connection ``number`` says, line by line; it goes on when this returns."""

    async def answered(self, frame: bytes, to_client: StreamWriter) -> None:
        """What the server says."""
        to_client.write(frame)


class LatePublications(SlowLink):
    """The events of the first connection arrive when the next one has asked some questions already."""

    async def _open(self) -> None:
        await super()._open()
        self.holding = False
        self._questions, self._asked = 0, asyncio.Event()

    async def sent(self, number: int, line: bytes) -> None:
        if number == 0 and line.startswith(b"HPUB ioc."):
            self.holding = True
            await self._asked.wait()
        if number > 0:
            self._questions += line.startswith((b"PUB ", b"HPUB "))
            if self._questions >= 3:
                self._asked.set()


class LateDeliveries(SlowLink):
    """What a consumer is sent arrives behind the answer to a question about that consumer, asked afterwards."""

    def __init__(self, server: NatsAccess, expected: int) -> None:
        super().__init__(server)
        self._expected = expected

    async def _open(self) -> None:
        await super()._open()
        self._held: list[bytes] = []
        self._all_sent = asyncio.Event()

    async def sent(self, number: int, line: bytes) -> None:
        if b"CONSUMER.INFO" in line:
            await self._all_sent.wait()

    async def answered(self, frame: bytes, to_client: StreamWriter) -> None:
        if b"$JS.ACK." in frame.partition(b"\r\n")[0] and self._expected:
            self._held.append(frame)
            if len(self._held) == self._expected:
                self._all_sent.set()
            return
        to_client.write(frame)
        if b"consumer_info_response" in frame:
            self._expected = 0
            await asyncio.sleep(0.1)  # else the client reads both in one go
            to_client.writelines(self._held)
