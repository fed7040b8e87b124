"""Publishing to JetStream in order, pipelined: every event is acknowledged, or given back as refused.

nats-py's own ``publish_async`` spends a future and a task on each message. Here a message costs one core
publish and one line of bookkeeping, and a lost connection has one answer for every message that was on its
way: read which ids the stream holds after the last acknowledged one, take those as delivered, publish the
others again under the same id. A restarted run does the same from the position its last snapshot kept.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamInfo

from smartstream.brokers.nats_access import NatsAccess, connect, lost
from smartstream.errors import InvalidInputError, SmartstreamError, UnavailableError
from smartstream.observe.logging import get_logger
from smartstream.sinks.nats_former import stand, wait_for_former
from smartstream.sinks.nats_ids import ids_after
from smartstream.sinks.nats_streams import StreamLimits, ensure_streams

_log = get_logger("nats")
_ACK_S: Final = 10.0
_CHUNK: Final = 256
_HEADER_BYTES: Final = 256
_CONTENT_TYPE: Final = "application/cloudevents+json"
_TOO_LARGE: Final = 10054


class Outgoing(msgspec.Struct, frozen=True):
    """One event ready to go."""

    id: str
    stream: str
    subject: str
    payload: bytes


class Mark(msgspec.Struct, frozen=True):
    """How far into a stream: its creation time tells it from a later stream of the same name."""

    created: str
    seq: int


Position = dict[str, Mark]


class _Ack(msgspec.Struct):
    stream: str = ""
    seq: int = 0
    error: dict[str, Any] | None = None


_decode_ack = msgspec.json.Decoder(_Ack).decode


class Outbox:
    """Publishes from one event loop; all but ``done`` belong to that loop.

    Args:
        access: The server.
        name: Of this publisher, nobody else's; a restarted run keeps it.
        limits: Of the streams.
        scope: How the subjects of this run begin; nothing else is read back.
        position: Where a former run had got to; None starts behind what the streams hold.
        window: Most messages on their way at once.
        patience_s: How long without any acknowledgement before ``room`` and ``settle`` give up.
        refused: Called with a message that the server will never take, and why.
    """

    def __init__(
        self,
        access: NatsAccess,
        *,
        name: str,
        limits: StreamLimits,
        scope: str,
        position: Position | None,
        window: int = 2048,
        patience_s: float = 60.0,
        refused: Callable[[Outgoing, str], None],
    ) -> None:
        self._access, self._name, self._limits, self._scope = access, name, limits, scope
        self.window = window
        self.done = 0
        """How many of the messages offered so far need nothing more; may be read from any thread."""
        self._patience_s, self._refused = patience_s, refused
        self._position = position
        self._resuming = position is not None
        self._known: set[str] = set()
        self._queue: deque[Outgoing] = deque()
        self._flight: dict[int, Outgoing] = {}
        self._acked: list[tuple[Outgoing, int]] = []  # since the last settle: a stream may lose its tail
        self._token = 0
        self._wake = asyncio.Event()  # for the pump: something to send, room, or trouble
        self._moved = asyncio.Event()  # for the caller: pending fell to the threshold, or failed
        self._threshold = 0
        self._progress_s = time.monotonic()
        self._fruitless = False  # the last session sent, and nothing was acknowledged
        self._trouble: str | None = None
        self._failure: SmartstreamError | None = None
        self._nc: Client | None = None  # while a session publishes
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Position:
        """Connect and find the position; what the streams hold after it will not be published again.

        Raises:
            SmartstreamError: The server cannot be reached or used within the patience.
        """
        self._task = asyncio.create_task(self._run())
        self._progress()
        await self._until(lambda: self._nc is not None)
        assert self._position is not None
        return dict(self._position)

    def offer(self, messages: Iterable[Outgoing]) -> None:
        """Take messages over. How many may be pending is the caller's to bound, by ``done`` and ``room``."""
        if not self._pending():
            self._progress()
        known = self._known
        for message in messages:
            if known and message.id in known:
                known.remove(message.id)  # published before the stop, acknowledged or not
                self.done += 1
            else:
                self._queue.append(message)
        self._wake.set()

    async def room(self) -> None:
        """Wait until no more than half a window of messages is pending.

        Raises:
            UnavailableError: The server has acknowledged nothing for the whole patience.
        """
        await self._wait_pending(self.window // 2)

    async def settle(self) -> Position:
        """Wait until every message is acknowledged (or refused); the position after them.

        A last round trip proves that the server which acknowledged is still there: one that was killed since may
        come back without its tail, and is then given it again.

        Raises:
            UnavailableError: The server has acknowledged nothing for the whole patience.
        """
        if not self._pending():
            self._progress()
        while True:
            await self._wait_pending(0)
            if not self._acked:
                break
            await self._until(lambda: self._nc is not None)
            nc = self._nc
            with suppress(nats.errors.Error, TimeoutError, OSError):
                assert nc is not None
                await nc.flush(timeout=5)
                if nc is self._nc and not self._pending():
                    break
            await asyncio.sleep(0.02)  # a closed connection fails without ever giving way
        self._acked.clear()
        assert self._position is not None
        return dict(self._position)

    async def close(self) -> None:
        """End the connection; what is pending stays unpublished."""
        if self._task is not None:
            await _stop(self._task)

    def _pending(self) -> int:
        return len(self._queue) + len(self._flight)

    async def _wait_pending(self, threshold: int) -> None:
        self._threshold = threshold
        await self._until(lambda: self._pending() <= threshold)

    async def _until(self, done: Callable[[], bool]) -> None:
        while not done():
            if self._failure is not None:
                raise self._failure
            left_s = self._patience_s - (time.monotonic() - self._progress_s)
            if left_s <= 0:
                raise UnavailableError(
                    f"NATS server {self._access.shown}: {self._pending()} events unacknowledged for "
                    f"{self._patience_s:g} s ({self._trouble or 'no answer'})"
                )
            self._moved.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left_s)

    async def _run(self) -> None:
        """Session after session until cancelled."""
        pause_s, said = 0.05, ""
        while True:
            began_s = time.monotonic()
            try:
                await self._session()
            except (UnavailableError, InvalidInputError, nats.errors.Error, OSError, TimeoutError) as e:
                if isinstance(e, InvalidInputError) and self._position is None:
                    self._fail(e)
                    return
                reason = str(e) or type(e).__name__
                if reason != said:
                    _log.warning("NATS publishing interrupted, trying again", reason=reason)
                self._trouble = said = reason
            except Exception as e:  # a bug must reach the caller, not end a task in silence
                self._fail(UnavailableError(f"NATS publisher failed: {e!r}"))
                raise
            if time.monotonic() - began_s > 5:
                pause_s, said = 0.05, ""
            await asyncio.sleep(pause_s * (0.5 + random.random()))
            pause_s = min(pause_s * 2, 2.0)

    def _fail(self, error: SmartstreamError) -> None:
        self._failure = error
        self._moved.set()

    async def _session(self) -> None:
        """Connect, catch up, publish; ends with the connection, whatever it was waiting for."""
        nc = await connect(self._access)
        work, end = asyncio.create_task(self._publish(nc)), asyncio.create_task(lost(nc))
        try:
            await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            raise UnavailableError("connection lost")
        finally:
            self._nc = None
            await _stop(work)
            await _stop(end)
            with suppress(Exception):
                await asyncio.wait_for(nc.close(), 2.0)

    async def _publish(self, nc: Client) -> None:
        js = nc.jetstream(timeout=5)
        if self._position is not None:
            await wait_for_former(nc, self._name)
        await stand(nc, self._name)
        await self._catch_up(js, await ensure_streams(js, self._limits))
        if self._trouble:
            _log.warning("NATS publishing again", pending=self._pending())
        self._trouble = None
        self._come_again()
        inbox = nc.new_inbox()
        await nc.subscribe(f"{inbox}.*", cb=self._on_ack)
        self._nc = nc
        self._moved.set()
        done = self.done
        try:
            await self._pump(nc, inbox)
        finally:
            self._fruitless = bool(self._flight) and self.done == done

    async def _pump(self, nc: Client, inbox: str) -> None:
        queue, flight = self._queue, self._flight
        limit = nc.max_payload - _HEADER_BYTES
        while self._trouble is None:
            room = min(len(queue), self.window - len(flight), _CHUNK)
            for _ in range(room):
                message = queue.popleft()
                if len(message.payload) > limit:
                    self._give_back(message, f"{len(message.payload)} bytes, the server takes {limit}")
                    continue
                self._token += 1
                flight[self._token] = message
                await nc.publish(
                    message.subject,
                    message.payload,
                    reply=f"{inbox}.{self._token}",
                    headers={"Nats-Msg-Id": message.id, "Content-Type": _CONTENT_TYPE},
                )
            if room > 0:
                await asyncio.sleep(0)
                continue
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), 1.0)
            except TimeoutError:
                if flight and time.monotonic() - self._progress_s > _ACK_S:
                    raise UnavailableError(f"no acknowledgement for {_ACK_S:g} s") from None
        raise UnavailableError(self._trouble)

    async def _on_ack(self, msg: Msg) -> None:
        token = int(msg.subject.rpartition(".")[2])
        message = self._flight.get(token)
        if message is None:
            return
        if msg.headers and msg.headers.get("Status") == "503":
            self._stumble("no stream takes the subject")
            return
        ack = _decode_ack(msg.data)
        if ack.error is not None:
            reason = str(ack.error.get("description"))
            if ack.error.get("err_code") != _TOO_LARGE:
                self._stumble(reason)
                return
            del self._flight[token]
            self._give_back(message, reason)
            return
        del self._flight[token]
        assert self._position is not None
        mark = self._position[message.stream]
        if ack.seq > mark.seq:
            self._position[message.stream] = Mark(mark.created, ack.seq)
        self._acked.append((message, ack.seq))
        self._settled_one()

    def _progress(self) -> None:
        self._progress_s = time.monotonic()

    def _come_again(self) -> None:
        """A server that is back, or tells what it holds, gets its time; one that then takes nothing gets no more."""
        if not self._fruitless:
            self._progress()

    def _settled_one(self) -> None:
        self.done += 1
        self._progress()
        if self._pending() <= self._threshold:
            self._moved.set()
        if self._queue:
            self._wake.set()

    def _give_back(self, message: Outgoing, reason: str) -> None:
        self._refused(message, reason)
        self._settled_one()

    def _stumble(self, reason: str) -> None:
        """The server cannot take a message now, which stays in flight: end the session, catch up, try again."""
        self._trouble = self._trouble or reason
        self._wake.set()

    async def _catch_up(self, js: JetStreamContext, streams: dict[str, StreamInfo]) -> None:
        """Settle what was on its way when the last session, or the last run, ended."""
        first = self._position is None
        position = dict(self._position or {})
        held: set[str] = set()
        missing: list[Outgoing] = []
        for name, info in streams.items():
            created, last = str(info.created), info.state.last_seq
            mark = position.get(name)
            if mark is None:
                position[name] = Mark(created, last)
                continue
            if mark.created != created or mark.seq > last:
                seq = last if mark.created == created else 0
                again = [m for m, at in self._acked if m.stream == name and at > seq]

                _log.error("NATS stream lost what it had acknowledged", stream=name, up_to=mark.seq,
                           found=last, publishing_again=len(again))  # fmt: skip
                missing += again
                mark = position[name] = Mark(created, seq)
            held |= await ids_after(js, name, mark.seq, last=last, scope=self._scope, progress=self._come_again)
        self._position = position
        if self._resuming:
            self._known, self._resuming = held, False
        if first:
            return
        unsettled = [self._flight[token] for token in sorted(self._flight)]
        self._flight.clear()
        for message in reversed([*missing, *unsettled]):
            if message.id in held:
                self._settled_one()
            else:
                self._queue.appendleft(message)
        if not self._pending():
            self._moved.set()


async def _stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it is over: the client swallows a cancellation where it is closing itself."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)
    if not task.cancelled():
        task.exception()  # seen; the session says what went wrong
