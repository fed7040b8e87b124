"""Which events a stream already holds: their ids, read back without their bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy

from smartstream.observe.logging import get_logger

_MOST: Final = 1_000_000
_LOOKS: Final = 20
_LOOK_S: Final = 0.05
_log = get_logger("nats")


async def ids_after(
    js: JetStreamContext, stream: str, after: int, *, last: int, scope: str, progress: Callable[[], None]
) -> set[str]:
    """Ids in a stream behind sequence number ``after``, also of what it is just taking in.

    A server hands messages to subscribers before it stores them, from a queue of the stream: so look again until a
    look finds nothing more of ours, but not for ever where others publish in the same scope.

    Args:
        js: Of a connection whose loss cancels this.
        stream: Name.
        after: Last sequence number that is known.
        last: Of the stream.
        scope: How the subjects of interest begin.
        progress: Called as messages arrive.
    """
    ids: set[str] = set()
    for look in range(_LOOKS):
        if look:
            await asyncio.sleep(_LOOK_S)
            last = (await js.stream_info(stream)).state.last_seq
        found = await _ids_between(js, stream, after, last, scope, progress) if last > after else set()
        if look and not found:
            break
        ids |= found
        after = max(after, last)
    if len(ids) >= _MOST:
        _log.warning("NATS stream holds too much to know all of it", stream=stream, known=len(ids))
    return ids


async def _ids_between(
    js: JetStreamContext, stream: str, after: int, last: int, scope: str, progress: Callable[[], None]
) -> set[str]:
    """Filtered here and not by the server: before 2.10 it refuses a filter that only overlaps a stream's subjects."""
    ids: set[str] = set()
    done = asyncio.Event()

    async def on_message(msg: Msg) -> None:
        progress()
        if msg.subject.startswith(scope) and msg.headers:
            ids.add(msg.headers.get("Nats-Msg-Id", ""))
        at = msg.metadata
        if at.num_pending == 0 or at.sequence.stream >= last or len(ids) >= _MOST:
            done.set()

    config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=after + 1, headers_only=True)
    sub = await js.subscribe("ioc.>", stream=stream, ordered_consumer=True, config=config, cb=on_message)
    try:
        info = await sub.consumer_info()
        # What the server has delivered may still be on its way here, behind this answer, and is pending no more.
        if info.num_pending or sub.delivered or (info.delivered and info.delivered.consumer_seq):
            await done.wait()
    finally:
        with suppress(nats.errors.Error):
            await sub.unsubscribe()
    return ids
