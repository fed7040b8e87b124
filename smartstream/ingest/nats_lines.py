"""Lines of a live feed from its input log: the stream's sequence number is the position to resume from.

Nothing is acknowledged: a message stays in the log until its age or the log's size takes it, and a killed run reads
again from its last committed epoch. A thread follows the stream a bounded way ahead; the dataflow never waits for it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy, StreamInfo
from nats.js.errors import NotFoundError

from smartstream.brokers.input_log import InputLog, Mark, consumer_place, decode_mark, encode_mark, open_log
from smartstream.brokers.nats_access import NatsAccess, connect, lost, quiet
from smartstream.errors import SmartstreamError
from smartstream.ingest.lines import Found, Lost, Quiet, Trouble
from smartstream.model.time import MAX_NS, NS
from smartstream.observe.logging import get_logger

_AHEAD: Final = 4096
_LOOK_S: Final = 2.0
_PAUSES_S: Final = (0.1, 0.5, 1.0, 2.0)
_FIRST_LINE: Final = 10  # times the silence allowed: a feed that has never spoken may still be starting
_log = get_logger("nats_lines")


class NatsLines:
    """Follows an input log from a sequence number on.

    Args:
        access: The server.
        log: An open log.
        state: What ``snapshot`` returned, or empty.
        idle_after_s: Silence after which the feed holds nobody up; noted in the log by the one that ``marks``.
        marks: This reader notes the silence.
    """

    unit = "message"
    sorted = False
    ended = False
    broken = ""

    def __init__(
        self, access: NatsAccess, log: InputLog, state: dict[str, Any], *, idle_after_s: float, marks: bool = True
    ) -> None:
        self._access, self._stream = access, log
        self._idle_after_s, self._marks = idle_after_s, marks and bool(log.marks)
        self._created: str = state.get("created", "")
        self._seq: int = state.get("seq", 0)
        self._spoken: bool = state.get("spoken", False)
        self._read_created, self._read_seq = self._created, self._seq
        self._found: deque[tuple[str, int, int, Found]] = deque()
        self.told_ns = MAX_NS
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(quiet)
        self._room = asyncio.Event()
        self._room.set()
        self._caught_up = False
        self._heard_s = time.monotonic()
        self._follower: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._main, name=f"nats-in {log.lines}", daemon=True)
        self._thread.start()

    def next_line(self) -> Found | None:
        """The next message, or a word about the feed; ``None`` when nothing is there yet."""
        try:
            self._created, self._seq, self.told_ns, found = self._found.popleft()
        except IndexError:
            return None
        if not self._room.is_set() and len(self._found) < _AHEAD // 2:
            self._loop.call_soon_threadsafe(self._room.set)
        return found

    def snapshot(self) -> dict[str, Any]:
        """The sequence number handed out last, and of which incarnation of the stream."""
        return {"created": self._created, "seq": self._seq, "spoken": self._spoken, "line_no": self._seq}

    def close(self) -> None:
        """Stop following."""
        with suppress(RuntimeError):  # the loop may have ended
            self._loop.call_soon_threadsafe(lambda: self._follower and self._follower.cancel())
        self._thread.join(5)

    def _main(self) -> None:
        self._follower = self._loop.create_task(self._follow())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._follower)
        self._loop.close()

    async def _follow(self) -> None:
        failures = 0
        while True:
            why = "connection lost"
            try:
                nc = await connect(self._access)
                try:
                    await self._session(nc, recovered=failures > 1)
                    failures = 0
                finally:
                    with suppress(Exception):
                        await nc.close()
            except (SmartstreamError, nats.errors.Error, TimeoutError, OSError) as e:
                why = str(e) or "no answer"
            failures += 1
            if failures == 2:  # once is a restart of the server, which is soon over
                _log.warning("input log cannot be read, trying on", stream=self._stream.stream, why=why)
                self._say(Trouble("opened", why))
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])

    async def _session(self, nc: Client, *, recovered: bool) -> None:
        js = nc.jetstream(timeout=5)
        info = await self._info(js)
        created = str(info.created)
        if self._read_created not in ("", created):
            _log.error(
                "input log was made anew: what it held is lost", stream=self._stream.stream, up_to=self._read_seq
            )
            self._say(Trouble("opened", f"the stream {self._stream.stream} was made anew"))
            recovered, self._read_seq = True, 0
        self._read_created = created
        if recovered:
            self._say(Trouble("closed", ""))
        missing = info.state.first_seq - self._read_seq - 1
        if self._read_seq and missing > 0:
            self._read_seq += missing
            detail = f"the stream gave up {missing} messages before they were read"
            self._found.append((created, self._read_seq, MAX_NS, Lost(missing, detail)))
        self._caught_up = info.state.last_seq <= self._read_seq
        self._heard_s = time.monotonic()
        start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._read_seq + 1)
        await js.subscribe(
            **consumer_place(self._stream),
            ordered_consumer=True,
            idle_heartbeat=5,
            config=start,
            cb=self._on_message,
        )
        ways = {asyncio.create_task(way) for way in (lost(nc), self._watch_silence(nc), self._watch_log(nc))}
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in ways:
                task.cancel()

    async def _info(self, js: JetStreamContext) -> StreamInfo:
        """Of the log; one of ours that somebody deleted is made again, or what is sent from now on were lost, too."""
        try:
            return await js.stream_info(self._stream.stream)
        except NotFoundError:
            if not self._stream.marks:
                raise
            await open_log(js, self._stream)
            return await js.stream_info(self._stream.stream)

    async def _on_message(self, msg: Msg) -> None:
        seq = msg.metadata.sequence.stream
        if seq <= self._read_seq:
            return
        if len(self._found) >= _AHEAD:
            self._room.clear()
            await self._room.wait()
        self._read_seq = seq
        self._caught_up = not msg.metadata.num_pending
        if self._stream.marks and msg.subject == self._stream.marks:
            mark = decode_mark(msg.data)
            if mark is not None:
                found = Trouble(mark.verb, mark.detail) if mark.verb else Quiet(mark.silent_ns, mark.until_ns)
                self._found.append((self._read_created, seq, MAX_NS, found))
            return
        self._heard_s = time.monotonic()
        self._spoken = True
        self._found.append((self._read_created, seq, _stored_ns(msg), (seq, msg.data)))

    def _say(self, trouble: Trouble) -> None:
        """What is no message of the log and has no place in it: said where it is noticed."""
        self._found.append((self._read_created, self._read_seq, MAX_NS, trouble))

    async def _watch_log(self, nc: Client) -> None:
        """Return when the log is not the one that is followed: its consumer went with it, and says nothing."""
        js = nc.jetstream(timeout=5)
        while True:
            await asyncio.sleep(_LOOK_S)
            with suppress(NotFoundError):
                if str((await js.stream_info(self._stream.stream)).created) == self._read_created:
                    continue
            return

    async def _watch_silence(self, nc: Client) -> None:
        """Note a silence in the log; read back from there, it stands between the same lines for every reader."""
        js = nc.jetstream(timeout=5)
        tick = min(1.0, self._idle_after_s / 2)
        while True:
            await asyncio.sleep(tick)
            allowed = self._idle_after_s if self._spoken else _FIRST_LINE * self._idle_after_s
            silent = time.monotonic() - self._heard_s
            if self._marks and self._caught_up and not self._found and silent > allowed:
                over = round((silent - self._idle_after_s) * NS)
                until = time.time_ns() - round(self._idle_after_s * NS)
                await js.publish(self._stream.marks, encode_mark(Mark(silent_ns=over, until_ns=until)))


def _stored_ns(msg: Msg) -> int:
    """When the log took a message: kept with it, so that every replay reads the same."""
    return round(msg.metadata.timestamp.timestamp() * 1e6) * 1000  # a double holds µs here
