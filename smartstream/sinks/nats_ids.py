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
_log = get_logger("nats")


async def ids_after(
    js: JetStreamContext, stream: str, after: int, *, last: int, scope: str, progress: Callable[[], None]
) -> set[str]:
    """Ids in a stream behind sequence number ``after`` and up to ``last``.

    Filtered here and not by the server: before 2.10 it refuses a filter that only overlaps a stream's subjects.

    Args:
        js: Of a connection whose loss cancels this.
        stream: Name.
        after: Last sequence number that is known.
        last: Of the stream.
        scope: How the subjects of interest begin.
        progress: Called as messages arrive.
    """
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
        if (await sub.consumer_info()).num_pending or sub.delivered:
            await done.wait()
    finally:
        with suppress(nats.errors.Error):
            await sub.unsubscribe()
    if len(ids) >= _MOST:
        _log.warning("NATS stream holds too much to know all of it", stream=stream, known=len(ids))
    return ids
