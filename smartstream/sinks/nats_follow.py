"""Following events: history and live from JetStream in one line, across restarts of the server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError, ServiceUnavailableError

from smartstream.brokers.nats_access import NatsAccess, connect, lost, quiet
from smartstream.brokers.subjects import covers, overlap
from smartstream.errors import InvalidInputError, SmartstreamError
from smartstream.sinks.nats_streams import SUBJECTS

_PAUSE_S: Final = 1.0
_TOKEN: Final = re.compile(r"\*|>|[^\s*>.]+")

Start = Literal["new", "all"] | datetime


def full_subject(words: str) -> str:
    """The pattern that a person means: ``violation.red_light`` is ``ioc.*.*.violation.red_light.>``.

    Raises:
        InvalidInputError: No subject of NATS looks so.
    """
    tokens = words.split(".")
    if not all(_TOKEN.fullmatch(token) for token in tokens) or ">" in tokens[:-1]:
        expected = "words between dots, * for any one, > at the end for all that follow"
        raise InvalidInputError(f"subject {words!r}: expected {expected}")
    if tokens[0] in ("ioc", ">"):
        return words if len(tokens) > 1 or words == ">" else "ioc.>"
    rest = tokens if len(tokens) == 3 or tokens[-1] == ">" else [*tokens, ">"]
    return ".".join(["ioc", "*", "*", *rest])


class Follower:
    """Calls ``on_event`` with each message body, in order per stream, none twice.

    Streams are read by sequence number, so an interruption loses nothing. A server without our streams (nobody
    has published yet, or they may not be read) is followed live.

    Args:
        find: Says where the server is now; asked before each connection, since an embedded one moves.
        subject: Pattern.
        start: From ``new`` events on, from the oldest kept (``all``), or from an instant on.
        on_event: Gets the body; False ends the following.
        on_ready: Told when no event from now on will be missed.
        on_lost: Told once per interruption, with the reason.
    """

    def __init__(
        self,
        find: Callable[[], NatsAccess],
        subject: str,
        *,
        start: Start,
        on_event: Callable[[bytes], bool],
        on_ready: Callable[[], None] = lambda: None,
        on_lost: Callable[[str], None],
    ) -> None:
        self._find, self._subject, self._start = find, subject, start
        self._on_event, self._on_ready, self._on_lost = on_event, on_ready, on_lost
        self._enough = asyncio.Event()
        self._seen: dict[str, tuple[str, int]] = {}  # stream: when created, last sequence handed on

    async def run(self) -> None:
        """Follow until ``on_event`` says that it is enough, or until cancelled.

        Raises:
            SmartstreamError: The first connection fails; later ones are tried again.
        """
        asyncio.get_running_loop().set_exception_handler(quiet)
        nc = await connect(self._find())
        while True:
            reason = "connection lost"
            try:
                await self._subscribe(nc)
                self._on_ready()
                await self._turn(nc)
            except (nats.errors.Error, SmartstreamError, TimeoutError) as e:
                reason = str(e) or "no answer"
            finally:
                with suppress(Exception):
                    await nc.close()
            if self._enough.is_set():
                return
            self._on_lost(reason)
            nc = await self._reconnect()

    async def _turn(self, nc: Client) -> None:
        """Until the connection is lost, or there was enough."""
        ways = {asyncio.create_task(lost(nc)), asyncio.create_task(self._enough.wait())}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ways:
                task.cancel()

    async def _reconnect(self) -> Client:
        while True:
            await asyncio.sleep(_PAUSE_S)
            with suppress(SmartstreamError):
                return await connect(self._find())

    async def _subscribe(self, nc: Client) -> None:
        js = nc.jetstream(timeout=5)
        streams = [name for name, taken in SUBJECTS.items() if any(overlap(self._subject, s) for s in taken)]
        try:
            found = [await self._from_stream(js, name) for name in streams]
        except (ServiceUnavailableError, nats.errors.NoRespondersError, nats.errors.TimeoutError):
            found = []
        if not any(found):
            await nc.subscribe(self._subject, cb=self._live)

    async def _from_stream(self, js: JetStreamContext, name: str) -> bool:
        try:
            info = await js.stream_info(name)
        except NotFoundError:
            return False
        created = str(info.created)
        seen_created, seen = self._seen.get(name, ("", -1))
        config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
        if seen_created == created:
            config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=seen + 1)
        elif seen < 0 and self._start == "new":
            seen = info.state.last_seq
            config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=seen + 1)
        elif seen < 0 and isinstance(self._start, datetime):
            config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=self._start)
        else:
            seen = 0
        self._seen[name] = (created, max(seen, 0))

        async def on_message(msg: Msg) -> None:
            seq = msg.metadata.sequence.stream
            if seq > self._seen[name][1]:
                self._seen[name] = (created, seq)
                if covers(self._subject, msg.subject):
                    self._hand_on(msg.data)

        # Servers before 2.10 refuse a filter that only overlaps a stream's subjects: then all comes, filtered here.
        taken = SUBJECTS[name]
        plain = any(covers(s, self._subject) for s in taken) or all(covers(self._subject, s) for s in taken)
        await js.subscribe(
            self._subject if plain else "ioc.>",
            stream=name,
            ordered_consumer=True,
            idle_heartbeat=5,
            config=config,
            cb=on_message,
        )
        return True

    async def _live(self, msg: Msg) -> None:
        self._hand_on(msg.data)

    def _hand_on(self, body: bytes) -> None:
        if not self._enough.is_set() and not self._on_event(body):
            self._enough.set()
